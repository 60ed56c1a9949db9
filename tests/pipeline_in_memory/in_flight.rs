//! One batch is being committed while the next is judged.

use std::sync::Arc;
use std::time::Duration;

use tidewaiter::engine::pipeline::{Condition, PipelineSettings, Until};
use tidewaiter::engine::ports::CommitError;
use tokio::time::sleep;

use crate::daemon::{Daemon, both, expected, ms, settings, start};
use crate::pipeline_support::memory::Broker;
use crate::pipeline_support::toy::{Toy, record};

/// Both amounts of an account in one commit.
fn pair(broker: &Broker, n: i64) {
    for (partition, amount) in both().into_iter().zip([n, 1000]) {
        broker.append(record(partition, n, u64::try_from(n).unwrap() + 1, &format!("K{n}"), amount));
    }
}

/// A batch that has no room for more is judged at once.
fn full_by_a_pair() -> PipelineSettings<Toy> {
    PipelineSettings { max_changes: 2, ..settings() }
}

/// As long as a test looks at a commit in flight.
const SLOW: Duration = Duration::from_secs(5);

fn away() -> CommitError {
    CommitError::Repeat("broker away".to_owned())
}

/// A batch that is being committed, the first time perhaps in vain.
async fn one_in_flight(refusal: Option<CommitError>) -> (Broker, Daemon) {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    broker.delay_commits(SLOW);
    if let Some(refusal) = refusal {
        broker.refuse(refusal);
    }
    pair(&broker, 0);
    sleep(ms(600)).await;
    (broker, daemon)
}

/// A batch that is being committed, and another that was judged meanwhile.
async fn two_batches(broker: &Broker, daemon: &Daemon) {
    for n in [0, 1] {
        pair(broker, n);
        sleep(ms(600)).await;
    }
    assert_eq!(broker.batches(), []);
    assert_eq!(*daemon.limits.asked.lock().unwrap(), [["K0".to_owned()], ["K1".to_owned()]]);
}

#[tokio::test(start_paused = true)]
async fn while_a_batch_is_committed_the_next_is_judged_and_waits() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    broker.delay_commits(SLOW);
    two_batches(&broker, &daemon).await;
    sleep(SLOW).await;
    assert_eq!((broker.alerts(), broker.attempts()), (expected(1), 1));
    sleep(SLOW).await;
    assert_eq!(broker.alerts(), expected(2));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_while_the_next_waits_is_repeated_before_it() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    broker.delay_commits(SLOW);
    broker.refuse(away());
    two_batches(&broker, &daemon).await;
    sleep(SLOW * 4).await;
    assert_eq!((broker.alerts(), broker.attempts()), (expected(2), 3));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_batch_that_is_lost_goes_the_next_and_both_are_read_again() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    broker.delay_commits(SLOW);
    broker.refuse(CommitError::Lost("generation is over".to_owned()));
    two_batches(&broker, &daemon).await;
    sleep(SLOW * 4).await;
    assert_eq!(broker.alerts(), expected(2));
    assert_eq!(broker.offsets(), [(both()[0], 2), (both()[1], 2)].into());
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn partitions_go_when_the_batch_in_flight_is_durable_and_the_next_is_read_again() {
    let (broker, daemon) = one_in_flight(None).await;
    *daemon.limits.away.lock().unwrap() = true;
    pair(&broker, 1);
    sleep(ms(600)).await;
    assert_eq!(broker.batches(), []);
    broker.revoke().await.unwrap_err();
    assert_eq!(broker.alerts(), expected(1));
    *daemon.limits.away.lock().unwrap() = false;
    broker.assign();
    sleep(SLOW * 3).await;
    assert_eq!(broker.alerts(), expected(2));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_flight_is_repeated_although_the_answers_for_the_next_are_away() {
    let (broker, daemon) = one_in_flight(Some(away())).await;
    *daemon.limits.away.lock().unwrap() = true;
    pair(&broker, 1);
    sleep(SLOW * 3).await;
    assert_eq!(broker.alerts(), expected(1));
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::LookupUnavailable("limits are away".to_owned())));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_flight_is_repeated_and_told_although_no_answer_comes_for_the_next() {
    let (broker, daemon) = one_in_flight(Some(away())).await;
    *daemon.limits.hang.lock().unwrap() = true;
    pair(&broker, 1);
    sleep(SLOW * 3).await;
    assert_eq!((broker.alerts(), *daemon.batches.borrow()), (expected(1), 1));
    assert!(daemon.conditions.borrow().contains(&Condition::SinkUnavailable("broker away".to_owned())));
    assert_eq!(daemon.conditions.borrow().last(), Some(&Condition::Running));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_flight_is_told_when_it_is_durable_although_no_answer_comes_for_the_next() {
    let (broker, daemon) = one_in_flight(None).await;
    *daemon.limits.hang.lock().unwrap() = true;
    pair(&broker, 1);
    sleep(SLOW).await;
    assert_eq!(*daemon.batches.borrow(), 1);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_lost_are_let_go_at_once_whatever_is_in_flight() {
    let (broker, daemon) = one_in_flight(None).await;
    let asked = tokio::time::Instant::now();
    broker.lose_partitions().await.unwrap_err();
    assert_eq!((asked.elapsed(), broker.batches().len()), (Duration::ZERO, 0));
    broker.assign();
    sleep(SLOW * 2).await;
    assert_eq!(broker.alerts(), expected(1));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_before_a_rebuilt_source_says_so_although_the_batch_before_was_repeated() {
    let broker = Broker::with(&both()[..1]);
    broker.delay_commits(SLOW);
    broker.refuse(away());
    crate::rebuilt(&broker);
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    sleep(Duration::from_mins(2)).await;
    assert!(daemon.conditions.borrow().contains(&Condition::SinkUnavailable("broker away".to_owned())));
    assert!(matches!(daemon.conditions.borrow().last(), Some(Condition::RebuiltSource(_))));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_two_seconds_in_all_for_a_batch_in_flight_and_the_answers_for_the_next() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, full_by_a_pair());
    broker.delay_commits(Duration::from_mins(1));
    pair(&broker, 0);
    sleep(ms(600)).await;
    *daemon.limits.hang.lock().unwrap() = true;
    pair(&broker, 1);
    sleep(ms(600)).await;
    let asked = tokio::time::Instant::now();
    daemon.stop().await;
    assert_eq!(asked.elapsed().as_secs(), 2);
    assert!(broker.closed());
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_room_grows_until_the_one_before_it_is_durable_and_is_judged_by_the_rules_that_it_began_with() {
    let broker = Broker::with(&both());
    let daemon = start(&broker, Until::Told, settings());
    broker.delay_commits(SLOW);
    pair(&broker, 0);
    sleep(ms(600)).await;
    for n in [1, 2, 3] {
        pair(&broker, n);
        sleep(ms(600)).await;
        daemon.rules.send(Arc::new("later")).unwrap();
    }
    assert_eq!(*daemon.limits.asked.lock().unwrap(), [["K0".to_owned()]]);
    sleep(SLOW).await;
    let together = ["K1", "K2", "K3"].map(str::to_owned).to_vec();
    assert_eq!(*daemon.limits.asked.lock().unwrap(), [vec!["K0".to_owned()], together]);
    sleep(SLOW).await;
    assert_eq!((broker.alerts(), broker.batches().len()), (expected(4), 2));
    daemon.stop().await;
}
