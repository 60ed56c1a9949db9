//! Looks on as the pipeline works, and keeps what operators ask for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use metrics::gauge;
use serde_json::{Value, json};

use super::readiness::{has_records, lag, objections};
use super::recent::{PER_BATCH, Recent};
use crate::engine::alert::Judged;
use crate::engine::pipeline::{Committed, Condition, Observer};
use crate::engine::ports::Standing;
use crate::engine::{Domain, Key, Partition, StateStore};
use crate::telemetry::{LAG, OPEN, READY, STREAM_TIME_BEHIND};
use crate::time::{Clock, Timestamp};

/// How often the source is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What of a domain can be shown.
pub struct View<D: Domain> {
    /// The key as the engine spells it.
    pub key: Box<dyn Fn(&str) -> Key + Send + Sync>,
    /// Whose judgement this is.
    pub judged: fn(&D::Judgement) -> &Key,
    /// A window, for people.
    pub window: fn(&D::Window) -> Value,
    /// How many things of each kind are open in a window; the kinds are few, known beforehand and always the same.
    pub open: fn(&D::Window, &mut dyn FnMut(&'static str, usize)),
}

/// The pipeline's observer.
#[derive(Debug)]
pub struct Monitor<D: Domain>(Arc<Watched<D>>);

/// What is known of a pipeline from outside.
pub struct Watched<D: Domain> {
    pub(super) view: View<D>,
    seen: Mutex<Seen<D>>,
    standings: Box<dyn Fn() -> Vec<Standing> + Send + Sync>,
    stalled_after: Duration,
    /// Whether anybody may ask for verdicts; if not, none are kept.
    keeps_verdicts: bool,
    clock: Arc<dyn Clock>,
}

struct Seen<D: Domain> {
    condition: Condition,
    store: Option<Arc<StateStore<D::Window>>>,
    committed: BTreeMap<Partition, i64>,
    /// Since when there have been records though nothing was committed.
    waiting: Option<Instant>,
    stream_time: Option<Timestamp>,
    recent: Recent,
}

impl<D: Domain> Watched<D> {
    /// `standings` tells how far the source has read.
    pub fn new(
        view: View<D>,
        standings: impl Fn() -> Vec<Standing> + Send + Sync + 'static,
        stalled_after: Duration,
        keeps_verdicts: bool,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let seen = Seen {
            condition: Condition::Unassigned,
            store: None,
            committed: BTreeMap::new(),
            waiting: None,
            stream_time: None,
            recent: Recent::default(),
        };
        Arc::new(Self { view, seen: Mutex::new(seen), standings: Box::new(standings), stalled_after, keeps_verdicts, clock })
    }

    #[must_use]
    pub fn monitor(self: &Arc<Self>) -> Monitor<D> {
        Monitor(Arc::clone(self))
    }

    fn seen(&self) -> MutexGuard<'_, Seen<D>> {
        self.seen.lock().expect("no thread panics while it holds this lock")
    }

    /// All that stands against being ready.
    pub fn objections(&self) -> Vec<String> {
        let standings = (self.standings)();
        let seen = self.seen();
        let waiting = seen.waiting.map(|since| since.elapsed());
        objections(&seen.condition, waiting, self.stalled_after, &standings, &seen.committed)
    }

    /// What is open for a key and what was judged of it lately.
    pub(super) fn state(&self, key: &str) -> Value {
        let key = (self.view.key)(key);
        let (store, stream_time, verdicts) = {
            let seen = self.seen();
            (seen.store.clone(), seen.stream_time, seen.recent.of(&key))
        };
        let window = store.and_then(|store| store.get(&key));
        let verdicts: Vec<Value> = verdicts.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
        json!({
            "key": key.as_str(),
            "window": window.as_ref().map(self.view.window),
            "verdicts": verdicts,
            "stream_time": stream_time.map(|time| time.to_string()),
        })
    }

    /// Compares what was committed with what the source has read.
    fn look(&self) {
        let standings = (self.standings)();
        let mut seen = self.seen();
        let waits = standings.iter().any(|standing| has_records(standing, seen.committed.get(&standing.partition).copied()));
        if waits {
            seen.waiting.get_or_insert_with(Instant::now);
        } else {
            seen.waiting = None;
        }
        let lags = standings.iter().filter_map(|standing| {
            let partition = standing.partition;
            Some((partition, lag(standing, seen.committed.get(&partition).copied())?))
        });
        for (Partition { topic, partition }, lag) in lags {
            gauge!(LAG.name, "topic" => topic.name(), "partition" => partition.to_string()).set(float(lag));
        }
        let behind = seen.stream_time.map(|time| self.clock.now().as_ms().saturating_sub(time.as_ms()));
        drop(seen);
        if let Some(ms) = behind {
            gauge!(STREAM_TIME_BEHIND.name).set(seconds(ms));
        }
        gauge!(READY.name).set(if self.objections().is_empty() { 1.0 } else { 0.0 });
    }

    /// Counts what is open, kind by kind. As long as there are windows: for when somebody asks, not for every batch.
    pub(super) fn count_open(&self) {
        let mut counts = BTreeMap::new();
        (self.view.open)(&D::Window::default(), &mut |kind, _| {
            counts.insert(kind, 0_usize);
        });
        let store = self.seen().store.clone();
        if let Some(store) = store {
            store.for_each(|window| (self.view.open)(window, &mut |kind, n| *counts.entry(kind).or_default() += n));
        }
        for (kind, n) in counts {
            gauge!(OPEN.name, "kind" => kind).set(float(i64::try_from(n).unwrap_or(i64::MAX)));
        }
    }
}

/// Looks at the source once a second, for as long as the task lives.
pub async fn watch<D: Domain>(watched: Arc<Watched<D>>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        watched.look();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float by nature")]
fn float(n: i64) -> f64 {
    n as f64
}

#[expect(clippy::float_arithmetic, reason = "a gauge is a float by nature")]
fn seconds(ms: i64) -> f64 {
    float(ms) / 1000.0
}

impl<D: Domain> Observer<D> for Monitor<D> {
    fn committed(&mut self, batch: &Committed<'_, D>) {
        let lines: Vec<_> = if self.0.keeps_verdicts {
            let first = batch.judgements.len().saturating_sub(PER_BATCH);
            let line = |judgement: &D::Judgement| {
                let mut line = Vec::new();
                judgement.write_verdicts(&mut line);
                ((self.0.view.judged)(judgement).clone(), line)
            };
            batch.judgements[first..].iter().map(line).collect()
        } else {
            Vec::new()
        };
        let mut seen = self.0.seen();
        seen.committed.extend(&batch.batch.offsets);
        seen.waiting = None;
        seen.stream_time = batch.stream_time;
        if seen.store.as_ref().is_none_or(|store| !Arc::ptr_eq(store, batch.store)) {
            seen.store = Some(Arc::clone(batch.store));
        }
        for (key, line) in lines {
            seen.recent.push(key, line);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let mut seen = self.0.seen();
        if *condition == Condition::Unassigned {
            for Partition { topic, partition } in seen.committed.keys() {
                // somebody else has it now, and tells its lag
                gauge!(LAG.name, "topic" => topic.name(), "partition" => partition.to_string()).set(0.0);
            }
            seen.committed.clear();
            seen.store = None;
            seen.waiting = None;
        }
        seen.condition = condition.clone();
    }
}

impl<D: Domain> fmt::Debug for Watched<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("condition", &self.seen().condition).finish_non_exhaustive()
    }
}

impl<D: Domain> fmt::Debug for View<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}
