//! Where JSON's strings begin, end and hold escapes: the quotes and backslashes of a text, found 64 bytes at a look.
//!
//! A message holds one every few bytes, and a search from each to the next would mostly pay for its start.

/// Bytes that are looked at together.
const BLOCK: usize = u64::BITS as usize;
const WORD: usize = size_of::<u64>();

/// Finds quotes and backslashes, going forward.
#[derive(Debug)]
pub(crate) struct Marks<'a> {
    bytes: &'a [u8],
    /// Where the block begins that `found` is about.
    start: usize,
    /// A bit for each byte of the block, the first one lowest.
    found: u64,
}

impl<'a> Marks<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut marks = Self { bytes, start: 0, found: 0 };
        marks.look_at(0);
        marks
    }

    /// The first quote or backslash at `from` or after it. `from` must not fall below what was found or asked before.
    #[inline]
    pub(crate) fn next(&mut self, from: usize) -> Option<usize> {
        if from >= self.start + BLOCK {
            if from >= self.bytes.len() {
                return None;
            }
            self.look_at(from - from % BLOCK);
        }
        let mut found = self.found & (u64::MAX << (from.saturating_sub(self.start)));
        while found == 0 {
            let next = self.start + BLOCK;
            if next >= self.bytes.len() {
                return None;
            }
            self.look_at(next);
            found = self.found;
        }
        Some(self.start + found.trailing_zeros() as usize)
    }

    fn look_at(&mut self, start: usize) {
        self.start = start;
        let rest = &self.bytes[start..];
        self.found = if let Some(block) = rest.first_chunk() {
            marked(block)
        } else {
            let mut padded = [0; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            marked(&padded)
        };
    }
}

fn marked(block: &[u8; BLOCK]) -> u64 {
    let mut found = [0; BLOCK];
    mark(block, &mut found);
    let (words, _) = found.as_chunks::<WORD>();
    words.iter().rev().fold(0, |bits, word| bits << WORD | lowest_bits(u64::from_le_bytes(*word)))
}

/// A 1 for each quote and backslash. Kept apart from its use, which would have the compiler take byte by byte: alone it
/// becomes a few comparisons of many bytes at once.
#[inline(never)]
fn mark(block: &[u8; BLOCK], found: &mut [u8; BLOCK]) {
    for (found, byte) in found.iter_mut().zip(block) {
        *found = u8::from(*byte == b'"') | u8::from(*byte == b'\\');
    }
}

/// The lowest bits of eight bytes, side by side.
fn lowest_bits(word: u64) -> u64 {
    const TO_THE_LAST_BYTE: u64 = 0x0102_0408_1020_4080;
    word.wrapping_mul(TO_THE_LAST_BYTE) >> (u64::BITS as usize - WORD)
}

const ONES: u64 = u64::MAX / 0xff;
const HIGHEST: u64 = ONES << 7;

/// The first byte at `from` or after it that ends the plain part of a string: a quote, a backslash or a control character,
/// which JSON forbids.
#[inline]
pub(crate) fn special(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        // bits above the lowest one may be wrong, by the borrow of a byte that is right
        let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHEST;
        let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let found = equal(b'"') | equal(b'\\') | below(word, 0x20);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += WORD;
    }
    let rest = bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
    Some(at + rest)
}

/// JSON forbids raw control characters in strings.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    // without a branch a byte, so that the compiler takes many at a time
    bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < 0x20
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(bytes: &[u8], skip: usize) -> Vec<usize> {
        let mut marks = Marks::of(bytes);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(place) = marks.next(from) {
            found.push(place);
            from = place + skip;
        }
        found
    }

    #[test]
    fn marks_lie_on_both_sides_of_a_block_s_end() {
        for place in [0, 7, 8, 62, 63, 64, 65, 127, 128, 199] {
            let mut bytes = vec![b'a'; 200];
            bytes[place] = b'"';
            assert_eq!(found(&bytes, 1), [place]);
        }
        assert_eq!(found(b"", 1), [] as [usize; 0]);
    }

    proptest! {
        #[test]
        fn every_mark_is_found_wherever_the_search_goes_on(bytes in proptest::collection::vec(any::<u8>(), 0..300), skip in 1..200_usize) {
            let mut expected = Vec::new();
            let mut from = 0;
            while let Some(place) = (from..bytes.len()).find(|place| matches!(bytes[*place], b'"' | b'\\')) {
                expected.push(place);
                from = place + skip;
            }
            prop_assert_eq!(found(&bytes, skip), expected);
        }

        #[test]
        fn what_ends_the_plain_part_of_a_string_is_found_from_anywhere(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'a'), Just(0x1f), Just(0x20), Just(0x7f), Just(0xff)], 0..40),
            from in 0..45_usize,
        ) {
            let is_special = |at: &usize| matches!(bytes[*at], b'"' | b'\\' | ..0x20);
            prop_assert_eq!(special(&bytes, from), (from..bytes.len()).find(is_special));
        }

        #[test]
        fn marks_among_many(text in "[\"\\\\a]{0,200}", skip in 1..3_usize) {
            let all: Vec<usize> = (0..text.len()).filter(|place| text.as_bytes()[*place] != b'a').collect();
            let found = found(text.as_bytes(), skip);
            if skip == 1 {
                prop_assert_eq!(found, all);
            } else {
                prop_assert!(found.iter().all(|place| all.contains(place)));
            }
        }
    }
}
