//! The changelog topic, read back to its end.
//!
//! A transaction's markers reach the partitions one after the other: the input's offsets may be committed while the end of
//! the same transaction is still on its way here. So the end is what readers of everything see, and it is waited for until
//! it is decided for readers of committed records, too.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::client::{Connection, OPERATION};
use super::failpoint::failpoint;
use super::sink::Outputs;
use super::{fate, topics};
use crate::engine::Partition;
use crate::engine::changelog::{ChangelogError, ChangelogRecord};
use crate::engine::ports::RestorePage;
use crate::event::{Origin, Topic};

/// Without any progress for so long a restore has failed. Longer than a transaction may stay open.
const STUCK: Duration = Duration::from_mins(3);

const POLL: Duration = Duration::from_millis(100);

/// Records handed over at a time.
const PAGE: usize = 1000;

pub(super) type Pages = mpsc::Sender<Result<Option<RestorePage>, ChangelogError>>;

/// Reads the changelog partitions with the numbers of these; topics that are missing are created first. Ends early when
/// nobody listens any more.
pub(super) fn read(
    connection: &Connection,
    outputs: &Outputs,
    partitions: &BTreeSet<Partition>,
    pages: &Pages,
) -> Result<(), ChangelogError> {
    let topic = outputs.changelog.as_str();
    let failed = |what: &str, error: &KafkaError| ChangelogError {
        detail: format!("cannot restore from {topic}: {what}: {error}"),
        hint: fate::hint(error),
    };
    let client = |isolation| -> Result<BaseConsumer, ChangelogError> {
        connection.reader(isolation).create().map_err(|error| failed("no consumer", &error))
    };
    let (everything, committed) = (client("read_uncommitted")?, client("read_committed")?);
    topics::ensure(&everything, connection, outputs, partitions)?;
    let numbers: BTreeSet<i32> = partitions.iter().map(|partition| partition.partition).collect();
    let mut lows = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    let mut total = 0;
    let start = Instant::now();
    for &number in &numbers {
        let (low, high) =
            everything.fetch_watermarks(topic, number, OPERATION).map_err(|error| failed("no end of a partition", &error))?;
        loop {
            let ends = committed.fetch_watermarks(topic, number, OPERATION);
            let (_, stable) = ends.map_err(|error| failed("no end of a partition", &error))?;
            if stable >= high {
                break;
            }
            if pages.is_closed() {
                return Ok(());
            }
            if start.elapsed() > STUCK {
                let detail = format!("cannot restore from {topic}/{number}/{stable}: a transaction there does not end");
                let hint = "find it with kafka-transactions find-hanging, and end it with kafka-transactions abort";
                return Err(ChangelogError::new(detail, Some(hint)));
            }
            thread::sleep(POLL);
        }
        total += u64::try_from(high - low).unwrap_or_default();
        lows.insert(number, (low, low));
        list.add_partition_offset(topic, number, Offset::Beginning).map_err(|error| failed("no position", &error))?;
    }
    committed.assign(&list).map_err(|error| failed("no assignment", &error))?;

    let mut unfinished = numbers;
    let mut page = RestorePage { total, ..RestorePage::default() };
    let mut progress = Instant::now();
    while !unfinished.is_empty() && !pages.is_closed() {
        match committed.poll(POLL) {
            Some(Ok(message)) => {
                progress = Instant::now();
                let origin = Origin { topic: Topic::intern(topic), partition: message.partition(), offset: message.offset() };
                if let Some((_, next)) = lows.get_mut(&origin.partition) {
                    *next = origin.offset + 1;
                }
                let (key, value) = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
                page.records.push(ChangelogRecord { origin, key, value });
                failpoint!("restore.amid");
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                progress = Instant::now();
                unfinished.remove(&number);
            }
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(fate::needs_a_person) => {
                return Err(failed("not read", &error));
            }
            Some(Err(error)) => tracing::warn!(%error, topic, "restoring goes on when this is over"),
            None => {}
        }
        if progress.elapsed() > STUCK {
            let detail = format!("cannot restore from {topic}: no end of partitions {unfinished:?} within {} s", STUCK.as_secs());
            return Err(ChangelogError::new(detail, Some("check the brokers that lead these partitions")));
        }
        if page.records.len() >= PAGE {
            page.read = read_so_far(&lows);
            let next = RestorePage { total, ..RestorePage::default() };
            if pages.blocking_send(Ok(Some(std::mem::replace(&mut page, next)))).is_err() {
                return Ok(());
            }
        }
    }
    if !page.records.is_empty() {
        page.read = read_so_far(&lows);
        // whoever is gone does not miss it
        pages.blocking_send(Ok(Some(page))).ok();
    }
    failpoint!("restore.after");
    Ok(())
}

fn read_so_far(lows: &BTreeMap<i32, (i64, i64)>) -> u64 {
    lows.values().map(|(low, next)| u64::try_from(next - low).unwrap_or_default()).sum()
}
