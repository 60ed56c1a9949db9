//! Dead letters read back, and what puts them back: alerts that were missed, with a mark for each letter, in one transaction.
//!
//! The marks lie on the dead-letter topic itself, in the letter's own partition and behind it, so they live at least as long
//! as it does.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::client::{self, Connection, OPERATION};
use super::deliveries::{Deliveries, flush, send};
use super::probe::Probe;
use super::source::failure;
use crate::engine::Partition;
use crate::engine::ports::{OwnedRecord, SourceError};
use crate::event::{Origin, Topic};

/// Kafka Connect's, and so the sink's.
const ERRORS: &str = "__connect.errors.";
const REPLAYED: &str = "tidewaiter.replayed.";

/// Longer than a transaction of the daemon stays open.
const SETTLES: Duration = Duration::from_mins(3);

/// A dead letter as it lies on its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The record that could not be used, as it was: where it came from, and its own headers only.
    pub record: OwnedRecord,
    /// Where it lies now.
    pub place: Origin,
    pub reason: String,
    pub detail: String,
    pub hint: Option<String>,
}

/// What a dead-letter topic holds.
#[derive(Debug, Default)]
pub struct Letters {
    /// By where they came from.
    pub letters: BTreeMap<(Partition, i64), Letter>,
    /// Those that were put back, likewise.
    pub replayed: BTreeSet<(Partition, i64)>,
    /// Records that are neither letters nor marks.
    pub foreign: u64,
}

impl Letters {
    pub fn take(&mut self, record: OwnedRecord) {
        if let Some(origin) = origin(&record, REPLAYED) {
            self.replayed.insert(place_of(origin));
        } else if let Some(letter) = Letter::of(record) {
            self.letters.insert(place_of(letter.record.origin), letter);
        } else {
            self.foreign += 1;
        }
    }
}

fn place_of(origin: Origin) -> (Partition, i64) {
    (Partition::from(origin), origin.offset)
}

impl Letter {
    fn of(record: OwnedRecord) -> Option<Self> {
        let (place, origin) = (record.origin, origin(&record, ERRORS)?);
        let class = text(&record, ERRORS, "exception.class.name").unwrap_or_default();
        let reason = class.rsplit('.').next().unwrap_or_default().to_owned();
        let message = text(&record, ERRORS, "exception.message").unwrap_or_default();
        let (detail, hint) = match message.strip_suffix(')').and_then(|message| message.rsplit_once(" (hint: ")) {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (message.to_owned(), None),
        };
        let headers = record.headers.iter().filter(|(name, _)| !name.starts_with(ERRORS)).cloned().collect();
        Some(Self { record: OwnedRecord { origin, headers, ..record }, place, reason, detail, hint })
    }
}

/// The last header of a name: where a letter was one before, its newest errors come last.
fn text<'a>(record: &'a OwnedRecord, prefix: &str, name: &str) -> Option<&'a str> {
    let mut headers = record.headers.iter().rev();
    let (_, value) = headers.find(|(key, _)| key.strip_prefix(prefix) == Some(name))?;
    std::str::from_utf8(value.as_ref()?).ok()
}

fn origin(record: &OwnedRecord, prefix: &str) -> Option<Origin> {
    Some(Origin {
        topic: Topic::intern(text(record, prefix, "topic")?),
        partition: text(record, prefix, "partition")?.parse().ok()?,
        offset: text(record, prefix, "offset")?.parse().ok()?,
    })
}

/// Waits until all that lies on a topic now is decided for readers of committed records.
pub fn settle(connection: &Connection, topic: &str) -> Result<(), SourceError> {
    let (everything, committed) = (Probe::of_everything(connection)?, Probe::new(connection)?);
    let start = Instant::now();
    for partition in 0..everything.partitions(topic)?.unwrap_or(0) {
        let partition = Partition { topic: Topic::intern(topic), partition };
        let (_, high) = everything.ends(partition)?;
        while committed.ends(partition)?.1 < high {
            if start.elapsed() > SETTLES {
                let detail = format!("a transaction on {partition} does not end");
                let hint = "find it with kafka-transactions find-hanging, and end it with kafka-transactions abort";
                return Err(SourceError { detail, hint: Some(hint.to_owned()) });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// The right to put letters of a group back, which one process at a time has: whoever takes it takes it from the others, and
/// what they have not committed by then they never will.
pub struct Claim {
    producer: BaseProducer<Deliveries>,
}

/// An alert that was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedAlert {
    pub key: String,
    /// One JSON object.
    pub body: String,
}

impl Claim {
    /// To be taken before anything is read, so that what was read holds until the commit.
    pub fn take(connection: &Connection) -> Result<Self, SourceError> {
        let config = connection.producer_named("dead-letters");
        let producer: BaseProducer<Deliveries> =
            client::create(&config, Deliveries::default()).map_err(|error| failure("cannot create the producer", &error))?;
        producer.init_transactions(OPERATION).map_err(|error| failure("cannot take over the transactional id", &error))?;
        Ok(Self { producer })
    }

    /// Writes the alerts, and for each letter that it was put back; all of it, or nothing.
    pub fn commit(self, alerts_topic: &str, alerts: &[MissedAlert], letters: &[&Letter]) -> Result<(), SourceError> {
        let producer = &self.producer;
        producer.begin_transaction().map_err(|error| failure("cannot begin a transaction", &error))?;
        for MissedAlert { key, body } in alerts {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "content-type", value: Some("application/json") })
                .insert(Header { key: "tidewaiter.replayed", value: Some("dead-letters") });
            let record = BaseRecord::to(alerts_topic).key(key.as_bytes()).payload(body.as_bytes()).headers(headers);
            send(producer, record).map_err(|refused| refused.failure())?;
        }
        for Letter { place, record: OwnedRecord { origin, .. }, .. } in letters {
            let mut headers = OwnedHeaders::new();
            for (name, value) in [
                ("topic", origin.topic.name().to_owned()),
                ("partition", origin.partition.to_string()),
                ("offset", origin.offset.to_string()),
            ] {
                headers = headers.insert(Header { key: &format!("{REPLAYED}{name}"), value: Some(&value) });
            }
            let record: BaseRecord<'_, [u8], [u8]> =
                BaseRecord::to(place.topic.name()).partition(place.partition).headers(headers);
            send(producer, record).map_err(|refused| refused.failure())?;
        }
        flush(producer, OPERATION).map_err(|error| failure("not acknowledged", &error))?;
        if let Some(refused) = producer.context().take_failure() {
            return Err(refused.failure());
        }
        // one that is not committed is aborted by the next claim, or by its time-out
        producer.commit_transaction(OPERATION).map_err(|error| {
            let SourceError { detail, hint } = failure("it is not known whether the transaction was committed", &error);
            let again = "run it again: what was committed is not put back twice".to_owned();
            SourceError { detail, hint: hint.or(Some(again)) }
        })
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claim")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: &[(&str, &str)]) -> OwnedRecord {
        OwnedRecord {
            origin: Origin { topic: Topic::intern("letters.dead"), partition: 0, offset: 3 },
            timestamp_ms: Some(7),
            key: Some(b"k".to_vec()),
            value: Some(b"v".to_vec()),
            headers: headers.iter().map(|(key, value)| ((*key).to_owned(), Some(value.as_bytes().to_vec()))).collect(),
        }
    }

    #[test]
    fn a_letter_is_the_record_as_it_was_with_its_reason_beside_it() {
        let mut letters = Letters::default();
        letters.take(record(&[
            ("trace", "1"),
            ("__connect.errors.topic", "letters.t"),
            ("__connect.errors.partition", "2"),
            ("__connect.errors.offset", "15"),
            ("__connect.errors.exception.class.name", "tidewaiter.bad_message.money_form"),
            ("__connect.errors.exception.message", "not an amount (at 3) (hint: set decimals)"),
        ]));
        let letter = letters.letters.into_values().next().unwrap();
        assert_eq!(letter.record.origin.to_string(), "letters.t/2/15");
        assert_eq!(letter.place.to_string(), "letters.dead/0/3");
        assert_eq!(*letter.record.headers, [("trace".to_owned(), Some(b"1".to_vec()))]);
        assert_eq!((letter.reason.as_str(), letter.detail.as_str()), ("money_form", "not an amount (at 3)"));
        assert_eq!(letter.hint.as_deref(), Some("set decimals"));
    }

    #[test]
    fn a_mark_is_no_letter_and_what_is_neither_is_counted() {
        let mut letters = Letters::default();
        letters.take(record(&[
            ("tidewaiter.replayed.topic", "letters.t"),
            ("tidewaiter.replayed.partition", "2"),
            ("tidewaiter.replayed.offset", "15"),
        ]));
        letters.take(record(&[("__connect.errors.topic", "letters.t"), ("__connect.errors.partition", "no number")]));
        assert!(letters.letters.is_empty());
        assert_eq!(letters.replayed.iter().map(|(at, offset)| format!("{at}/{offset}")).collect::<Vec<_>>(), ["letters.t/2/15"]);
        assert_eq!(letters.foreign, 1);
    }
}
