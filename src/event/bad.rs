//! Why a record is a dead letter.

use std::fmt::Display;

/// Why a record is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BadMessage {
    /// One of a small fixed set, for counting.
    pub reason: &'static str,
    /// Names the column or field; holds no value of a row, since rows hold personal data.
    pub detail: String,
    /// What an operator can do about it.
    pub hint: Option<&'static str>,
}

const UNWRAPPED: &str = "remove the transform ExtractNewRecordState (io.debezium.transforms.ExtractNewRecordState) from the \
                         connector, which drops the before image, and send the complete envelope";

impl BadMessage {
    #[cold]
    pub(crate) fn new(reason: &'static str, detail: impl Display) -> Self {
        Self { reason, detail: detail.to_string(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    #[cold]
    pub(crate) fn flattened() -> Self {
        Self::new("flattened", "no op: the message is not a Debezium envelope").with_hint(UNWRAPPED)
    }

    /// `of` is `before`, `after` or `source`.
    #[cold]
    pub(crate) fn missing(of: &str, column: &str) -> Self {
        Self::new("missing", format_args!("{of}.{column} is missing or null"))
    }

    #[cold]
    pub(crate) fn missing_part(part: &str) -> Self {
        Self::new("missing", format_args!("{part} is missing or null"))
    }

    #[cold]
    pub(crate) fn malformed(of: &str, column: &str, expected: Expected) -> Self {
        let bad = Self::new("malformed", format_args!("{of}.{column} is malformed: expected {}", expected.what));
        Self { hint: expected.hint, ..bad }
    }
}

/// What a value should have been: a phrase that continues "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub what: &'static str,
    pub hint: Option<&'static str>,
}

impl Expected {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what, hint: None }
    }
}
