//! A pipeline on a broker in memory, and what it is fed with.

use std::sync::Arc;
use std::time::Duration;

use tidewaiter::engine::Partition;
use tidewaiter::engine::pipeline::{Committed, Condition, Observer, Pipeline, PipelineError, PipelineSettings, Ports, Until};
use tidewaiter::event::Topic;
use tidewaiter::time::{ManualClock, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::pipeline_support::memory::Broker;
use crate::pipeline_support::toy::{Limits, Rules, Toy, record};

pub(crate) fn partition(topic: &str) -> Partition {
    Partition { topic: Topic::intern(topic), partition: 0 }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A pipeline that runs until it is stopped.
pub(crate) struct Daemon {
    pub(crate) until: watch::Sender<Until>,
    pub(crate) rules: watch::Sender<Arc<Rules>>,
    pub(crate) toy: Arc<Toy>,
    pub(crate) limits: Limits,
    pub(crate) conditions: watch::Receiver<Vec<Condition>>,
    /// How many were told of.
    pub(crate) batches: watch::Receiver<usize>,
    pub(crate) task: JoinHandle<Result<(), PipelineError>>,
}

impl Daemon {
    pub(crate) async fn stop(self) {
        self.until.send(Until::Now).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

struct Onlooker {
    conditions: watch::Sender<Vec<Condition>>,
    batches: watch::Sender<usize>,
}

impl Observer<Toy> for Onlooker {
    fn condition(&mut self, condition: &Condition) {
        self.conditions.send_modify(|seen| seen.push(condition.clone()));
    }

    fn committed(&mut self, batch: &Committed<'_, Toy>) {
        assert_eq!(batch.judgements.len(), batch.batch.alerts.len());
        self.batches.send_modify(|batches| *batches += 1);
    }
}

fn onlooker() -> (Onlooker, (watch::Receiver<Vec<Condition>>, watch::Receiver<usize>)) {
    let (conditions, batches) = (watch::Sender::default(), watch::Sender::default());
    let seen = (conditions.subscribe(), batches.subscribe());
    (Onlooker { conditions, batches }, seen)
}

pub(crate) fn settings() -> PipelineSettings<Toy> {
    PipelineSettings::new(|_| Duration::from_mins(1))
}

pub(crate) fn start(broker: &Broker, until: Until, settings: PipelineSettings<Toy>) -> Daemon {
    let (until, until_receiver) = watch::channel(until);
    let (rules, rules_receiver) = watch::channel(Arc::new("base"));
    let (onlooker, (conditions, batches)) = onlooker();
    let toy = Arc::new(Toy::default());
    let limits = Limits::default();
    let ports = Ports { source: broker.clone(), sink: broker.clone(), lookup: limits.clone() };
    let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
    let pipeline = Pipeline::new(Arc::clone(&toy), settings, ports, clock, rules_receiver).observed_by(onlooker);
    Daemon { until, rules, toy, limits, conditions, batches, task: tokio::spawn(pipeline.run(until_receiver)) }
}

/// Two topics: an account's first amount on one, its second on the other, in later commits.
pub(crate) fn pairs(broker: &Broker, accounts: u64) {
    let (a, b) = (partition("memory.a"), partition("memory.b"));
    for n in 0..accounts {
        let offset = i64::try_from(n).unwrap();
        broker.append(record(a, offset, 2 * n + 1, &format!("K{n}"), offset));
        broker.append(record(b, offset, 2 * n + 2, &format!("K{n}"), 1000));
    }
}

pub(crate) fn both() -> [Partition; 2] {
    [partition("memory.a"), partition("memory.b")]
}

pub(crate) fn expected(accounts: u64) -> Vec<String> {
    (0..accounts).map(|n| format!("base:K{n}:{n}+1000:100")).collect()
}
