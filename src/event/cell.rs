//! One value of a row or of the source block, borrowed from the message and not yet interpreted.

use std::borrow::Cow;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::bad::{BadMessage, Expected};
use super::money::AmountForm;
use super::temporal::DateForm;

/// A value as it stands in the message. Numbers keep their literal text: an amount never passes through a binary float.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Not there.
    #[default]
    Absent,
    /// As good as not there.
    Null,
    Text(&'a str),
    /// A JSON string that holds escapes, with its quotes.
    Escaped(&'a str),
    /// The same within a message that is itself the inside of a JSON string: all of it is escaped once more.
    EscapedTwice(&'a str),
    /// A JSON number's literal text.
    Number(&'a str),
    Bool(bool),
    /// Avro only.
    Integer(i64),
    /// Avro only.
    Double(f64),
    /// Avro only.
    Bytes(&'a [u8]),
    /// An array or an object.
    Nested,
}

const INTEGER: Expected = Expected::new("an integer of 64 bits");
const TEXT: Expected = Expected::new("text");
const BIT: Expected = Expected::new("true, false, 0 or 1");

/// What Debezium writes for a MAX column that an update did not touch.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

impl<'a> Cell<'a> {
    pub(crate) fn from_json(raw: &'a RawValue) -> Self {
        let json = raw.get();
        match json.as_bytes() {
            [b'"', inner @ .., b'"'] => match memchr::memchr(b'\\', inner) {
                None => Self::Text(&json[1..json.len() - 1]),
                Some(_) => Self::Escaped(json),
            },
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            [b'{' | b'[', ..] => Self::Nested,
            _ => Self::Number(json),
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::Escaped(_) | Self::EscapedTwice(_))
    }

    /// Fails for anything but a text, and for escapes that make no Unicode (half a surrogate pair).
    pub(crate) fn text(self) -> Result<Cow<'a, str>, Expected> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Escaped(json) => serde_json::from_str(json).map(Cow::Owned).map_err(|_| TEXT),
            Self::EscapedTwice(quoted) => {
                let once: String = serde_json::from_str(&format!("\"{quoted}\"")).map_err(|_| TEXT)?;
                serde_json::from_str(&once).map(Cow::Owned).map_err(|_| TEXT)
            }
            _ => Err(TEXT),
        }
    }

    pub(crate) fn integer(self) -> Result<i64, Expected> {
        match self {
            Self::Number(text) => text.parse().map_err(|_| INTEGER),
            Self::Integer(integer) => Ok(integer),
            _ => Err(INTEGER),
        }
    }

    pub(crate) fn bit(self) -> Result<bool, Expected> {
        match self {
            Self::Bool(bit) => Ok(bit),
            Self::Number("0") | Self::Integer(0) => Ok(false),
            Self::Number("1") | Self::Integer(1) => Ok(true),
            _ => Err(BIT),
        }
    }
}

/// A cell with its place in the message, so that what is wrong with it can be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'a> {
    /// `before`, `after` or `source`.
    pub of: &'static str,
    pub name: &'static str,
    pub cell: Cell<'a>,
}

impl<'a> Column<'a> {
    /// `None` where the cell is absent or null.
    fn read<T>(self, read: impl FnOnce(Cell<'a>) -> Result<T, Expected>) -> Result<Option<T>, BadMessage> {
        if matches!(self.cell, Cell::Absent | Cell::Null) {
            return Ok(None);
        }
        match read(self.cell) {
            Ok(value) => Ok(Some(value)),
            Err(expected) => Err(BadMessage::malformed(self.of, self.name, expected)),
        }
    }

    /// Also `None` for the text that stands for an unavailable value.
    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, BadMessage> {
        Ok(self.read(Cell::text)?.filter(|text| text != UNAVAILABLE))
    }

    pub(crate) fn integer(self) -> Result<Option<i64>, BadMessage> {
        self.read(Cell::integer)
    }

    pub(crate) fn bit(self) -> Result<Option<bool>, BadMessage> {
        self.read(Cell::bit)
    }

    pub(crate) fn date(self, form: DateForm) -> Result<Option<NaiveDate>, BadMessage> {
        self.read(|cell| form.read(cell))
    }

    pub(crate) fn amount(self, form: AmountForm) -> Result<Option<Decimal>, BadMessage> {
        self.read(|cell| form.read(cell))
    }

    /// A text that is read further.
    pub(crate) fn parse<T>(self, parse: impl FnOnce(&str) -> Result<T, Expected>) -> Result<Option<T>, BadMessage> {
        self.read(|cell| parse(&cell.text()?))
    }

    /// An integer that is read further.
    pub(crate) fn convert<T>(self, convert: impl FnOnce(i64) -> Result<T, Expected>) -> Result<Option<T>, BadMessage> {
        self.read(|cell| convert(cell.integer()?))
    }

    /// The value of a needed column.
    pub(crate) fn needed<T>(self, value: Option<T>) -> Result<T, BadMessage> {
        value.ok_or_else(|| BadMessage::missing(self.of, self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Cell<'_> {
        Cell::from_json(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn integers_are_json_integers_of_64_bits() {
        for (json, integer) in [("0", 0), ("-0", 0), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)] {
            assert_eq!(cell(json).integer(), Ok(integer), "{json}");
        }
        for json in ["9223372036854775808", "-9223372036854775809", "1.0", "1e3", r#""1""#, "true", "[1]"] {
            assert_eq!(cell(json).integer(), Err(INTEGER), "{json}");
        }
    }

    #[test]
    fn bits_are_booleans_or_zero_and_one() {
        for (json, bit) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            assert_eq!(cell(json).bit(), Ok(bit), "{json}");
        }
        for json in ["2", "-1", "1.0", r#""true""#, r#""1""#, "{}"] {
            assert_eq!(cell(json).bit(), Err(BIT), "{json}");
        }
    }

    #[test]
    fn escaped_text_is_unescaped_and_half_a_surrogate_pair_is_refused() {
        assert_eq!(cell(r#""caf\u00e9 \uD83C\uDFE6 \"x\"""#).text().unwrap(), "café 🏦 \"x\"");
        assert_eq!(cell(r#""plain""#).text().unwrap(), "plain");
        assert_eq!(cell(r#""""#).text().unwrap(), "");
        assert_eq!(cell(r#""\uD83C""#).text(), Err(TEXT));
        assert_eq!(cell("1").text(), Err(TEXT));
    }

    #[test]
    fn an_unavailable_value_is_absent() {
        let column = |json| Column { of: "after", name: "Any", cell: cell(json) };
        assert_eq!(column(r#""__debezium_unavailable_value""#).text(), Ok(None));
        assert_eq!(column("null").text(), Ok(None));
        assert_eq!(column(r#""""#).text().unwrap().unwrap(), "");
    }
}
