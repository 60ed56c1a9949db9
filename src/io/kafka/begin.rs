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
use super::{fate, offsets, sharing};
use crate::engine::Partition;
use crate::engine::ports::SourceError;
use crate::event::Topic;
use crate::time::{Clock as _, SystemClock};

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
    let Context { shelf, subscription, since } = consumer.context().as_ref();
    let stop = |what: &'static str| move |error: KafkaError| NotBegun::Stop(failure(what, &error));
    let assigned = list(partitions);
    let committed = match assigned.count() {
        0 => assigned,
        _ => committed_offsets(consumer, assigned, ATTEMPT)
            .map_err(|error| NotBegun::of("cannot read the group's committed offsets", &error))?,
    };
    let known = match subscription.start {
        Start::Earliest => None,
        Start::Latest => {
            let known = began(consumer, &committed)?;
            // before the ends are asked for: what comes between is not lost to another member
            since.get_or_init(|| known.unwrap_or_else(|| SystemClock.now().as_ms()));
            known
        }
    };
    let (mut lanes, mut begun) = (BTreeMap::new(), BTreeMap::new());
    let mut positions = TopicPartitionList::new();
    for element in committed.elements() {
        let is_data = subscription.topics.iter().any(|topic| topic == element.topic());
        let key = Partition { topic: Topic::intern(element.topic()), partition: element.partition() };
        let committed = Some(element.offset()).filter(|offset| is_data && matches!(offset, Offset::Offset(_)));
        let position = match (committed, subscription.start) {
            (Some(position), _) => position,
            // as a number: see `take_over`; and librdkafka's own look-up ends at the first error that it does not know
            (None, start) if is_data => {
                let ends = consumer.fetch_watermarks(element.topic(), element.partition(), ATTEMPT);
                let (low, high) = ends.map_err(|error| NotBegun::of("cannot find the ends of a partition", &error))?;
                match start {
                    Start::Earliest => Offset::Offset(low),
                    Start::Latest => {
                        let first = known.map_or(Ok(high), |since| first_since(consumer, key, since, high))?;
                        begun.insert(key, first);
                        Offset::Offset(first)
                    }
                }
            }
            (None, _) => Offset::End,
        };
        positions.add_partition_offset(element.topic(), element.partition(), position).map_err(stop("cannot name a position"))?;
        if is_data {
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

/// When the group began, in milliseconds since 1970, if it did before: this process knows, or what was committed tells.
fn began(consumer: &BaseConsumer<Context>, committed: &TopicPartitionList) -> Result<Option<i64>, NotBegun> {
    let Context { since, subscription, .. } = consumer.context().as_ref();
    if let Some(since) = since.get().copied().or_else(|| offsets::since(committed)) {
        return Ok(Some(since));
    }
    // it may be with partitions that are another member's
    let mut all = TopicPartitionList::new();
    for topic in &subscription.topics {
        let metadata = consumer.fetch_metadata(Some(topic), ATTEMPT);
        let metadata = metadata.map_err(|error| NotBegun::of("cannot read the partitions of a topic", &error))?;
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            all.add_partition(topic, partition.id());
        }
    }
    let committed = committed_offsets(consumer, all, ATTEMPT);
    committed
        .map(|committed| offsets::since(&committed))
        .map_err(|error| NotBegun::of("cannot read the group's committed offsets", &error))
}

/// The first record of a partition that is not older than this, or its end.
fn first_since(consumer: &BaseConsumer<Context>, partition: Partition, since: i64, end: i64) -> Result<i64, NotBegun> {
    let cannot = |error| NotBegun::of("cannot find where the group began in a partition", &error);
    let mut asked = TopicPartitionList::new();
    let asked_for = asked.add_partition_offset(partition.topic.name(), partition.partition, Offset::Offset(since));
    asked_for.map_err(cannot)?;
    let found = consumer.offsets_for_times(asked, ATTEMPT).map_err(cannot)?;
    let element = found.elements_for_topic(partition.topic.name()).into_iter().next();
    Ok(match element {
        Some(element) => {
            element.error().map_err(cannot)?;
            element.offset().to_raw().filter(|offset| *offset >= 0).unwrap_or(end)
        }
        None => end,
    })
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
