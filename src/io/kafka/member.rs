//! Who this is in the consumer group.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult};

use super::begin::committed_offsets;
use super::client::{self, Connection, OPERATION};
use super::source::{Context, failure};
use crate::engine::ports::SourceError;

/// The consumer as the sink needs it: who it is in the group, and what the group has committed. Another consumer takes its
/// place when it was fenced.
#[derive(Clone, Default)]
pub(super) struct Member(Arc<Mutex<Weak<BaseConsumer<Context>>>>);

impl Member {
    /// Makes the consumer that this is from now on.
    pub(super) fn join(&self, connection: &Connection, context: Context) -> Result<Arc<BaseConsumer<Context>>, SourceError> {
        let consumer = client::create(&connection.consumer(), context);
        let consumer = Arc::new(consumer.map_err(|error| failure("cannot create the consumer", &error))?);
        *self.0.lock().expect("no thread panics while it holds this lock") = Arc::downgrade(&consumer);
        Ok(consumer)
    }

    fn consumer(&self) -> Option<Arc<BaseConsumer<Context>>> {
        self.0.lock().expect("no thread panics while it holds this lock").upgrade()
    }

    /// As of now: the generation that the batch in flight was consumed in, since a rebalance waits for it.
    pub(super) fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer().and_then(|consumer| consumer.group_metadata())
    }

    /// When the group began, if it left out what was there before.
    pub(super) fn since(&self) -> Option<i64> {
        self.consumer().and_then(|consumer| consumer.context().since.get().copied())
    }

    /// What the group has committed for these, with the metadata that was written along.
    pub(super) fn committed(&self, partitions: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let consumer = self.consumer().ok_or(KafkaError::Canceled)?;
        committed_offsets(&consumer, partitions, OPERATION)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Member")
    }
}

/// Why a consumer consumes no longer.
pub(super) enum Ended {
    Failed(SourceError),
    /// The group knows another member of this instance's name.
    Fenced(SourceError),
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self::Failed(error)
    }
}

/// How often a member was fenced while it was in the group.
///
/// One that was out of it already, since its session had timed out, fences itself when it comes back: librdkafka repeats
/// requests under a member id that it has given up meanwhile (confluent-kafka-go #494), and that ends its consumer for good.
/// Joining anew helps then. But where another process has the same `group.instance.id` the two would throw each other out for
/// ever: so who is thrown out of the group joins anew a few times, and the rival that it happens to more often ends.
#[derive(Default)]
pub(super) struct Fencings(VecDeque<Instant>);

impl Fencings {
    const FEW: usize = 2;
    const WITHIN: Duration = Duration::from_mins(2);

    /// Counts one more.
    pub(super) fn are_few(&mut self, now: Instant) -> bool {
        self.0.push_back(now);
        while self.0.front().is_some_and(|first| now.saturating_duration_since(*first) > Self::WITHIN) {
            self.0.pop_front();
        }
        self.0.len() <= Self::FEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_fenced_now_and_then_joins_anew_and_who_has_a_rival_does_not() {
        let (mut fencings, start) = (Fencings::default(), Instant::now());
        let mut at = |seconds| fencings.are_few(start + Duration::from_secs(seconds));
        assert!(at(0) && at(60), "twice");
        assert!(at(121), "the first is forgotten");
        assert!(!at(122), "three within two minutes");
    }
}
