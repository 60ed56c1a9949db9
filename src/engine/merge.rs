//! Restores commit order: input partitions in, whole commits out.
//!
//! ```text
//!  partition 0  ─► queue ─► run of one commit ─┐
//!  partition 1  ─► queue ─► run of one commit ─┼─► the smallest commit of all, whole
//!  partition 2  ─► queue ─► run of one commit ─┘
//! ```
//!
//! A partition offers its next commit once it shows that the commit is over (a later one follows, or it is idle). While
//! any partition that is not idle has nothing to offer, the merge waits. Bad, ignored and re-delivered records pass
//! through their partition's queue in order, but take no part.
//!
//! What leaves the merge is always a prefix of each partition, so that state, dead letters and committed offsets agree
//! wherever the process dies.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Counts;
use super::dead_letter::DeadLetter;
use super::dedupe::{Dedupe, Freshness};
use super::position::{Position, PositionChange};
use crate::event::{ChangeEvent, Lsn, Origin, Topic};

/// An input partition. Sorted by topic name, then number: that is the turn in which partitions are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    pub topic: Topic,
    pub partition: i32,
}

impl From<Origin> for Partition {
    fn from(origin: Origin) -> Self {
        Self { topic: origin.topic, partition: origin.partition }
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A decoded record in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<C> {
    Change(ChangeEvent<C>),
    Ignored(&'static str),
    Bad(Box<DeadLetter>),
}

/// Handle of an assigned partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(usize);

/// A record whose position fell although its event time went on: the database was restored or rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin} is at commit {commit}, below what was read before, yet younger: the source database was restored or rebuilt")]
pub struct RebuiltSource {
    pub origin: Origin,
    pub commit: Lsn,
}

impl RebuiltSource {
    /// What an operator can do about it.
    pub const HINT: &'static str =
        "run once with --accept-rebuilt-source to close what is open, forget the old positions and go on";
}

/// What the merge can do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole commit was taken.
    Commit,
    /// These have nothing to offer yet.
    Waiting(Vec<Slot>),
    /// All are idle, ended, or stand before a rebuilt source; at least one does.
    Rebuilt(RebuiltSource),
    /// All are idle or ended.
    Drained,
}

/// What passed besides changes, and how far each partition was consumed.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Records of every kind, changes included.
    pub(super) records: u64,
    pub(super) counts: Counts,
    pub(super) dead_letters: Vec<DeadLetter>,
}

/// Label under which re-deliveries are counted.
pub const REDELIVERED: &str = "redelivered";
/// Label under which dead letters are counted.
pub const BAD_MESSAGE: &str = "bad_message";

#[derive(Debug)]
struct Inbox<C> {
    partition: Partition,
    queue: VecDeque<(i64, Entry<C>)>,
    run: Option<Run<C>>,
    /// As far as the queue was taken into runs.
    dedupe: Dedupe,
    rebuilt: Option<RebuiltSource>,
    idle: bool,
    ended: bool,
    /// As far as effects have left the merge.
    position: Position,
    /// Empty, with the room of an earlier commit: nearly every commit is a change or two.
    spare: Vec<ChangeEvent<C>>,
}

/// Room for changes that is kept from one commit to the next; that of a bulk commit is given back.
const SPARE: usize = 64;

/// The changes of one commit, and what passed between and behind them.
#[derive(Debug)]
struct Run<C> {
    commit: Lsn,
    changes: Vec<ChangeEvent<C>>,
    /// The partition showed what comes after.
    complete: bool,
    passed: Passed,
    next_offset: i64,
}

#[derive(Debug)]
pub(super) struct Merge<C> {
    /// By slot; `None` where the partition was taken away.
    inboxes: Vec<Option<Inbox<C>>>,
    /// Slots in the order of their partitions.
    turn: Vec<Slot>,
    /// Whether a partition may be passed over at a rebuilt source, so that the others reach theirs.
    accept_rebuilt: bool,
    /// Whether positions are written down: a backtest has no use for them.
    keeps_positions: bool,
}

impl<C> Merge<C> {
    pub(super) fn new(accept_rebuilt: bool, keeps_positions: bool) -> Self {
        Self { inboxes: Vec::new(), turn: Vec::new(), accept_rebuilt, keeps_positions }
    }

    /// Adds a partition with what was read of it before.
    pub(super) fn assign(&mut self, partition: Partition, position: Position, dedupe: Dedupe) -> Slot {
        let slot = Slot(self.inboxes.len());
        self.inboxes.push(Some(Inbox {
            partition,
            queue: VecDeque::new(),
            run: None,
            dedupe,
            rebuilt: None,
            idle: false,
            ended: false,
            position,
            spare: Vec::new(),
        }));
        let place = self.turn.partition_point(|&other| self.inbox(other).partition < partition);
        self.turn.insert(place, slot);
        slot
    }

    /// Nothing before this offset was asked for.
    pub(super) fn begin_at(&mut self, slot: Slot, offset: i64) {
        self.inbox_mut(slot).position.consumed_to(offset);
    }

    /// Takes a partition away; what it offered and nobody took is read again by whoever has it next.
    pub(super) fn revoke(&mut self, slot: Slot) {
        self.inboxes[slot.0] = None;
        self.turn.retain(|&other| other != slot);
    }

    pub(super) fn push(&mut self, slot: Slot, offset: i64, entry: Entry<C>) {
        let inbox = self.inbox_mut(slot);
        inbox.idle = false;
        inbox.queue.push_back((offset, entry));
    }

    /// Whether the merge goes on without this partition while it has nothing to offer. A record ends the idleness.
    pub(super) fn set_idle(&mut self, slot: Slot, idle: bool) {
        self.inbox_mut(slot).idle = idle;
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, slot: Slot) {
        self.inbox_mut(slot).ended = true;
    }

    /// Records that were pushed and have not left.
    pub(super) fn buffered(&self, slot: Slot) -> usize {
        let inbox = self.inbox(slot);
        inbox.queue.len() + inbox.run.as_ref().map_or(0, |run| run.changes.len())
    }

    /// The commit of which this partition holds changes, complete or not, after the last call of [`Merge::next`].
    pub(super) fn offer(&self, slot: Slot) -> Option<Lsn> {
        self.inbox(slot).run.as_ref().map(|run| run.commit)
    }

    pub(super) fn partition(&self, slot: Slot) -> Partition {
        self.inbox(slot).partition
    }

    /// Next offset of every partition that was consumed from, in the order of partitions.
    pub(super) fn consumed(&self) -> impl Iterator<Item = (Partition, i64)> + '_ {
        self.turn.iter().filter_map(|&slot| {
            let inbox = self.inbox(slot);
            inbox.position.consumed.map(|offset| (inbox.partition, offset))
        })
    }

    /// What has to be written of positions, in the order of partitions.
    pub(super) fn take_positions(&mut self) -> Vec<(Partition, PositionChange)> {
        let mut changes = Vec::new();
        for &slot in &self.turn {
            let inbox = self.inboxes[slot.0].as_mut().expect("turn holds assigned slots only");
            changes.extend(inbox.position.take_change().map(|change| (inbox.partition, change)));
        }
        changes
    }

    /// Whether a position says something else than when it was last written.
    pub(super) fn has_moved(&self) -> bool {
        self.turn.iter().any(|&slot| self.inbox(slot).position.has_moved())
    }

    /// Fingerprint of the partitions that are read together, the same in every process.
    pub(super) fn together(&self) -> u128 {
        let names: Vec<String> = self.turn.iter().map(|&slot| self.inbox(slot).partition.to_string()).collect();
        twox_hash::XxHash3_128::oneshot(names.join("\n").as_bytes())
    }

    /// Takes the next whole commit into `commit`, if every partition lets it.
    pub(super) fn next(&mut self, commit: &mut Vec<ChangeEvent<C>>, passed: &mut Passed) -> Next {
        let mut smallest: Option<Lsn> = None;
        let mut waiting = Vec::new();
        let mut rebuilt = None;
        for &slot in &self.turn {
            let inbox = self.inboxes[slot.0].as_mut().expect("turn holds assigned slots only");
            inbox.settle(passed);
            match &inbox.run {
                Some(run) => smallest = Some(smallest.map_or(run.commit, |least| least.min(run.commit))),
                None if inbox.rebuilt.is_some() => {
                    rebuilt = rebuilt.or(inbox.rebuilt);
                    if !self.accept_rebuilt {
                        return Next::Rebuilt(inbox.rebuilt.expect("just seen"));
                    }
                }
                None if inbox.idle || inbox.ended => {}
                None => waiting.push(slot),
            }
        }
        // only the smallest commit has to be whole: of a later one it is enough to know that it is later
        let is_partial = |run: &Run<C>| Some(run.commit) == smallest && !run.complete;
        waiting.extend(self.turn.iter().filter(|slot| {
            let inbox = self.inbox(**slot);
            inbox.run.as_ref().is_some_and(is_partial) && !inbox.idle && !inbox.ended
        }));
        if !waiting.is_empty() {
            waiting.sort_unstable();
            return Next::Waiting(waiting);
        }
        let Some(smallest) = smallest else { return rebuilt.map_or(Next::Drained, Next::Rebuilt) };
        for &slot in &self.turn {
            let inbox = self.inboxes[slot.0].as_mut().expect("turn holds assigned slots only");
            if let Some(mut run) = inbox.run.take_if(|run| run.commit == smallest) {
                if self.keeps_positions {
                    inbox.position.applied(run.commit, run.changes.iter().map(|change| (change.event_time, change.identity)));
                }
                inbox.position.consumed_to(run.next_offset);
                passed.add(run.passed);
                if commit.is_empty() {
                    std::mem::swap(commit, &mut run.changes);
                } else {
                    commit.append(&mut run.changes);
                }
                if run.changes.capacity() <= SPARE {
                    inbox.spare = run.changes;
                }
            }
        }
        Next::Commit
    }

    /// Forgets all positions, so that a rebuilt source can be read.
    pub(super) fn forget(&mut self) {
        for inbox in self.inboxes.iter_mut().flatten() {
            inbox.dedupe = Dedupe::default();
            inbox.position.forget();
            inbox.rebuilt = None;
        }
    }

    fn inbox(&self, slot: Slot) -> &Inbox<C> {
        self.inboxes[slot.0].as_ref().expect("a slot is not used after its revocation")
    }

    fn inbox_mut(&mut self, slot: Slot) -> &mut Inbox<C> {
        self.inboxes[slot.0].as_mut().expect("a slot is not used after its revocation")
    }
}

impl<C> Inbox<C> {
    /// Moves what can be moved from the queue to the run.
    fn settle(&mut self, passed: &mut Passed) {
        if self.rebuilt.is_some() || self.run.as_ref().is_some_and(|run| run.complete) {
            return;
        }
        // looked at where it lies: the change that ends a run stays, and changes are large
        while let Some((_, entry)) = self.queue.front() {
            let is_new = match entry {
                Entry::Change(change) => match self.dedupe.judge(change.commit, change.event_time, change.identity) {
                    Freshness::Rebuilt => {
                        self.rebuilt = Some(RebuiltSource { origin: change.origin, commit: change.commit });
                        return self.end_run();
                    }
                    Freshness::New if self.run.as_ref().is_some_and(|run| run.commit != change.commit) => return self.end_run(),
                    freshness => freshness == Freshness::New,
                },
                Entry::Ignored(_) | Entry::Bad(_) => false,
            };
            let (offset, entry) = self.queue.pop_front().expect("just seen");
            // a hand-made capture can hold the highest offset of all
            let next_offset = offset.saturating_add(1);
            match entry {
                Entry::Ignored(label) => self.pass(next_offset, passed, |passed| passed.counts.add(label, 1)),
                Entry::Bad(letter) => self.pass(next_offset, passed, |passed| {
                    passed.counts.add(BAD_MESSAGE, 1);
                    passed.dead_letters.push(*letter);
                }),
                Entry::Change(_) if !is_new => self.pass(next_offset, passed, |passed| passed.counts.add(REDELIVERED, 1)),
                Entry::Change(change) => {
                    self.dedupe.accept(change.commit, change.event_time, change.identity);
                    let run = self.run.get_or_insert_with(|| Run {
                        commit: change.commit,
                        changes: std::mem::take(&mut self.spare),
                        complete: false,
                        passed: Passed::default(),
                        next_offset,
                    });
                    run.passed.records += 1;
                    run.next_offset = next_offset;
                    run.changes.push(change);
                }
            }
        }
    }

    /// What comes next is not of the run.
    fn end_run(&mut self) {
        if let Some(run) = &mut self.run {
            run.complete = true;
        }
    }

    /// Lets a record pass that takes no part: behind the run it follows, or at once.
    fn pass(&mut self, next_offset: i64, passed: &mut Passed, note: impl FnOnce(&mut Passed)) {
        match &mut self.run {
            Some(run) => {
                run.passed.records += 1;
                note(&mut run.passed);
                run.next_offset = next_offset;
            }
            None => {
                passed.records += 1;
                note(passed);
                self.position.consumed_to(next_offset);
            }
        }
    }
}

impl Passed {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.counts.add_all(&other.counts);
        self.dead_letters.extend(other.dead_letters);
    }
}

#[cfg(test)]
mod tests;
