//! Looking at topics without being a member of the group: for checks, and to read dead letters.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::{self, Connection, Quiet};
use super::source::{failure, owned};
use crate::engine::Partition;
use crate::engine::ports::{OwnedRecord, SharedHeaders, SourceError};
use crate::event::Topic;

/// A person waits for the answer.
const OPERATION: Duration = Duration::from_secs(10);

/// A reader of its own, which commits nothing.
pub struct Probe {
    consumer: BaseConsumer<Quiet>,
}

impl Probe {
    /// Sees what is committed. Speaks to nobody yet; a property that librdkafka does not know is an error here.
    pub fn new(connection: &Connection) -> Result<Self, SourceError> {
        Self::with(connection, "read_committed")
    }

    /// Sees what is not committed, too.
    pub(super) fn of_everything(connection: &Connection) -> Result<Self, SourceError> {
        Self::with(connection, "read_uncommitted")
    }

    fn with(connection: &Connection, isolation: &str) -> Result<Self, SourceError> {
        let consumer = client::create(&connection.reader(isolation), Quiet);
        Ok(Self { consumer: consumer.map_err(|error| failure("cannot create the consumer", &error))? })
    }

    /// The first offset of a partition, and the one after its last.
    pub(super) fn ends(&self, partition: Partition) -> Result<(i64, i64), SourceError> {
        let watermarks = self.consumer.fetch_watermarks(partition.topic.name(), partition.partition, OPERATION);
        watermarks.map_err(|error| failure(&format!("cannot find the end of {partition}"), &error))
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

    /// Follows a topic from its end on, for [`Self::next`]; false if there is no such topic.
    pub fn follow(&self, topic: &str) -> Result<bool, SourceError> {
        let what = || format!("cannot follow {topic}");
        let Some(partitions) = self.partitions(topic)? else { return Ok(false) };
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let (_, high) = self.ends(Partition { topic: Topic::intern(topic), partition })?;
            let added = assignment.add_partition_offset(topic, partition, Offset::Offset(high));
            added.map_err(|error| failure(&what(), &error))?;
        }
        self.consumer.assign(&assignment).map_err(|error| failure(&what(), &error))?;
        Ok(true)
    }

    /// The next record of the topic that is followed, if one comes within this time. Brokers that are away are waited for.
    pub fn next(&self, patience: Duration) -> Result<Option<OwnedRecord>, SourceError> {
        use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
        match self.consumer.poll(patience) {
            Some(Ok(message)) => Ok(Some(owned(&message, &mut SharedHeaders::default()))),
            None
            | Some(Err(
                KafkaError::PartitionEOF(_)
                | KafkaError::MessageConsumption(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve),
            )) => Ok(None),
            Some(Err(error)) => Err(failure("cannot go on reading", &error)),
        }
    }

    /// Hands over what a topic holds now, or the last so many offsets of each partition, in the order of offsets within each
    /// partition.
    pub fn read(&self, topic: &str, last: Option<i64>, mut take: impl FnMut(OwnedRecord)) -> Result<(), SourceError> {
        let what = || format!("cannot read {topic}");
        let mut unread = BTreeSet::new();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions(topic)?.unwrap_or(0) {
            let (low, high) = self.ends(Partition { topic: Topic::intern(topic), partition })?;
            if low < high {
                let first = last.map_or(low, |last| low.max(high - last));
                let added = assignment.add_partition_offset(topic, partition, Offset::Offset(first));
                added.map_err(|error| failure(&what(), &error))?;
                unread.insert(partition);
            }
        }
        self.consumer.assign(&assignment).map_err(|error| failure(&what(), &error))?;
        let mut heard = Instant::now();
        while !unread.is_empty() {
            match self.consumer.poll(Duration::from_millis(100)) {
                // one that came to its end may go on and come to it again
                Some(Ok(message)) => {
                    if unread.contains(&message.partition()) {
                        take(owned(&message, &mut SharedHeaders::default()));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
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
        self.consumer.unassign().map_err(|error| failure(&what(), &error))
    }
}

/// Whether the group's offsets can be read; asks for those of one partition of a topic.
pub fn may_use_group(connection: &Connection, topic: &str) -> Result<(), SourceError> {
    let probe = Probe::new(connection)?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition(topic, 0);
    let committed = probe.consumer.committed_offsets(partitions, OPERATION);
    let committed = committed.and_then(|committed| committed.elements().iter().try_for_each(TopicPartitionListElem::error));
    committed.map_err(|error| failure("cannot read the group's committed offsets", &error))
}

/// Whether transactions can be had, under a transactional id of this process that no daemon has. `None` where the daemon's id
/// is a fixed one: to try it would be to take it away.
#[must_use]
pub fn may_use_transactions(connection: &Connection) -> Option<Result<(), SourceError>> {
    if connection.instance_id.is_some() {
        return None;
    }
    let failed = |error: KafkaError| failure("cannot use transactions", &error);
    let producer = connection.producer().create::<BaseProducer>().map_err(failed);
    Some(producer.and_then(|producer| producer.init_transactions(OPERATION).map_err(failed)))
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}
