//! The synchronous heart: decoded records in, cases to judge out.
//!
//! Live, replay, backtest and simulation drive this one type; they differ in where records come from and in when a
//! partition counts as idle.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Counts;
use super::changelog::{self, ChangelogError, Restored};
use super::clock::Clock;
use super::dead_letter::DeadLetter;
use super::dedupe::Dedupe;
use super::domain::{Domain, Key};
use super::merge::{Entry, Merge, Next, Partition, Passed, RebuiltSource, Slot};
use super::ports::StateChange;
use super::position::Position;
use super::processor::{Processor, Results};
use super::store::StateStore;
use crate::event::Lsn;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether to go on when the source database was restored or rebuilt.
    pub accept_rebuilt_source: bool,
}

/// One engine watches one database.
#[derive(Debug)]
pub struct Engine<D: Domain> {
    domain: Arc<D>,
    options: Options,
    merge: Merge<D::Change>,
    processor: Processor<D>,
    passed: Passed,
    results: Results<D>,
    changes: u64,
}

/// Why [`Engine::advance`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// As many changes were applied as were asked for; there may be more.
    Busy,
    /// These partitions have nothing to offer and are not idle. Sorted.
    Waiting(Vec<Slot>),
    /// Every partition is idle or ended and empty.
    Drained,
    /// The engine stands before a record of a rebuilt source and was not told to accept it.
    Rebuilt(RebuiltSource),
}

/// Everything that happened since the last call of [`Engine::take_output`].
#[derive(Debug)]
pub struct Output<D: Domain> {
    /// In the order in which they are to be judged.
    pub cases: Vec<D::Case>,
    pub dead_letters: Vec<DeadLetter>,
    /// Keys whose looked-up answers are doubtful: to be forgotten before the cases are judged.
    pub outdated: Vec<Key>,
    /// Records that left the engine, of every kind.
    pub records: u64,
    /// Those of them that took part in the merge.
    pub changes: u64,
    pub counts: Counts,
}

/// Label under which the acceptance of a rebuilt source is counted.
pub const REBUILT_SOURCE: &str = "rebuilt_source";

impl<D: Domain> Engine<D> {
    #[must_use]
    pub fn new(domain: Arc<D>, options: Options) -> Self {
        Self::with(domain, options, Arc::default(), false)
    }

    /// One whose changes are written down, with windows in this store, which must be empty.
    pub(super) fn with_changelog(domain: Arc<D>, options: Options, store: Arc<StateStore<D::Window>>) -> Self {
        Self::with(domain, options, store, true)
    }

    fn with(domain: Arc<D>, options: Options, store: Arc<StateStore<D::Window>>, writes_changes: bool) -> Self {
        Self {
            merge: Merge::new(options.accept_rebuilt_source, writes_changes),
            processor: Processor::new(Arc::clone(&domain), store, writes_changes),
            domain,
            options,
            passed: Passed::default(),
            results: Results::default(),
            changes: 0,
        }
    }

    /// Adds an input partition; the merge waits for it until it offers something or is idle.
    pub fn assign(&mut self, partition: Partition) -> Slot {
        self.merge.assign(partition, Position::default(), Dedupe::default())
    }

    /// Adds all input partitions at once, with what was open and read before.
    pub(super) fn restore(&mut self, partitions: &[Partition], restored: Restored<D>) -> BTreeMap<Partition, Slot> {
        let Restored { windows, mut positions, clocks } = restored;
        let mut slots = BTreeMap::new();
        for &partition in partitions {
            let (position, dedupe) = positions.remove(&partition).unwrap_or_default();
            slots.insert(partition, self.merge.assign(partition, position, dedupe));
        }
        let unread = partitions.iter().any(|partition| !clocks.contains_key(&partition.partition));
        let clocks: Vec<_> = clocks.into_values().collect();
        let clock = Clock::restored(&clocks, self.merge.together(), unread);
        self.processor.restore(windows.into_iter(), clock);
        slots
    }

    /// What comes before this offset of a partition is not for this group.
    pub(super) fn begin_at(&mut self, slot: Slot, offset: i64) {
        self.merge.begin_at(slot, offset);
    }

    /// Takes a partition away. Records that were pushed but not applied are forgotten.
    pub fn revoke(&mut self, slot: Slot) {
        self.merge.revoke(slot);
    }

    #[must_use]
    pub fn partition(&self, slot: Slot) -> Partition {
        self.merge.partition(slot)
    }

    /// Hands over a partition's next record, in the order of offsets.
    pub fn push(&mut self, slot: Slot, offset: i64, entry: Entry<D::Change>) {
        self.merge.push(slot, offset, entry);
    }

    /// Whether the merge goes on without this partition while it has nothing to offer. The next record ends its idleness.
    pub fn set_idle(&mut self, slot: Slot, idle: bool) {
        self.merge.set_idle(slot, idle);
    }

    /// Nothing more will come of this partition.
    pub fn end(&mut self, slot: Slot) {
        self.merge.end(slot);
    }

    /// Records of a partition that were pushed and not yet applied.
    #[must_use]
    pub fn buffered(&self, slot: Slot) -> usize {
        self.merge.buffered(slot)
    }

    /// The commit that a partition would bring next, as far as [`Engine::advance`] looked.
    #[must_use]
    pub fn offer(&self, slot: Slot) -> Option<Lsn> {
        self.merge.offer(slot)
    }

    /// Applies whole commits until at least `limit` changes were applied or a partition has to be waited for.
    pub fn advance(&mut self, rules: &D::Rules, limit: usize) -> Progress {
        let mut commit = Vec::new();
        let mut applied = 0;
        while applied < limit {
            match self.merge.next(&mut commit, &mut self.passed) {
                Next::Commit => {
                    applied += commit.len();
                    self.domain.order(&mut commit);
                    self.changes += commit.len() as u64;
                    for change in commit.drain(..) {
                        self.processor.apply(change, rules, &mut self.results);
                    }
                }
                Next::Waiting(slots) => return Progress::Waiting(slots),
                Next::Drained => return Progress::Drained,
                Next::Rebuilt(_) if self.options.accept_rebuilt_source => self.start_over(rules),
                Next::Rebuilt(rebuilt) => return Progress::Rebuilt(rebuilt),
            }
        }
        Progress::Busy
    }

    /// Closes everything that is open: the input ended or went silent.
    pub fn close_all(&mut self, rules: &D::Rules) {
        self.processor.close_all(rules, &mut self.results);
    }

    /// Closes everything, forgets all but stream time, and reads on in the rebuilt source.
    fn start_over(&mut self, rules: &D::Rules) {
        self.close_all(rules);
        self.processor.forget();
        self.merge.forget();
        self.results.counts.add(REBUILT_SOURCE, 1);
    }

    /// Takes what has happened. Together with [`Engine::consumed`] it belongs into one transaction.
    pub fn take_output(&mut self) -> Output<D> {
        let passed = std::mem::take(&mut self.passed);
        let results = std::mem::take(&mut self.results);
        let mut counts = passed.counts;
        counts.add_all(&results.counts);
        Output {
            cases: results.cases,
            dead_letters: passed.dead_letters,
            outdated: results.outdated,
            records: passed.records,
            changes: std::mem::take(&mut self.changes),
            counts,
        }
    }

    /// Takes what has to be written of the state: together with [`Engine::take_output`] it is one batch.
    pub(super) fn take_changes(&mut self) -> Result<Vec<StateChange>, ChangelogError> {
        let clock = self.processor.clock().record(self.merge.together());
        changelog::changes::<D>(self.processor.take_touched(), self.processor.store(), self.merge.take_positions(), clock)
    }

    /// Whether there is anything to write of the state.
    pub(super) fn has_changes(&self) -> bool {
        self.processor.has_touched() || self.merge.has_moved()
    }

    /// Changes that were applied since the last call of [`Engine::take_output`].
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.changes
    }

    /// The offset after the last record of each partition whose effect is in the state and the output: always a prefix.
    pub fn consumed(&self) -> impl Iterator<Item = (Partition, i64)> + '_ {
        self.merge.consumed()
    }

    /// Open windows, to look into while the engine runs.
    #[must_use]
    pub fn store(&self) -> &Arc<StateStore<D::Window>> {
        self.processor.store()
    }

    /// The largest event time among the changes applied so far.
    #[must_use]
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.processor.clock().stream_time
    }
}
