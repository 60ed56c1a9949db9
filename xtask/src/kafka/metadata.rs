//! The one request of Kafka's protocol that tells whether a broker is ready, and whom it knows.
//!
//! Version 1 of Metadata: the first that can ask for no topic at all, and brokers of Kafka 4 still answer it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const METADATA: i16 = 3;
const API_VERSION: i16 = 1;
const CORRELATION: i32 = 1;
const TIMEOUT: Duration = Duration::from_secs(2);
/// More than any answer of a test cluster.
const MOST: usize = 16 * 1024 * 1024;

/// What a broker knows of its cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Ids of the brokers that take part, in order.
    pub(super) brokers: Vec<i32>,
    pub(super) partitions: Vec<Partition>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) number: i32,
    pub(super) leader: i32,
    pub(super) replicas: usize,
    pub(super) in_sync: usize,
}

impl Partition {
    pub(super) fn is_in_sync(&self) -> bool {
        self.leader >= 0 && self.in_sync == self.replicas
    }
}

/// Which topics are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topics {
    None,
    All,
}

/// Asks the broker that listens on this port.
pub(super) fn ask(port: u16, topics: Topics) -> io::Result<Metadata> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&request(topics))?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).ok().filter(|size| *size <= MOST).ok_or_else(nonsense)?;
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer)?;
    Answer(&answer).metadata().ok_or_else(nonsense)
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer to a metadata request")
}

fn request(topics: Topics) -> Vec<u8> {
    let client = b"xtask";
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(API_VERSION.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    body.extend(5_i16.to_be_bytes());
    body.extend(client);
    // an array's length: of none it is 0, and null, which is -1, stands for all
    body.extend(match topics {
        Topics::None => 0_i32.to_be_bytes(),
        Topics::All => (-1_i32).to_be_bytes(),
    });
    let size = i32::try_from(body.len()).expect("a few bytes");
    [size.to_be_bytes().as_slice(), &body].concat()
}

/// What is left to read of an answer; every method takes from its front.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn metadata(mut self) -> Option<Metadata> {
        let mut metadata = Metadata::default();
        if self.int32()? != CORRELATION {
            return None;
        }
        for _ in 0..self.int32()? {
            metadata.brokers.push(self.int32()?);
            let (_host, _port, _rack) = (self.string()?, self.int32()?, self.string()?);
        }
        metadata.brokers.sort_unstable();
        let _controller = self.int32()?;
        for _ in 0..self.int32()? {
            let (_error, topic, _internal) = (self.int16()?, self.string()?, self.take::<1>()?);
            for _ in 0..self.int32()? {
                let (_error, number, leader) = (self.int16()?, self.int32()?, self.int32()?);
                let (replicas, in_sync) = (self.ids()?, self.ids()?);
                metadata.partitions.push(Partition { topic: topic.clone(), number, leader, replicas, in_sync });
            }
        }
        self.0.is_empty().then_some(metadata)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn int16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// Empty where it is null.
    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.int16()?).unwrap_or(0);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// How many ids a list has.
    fn ids(&mut self) -> Option<usize> {
        let count = self.int32()?;
        for _ in 0..count {
            self.int32()?;
        }
        usize::try_from(count).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_what_the_protocol_asks_for() {
        let head = [0, 0, 0, 19, 0, 3, 0, 1, 0, 0, 0, 1, 0, 5, b'x', b't', b'a', b's', b'k'];
        assert_eq!(request(Topics::None), [head.as_slice(), &[0, 0, 0, 0]].concat());
        assert_eq!(request(Topics::All), [head.as_slice(), &[255; 4]].concat());
    }

    /// Brokers 2 and 1, no rack, and one partition of topic `t` with two replicas, one in sync.
    fn answer() -> Vec<u8> {
        let broker = |id| [0, 0, 0, id, 0, 1, b'h', 0, 0, 78, 32, 255, 255];
        let partition = [0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1];
        [
            [0, 0, 0, 1, 0, 0, 0, 2].as_slice(),
            &broker(2),
            &broker(1),
            &[0, 0, 0, 1],
            &[0, 0, 0, 1, 0, 0, 0, 1, b't', 0, 0, 0, 0, 1],
            &partition,
        ]
        .concat()
    }

    #[test]
    fn an_answer_names_brokers_and_partitions() {
        let partitions = vec![Partition { topic: "t".to_owned(), number: 4, leader: 1, replicas: 2, in_sync: 1 }];
        assert_eq!(Answer(&answer()).metadata(), Some(Metadata { brokers: vec![1, 2], partitions }));
    }

    #[test]
    fn an_answer_that_is_cut_or_too_long_or_another_is_refused() {
        let whole = answer();
        for length in 0..whole.len() {
            assert_eq!(Answer(&whole[..length]).metadata(), None, "{length} bytes");
        }
        assert_eq!(Answer(&[whole.as_slice(), &[0]].concat()).metadata(), None);
        assert_eq!(Answer(&[&[0, 0, 0, 2], &whole[4..]].concat()).metadata(), None, "to another request");
    }
}
