//! Objects that were read before, for the next ones to be compared with.
//!
//! Rows of a table have the same columns in the same order and many of the same values; the images of an update differ in
//! one or two. So an object is held against one whose members are known: as far as they are the same, byte for byte, they
//! have the same members, and only what differs has to be read. Nothing counts as read that was not compared.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::cell::Cell;

/// Where a member of an object lies in a text, and what kind of value it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name's opening quote.
    pub(super) name: u32,
    pub(super) value: u32,
    /// Behind its value, where a comma or a brace stands.
    pub(super) end: u32,
    /// Among the columns that are read.
    pub(super) place: Option<u8>,
    pub(super) form: Form,
}

impl Member {
    /// The same member in a text in which it lies this much further on; the sum wraps.
    pub(super) fn shifted(self, by: u32) -> Self {
        let Self { name, value, end, .. } = self;
        Self { name: name.wrapping_add(by), value: value.wrapping_add(by), end: end.wrapping_add(by), ..self }
    }
}

/// What kind of cell a value makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Null,
    True,
    False,
    Number,
    Text,
    Escaped,
    EscapedTwice,
}

impl Form {
    /// Of a cell that was read from a scalar.
    pub(super) fn of(cell: Cell<'_>) -> Option<Self> {
        Some(match cell {
            Cell::Null => Self::Null,
            Cell::Bool(true) => Self::True,
            Cell::Bool(false) => Self::False,
            Cell::Number(_) => Self::Number,
            Cell::Text(_) => Self::Text,
            Cell::Escaped(_) => Self::Escaped,
            Cell::EscapedTwice(_) => Self::EscapedTwice,
            Cell::Absent | Cell::Nested | Cell::Integer(_) | Cell::Double(_) | Cell::Bytes(_) => return None,
        })
    }

    /// The cell of a value of this form, whose quotes are so long.
    pub(super) fn cell(self, value: &str, quote: usize) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::True => Cell::Bool(true),
            Self::False => Cell::Bool(false),
            Self::Number => Cell::Number(value),
            Self::Text => Cell::Text(&value[quote..value.len() - quote]),
            Self::Escaped => Cell::Escaped(value),
            Self::EscapedTwice => Cell::EscapedTwice(value),
        }
    }
}

/// A text and the members of one object in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Like<'t> {
    pub(super) text: &'t str,
    pub(super) members: &'t [Member],
}

impl<'t> Like<'t> {
    /// How many bytes from its member's name on are the same as these.
    pub(super) fn same(&self, member: &Member, bytes: &[u8]) -> usize {
        common_prefix(&self.text.as_bytes()[member.name as usize..], bytes)
    }

    /// A member's name with its quotes.
    pub(super) fn name(&self, member: &Member) -> &'t str {
        // a colon stands between them
        &self.text[member.name as usize..member.value as usize - 1]
    }
}

/// An object that is kept.
struct Template {
    text: Box<str>,
    members: Box<[Member]>,
}

impl fmt::Debug for Template {
    /// How many members and no more: rows hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.members.len())
    }
}

/// Objects of one kind that were read, kept to compare with. Shared by all threads that decode.
///
/// The last one kept is the one to compare with. They are never freed, so there are few: one for each change of a table's
/// columns while the process runs.
#[derive(Debug, Default)]
pub(super) struct Templates {
    kept: Box<[OnceLock<Template>; 16]>,
    /// Objects unlike the last one, one after the other.
    unlike: AtomicU32,
}

/// Names that had to be read in an object that is unlike its template.
const UNLIKE: usize = 4;
/// Objects that are unlike the template before one of them takes its place: the columns have changed. Fewer are an accident, or
/// somebody's mischief.
const CHANGED: u32 = 64;
/// Bytes of an object that is kept, at most: several times what a row of a thousand columns has.
const LARGEST: usize = 256 << 10;

impl Templates {
    pub(super) fn last(&self) -> Like<'_> {
        let last = self.kept.iter().map_while(OnceLock::get).last();
        last.map_or(Like::default(), |Template { text, members }| Like { text, members })
    }

    /// Whether an object should be kept, of which so many names had to be read when it was compared with the last one.
    pub(super) fn wants(&self, text: &str, names_read: usize) -> bool {
        let is_first = names_read > 0 && self.kept[0].get().is_none();
        if names_read >= UNLIKE {
            self.unlike.fetch_add(1, Ordering::Relaxed);
        } else if self.unlike.load(Ordering::Relaxed) != 0 {
            self.unlike.store(0, Ordering::Relaxed);
        }
        let has_changed = self.unlike.load(Ordering::Relaxed) >= CHANGED;
        (is_first || has_changed) && text.len() <= LARGEST && self.kept.iter().any(|slot| slot.get().is_none())
    }

    /// Two threads that keep the same at once take two slots; no harm is done.
    #[cold]
    pub(super) fn keep(&self, text: &str, members: Vec<Member>) {
        self.unlike.store(0, Ordering::Relaxed);
        let mut template = Template { text: text.into(), members: members.into() };
        for slot in self.kept.iter() {
            match slot.set(template) {
                Ok(()) => return,
                Err(back) => template = back,
            }
        }
    }
}

/// Bytes that are compared together.
const BLOCK: usize = 32;
const WORD: usize = size_of::<u64>();

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_blocks, _) = a.as_chunks::<BLOCK>();
    let (b_blocks, _) = b.as_chunks::<BLOCK>();
    let same = BLOCK * a_blocks.iter().zip(b_blocks).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    let (a_words, _) = a.as_chunks::<WORD>();
    let (b_words, _) = b.as_chunks::<WORD>();
    let mut words = 0;
    for (a, b) in a_words.iter().zip(b_words) {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return same + words + differing.trailing_zeros() as usize / 8;
        }
        words += WORD;
    }
    same + words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_prefix_ends_before_the_first_byte_that_differs() {
        let a: Vec<u8> = (0..200).collect();
        assert_eq!(common_prefix(&a, &a), 200);
        assert_eq!(common_prefix(&a, &[]), 0);
        for at in 0..200 {
            let mut b = a.clone();
            b[at] ^= 0x80;
            assert_eq!(common_prefix(&a, &b), at);
            assert_eq!(common_prefix(&a, &a[..at]), at);
            assert_eq!(common_prefix(&a[..at], &b), at);
        }
    }

    #[test]
    fn the_first_object_is_kept_and_another_when_many_in_a_row_are_unlike_it() {
        let templates = Templates::default();
        assert!(!templates.wants("", 0));
        assert!(templates.wants("", 1), "there is none yet");
        assert!(!templates.wants(&"x".repeat(LARGEST + 1), 1));
        templates.keep("0", Vec::new());
        let unlike = |times| (0..times).filter(|_| templates.wants("", UNLIKE)).count();
        assert_eq!(unlike(CHANGED - 1), 0);
        assert!(!templates.wants("", UNLIKE - 1), "one that is like it begins the count anew");
        assert_eq!(unlike(CHANGED - 1), 0);
        assert_eq!(unlike(1), 1);
        for n in 1..20 {
            templates.keep(&n.to_string(), Vec::new());
        }
        assert_eq!((templates.last().text, unlike(2 * CHANGED)), ("15", 0));
    }

    #[test]
    fn a_template_is_shown_without_the_row_that_it_is() {
        let templates = Templates::default();
        templates.keep("Zoë", Vec::new());
        assert!(!format!("{templates:?}").contains("Zoë"));
    }
}
