//! The changelog: its bytes, which an upgrade must not change without a word, and what becomes of offsets that differ from it.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod pipeline_support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use pipeline_support::memory::Broker;
use pipeline_support::toy::{Limits, Toy, record};
use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::settings::LendingRules;
use tidewaiter::engine::lookup::{Lookup, LookupError};
use tidewaiter::engine::pipeline::{Pipeline, PipelineError, PipelineSettings, Ports, Until};
use tidewaiter::engine::ports::{OwnedRecord, StateChange};
use tidewaiter::engine::{Domain, Partition};
use tidewaiter::event::{Formats, Origin, Topic};
use tidewaiter::time::{ManualClock, Timestamp};
use tokio::sync::watch;
use tokio::time::sleep;

struct NothingKnown;

impl Lookup<Question, Answer> for NothingKnown {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        Ok(vec![Answer::default(); questions.len()])
    }
}

fn partition(table: &str) -> Partition {
    Partition { topic: Topic::intern(&format!("changelog.db.dbo.{table}")), partition: 0 }
}

fn lending(table: &str, offset: i64, second: i64, op: &str, before: &str, after: &str) -> OwnedRecord {
    let ms = 1_768_208_400_000 + second * 1000;
    let value = format!(
        r#"{{"before":{before},"after":{after},"source":{{"db":"db","schema":"dbo","table":"{table}","ts_ms":{ms},
        "commit_lsn":"0000002b:{second:08x}:0002","change_lsn":"0000002b:{second:08x}:0001","event_serial_no":1}},"op":"{op}"}}"#
    );
    let origin = Origin { topic: partition(table).topic, partition: 0, offset };
    OwnedRecord { origin, timestamp_ms: Some(ms), key: None, value: Some(value.into_bytes()), headers: [].into() }
}

fn agreement(balance: &str, settled: bool) -> String {
    format!(
        r#"{{"AgreementNumber":"FRH0000001","AgreementCurrentBalanceNET":"{balance}","AgreementSettledFlag":{settled},
        "AgreementCustomerNumber":"C1","AgreementBorrowers":"C1 C2","AgreementAgreementTypeID":205,
        "AgreementSettledDate":"2026-01-12","AgreementContractEndDate":"2027-01-12","AgreementAutoStatus":"SETTLED"}}"#
    )
}

fn payment(counter: i64, amount: &str) -> String {
    format!(
        r#"{{"TransCounter":{counter},"TransAgreementNumber":"FRH0000001","TransDate":"2026-01-12","TransTypeID":7,
        "TransNetPayment":"{amount}"}}"#
    )
}

/// Runs until everything that is there was committed, leaving open what is.
async fn run<D: Domain>(
    domain: D,
    broker: &Broker,
    lookup: impl Lookup<D::Question, D::Answer> + 'static,
    rules: D::Rules,
) -> Result<(), PipelineError> {
    let (until, receiver) = watch::channel(Until::Told);
    let (_rules, rules) = watch::channel(Arc::new(rules));
    let ports = Ports { source: broker.clone(), sink: broker.clone(), lookup };
    let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
    // a batch for each, so that windows are written as each change leaves them
    let settings = PipelineSettings { max_changes: 1, ..PipelineSettings::new(|_| Duration::from_hours(1)) };
    let task = tokio::spawn(Pipeline::new(Arc::new(domain), settings, ports, clock, rules).run(receiver));
    sleep(Duration::from_secs(5)).await;
    // it may have ended by itself
    until.send(Until::Now).ok();
    task.await.unwrap()
}

fn hex(changes: &[StateChange]) -> String {
    let mut text = String::new();
    for StateChange { partition, key, value } in changes {
        write!(text, "{partition} {key} ").unwrap();
        match value {
            Some(value) => value.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap()),
            None => text.push_str("(nothing)"),
        }
        text.push('\n');
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_the_changelog_are_as_they_were_or_its_versions_are_raised() {
    let broker = Broker::with(&[partition("Transaction"), partition("Agreement")]);
    // a movement that waits, a balance change that waits, a settlement that waits for the movement
    broker.append(lending("Transaction", 0, 1, "c", "null", &payment(1, "154.11")));
    broker.append(lending("Agreement", 0, 2, "u", &agreement("1000.00", false), &agreement("899.5", false)));
    broker.append(lending("Agreement", 1, 3, "u", &agreement("899.5", false), &agreement("899.5", true)));
    let domain = Lending::new(Decoder::new(&Formats::default()));
    run(domain, &broker, NothingKnown, LendingRules::shipped()).await.unwrap();
    let changes: Vec<_> = broker.batches().into_iter().flat_map(|batch| batch.changelog).collect();
    insta::assert_snapshot!(hex(&changes));
}

fn toy() -> Partition {
    Partition { topic: Topic::intern("changelog.toy"), partition: 0 }
}

/// Three of four records were committed by an earlier member; something is open.
async fn committed() -> Broker {
    let broker = Broker::with(&[toy()]);
    (0..3).for_each(|n| broker.append(record(toy(), n, u64::try_from(n).unwrap() + 1, &format!("K{}", n / 2), n)));
    run(Toy::default(), &broker, Limits::default(), "base").await.unwrap();
    assert_eq!((broker.offsets(), broker.alerts().len()), ([(toy(), 3)].into(), 1));
    broker.append(record(toy(), 3, 4, "K1", 3));
    broker
}

async fn next_member(broker: &Broker) -> Result<(), PipelineError> {
    broker.assign();
    run(Toy::default(), broker, Limits::default(), "base").await
}

#[tokio::test(start_paused = true)]
async fn offsets_and_changelog_that_agree_are_read_on_from() {
    let broker = committed().await;
    next_member(&broker).await.unwrap();
    assert_eq!(broker.alerts(), ["base:K0:0+1:100", "base:K1:2+3:100"]);
}

#[tokio::test(start_paused = true)]
async fn offsets_that_are_gone_are_those_of_the_changelog() {
    let broker = committed().await;
    broker.tamper(|batches| batches.iter_mut().for_each(|batch| batch.offsets.clear()));
    next_member(&broker).await.unwrap();
    assert_eq!(broker.alerts(), ["base:K0:0+1:100", "base:K1:2+3:100"]);
    assert_eq!(broker.offsets(), [(toy(), 4)].into());
}

#[tokio::test(start_paused = true)]
async fn a_changelog_that_is_gone_stops_with_a_hint_and_commits_nothing() {
    let broker = committed().await;
    broker.tamper(|batches| batches.iter_mut().for_each(|batch| batch.changelog.clear()));
    let before = broker.batches().len();
    let error = next_member(&broker).await.unwrap_err();
    assert!(error.to_string().contains("the changelog knows nothing of it"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("delete the changelog topic")));
    assert_eq!(broker.batches().len(), before);
}

#[tokio::test(start_paused = true)]
async fn offsets_moved_by_hand_either_way_stop_with_both_positions_and_commit_nothing() {
    for moved in [2, 4] {
        let broker = committed().await;
        broker.tamper(|batches| batches.last_mut().unwrap().offsets.extend([(toy(), moved)]));
        let before = broker.batches().len();
        let error = next_member(&broker).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains(&format!("committed offset {moved} of")) && told.contains("as of 3"), "{told}");
        assert!(error.hint().is_some_and(|hint| hint.contains("set the offset back to 3")));
        assert_eq!(broker.batches().len(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn offsets_that_were_read_before_somebody_else_committed_are_read_again() {
    let broker = committed().await;
    let move_to = |offset| broker.tamper(|batches| batches.last_mut().unwrap().offsets.extend([(toy(), offset)]));
    move_to(2);
    broker.assign();
    // another member of the same name commits before the changelog is read
    move_to(3);
    run(Toy::default(), &broker, Limits::default(), "base").await.unwrap();
    assert_eq!(broker.alerts(), ["base:K0:0+1:100", "base:K1:2+3:100"]);
    assert_eq!(broker.offsets(), [(toy(), 4)].into());
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_unknown_version_stops_with_its_place() {
    let broker = committed().await;
    broker.tamper(|batches| {
        let changes = batches.iter_mut().flat_map(|batch| &mut batch.changelog);
        changes.filter_map(|change| change.value.as_mut()).for_each(|value| value[0] += 1);
    });
    let error = next_member(&broker).await.unwrap_err();
    assert!(error.to_string().contains("has version 2, this program knows 1"), "{error}");
    assert!(error.to_string().contains("changelog/0/"), "{error}");
}
