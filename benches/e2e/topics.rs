//! The input topics: made, filled, and read by a consumer that does nothing but count.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use rustix::time::{ClockId, clock_gettime};

use super::latency::now;
use super::workload::OwnedRecord;

pub(crate) const TABLES: [&str; 2] = ["Transaction", "Agreement"];
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn name(table: &str) -> String {
    format!("sentinel.SentinelMock.dbo.{table}")
}

pub(crate) fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

pub(crate) fn create(bootstrap: &str, partitions: u32) {
    let admin: AdminClient<_> = config(bootstrap).create().unwrap();
    for name in TABLES.map(name) {
        let topic = NewTopic::new(&name, partitions.cast_signed(), TopicReplication::Fixed(-1));
        let created = block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        assert_eq!(created, [Ok(name.clone())]);
    }
}

/// So many records in so much time, and what that took of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) records: u64,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
}

impl Rate {
    pub(crate) fn per_second(&self) -> u64 {
        u64::try_from(u128::from(self.records) * 1_000_000 / self.took.as_micros().max(1)).unwrap()
    }

    /// Processor time of a record.
    pub(crate) fn cpu_nanos(&self) -> u128 {
        self.cpu.as_nanos() / u128::from(self.records.max(1))
    }
}

/// As the connector's: in order, and in no hurry to fill a batch.
pub(crate) struct Producer(BaseProducer);

impl Producer {
    pub(crate) fn new(bootstrap: &str) -> Self {
        let mut config = config(bootstrap);
        config.set("enable.idempotence", "true").set("linger.ms", "1").set("queue.buffering.max.messages", "200000");
        Self(config.create().unwrap())
    }

    pub(crate) fn send(&mut self, record: &OwnedRecord) {
        let headers = record.record().headers.iter().fold(OwnedHeaders::new_with_capacity(4), |headers, header| {
            headers.insert(Header { key: header.name, value: header.value })
        });
        let mut next: BaseRecord<'_, str, str> = BaseRecord::to(record.origin.topic.name())
            .partition(record.origin.partition)
            .key(record.key.as_str())
            .payload(record.value.as_str())
            .headers(headers);
        while let Err((error, back)) = self.0.send(next) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
            self.0.poll(Duration::from_millis(5));
            next = back;
        }
    }

    pub(crate) fn poll(&self) {
        self.0.poll(Duration::ZERO);
    }

    pub(crate) fn flush(&self) {
        self.0.flush(PATIENCE).unwrap();
    }
}

/// Reads both topics from their beginning by librdkafka's own defaults, counts bytes, and stops after so many records.
pub(crate) fn count(bootstrap: &str, records: u64) -> Rate {
    let (consumer, _) = reader(config(bootstrap), &TABLES.map(name));
    let mut first: Option<(Instant, Duration)> = None;
    let (mut counted, mut bytes) = (0_u64, 0_usize);
    while counted < records {
        match consumer.poll(Duration::from_secs(1)) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(message) => {
                let message = message.unwrap();
                first.get_or_insert_with(|| (now(), process_time()));
                counted += 1;
                bytes += message.payload().map_or(0, <[u8]>::len);
            }
        }
    }
    assert!(bytes > 0, "the records have values");
    let (started, cpu) = first.expect("there are records");
    Rate { records: counted, took: now() - started, cpu: process_time().saturating_sub(cpu) }
}

/// Bytes of keys and values that a topic holds.
pub(crate) fn bytes(bootstrap: &str, topic: &str) -> usize {
    let mut config = config(bootstrap);
    config.set("enable.partition.eof", "true");
    let (consumer, mut unread) = reader(config, &[topic.to_owned()]);
    let mut bytes = 0;
    while unread > 0 {
        match consumer.poll(Duration::from_secs(1)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => unread -= 1,
            Some(message) => {
                let message = message.unwrap();
                bytes += message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len);
            }
        }
    }
    bytes
}

/// Reads these topics from their beginning; how many partitions they have.
fn reader(mut config: ClientConfig, topics: &[String]) -> (BaseConsumer, usize) {
    let config = config.set("group.id", "bare").set("enable.auto.commit", "false").set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for name in topics {
        let metadata = consumer.fetch_metadata(Some(name), PATIENCE).unwrap();
        for partition in metadata.topics()[0].partitions() {
            assignment.add_partition_offset(name, partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&assignment).unwrap();
    (consumer, assignment.count())
}

/// Of this process: librdkafka's threads work, too.
fn process_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("a process has not worked less than nothing")
}
