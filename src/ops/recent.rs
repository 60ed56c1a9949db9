//! The last verdicts, in bounded memory.

use std::collections::VecDeque;

use crate::engine::Key;

/// Some thousands of lines. What one may look up is recent history; all of it is in the alerts topic and in backtests.
const BYTES: usize = 8 * 1024 * 1024;

/// What an entry takes beside its line.
const OVERHEAD: usize = size_of::<(Key, Box<[u8]>)>();

/// Verdict lines in the order in which they were judged, the oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    lines: VecDeque<(Key, Box<[u8]>)>,
    bytes: usize,
}

/// As many of a batch's judgements as can matter: rendering all of a large batch would be work for the bin.
pub(super) const PER_BATCH: usize = 2_000;

impl Recent {
    pub(super) fn push(&mut self, key: Key, line: Vec<u8>) {
        self.bytes += line.len() + OVERHEAD;
        self.lines.push_back((key, line.into()));
        while self.bytes > BYTES {
            let Some((_, line)) = self.lines.pop_front() else { break };
            self.bytes -= line.len() + OVERHEAD;
        }
    }

    /// Of one key, the newest first.
    pub(super) fn of(&self, key: &Key) -> Vec<Box<[u8]>> {
        self.lines.iter().rev().filter(|(of, _)| of == key).map(|(_, line)| line.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_only_those_of_the_key() {
        let mut recent = Recent::default();
        for (key, line) in [("a", "1"), ("b", "2"), ("a", "3")] {
            recent.push(key.into(), line.into());
        }
        assert_eq!(recent.of(&"a".into()), [Box::from(*b"3"), Box::from(*b"1")]);
        assert_eq!(recent.of(&"c".into()), Vec::<Box<[u8]>>::new());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go_first() {
        let mut recent = Recent::default();
        let line = vec![b'x'; 1024 * 1024 - OVERHEAD];
        for key in 0..9 {
            recent.push(key.to_string().into(), line.clone());
            assert!(recent.bytes <= BYTES);
        }
        assert!(recent.of(&"0".into()).is_empty() && recent.of(&"1".into()).len() == 1, "eight of them fit exactly");
    }
}
