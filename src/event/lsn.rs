//! Log sequence numbers: positions in SQL Server's transaction log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Three fixed-width hexadecimal groups, `0000002b:00000d78:0005`, compared numerically.
///
/// A source without a log can use any number that rises from commit to commit: see [`Lsn::from_sequence`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn([u8; 10]);

impl Lsn {
    /// Big-endian, so that bytes and numbers sort alike.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 10] {
        self.0
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// The position of the n-th commit of a source that numbers its commits.
    #[must_use]
    pub fn from_sequence(n: u64) -> Self {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&n.to_be_bytes());
        Self(bytes)
    }
}

/// The text is not three hexadecimal groups of 8, 8 and 4 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log sequence number of the form 0000002b:00000d78:0005")]
pub struct MalformedLsn;

impl FromStr for Lsn {
    type Err = MalformedLsn;

    fn from_str(text: &str) -> Result<Self, MalformedLsn> {
        let text = text.as_bytes();
        if text.len() != 22 || text[8] != b':' || text[17] != b':' {
            return Err(MalformedLsn);
        }
        let mut bytes = [0; 10];
        let pairs = text[..8].chunks_exact(2).chain(text[9..17].chunks_exact(2)).chain(text[18..].chunks_exact(2));
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex(digit: u8) -> Result<u8, MalformedLsn> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(MalformedLsn),
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 4 || place == 8 { ":" } else { "" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 10]>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_was_read_and_in_lower_case() {
        let lsn: Lsn = "0000002B:00000d78:0005".parse().unwrap();
        assert_eq!(lsn.to_string(), "0000002b:00000d78:0005");
        assert_eq!(Lsn::from_sequence(0x1_0002).to_string(), "00000000:00000001:0002");
    }

    #[test]
    fn compares_numerically() {
        let of = |text: &str| text.parse::<Lsn>().unwrap();
        assert!(of("0000002b:00000d78:0005") < of("0000002b:00000d78:0010"));
        assert!(of("0000002b:ffffffff:ffff") < of("0000002c:00000000:0000"));
        assert!(Lsn::from_sequence(255) < Lsn::from_sequence(256));
    }

    #[test]
    fn anything_but_three_full_groups_is_malformed() {
        for text in [
            "",
            "0000002d",
            "zzzzzzzz:00000a50:0007",
            "0000002d:00000a50:0007:0001",
            "2d:a50:7",
            "0000002d:00000a50:+007",
            "0000002d-00000a50-0007",
            "0000002d:00000a50:00é",
        ] {
            assert_eq!(text.parse::<Lsn>(), Err(MalformedLsn), "{text}");
        }
    }
}
