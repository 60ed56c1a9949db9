//! Members that share an input, and a source that does not answer: the pipeline on ports in memory, with paused time.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod pipeline_support;

use std::sync::Arc;
use std::time::Duration;

use pipeline_support::memory::Broker;
use pipeline_support::toy::{Limits, Rules, Toy, record};
use tidewaiter::engine::Partition;
use tidewaiter::engine::pipeline::{Condition, Observer, Pipeline, PipelineError, PipelineSettings, Ports, Until};
use tidewaiter::engine::ports::{OwnedRecord, SharedInput};
use tidewaiter::event::Topic;
use tidewaiter::time::{ManualClock, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

struct Conditions(watch::Sender<Vec<Condition>>);

impl Observer<Toy> for Conditions {
    fn condition(&mut self, condition: &Condition) {
        self.0.send_modify(|seen| seen.push(condition.clone()));
    }
}

struct Member {
    until: watch::Sender<Until>,
    conditions: watch::Receiver<Vec<Condition>>,
    task: JoinHandle<Result<(), PipelineError>>,
    _rules: watch::Sender<Arc<Rules>>,
}

impl Member {
    fn start(broker: &Broker) -> Self {
        let (until, receiver) = watch::channel(Until::Told);
        let (rules, rules_receiver) = watch::channel(Arc::new("base"));
        let (seen, conditions) = watch::channel(Vec::new());
        let ports = Ports { source: broker.clone(), sink: broker.clone(), lookup: Limits::default() };
        let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
        let settings = PipelineSettings::new(|_| Duration::from_mins(1));
        let pipeline = Pipeline::new(Arc::new(Toy::default()), settings, ports, clock, rules_receiver);
        let task = tokio::spawn(pipeline.observed_by(Conditions(seen)).run(receiver));
        Self { until, conditions, task, _rules: rules }
    }

    fn condition(&self) -> Option<Condition> {
        self.conditions.borrow().last().cloned()
    }

    async fn stop(self) {
        self.until.send(Until::Now).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn partition() -> Partition {
    Partition { topic: Topic::intern("sharing.input"), partition: 0 }
}

fn keyed(offset: i64) -> OwnedRecord {
    record(partition(), offset, u64::try_from(offset).unwrap() + 1, &format!("K{}", offset / 2), offset)
}

fn keyed_otherwise(offset: i64) -> OwnedRecord {
    OwnedRecord { key: Some(b"{\"id\":1}".to_vec()), ..keyed(offset) }
}

fn sample(records: Vec<OwnedRecord>) -> SharedInput {
    SharedInput { scattered: None, sample: records }
}

async fn moment() {
    sleep(Duration::from_secs(2)).await;
}

fn is_refusal(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Scattered(_)) && error.hint().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_member_alone_works_with_any_keying() {
    let broker = Broker::with(&[partition()]);
    (0..4).for_each(|offset| broker.append(keyed_otherwise(offset)));
    let member = Member::start(&broker);
    moment().await;
    assert_eq!(broker.alerts(), ["base:K0:0+1:100", "base:K1:2+3:100"]);
    member.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_to_share_topics_keyed_otherwise_stops_before_it_reads_anything() {
    for shared in [
        sample(vec![keyed(0), keyed_otherwise(1)]),
        SharedInput { scattered: Some("the topics differ".to_owned()), ..SharedInput::default() },
    ] {
        let broker = Broker::with(&[partition()]);
        (0..2).for_each(|offset| broker.append(keyed(offset)));
        broker.announce(shared);
        let error = Member::start(&broker).task.await.unwrap().unwrap_err();
        assert!(is_refusal(&error), "{error}");
        assert!(broker.batches().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_counts_is_how_the_newest_record_of_a_topic_is_keyed() {
    let broker = Broker::with(&[partition()]);
    (0..2).for_each(|offset| broker.append(keyed(offset)));
    broker.announce(sample(vec![keyed(7), keyed_otherwise(6)]));
    let member = Member::start(&broker);
    moment().await;
    assert_eq!(broker.alerts(), ["base:K0:0+1:100"]);
    member.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_shares_stops_before_a_record_that_is_keyed_otherwise() {
    let broker = Broker::with(&[partition()]);
    broker.announce(sample(Vec::new()));
    let member = Member::start(&broker);
    (0..2).for_each(|offset| broker.append(keyed(offset)));
    moment().await;
    (2..4).for_each(|offset| broker.append(keyed_otherwise(offset)));
    let error = member.task.await.unwrap().unwrap_err();
    assert!(is_refusal(&error) && error.to_string().contains("sharing.input/0/2"), "{error}");
    assert_eq!(broker.alerts(), ["base:K0:0+1:100"]);
    assert_eq!(broker.offsets(), [(partition(), 2)].into());
}

#[tokio::test(start_paused = true)]
async fn the_member_that_was_alone_waits_for_the_others_to_go_and_then_goes_on() {
    let broker = Broker::with(&[partition()]);
    let member = Member::start(&broker);
    (0..3).for_each(|offset| broker.append(keyed_otherwise(offset)));
    moment().await;
    broker.revoke().await.unwrap_err();
    broker.assign();
    broker.announce(sample(vec![keyed_otherwise(2)]));
    moment().await;
    assert!(matches!(member.condition(), Some(Condition::Scattered(_))), "{:?}", member.condition());
    // it reads nothing more, also of what is keyed well
    (3..6).for_each(|offset| broker.append(keyed(offset)));
    moment().await;
    broker.unavailable("and the brokers are away");
    moment().await;
    assert!(matches!(member.condition(), Some(Condition::Scattered(_))), "{:?}", member.condition());
    assert_eq!(broker.offsets(), [(partition(), 3)].into());

    broker.revoke().await.unwrap_err();
    broker.assign();
    moment().await;
    assert_eq!(member.condition(), Some(Condition::Running));
    assert_eq!(broker.alerts(), ["base:K0:0+1:100", "base:K1:2+3:100", "base:K2:4+5:100"]);
    member.stop().await;
}

#[tokio::test(start_paused = true)]
async fn brokers_that_do_not_answer_are_told_of_and_waited_for() {
    let broker = Broker::with(&[partition()]);
    (0..2).for_each(|offset| broker.append(keyed(offset)));
    broker.unavailable("no committed offsets");
    broker.delay_restore("no end of the changelog");
    let member = Member::start(&broker);
    moment().await;
    let away = |why: &str| Condition::SourceUnavailable(why.to_owned());
    assert_eq!(*member.conditions.borrow(), [away("no committed offsets"), away("no end of the changelog"), Condition::Running]);
    assert_eq!(broker.alerts(), ["base:K0:0+1:100"]);
    member.stop().await;
}
