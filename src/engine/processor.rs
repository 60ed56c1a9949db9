//! The processor: applies changes in merged order and closes what stream time has passed.
//!
//! Pure: it never waits, reads a clock or does I/O. The same changes give the same cases in the same order, whoever
//! drives it.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::Counts;
use super::clock::Clock;
use super::domain::{Context, Domain, Key, Sequence, Target};
use super::store::StateStore;
use crate::event::{ChangeEvent, Lsn};
use crate::time::Timestamp;

/// Something that closes when stream time passes its stamp by the domain's wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    stamp: Timestamp,
    sequence: Sequence,
    key: Key,
}

#[derive(Debug)]
pub(super) struct Processor<D: Domain> {
    domain: Arc<D>,
    store: Arc<StateStore<D::Window>>,
    /// Sorted. In merged order, and since stamps never fall and all wait alike, that is the order of the deadlines too,
    /// whatever wait the rules name.
    deadlines: VecDeque<Deadline>,
    clock: Clock,
    /// Windows touched since they were last written, each with its home as it was then; `None` if changes are not written.
    touched: Option<HashMap<Key, Option<i32>>>,
}

/// What processing gives.
#[derive(Debug)]
pub(super) struct Results<D: Domain> {
    /// In the order in which they are to be judged.
    pub(super) cases: Vec<D::Case>,
    pub(super) counts: Counts,
    /// Keys whose looked-up answers are doubtful.
    pub(super) outdated: Vec<Key>,
}

impl<D: Domain> Default for Results<D> {
    fn default() -> Self {
        Self { cases: Vec::new(), counts: Counts::default(), outdated: Vec::new() }
    }
}

impl<D: Domain> Processor<D> {
    /// The store must be empty.
    pub(super) fn new(domain: Arc<D>, store: Arc<StateStore<D::Window>>, writes_changes: bool) -> Self {
        let touched = writes_changes.then(HashMap::new);
        Self { domain, store, deadlines: VecDeque::new(), clock: Clock::default(), touched }
    }

    pub(super) fn store(&self) -> &Arc<StateStore<D::Window>> {
        &self.store
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Puts back what was open, and the time at which it was.
    pub(super) fn restore(&mut self, windows: impl Iterator<Item = (Key, i32, D::Window)>, clock: Clock) {
        self.clock = clock;
        let mut deadlines = Vec::new();
        for (key, home, window) in windows {
            if let Some(other) = self.store.with(&key, |_, home| home) {
                // the key was in two partitions, each with another member: what was opened last is what goes on
                let latest = |window: &D::Window| {
                    let mut latest = None;
                    self.domain.deadlines(window, &mut |stamp, sequence| latest = latest.max(Some((stamp, sequence))));
                    latest
                };
                let goes_on = self.store.with(&key, |other, _| latest(other) <= latest(&window)) == Some(true);
                let dropped = if goes_on { other } else { home };
                tracing::warn!(partition = dropped, "a window was open in two partitions, the older one is dropped");
                self.touch(&key, Some(dropped));
                if !goes_on {
                    continue;
                }
            }
            self.store.restore(key, home, window);
        }
        self.store.each(|key, window| {
            self.domain.deadlines(window, &mut |stamp, sequence| {
                deadlines.push(Deadline { stamp, sequence, key: key.clone() });
            });
        });
        deadlines.sort_unstable();
        deadlines.dedup();
        self.deadlines = deadlines.into();
    }

    /// Applies one change: closes what is due before its stamp, then stamps it.
    pub(super) fn apply(&mut self, change: ChangeEvent<D::Change>, rules: &D::Rules, results: &mut Results<D>) {
        let stamp = self.clock.stamp(change.commit, change.event_time);
        let max_wait = self.domain.max_wait_ms(rules);
        while self.deadlines.front().is_some_and(|next| next.stamp.plus_ms(max_wait) < stamp.as_ms()) {
            self.close_next(rules, results);
        }
        let sequence = self.clock.advance(change.commit, stamp);
        results.outdated.extend(self.domain.outdates(&change.body));
        let key = match self.domain.target(&change.body) {
            Target::Window(key) => key,
            Target::Nothing(label) => return results.counts.add(label, 1),
        };
        let home = change.origin.partition;
        let (cases, counts) = (&mut results.cases, &mut results.counts);
        let mut context = Context { key: &key, rules, stamp, sequence, cases, counts, opens: false };
        let domain = &self.domain;
        let before =
            self.store.update(&key, home, |window| domain.apply(change, window, &mut context), |window| domain.is_closed(window));
        let opens = context.opens;
        self.touch(&key, before);
        if opens {
            self.open(Deadline { stamp, sequence, key });
        }
    }

    /// Closes everything that is open, the earliest deadline first.
    pub(super) fn close_all(&mut self, rules: &D::Rules, results: &mut Results<D>) {
        self.clock.catch_up();
        while !self.deadlines.is_empty() {
            self.close_next(rules, results);
        }
    }

    /// Forgets what is open, after it was closed, and positions; stream time stays.
    pub(super) fn forget(&mut self) {
        self.deadlines.clear();
        self.store.clear();
        self.clock.forget_position();
    }

    /// Keys touched since the last call, each with the home that it had then; in the order of keys.
    pub(super) fn take_touched(&mut self) -> Vec<(Key, Option<i32>)> {
        let mut touched: Vec<_> = self.touched.as_mut().map(|touched| touched.drain().collect()).unwrap_or_default();
        touched.sort_unstable();
        touched
    }

    pub(super) fn has_touched(&self) -> bool {
        self.touched.as_ref().is_some_and(|touched| !touched.is_empty())
    }

    fn open(&mut self, deadline: Deadline) {
        if self.deadlines.back().is_none_or(|last| *last <= deadline) {
            self.deadlines.push_back(deadline);
        } else {
            // only while windows are open that another member opened further on
            let place = self.deadlines.partition_point(|other| *other < deadline);
            self.deadlines.insert(place, deadline);
        }
    }

    fn close_next(&mut self, rules: &D::Rules, results: &mut Results<D>) {
        let Some(Deadline { stamp, sequence, key }) = self.deadlines.pop_front() else { return };
        let mut context =
            Context { key: &key, rules, stamp, sequence, cases: &mut results.cases, counts: &mut results.counts, opens: false };
        let domain = &self.domain;
        // nothing opens here, so a home is not needed
        let before =
            self.store.update(&key, 0, |window| domain.expire(sequence, window, &mut context), |window| domain.is_closed(window));
        if before.is_some() {
            self.touch(&key, before);
        }
    }

    fn touch(&mut self, key: &Key, before: Option<i32>) {
        if let Some(touched) = &mut self.touched {
            touched.entry(key.clone()).or_insert(before);
        }
    }
}

impl Clock {
    /// A place in merged order, for a change that is applied at `stamp`.
    fn advance(&mut self, commit: Lsn, stamp: Timestamp) -> Sequence {
        self.stream_time = Some(stamp);
        self.reached = self.reached.max(Some(commit));
        self.sequence += 1;
        self.sequence
    }
}
