//! Records written as lines of a capture file.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// What a line holds; `other` adds members of its own, flattened.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

#[derive(Serialize)]
struct Line<'a, O> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_b64: Option<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    key: Member<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_b64: Option<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    payload: Member<'a>,
    #[serde(flatten)]
    other: O,
}

/// A string, a null, or a member that is left out since its bytes stand in base64.
enum Member<'a> {
    Text(&'a str),
    Null,
    Missing,
}

impl Member<'_> {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Null | Self::Missing => serializer.serialize_none(),
        }
    }
}

/// Text stays text; other bytes stand in base64.
fn member(bytes: Option<&[u8]>) -> (Member<'_>, Option<String>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (Member::Null, None),
        Some((_, Ok(text))) => (Member::Text(text), None),
        Some((bytes, Err(_))) => (Member::Missing, Some(STANDARD.encode(bytes))),
    }
}

/// Writes one line that [`Scratch`](super::Scratch) reads back to the same record. Header values that are not UTF-8 are
/// written with replacement characters: the format has no other form for them.
pub fn write_line(out: &mut impl Write, parts: Parts<'_>, other: impl Serialize) -> io::Result<()> {
    let (key, key_b64) = member(parts.key);
    let (payload, payload_b64) = member(parts.value);
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let headers = parts.headers.iter().flat_map(|(name, value)| [Some(name.clone()), value.as_ref().map(text)]).collect();
    let line = Line {
        topic: parts.topic,
        partition: parts.partition,
        offset: parts.offset,
        ts: parts.timestamp_ms,
        headers,
        key_b64,
        key,
        payload_b64,
        payload,
        other,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::capture::Scratch;

    #[test]
    fn a_line_reads_back_as_it_was_written_binary_values_too() {
        let headers = [("a".to_owned(), Some(b"x".to_vec())), ("b".to_owned(), None)];
        for (key, value) in [
            (None, None),
            (Some(&b"k"[..]), Some(&b"{\"a\":\"\\u00e9\"}"[..])),
            (Some(&[0xff][..]), Some(&[0, 1, 0xfe][..])),
            (Some(&b""[..]), Some(&b""[..])),
        ] {
            let parts = Parts { topic: "t", partition: 2, offset: 9, timestamp_ms: Some(5), key, value, headers: &headers };
            let mut line = Vec::new();
            write_line(&mut line, parts, serde_json::json!({ "reason": "because" })).unwrap();
            let line = line.strip_suffix(b"\n").unwrap();
            let read = |record: &crate::event::Record<'_>| {
                assert_eq!((record.key, record.value, record.timestamp_ms, record.origin.offset), (key, value, Some(5), 9));
                record.headers.len()
            };
            assert_eq!(Scratch::default().read(line, read).unwrap(), 2);
        }
    }
}
