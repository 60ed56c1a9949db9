//! Looking at topics without being a member of the group: for checks, and to read dead letters.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Connection, Quiet};
use super::source::{failure, owned};
use crate::engine::ports::{OwnedRecord, SourceError};

/// A person waits for the answer.
const OPERATION: Duration = Duration::from_secs(10);

/// A reader of its own, which commits nothing.
pub struct Probe {
    consumer: BaseConsumer<Quiet>,
}

impl Probe {
    /// Speaks to nobody yet; a property that librdkafka does not know is an error here.
    pub fn new(connection: &Connection) -> Result<Self, SourceError> {
        let mut config = connection.consumer();
        config.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        let consumer = config.create_with_context(Quiet).map_err(|error| failure("cannot create the consumer", &error))?;
        Ok(Self { consumer })
    }

    /// How many partitions a topic has; `None` if there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>, SourceError> {
        let what = || format!("cannot look at {topic}");
        let metadata = self.consumer.fetch_metadata(Some(topic), OPERATION).map_err(|error| failure(&what(), &error))?;
        let Some(found) = metadata.topics().first() else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(code) => Err(failure(&what(), &KafkaError::MetadataFetch(code))),
            None => Ok(Some(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)).filter(|partitions| *partitions > 0)),
        }
    }

    /// Hands over what a topic holds now, or the last so many offsets of each partition, in the order of offsets within each
    /// partition.
    pub fn read(&self, topic: &str, last: Option<i64>, mut take: impl FnMut(OwnedRecord)) -> Result<(), SourceError> {
        let what = || format!("cannot read {topic}");
        let partitions = self.partitions(topic)?.unwrap_or(0);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let watermarks = self.consumer.fetch_watermarks(topic, partition, OPERATION);
            let (low, high) = watermarks.map_err(|error| failure(&what(), &error))?;
            if low < high {
                let first = last.map_or(low, |last| low.max(high - last));
                let added = assignment.add_partition_offset(topic, partition, Offset::Offset(first));
                added.map_err(|error| failure(&what(), &error))?;
            }
        }
        let mut open = assignment.count();
        self.consumer.assign(&assignment).map_err(|error| failure(&what(), &error))?;
        let mut heard = Instant::now();
        while open > 0 {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => take(owned(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown))) => {}
                Some(Err(error)) => return Err(failure(&what(), &error)),
                None if heard.elapsed() > OPERATION => {
                    let detail = format!("{}: nothing came for {} s", what(), OPERATION.as_secs());
                    return Err(SourceError { detail, hint: None });
                }
                None => continue,
            }
            heard = Instant::now();
        }
        Ok(())
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}
