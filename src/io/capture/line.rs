//! One line of a capture file.
//!
//! A scanner takes the usual line apart in one pass, undoing the escapes of a payload into a buffer that is used again for
//! the next line. Whatever is unusual goes to serde_json, which has the last word on what a line means.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use serde::Deserialize;

use crate::event::marks::{Marks, has_control};
use crate::event::{Header, Origin, Record, Topic};

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("`{field}` is not base64")]
    Base64 { field: &'static str, source: base64::DecodeError },
    #[error("`headers` holds a name without a value")]
    OddHeaders,
    #[error("a header's name is null")]
    NamelessHeader,
    #[error("both `{0}` and `{0}_b64` are there")]
    Twice(&'static str),
    #[error("`payload` and `payload_b64` are missing")]
    NoPayload,
}

/// Buffers that are used from line to line.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<(Text, Option<Text>)>,
    /// Topics that came before, the last one first.
    topics: Vec<(Box<str>, Topic)>,
}

/// A string's content.
#[derive(Clone, Debug)]
enum Text {
    /// In the line: it has no escapes.
    Line(Range<usize>),
    /// In the line, with escapes that are known to be good.
    Quoted(Range<usize>),
    /// Up to the line's end, nothing of it looked at.
    Presumed(Range<usize>),
    /// In the scratch, its escapes undone.
    Scratch(Range<usize>),
}

impl Scratch {
    /// Takes a line apart and hands over its record.
    pub fn read<T>(&mut self, line: &[u8], take: impl FnOnce(&Record<'_>) -> T) -> Result<T, LineError> {
        self.read_quoted(line, |_, _| None, take)
    }

    /// The same, but a usual line's record is first shown to `glance` without a value and with the inside of the JSON string
    /// that its value is written as, presumed to go to the line's end. A glance that is enough must have read all of it.
    pub fn read_quoted<T>(
        &mut self,
        line: &[u8],
        glance: impl FnOnce(&Record<'_>, &str) -> Option<T>,
        take: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<T, LineError> {
        self.text.clear();
        self.headers.clear();
        let Some((line, fields)) = simdutf8::basic::from_utf8(line)
            .ok()
            .and_then(|line| Some((line, scan(line.as_bytes(), &mut self.text, &mut self.headers)?)))
        else {
            return self.read_slowly(line, take);
        };
        let text = &self.text;
        let get = |range: &Text| match range {
            Text::Line(range) | Text::Quoted(range) | Text::Presumed(range) => &line.as_bytes()[range.clone()],
            Text::Scratch(range) => &text[range.clone()],
        };
        // the whole line was found to be UTF-8, and undoing escapes keeps it so
        let str = |range: &Text| std::str::from_utf8(get(range)).unwrap_or_default();
        let headers: Vec<Header<'_>> =
            self.headers.iter().map(|(name, value)| Header { name: str(name), value: value.as_ref().map(get) }).collect();
        let mut record = Record {
            origin: Origin {
                topic: topic(&mut self.topics, str(&fields.topic)),
                partition: fields.partition,
                offset: fields.offset,
            },
            timestamp_ms: fields.timestamp_ms,
            key: fields.key.as_ref().map(get),
            value: None,
            headers: &headers,
        };
        let mut payload = fields.payload;
        if let Some(Text::Presumed(range)) = payload {
            if let Some(taken) = glance(&record, &line[range.clone()]) {
                return Ok(taken);
            }
            let mut scanner = Scanner { line: line.as_bytes(), at: range.start - 1, marks: Marks::of(line.as_bytes()) };
            payload = match scanner.quoted() {
                Some(payload) if scanner.at == range.end + 1 => Some(payload),
                _ => return self.read_slowly(line.as_bytes(), take),
            };
        }
        if let Some(Text::Quoted(range)) = &payload {
            self.value.clear();
            undo_escapes(&line.as_bytes()[range.clone()], &mut self.value);
            record.value = Some(&self.value);
        } else {
            record.value = payload.as_ref().map(get);
        }
        Ok(take(&record))
    }

    fn read_slowly<T>(&mut self, line: &[u8], take: impl FnOnce(&Record<'_>) -> T) -> Result<T, LineError> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        if line.headers.len() % 2 == 1 {
            return Err(LineError::OddHeaders);
        }
        let header = |pair: &'_ [Option<Cow<'_, str>>]| -> Result<(String, Option<Vec<u8>>), LineError> {
            let name = pair[0].as_deref().ok_or(LineError::NamelessHeader)?;
            Ok((name.to_owned(), pair[1].as_deref().map(|value| value.as_bytes().to_vec())))
        };
        let headers = line.headers.chunks_exact(2).map(header).collect::<Result<Vec<_>, _>>()?;
        let headers: Vec<Header<'_>> = headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        if matches!((&line.payload, &line.payload_b64), (None, None)) {
            return Err(LineError::NoPayload);
        }
        let key = bytes("key", line.key.flatten(), line.key_b64.flatten())?;
        let value = bytes("payload", line.payload.flatten(), line.payload_b64.flatten())?;
        let topic = topic(&mut self.topics, &line.topic);
        Ok(take(&Record {
            origin: Origin { topic, partition: line.partition, offset: line.offset },
            timestamp_ms: line.ts.filter(|ms| *ms >= 0),
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &headers,
        }))
    }
}

/// A line as serde sees it. `Some(None)` is a null, `None` a field that is missing.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    partition: i32,
    offset: i64,
    ts: Option<i64>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    headers: Vec<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    key: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    key_b64: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload_b64: Option<Option<Cow<'a, str>>>,
}

fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Cow<'a, str>>>, D::Error> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Some(Option::<Borrowed<'a>>::deserialize(deserializer)?.map(|text| text.0)))
}

fn nullable<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<Cow<'a, str>>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn bytes<'a>(
    field: &'static str,
    text: Option<Cow<'a, str>>,
    base64: Option<Cow<'a, str>>,
) -> Result<Option<Cow<'a, [u8]>>, LineError> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(LineError::Twice(field)),
        (Some(Cow::Borrowed(text)), None) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
        (Some(Cow::Owned(text)), None) => Ok(Some(Cow::Owned(text.into_bytes()))),
        (None, Some(base64)) => match base64::engine::general_purpose::STANDARD.decode(base64.as_bytes()) {
            Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
            Err(source) => Err(LineError::Base64 { field, source }),
        },
        (None, None) => Ok(None),
    }
}

fn topic(known: &mut Vec<(Box<str>, Topic)>, name: &str) -> Topic {
    match known.iter().position(|(other, _)| **other == *name) {
        Some(place) => {
            // neighbours in a file are often of one topic
            known.swap(0, place);
            known[0].1
        }
        None => {
            let topic = Topic::intern(name);
            known.insert(0, (name.into(), topic));
            topic
        }
    }
}

/// What the scanner finds in a usual line.
struct Fields {
    topic: Text,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Text>,
    payload: Option<Text>,
}

/// Takes a usual line of UTF-8 apart; `None` sends it to serde_json: it is unusual or wrong.
fn scan(line: &[u8], text: &mut Vec<u8>, headers: &mut Vec<(Text, Option<Text>)>) -> Option<Fields> {
    let mut scanner = Scanner { line, at: 0, marks: Marks::of(line) };
    let (mut topic, mut partition, mut offset, mut timestamp_ms) = (None, None, None, None);
    let (mut key, mut payload, mut has_headers) = (None, None, false);
    scanner.expect(b'{')?;
    loop {
        let name = scanner.name()?;
        scanner.expect(b':')?;
        match name {
            b"topic" if topic.is_none() => topic = Some(scanner.string(text)?),
            b"partition" if partition.is_none() => partition = Some(i32::try_from(scanner.integer()?).ok()?),
            b"offset" if offset.is_none() => offset = Some(scanner.integer()?),
            b"ts" if timestamp_ms.is_none() => timestamp_ms = Some(scanner.integer()?),
            b"key" if key.is_none() => key = Some(scanner.string_or_null(text)?),
            b"payload" if payload.is_none() => match (&topic, partition, offset, &key, scanner.presumed_last()) {
                (Some(_), Some(_), Some(_), Some(_), Some(last)) => {
                    payload = Some(Some(last));
                    scanner.at = line.len();
                    break;
                }
                _ => payload = Some(scanner.quoted_or_null()?),
            },
            b"headers" if !has_headers => {
                has_headers = true;
                scanner.headers(text, headers)?;
            }
            b"tstype" => scanner.string(text).map(|_| ())?,
            b"broker" => scanner.integer().map(|_| ())?,
            _ => return None,
        }
        match scanner.byte()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    (scanner.at == line.len()).then_some(Fields {
        topic: topic?,
        partition: partition?,
        offset: offset?,
        timestamp_ms: timestamp_ms.filter(|ms| *ms >= 0),
        key: key?,
        payload: payload?,
    })
}

/// Knows the JSON that kcat prints: no blanks between tokens, integers without exponents.
struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
    marks: Marks<'a>,
}

impl<'a> Scanner<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.byte()? == wanted).then_some(())
    }

    fn literal(&mut self, wanted: &[u8]) -> Option<()> {
        self.line[self.at..].starts_with(wanted).then(|| self.at += wanted.len())
    }

    /// A field's name, which has no escapes.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        let end = self.marks.next(start).filter(|end| self.line[*end] == b'"')?;
        self.at = end + 1;
        Some(&self.line[start..end])
    }

    /// At most 18 digits, which fit.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.literal(b"-").is_some();
        let digits = self.line[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = &self.line[self.at..self.at + digits];
        if digits == 0 || digits > 18 || (digits > 1 && text[0] == b'0') {
            return None;
        }
        self.at += digits;
        let value = text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        match (negative, value) {
            // no integer, says serde_json
            (true, 0) => None,
            (true, value) => Some(-value),
            (false, value) => Some(value),
        }
    }

    fn string_or_null(&mut self, text: &mut Vec<u8>) -> Option<Option<Text>> {
        if self.literal(b"null").is_some() { Some(None) } else { self.string(text).map(Some) }
    }

    fn headers(&mut self, text: &mut Vec<u8>, headers: &mut Vec<(Text, Option<Text>)>) -> Option<()> {
        self.expect(b'[')?;
        if self.literal(b"]").is_some() {
            return Some(());
        }
        loop {
            let name = self.string(text)?;
            self.expect(b',')?;
            headers.push((name, self.string_or_null(text)?));
            match self.byte()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// What kcat prints last: a string and the line's end.
    fn presumed_last(&self) -> Option<Text> {
        let inside = self.line[self.at..].strip_prefix(b"\"")?.strip_suffix(b"\"}")?;
        Some(Text::Presumed(self.at + 1..self.at + 1 + inside.len()))
    }

    fn quoted_or_null(&mut self) -> Option<Option<Text>> {
        if self.literal(b"null").is_some() { Some(None) } else { self.quoted().map(Some) }
    }

    /// A string; its escapes are undone into `text`.
    fn string(&mut self, text: &mut Vec<u8>) -> Option<Text> {
        Some(match self.quoted()? {
            Text::Quoted(range) => {
                let start = text.len();
                undo_escapes(&self.line[range], text);
                Text::Scratch(start..text.len())
            }
            plain => plain,
        })
    }

    /// A string as it stands there.
    fn quoted(&mut self) -> Option<Text> {
        self.expect(b'"')?;
        let start = self.at;
        let mut end = self.marks.next(start)?;
        let is_plain = self.line[end] == b'"';
        while self.line[end] == b'\\' {
            // `\u…`, surrogates and all: not worth a second implementation
            if UNESCAPED[usize::from(*self.line.get(end + 1)?)] == 0 {
                return None;
            }
            end = self.marks.next(end + 2)?;
        }
        self.at = end + 1;
        if has_control(&self.line[start..end]) {
            return None;
        }
        Some(if is_plain { Text::Line(start..end) } else { Text::Quoted(start..end) })
    }
}

/// Appends what is left of a string whose escapes were looked at before.
fn undo_escapes(quoted: &[u8], text: &mut Vec<u8>) {
    let mut marks = Marks::of(quoted);
    let (mut taken, mut to) = (0, text.len());
    // nothing gets longer; a piece of fixed width may reach past what is kept of it
    text.resize(to + quoted.len() + PIECE, 0);
    while let Some(special) = marks.next(taken) {
        to += copy(&quoted[taken..], special - taken, &mut text[to..]);
        let escaped = quoted.get(special + 1).copied().unwrap_or_default();
        text[to] = UNESCAPED[usize::from(escaped)];
        to += 1;
        taken = special + 2;
    }
    to += copy(&quoted[taken..], quoted.len() - taken, &mut text[to..]);
    text.truncate(to);
}

/// Bytes that are copied at least: most pieces between escapes are shorter, and a copy of known length needs no call.
const PIECE: usize = 32;

fn copy(from: &[u8], len: usize, to: &mut [u8]) -> usize {
    match (from.first_chunk::<PIECE>(), to.first_chunk_mut::<PIECE>()) {
        (Some(from), Some(to)) if len <= PIECE => *to = *from,
        _ => to[..len].copy_from_slice(&from[..len]),
    }
    len
}

/// By the byte that follows a backslash; 0 where none of these may.
const UNESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'n' as usize] = b'\n';
    table[b't' as usize] = b'\t';
    table[b'r' as usize] = b'\r';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0c;
    table
};

#[cfg(test)]
mod tests;
