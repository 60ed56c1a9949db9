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
/// librdkafka's call does not keep to its time-out: where the coordinator that it knows goes away it waits for that broker to
/// come back, without looking for the next one (2.12, `rd_kafka_coord_req_fsm`), and in effect for ever. So it is waited for
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
    spawned.map_err(|_| KafkaError::Canceled)?;
    sent.recv_timeout(ATTEMPT + GRACE).unwrap_or(Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)))
}
