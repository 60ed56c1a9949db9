//! Topics that are there no more: which one was deleted, which position is none any more.
//!
//! librdkafka's errors tell neither, in this binding. So it is asked for when one of them comes.

use std::collections::BTreeSet;

use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::patience::ATTEMPT;
use super::shelf::Shelf;
use crate::engine::ports::SourceError;
use crate::event::Topic;

const DELETED: &str = "windows that are open wait for what is lost with it; to begin anew without them: stop every member, delete the \
     changelog topic, and delete the group's offsets (kafka-consumer-groups --delete)";

const OVERTAKEN: &str = "records were deleted before they were read: lengthen the retention of the input topics; \
     to go on without them, set the group's offsets with kafka-consumer-groups --reset-offsets";

/// Looks into an error that says that something is gone. A topic that was never there is waited for: the connector makes it.
pub(super) fn look<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    shelf: &Shelf,
    error: &KafkaError,
    known: &BTreeSet<Topic>,
) -> Result<(), SourceError> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            match known.iter().find(|topic| is_deleted(consumer, **topic)) {
                Some(topic) => {
                    let detail = format!("topic {topic} was deleted while it was read");
                    Err(SourceError { detail, hint: Some(DELETED.to_owned()) })
                }
                None => Ok(()),
            }
        }
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => match position(consumer, shelf) {
            Some(error) => Err(error),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Which of some topics is not there, if that is what an error says. All are asked for: naming one to a producer's connection
/// may have the broker create it.
pub(super) fn missing<C: ClientContext>(client: &Client<C>, error: &KafkaError, topics: [&str; 3]) -> Option<String> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code()? {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            // whoever does not answer says nothing about them
            let metadata = client.fetch_metadata(None, ATTEMPT).ok()?;
            let is_there = |name: &&str| metadata.topics().iter().any(|topic| topic.name() == *name);
            topics.into_iter().find(|topic| !is_there(topic)).map(str::to_owned)
        }
        _ => None,
    }
}

fn is_deleted<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: Topic) -> bool {
    // whoever does not answer says nothing about it
    consumer.fetch_metadata(Some(topic.name()), ATTEMPT).is_ok_and(|metadata| {
        metadata.topics().iter().any(|topic| topic.error() == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
    })
}

fn position<C: ConsumerContext>(consumer: &BaseConsumer<C>, shelf: &Shelf) -> Option<SourceError> {
    shelf.standings().into_iter().find_map(|standing| {
        let (partition, next) = (standing.partition, standing.next?);
        let (low, high) = consumer.fetch_watermarks(partition.topic.name(), partition.partition, ATTEMPT).ok()?;
        let hint = match next {
            _ if next < low => OVERTAKEN,
            _ if next > high => DELETED,
            _ => return None,
        };
        let why = if next < low { "" } else { ": the topic was created anew, or its records were cut off" };
        let detail = format!("{partition} is to be read from offset {next} on, but goes from {low} to {high}{why}");
        Some(SourceError { detail, hint: Some(hint.to_owned()) })
    })
}
