//! A cluster that the tests share, and topics of their own on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tidewaiter::engine::ports::{OwnedRecord, SharedHeaders};
use tidewaiter::event::{Origin, Topic};
use tidewaiter::io::kafka::Connection;
use xtask::kafka::Cluster;

use crate::proxy::Proxy;

/// So long may take what a real broker does, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// On every broker, as the clusters are set up.
const REPLICATION: TopicReplication<'_> = TopicReplication::Fixed(-1);

/// One test's place.
pub(crate) struct Stage {
    cluster: Arc<Cluster>,
    name: &'static str,
}

/// Whether a reader sees what was not committed.
#[derive(Clone, Copy)]
pub(crate) enum Isolation {
    Committed,
    Uncommitted,
}

/// Runs as long as a test has it: nothing else would end it.
fn cluster() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start(1, "tests").unwrap());
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

impl Stage {
    /// The name is what topics and groups of the test begin with.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { cluster: cluster(), name }
    }

    /// On a cluster that the test may hurt.
    pub(crate) fn on(cluster: Arc<Cluster>, name: &'static str) -> Self {
        Self { cluster, name }
    }

    pub(crate) fn bootstrap(&self) -> &str {
        self.cluster.bootstrap()
    }

    /// For clients that say who they are.
    pub(crate) fn guarded_bootstrap(&self) -> String {
        self.cluster.guarded_bootstrap()
    }

    /// Starts a proxy before the broker. The cluster has room for one.
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy::start(self.cluster.gateways()[0])
    }

    /// A name that is this test's.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    pub(crate) fn connection(&self, group: &str) -> Connection {
        let mut connection = Connection::new(self.bootstrap(), &self.name(group));
        // a member that is gone without a word is missed soon
        connection.properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
        connection
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config
    }

    /// Creates a topic and gives its name.
    pub(crate) fn topic(&self, name: &str, partitions: i32) -> String {
        self.topic_with(name, partitions, &[])
    }

    pub(crate) fn topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.name(name);
        let admin: AdminClient<_> = self.config().create().unwrap();
        let mut topic = NewTopic::new(&name, partitions, REPLICATION);
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let created = block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        assert_eq!(created, [Ok(name.clone())]);
        name
    }

    /// Adds partitions to a topic, up to so many.
    pub(crate) fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<_> = self.config().create().unwrap();
        let more = NewPartitions::new(topic, partitions);
        assert_eq!(block_on(admin.create_partitions([&more], &AdminOptions::new())).unwrap(), [Ok(topic.to_owned())]);
        let start = Instant::now();
        let client: BaseConsumer = self.config().create().unwrap();
        while client.fetch_metadata(Some(topic), PATIENCE).unwrap().topics()[0].partitions().len() < partitions {
            assert!(start.elapsed() < PATIENCE, "{topic} does not grow");
        }
    }

    /// Appends records to the partitions that their origins name, in order, and waits until they are there.
    pub(crate) fn produce(&self, records: &[OwnedRecord]) {
        let producer: BaseProducer = self.config().set("enable.idempotence", "true").create().unwrap();
        send(&producer, records);
    }

    /// A producer in a transaction.
    pub(crate) fn transaction(&self, id: &str) -> BaseProducer {
        let producer: BaseProducer = self.config().set("transactional.id", self.name(id)).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer
    }

    /// Everything on a topic by now, partition by partition.
    pub(crate) fn read(&self, topic: &str, isolation: Isolation) -> Vec<OwnedRecord> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", self.name("reader"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .set(
                "isolation.level",
                match isolation {
                    Isolation::Committed => "read_committed",
                    Isolation::Uncommitted => "read_uncommitted",
                },
            )
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut unread: BTreeSet<i32> = metadata.topics()[0].partitions().iter().map(MetadataPartition::id).collect();
        let mut assignment = TopicPartitionList::new();
        for partition in &unread {
            assignment.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut records: BTreeMap<i32, Vec<OwnedRecord>> = BTreeMap::new();
        let start = Instant::now();
        while !unread.is_empty() {
            assert!(start.elapsed() < PATIENCE, "partitions {unread:?} of {topic} are not at their end");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
                // a broker that is away for a moment comes back
                None
                | Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::OperationTimedOut,
                ))) => {}
                Some(message) => {
                    let record = owned(&message.unwrap());
                    records.entry(record.origin.partition).or_default().push(record);
                }
            }
        }
        records.into_values().flatten().collect()
    }

    /// Everything committed on a topic, once there is so much.
    pub(crate) fn read_at_least(&self, topic: &str, count: usize) -> Vec<OwnedRecord> {
        let start = Instant::now();
        loop {
            let records = self.read(topic, Isolation::Committed);
            if records.len() >= count {
                return records;
            }
            assert!(start.elapsed() < PATIENCE, "{topic} has {} records, not {count}", records.len());
        }
    }

    /// What a group has committed for a topic, by partition, with the metadata along.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, (i64, String)> {
        let consumer: BaseConsumer = self.config().set("group.id", self.name(group)).create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut partitions = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            partitions.add_partition(topic, partition.id());
        }
        let start = Instant::now();
        let committed = loop {
            match consumer.committed_offsets(partitions.clone(), PATIENCE) {
                Ok(committed) => break committed,
                // a group that is new has its coordinator only after a moment
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
        };
        let entry = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((element.partition(), (offset, element.metadata().to_owned())))
        };
        committed.elements().into_iter().filter_map(entry).collect()
    }
}

/// Sends records by a producer and waits until they are there, in a transaction or not.
pub(crate) fn send(producer: &BaseProducer, records: &[OwnedRecord]) {
    for record in records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &*record.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
        let mut out: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(record.origin.topic.name()).headers(headers).partition(record.origin.partition);
        out.key = record.key.as_deref();
        out.payload = record.value.as_deref();
        out.timestamp = record.timestamp_ms;
        producer.send(out).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn owned(message: &impl Message) -> OwnedRecord {
    let headers = message.headers().map_or_else(SharedHeaders::default, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    OwnedRecord {
        origin: Origin { topic: Topic::intern(message.topic()), partition: message.partition(), offset: message.offset() },
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

/// A record's value as text.
pub(crate) fn text(record: &OwnedRecord) -> String {
    String::from_utf8(record.value.clone().unwrap()).unwrap()
}
