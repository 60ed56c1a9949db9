//! The stage on which a replay plays: an embedded broker, and behind it the daemon's own code.
//!
//! ```text
//!  scripts ─► Stage::publish ─► embedded broker ─► Kafka source ─► engine ─► Kafka sink
//!     ▲                                                              │ questions
//!     └── Stage::catch_up answers them from the embedded tables ◄────┘ and hears of every batch
//! ```
//!
//! The engine runs on threads of its own, the tables belong to the thread of the scripts. So questions come to that thread,
//! and are answered while it waits for the engine to catch up. A replay is repeatable for it: what a lookup sees is what
//! was written before the scripts went on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use super::super::run::max_silence;
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::expected::{Answer, Question};
use crate::domains::lending::settings::LendingRules;
use crate::engine::Partition;
use crate::engine::dead_letter::DeadLetter;
use crate::engine::lookup::{Lookup, LookupError};
use crate::engine::pipeline::{Committed, Observer, Pipeline, PipelineError, PipelineSettings, Until};
use crate::event::{Formats, Record};
use crate::io::kafka::{self, EmbeddedBroker, Membership, Outputs, Start, Subscription};
use crate::time::SystemClock;

const ALERTS: &str = "tidewaiter.alerts";
const CHANGELOG: &str = "tidewaiter.changelog";
const DEAD_LETTERS: &str = "tidewaiter.dead-letters";
/// As many as a first topic often has; more than one, so that the merge has work to do.
const PARTITIONS: i32 = 3;
/// Nothing else writes to the broker: what is not there now does not come before the scripts go on.
const MAX_IDLE: Duration = Duration::from_millis(25);
/// An engine that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Stage {
    broker: EmbeddedBroker,
    runtime: Runtime,
    until: watch::Sender<Until>,
    news: mpsc::UnboundedReceiver<News>,
    published: i64,
    consumed: BTreeMap<Partition, i64>,
}

/// What the engine's threads say.
enum News {
    Asked(Vec<Question>, oneshot::Sender<Vec<Answer>>),
    Committed { offsets: BTreeMap<Partition, i64>, alerts: Vec<Vec<u8>>, bad: Vec<String> },
    Ended(Result<(), PipelineError>),
}

/// What the scripts' thread does for the engine.
pub(super) trait Audience {
    fn answer(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Answer>>;
    /// An alert is durable: its JSON.
    fn alert(&mut self, alert: &[u8]) -> anyhow::Result<()>;
    /// A message that could not be read, and why.
    fn bad(&mut self, message: &str);
}

impl Stage {
    /// Starts the broker with these topics, and the engine on it.
    pub(super) fn start(topics: &[String], rules: LendingRules) -> anyhow::Result<Self> {
        let counts = topics.iter().map(|topic| (topic.as_str(), PARTITIONS));
        let counts: Vec<(&str, i32)> = counts.chain([(ALERTS, PARTITIONS), (CHANGELOG, PARTITIONS), (DEAD_LETTERS, 1)]).collect();
        let broker = EmbeddedBroker::start(&counts)?;
        let runtime = Runtime::new().context("cannot start the runtime")?;
        let (until, told) = watch::channel(Until::Told);
        let (tell, news) = mpsc::unbounded_channel();

        let subscription = Subscription {
            topics: topics.to_vec(),
            heartbeat_topic: None,
            start: Start::Earliest,
            membership: Membership::Alone,
        };
        let (alerts, dead_letters, changelog) = (ALERTS.to_owned(), DEAD_LETTERS.to_owned(), CHANGELOG.to_owned());
        let outputs = Outputs { alerts, dead_letters, changelog, create: false };
        let connection = broker.connection("tidewaiter-replay");
        runtime.spawn(async move {
            let ended = match kafka::ports(&connection, subscription, outputs, Questions(tell.clone())) {
                Ok(ports) => {
                    let lending = Arc::new(Lending::new(Decoder::new(&Formats::default())));
                    let settings = PipelineSettings {
                        max_age: Duration::from_millis(2),
                        max_idle: MAX_IDLE,
                        ..PipelineSettings::new(max_silence)
                    };
                    let (_rules, rules) = watch::channel(Arc::new(rules));
                    let pipeline = Pipeline::new(lending, settings, ports, Arc::new(SystemClock), rules);
                    pipeline.observed_by(Batches(tell.clone())).run(told).await
                }
                Err(error) => Err(error.into()),
            };
            // the scripts' thread may have failed and be gone
            tell.send(News::Ended(ended)).ok();
        });
        Ok(Self { broker, runtime, until, news, published: 0, consumed: BTreeMap::new() })
    }

    /// Hands a record to the broker; a negative partition lets the key choose.
    pub(super) fn publish(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        self.broker.produce(record)?;
        self.published += 1;
        Ok(())
    }

    /// Waits until everything that was published is judged as far as it can be.
    pub(super) fn catch_up(&mut self, audience: &mut impl Audience) -> anyhow::Result<()> {
        self.broker.flush()?;
        while self.consumed.values().sum::<i64>() < self.published {
            if let Some(ended) = self.next(audience)? {
                ended?;
                anyhow::bail!("the engine stopped before the end of the replay");
            }
        }
        Ok(())
    }

    /// Closes what is open, as at the end of a stream.
    pub(super) fn finish(mut self, audience: &mut impl Audience) -> anyhow::Result<()> {
        self.catch_up(audience)?;
        self.until.send_replace(Until::Drained);
        loop {
            if let Some(ended) = self.next(audience)? {
                self.runtime.shutdown_timeout(Duration::from_secs(1));
                return Ok(ended?);
            }
        }
    }

    /// Takes the next piece of news; gives the engine's end.
    fn next(&mut self, audience: &mut impl Audience) -> anyhow::Result<Option<Result<(), PipelineError>>> {
        let waiting = async { tokio::time::timeout(PATIENCE, self.news.recv()).await };
        let news = self.runtime.block_on(waiting);
        let news = news.with_context(|| format!("the engine said nothing for {} s", PATIENCE.as_secs()))?;
        match news.context("the engine's thread is gone")? {
            News::Asked(questions, reply) => {
                let answers = audience.answer(&questions)?;
                // the batch may have been given up meanwhile; then nobody waits for the answers
                reply.send(answers).ok();
            }
            News::Committed { offsets, alerts, bad } => {
                self.consumed.extend(offsets);
                for message in bad {
                    audience.bad(&message);
                }
                for alert in alerts {
                    audience.alert(&alert)?;
                }
            }
            News::Ended(ended) => return Ok(Some(ended)),
        }
        Ok(None)
    }
}

/// The lookup: asks the scripts' thread.
struct Questions(mpsc::UnboundedSender<News>);

impl Lookup<Question, Answer> for Questions {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        let gone = || LookupError::unavailable("the replay has ended");
        let (reply, answers) = oneshot::channel();
        self.0.send(News::Asked(questions.to_vec(), reply)).map_err(|_| gone())?;
        answers.await.map_err(|_| gone())
    }
}

/// The observer: tells of every durable batch.
struct Batches(mpsc::UnboundedSender<News>);

impl Observer<Lending> for Batches {
    fn committed(&mut self, committed: &Committed<'_, Lending>) {
        let alerts = committed.batch.alerts.iter().map(|alert| alert.body.clone()).collect();
        let bad = committed.batch.dead_letters.iter().map(DeadLetter::told).collect();
        // the scripts' thread may have failed and be gone
        self.0.send(News::Committed { offsets: committed.batch.offsets.clone(), alerts, bad }).ok();
    }
}
