//! The pipeline on a simulated broker, with something going wrong at every step: a crash, a shutdown, a lost acknowledgement, a commit
//! that is refused, a rebalance, offsets that expired, a look-up that is slow or fails, a connector that delivers again.
//! What is committed in the end must be what a run in peace commits.
//!
//! Everything follows from a seed, time included. A seed that fails is printed; `TIDEWAITER_SEED=n` runs that one, and
//! `TIDEWAITER_SEEDS=n` that many.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod input;
#[path = "../pipeline_support/mod.rs"]
mod pipeline_support;
mod world;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use input::{Input, Random};
use pipeline_support::toy::Toy;
use tidewaiter::engine::pipeline::{Pipeline, PipelineSettings, Ports, Until};
use tidewaiter::time::{ManualClock, Timestamp};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use world::{Faults, Member, MemberSink, World};

/// Runs members on the input until everything is committed, then closes what is open.
async fn run(input: &Input, members: u64, faults: Option<Faults>, seed: u64) -> Vec<String> {
    let world = World::new(input, seed, faults);
    let (until, told) = watch::channel(Until::Told);
    let tasks: Vec<_> = (0..members).map(|id| tokio::spawn(live(world.clone(), id, seed, told.clone()))).collect();
    if faults.is_some() {
        for _ in 0..world.random(4) {
            sleep(Duration::from_millis(world.random(60))).await;
            world.rebalance();
        }
        sleep(Duration::from_millis(world.random(400))).await;
        world.be_at_peace();
    }
    let start = tokio::time::Instant::now();
    while !world.is_done(usize::try_from(members).unwrap()) {
        assert!(start.elapsed() < Duration::from_mins(30), "it does not come to an end: {world:?}");
        sleep(Duration::from_millis(20)).await;
    }
    until.send(Until::Drained).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    world.alerts()
}

/// A member that comes back whenever it crashed, or was shut down where it would have.
async fn live(world: World, id: u64, seed: u64, mut until: watch::Receiver<Until>) {
    loop {
        let (crash, crashed) = world.join(id);
        let mut random = Random::new(seed ^ id);
        let mut settings = PipelineSettings::new(|_| Duration::from_hours(10));
        settings.max_records = usize::try_from(1 + random.below(9)).unwrap();
        settings.max_changes = usize::try_from(1 + random.below(9)).unwrap();
        settings.max_age = Duration::from_millis(random.below(20));
        let member = Member::new(world.clone(), id, crash);
        let ports = Ports { source: member.clone(), sink: member.sink(), lookup: member };
        let (_, rules) = watch::channel(Arc::new("base"));
        let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
        let pipeline = Pipeline::new(Arc::new(Toy::default()), settings, ports, clock, rules);
        if has_ended_well(pipeline, crashed, &mut until, || world.random(3) == 0).await {
            return;
        }
        world.leave(id);
        sleep(Duration::from_millis(world.random(50))).await;
    }
}

type Simulated = Pipeline<Toy, Member, MemberSink, Member>;

/// Whether it ran to the end, or to where it was to crash: there it crashes, or is shut down.
async fn has_ended_well(
    pipeline: Simulated,
    mut crashed: oneshot::Receiver<()>,
    until: &mut watch::Receiver<Until>,
    is_shut_down: impl Fn() -> bool,
) -> bool {
    let (tell, told) = watch::channel(Until::Told);
    let mut life = pin!(pipeline.run(told));
    loop {
        tokio::select! {
            biased;
            _ = &mut crashed => break,
            result = &mut life => {
                result.unwrap();
                return true;
            }
            changed = until.changed() => {
                changed.unwrap();
                tell.send(*until.borrow()).unwrap();
            }
        }
    }
    if is_shut_down() {
        tell.send(Until::Now).unwrap();
        life.await.unwrap();
    }
    false
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().unwrap())
}

/// Runs a test with many seeds, in paused time.
fn with_seeds(count: u64, test: impl AsyncFn(u64)) {
    let seeds = match number("TIDEWAITER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDEWAITER_SEEDS").unwrap_or(count),
    };
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(test(seed))));
        if let Err(panic) = outcome {
            eprintln!("seed {seed} fails: TIDEWAITER_SEED={seed} runs it alone");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn one_member_with_any_keying_commits_exactly_the_alerts_of_a_run_in_peace_in_their_order() {
    with_seeds(1500, async |seed| {
        let input = Input::any_keying(seed);
        let peace = run(&input, 1, None, seed).await;
        assert!(peace.len() > 10, "{peace:?}");
        assert_eq!(run(&input, 1, Some(Faults::of(seed)), seed).await, peace);
    });
}

#[test]
fn members_that_come_and_go_commit_each_alert_of_a_run_in_peace_once() {
    with_seeds(1000, async |seed| {
        let input = Input::co_partitioned(seed);
        let mut peace = run(&input, 1, None, seed).await;
        assert!(peace.len() > 10, "{peace:?}");
        let members = 1 + seed % 3;
        let mut alerts = run(&input, members, Some(Faults::of(seed)), seed).await;
        peace.sort();
        alerts.sort();
        assert_eq!(alerts, peace);
    });
}

#[test]
fn without_its_changelog_the_same_seeds_would_lose_alerts() {
    // the simulation itself is worth something: it sees what it is there to see
    let lossy = |seed| Faults { forgets_windows: true, ..Faults::of(seed) };
    let different = std::sync::atomic::AtomicU64::new(0);
    with_seeds(20, async |seed| {
        let input = Input::any_keying(seed);
        if run(&input, 1, Some(lossy(seed)), seed).await != run(&input, 1, None, seed).await {
            different.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert!(different.into_inner() > 0);
}
