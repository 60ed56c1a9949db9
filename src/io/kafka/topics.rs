//! The output topics: what they must be like, and how they come to be.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client::{Connection, OPERATION};
use super::fate;
use super::sink::Outputs;
use crate::engine::Partition;
use crate::engine::changelog::ChangelogError;

/// A topic as it has to be.
struct Wanted<'a> {
    name: &'a str,
    partitions: i32,
    /// Whether fewer would not do.
    at_least: bool,
    settings: &'static [(&'static str, &'static str)],
}

/// Makes sure that the output topics are there, and that the changelog has a partition for every number of the input's.
pub(super) fn ensure(
    consumer: &BaseConsumer,
    connection: &Connection,
    outputs: &Outputs,
    inputs: &BTreeSet<Partition>,
) -> Result<(), ChangelogError> {
    let mut partitions = 1;
    for topic in inputs.iter().map(|partition| partition.topic).collect::<BTreeSet<_>>() {
        partitions = count(consumer, topic.name())?.unwrap_or(0).max(partitions);
    }
    let wanted = [
        Wanted { name: &outputs.changelog, partitions, at_least: true, settings: &[("cleanup.policy", "compact")] },
        Wanted { name: &outputs.alerts, partitions, at_least: false, settings: &[] },
        Wanted { name: &outputs.dead_letters, partitions: 1, at_least: false, settings: &[] },
    ];
    for wanted in wanted {
        let start = Instant::now();
        loop {
            let found = count(consumer, wanted.name)?;
            if found.is_some_and(|found| found >= partitions || !wanted.at_least) {
                break;
            }
            if !outputs.create {
                return Err(wanted.missing(found));
            }
            if start.elapsed() > OPERATION {
                let detail = format!("topic {} was created, but the brokers do not show it", wanted.name);
                return Err(ChangelogError::new(detail, Some("check the brokers' logs")));
            }
            wanted.create(connection, found)?;
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// Partitions of a topic; `None` if there is no such topic.
fn count(consumer: &BaseConsumer, topic: &str) -> Result<Option<i32>, ChangelogError> {
    let start = Instant::now();
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), OPERATION).map_err(|error| failed(topic, &error))?;
        let Some(found) = metadata.topics().first() else { return Ok(None) };
        match found.error() {
            None => return Ok(Some(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => return Ok(None),
            // it was created a moment ago
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) if start.elapsed() < OPERATION => {
                thread::sleep(Duration::from_millis(100));
            }
            Some(error) => {
                return Err(failed(topic, &KafkaError::MetadataFetch(RDKafkaErrorCode::from(error))));
            }
        }
    }
}

fn failed(topic: &str, error: &KafkaError) -> ChangelogError {
    ChangelogError { detail: format!("cannot look at topic {topic}: {error}"), hint: fate::hint(error) }
}

impl Wanted<'_> {
    fn create(&self, connection: &Connection, found: Option<i32>) -> Result<(), ChangelogError> {
        let Self { name, partitions, .. } = *self;
        let refused = |error: &KafkaError| {
            let detail = format!("cannot create topic {name} with {partitions} partitions: {error}");
            ChangelogError::new(detail, Some(&self.command(found)))
        };
        let admin: AdminClient<DefaultClientContext> = connection.admin().create().map_err(|error| refused(&error))?;
        let options = AdminOptions::new().operation_timeout(Some(OPERATION));
        let results = if found.is_some() {
            let more = NewPartitions::new(name, usize::try_from(partitions).unwrap_or_default());
            block_on(admin.create_partitions([&more], &options))
        } else {
            let new = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
            let new = self.settings.iter().fold(new, |new, (key, value)| new.set(key, value));
            block_on(admin.create_topics([&new], &options))
        };
        for result in results.map_err(|error| refused(&error))? {
            match result {
                Ok(_) => tracing::info!(topic = name, partitions, "topic created"),
                // another member was faster
                Err((_, RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::InvalidPartitions)) => {}
                Err((_, code)) => return Err(refused(&KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    fn missing(&self, found: Option<i32>) -> ChangelogError {
        let Self { name, partitions, .. } = *self;
        let detail = match found {
            None => format!("topic {name} does not exist"),
            Some(found) => format!("topic {name} has {found} partitions, the input topics have {partitions}"),
        };
        ChangelogError::new(detail, Some(&self.command(found)))
    }

    /// What a person has to do.
    fn command(&self, found: Option<i32>) -> String {
        let Self { name, partitions, settings, .. } = self;
        if found.is_some() {
            return format!("kafka-topics --alter --topic {name} --partitions {partitions}");
        }
        let create = format!("kafka-topics --create --topic {name} --partitions {partitions}");
        settings.iter().fold(create, |command, (key, value)| command + " --config " + key + "=" + value)
    }
}
