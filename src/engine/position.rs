//! How far a partition was consumed, as it outlives the process.
//!
//! [`Dedupe`] looks ahead of what was applied; this follows what left the merge, so that it belongs to the same batch as
//! the state and the offsets. A bulk commit leaves a million identities behind: they are kept in pages, each of which is
//! written once.

use serde::{Deserialize, Serialize};

use super::dedupe::{Dedupe, Reached};
use crate::event::{Identity, Lsn};
use crate::time::Timestamp;

/// Identities in a page: 64 KiB, far below the usual bound of a message.
const PAGE: usize = 4096;

/// How far one partition was consumed, and what is yet to be written of it.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The offset after the last record whose effect left the merge.
    pub(super) consumed: Option<i64>,
    reached: Option<Reached>,
    /// Full pages of identities of the highest commit.
    pages: u32,
    /// Identities of the highest commit that fill no page yet, in the order in which they came.
    tail: Vec<Identity>,
    /// Full pages that are not written yet; the last of `pages`.
    fresh: Vec<Vec<Identity>>,
    /// Pages that the changelog holds, of whatever commit.
    written: u32,
    /// Whether it says something else than the changelog.
    moved: bool,
}

/// What the changelog holds of a position, but for full pages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PositionRecord {
    pub(super) consumed: Option<i64>,
    reached: Option<Reached>,
    pub(super) pages: u32,
    tail: Vec<Identity>,
}

/// A full page.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PageRecord {
    /// One of an earlier commit counts no more.
    pub(super) commit: Lsn,
    identities: Vec<Identity>,
}

/// What has to be written of a position.
#[derive(Debug)]
pub(super) struct PositionChange {
    pub(super) record: PositionRecord,
    /// By number; `None` where there is no such page any more.
    pub(super) pages: Vec<(u32, Option<PageRecord>)>,
}

impl Position {
    /// `pages` holds pages 0 to n that belong to the record's commit; all `written` of them are in the changelog.
    pub(super) fn restored(record: PositionRecord, pages: &[PageRecord], written: u32) -> (Self, Dedupe) {
        let PositionRecord { consumed, reached, pages: count, tail } = record;
        let seen = pages.iter().flat_map(|page| &page.identities).chain(&tail).copied();
        let dedupe = Dedupe::restored(reached, seen);
        (Self { consumed, reached, pages: count, tail, fresh: Vec::new(), written, moved: false }, dedupe)
    }

    /// Changes of one commit were applied.
    pub(super) fn applied(&mut self, commit: Lsn, changes: impl Iterator<Item = (Timestamp, Identity)>) {
        if self.reached.is_none_or(|reached| commit > reached.highest_commit) {
            self.pages = 0;
            self.fresh.clear();
            // a bulk commit leaves room for a page behind, no more
            self.tail.clear();
        }
        for (event_time, identity) in changes {
            let latest_event = self.reached.map_or(event_time, |reached| reached.latest_event.max(event_time));
            self.reached = Some(Reached { highest_commit: commit, latest_event });
            self.tail.push(identity);
            if self.tail.len() == PAGE {
                self.fresh.push(std::mem::take(&mut self.tail));
                self.pages += 1;
            }
        }
        self.moved = true;
    }

    /// Everything before this offset has left the merge.
    pub(super) fn consumed_to(&mut self, offset: i64) {
        self.consumed = Some(offset);
        self.moved = true;
    }

    /// Forgets what was seen, not how far it was read.
    pub(super) fn forget(&mut self) {
        *self = Self { consumed: self.consumed, written: self.written, moved: true, ..Self::default() };
    }

    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// What has to be written, if anything.
    pub(super) fn take_change(&mut self) -> Option<PositionChange> {
        if !std::mem::take(&mut self.moved) {
            return None;
        }
        let mut pages = Vec::new();
        if let Some(reached) = self.reached {
            let fresh = std::mem::take(&mut self.fresh);
            let first = self.pages - u32::try_from(fresh.len()).expect("there are as many pages at least");
            for (page, identities) in (first..).zip(fresh) {
                pages.push((page, Some(PageRecord { commit: reached.highest_commit, identities })));
            }
        }
        pages.extend((self.pages..self.written).map(|page| (page, None)));
        self.written = self.pages;
        let (reached, tail) = (self.reached, self.tail.clone());
        Some(PositionChange { record: PositionRecord { consumed: self.consumed, reached, pages: self.pages, tail }, pages })
    }
}

impl PositionRecord {
    pub(super) fn commit(&self) -> Option<Lsn> {
        self.reached.map(|reached| reached.highest_commit)
    }
}
