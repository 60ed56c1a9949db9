//! The usual message, read at one go.
//!
//! Nearly all messages are an envelope without blanks and with flat row images. This reader knows no more than that, and
//! gives up at whatever else it meets: then serde_json reads the message from its beginning, and has the last word on what
//! it means or what is wrong with it.

use super::cell::Cell;
use super::envelope::{Envelope, Member, Source};
use super::marks::{Marks, has_control};
use super::object::{Columns, Object, Shape};

/// The envelope that [`Envelope::from_json`] would find in this text; `None` if that takes a closer look.
pub(super) fn envelope<'a, R: Columns<'a>>(text: &'a str) -> Option<Envelope<'a, R>> {
    read::<R, false>(text)
}

/// The same for a text that stands within a JSON string, whose quotes are therefore escaped. Undoing the escapes first
/// costs more than reading it. `None` also where the message's identity takes the bytes of its images.
pub(super) fn quoted_envelope<'a, R: Columns<'a>>(text: &'a str) -> Option<Envelope<'a, R>> {
    read::<R, true>(text).filter(Envelope::says_which_change)
}

fn read<'a, R: Columns<'a>, const QUOTED: bool>(text: &'a str) -> Option<Envelope<'a, R>> {
    if has_control(text.as_bytes()) {
        return None;
    }
    let mut reader = Reader::<QUOTED> { text, bytes: text.as_bytes(), at: 0, marks: Marks::of(text.as_bytes()) };
    let mut envelope = Envelope::default();
    let mut seen = 0_u8;
    reader.members(|reader, name| {
        let member = Member::of(name);
        if let Some(bit) = member.bit() {
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
        }
        match member {
            Member::Before => envelope.before = reader.object()?,
            Member::After => envelope.after = reader.object()?,
            Member::Source => envelope.source = reader.object::<Source<'a>>()?,
            Member::Op => envelope.op = reader.scalar()?,
            Member::Schema | Member::Payload => return None,
            Member::Other if reader.peek() == Some(b'{') => reader.members(|reader, _| reader.scalar().map(drop))?,
            Member::Other => drop(reader.scalar()?),
        }
        Some(())
    })?;
    (reader.at == text.len()).then_some(envelope)
}

const ESCAPED_QUOTE: &[u8] = b"\\\"";
const ESCAPED_BACKSLASH: &[u8] = b"\\\\";

struct Reader<'a, const QUOTED: bool> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    marks: Marks<'a>,
}

impl<'a, const QUOTED: bool> Reader<'a, QUOTED> {
    /// The byte that a string begins with.
    const QUOTE: u8 = if QUOTED { b'\\' } else { b'"' };

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
            let Cell::Text(name) = self.string()? else { return None };
            self.expect(b':')?;
            member(self, name)?;
            match self.byte()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// An object of scalars, or null.
    fn object<R: Columns<'a>>(&mut self) -> Option<Object<R>> {
        let mut object = Object::default();
        if self.peek() == Some(b'n') {
            self.literal("null")?;
            return Some(object);
        }
        object.shape = Shape::Object;
        let row: &mut R = &mut object.row;
        self.members(|reader, name| {
            let value = reader.scalar()?;
            if let Some((_, cell)) = row.slot(name) {
                if *cell != Cell::Absent {
                    return None;
                }
                *cell = value;
            }
            Some(())
        })?;
        Some(object)
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
        let mut end = self.marks.next(self.at)?;
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
            end = self.marks.next(behind)?;
        }
        self.at = end + 1;
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
            end = self.marks.next(from)?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    mod row {
        #![allow(dead_code, reason = "its cells are taken by name")]

        use super::super::super::object::columns;

        columns! {
            pub(super) struct Row { id = "Id", amount = "Amount", name = "Name" }
        }
    }
    use row::Row;

    /// Texts as they are meant, however often they are escaped.
    fn cell(cell: Cell<'_>) -> String {
        if cell.is_text() { format!("{:?}", cell.text()) } else { format!("{cell:?}") }
    }

    fn cells<'a>(mut object: Object<impl Columns<'a>>, names: &[&str]) -> String {
        let cells: Vec<_> = names.iter().map(|name| cell(*object.row.slot(name).expect("it is a column").1)).collect();
        format!("{:?} {cells:?}", object.shape)
    }

    /// What both readers make of a text: this one may give up.
    fn both(text: &str) -> (Option<String>, Result<String, String>) {
        let told = |envelope: Envelope<'_, Row<'_>>| {
            let wrapped = envelope.wrapped().map(|(schema, payload)| (schema.get(), payload.get()));
            let wrapped = format!("{wrapped:?} {:?}", envelope.duplicate);
            let row = |image| cells(image, &["Id", "Amount", "Name"]);
            let source = cells(envelope.source, &["ts_ms", "commit_lsn", "change_lsn", "event_serial_no"]);
            format!("{} {} {source} {} {wrapped}", row(envelope.before), row(envelope.after), cell(envelope.op))
        };
        let quoted = serde_json::to_string(text).unwrap();
        if let Some(quoted) = quoted_envelope(&quoted[1..quoted.len() - 1]).map(told) {
            assert_eq!(Some(quoted), envelope(text).map(told), "{text}");
        }
        (envelope(text).map(told), Envelope::read_carefully(text).map(told).map_err(|bad| format!("{bad:?}")))
    }

    const USUAL: &str = r#"{"before":null,"after":{"Id":7,"Amount":"-12.50","Other":-0.5,"Name":"Zoë \"\uD83C\uDFE6\\","Flag":true,"None":null},"source":{"ts_ms":5,"commit_lsn":"1:2:3","extra":{}},"transaction":{"id":"1","total_order":1},"op":"c","ts_ms":1}"#;

    #[test]
    fn a_usual_message_is_read_at_one_go_and_means_what_serde_json_says() {
        let usual = USUAL.replace(r#","extra":{}"#, "");
        let (express, careful) = both(&usual);
        assert_eq!(express.expect("it is usual"), careful.unwrap());
    }

    #[test]
    fn a_usual_message_within_a_string_is_read_without_undoing_its_escapes() {
        let usual = USUAL.replace(r#","extra":{}"#, r#","change_lsn":"1:2:4""#);
        for (text, is_read) in [(usual, true), (USUAL.to_owned(), false)] {
            let quoted = serde_json::to_string(&text).unwrap();
            assert_eq!(quoted_envelope::<Row<'_>>(&quoted[1..quoted.len() - 1]).is_some(), is_read, "{text}");
            assert!(quoted_envelope::<Row<'_>>(&text).is_none(), "no quote is escaped: {text}");
        }
    }

    #[test]
    fn what_is_unusual_or_wrong_takes_a_closer_look() {
        for text in [
            USUAL,
            "",
            "{",
            "{}x",
            " {}",
            "null",
            r#"{"op":"c","op":"u"}"#,
            r#"{"after":{"Id":1,"Id":2}}"#,
            r#"{"after":{"Id":01}}"#,
            r#"{"after":{"Id":-}}"#,
            r#"{"after":{"Id":1.}}"#,
            r#"{"after":{"Id":1e5}}"#,
            r#"{"after":{"Id":[1]}}"#,
            r#"{"after":{"Id":nul}}"#,
            r#"{"after":{"Id":1,}}"#,
            r#"{"after":{"Id" :1}}"#,
            r#"{"after":{"Id":"a\xb"}}"#,
            r#"{"after":{"Id":"\u12g4"}}"#,
            r#"{"after":{"I\u0064":1}}"#,
            "{\"after\":{\"Id\":\"a\tb\"}}",
            r#"{"after":5}"#,
            r#"{"schema":{},"payload":{}}"#,
            r#"{"op":"c"#,
        ] {
            assert_eq!(both(text).0, None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn a_damaged_message_means_the_same_or_takes_a_closer_look(at in 0..USUAL.len(), byte in 0x20_u8..0x7f, cut in any::<bool>()) {
            prop_assume!(USUAL.is_char_boundary(at) && USUAL.is_char_boundary(at + 1));
            let end = if cut { at } else { at + 1 };
            let text = format!("{}{}{}", &USUAL[..at], char::from(byte), &USUAL[end..]).replace(r#","extra":{}"#, "");
            let (express, careful) = both(&text);
            if let Some(express) = express {
                prop_assert_eq!(Ok(express), careful);
            }
        }

        #[test]
        fn members_of_any_kind_mean_the_same_or_take_a_closer_look(
            members in proptest::collection::vec(
                ("before|after|source|op|schema|payload|ts_ms", "null|true|false|-?[0-9]{1,3}(\\.[0-9]{1,3})?|\"[a-zé\\\\\"]{0,4}\"|\\{(\"(Id|Amount|Name|ts_ms|x)\":(null|1|-0|0.5|\"t\"|\"\")(,\"(Id|Name|y)\":(\"(\\\\n|\\\\u00e[0-9g])\"|7|true))?)?\\}|\\[\\]"), 0..5),
        ) {
            let text = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
            let (express, careful) = both(&format!("{{{text}}}"));
            if let Some(express) = express {
                prop_assert_eq!(Ok(express), careful);
            }
        }
    }
}
