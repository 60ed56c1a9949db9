//! Timelines by agreement, in bounded memory.

use foldhash::HashMap;

use super::book::Timeline;
use crate::engine::Key;

/// Two generations: when the young one is full it becomes the old one, and what is still in the old one goes. What is found
/// in the old one becomes young again. So what is in use stays, without an order to be kept at every use.
#[derive(Debug, Default)]
pub(super) struct Kept {
    young: HashMap<Key, Timeline>,
    old: HashMap<Key, Timeline>,
    /// On the heap, by keys and timelines of the young generation.
    young_bytes: usize,
    /// Of one generation, its table included.
    capacity: usize,
}

impl Kept {
    /// Of about so many bytes in all.
    pub(super) fn new(bytes: usize) -> Self {
        Self { capacity: bytes / 2, ..Self::default() }
    }

    /// Makes what is kept of an agreement young again.
    pub(super) fn renew(&mut self, agreement: &Key) {
        if !self.young.contains_key(agreement)
            && let Some((agreement, timeline)) = self.old.remove_entry(agreement)
        {
            self.insert(agreement, timeline);
        }
    }

    /// Of those that were renewed since.
    pub(super) fn get(&self, agreement: &Key) -> Option<&Timeline> {
        self.young.get(agreement)
    }

    /// The agreement's timeline from now on.
    pub(super) fn insert(&mut self, agreement: Key, timeline: Timeline) {
        if self.bytes() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let key_bytes = if agreement.is_heap_allocated() { agreement.capacity() } else { 0 };
        self.young_bytes += key_bytes + timeline.heap_bytes();
        if let Some(before) = self.young.insert(agreement, timeline) {
            self.young_bytes -= key_bytes + before.heap_bytes();
        }
    }

    fn bytes(&self) -> usize {
        // a place of the table has a byte of its own; one place in eight is never filled
        self.young_bytes + self.young.capacity() * 8 / 7 * (size_of::<(Key, Timeline)>() + 1)
    }
}
