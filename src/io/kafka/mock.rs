//! A broker in this process: librdkafka's mock cluster, for `replay` and for tests.
//!
//! It speaks Kafka's protocol over a local socket, so that everything above it is the daemon's own code. What it is not
//! (librdkafka 2.12, `rdkafka_mock*.c`):
//!
//! - It knows no isolation: records of an aborted transaction stay visible to readers of committed records.
//! - Offsets sent in a transaction are acknowledged, and forgotten: a group that comes back begins where it began before.
//! - A first member waits 3 s for others to join, and nothing can shorten that: hence [`Membership::Alone`].
//! - A partition keeps its last 5 MB (compressed) or 100,000 produce requests, and drops what is older, read or not. Reading
//!   from a position that is gone is an error here, so nothing is skipped without a word; [`EmbeddedBroker::produce`]
//!   compresses.
//! - A fetch that finds nothing waits its whole `fetch.wait.max.ms`, whatever is produced meanwhile:
//!   [`EmbeddedBroker::connection`] shortens it.
//!
//! [`Membership::Alone`]: super::Membership::Alone

use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::client::{self, Connection, OPERATION};
use crate::event::Record;

/// The broker, and a producer that fills it.
pub struct EmbeddedBroker {
    producer: BaseProducer<Failures>,
    bootstrap_servers: String,
}

/// The embedded broker failed.
#[derive(Debug, thiserror::Error)]
#[error("embedded broker: {what}")]
pub struct EmbeddedBrokerError {
    what: String,
    source: KafkaError,
}

fn failed(what: impl Into<String>) -> impl FnOnce(KafkaError) -> EmbeddedBrokerError {
    let what = what.into();
    move |source| EmbeddedBrokerError { what, source }
}

impl EmbeddedBroker {
    /// Starts a broker with these topics and partition counts.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, EmbeddedBrokerError> {
        let producer: BaseProducer<Failures> = ClientConfig::new()
            .set("client.id", "embedded-broker")
            .set("test.mock.num.brokers", "1")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            .set("linger.ms", "5")
            .set_log_level(RDKafkaLogLevel::Error)
            .create_with_context(Failures::default())
            .map_err(failed("cannot start"))?;
        let bootstrap_servers = {
            let none = || KafkaError::ClientCreation("no mock cluster".to_owned());
            let cluster = producer.client().mock_cluster().ok_or_else(none).map_err(failed("cannot start"))?;
            for (topic, partitions) in topics {
                cluster.create_topic(topic, *partitions, 1).map_err(failed(format!("cannot create topic {topic}")))?;
            }
            cluster.bootstrap_servers()
        };
        Ok(Self { producer, bootstrap_servers })
    }

    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// How the pipeline's clients reach this broker, with waits that suit one in the same process.
    #[must_use]
    pub fn connection(&self, group_id: &str) -> Connection {
        let mut connection = Connection::new(&self.bootstrap_servers, group_id);
        connection.properties.insert("fetch.wait.max.ms".to_owned(), "20".to_owned());
        connection
    }

    /// Appends a record to the partition that its origin names, or, where that is negative, to the one that its key asks for
    /// as Java's producers partition. The offset is the broker's to give.
    pub fn produce(&self, record: &Record<'_>) -> Result<(), EmbeddedBrokerError> {
        let topic = record.origin.topic.name();
        let mut headers = OwnedHeaders::new();
        for header in record.headers {
            headers = headers.insert(Header { key: header.name, value: header.value });
        }
        let mut out: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).headers(headers);
        out.partition = (record.origin.partition >= 0).then_some(record.origin.partition);
        out.key = record.key;
        out.payload = record.value;
        out.timestamp = record.timestamp_ms;
        loop {
            match self.producer.send(out) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    self.producer.poll(Duration::from_millis(10));
                    out = refused;
                }
                Err((error, _)) => return Err(failed(format!("cannot produce to {topic}"))(error)),
            }
        }
    }

    /// Has the broker answer the next requests of a kind with these errors, one each: for tests of what becomes of them.
    pub fn refuse_next(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        if let Some(cluster) = self.producer.client().mock_cluster() {
            cluster.request_errors(request, errors);
        }
    }

    /// Waits until everything that was produced is there.
    pub fn flush(&self) -> Result<(), EmbeddedBrokerError> {
        self.producer.flush(OPERATION).map_err(failed("cannot produce"))?;
        let failure = self.producer.context().0.lock().expect("no thread panics while it holds this lock").take();
        failure.map_or(Ok(()), |error| Err(failed("cannot produce")(error)))
    }
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBroker").field("bootstrap_servers", &self.bootstrap_servers).finish_non_exhaustive()
    }
}

/// Remembers the first record that did not arrive.
#[derive(Default)]
struct Failures(Mutex<Option<KafkaError>>);

impl ClientContext for Failures {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "embedded broker");
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("no thread panics while it holds this lock").get_or_insert_with(|| error.clone());
        }
    }
}
