//! The pipeline on ports in memory, with paused time.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod daemon;
mod in_flight;
#[path = "../pipeline_support/mod.rs"]
mod pipeline_support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon::{both, expected, ms, pairs, partition, settings, start};
use pipeline_support::memory::Broker;
use pipeline_support::toy::record;
use tidewaiter::engine::pipeline::{Condition, PipelineError, PipelineSettings, Until};
use tidewaiter::engine::ports::CommitError;
use tokio::time::sleep;

async fn is_revoked_at_once(broker: &Broker) {
    let asked = tokio::time::Instant::now();
    broker.revoke().await.unwrap_err();
    assert!(asked.elapsed() < ms(10), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_drained_run_gives_every_alert_once_in_order_and_closes_what_is_open() {
    let broker = Broker::with(&both());
    pairs(&broker, 50);
    broker.append(record(partition("memory.a"), 50, 1000, "alone", 7));
    start(&broker, Until::Drained, settings()).task.await.unwrap().unwrap();
    let mut alerts = expected(50);
    alerts.push("base:alone:7:100".to_owned());
    assert_eq!(broker.alerts(), alerts);
    assert_eq!(broker.offsets(), [(both()[0], 51), (both()[1], 50)].into());
    assert!(broker.closed());
}

#[tokio::test(start_paused = true)]
async fn any_batch_size_gives_the_same_alerts() {
    for size in [1, 2, 3, 7, 100] {
        let broker = Broker::with(&both());
        pairs(&broker, 20);
        let settings = PipelineSettings { max_records: size, max_changes: size, ..settings() };
        start(&broker, Until::Drained, settings).task.await.unwrap().unwrap();
        assert_eq!(broker.alerts(), expected(20), "batches of {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_repeated_whole_and_nothing_is_lost_or_doubled() {
    let broker = Broker::with(&both());
    pairs(&broker, 20);
    for _ in 0..3 {
        broker.refuse(CommitError::Repeat("broker away".to_owned()));
    }
    let settings = PipelineSettings { max_changes: 5, ..settings() };
    let daemon = start(&broker, Until::Drained, settings);
    daemon.task.await.unwrap().unwrap();
    assert_eq!(broker.alerts(), expected(20));
    assert_eq!(broker.attempts(), broker.batches().len() + 3);
    assert!(daemon.conditions.borrow().contains(&Condition::SinkUnavailable("broker away".to_owned())));
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::Running));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_lost_is_read_again_from_what_was_committed_and_nothing_is_lost_or_doubled() {
    let broker = Broker::with(&both());
    pairs(&broker, 20);
    for _ in 0..2 {
        broker.refuse(CommitError::Lost("generation is over".to_owned()));
    }
    let settings = PipelineSettings { max_changes: 5, ..settings() };
    start(&broker, Until::Drained, settings).task.await.unwrap().unwrap();
    assert_eq!(broker.alerts(), expected(20));
    assert_eq!(broker.attempts(), broker.batches().len() + 2);
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_between_two_batches_loses_and_doubles_nothing_of_what_was_judged() {
    let broker = Broker::with(&both());
    pairs(&broker, 10);
    let daemon = start(&broker, Until::Told, settings());
    sleep(ms(5000)).await;
    assert_eq!(broker.alerts(), expected(10));
    broker.revoke().await.unwrap_err();
    broker.assign();
    let (a, b) = (both()[0], both()[1]);
    broker.append(record(a, 10, 21, "K10", 10));
    broker.append(record(b, 10, 22, "K10", 1000));
    sleep(ms(5000)).await;
    assert_eq!(broker.alerts(), expected(11));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_go_on_stops_the_run_with_its_hint() {
    let broker = Broker::with(&both());
    pairs(&broker, 1);
    broker.refuse(CommitError::Stop { detail: "not authorised".to_owned(), hint: Some("grant Write".to_owned()) });
    let error = start(&broker, Until::Drained, settings()).task.await.unwrap().unwrap_err();
    assert_eq!((error.to_string().as_str(), error.hint()), ("not authorised", Some("grant Write")));
    assert_eq!(broker.batches(), []);
    assert!(broker.closed());
}

#[tokio::test(start_paused = true)]
async fn while_the_lookup_is_away_nothing_is_emitted_and_then_everything_is() {
    let broker = Broker::with(&both());
    pairs(&broker, 3);
    let daemon = start(&broker, Until::Told, settings());
    *daemon.limits.away.lock().unwrap() = true;
    sleep(Duration::from_mins(2)).await;
    assert_eq!(broker.alerts(), Vec::<String>::new());
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::LookupUnavailable("limits are away".to_owned())));
    *daemon.limits.away.lock().unwrap() = false;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(broker.alerts(), expected(3));
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::Running));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_schema_registry_is_away_nothing_is_passed_over_and_then_everything_is_read() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    daemon.toy.registry_is_away.store(true, Ordering::Relaxed);
    pairs(&broker, 3);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(broker.batches(), []);
    assert!(matches!(daemon.conditions.borrow().last(), Some(Condition::RegistryUnavailable(_))));
    daemon.toy.registry_is_away.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(7)).await;
    assert_eq!(broker.alerts(), expected(3));
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::Running));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn records_whose_schemas_are_under_way_hold_up_the_merge_one_by_one_and_are_no_trouble() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    *daemon.toy.schemas_come_late.lock().unwrap() = Some(Vec::new());
    pairs(&broker, 50);
    // a tenth of a second for each of a hundred records: pauses do not grow from one to the next
    sleep(Duration::from_secs(12)).await;
    assert_eq!(broker.alerts(), expected(50));
    assert_eq!(*daemon.conditions.borrow(), [Condition::Running], "ready all the time");
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_answered_at_once_although_the_registry_is_away() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    daemon.toy.registry_is_away.store(true, Ordering::Relaxed);
    pairs(&broker, 3);
    sleep(Duration::from_secs(30)).await;
    is_revoked_at_once(&broker).await;
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_answered_at_once_although_the_lookup_is_away() {
    let broker = Broker::with(&both());
    pairs(&broker, 3);
    let daemon = start(&broker, Until::Told, settings());
    *daemon.limits.away.lock().unwrap() = true;
    sleep(Duration::from_secs(30)).await;
    is_revoked_at_once(&broker).await;
    *daemon.limits.away.lock().unwrap() = false;
    broker.assign();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(broker.alerts(), expected(3));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_lookup_that_is_away_and_commits_nothing_of_the_batch() {
    let broker = Broker::with(&both());
    pairs(&broker, 3);
    let daemon = start(&broker, Until::Told, settings());
    *daemon.limits.away.lock().unwrap() = true;
    sleep(Duration::from_secs(30)).await;
    let asked = tokio::time::Instant::now();
    daemon.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(3));
    // what came before the first case to be judged, at most
    assert_eq!(broker.alerts(), Vec::<String>::new());
    assert!(broker.closed());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_the_middle_of_a_batch_is_not_missed() {
    for wait in 0..12 {
        let broker = Broker::with(&both());
        pairs(&broker, 3);
        let daemon = start(&broker, Until::Told, settings());
        broker.delay_commits(ms(10));
        // from before the batch to after it, a look at every step in between
        sleep(ms(15 + wait)).await;
        let asked = tokio::time::Instant::now();
        daemon.until.send(Until::Now).unwrap();
        daemon.task.await.unwrap().unwrap();
        assert!(asked.elapsed() < ms(100), "asked {wait} ms on, took {:?}", asked.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn equal_questions_are_asked_once_a_batch() {
    let broker = Broker::with(&both()[..1]);
    for offset in 0..4 {
        let commit = u64::try_from(offset).unwrap() + 1;
        broker.append(record(both()[0], offset, commit, "K", offset));
    }
    let daemon = start(&broker, Until::Drained, settings());
    daemon.task.await.unwrap().unwrap();
    assert_eq!(broker.alerts(), ["base:K:0+1:100", "base:K:2+3:100"]);
    assert_eq!(*daemon.limits.asked.lock().unwrap(), [["K".to_owned()]]);
}

#[tokio::test(start_paused = true)]
async fn the_merge_waits_max_idle_for_a_partition_without_records_and_then_goes_on() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, PipelineSettings { max_idle: ms(500), max_age: ms(20), ..settings() });
    sleep(ms(5000)).await;
    broker.append(record(both()[0], 0, 1, "K", 1));
    broker.append(record(both()[0], 1, 2, "K", 2));
    sleep(ms(499)).await;
    assert_eq!(broker.alerts(), Vec::<String>::new(), "however long the other was idle before");
    sleep(ms(30)).await;
    assert_eq!(broker.alerts(), ["base:K:1+2:100"]);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_within_max_idle_takes_its_place_in_commit_order_although_others_went_ahead_before() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    // a steady stream on one partition, so that the merge passes over the other again and again
    for n in 0..20_i64 {
        broker.append(record(both()[0], n, u64::try_from(n * 10 + 10).unwrap(), &format!("S{n}"), 0));
        sleep(ms(100)).await;
    }
    // commit 302 comes 300 ms before commit 301
    broker.append(record(both()[0], 20, 302, "K", 2));
    sleep(ms(300)).await;
    broker.append(record(both()[1], 0, 301, "K", 1));
    sleep(ms(1500)).await;
    assert!(broker.alerts().contains(&"base:K:1+2:100".to_owned()), "{:?}", broker.alerts());
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waited_long_enough_goes_on_in_one_batch_and_what_came_later_waits_for_its_own_time() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    for offset in 0..1000 {
        broker.append(record(both()[0], offset, u64::try_from(offset).unwrap() + 1, &format!("K{}", offset / 2), 1));
    }
    sleep(ms(300)).await;
    broker.append(record(both()[0], 1000, 1001, "late", 1));
    broker.append(record(both()[0], 1001, 1002, "late", 1));
    sleep(ms(300)).await;
    assert_eq!((broker.alerts().len(), broker.attempts()), (500, 1));
    sleep(ms(300)).await;
    assert_eq!(broker.alerts().last().unwrap(), "base:late:1+1:100");
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_merge_never_outruns_a_partition_that_has_more_to_offer() {
    let broker = Broker::with(&both());
    broker.lag(both()[1], true);
    let daemon = start(&broker, Until::Told, settings());
    broker.append(record(both()[0], 0, 10, "K", 2));
    broker.append(record(both()[0], 1, 20, "L", 2));
    sleep(Duration::from_hours(1)).await;
    assert_eq!(broker.batches(), []);
    broker.append(record(both()[1], 0, 5, "K", 1));
    broker.lag(both()[1], false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(broker.alerts(), ["base:K:1+2:100"]);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn silence_closes_what_is_open_and_names_the_offsets_again() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    broker.append(record(both()[0], 0, 1, "K", 1));
    sleep(Duration::from_millis(59_900)).await;
    assert_eq!((broker.batches().len(), broker.alerts()), (1, Vec::new()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(broker.alerts(), ["base:K:1:100"]);
    assert_eq!(broker.batches()[1].offsets, [(both()[0], 1)].into());
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_out_of_reach_is_not_silence() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    broker.append(record(both()[0], 0, 1, "K", 1));
    sleep(Duration::from_secs(30)).await;
    broker.lag(both()[1], true);
    sleep(Duration::from_mins(10)).await;
    assert_eq!(broker.alerts(), Vec::<String>::new());
    broker.lag(both()[1], false);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(broker.alerts(), ["base:K:1:100"]);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_heartbeats_configured_silence_without_them_closes_nothing() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, PipelineSettings { heartbeats: true, ..settings() });
    broker.append(record(both()[0], 0, 1, "K", 1));
    sleep(Duration::from_mins(10)).await;
    assert_eq!(broker.alerts(), Vec::<String>::new());
    for _ in 0..8 {
        broker.heartbeat();
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(broker.alerts(), ["base:K:1:100"]);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn rules_change_between_batches() {
    let broker = Broker::with(&both()[..1]);
    let daemon = start(&broker, Until::Told, settings());
    for offset in 0..2 {
        broker.append(record(both()[0], offset, u64::try_from(offset).unwrap() + 1, "K", offset));
    }
    sleep(Duration::from_secs(1)).await;
    daemon.rules.send(Arc::new("other")).unwrap();
    for offset in 2..4 {
        broker.append(record(both()[0], offset, u64::try_from(offset).unwrap() + 1, "K", offset));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(broker.alerts(), ["base:K:0+1:100", "other:K:2+3:100"]);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_far_ahead_is_held_until_the_other_has_caught_up_and_one_that_is_waited_for_never() {
    let broker = Broker::with(&both());
    broker.lag(both()[1], true);
    let daemon = start(&broker, Until::Told, PipelineSettings { max_buffered_bytes: 2_000, max_records: 10, ..settings() });
    for offset in 0..100 {
        broker.append(record(both()[0], offset, u64::try_from(offset).unwrap() + 1, &format!("A{offset}"), 0));
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(broker.held(), [both()[0]]);
    // one commit of 100 records, many times the bound
    for offset in 0..100 {
        broker.append(record(both()[1], offset, 500, &format!("B{offset}"), 0));
    }
    broker.append(record(both()[1], 100, 501, "B", 0));
    broker.lag(both()[1], false);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(broker.held(), []);
    assert_eq!(broker.offsets(), [(both()[0], 100), (both()[1], 101)].into());
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn bad_records_go_out_whole_with_the_batch_that_passes_them() {
    let broker = Broker::with(&both()[..1]);
    let mut bad = record(both()[0], 0, 1, "K", 1);
    bad.value = Some(b"not json".to_vec());
    broker.append(bad.clone());
    start(&broker, Until::Drained, settings()).task.await.unwrap().unwrap();
    let batches = broker.batches();
    let [letter] = batches[0].dead_letters.as_slice() else { panic!("{batches:?}") };
    assert_eq!((&letter.key, &letter.value, &*letter.headers), (&bad.key, &bad.value, &*bad.headers));
    assert_eq!((letter.origin, letter.timestamp_ms), (bad.origin, bad.timestamp_ms));
    assert_eq!(letter.reason, "not_toy");
}

/// A database that was rebuilt: positions start over, event times go on.
fn rebuilt(broker: &Broker) {
    broker.append(record(both()[0], 0, 100, "K", 1));
    let mut fallen = record(both()[0], 1, 5, "L", 1);
    fallen.value = Some(br#"{"at":200000,"commit":5,"account":"L","amount":1}"#.to_vec());
    broker.append(fallen);
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_source_stops_a_drain_and_holds_a_daemon_in_its_place() {
    let broker = Broker::with(&both()[..1]);
    rebuilt(&broker);
    let error = start(&broker, Until::Drained, settings()).task.await.unwrap().unwrap_err();
    assert!(matches!(error, PipelineError::Rebuilt(_)), "{error}");

    let broker = Broker::with(&both()[..1]);
    rebuilt(&broker);
    let daemon = start(&broker, Until::Told, settings());
    sleep(Duration::from_mins(2)).await;
    assert!(matches!(daemon.conditions.borrow().last(), Some(Condition::RebuiltSource(_))));
    assert_eq!(broker.offsets(), [(both()[0], 1)].into(), "what came before it was applied");
    daemon.stop().await;
}
