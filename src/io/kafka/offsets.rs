//! The input's offsets, as a part of a transaction.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::deliveries::Deliveries;
use super::member::Member;
use crate::engine::ports::Batch;

/// What librdkafka is given for one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How much longer than that the call may last.
const GRACE: Duration = Duration::from_secs(2);

/// Between a tag and when the group began.
const SINCE: &str = " since ";

/// What marks a batch's offsets: unique, and with when the group began if it left out what was there before.
pub(super) fn tag(count: u64, since: Option<i64>) -> String {
    let since = since.map(|since| format!("{SINCE}{since}")).unwrap_or_default();
    format!("{}-{count}{since}", std::process::id())
}

/// When the group began, by the tags of what it has committed.
pub(super) fn since(committed: &TopicPartitionList) -> Option<i64> {
    let since = |metadata: &str| metadata.split_once(SINCE).and_then(|(_, since)| since.parse().ok());
    committed.elements().iter().filter_map(|element| since(element.metadata())).min()
}

/// Every offset carries the batch's tag, by which it is found again.
pub(super) fn of(batch: &Batch, tag: &str) -> KafkaResult<TopicPartitionList> {
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in &batch.offsets {
        let mut element = offsets.add_partition(partition.topic.name(), partition.partition);
        element.set_offset(Offset::Offset(*offset))?;
        element.set_metadata(tag);
    }
    Ok(offsets)
}

pub(super) fn were_committed(member: &Member, batch: &Batch, tag: &str) -> KafkaResult<bool> {
    let committed = member.committed(of(batch, tag)?)?;
    Ok(committed.elements().iter().any(|element| element.metadata() == tag))
}

/// Adds offsets to the producer's transaction.
///
/// librdkafka's call does not keep to its time-out: where the coordinator that it knows goes away it waits until a
/// broker's state changes before it looks for the next one (2.12, `rd_kafka_coord_req_fsm`), which may be never. So it is waited for
/// from here. A call that does not come back stays behind on its thread, with its producer: that one has not been told to
/// commit, and the next of its transactional id ends its transaction.
pub(super) fn send(
    producer: &Arc<BaseProducer<Deliveries>>,
    offsets: &TopicPartitionList,
    membership: &Arc<ConsumerGroupMetadata>,
) -> KafkaResult<()> {
    let (done, sent) = mpsc::channel();
    let (producer, offsets, membership) = (Arc::clone(producer), offsets.clone(), Arc::clone(membership));
    let call = move || {
        // nobody waits any more if it took too long
        done.send(producer.send_offsets_to_transaction(&offsets, &membership, ATTEMPT)).ok();
    };
    let spawned = thread::Builder::new().name("kafka-offsets".to_owned()).spawn(call);
    // a machine without room for a thread is as good as a broker that does not answer
    spawned.map_err(|_| KafkaError::Global(RDKafkaErrorCode::OperationTimedOut))?;
    sent.recv_timeout(ATTEMPT + GRACE).unwrap_or(Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_when_the_group_began_and_the_earliest_of_several_counts() {
        let mut committed = TopicPartitionList::new();
        assert_eq!(since(&committed), None);
        for (partition, tag) in
            [tag(1, None), tag(2, Some(1_768_208_400_500)), tag(3, Some(1_768_208_400_000))].iter().enumerate()
        {
            let mut element = committed.add_partition("offsets.t", i32::try_from(partition).unwrap());
            element.set_metadata(tag);
            if partition == 0 {
                assert_eq!(since(&committed), None);
            }
        }
        assert_eq!(since(&committed), Some(1_768_208_400_000));
        assert_ne!(tag(1, Some(1)), tag(2, Some(1)));
    }
}
