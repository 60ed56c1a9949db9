//! Re-delivery detection, per input partition.
//!
//! Debezium and Kafka deliver at least once: a restarted connector sends a stretch again. Within a partition commit
//! positions rise, so whatever lies below the highest was seen before; unless its event time is younger than anything
//! seen, which only a restored or rebuilt database can produce.

use std::cmp::Ordering;

use foldhash::HashSet;
use serde::{Deserialize, Serialize};

use crate::event::{Identity, Lsn};
use crate::time::Timestamp;

/// How far one partition was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dedupe {
    reached: Option<Reached>,
    /// Of the highest commit only: below it nothing is new, above it nothing was seen.
    seen: HashSet<Identity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub(crate) highest_commit: Lsn,
    pub(crate) latest_event: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    New,
    Redelivered,
    /// The position fell although time went on.
    Rebuilt,
}

impl Dedupe {
    /// As it was when these identities of the highest commit had been accepted.
    pub(crate) fn restored(reached: Option<Reached>, seen: impl Iterator<Item = Identity>) -> Self {
        Self { reached, seen: seen.collect() }
    }

    pub(crate) fn judge(&self, commit: Lsn, event_time: Timestamp, identity: Identity) -> Freshness {
        let Some(reached) = self.reached else { return Freshness::New };
        match commit.cmp(&reached.highest_commit) {
            Ordering::Less if event_time > reached.latest_event => Freshness::Rebuilt,
            Ordering::Less => Freshness::Redelivered,
            Ordering::Equal if self.seen.contains(&identity) => Freshness::Redelivered,
            Ordering::Equal | Ordering::Greater => Freshness::New,
        }
    }

    /// Remembers a change that was judged new.
    pub(crate) fn accept(&mut self, commit: Lsn, event_time: Timestamp, identity: Identity) {
        let latest_event = self.reached.map_or(event_time, |reached| reached.latest_event.max(event_time));
        if self.reached.is_none_or(|reached| commit > reached.highest_commit) {
            self.seen.clear();
            // a bulk commit leaves room for a million identities behind
            self.seen.shrink_to(64);
        }
        self.seen.insert(identity);
        self.reached = Some(Reached { highest_commit: commit, latest_event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lsn(n: u64) -> Lsn {
        Lsn::from_sequence(n)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    fn read(commits: &[(u64, i64, u128)]) -> Dedupe {
        let mut dedupe = Dedupe::default();
        for &(commit, time, identity) in commits {
            assert_eq!(dedupe.judge(lsn(commit), at(time), Identity(identity)), Freshness::New);
            dedupe.accept(lsn(commit), at(time), Identity(identity));
        }
        dedupe
    }

    #[test]
    fn within_the_highest_commit_identity_decides() {
        let dedupe = read(&[(5, 100, 1), (5, 100, 2)]);
        assert_eq!(dedupe.judge(lsn(5), at(100), Identity(2)), Freshness::Redelivered);
        assert_eq!(dedupe.judge(lsn(5), at(900), Identity(1)), Freshness::Redelivered);
        assert_eq!(dedupe.judge(lsn(5), at(100), Identity(3)), Freshness::New);
    }

    #[test]
    fn below_the_highest_commit_time_decides() {
        let dedupe = read(&[(5, 200, 1), (6, 100, 2)]);
        assert_eq!(dedupe.judge(lsn(4), at(200), Identity(9)), Freshness::Redelivered);
        assert_eq!(dedupe.judge(lsn(4), at(201), Identity(9)), Freshness::Rebuilt);
        assert_eq!(dedupe.judge(lsn(7), at(1), Identity(9)), Freshness::New);
    }

    #[test]
    fn a_commit_passed_is_forgotten_but_for_its_position() {
        let dedupe = read(&[(5, 100, 1), (6, 100, 2)]);
        assert_eq!(dedupe.seen.len(), 1);
        assert_eq!(dedupe.judge(lsn(5), at(100), Identity(77)), Freshness::Redelivered);
    }
}
