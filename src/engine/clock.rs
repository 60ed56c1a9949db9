//! Stream time, and how it is found again.
//!
//! Each partition of the changelog keeps the clock of the engine that last wrote to it. An engine that reads the same
//! partitions as before goes on where the latest of them stands. After a rebalance partitions come together that stood
//! with different engines, one perhaps hours behind the other: were stream time to begin at the later one, everything
//! that the earlier one has open would be closed at once. So the clock begins with the earliest engine's, and those
//! ahead of it count from the commit on that they had reached. A partition that nobody has read yet stands behind them all.

use serde::{Deserialize, Serialize};

use super::Sequence;
use crate::event::Lsn;
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The largest event time among the changes applied so far.
    pub(super) stream_time: Option<Timestamp>,
    /// Of the last change that was applied.
    pub(super) sequence: Sequence,
    /// The highest commit that was applied.
    pub(super) reached: Option<Lsn>,
    /// Clocks of engines that were further on. The nearest is the last.
    ahead: Vec<(Lsn, Timestamp)>,
}

/// A clock in the changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClockRecord {
    stream_time: Timestamp,
    sequence: Sequence,
    reached: Lsn,
    /// Fingerprint of the partitions that were read together.
    together: u128,
}

impl Clock {
    /// `together` is what is read together now; `unread` tells whether there is a partition among it that has no clock.
    pub(super) fn restored(records: &[ClockRecord], together: u128, unread: bool) -> Self {
        // one for each engine: its own partitions are never ahead of each other
        let mut engines: Vec<ClockRecord> = Vec::new();
        for record in records {
            match engines.iter_mut().find(|engine| engine.together == record.together) {
                Some(engine) => {
                    engine.stream_time = engine.stream_time.max(record.stream_time);
                    engine.reached = engine.reached.max(record.reached);
                }
                None => engines.push(*record),
            }
        }
        engines.sort_by_key(|engine| (engine.reached, engine.stream_time, engine.together));
        let sequence = records.iter().map(|record| record.sequence).max().unwrap_or_default();
        // one that read the same as now has read whatever there was of a partition without a clock
        let same = engines.iter().position(|engine| engine.together == together);
        let base = same.or((!unread && !engines.is_empty()).then_some(0)).map(|base| engines.remove(base));
        let (stream_time, reached) = base.map(|base| (base.stream_time, base.reached)).unzip();
        let ahead = engines.into_iter().rev().map(|engine| (engine.reached, engine.stream_time)).collect();
        let mut clock = Self { stream_time, sequence, reached, ahead };
        if let Some(reached) = reached {
            // what the base has passed is no longer ahead
            clock.pass(reached);
        }
        clock
    }

    pub(super) fn record(&self, together: u128) -> Option<ClockRecord> {
        let (stream_time, reached) = self.stream_time.zip(self.reached)?;
        Some(ClockRecord { stream_time, sequence: self.sequence, reached, together })
    }

    /// The stream time at which a change is applied.
    pub(super) fn stamp(&mut self, commit: Lsn, event_time: Timestamp) -> Timestamp {
        if !self.ahead.is_empty() {
            self.pass(commit);
        }
        self.stream_time.map_or(event_time, |now| now.max(event_time))
    }

    fn pass(&mut self, commit: Lsn) {
        while let Some((_, stream_time)) = self.ahead.pop_if(|(reached, _)| *reached <= commit) {
            self.stream_time = self.stream_time.max(Some(stream_time));
        }
    }

    /// Everything there is was read.
    pub(super) fn catch_up(&mut self) {
        while let Some((reached, stream_time)) = self.ahead.pop() {
            self.stream_time = self.stream_time.max(Some(stream_time));
            self.reached = self.reached.max(Some(reached));
        }
    }

    /// Positions start anew; time does not.
    pub(super) fn forget_position(&mut self) {
        self.catch_up();
        self.reached = self.reached.map(|_| Lsn::from_sequence(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(reached: u64, ms: i64, together: u128) -> ClockRecord {
        ClockRecord { stream_time: at(ms), sequence: reached, reached: Lsn::from_sequence(reached), together }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    #[test]
    fn the_same_partitions_go_on_at_the_latest_time_of_all() {
        let mut clock = Clock::restored(&[record(7, 500, 1), record(9, 400, 1)], 1, false);
        assert_eq!((clock.sequence, clock.stream_time), (9, Some(at(500))));
        assert_eq!(clock.stamp(Lsn::from_sequence(3), at(100)), at(500), "a late commit, too");
    }

    #[test]
    fn other_engines_that_were_ahead_count_from_the_commit_on_that_they_had_reached() {
        for together in [1, 3] {
            let mut clock = Clock::restored(&[record(90, 9000, 2), record(10, 1000, 1)], together, false);
            assert_eq!(clock.sequence, 90, "no sequence is used twice");
            assert_eq!(clock.stamp(Lsn::from_sequence(89), at(1100)), at(1100));
            assert_eq!(clock.stamp(Lsn::from_sequence(90), at(1200)), at(9000));
        }
    }

    #[test]
    fn an_engine_of_before_that_was_passed_is_not_ahead() {
        let clock = Clock::restored(&[record(10, 1000, 1), record(5, 2000, 2)], 1, false);
        assert_eq!(clock.stream_time, Some(at(2000)));
    }

    #[test]
    fn a_partition_that_nobody_has_read_is_behind_all_engines_unless_one_has_read_it_together_with_the_others() {
        let mut clock = Clock::restored(&[record(90, 9000, 2)], 1, true);
        assert_eq!(clock.stamp(Lsn::from_sequence(3), at(100)), at(100));
        assert_eq!(clock.stamp(Lsn::from_sequence(90), at(1200)), at(9000));
        let mut clock = Clock::restored(&[record(90, 9000, 1)], 1, true);
        assert_eq!(clock.stamp(Lsn::from_sequence(3), at(100)), at(9000), "a late commit");
        assert_eq!(Clock::restored(&[], 1, true).stream_time, None);
    }
}
