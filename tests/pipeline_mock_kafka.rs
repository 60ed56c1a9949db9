//! The pipeline on librdkafka's mock cluster: real clients, a real socket, a broker in this process.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod pipeline_support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline_support::toy::{Limits, Toy, record};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tidewaiter::engine::Partition;
use tidewaiter::engine::pipeline::{Pipeline, PipelineError, PipelineSettings, Ports, Until};
use tidewaiter::engine::ports::{OwnedRecord, SharedHeaders};
use tidewaiter::event::{Origin, Topic};
use tidewaiter::io::kafka::{Connection, EmbeddedBroker, KafkaSink, KafkaSource, Membership, Outputs, Start, Subscription};
use tidewaiter::time::{ManualClock, Timestamp};
use tokio::sync::watch;

const TOPICS: [&str; 2] = ["mock.a", "mock.b"];
const PARTITIONS: i32 = 3;

fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(&[
        (TOPICS[0], PARTITIONS),
        (TOPICS[1], PARTITIONS),
        ("alerts", 2),
        ("dead-letters", 1),
        ("changelog", PARTITIONS),
        ("heartbeats", 1),
    ])
    .unwrap()
}

fn partition(topic: &str, partition: i32) -> Partition {
    Partition { topic: Topic::intern(topic), partition }
}

/// An account's first amount on one topic, its second in a later commit on the other, spread over all partitions.
fn pairs(broker: &EmbeddedBroker, accounts: i64) {
    for n in 0..accounts {
        let place = i32::try_from(n % i64::from(PARTITIONS)).unwrap();
        let commit = u64::try_from(n).unwrap() * 2 + 1;
        produce(broker, &record(partition(TOPICS[0], place), 0, commit, &format!("K{n}"), n));
        produce(broker, &record(partition(TOPICS[1], (place + 1) % PARTITIONS), 0, commit + 1, &format!("K{n}"), 1000));
    }
    broker.flush().unwrap();
}

fn produce(broker: &EmbeddedBroker, record: &OwnedRecord) {
    record.with(|record| broker.produce(record)).unwrap();
}

fn expected(accounts: i64) -> Vec<String> {
    (0..accounts).map(|n| format!("base:K{n}:{n}+1000:100")).collect()
}

fn subscription(membership: Membership) -> Subscription {
    Subscription { topics: TOPICS.map(str::to_owned).into(), heartbeat_topic: None, start: Start::Earliest, membership }
}

fn pipeline(
    connection: &Connection,
    subscription: Subscription,
    settings: PipelineSettings<Toy>,
) -> Pipeline<Toy, KafkaSource, KafkaSink, Limits> {
    let source = KafkaSource::start(connection, subscription).unwrap();
    let (alerts, dead_letters, changelog) = ("alerts".to_owned(), "dead-letters".to_owned(), "changelog".to_owned());
    let outputs = Outputs { alerts, dead_letters, changelog, create: false };
    let sink = KafkaSink::start(connection, outputs, &source).unwrap();
    let ports = Ports { source, sink, lookup: Limits::default() };
    let (_, rules) = watch::channel(Arc::new("base"));
    let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
    Pipeline::new(Arc::new(Toy::default()), settings, ports, clock, rules)
}

fn settings() -> PipelineSettings<Toy> {
    PipelineSettings { max_age: Duration::from_millis(2), ..PipelineSettings::new(|_| Duration::from_mins(1)) }
}

async fn drain(connection: &Connection, membership: Membership) -> Result<(), PipelineError> {
    let (_until, receiver) = watch::channel(Until::Drained);
    pipeline(connection, subscription(membership), settings()).run(receiver).await
}

/// Everything on a topic, partition by partition, as a reader of committed records sees it, once there is so much.
fn read(broker: &EmbeddedBroker, topic: &str, partitions: i32, count: usize) -> Vec<OwnedRecord> {
    let records = read_until(broker, topic, partitions, |records| records.len() >= count);
    assert_eq!(records.len(), count);
    records
}

/// Reads until it is enough, and a moment longer, so that one too many is seen.
fn read_until(
    broker: &EmbeddedBroker,
    topic: &str,
    partitions: i32,
    is_enough: impl Fn(&[OwnedRecord]) -> bool,
) -> Vec<OwnedRecord> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "test-reader")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    let mut end = Instant::now() + Duration::from_secs(20);
    let mut enough = false;
    while Instant::now() < end {
        if !enough && is_enough(&records) {
            enough = true;
            end = Instant::now() + Duration::from_millis(if records.is_empty() { 2000 } else { 300 });
        }
        let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
        let message = message.unwrap().detach();
        let origin = Origin { topic: Topic::intern(topic), partition: message.partition(), offset: message.offset() };
        let headers = message.headers().map_or_else(SharedHeaders::default, |headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        let (key, value) = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
        records.push(OwnedRecord { origin, timestamp_ms: message.timestamp().to_millis(), key, value, headers });
    }
    records
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap().clone()).unwrap()
}

/// The alerts, in an order of their own, since they are spread over partitions.
fn alerts(broker: &EmbeddedBroker, count: usize) -> Vec<String> {
    let mut alerts: Vec<_> = read(broker, "alerts", 2, count).iter().map(|alert| text(alert.value.as_ref())).collect();
    alerts.sort();
    alerts
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_through_the_mock_cluster_and_come_out_as_alerts_once_each() {
    let broker = broker();
    pairs(&broker, 1000);
    let start = Instant::now();
    drain(&broker.connection("toy"), Membership::Alone).await.unwrap();
    println!("drained in {:?}", start.elapsed());
    assert_eq!(alerts(&broker, 1000), sorted(expected(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_one_key_lie_in_one_partition_in_the_order_of_judging() {
    let broker = broker();
    for n in 0..200_i64 {
        let commit = u64::try_from(n).unwrap() + 1;
        produce(
            &broker,
            &record(partition(TOPICS[usize::try_from(n % 2).unwrap()], 0), 0, commit, &format!("K{}", n % 4 / 2), n),
        );
    }
    broker.flush().unwrap();
    drain(&broker.connection("toy"), Membership::Alone).await.unwrap();
    let alerts = read(&broker, "alerts", 2, 100);
    let mut by_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for alert in &alerts {
        assert_eq!(*alert.headers, [("content-type".to_owned(), Some(b"application/json".to_vec()))]);
        let value = text(alert.value.as_ref());
        let first = value.split(':').nth(2).unwrap().split('+').next().unwrap().parse().unwrap();
        by_key.entry(text(alert.key.as_ref())).or_default().push(first);
    }
    assert_eq!(by_key.keys().collect::<Vec<_>>(), ["K0", "K1"]);
    for order in by_key.values() {
        assert!(order.is_sorted(), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_group_does_the_same() {
    let broker = broker();
    pairs(&broker, 50);
    drain(&broker.connection("toy"), Membership::Group).await.unwrap();
    assert_eq!(alerts(&broker, 50), sorted(expected(50)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_is_nothing_out() {
    let broker = broker();
    drain(&broker.connection("toy"), Membership::Alone).await.unwrap();
    assert_eq!(alerts(&broker, 0), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_reaches_the_dead_letters_whole_with_connects_headers() {
    let broker = broker();
    let mut bad = record(partition(TOPICS[0], 2), 0, 1, "K", 1);
    bad.value = Some(b"not json".to_vec());
    bad.timestamp_ms = Some(1_768_208_400_007);
    bad.headers = [("trace".to_owned(), Some(vec![0, 255])), ("trace".to_owned(), None)].into();
    produce(&broker, &record(partition(TOPICS[0], 2), 0, 1, "K", 1));
    produce(&broker, &bad);
    broker.flush().unwrap();
    drain(&broker.connection("toy"), Membership::Alone).await.unwrap();
    let letters = read(&broker, "dead-letters", 1, 1);
    let letter = &letters[0];
    assert_eq!((&letter.key, &letter.value, letter.timestamp_ms), (&bad.key, &bad.value, bad.timestamp_ms));
    assert_eq!(letter.headers[..2], *bad.headers, "null values and repeated names included");
    let errors: BTreeMap<_, _> = letter.headers[2..].iter().map(|(name, value)| (name.as_str(), text(value.as_ref()))).collect();
    assert_eq!(errors["__connect.errors.topic"], TOPICS[0]);
    assert_eq!(errors["__connect.errors.partition"], "2");
    assert_eq!(errors["__connect.errors.offset"], "1");
    assert_eq!(errors["__connect.errors.stage"], "VALUE_CONVERTER");
    assert_eq!(errors["__connect.errors.exception.class.name"], "tidewaiter.bad_message.not_toy");
    assert!(errors["__connect.errors.exception.message"].contains("expected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_pipeline_takes_what_comes_drains_when_told_and_is_shut_down_quickly() {
    let broker = broker();
    let (until, receiver) = watch::channel(Until::Told);
    let connection = broker.connection("toy");
    let settings = PipelineSettings { max_idle: Duration::from_millis(100), ..settings() };
    let task = tokio::spawn(pipeline(&connection, subscription(Membership::Alone), settings.clone()).run(receiver));
    pairs(&broker, 20);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(alerts(&broker, 20), sorted(expected(20)), "without being told to drain");
    // to every partition, so that a drain that trusted what was known before would miss some
    for n in 0..30 {
        produce(&broker, &record(partition(TOPICS[0], n % PARTITIONS), 0, 500, &format!("alone{n}"), 7));
    }
    broker.flush().unwrap();
    until.send(Until::Drained).unwrap();
    task.await.unwrap().unwrap();
    assert!(alerts(&broker, 50).contains(&"base:alone29:7:100".to_owned()));

    let (until, receiver) = watch::channel(Until::Told);
    let task = tokio::spawn(pipeline(&connection, subscription(Membership::Alone), settings).run(receiver));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    until.send(Until::Now).unwrap();
    task.await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// What the alerts say, each once: the mock cluster shows records of aborted transactions too.
fn distinct(broker: &EmbeddedBroker, count: usize) -> Vec<String> {
    let distinct = |records: &[OwnedRecord]| {
        let alerts: BTreeSet<_> = records.iter().map(|alert| text(alert.value.as_ref())).collect();
        Vec::from_iter(alerts)
    };
    distinct(&read_until(broker, "alerts", 2, |records| distinct(records).len() >= count))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_when_the_daemon_went_is_there_for_the_next_one() {
    let broker = broker();
    let connection = broker.connection("toy");
    // first amounts only: every window is open when the daemon goes
    for n in 0..50_i64 {
        let place = partition(TOPICS[0], i32::try_from(n % 3).unwrap());
        produce(&broker, &record(place, 0, 1 + u64::try_from(n / 10).unwrap(), &format!("K{n}"), n));
    }
    broker.flush().unwrap();
    let (until, receiver) = watch::channel(Until::Told);
    let settings = PipelineSettings { max_idle: Duration::from_millis(100), ..settings() };
    let pipeline = pipeline(&connection, subscription(Membership::Alone), settings);
    let store = pipeline.store();
    let task = tokio::spawn(pipeline.run(receiver));
    while store.len() < 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until.send(Until::Now).unwrap();
    task.await.unwrap().unwrap();
    for n in 0..50_i64 {
        let place = partition(TOPICS[1], i32::try_from((n + 1) % 3).unwrap());
        produce(&broker, &record(place, 0, 10, &format!("K{n}"), 1000));
    }
    broker.flush().unwrap();
    drain(&connection, Membership::Alone).await.unwrap();
    assert_eq!(alerts(&broker, 50), sorted(expected(50)));
}

async fn drain_although(request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) -> (EmbeddedBroker, Result<(), PipelineError>) {
    let broker = broker();
    pairs(&broker, 20);
    broker.refuse_next(request, errors);
    let connection = broker.connection("toy");
    let drained = drain(&connection, Membership::Alone);
    let result = tokio::time::timeout(Duration::from_mins(1), drained).await.expect("it comes to an end");
    (broker, result)
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_pass_cost_nothing() {
    use RDKafkaRespErr as Error;
    for (request, error) in [
        (RDKafkaApiKey::InitProducerId, Error::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
        (RDKafkaApiKey::AddPartitionsToTxn, Error::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS),
        (RDKafkaApiKey::TxnOffsetCommit, Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
        (RDKafkaApiKey::EndTxn, Error::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
    ] {
        let (broker, result) = drain_although(request, &[error, error]).await;
        result.unwrap();
        assert_eq!(alerts(&broker, 20), sorted(expected(20)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_and_ends_that_are_not_told_at_first_are_asked_for_again() {
    use RDKafkaRespErr as Error;
    for (request, error) in [
        (RDKafkaApiKey::OffsetFetch, Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
        (RDKafkaApiKey::OffsetFetch, Error::RD_KAFKA_RESP_ERR_UNKNOWN),
        (RDKafkaApiKey::ListOffsets, Error::RD_KAFKA_RESP_ERR_UNKNOWN),
        (RDKafkaApiKey::ListOffsets, Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR),
    ] {
        let (broker, result) = drain_although(request, &[error; 6]).await;
        result.unwrap();
        assert_eq!(alerts(&broker, 20), sorted(expected(20)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_to_the_group_that_are_missing_stop_with_a_hint() {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    let (_broker, result) = drain_although(RDKafkaApiKey::OffsetFetch, &[error]).await;
    let error = result.unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("grant Read on the consumer group")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_is_over_has_the_batch_read_again() {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
    let (broker, result) = drain_although(RDKafkaApiKey::TxnOffsetCommit, &[error]).await;
    result.unwrap();
    assert_eq!(distinct(&broker, 20), sorted(expected(20)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_producer_is_replaced_and_the_batch_repeated() {
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN,
    ] {
        let (broker, result) = drain_although(RDKafkaApiKey::EndTxn, &[error]).await;
        result.unwrap();
        assert_eq!(distinct(&broker, 20), sorted(expected(20)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_stops_with_a_hint() {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    let (_broker, result) = drain_although(RDKafkaApiKey::AddPartitionsToTxn, &[error]).await;
    let error = result.unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("grant")), "{error}");
}
