//! The input topics: a consumer on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::begin::{NotBegun, begin};
use super::client::{self, Connection, OPERATION};
use super::failpoint::failpoint;
use super::fate;
use super::member::{Ended, Fencings, Member};
use super::patience::{ATTEMPT, PAUSE};
use super::shelf::{Shelf, wait_for_release};
use super::{gone, statistics};
use crate::engine::Partition;
use crate::engine::ports::{OwnedRecord, Polled, SharedHeaders, Source, SourceError, Standing};
use crate::event::{Origin, Topic};

/// How long one poll waits; also how long the consumer must have had nothing for its queue to count as empty.
const POLL: Duration = Duration::from_millis(20);

/// How long a revocation waits for the batch in flight. Beyond it the partitions go, and fencing refuses the batch.
const RELEASE: Duration = Duration::from_mins(1);

/// How long leaving the group may take: librdkafka's close can hang (rust-rdkafka #453, #509).
const CLOSE: Duration = Duration::from_secs(2);

/// The pause before reading again from what is committed.
const REWIND: Duration = Duration::from_millis(200);

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub topics: Vec<String>,
    /// Read for the sake of [`Polled::Heartbeat`] only, from its end.
    pub heartbeat_topic: Option<String>,
    pub start: Start,
    pub membership: Membership,
}

/// Where a topic is read from when the group has committed nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
}

/// How partitions come to a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// By the consumer group.
    #[default]
    Group,
    /// All of them, without asking a group: for an embedded broker, where nobody else is.
    Alone,
}

/// The port's Kafka side.
#[derive(Debug)]
pub struct KafkaSource {
    shelf: Arc<Shelf>,
    member: Member,
    closed: oneshot::Receiver<()>,
}

impl KafkaSource {
    /// Starts to consume. Brokers that cannot be reached are waited for.
    pub fn start(connection: &Connection, subscription: Subscription) -> Result<Self, SourceError> {
        let shelf = Arc::new(Shelf::default());
        let context = Context { shelf: Arc::clone(&shelf), subscription, since: Arc::default() };
        let member = Member::default();
        let consumer = member.join(connection, context)?;
        let (done, closed) = oneshot::channel();
        let (polled, connection, joined) = (Arc::clone(&shelf), connection.clone(), member.clone());
        thread::Builder::new()
            .name("kafka-poll".to_owned())
            .spawn(move || {
                let consumer = stay(consumer, &joined, &connection, &polled);
                // leaves the group
                drop(consumer);
                // nobody waits if the pipeline was dropped
                let _ = done.send(());
            })
            .map_err(|error| SourceError { detail: format!("cannot start the poll thread: {error}"), hint: None })?;
        Ok(Self { shelf, member, closed })
    }

    /// How far each partition was read, to be asked at any time, also when this is gone.
    pub fn standings(&self) -> impl Fn() -> Vec<Standing> + Send + Sync + 'static {
        let read = Arc::clone(&self.shelf);
        move || read.standings()
    }

    pub(super) fn member(&self) -> Member {
        self.member.clone()
    }
}

impl Source for KafkaSource {
    async fn poll(&mut self, limit: usize) -> Result<Polled, SourceError> {
        self.shelf.poll(limit).await
    }

    async fn revoking(&mut self) {
        self.shelf.revoking().await;
    }

    fn rewind(&mut self) {
        self.shelf.rewind();
    }

    fn resume_at(&mut self, positions: &BTreeMap<Partition, i64>) {
        self.shelf.resume_at(positions);
    }

    fn look_again(&mut self) {
        self.shelf.look_again();
    }

    fn begins_at(&self, partition: Partition) -> Option<i64> {
        self.shelf.begins_at(partition)
    }

    fn hold(&mut self, partition: Partition, hold: bool) {
        self.shelf.hold(partition, hold);
    }

    fn at_end(&self, partition: Partition) -> bool {
        self.shelf.at_end(partition)
    }

    async fn close(&mut self) {
        self.shelf.close();
        if tokio::time::timeout(CLOSE, &mut self.closed).await.is_err() {
            tracing::warn!("the consumer did not leave its group in time; the broker will notice by the session time-out");
        }
    }
}

impl Drop for KafkaSource {
    /// Ends the poll thread, however the pipeline ended.
    fn drop(&mut self) {
        self.shelf.close();
    }
}

/// Consumes until the end, with another consumer where one is fenced. Gives the last one: after an error only when the pipeline
/// has taken it, since leaving the group would come before it.
fn stay(
    mut consumer: Arc<BaseConsumer<Context>>,
    member: &Member,
    connection: &Connection,
    shelf: &Shelf,
) -> Option<Arc<BaseConsumer<Context>>> {
    let mut fencings = Fencings::default();
    let error = loop {
        match consume(&consumer, shelf, connection) {
            Ok(()) => return Some(consumer),
            Err(Ended::Fenced(_)) if shelf.is_lost() || fencings.are_few(Instant::now()) => {}
            Err(Ended::Fenced(error) | Ended::Failed(error)) => break error,
        }
        if shelf.is_closing() {
            return Some(consumer);
        }
        tracing::warn!("fenced, joining the group anew");
        release(shelf, true);
        shelf.was_sent_away();
        thread::sleep(PAUSE);
        let context = consumer.context().as_ref().clone();
        drop(consumer);
        match member.join(connection, context) {
            Ok(anew) => consumer = anew,
            Err(error) => {
                shelf.fail(error);
                return None;
            }
        }
    };
    shelf.fail(error);
    while !shelf.is_closing() {
        thread::sleep(POLL);
    }
    Some(consumer)
}

fn consume(consumer: &BaseConsumer<Context>, shelf: &Shelf, connection: &Connection) -> Result<(), Ended> {
    let subscription = &consumer.context().subscription;
    let topics: Vec<&str> = subscription.topics.iter().chain(&subscription.heartbeat_topic).map(String::as_str).collect();
    match subscription.membership {
        Membership::Group => {
            consumer.subscribe(&topics).map_err(|error| failure("cannot subscribe", &error))?;
        }
        Membership::Alone => {
            let mut partitions = TopicPartitionList::new();
            for topic in &topics {
                let metadata = consumer
                    .fetch_metadata(Some(topic), OPERATION)
                    .map_err(|error| failure(&format!("cannot read the partitions of {topic}"), &error))?;
                for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
                    partitions.add_partition(topic, partition.id());
                }
            }
            take_over(consumer, &partitions)?;
        }
    }
    let mut complaint = None;
    let mut headers = SharedHeaders::default();
    // topics that were there
    let mut known = BTreeSet::new();
    let mut unknown_ends = Vec::new();
    // when to ask again what was not answered
    let mut next_attempt = Instant::now();
    while !shelf.is_closing() {
        let start = Instant::now();
        match consumer.poll(POLL) {
            Some(Ok(message)) => receive(consumer, shelf, &message, &mut headers),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId))) => {
                return Err(Ended::Fenced(failure("cannot consume", &error)));
            }
            Some(Err(error)) => {
                gone::look(consumer, shelf, &error, &known)?;
                complain(error, &mut complaint, shelf)?;
            }
            // a poll that a rebalance cut short says nothing about the queue
            None if start.elapsed() >= POLL => shelf.is_drained(),
            None => {}
        }
        if shelf.take_rewind() {
            // a membership that is over shows within this, and its revocation comes first
            thread::sleep(REWIND);
            let assigned = consumer.assignment().map_err(|error| failure("cannot read the assignment", &error))?;
            if assigned.count() > 0 {
                take_over(consumer, &assigned)?;
            }
            continue;
        }
        if let Some(partitions) = shelf.begins().filter(|_| start >= next_attempt) {
            match begin(consumer, connection, &partitions) {
                Ok(()) => {
                    shelf.has_begun();
                    known.extend(shelf.standings().into_iter().map(|standing| standing.partition.topic));
                }
                Err(NotBegun::Stop(error)) => return Err(error.into()),
                Err(NotBegun::Later(why)) => {
                    tracing::warn!(why, "partitions are assigned, but reading does not begin yet");
                    shelf.unavailable(why);
                    next_attempt = Instant::now() + PAUSE;
                }
            }
        }
        let positions = shelf.take_resume();
        if !positions.is_empty() {
            seek(consumer, &positions)?;
        }
        unknown_ends.extend(shelf.take_look_again());
        if start >= next_attempt {
            while let Some(&partition) = unknown_ends.last() {
                let (topic, number) = (partition.topic.name(), partition.partition);
                match consumer.fetch_watermarks(topic, number, ATTEMPT) {
                    Ok((_, high)) => shelf.goes_to(partition, high),
                    Err(error) => {
                        tracing::warn!(%error, %partition, "its end is not known yet");
                        next_attempt = Instant::now() + PAUSE;
                        break;
                    }
                }
                unknown_ends.pop();
            }
        }
        let room = shelf.resumable();
        if !room.is_empty() {
            consumer.resume(&list(&room)).map_err(|error| failure("cannot resume partitions", &error))?;
            wake(consumer, shelf, &room);
        }
    }
    Ok(())
}

/// Has the brokers' threads look at partitions that were resumed. One that had nothing to fetch sleeps for up to a second, and a
/// resumption does not wake it, but being sent to where it is anyway does (`rd_kafka_offset_validate`).
fn wake(consumer: &BaseConsumer<Context>, shelf: &Shelf, partitions: &[Partition]) {
    for partition in partitions {
        let Some(next) = shelf.next_offset(*partition) else { continue };
        // without a time-out nothing is waited for
        if let Err(error) = consumer.seek(partition.topic.name(), partition.partition, Offset::Offset(next), Duration::ZERO) {
            tracing::debug!(%error, %partition, "partition not woken");
        }
    }
}

fn receive(consumer: &BaseConsumer<Context>, shelf: &Shelf, message: &BorrowedMessage<'_>, headers: &mut SharedHeaders) {
    let subscription = &consumer.context().subscription;
    if subscription.heartbeat_topic.as_deref() == Some(message.topic())
        && !subscription.topics.iter().any(|t| t == message.topic())
    {
        return shelf.heartbeat();
    }
    let record = owned(message, headers);
    let partition = Partition::from(record.origin);
    if shelf.put(record)
        && let Err(error) = consumer.pause(&list(&[partition]))
    {
        // it was just revoked; its records are refused at the shelf
        tracing::debug!(%error, %partition, "partition not paused");
    }
}

/// Errors of the consumer that it does not get over stop the source; the others are told once.
fn complain(error: KafkaError, last: &mut Option<KafkaError>, shelf: &Shelf) -> Result<(), SourceError> {
    let code = error.rdkafka_error_code();
    let waits = matches!(code, Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic));
    let position_gone = matches!(code, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange));
    let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    if fatal || position_gone || (!waits && code.is_some_and(fate::needs_a_person)) {
        return Err(failure("cannot consume", &error));
    }
    if last.as_ref() != Some(&error) {
        tracing::warn!(%error, hint = fate::hint(&error), "consuming goes on when this is over");
        shelf.unavailable(error.to_string());
        *last = Some(error);
    }
    Ok(())
}

/// A record that outlives its message. Its headers are those of `last`, the record before, where they are the same.
pub(super) fn owned(message: &BorrowedMessage<'_>, last: &mut SharedHeaders) -> OwnedRecord {
    let headers = || message.headers().into_iter().flat_map(|headers| headers.iter());
    let are_same =
        headers().map(|header| (header.key, header.value)).eq(last.iter().map(|(key, value)| (&**key, value.as_deref())));
    if !are_same {
        *last = headers().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
    }
    OwnedRecord {
        origin: Origin { topic: Topic::intern(message.topic()), partition: message.partition(), offset: message.offset() },
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: Arc::clone(last),
    }
}

pub(super) fn list(partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(partition.topic.name(), partition.partition);
    }
    list
}

/// Takes an assignment. Where to begin is asked outside of a rebalance, during which nothing else can be done: a broker that
/// does not answer must hold up neither the next rebalance nor a shutdown.
///
/// Until then librdkafka is given nothing to read. It must not be given the partitions' ends: it repeats the look-up of a
/// logical offset although the partition was given another position meanwhile, and would go on from the end
/// (`rd_kafka_toppar_handle_Offset`, "outdated offset response").
fn take_over(consumer: &BaseConsumer<Context>, partitions: &TopicPartitionList) -> Result<(), SourceError> {
    failpoint!("assign.before");
    consumer.context().shelf.begin(partitions_of(partitions));
    consumer.assign(&TopicPartitionList::new()).map_err(|error| failure("cannot take the assignment", &error))
}

fn partitions_of(list: &TopicPartitionList) -> Vec<Partition> {
    let partition = |element: &TopicPartitionListElem<'_>| Partition {
        topic: Topic::intern(element.topic()),
        partition: element.partition(),
    };
    list.elements().iter().map(partition).collect()
}

/// Has the pipeline let go of all partitions.
fn release(shelf: &Shelf, lost: bool) {
    let released = shelf.revoke(lost);
    if !wait_for_release(released, RELEASE, || shelf.is_closing()) && !shelf.is_closing() {
        tracing::warn!("partitions go although the batch in flight is not finished");
    }
    shelf.released();
}

/// Reads some of the assigned partitions from elsewhere. Of the others nothing is lost: the shelf knows what comes next.
fn seek(consumer: &BaseConsumer<Context>, positions: &BTreeMap<Partition, i64>) -> Result<(), SourceError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(partition.topic.name(), partition.partition, Offset::Offset(*offset))
            .map_err(|error| failure("cannot name a position", &error))?;
    }
    let assigned = consumer.assignment().map_err(|error| failure("cannot read the assignment", &error))?;
    for element in assigned.elements() {
        let partition = Partition { topic: Topic::intern(element.topic()), partition: element.partition() };
        if !positions.contains_key(&partition) {
            let at = consumer.context().shelf.next_offset(partition).map_or(element.offset(), Offset::Offset);
            list.add_partition_offset(element.topic(), element.partition(), at)
                .map_err(|error| failure("cannot name a position", &error))?;
        }
    }
    consumer.resume(&list).map_err(|error| failure("cannot resume partitions", &error))?;
    consumer.assign(&list).map_err(|error| failure("cannot read on from the changelog's positions", &error))
}

pub(super) fn failure(what: &str, error: &KafkaError) -> SourceError {
    SourceError { detail: format!("{what}: {error}"), hint: fate::hint(error) }
}

/// What librdkafka calls back, on the poll thread.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) shelf: Arc<Shelf>,
    pub(super) subscription: Subscription,
    /// When the group began, in milliseconds since 1970, if it left out what was there before.
    pub(super) since: Arc<OnceLock<i64>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // what matters comes back from poll as well
        tracing::debug!(target: "librdkafka", %error, reason, "consumer error");
    }

    fn stats_raw(&self, json: &[u8]) {
        match statistics::ends(json) {
            Ok(ends) => self.shelf.fetched(&ends),
            Err(error) => tracing::warn!(%error, "statistics not understood: ends of partitions are unknown"),
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let result = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => take_over(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                failpoint!("revoke.before");
                release(&self.shelf, consumer.assignment_lost());
                let result = consumer.unassign().map_err(|error| failure("cannot give partitions back", &error));
                failpoint!("revoke.after");
                result
            }
            code => Err(SourceError { detail: format!("rebalance failed: {}", RDKafkaErrorCode::from(code)), hint: None }),
        };
        if let Err(error) = result {
            self.shelf.fail(error);
        }
    }
}
