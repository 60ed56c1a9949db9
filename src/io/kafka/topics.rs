//! The output topics: what they must be like, and how they come to be.

use std::collections::BTreeSet;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::client::{self, Connection, Quiet};
use super::fate;
use super::patience::{ATTEMPT, Ended, Patience};
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
    consumer: &BaseConsumer<Quiet>,
    connection: &Connection,
    outputs: &Outputs,
    inputs: &BTreeSet<Partition>,
    patience: &Patience<'_>,
) -> Result<(), Ended> {
    let count = |topic: &str| patience.until_answered(&format!("cannot look at topic {topic}"), || count(consumer, topic));
    let mut partitions = 1;
    for topic in inputs.iter().map(|partition| partition.topic).collect::<BTreeSet<_>>() {
        partitions = count(topic.name())?.unwrap_or(0).max(partitions);
    }
    let wanted = [
        Wanted { name: &outputs.changelog, partitions, at_least: true, settings: &[("cleanup.policy", "compact")] },
        Wanted { name: &outputs.alerts, partitions, at_least: false, settings: &[] },
        Wanted { name: &outputs.dead_letters, partitions: 1, at_least: false, settings: &[] },
    ];
    for wanted in wanted {
        loop {
            let found = count(wanted.name)?;
            if found.is_some_and(|found| found >= partitions || !wanted.at_least) {
                break;
            }
            if !outputs.create {
                return Err(wanted.missing(found).into());
            }
            let why = match wanted.create(connection, found)? {
                None => format!("topic {} was created, but the brokers do not show it yet", wanted.name),
                Some(error) => format!("{}: {error}", wanted.not_created()),
            };
            patience.pause(why)?;
        }
    }
    Ok(())
}

/// Partitions of a topic; `None` if there is no such topic.
pub(super) fn count<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> KafkaResult<Option<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), ATTEMPT)?;
    let Some(found) = metadata.topics().first() else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(Some(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)).filter(|partitions| *partitions > 0)),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        // no leader, where it was created a moment ago: to be asked again
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

/// Whether no later attempt would create the topic. Too few brokers for its replicas is not among them: they may be starting.
fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    fate::needs_a_person(code) || matches!(code, Code::InvalidConfig | Code::InvalidTopic | Code::InvalidRequest)
}

impl Wanted<'_> {
    /// Creates it, or adds partitions; gives why it is to be tried again.
    fn create(&self, connection: &Connection, found: Option<i32>) -> Result<Option<KafkaError>, Ended> {
        let Self { name, partitions, .. } = *self;
        let refused =
            |error: &KafkaError| ChangelogError::new(format!("{}: {error}", self.not_created()), Some(&self.command(found)));
        let admin: AdminClient<Quiet> = client::create(&connection.admin(), Quiet).map_err(|error| refused(&error))?;
        let options = AdminOptions::new().operation_timeout(Some(ATTEMPT)).request_timeout(Some(ATTEMPT * 2));
        let results = if found.is_some() {
            let more = NewPartitions::new(name, usize::try_from(partitions).unwrap_or_default());
            block_on(admin.create_partitions([&more], &options))
        } else {
            let new = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
            let new = self.settings.iter().fold(new, |new, (key, value)| new.set(key, value));
            block_on(admin.create_topics([&new], &options))
        };
        let results = match results {
            Ok(results) => results,
            Err(error) if error.rdkafka_error_code().is_none_or(is_final) => return Err(refused(&error).into()),
            Err(error) => return Ok(Some(error)),
        };
        for result in results {
            match result {
                Ok(_) => tracing::info!(topic = name, partitions, "topic created"),
                // another member was faster
                Err((_, RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::InvalidPartitions)) => {}
                Err((_, code)) if is_final(code) => return Err(refused(&KafkaError::AdminOp(code)).into()),
                Err((_, code)) => return Ok(Some(KafkaError::AdminOp(code))),
            }
        }
        Ok(None)
    }

    fn not_created(&self) -> String {
        format!("cannot create topic {} with {} partitions", self.name, self.partitions)
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
