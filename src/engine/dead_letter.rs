//! Records that cannot be used: kept whole, with where they came from and why.

use serde::{Deserialize, Serialize};

use crate::event::{BadMessage, Origin, Record};

/// A bad message as it was, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub origin: Origin,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// For counting.
    pub reason: String,
    /// For a person; no values of a row.
    pub detail: String,
    pub hint: Option<String>,
}

impl DeadLetter {
    /// Where it came from and what is wrong with it, in one line, and below it what can be done.
    #[must_use]
    pub fn told(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!("{}: {}{hint}", self.origin, self.detail)
    }

    /// Bytes of the message.
    #[must_use]
    pub fn size(&self) -> usize {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value)).sum();
        len(&self.key) + len(&self.value) + headers
    }

    #[must_use]
    pub fn new(record: &Record<'_>, bad: &BadMessage) -> Self {
        Self {
            origin: record.origin,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
            reason: bad.reason.to_owned(),
            detail: bad.detail.clone(),
            hint: bad.hint.map(str::to_owned),
        }
    }
}
