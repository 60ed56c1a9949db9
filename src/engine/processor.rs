//! The processor: applies changes in merged order and closes what stream time has passed.
//!
//! Pure: it never waits, reads a clock or does I/O. The same changes give the same cases in the same order, whoever
//! drives it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Counts;
use super::domain::{Context, Domain, Key, Sequence, Target};
use super::store::StateStore;
use crate::event::ChangeEvent;
use crate::time::Timestamp;

/// Something that closes when stream time passes its stamp by the domain's wait.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deadline {
    stamp: Timestamp,
    sequence: Sequence,
    key: Key,
}

#[derive(Debug)]
pub(super) struct Processor<D: Domain> {
    domain: Arc<D>,
    store: Arc<StateStore<D::Window>>,
    /// In merged order, and since stamps never fall and all wait alike, in the order of the deadlines too, whatever
    /// wait the rules name.
    deadlines: VecDeque<Deadline>,
    stream_time: Option<Timestamp>,
    sequence: Sequence,
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
    pub(super) fn new(domain: Arc<D>) -> Self {
        Self { domain, store: Arc::default(), deadlines: VecDeque::new(), stream_time: None, sequence: 0 }
    }

    pub(super) fn store(&self) -> &Arc<StateStore<D::Window>> {
        &self.store
    }

    pub(super) fn stream_time(&self) -> Option<Timestamp> {
        self.stream_time
    }

    /// Applies one change: closes what is due before its stamp, then stamps it.
    pub(super) fn apply(&mut self, change: ChangeEvent<D::Change>, rules: &D::Rules, results: &mut Results<D>) {
        let stamp = self.stream_time.map_or(change.event_time, |now| now.max(change.event_time));
        let max_wait = self.domain.max_wait_ms(rules);
        while self.deadlines.front().is_some_and(|next| next.stamp.plus_ms(max_wait) < stamp.as_ms()) {
            self.close_next(rules, results);
        }
        self.stream_time = Some(stamp);
        self.sequence += 1;
        results.outdated.extend(self.domain.outdates(&change.body));
        let key = match self.domain.target(&change.body) {
            Target::Window(key) => key,
            Target::Nothing(label) => return results.counts.add(label, 1),
        };
        let mut context = Context {
            key: &key,
            rules,
            stamp,
            sequence: self.sequence,
            cases: &mut results.cases,
            counts: &mut results.counts,
            opens: false,
        };
        let domain = &self.domain;
        self.store.update(&key, |window| domain.apply(change, window, &mut context), |window| domain.is_closed(window));
        if context.opens {
            self.deadlines.push_back(Deadline { stamp, sequence: self.sequence, key });
        }
    }

    /// Closes everything that is open, the earliest deadline first.
    pub(super) fn close_all(&mut self, rules: &D::Rules, results: &mut Results<D>) {
        while !self.deadlines.is_empty() {
            self.close_next(rules, results);
        }
    }

    /// Forgets what is open without closing it; stream time stays.
    pub(super) fn forget(&mut self) {
        self.deadlines.clear();
        self.store.clear();
    }

    fn close_next(&mut self, rules: &D::Rules, results: &mut Results<D>) {
        let Some(Deadline { stamp, sequence, key }) = self.deadlines.pop_front() else { return };
        let mut context =
            Context { key: &key, rules, stamp, sequence, cases: &mut results.cases, counts: &mut results.counts, opens: false };
        let domain = &self.domain;
        self.store.update(&key, |window| domain.expire(sequence, window, &mut context), |window| domain.is_closed(window));
    }
}
