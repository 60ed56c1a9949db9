//! One partition on the shelf, and how its end is known.

use std::collections::VecDeque;

use super::super::statistics::End;
use crate::engine::ports::OwnedRecord;

/// Statistics that are not believed after reading began anew: librdkafka's threads begin one after the other, and until the
/// last of them has, they tell how far it was fetched before.
pub(super) const DOUBTED: u8 = 5;

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) records: VecDeque<OwnedRecord>,
    pub(super) bytes: usize,
    /// The offset after the last record that was put here.
    pub(super) next: Option<i64>,
    /// The partition is known to go at least so far.
    pub(super) least: i64,
    /// The committed offset that it began from.
    pub(super) from: Option<i64>,
    /// Where it began if nothing was committed and what it had was left out.
    pub(super) begun: Option<i64>,
    /// Where its readers end, as last heard.
    pub(super) high: Option<i64>,
    /// Where the partition ends, if everything before was fetched; it may still be on its way here.
    pub(super) end: Option<i64>,
    pub(super) at_end: bool,
    /// So many statistics may yet be about what was fetched before.
    pub(super) doubt: u8,
    /// The last of them.
    pub(super) round: Option<u64>,
    /// Kept from the pipeline.
    pub(super) held: bool,
    /// Kept from the shelf.
    pub(super) paused: bool,
}

impl Lane {
    /// One that begins to be read.
    pub(super) fn anew(next: Option<i64>) -> Self {
        Self { next, doubt: DOUBTED, ..Self::default() }
    }

    /// Whether a statistic is about what is fetched now.
    pub(super) fn believes(&mut self, end: &End) -> bool {
        let is_believed = self.doubt == 0;
        if !is_believed && end.round.is_some() && end.round != self.round {
            self.round = end.round;
            self.doubt -= 1;
        }
        is_believed
    }

    /// Looks whether the partition is at its end: all that was fetched is here, and there is nothing after it. Gives
    /// whether that changed.
    pub(super) fn look(&mut self, all_is_here: bool) -> bool {
        let at_end = match (self.end.filter(|end| *end >= self.least), self.next) {
            (Some(end), Some(next)) => next == end || (next < end && (all_is_here || self.at_end)),
            (Some(_), None) => all_is_here || self.at_end,
            (None, _) => false,
        };
        std::mem::replace(&mut self.at_end, at_end) != at_end
    }
}
