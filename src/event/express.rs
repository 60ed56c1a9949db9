//! The usual message, read at one go.
//!
//! Nearly all messages are an envelope without blanks and with flat row images. This reader knows no more than that, and
//! gives up at whatever else it meets: then serde_json reads the message from its beginning, and has the last word on what
//! it means or what is wrong with it.

use std::cell::Cell as Slot;

use super::cell::Cell;
use super::envelope::{self, Envelope, Source};
use super::marks::special;
use super::object::{Columns, Object, Shape};
use super::template::{Form, Like, Member, Templates};

/// What was read of a table's messages before, to compare with.
#[derive(Debug, Default)]
pub(crate) struct Express {
    plain: Kinds,
    quoted: Kinds,
}

/// The objects of an envelope.
#[derive(Debug, Default)]
struct Kinds {
    rows: Templates,
    sources: Templates,
}

impl Express {
    /// The envelope that [`Envelope::from_json`] would find in this text; `None` if that takes a closer look.
    pub(super) fn envelope<'a, R: Columns<'a>>(&self, text: &'a str) -> Option<Envelope<'a, R>> {
        read::<R, false>(text, &self.plain)
    }

    /// The same for a text that stands within a JSON string, whose quotes are therefore escaped. Undoing the escapes first
    /// costs more than reading it. `None` also where the message's identity takes the bytes of its images.
    pub(super) fn quoted_envelope<'a, R: Columns<'a>>(&self, text: &'a str) -> Option<Envelope<'a, R>> {
        read::<R, true>(text, &self.quoted).filter(Envelope::says_which_change)
    }
}

/// Members for which room is kept from one message to the next: more than a table has columns.
const SPARE: usize = 4_096;
/// Members that are skipped at most to find a name again: columns that were dropped side by side. Likewise, names that are not
/// found one after the other before comparing is given up. A search through all would make a hostile message take the square
/// of its length.
const AHEAD: usize = 32;

thread_local! {
    /// Room for the members of a `before`.
    static MEMBERS: Slot<Vec<Member>> = const { Slot::new(Vec::new()) };
}

fn read<'a, R: Columns<'a>, const QUOTED: bool>(text: &'a str, kinds: &Kinds) -> Option<Envelope<'a, R>> {
    // members' places are kept in 32 bits
    u32::try_from(text.len()).ok()?;
    let mut members = MEMBERS.take();
    members.clear();
    let envelope = Reader::<QUOTED>::new(text).envelope(kinds, &mut members);
    // a row of no known table must not leave its room behind
    if members.capacity() <= SPARE {
        MEMBERS.set(members);
    }
    envelope
}

const ESCAPED_QUOTE: &[u8] = b"\\\"";
const ESCAPED_BACKSLASH: &[u8] = b"\\\\";

/// What an object is compared with.
#[derive(Clone, Copy)]
enum Against<'t> {
    /// The last object of its kind that was kept.
    Last(&'t Templates),
    /// Another one of the same message.
    This(Like<'t>),
}

struct Reader<'a, const QUOTED: bool> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a, const QUOTED: bool> Reader<'a, QUOTED> {
    /// The byte that a string begins with.
    const QUOTE: u8 = if QUOTED { b'\\' } else { b'"' };
    const QUOTE_LEN: usize = if QUOTED { ESCAPED_QUOTE.len() } else { 1 };

    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// An envelope that is all of the text. `before` takes the members of the row image of that name.
    fn envelope<R: Columns<'a>>(mut self, kinds: &Kinds, before: &mut Vec<Member>) -> Option<Envelope<'a, R>> {
        let text = self.text;
        let mut envelope = Envelope::default();
        let mut seen = 0_u8;
        self.members(|reader, name| {
            let member = envelope::Member::of(name);
            if let Some(bit) = member.bit() {
                if seen & bit != 0 {
                    return None;
                }
                seen |= bit;
            }
            match member {
                envelope::Member::Before => reader.object(&mut envelope.before, Against::Last(&kinds.rows), Some(before))?,
                envelope::Member::After if before.is_empty() => {
                    reader.object(&mut envelope.after, Against::Last(&kinds.rows), None)?;
                }
                envelope::Member::After => {
                    reader.object(&mut envelope.after, Against::This(Like { text, members: before }), None)?;
                }
                envelope::Member::Source => {
                    reader.object::<Source<'a>>(&mut envelope.source, Against::Last(&kinds.sources), None)?;
                }
                envelope::Member::Op => envelope.op = reader.scalar()?,
                envelope::Member::Schema | envelope::Member::Payload => return None,
                envelope::Member::Other if reader.peek() == Some(b'{') => {
                    reader.members(|reader, _| reader.scalar().map(drop))?;
                }
                envelope::Member::Other => drop(reader.scalar()?),
            }
            Some(())
        })?;
        (self.at == text.len()).then_some(envelope)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.byte()? == wanted).then_some(())
    }

    /// An object; `member` reads each value.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.name()?;
            member(self, name)?;
            if self.ends()? {
                return Some(());
            }
        }
    }

    /// A member's name and the colon.
    fn name(&mut self) -> Option<&'a str> {
        let Cell::Text(name) = self.string()? else { return None };
        self.expect(b':')?;
        Some(name)
    }

    /// What stands behind a member: whether it was the last one.
    fn ends(&mut self) -> Option<bool> {
        match self.byte()? {
            b',' => Some(false),
            b'}' => Some(true),
            _ => None,
        }
    }

    /// An object of scalars, or null. May keep it as a template where it was compared with one.
    fn object<R: Columns<'a>>(
        &mut self,
        object: &mut Object<R>,
        against: Against<'_>,
        members: Option<&mut Vec<Member>>,
    ) -> Option<()> {
        if self.peek() == Some(b'n') {
            return self.literal("null");
        }
        let start = self.at;
        object.shape = Shape::Object;
        let like = match against {
            Against::Last(templates) => templates.last(),
            Against::This(like) => like,
        };
        let names_read = self.row(&mut object.row, like, members)?;
        let text = &self.text[start..self.at];
        if let Against::Last(templates) = against
            && templates.wants(text, names_read)
        {
            learn::<R, QUOTED>(text, templates);
        }
        Some(())
    }

    /// An object of scalars, compared with one like it. Gives how many names had to be read; `members` takes all members.
    fn row<R: Columns<'a>>(&mut self, row: &mut R, like: Like<'_>, mut members: Option<&mut Vec<Member>>) -> Option<usize> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(0);
        }
        const { assert!(R::NAMES.len() <= 1 << u8::BITS, "a column's place takes a byte") };
        let cells = row.cells();
        let (mut names_read, mut not_found) = (0, 0);
        let mut left = like.members;
        loop {
            let mut known = None;
            if let Some(first) = left.first() {
                let same_to = first.name as usize + like.same(first, &self.bytes[self.at..]);
                let shift = position(self.at).wrapping_sub(first.name);
                // with the separator behind it: a number might go on
                let same = left.iter().take_while(|member| (member.end as usize) < same_to).count();
                let (same, rest) = left.split_at(same);
                for member in same.iter().map(|member| member.shifted(shift)) {
                    if let Some(place) = member.place {
                        let value = &self.text[member.value as usize..member.end as usize];
                        put(&mut cells[usize::from(place)], member.form.cell(value, Self::QUOTE_LEN))?;
                    }
                    if let Some(members) = &mut members {
                        members.push(member);
                    }
                }
                left = rest;
                if let Some(last) = same.last() {
                    self.at = last.shifted(shift).end as usize;
                    if self.ends()? {
                        return Some(names_read);
                    }
                }
                known = left.first().filter(|next| next.value as usize <= same_to);
            }
            let name = self.at;
            let place = if let Some(known) = known {
                self.at += (known.value - known.name) as usize;
                left = &left[1..];
                known.place
            } else {
                let read = self.name()?;
                names_read += 1;
                // columns were dropped before it, or it is a new one
                let quoted = &self.text[name..self.at - 1];
                if let Some(found) = left.iter().take(AHEAD).position(|member| like.name(member) == quoted) {
                    (left, not_found) = (&left[found + 1..], 0);
                } else if not_found == AHEAD {
                    left = &[];
                } else {
                    not_found += 1;
                }
                R::place(read).map(|place| u8::try_from(place).expect("it was checked when this was compiled"))
            };
            let value = self.at;
            let cell = self.scalar()?;
            if let Some(members) = &mut members {
                let [name, value, end] = [name, value, self.at].map(position);
                members.push(Member { name, value, end, place, form: Form::of(cell)? });
            }
            if let Some(place) = place {
                put(&mut cells[usize::from(place)], cell)?;
            }
            if self.ends()? {
                return Some(names_read);
            }
        }
    }

    fn scalar(&mut self) -> Option<Cell<'a>> {
        match self.peek()? {
            quote if quote == Self::QUOTE => self.string(),
            b'n' => self.literal("null").map(|()| Cell::Null),
            b't' => self.literal("true").map(|()| Cell::Bool(true)),
            b'f' => self.literal("false").map(|()| Cell::Bool(false)),
            _ => self.number().map(Cell::Number),
        }
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.bytes[self.at..].starts_with(literal.as_bytes()).then(|| self.at += literal.len())
    }

    /// A string, as it stands there: escapes are checked and not undone.
    fn string(&mut self) -> Option<Cell<'a>> {
        if QUOTED {
            return self.quoted_string();
        }
        let quote = self.at;
        self.expect(b'"')?;
        let mut end = special(self.bytes, self.at)?;
        if self.bytes[end] == b'"' {
            let text = &self.text[self.at..end];
            self.at = end + 1;
            return Some(Cell::Text(text));
        }
        while self.bytes[end] == b'\\' {
            let behind = match self.bytes.get(end + 1)? {
                b'"' | b'\\' => end + 2,
                _ => self.escape(end + 1)?,
            };
            end = special(self.bytes, behind)?;
        }
        self.at = end;
        // else it is a control character
        self.expect(b'"')?;
        Some(Cell::Escaped(&self.text[quote..self.at]))
    }

    /// Where an escape of neither a quote nor a backslash ends, from the byte behind its backslash.
    fn escape(&self, at: usize) -> Option<usize> {
        match self.bytes.get(at)? {
            b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
            b'u' => self.bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
            _ => None,
        }
    }

    /// A string between escaped quotes. Where it holds escapes, the backslash of each is escaped, and so is a quote behind it.
    fn quoted_string(&mut self) -> Option<Cell<'a>> {
        let quote = self.at;
        let start = self.opening_quote()?;
        let mut end = start;
        loop {
            let from = end;
            end = special(self.bytes, from)?;
            let rest = &self.bytes[end..];
            if rest.starts_with(ESCAPED_QUOTE) {
                self.at = end + ESCAPED_QUOTE.len();
                let is_plain = from == start;
                let text = self.text;
                return Some(if is_plain { Cell::Text(&text[start..end]) } else { Cell::EscapedTwice(&text[quote..self.at]) });
            }
            let escape = rest.strip_prefix(ESCAPED_BACKSLASH)?;
            end = if escape.starts_with(ESCAPED_QUOTE) || escape.starts_with(ESCAPED_BACKSLASH) {
                end + 4
            } else {
                self.escape(end + 2)?
            };
        }
    }

    fn opening_quote(&mut self) -> Option<usize> {
        self.bytes[self.at..].starts_with(ESCAPED_QUOTE).then_some(())?;
        self.at += ESCAPED_QUOTE.len();
        Some(self.at)
    }

    /// A number without an exponent.
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.bytes[self.at - whole] == b'0') {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        // an exponent ends it nowhere: what comes next is neither a comma nor a brace
        Some(&self.text[start..self.at])
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }
}

/// Keeps an object that was just read as a template.
#[cold]
fn learn<'a, R: Columns<'a>, const QUOTED: bool>(text: &'a str, templates: &Templates) {
    let mut members = Vec::new();
    if Reader::<QUOTED>::new(text).row(&mut R::default(), Like::default(), Some(&mut members)).is_some() {
        templates.keep(text, members);
    }
}

/// `None` where the column was there before.
fn put<'a>(cell: &mut Cell<'a>, value: Cell<'a>) -> Option<()> {
    matches!(cell, Cell::Absent).then(|| *cell = value)
}

/// A place in a text of less than 4 GiB.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
