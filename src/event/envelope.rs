//! Debezium's envelope: two row images, the source block and what happened.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::bad::{BadMessage, Expected};
use super::cell::{Cell, Column};
use super::express::Express;
use super::lsn::Lsn;
use super::object::{Columns, Fill, Object, Shape, columns};
use crate::time::Timestamp;

columns! {
    /// The part of `source` that positions a change.
    pub(crate) struct Source {
        ts_ms = "ts_ms",
        commit_lsn = "commit_lsn",
        change_lsn = "change_lsn",
        event_serial_no = "event_serial_no",
    }
}

/// Debezium's operation codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Update,
    Delete,
    /// A row of a snapshot.
    Read,
    Truncate,
    Message,
}

impl Op {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Create => b'c',
            Self::Update => b'u',
            Self::Delete => b'd',
            Self::Read => b'r',
            Self::Truncate => b't',
            Self::Message => b'm',
        }
    }
}

/// Where and when the source made the change. What is there is well-formed; what is needed is the operation's business.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourcePosition {
    pub commit_lsn: Option<Lsn>,
    pub time: Option<Timestamp>,
    pub change_lsn: Option<Lsn>,
    pub event_serial_no: Option<i64>,
}

/// A value that is JSON, whatever else it is.
#[derive(Debug)]
pub(crate) struct Envelope<'a, R> {
    pub before: Object<R>,
    pub after: Object<R>,
    pub source: Object<Source<'a>>,
    pub op: Cell<'a>,
    /// Both there: the message carries its schema, and the envelope is in the payload.
    pub schema: Option<&'a RawValue>,
    pub payload: Option<&'a RawValue>,
    /// A member that is read stands there twice. Which of the two counts, JSON leaves open, so neither does.
    pub duplicate: Option<&'static str>,
}

impl<R: Default> Default for Envelope<'_, R> {
    fn default() -> Self {
        Self {
            before: Object::default(),
            after: Object::default(),
            source: Object::default(),
            op: Cell::Absent,
            schema: None,
            payload: None,
            duplicate: None,
        }
    }
}

impl<'a, R: Columns<'a>> Envelope<'a, R> {
    /// Reads one JSON object and nothing after it.
    pub(crate) fn from_json(text: &'a str, express: &Express) -> Result<Self, BadMessage> {
        match express.envelope(text) {
            Some(envelope) => Ok(envelope),
            None => Self::read_carefully(text),
        }
    }

    pub(super) fn read_carefully(text: &'a str) -> Result<Self, BadMessage> {
        let mut envelope = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // Not all errors of serde_json may be quoted: some hold values.
        deserializer
            .deserialize_map(EnvelopeVisitor(&mut envelope))
            .and_then(|()| deserializer.end())
            .map_err(|error| not_json(&error))?;
        Ok(envelope)
    }

    /// Both a schema and a payload, in whatever order.
    pub(crate) fn wrapped(&self) -> Option<(&'a RawValue, &'a RawValue)> {
        self.schema.zip(self.payload)
    }

    /// The operation of a well-shaped envelope.
    pub(crate) fn op(&self) -> Result<Op, BadMessage> {
        if let Some(member) = self.duplicate {
            return Err(BadMessage::new("malformed", format_args!("{member} stands there twice")));
        }
        let op = match self.op {
            Cell::Absent => return Err(BadMessage::flattened()),
            op => op.text().unwrap_or_default(),
        };
        let op = match &*op {
            "c" => Op::Create,
            "u" => Op::Update,
            "d" => Op::Delete,
            "r" => Op::Read,
            "t" => Op::Truncate,
            "m" => Op::Message,
            _ => return Err(BadMessage::new("unknown_op", "op is none of c, u, d, r, t, m")),
        };
        for (part, shape) in [("before", self.before.shape), ("after", self.after.shape), ("source", self.source.shape)] {
            match shape {
                Shape::Absent | Shape::Object => {}
                Shape::NotAnObject => return Err(BadMessage::new("malformed", format_args!("{part} is not an object"))),
                Shape::Duplicate(name) => {
                    return Err(BadMessage::new("malformed", format_args!("{part}.{name} stands there twice")));
                }
            }
        }
        Ok(op)
    }

    pub(crate) fn position(&self) -> Result<SourcePosition, BadMessage> {
        const LSN: Expected = Expected::new("a log sequence number of the form 0000002b:00000d78:0005");
        const TIME: Expected = Expected::new("ms since 1970-01-01 within the years 1 to 9999");
        let source = &self.source.row;
        let lsn = |column: Column<'a>| column.parse(|text| text.parse::<Lsn>().map_err(|_| LSN));
        Ok(SourcePosition {
            commit_lsn: lsn(source.commit_lsn("source"))?,
            time: source.ts_ms("source").convert(|ms| Timestamp::from_ms(ms).ok_or(TIME))?,
            change_lsn: lsn(source.change_lsn("source"))?,
            event_serial_no: source.event_serial_no("source").integer()?,
        })
    }

    /// Whether something tells the change from others of its commit, so that its images need not.
    pub(super) fn says_which_change(&self) -> bool {
        let source = &self.source.row;
        let cells = [source.change_lsn("source").cell, source.event_serial_no("source").cell];
        cells.iter().any(|cell| !matches!(cell, Cell::Absent | Cell::Null))
    }

    /// Commit and time of a change, which needs them.
    pub(crate) fn commit_and_time(&self, position: &SourcePosition) -> Result<(Lsn, Timestamp), BadMessage> {
        if self.source.shape == Shape::Absent {
            return Err(BadMessage::missing_part("source"));
        }
        let commit = position.commit_lsn.ok_or_else(|| BadMessage::missing("source", "commit_lsn"))?;
        let time = position.time.ok_or_else(|| BadMessage::missing("source", "ts_ms"))?;
        Ok((commit, time))
    }
}

/// The raw before and after images of an envelope, empty where absent: part of the rare identity that has nothing better.
pub(crate) fn raw_images(text: &str) -> [&[u8]; 2] {
    #[derive(Deserialize)]
    struct Images<'a> {
        #[serde(borrow)]
        before: Option<&'a RawValue>,
        #[serde(borrow)]
        after: Option<&'a RawValue>,
    }
    // It was read as an envelope before, so it can be read again.
    serde_json::from_str::<Images<'_>>(text).map_or([b"", b""], |images| {
        [images.before, images.after].map(|image| image.map_or(&b""[..], |raw| raw.get().as_bytes()))
    })
}

#[cold]
fn not_json(error: &serde_json::Error) -> BadMessage {
    if error.is_data() {
        BadMessage::new("not_an_envelope", "the value is not a JSON object")
    } else {
        BadMessage::new("not_json", format_args!("the value is not JSON: line {}, column {}", error.line(), error.column()))
    }
}

struct EnvelopeVisitor<'e, 'a, R>(&'e mut Envelope<'a, R>);

impl<'de, R: Columns<'de>> Visitor<'de> for EnvelopeVisitor<'_, 'de, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let envelope = self.0;
        let mut seen = 0_u8;
        while let Some(member) = map.next_key::<Member>()? {
            if let Some(bit) = member.bit() {
                if seen & bit != 0 {
                    envelope.duplicate = Some(member.name());
                }
                seen |= bit;
            }
            match member {
                Member::Before => map.next_value_seed(Fill(&mut envelope.before))?,
                Member::After => map.next_value_seed(Fill(&mut envelope.after))?,
                Member::Source => map.next_value_seed(Fill(&mut envelope.source))?,
                Member::Op => envelope.op = Cell::from_json(map.next_value()?),
                Member::Schema => envelope.schema = Some(map.next_value()?),
                Member::Payload => envelope.payload = Some(map.next_value()?),
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The members that are read; unlike a derived enum's, an unknown name is not an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Before,
    After,
    Source,
    Op,
    Schema,
    Payload,
    Other,
}

impl Member {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "before" => Self::Before,
            "after" => Self::After,
            "source" => Self::Source,
            "op" => Self::Op,
            "schema" => Self::Schema,
            "payload" => Self::Payload,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Source => "source",
            Self::Op => "op",
            Self::Schema => "schema",
            Self::Payload => "payload",
            Self::Other => "",
        }
    }

    /// For the set of those that were seen; `None` for one that is not read.
    pub(super) fn bit(self) -> Option<u8> {
        (self != Self::Other).then_some(1 << self as u8)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(Member::of(name))
            }
        }
        deserializer.deserialize_str(Name)
    }
}
