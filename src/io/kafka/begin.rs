//! Where reading begins after an assignment.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::client::Connection;
use super::failpoint::failpoint;
use super::patience::ATTEMPT;
use super::source::{Context, Membership, Start, failure, list};
use super::{fate, sharing};
use crate::engine::Partition;
use crate::engine::ports::SourceError;
use crate::event::Topic;

/// Why reading does not begin.
pub(super) enum NotBegun {
    Stop(SourceError),
    Later(String),
}

impl NotBegun {
    pub(super) fn of(what: &str, error: &KafkaError) -> Self {
        let SourceError { detail, hint } = failure(what, error);
        if error.rdkafka_error_code().is_some_and(fate::needs_a_person) {
            Self::Stop(SourceError { detail, hint })
        } else {
            Self::Later(detail)
        }
    }
}

/// Begins where the group has committed, or where the configuration says.
///
/// The position is always named: were it left to `auto.offset.reset`, a position that retention has overtaken would be
/// skipped without a word.
pub(super) fn begin(consumer: &BaseConsumer<Context>, connection: &Connection, partitions: &[Partition]) -> Result<(), NotBegun> {
    let Context { shelf, subscription } = consumer.context().as_ref();
    let stop = |what: &'static str| move |error: KafkaError| NotBegun::Stop(failure(what, &error));
    let assigned = list(partitions);
    let committed = match assigned.count() {
        0 => assigned,
        _ => committed_offsets(consumer, assigned, ATTEMPT)
            .map_err(|error| NotBegun::of("cannot read the group's committed offsets", &error))?,
    };
    let (mut lanes, mut begun) = (BTreeMap::new(), BTreeMap::new());
    let mut positions = TopicPartitionList::new();
    for element in committed.elements() {
        let is_data = subscription.topics.iter().any(|topic| topic == element.topic());
        let committed = Some(element.offset()).filter(|offset| is_data && matches!(offset, Offset::Offset(_)));
        let position = match (committed, subscription.start) {
            (Some(position), _) => position,
            // as a number: see `take_over`; and librdkafka's own look-up ends at the first error that it does not know
            (None, start) if is_data => {
                let ends = consumer.fetch_watermarks(element.topic(), element.partition(), ATTEMPT);
                let (low, high) = ends.map_err(|error| NotBegun::of("cannot find the ends of a partition", &error))?;
                if start == Start::Latest && !is_known(consumer, element.topic())? {
                    let key = Partition { topic: Topic::intern(element.topic()), partition: element.partition() };
                    begun.insert(key, high);
                    Offset::Offset(high)
                } else {
                    Offset::Offset(low)
                }
            }
            (None, _) => Offset::End,
        };
        positions.add_partition_offset(element.topic(), element.partition(), position).map_err(stop("cannot name a position"))?;
        if is_data {
            let key = Partition { topic: Topic::intern(element.topic()), partition: element.partition() };
            lanes.insert(key, committed.and_then(Offset::to_raw));
        }
    }
    let shared = match subscription.membership {
        Membership::Group if !lanes.is_empty() => sharing::look(consumer, connection, &subscription.topics, &lanes)?,
        Membership::Group | Membership::Alone => None,
    };
    // known before the first record can come
    shelf.assigned(&lanes, &begun, shared);
    // one that was paused stays so over its next assignment, of which the shelf knows nothing
    consumer.resume(&positions).map_err(stop("cannot resume partitions"))?;
    consumer.assign(&positions).map_err(stop("cannot take the assignment"))?;
    failpoint!("assign.after");
    Ok(())
}

/// Whether the group has read this topic before: then a partition for which it has committed nothing is a new one, of which
/// nothing was to be left out.
fn is_known(consumer: &BaseConsumer<Context>, topic: &str) -> Result<bool, NotBegun> {
    let metadata = consumer.fetch_metadata(Some(topic), ATTEMPT);
    let metadata = metadata.map_err(|error| NotBegun::of("cannot read the partitions of a topic", &error))?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        partitions.add_partition(topic, partition.id());
    }
    let committed = committed_offsets(consumer, partitions, ATTEMPT)
        .map_err(|error| NotBegun::of("cannot read the group's committed offsets", &error))?;
    Ok(committed.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))))
}

/// An answer that does not hold for every partition is none: a position that could not be told is not one that there is not.
pub(super) fn committed_offsets(
    consumer: &BaseConsumer<Context>,
    partitions: TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<TopicPartitionList> {
    let committed = consumer.committed_offsets(partitions, timeout)?;
    committed.elements().iter().try_for_each(TopicPartitionListElem::error)?;
    Ok(committed)
}
