//! The output topics: a transactional producer on a thread of its own, one transaction a batch.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use tokio::sync::oneshot;

use super::changelog::{self, Pages};
use super::client::{self, Connection, OPERATION};
use super::deliveries::{Deliveries, Refused, flush, send};
use super::failpoint::failpoint;
use super::fate::{self, Fate, Step};
use super::member::Member;
use super::{KafkaSource, gone, offsets};
use crate::engine::changelog::ChangelogError;
use crate::engine::ports::{Alert, Attempt, Batch, CommitError, RestorePage, Sink, SourceError, StateChange};
use crate::engine::{DeadLetter, Partition};

/// Where a batch goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    pub alerts: String,
    pub dead_letters: String,
    /// Compacted. Belongs to this group alone.
    pub changelog: String,
    /// Whether topics that are missing may be created.
    pub create: bool,
}

/// The port's Kafka side. Ends its thread when it is dropped.
#[derive(Debug)]
pub struct KafkaSink {
    jobs: mpsc::Sender<Job>,
    /// What becomes of the batch that was sent last.
    committed: Option<oneshot::Receiver<Attempt>>,
    restored: Option<Restored>,
}

type Restored = tokio::sync::mpsc::Receiver<Result<Option<RestorePage>, ChangelogError>>;

enum Job {
    Commit(Arc<Batch>, oneshot::Sender<Attempt>),
    Restore(BTreeSet<Partition>, Pages),
}

/// Pieces of the changelog that wait for the pipeline: they come as fast as it takes them.
const WAITING_PAGES: usize = 4;

impl KafkaSink {
    /// The producer's thread; the brokers are first spoken to with the first batch.
    pub fn start(connection: &Connection, outputs: Outputs, source: &KafkaSource) -> Result<Self, SourceError> {
        let (jobs, received) = mpsc::channel::<Job>();
        let mut transactions = Transactions::new(connection.clone(), outputs, source.member());
        let work = move || {
            for job in received {
                match job {
                    // a pipeline that is gone does not care what became of its last batch
                    Job::Commit(batch, reply) => drop(reply.send(transactions.commit(&batch).into())),
                    Job::Restore(partitions, pages) => transactions.restore(&partitions, &pages),
                }
            }
        };
        let spawned = thread::Builder::new().name("kafka-produce".to_owned()).spawn(work);
        spawned.map_err(|error| SourceError { detail: format!("cannot start the producer's thread: {error}"), hint: None })?;
        Ok(Self { jobs, committed: None, restored: None })
    }
}

impl Sink for KafkaSink {
    fn commit(&mut self, batch: &Arc<Batch>) {
        let (reply, committed) = oneshot::channel();
        // if the thread is gone, its end of the channel says so
        self.jobs.send(Job::Commit(Arc::clone(batch), reply)).ok();
        self.committed = Some(committed);
    }

    async fn committed(&mut self) -> Attempt {
        let committed = self.committed.as_mut().expect("the pipeline waits only for what it gave to be committed");
        let gone = || CommitError::Stop { detail: "the producer's thread ended".to_owned(), hint: None };
        let attempt = committed.await.unwrap_or_else(|_| Err(gone()).into());
        self.committed = None;
        attempt
    }

    fn restore(&mut self, partitions: &BTreeSet<Partition>) {
        let (pages, restored) = tokio::sync::mpsc::channel(WAITING_PAGES);
        // if the thread is gone, its end of the channel says so
        self.jobs.send(Job::Restore(partitions.clone(), pages)).ok();
        self.restored = Some(restored);
    }

    async fn restored(&mut self) -> Result<Option<RestorePage>, ChangelogError> {
        match &mut self.restored {
            Some(restored) => match restored.recv().await {
                Some(Ok(Some(page))) => Ok(Some(page)),
                Some(Ok(None)) => {
                    self.restored = None;
                    Ok(None)
                }
                Some(Err(error)) => Err(error),
                None => Err(ChangelogError::new("the producer's thread ended", None)),
            },
            None => Ok(None),
        }
    }
}

/// The blocking side.
struct Transactions {
    connection: Connection,
    outputs: Outputs,
    member: Member,
    /// The generation whose state was restored. Batches are of this one: were it asked for anew, a batch that outlasts its
    /// assignment would be committed in the name of the next.
    membership: Option<Arc<ConsumerGroupMetadata>>,
    producer: Option<Arc<BaseProducer<Deliveries>>>,
    /// A batch of which it is not known whether it was committed, and its tag.
    doubt: Option<(Arc<Batch>, String)>,
    /// Tags are unique: the process and a count.
    tags: u64,
}

/// A call that failed.
struct Failed {
    step: Step,
    error: KafkaError,
    /// Where a record was not taken.
    topic: Option<String>,
}

impl Failed {
    fn of_record(Refused { error, topic }: Refused) -> Self {
        Self { step: Step::Produce, error, topic: Some(topic) }
    }
}

impl Step {
    fn failed(self) -> impl FnOnce(KafkaError) -> Failed {
        move |error| Failed { step: self, error, topic: None }
    }
}

impl Transactions {
    fn new(connection: Connection, outputs: Outputs, member: Member) -> Self {
        Self { connection, outputs, member, membership: None, producer: None, doubt: None, tags: 0 }
    }

    fn commit(&mut self, batch: &Arc<Batch>) -> Result<(), CommitError> {
        let Err(failed) = self.attempt(batch) else { return Ok(()) };
        let Failed { step, error, topic } = failed;
        let fate = fate::fate(step, &error);
        tracing::debug!(?step, %error, ?fate, "transaction failed");
        // a transaction's errors do not tell which of its topics it was
        let missing = || {
            let Outputs { alerts, dead_letters, changelog, .. } = &self.outputs;
            let producer = self.producer.as_ref()?;
            gone::missing(producer.client(), &error, [alerts, dead_letters, changelog].map(String::as_str))
        };
        let topic = topic.or_else(missing).map(|topic| format!(" (topic {topic})")).unwrap_or_default();
        let detail = format!("{}{topic}: {error}", step.text());
        // retries happen where the call is made; one that is left has run out of time
        match fate {
            Fate::Renew => self.producer = None,
            Fate::Abort | Fate::Retry | Fate::Lost | Fate::Stop => self.abort(),
        }
        Err(match fate {
            Fate::Stop => CommitError::Stop { detail, hint: fate::hint(&error) },
            Fate::Lost => CommitError::Lost(detail),
            Fate::Renew | Fate::Abort | Fate::Retry => CommitError::Repeat(detail),
        })
    }

    fn restore(&mut self, partitions: &BTreeSet<Partition>, pages: &Pages) {
        self.membership = self.member.metadata().map(Arc::new);
        // ends what an earlier producer of this name left open, so that nothing has to be waited for; if it cannot be done
        // now, the first batch does it
        if self.producer.is_none() {
            match self.connect() {
                Ok(producer) => self.producer = Some(producer),
                Err(Failed { step, error, .. }) => {
                    let why = Some(format!("{}: {error}", step.text()));
                    // nobody may be listening any more
                    pages.blocking_send(Ok(Some(RestorePage { delayed: why, ..RestorePage::default() }))).ok();
                }
            }
        }
        let end = changelog::read(&self.connection, &self.outputs, partitions, pages).map(|()| None);
        // a pipeline that has lost these partitions meanwhile does not listen
        pages.blocking_send(end).ok();
    }

    fn attempt(&mut self, batch: &Arc<Batch>) -> Result<(), Failed> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.connect()?,
        };
        let producer = self.producer.insert(producer);
        if let Some((doubted, tag)) = &self.doubt {
            // taking over the transactional id has decided what became of it
            let was_committed = offsets::were_committed(&self.member, doubted, tag).map_err(Step::Init.failed())?;
            let same = Arc::ptr_eq(doubted, batch);
            tracing::info!(was_committed, "transaction in doubt looked into");
            self.doubt = None;
            if was_committed && same {
                return Ok(());
            }
        }
        self.tags += 1;
        let tag = offsets::tag(self.tags, self.member.since());
        producer.context().take_failure();
        failpoint!("begin.before");
        retried(Step::Begin, || producer.begin_transaction())?;
        failpoint!("begin.after");
        for alert in &batch.alerts {
            send(producer, self.outputs.alert(alert)).map_err(Failed::of_record)?;
        }
        for letter in &batch.dead_letters {
            send(producer, self.outputs.dead_letter(letter)).map_err(Failed::of_record)?;
        }
        failpoint!("produce.after", producer.flush(OPERATION));
        for change in &batch.changelog {
            send(producer, self.outputs.change(change)).map_err(Failed::of_record)?;
        }
        failpoint!("changelog.after", producer.flush(OPERATION));
        let offsets = offsets::of(batch, &tag).map_err(Step::Offsets.failed())?;
        let send_offsets = || {
            let membership = self.membership.clone().or_else(|| self.member.metadata().map(Arc::new));
            let membership = membership.ok_or(KafkaError::Canceled)?;
            offsets::send(producer, &offsets, &membership)
        };
        // before the offsets: the coordinator refuses them, for a tenth of a second, while it writes down the records' partitions
        flush(producer, OPERATION).map_err(Step::Flush.failed())?;
        if let Some(Refused { error, topic }) = producer.context().take_failure() {
            // a record that was purged fell with its transaction; the next call says why that fell
            let cause = if is_purge(&error) { send_offsets().err() } else { None };
            return Err(match cause {
                Some(error) => Failed { step: Step::Offsets, error, topic: None },
                None => Failed { step: Step::Flush, error, topic: Some(topic) },
            });
        }
        retried(Step::Offsets, send_offsets)?;
        failpoint!("offsets.after");
        failpoint!("commit.before");
        // the request goes out within the call, which gives up waiting for the answer
        failpoint!("commit.sent", producer.commit_transaction(Duration::from_millis(1)));
        producer.commit_transaction(OPERATION).map_err(|error| {
            if fate::fate(Step::Commit, &error) == Fate::Renew {
                self.doubt = Some((Arc::clone(batch), tag));
            }
            Failed { step: Step::Commit, error, topic: None }
        })?;
        failpoint!("commit.acknowledged");
        Ok(())
    }

    /// A producer that has taken over the transactional id: what an earlier one left open is ended.
    fn connect(&self) -> Result<Arc<BaseProducer<Deliveries>>, Failed> {
        let producer: BaseProducer<Deliveries> =
            client::create(&self.connection.producer(), Deliveries::default()).map_err(Step::Init.failed())?;
        retried(Step::Init, || producer.init_transactions(OPERATION))?;
        Ok(Arc::new(producer))
    }

    /// Ends the transaction, and the producer with it: librdkafka gives the numbers of the records that it has given up to those of
    /// the next transaction. A broker that has got the former takes the latter for their repetition, and acknowledges without
    /// writing them. The next producer of this name begins to count anew.
    fn abort(&mut self) {
        let Some(producer) = self.producer.take() else { return };
        // it waits for delivery reports that nobody but us serves: those of the queue come by a purge, the others by themselves
        producer.purge(PurgeConfig::default().queue());
        if let Err(error) = flush(&producer, OPERATION) {
            tracing::warn!(%error, "records of an aborted transaction are still on their way");
        }
        // where it cannot be done, the next producer does it
        if let Err(error) = producer.abort_transaction(OPERATION) {
            tracing::warn!(%error, "transaction not aborted");
        }
    }
}

fn is_purge(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// Repeats a call as long as its errors say that this may help.
fn retried(step: Step, call: impl Fn() -> KafkaResult<()>) -> Result<(), Failed> {
    let start = Instant::now();
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(error) if fate::fate(step, &error) == Fate::Retry && start.elapsed() < OPERATION => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(Failed { step, error, topic: None }),
        }
    }
}

impl Outputs {
    fn alert<'a>(&'a self, alert: &'a Alert) -> BaseRecord<'a, str, [u8], ()> {
        let json = Header { key: "content-type", value: Some("application/json") };
        BaseRecord::to(&self.alerts)
            .key(alert.key.as_str())
            .payload(alert.body.as_slice())
            .headers(OwnedHeaders::new().insert(json))
    }

    fn change<'a>(&'a self, change: &'a StateChange) -> BaseRecord<'a, str, [u8], ()> {
        let mut record = BaseRecord::to(&self.changelog).partition(change.partition).key(change.key.as_str());
        record.payload = change.value.as_deref();
        record
    }

    /// The record as it was, and Kafka Connect's headers about what was wrong with it.
    fn dead_letter<'a>(&'a self, letter: &'a DeadLetter) -> BaseRecord<'a, [u8], [u8], ()> {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &letter.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
        let message = match &letter.hint {
            Some(hint) => format!("{} (hint: {hint})", letter.detail),
            None => letter.detail.clone(),
        };
        let errors = [
            ("__connect.errors.topic", letter.origin.topic.name().to_owned()),
            ("__connect.errors.partition", letter.origin.partition.to_string()),
            ("__connect.errors.offset", letter.origin.offset.to_string()),
            ("__connect.errors.stage", "VALUE_CONVERTER".to_owned()),
            ("__connect.errors.class.name", "tidewaiter".to_owned()),
            ("__connect.errors.exception.class.name", format!("tidewaiter.bad_message.{}", letter.reason)),
            ("__connect.errors.exception.message", message),
        ];
        for (key, value) in &errors {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut record = BaseRecord::to(&self.dead_letters).headers(headers);
        record.key = letter.key.as_deref();
        record.payload = letter.value.as_deref();
        record.timestamp = letter.timestamp_ms;
        record
    }
}

impl Step {
    fn text(self) -> &'static str {
        match self {
            Self::Init => "cannot take over the transactional id",
            Self::Begin => "cannot begin a transaction",
            Self::Produce => "cannot produce",
            Self::Offsets => "cannot add offsets to the transaction",
            Self::Flush => "records not acknowledged",
            Self::Commit => "cannot commit the transaction",
        }
    }
}
