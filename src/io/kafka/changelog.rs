//! The changelog topic, read back to its end.
//!
//! A transaction's markers reach the partitions one after the other: the input's offsets may be committed while the end of
//! the same transaction is still on its way here. So the end is what readers of everything see, and it is waited for until
//! it is decided for readers of committed records, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::client::{self, Connection, Quiet};
use super::failpoint::failpoint;
use super::patience::{ATTEMPT, Ended, Patience};
use super::sink::Outputs;
use super::{fate, topics};
use crate::engine::Partition;
use crate::engine::changelog::{ChangelogError, ChangelogRecord};
use crate::engine::ports::RestorePage;
use crate::event::{Origin, Topic};

const POLL: Duration = Duration::from_millis(100);

/// Records handed over at a time.
const PAGE: usize = 1000;

pub(super) type Pages = mpsc::Sender<Result<Option<RestorePage>, ChangelogError>>;

/// Reads the changelog partitions with the numbers of these; topics that are missing are created first. Brokers that are
/// away are waited for. Ends early when nobody listens any more.
pub(super) fn read(
    connection: &Connection,
    outputs: &Outputs,
    partitions: &BTreeSet<Partition>,
    pages: &Pages,
) -> Result<(), ChangelogError> {
    // a page that finds no room is one that nobody waits for
    let tell = |why: String| drop(pages.try_send(Ok(Some(RestorePage { delayed: Some(why), ..RestorePage::default() }))));
    let patience = Patience { is_wanted: &|| !pages.is_closed(), tell: &tell };
    match read_patiently(connection, outputs, partitions, pages, &patience) {
        Ok(()) | Err(Ended::Unwanted) => Ok(()),
        Err(Ended::Failed(error)) => Err(error),
    }
}

fn read_patiently(
    connection: &Connection,
    outputs: &Outputs,
    partitions: &BTreeSet<Partition>,
    pages: &Pages,
    patience: &Patience<'_>,
) -> Result<(), Ended> {
    let topic = outputs.changelog.as_str();
    let failed = |what: &str, error: &KafkaError| Ended::failed(&format!("cannot restore from {topic}: {what}"), error);
    let client = |isolation| -> Result<BaseConsumer<Quiet>, Ended> {
        client::create(&connection.reader(isolation), Quiet).map_err(|error| failed("no consumer", &error))
    };
    let (everything, committed) = (client("read_uncommitted")?, client("read_committed")?);
    topics::ensure(&everything, connection, outputs, partitions, patience)?;
    let numbers: BTreeSet<i32> = partitions.iter().map(|partition| partition.partition).collect();
    let mut list = TopicPartitionList::new();
    for &number in &numbers {
        list.add_partition_offset(topic, number, Offset::Beginning).map_err(|error| failed("no position", &error))?;
    }
    let mut lows = BTreeMap::new();
    let mut total = 0;
    for &number in &numbers {
        let ends = |client: &BaseConsumer<Quiet>| {
            let what = format!("cannot restore from {topic}: no end of partition {number}");
            patience.until_answered(&what, || client.fetch_watermarks(topic, number, ATTEMPT))
        };
        let (low, high) = ends(&everything)?;
        loop {
            let (_, stable) = ends(&committed)?;
            if stable >= high {
                break;
            }
            // the producer that began it may be away as well, until the broker ends its transaction
            patience.pause(format!(
                "cannot restore from {topic} yet: a transaction at {topic}/{number}/{stable} has not ended; where it does not \
                 within transaction.timeout.ms, find it with kafka-transactions find-hanging and end it with kafka-transactions abort"
            ))?;
        }
        total += u64::try_from(high - low).unwrap_or_default();
        lows.insert(number, (low, low));
    }
    committed.assign(&list).map_err(|error| failed("no assignment", &error))?;

    let mut unfinished = numbers;
    let mut page = RestorePage { total, ..RestorePage::default() };
    while !unfinished.is_empty() && !pages.is_closed() {
        match committed.poll(POLL) {
            Some(Ok(message)) => {
                let origin = Origin { topic: Topic::intern(topic), partition: message.partition(), offset: message.offset() };
                if let Some((_, next)) = lows.get_mut(&origin.partition) {
                    *next = origin.offset + 1;
                }
                let (key, value) = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
                page.records.push(ChangelogRecord { origin, key, value });
                failpoint!("restore.amid");
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                unfinished.remove(&number);
            }
            Some(Err(error)) if is_final(&error) => return Err(failed("not read", &error)),
            // librdkafka goes on by itself
            Some(Err(error)) => (patience.tell)(format!("cannot restore from {topic}: {error}")),
            None => {}
        }
        if page.records.len() >= PAGE {
            page.read = read_so_far(&lows);
            let next = RestorePage { total, ..RestorePage::default() };
            if pages.blocking_send(Ok(Some(std::mem::replace(&mut page, next)))).is_err() {
                return Err(Ended::Unwanted);
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

/// A position that is gone is one of them: what was read before does not tell what became of it.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let position_gone = |code| matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange);
    error.rdkafka_error_code().is_some_and(|code| position_gone(code) || fate::needs_a_person(code))
}

fn read_so_far(lows: &BTreeMap<i32, (i64, i64)>) -> u64 {
    lows.values().map(|(low, next)| u64::try_from(next - low).unwrap_or_default()).sum()
}
