//! The ports of the pipeline: where records come from, and where a batch goes.
//!
//! The pipeline knows neither Kafka nor files. Live, `replay` and the simulation differ in what stands behind these two
//! traits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::changelog::{ChangelogError, ChangelogRecord};
use super::{DeadLetter, Partition};
use crate::event::{Header, Origin, Record};

/// Where records come from, in the order of offsets within each partition.
pub trait Source: Send {
    /// Waits for what comes next, at most `limit` records; with 0, for anything but records. Dropping the future loses
    /// nothing.
    fn poll(&mut self, limit: usize) -> impl Future<Output = Result<Polled, SourceError>> + Send;

    /// Resolves when partitions are about to be taken away, or were: whatever is waited for, it is time to poll.
    fn revoking(&mut self) -> impl Future<Output = ()> + Send;

    /// Hands over again what was handed over and not committed, beginning with an assignment. What was polled before counts
    /// no more.
    fn rewind(&mut self);

    /// Of partitions just assigned, for which nothing is committed: reads from here on.
    fn resume_at(&mut self, positions: &BTreeMap<Partition, i64>);

    /// Where the source has begun with a partition for which nothing is committed, if not with all that it has. It is
    /// committed even if nothing comes: what comes while nobody reads must not lie before where the next begins.
    fn begins_at(&self, _partition: Partition) -> Option<i64> {
        None
    }

    /// While held, a partition's records stay with the source, which bounds what it reads ahead.
    fn hold(&mut self, partition: Partition, hold: bool);

    /// Whether everything that the partition had when it was last looked at was handed over, and it could be looked at.
    /// A partition that is out of reach is not at its end.
    fn at_end(&self, partition: Partition) -> bool;

    /// Partitions are at their end again only when that was found out after this call: what was appended before it counts.
    fn look_again(&mut self);

    /// Leaves, so that others can have the partitions at once.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a source has to say.
#[derive(Debug)]
pub enum Polled {
    Records(Vec<OwnedRecord>),
    /// The connector lives, whether or not the database is quiet.
    Heartbeat,
    /// A partition came to its end, or left it.
    Ends,
    /// Why it is not known yet what is to be read: it is tried again.
    Unavailable(String),
    /// Of the assignment that comes next: other members have other partitions of the same input.
    Shared(SharedInput),
    /// The partitions that are read from now on, each with the offset that the group has committed for it.
    Assigned(BTreeMap<Partition, Option<i64>>),
    Revoked(Revocation),
}

/// What is known of an input that several members share.
#[derive(Debug, Default)]
pub struct SharedInput {
    /// Why records of one key come to different members, where the partitions themselves say so.
    pub scattered: Option<String>,
    /// The latest records of every partition, whoever reads it.
    pub sample: Vec<OwnedRecord>,
}

/// Partitions that are taken away. They go when this is dropped: until then, what is in flight can be finished.
#[derive(Debug)]
pub struct Revocation {
    pub partitions: Vec<Partition>,
    /// They are gone already; nothing can be committed for them.
    pub lost: bool,
    /// Held for its drop.
    pub released: Option<oneshot::Sender<()>>,
}

/// How far a partition was read: what an onlooker compares with what is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub partition: Partition,
    /// The offset that was committed when the partition came.
    pub from: Option<i64>,
    /// The offset after the last record that was read.
    pub next: Option<i64>,
    /// Where readers of committed records end, as last heard.
    pub end: Option<i64>,
    /// Everything before the end was read, and its broker lives.
    pub all_read: bool,
}

/// A source that cannot go on. What it can wait for, it waits for by itself.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct SourceError {
    /// Names the broker, topic or property.
    pub detail: String,
    /// What an operator can do about it.
    pub hint: Option<String>,
}

/// Where a batch goes, and where state comes back from.
pub trait Sink: Send {
    /// Begins to make all of the batch durable, its offsets included, or none of it. One at a time: what became of an earlier
    /// one that was not waited for is not told any more.
    fn commit(&mut self, batch: &Arc<Batch>);

    /// Waits until that has ended. Dropping the future loses nothing.
    fn committed(&mut self) -> impl Future<Output = Attempt> + Send;

    /// Begins to read back what every committed batch wrote to the changelog partitions with the numbers of these. A
    /// transaction that is under way there is waited for, also one of this sink's own. An earlier restore that did not come
    /// to its end is forgotten.
    fn restore(&mut self, partitions: &BTreeSet<Partition>);

    /// What was read back since, in order within a partition; `None` at the end. Dropping the future loses nothing.
    fn restored(&mut self) -> impl Future<Output = Result<Option<RestorePage>, ChangelogError>> + Send;
}

/// A piece of the changelog.
#[derive(Debug, Default)]
pub struct RestorePage {
    pub records: Vec<ChangelogRecord>,
    /// How far reading has come, in offsets.
    pub read: u64,
    /// How far it will go.
    pub total: u64,
    /// Why nothing comes for now, where that is so: it goes on by itself.
    pub delayed: Option<String>,
}

/// What was done for a stretch of input: it happens as a whole, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub alerts: Vec<Alert>,
    pub dead_letters: Vec<DeadLetter>,
    /// What of the state changed, in the order of partitions and keys.
    pub changelog: Vec<StateChange>,
    /// The offset after the last record whose effect is in the batch or an earlier one. Never empty: it is by these that
    /// a sink in doubt finds out what happened.
    pub offsets: BTreeMap<Partition, i64>,
}

/// A record of the alerts topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub rule: &'static str,
    pub key: String,
    /// One JSON object.
    pub body: Vec<u8>,
}

/// A record of the changelog; `None` where nothing is open any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The partition of the changelog to which it belongs.
    pub partition: i32,
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// How it has ended to commit a batch, whenever that was asked for.
#[derive(Debug)]
pub struct Attempt {
    pub result: Result<(), CommitError>,
    pub ended: Instant,
}

impl From<Result<(), CommitError>> for Attempt {
    /// It has ended just now.
    fn from(result: Result<(), CommitError>) -> Self {
        Self { result, ended: Instant::now() }
    }
}

/// Why a batch was not committed. In every case none of it is durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// To be repeated as it is.
    #[error("batch not committed: {0}")]
    Repeat(String),
    /// The partitions belong to another member by now.
    #[error("partitions lost: {0}")]
    Lost(String),
    /// Repeating would not help.
    #[error("{detail}")]
    Stop { detail: String, hint: Option<String> },
}

/// A record's headers. Shared, since a connector gives nearly all of its records the same.
pub type SharedHeaders = Arc<[(String, Option<Vec<u8>>)]>;

/// A record that outlives the poll it came with.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    pub origin: Origin,
    /// `None` where the broker keeps no time.
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: SharedHeaders,
}

impl OwnedRecord {
    /// Lends the record to `read`.
    pub fn with<T>(&self, read: impl FnOnce(&Record<'_>) -> T) -> T {
        const NONE: Header<'_> = Header { name: "", value: None };
        let lent = self.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() });
        let mut few = [NONE; 8];
        let many: Vec<_>;
        let headers = if let Some(few) = few.get_mut(..self.headers.len()) {
            few.iter_mut().zip(lent).for_each(|(place, header)| *place = header);
            &*few
        } else {
            many = lent.collect();
            &many
        };
        read(&Record {
            origin: self.origin,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        })
    }

    /// Bytes it takes in a buffer, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
        size_of::<Self>() + self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + headers
    }
}

impl fmt::Debug for OwnedRecord {
    /// Where it came from and no more: rows hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedRecord({})", self.origin)
    }
}
