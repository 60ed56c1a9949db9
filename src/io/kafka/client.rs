//! What both clients share: how brokers are reached, and librdkafka's log.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};

/// How long one call to the brokers may take before it counts as failed.
pub(super) const OPERATION: Duration = Duration::from_secs(30);

/// How brokers are reached, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    pub bootstrap_servers: String,
    pub group_id: String,
    /// Names this member of the group, so that it is known again after a restart: static membership, and a transactional id
    /// by which an unfinished transaction is ended at once. Two that run at the same time must not share it.
    pub instance_id: Option<String>,
    /// librdkafka's properties, passed through.
    pub properties: BTreeMap<String, String>,
}

/// Properties that decide whether alerts are lost or doubled, and why each is not for the configuration to set.
pub const RESERVED: [(&str, &str); 15] = [
    ("acks", "transactions need all"),
    ("auto.offset.reset", "set source.start; a position that is gone later is an error, never skipped"),
    ("bootstrap.servers", "set kafka.bootstrap_servers"),
    ("enable.auto.commit", "offsets are committed with the alerts, in one transaction"),
    ("enable.auto.offset.store", "offsets are committed with the alerts, in one transaction"),
    ("enable.idempotence", "transactions need it"),
    ("enable.partition.eof", "ends of partitions are told by statistics"),
    ("group.id", "set kafka.group_id"),
    ("group.instance.id", "set kafka.instance_id"),
    ("group.protocol", "the newer protocol does not promise that both topics are assigned alike"),
    ("isolation.level", "records of aborted transactions must not be read"),
    ("partition.assignment.strategy", "equal partition numbers of both topics must go to one member"),
    ("partitioner", "alerts are partitioned as Java's producers do"),
    ("statistics.interval.ms", "ends of partitions are told by statistics"),
    ("transactional.id", "it follows from kafka.group_id and kafka.instance_id"),
];

impl Connection {
    #[must_use]
    pub fn new(bootstrap_servers: &str, group_id: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            group_id: group_id.to_owned(),
            instance_id: None,
            properties: BTreeMap::new(),
        }
    }

    /// Our defaults, then the configuration's properties, then what must hold.
    fn client(&self, defaults: &[(&str, &str)], laws: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", "tidewaiter");
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers);
        for (key, value) in laws {
            config.set(*key, *value);
        }
        config
    }

    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.client(
            &[
                // beyond this librdkafka stops fetching; what it holds comes on top of the buffers of the shelf
                ("queued.max.messages.kbytes", "16384"),
                // it looks again after this long; its default of 1 s would starve a fast pipeline
                ("fetch.queue.backoff.ms", "10"),
                // a partition that is resumed is fetched when the brokers have answered for the others, which may have nothing
                ("fetch.wait.max.ms", "100"),
            ],
            &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("isolation.level", "read_committed"),
                ("partition.assignment.strategy", "range"),
                ("statistics.interval.ms", "100"),
            ],
        );
        config.set("group.id", &self.group_id);
        if let Some(instance) = &self.instance_id {
            config.set("group.instance.id", instance);
        }
        config
    }

    /// A reader of its own partitions, outside the group; brokers know it by the group's name.
    pub(super) fn reader(&self, isolation: &str) -> ClientConfig {
        self.client(
            &[
                ("queued.max.messages.kbytes", "16384"),
                // as the consumer's: a large changelog would be read with pauses of 1 s
                ("fetch.queue.backoff.ms", "10"),
                // its end is asked for, not waited for
                ("fetch.wait.max.ms", "20"),
            ],
            &[
                ("group.id", &self.group_id),
                ("enable.auto.commit", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
                ("isolation.level", isolation),
            ],
        )
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[], &[])
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client(
            &[
                ("compression.type", "lz4"),
                ("linger.ms", "1"),
                // what a transaction's calls are refused for is mostly that the broker is not done with the call before
                ("retry.backoff.ms", "20"),
                // a topic that is gone shows as such, before the transaction's time-out shows as another error
                ("topic.metadata.propagation.max.ms", "3000"),
            ],
            &[("enable.idempotence", "true"), ("acks", "all"), ("partitioner", "murmur2_random")],
        );
        config.set("transactional.id", self.transactional_id());
        config
    }

    /// For work beside the daemon's: no member of the group has such a transactional id.
    pub(super) fn producer_named(&self, purpose: &str) -> ClientConfig {
        let mut config = self.producer();
        config.set("transactional.id", format!("{}.{purpose}", self.group_id));
        config
    }

    fn transactional_id(&self) -> String {
        match &self.instance_id {
            Some(instance) => format!("{}-{instance}", self.group_id),
            // unique among the members that run; what a dead one left open ends by its time-out
            None => format!("{}-{}-{}", self.group_id, host(), std::process::id()),
        }
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "host".to_owned(), |name| name.trim().to_owned())
}

impl fmt::Debug for Connection {
    /// Without the values of properties: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("group_id", &self.group_id)
            .field("instance_id", &self.instance_id)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// What librdkafka calls back where nothing is read for the group: an error comes back from the calls as well, and the end of
/// a partition, which librdkafka counts among them, is none.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "client error");
    }
}

impl ConsumerContext for Quiet {}

/// Makes a client. Its error names the property that librdkafka does not take, and not the value: it may be a secret.
pub(super) fn create<C: ClientContext, T: FromClientConfigAndContext<C>>(config: &ClientConfig, context: C) -> KafkaResult<T> {
    config.create_with_context(context).map_err(|error| match error {
        KafkaError::ClientConfig(result, description, key, _) => {
            KafkaError::ClientConfig(result, description, key, "(its value is not shown)".to_owned())
        }
        error => error,
    })
}

/// librdkafka's own log lines.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        _ if is_for_the_other(facility, message) => tracing::debug!(target: "librdkafka", facility, "{message}"),
        // it retries by itself what it calls an error; what it cannot retry comes as an error of the call
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// The configuration's properties go to every client, and each warns of those that only the other one knows.
fn is_for_the_other(facility: &str, message: &str) -> bool {
    facility == "CONFWARN" && (message.contains("is a producer property") || message.contains("is a consumer property"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> Connection {
        let mut connection = Connection::new("localhost:9092", "tidewaiter");
        connection.properties.insert(key.to_owned(), value.to_owned());
        connection
    }

    #[test]
    fn properties_override_defaults_but_not_what_exactly_once_needs() {
        assert_eq!(with("linger.ms", "50").producer().get("linger.ms"), Some("50"));
        assert_eq!(with("acks", "1").producer().get("acks"), Some("all"));
        assert_eq!(with("isolation.level", "read_uncommitted").consumer().get("isolation.level"), Some("read_committed"));
        assert_eq!(with("bootstrap.servers", "elsewhere:1").consumer().get("bootstrap.servers"), Some("localhost:9092"));
    }

    #[test]
    fn no_property_value_is_printed() {
        let printed = format!("{:?}", with("sasl.password", "hunter2"));
        assert!(printed.contains("sasl.password") && !printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn a_warning_is_told_unless_it_is_of_a_property_for_the_other_client() {
        let other =
            "Configuration property session.timeout.ms is a consumer property and will be ignored by this producer instance";
        assert!(is_for_the_other("CONFWARN", other));
        assert!(!is_for_the_other("CONFWARN", "Configuration property acks is deprecated"));
        assert!(!is_for_the_other("FAIL", other));
    }

    #[test]
    fn a_property_that_is_refused_is_named_without_its_value() {
        let created = create::<_, rdkafka::consumer::BaseConsumer<Quiet>>(&with("sasl.pasword", "hunter2").consumer(), Quiet);
        let error = created.err().unwrap();
        assert!(error.to_string().contains("sasl.pasword") && !format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn a_named_instance_keeps_its_transactional_id_over_restarts() {
        let named = Connection { instance_id: Some("a".to_owned()), ..with("linger.ms", "1") };
        assert_eq!(named.producer().get("transactional.id"), Some("tidewaiter-a"));
        assert_eq!(named.consumer().get("group.instance.id"), Some("a"));
    }
}
