//! Decoded records put aside by partition, so that partitions that lie arbitrarily far apart in a file can be merged in
//! bounded memory.
//!
//! Blocks of encoded entries are kept in memory up to a budget, then go to one unnamed temporary file. The index
//! holds one small entry a block. A partition whose records do not come in the order of their offsets (files given in any
//! order, captures that overlap) is read as several ascending runs, merged by offset. Of an offset that comes twice both
//! records are read, in the order of the input: whether the second is a re-delivery is not for this place to say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::HashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::{DeadLetter, Entry, Partition};
use crate::event::{ChangeEvent, Identity, Lsn, Origin};
use crate::time::Timestamp;

/// Bytes that a partition gathers before they are put aside together.
const GATHERED: usize = 64 << 10;

/// Entries of one partition in ascending order of offsets, encoded.
#[derive(Debug)]
struct Block {
    partition: Partition,
    first_offset: i64,
    last_offset: i64,
    entries: u64,
    bytes: Vec<u8>,
}

/// Encodes the entries of one chunk of input into blocks. Made for many chunks: its buffers stay.
#[derive(Debug, Default)]
pub struct Blocks {
    filled: Vec<Block>,
    /// The block that each partition's next entry goes to.
    open: HashMap<Partition, usize>,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    #[error("cannot write to a temporary file in {}", folder.display())]
    Write { folder: PathBuf, source: io::Error },
    #[error("cannot read back from a temporary file in {}", folder.display())]
    Read { folder: PathBuf, source: io::Error },
    #[error("a spilled entry does not decode")]
    Corrupt(#[from] postcard::Error),
}

impl SpillError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Write { .. } | Self::Read { .. } => "TMPDIR names the folder; it needs about 200 bytes of room a change",
            Self::Corrupt(_) => "the temporary file was changed by something else, or the disk is failing",
        }
    }
}

/// An entry as it is encoded. Origin's topic and partition are the block's.
#[derive(serde::Serialize, serde::Deserialize)]
enum Spilled<C, D> {
    Change { commit: Lsn, event_time: Timestamp, identity: [u8; 16], body: C },
    Ignored(u8),
    Bad(D),
}

/// The labels of ignored records, so that an entry holds a number instead of a text.
#[derive(Debug, Default)]
pub struct Labels(std::sync::RwLock<Vec<&'static str>>);

impl Labels {
    fn index(&self, label: &'static str) -> u8 {
        let find = |labels: &[&str]| labels.iter().position(|known| *known == label).and_then(|index| u8::try_from(index).ok());
        if let Some(index) = find(&self.0.read().expect("no thread panics while it holds this lock")) {
            return index;
        }
        let mut labels = self.0.write().expect("no thread panics while it holds this lock");
        find(&labels).unwrap_or_else(|| {
            labels.push(label);
            u8::try_from(labels.len() - 1).expect("a domain has fewer than 256 reasons to ignore a record")
        })
    }

    fn name(&self, index: u8) -> &'static str {
        self.0.read().expect("no thread panics while it holds this lock")[usize::from(index)]
    }
}

impl Blocks {
    /// Appends a partition's next entry.
    pub fn push<C: Serialize>(&mut self, origin: Origin, entry: &Entry<C>, labels: &Labels) -> Result<(), SpillError> {
        let spilled = match entry {
            Entry::Change(change) => Spilled::Change {
                commit: change.commit,
                event_time: change.event_time,
                identity: change.identity.0.to_be_bytes(),
                body: &change.body,
            },
            Entry::Ignored(label) => Spilled::Ignored(labels.index(label)),
            Entry::Bad(letter) => Spilled::Bad(letter),
        };
        let block = self.block_for(origin);
        block.last_offset = origin.offset;
        block.entries += 1;
        let mut bytes = std::mem::take(&mut block.bytes);
        bytes.extend_from_slice(&origin.offset.to_le_bytes());
        block.bytes = postcard::to_extend(&spilled, bytes)?;
        Ok(())
    }

    fn block_for(&mut self, origin: Origin) -> &mut Block {
        let partition = Partition::from(origin);
        let known = self.open.get(&partition).copied().filter(|&index| self.filled[index].last_offset <= origin.offset);
        let index = known.unwrap_or_else(|| {
            self.filled.push(Block {
                partition,
                first_offset: origin.offset,
                last_offset: origin.offset,
                entries: 0,
                bytes: self.spare.pop().unwrap_or_default(),
            });
            self.open.insert(partition, self.filled.len() - 1);
            self.filled.len() - 1
        });
        &mut self.filled[index]
    }

    /// Ready for the next chunk.
    fn clear(&mut self) {
        self.open.clear();
        self.spare.extend(self.filled.drain(..).map(|block| {
            let mut bytes = block.bytes;
            bytes.clear();
            bytes
        }));
    }
}

#[derive(Debug)]
enum Stored {
    Memory(Vec<u8>),
    File { at: u64, len: usize },
}

/// Everything that was put aside.
#[derive(Debug)]
pub struct Spill {
    store: Store,
    labels: Arc<Labels>,
    /// Ascending runs of each partition.
    partitions: BTreeMap<Partition, Vec<RunIndex>>,
    entries: u64,
}

/// Where bytes are put aside: in memory as long as there is room, then in a file.
#[derive(Debug)]
struct Store {
    folder: PathBuf,
    file: Option<File>,
    file_len: u64,
    memory_left: usize,
}

#[derive(Debug)]
struct RunIndex {
    first_offset: i64,
    last_offset: i64,
    blocks: Vec<Stored>,
    /// What comes behind the blocks, not put aside yet.
    gathered: Vec<u8>,
}

impl RunIndex {
    fn put_aside(&mut self, store: &mut Store) -> Result<(), SpillError> {
        if !self.gathered.is_empty() {
            self.blocks.push(store.put(&self.gathered)?);
            self.gathered.clear();
        }
        Ok(())
    }
}

impl Store {
    fn put(&mut self, bytes: &[u8]) -> Result<Stored, SpillError> {
        if bytes.len() <= self.memory_left {
            self.memory_left -= bytes.len();
            return Ok(Stored::Memory(bytes.to_vec()));
        }
        let failed = |source| SpillError::Write { folder: self.folder.clone(), source };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder).map_err(failed)?),
        };
        file.write_all(bytes).map_err(failed)?;
        let at = self.file_len;
        self.file_len += bytes.len() as u64;
        Ok(Stored::File { at, len: bytes.len() })
    }
}

impl Spill {
    /// Keeps `memory` bytes; what is more goes to an unnamed file in `folder`.
    #[must_use]
    pub fn new(labels: Arc<Labels>, memory: usize, folder: &Path) -> Self {
        let store = Store { folder: folder.to_owned(), file: None, file_len: 0, memory_left: memory };
        Self { store, labels, partitions: BTreeMap::new(), entries: 0 }
    }

    /// Takes over the entries of the next chunk of input.
    pub fn add(&mut self, blocks: &mut Blocks) -> Result<(), SpillError> {
        for block in &blocks.filled {
            self.entries += block.entries;
            let Block { partition, first_offset, last_offset, ref bytes, .. } = *block;
            let runs = self.partitions.entry(partition).or_default();
            let goes_on = runs.last().is_some_and(|run| run.last_offset <= first_offset);
            if !goes_on {
                if let Some(run) = runs.last_mut() {
                    run.put_aside(&mut self.store)?;
                    run.gathered = Vec::new();
                }
                runs.push(RunIndex { first_offset, last_offset, blocks: Vec::new(), gathered: Vec::new() });
            }
            let run = runs.last_mut().expect("just seen or pushed");
            run.last_offset = last_offset;
            run.gathered.extend_from_slice(bytes);
            if run.gathered.len() >= GATHERED {
                run.put_aside(&mut self.store)?;
            }
        }
        blocks.clear();
        Ok(())
    }

    /// Entries of all partitions.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// A reader for each partition, in the order of partitions.
    #[must_use]
    pub fn into_readers(self) -> Vec<PartitionReader> {
        let source = Arc::new(Source { labels: self.labels, folder: self.store.folder, file: self.store.file });
        let reader = |(partition, runs): (Partition, Vec<RunIndex>)| PartitionReader {
            partition,
            next: runs.iter().enumerate().map(|(place, run)| Reverse((run.first_offset, place))).collect(),
            runs: runs.into_iter().map(|run| RunReader::new(run, Arc::clone(&source))).collect(),
        };
        self.partitions.into_iter().map(reader).collect()
    }
}

#[derive(Debug)]
struct Source {
    labels: Arc<Labels>,
    folder: PathBuf,
    file: Option<File>,
}

/// Reads one partition back, in the order of offsets.
#[derive(Debug)]
pub struct PartitionReader {
    partition: Partition,
    /// In the order of the input.
    runs: Vec<RunReader>,
    /// The next offset of each run that is not at its end, the least first.
    next: BinaryHeap<Reverse<(i64, usize)>>,
}

impl PartitionReader {
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The next entry with its offset; `None` at the end.
    pub fn read<C: DeserializeOwned>(&mut self) -> Result<Option<(i64, Entry<C>)>, SpillError> {
        let Some(Reverse((_, place))) = self.next.pop() else { return Ok(None) };
        let run = &mut self.runs[place];
        let Some(offset) = run.peek()? else { return Ok(None) };
        let entry = run.take(self.partition, offset)?;
        if let Some(offset) = run.peek()? {
            self.next.push(Reverse((offset, place)));
        }
        Ok(Some((offset, entry)))
    }
}

#[derive(Debug)]
struct RunReader {
    source: Arc<Source>,
    blocks: std::vec::IntoIter<Stored>,
    bytes: Vec<u8>,
    at: usize,
}

impl RunReader {
    fn new(mut run: RunIndex, source: Arc<Source>) -> Self {
        if !run.gathered.is_empty() {
            run.blocks.push(Stored::Memory(run.gathered));
        }
        Self { source, blocks: run.blocks.into_iter(), bytes: Vec::new(), at: 0 }
    }

    /// The offset of the next entry.
    fn peek(&mut self) -> Result<Option<i64>, SpillError> {
        while self.at == self.bytes.len() {
            match self.blocks.next() {
                None => {
                    // the reader outlives its runs
                    (self.bytes, self.at) = (Vec::new(), 0);
                    return Ok(None);
                }
                Some(Stored::Memory(bytes)) => self.bytes = bytes,
                Some(Stored::File { at, len }) => {
                    self.bytes.resize(len, 0);
                    let file = self.source.file.as_ref().expect("a block lies in the file only if there is one");
                    file.read_exact_at(&mut self.bytes, at)
                        .map_err(|source| SpillError::Read { folder: self.source.folder.clone(), source })?;
                }
            }
            self.at = 0;
        }
        let offset = self.bytes[self.at..].first_chunk().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        Ok(Some(i64::from_le_bytes(*offset)))
    }

    /// The entry that was peeked at.
    fn take<C: DeserializeOwned>(&mut self, partition: Partition, offset: i64) -> Result<Entry<C>, SpillError> {
        let encoded = &self.bytes[self.at + size_of::<i64>()..];
        let (spilled, rest) = postcard::take_from_bytes::<Spilled<C, DeadLetter>>(encoded)?;
        self.at = self.bytes.len() - rest.len();
        let origin = Origin { topic: partition.topic, partition: partition.partition, offset };
        Ok(match spilled {
            Spilled::Change { commit, event_time, identity, body } => {
                let identity = Identity(u128::from_be_bytes(identity));
                Entry::Change(ChangeEvent { commit, event_time, identity, origin, body })
            }
            Spilled::Ignored(label) => Entry::Ignored(self.source.labels.name(label)),
            Spilled::Bad(letter) => Entry::Bad(Box::new(letter)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Topic;

    fn entry(topic: Topic, partition: i32, offset: i64) -> (Origin, Entry<String>) {
        let origin = Origin { topic, partition, offset };
        let change = ChangeEvent {
            commit: Lsn::from_sequence(7),
            event_time: Timestamp::from_ms(offset).unwrap(),
            identity: Identity(offset.unsigned_abs().into()),
            origin,
            body: format!("{topic}/{partition}/{offset}"),
        };
        (origin, if offset % 3 == 0 { Entry::Ignored("third") } else { Entry::Change(change) })
    }

    fn spill(memory: usize, chunks: &[&[(i32, i64)]]) -> Spill {
        let topic = Topic::intern("spill.test");
        let labels = Arc::new(Labels::default());
        let mut spill = Spill::new(Arc::clone(&labels), memory, &std::env::temp_dir());
        for chunk in chunks {
            let mut blocks = Blocks::default();
            for &(partition, offset) in *chunk {
                let (origin, entry) = entry(topic, partition, offset);
                blocks.push(origin, &entry, &labels).unwrap();
            }
            spill.add(&mut blocks).unwrap();
        }
        spill
    }

    fn read(spill: Spill) -> Vec<(i32, Vec<i64>)> {
        let topic = Topic::intern("spill.test");
        let mut read = Vec::new();
        for mut reader in spill.into_readers() {
            let partition = reader.partition().partition;
            let mut offsets = Vec::new();
            while let Some((offset, got)) = reader.read::<String>().unwrap() {
                assert_eq!(got, entry(topic, partition, offset).1);
                offsets.push(offset);
            }
            read.push((partition, offsets));
        }
        read
    }

    #[test]
    fn what_is_spilled_comes_back_the_same_from_memory_and_from_disk() {
        for memory in [0, 40, 1 << 20] {
            let spill = spill(memory, &[&[(0, 1), (1, 5), (0, 2)], &[(1, 6), (0, 3), (1, 9)]]);
            assert_eq!(spill.entries(), 6);
            assert_eq!(read(spill), [(0, vec![1, 2, 3]), (1, vec![5, 6, 9])]);
        }
    }

    #[test]
    fn offsets_are_read_in_order_however_the_files_were_given() {
        let spill = spill(50, &[&[(0, 7), (0, 8), (0, 1)], &[(0, 2), (0, 8), (0, 9)], &[(0, 3), (0, 3), (0, 4)]]);
        assert_eq!(read(spill), [(0, vec![1, 2, 3, 3, 4, 7, 8, 8, 9])]);
    }

    #[test]
    fn records_of_one_offset_are_all_read_in_the_order_of_the_input() {
        let topic = Topic::intern("spill.same");
        let labels = Arc::new(Labels::default());
        let mut spill = Spill::new(Arc::clone(&labels), 0, &std::env::temp_dir());
        for chunk in [&[(5, "a"), (5, "b"), (4, "c")][..], &[(5, "d"), (4, "e")]] {
            let mut blocks = Blocks::default();
            for &(offset, label) in chunk {
                blocks.push(Origin { topic, partition: 0, offset }, &Entry::<()>::Ignored(label), &labels).unwrap();
            }
            spill.add(&mut blocks).unwrap();
        }
        let mut reader = spill.into_readers().pop().unwrap();
        let read: Vec<_> = std::iter::from_fn(|| reader.read::<()>().unwrap()).collect();
        let expected = [(4, "c"), (4, "e"), (5, "a"), (5, "b"), (5, "d")];
        assert_eq!(read, expected.map(|(offset, label)| (offset, Entry::Ignored(label))));
    }

    /// With a run a line, looking at every run for every line would take a hundred times as long as the other tests together.
    #[test]
    fn lines_in_falling_order_are_as_many_runs_and_are_read_in_no_quadratic_time() {
        let falling: Vec<(i32, i64)> = (0..100_000).rev().map(|offset| (0, offset)).collect();
        let [(0, read)] = &read(spill(1 << 30, &[&falling]))[..] else { panic!("one partition") };
        assert!(read.iter().copied().eq(0..100_000));
    }
}
