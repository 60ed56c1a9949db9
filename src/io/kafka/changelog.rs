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
    let ends = Ends { topic, everything, committed, patience };
    let mut unread = BTreeMap::new();
    for &number in &numbers {
        let (low, end) = ends.ask(&ends.everything, number)?;
        ends.wait_until_stable(number, end)?;
        unread.insert(number, Unread { low, next: low, end, doubted_at: None });
    }
    let total = unread.values().map(|unread| length(unread.low, unread.end)).sum();
    let mut done = 0;
    let committed = &ends.committed;
    committed.assign(&list).map_err(|error| failed("no assignment", &error))?;

    let mut page = RestorePage { total, ..RestorePage::default() };
    while !unread.is_empty() && !pages.is_closed() {
        match committed.poll(POLL) {
            Some(Ok(message)) => {
                let origin = Origin { topic: Topic::intern(topic), partition: message.partition(), offset: message.offset() };
                if let Some(unread) = unread.get_mut(&origin.partition) {
                    unread.next = origin.offset + 1;
                }
                let (key, value) = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
                page.records.push(ChangelogRecord { origin, key, value });
                failpoint!("restore.amid");
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                let Some(reading) = unread.get_mut(&number) else { continue };
                let position = committed.position().map_err(|error| failed("no position", &error))?;
                reading.read_to(position.find_partition(topic, number).map(|element| element.offset()));
                if reading.believes_end() {
                    done += length(reading.low, reading.next);
                    unread.remove(&number);
                } else {
                    ends.wait_until_stable(number, reading.end)?;
                    let what = format!("cannot restore from {topic}: partition {number} is not read again");
                    let next = Offset::Offset(reading.next);
                    patience.until_answered(&what, || committed.seek(topic, number, next, ATTEMPT))?;
                }
            }
            Some(Err(error)) if is_final(&error) => return Err(failed("not read", &error)),
            // librdkafka goes on by itself
            Some(Err(error)) => (patience.tell)(format!("cannot restore from {topic}: {error}")),
            None => {}
        }
        if page.records.len() >= PAGE {
            page.read = done + read_so_far(&unread);
            let next = RestorePage { total, ..RestorePage::default() };
            if pages.blocking_send(Ok(Some(std::mem::replace(&mut page, next)))).is_err() {
                return Err(Ended::Unwanted);
            }
        }
    }
    if !page.records.is_empty() {
        page.read = done + read_so_far(&unread);
        // whoever is gone does not miss it
        pages.blocking_send(Ok(Some(page))).ok();
    }
    failpoint!("restore.after");
    Ok(())
}

/// How far partitions of the changelog go.
struct Ends<'a> {
    topic: &'a str,
    everything: BaseConsumer<Quiet>,
    committed: BaseConsumer<Quiet>,
    patience: &'a Patience<'a>,
}

impl Ends<'_> {
    /// Beginning and end, as this client may see it.
    fn ask(&self, client: &BaseConsumer<Quiet>, number: i32) -> Result<(i64, i64), Ended> {
        let what = format!("cannot restore from {}: no end of partition {number}", self.topic);
        self.patience.until_answered(&what, || client.fetch_watermarks(self.topic, number, ATTEMPT))
    }

    /// Waits until all transactions before `end` have ended.
    fn wait_until_stable(&self, number: i32, end: i64) -> Result<(), Ended> {
        loop {
            let (_, stable) = self.ask(&self.committed, number)?;
            if stable >= end {
                return Ok(());
            }
            let topic = self.topic;
            let (_, high) = self.ask(&self.everything, number)?;
            if high < end {
                let detail = format!("cannot restore from {topic}: {topic}/{number} went to {end}, and now goes to {high}");
                let hint = "a broker that did not have all records was made leader (unclean.leader.election.enable), or the topic was made anew";
                return Err(ChangelogError::new(detail, Some(hint)).into());
            }
            // the producer that began it may be away as well, until the broker ends its transaction
            self.patience.pause(format!(
                "cannot restore from {topic} yet: a transaction at {topic}/{number}/{stable} has not ended; where it does not \
                 within transaction.timeout.ms, find it with kafka-transactions find-hanging and end it with kafka-transactions abort"
            ))?;
        }
    }
}

/// A position that is gone is one of them: what was read before does not tell what became of it.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let position_gone = |code| matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange);
    error.rdkafka_error_code().is_some_and(|code| position_gone(code) || fate::needs_a_person(code))
}

/// A partition of the changelog that is not read to its end.
struct Unread {
    low: i64,
    /// The offset after what was read.
    next: i64,
    end: i64,
    /// Where an end was not believed.
    doubted_at: Option<i64>,
}

impl Unread {
    /// A consumer's position is behind markers, too.
    fn read_to(&mut self, position: Option<Offset>) {
        if let Some(Offset::Offset(position)) = position {
            self.next = self.next.max(position);
        }
    }

    /// Believes a broker that says that there is no more, or doubts it. One that only just leads the partition may not know yet how
    /// much of what it has is committed, and says so too early: it is asked once more when it knows. Compaction may have removed
    /// what was last, so that the end is never read: what is said twice of one place is believed.
    fn believes_end(&mut self) -> bool {
        self.next >= self.end || self.doubted_at.replace(self.next) == Some(self.next)
    }
}

fn read_so_far(unread: &BTreeMap<i32, Unread>) -> u64 {
    unread.values().map(|unread| length(unread.low, unread.next)).sum()
}

/// Offsets between, to tell how far a restore has come; a topic that is cut off meanwhile has none.
fn length(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unread() -> Unread {
        Unread { low: 3, next: 3, end: 18, doubted_at: None }
    }

    #[test]
    fn an_end_is_believed_where_it_is_that_of_the_committed_records() {
        let mut reading = unread();
        reading.next = 17;
        reading.read_to(Some(Offset::Offset(18)));
        assert!(reading.believes_end(), "the last was a marker");
        let mut empty = Unread { end: 3, ..unread() };
        empty.read_to(Some(Offset::Invalid));
        assert!(empty.believes_end());
    }

    #[test]
    fn an_end_that_comes_too_early_is_doubted_once_at_each_place() {
        let mut reading = unread();
        reading.read_to(Some(Offset::Offset(11)));
        assert!(!reading.believes_end(), "a new leader does not know all that is committed");
        reading.next = 15;
        assert!(!reading.believes_end(), "nor does the next one");
        assert!(reading.believes_end(), "what was last was compacted away");
    }
}
