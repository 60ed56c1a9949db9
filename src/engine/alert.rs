//! What leaves the engine: alerts and verdict lines, as the pipeline sees them.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::verdict::Verdict;
use crate::time::Timestamp;

/// What the pipeline takes out of a judgement, whatever the domain.
pub trait Judged {
    /// The outcome under each rule, in the order of the rules; for counting.
    fn verdicts(&self) -> &[Verdict];

    /// Hands over the alerts in the order in which they must be published.
    fn publish(&self, detected_at: Timestamp, sink: &mut dyn FnMut(Message<'_>));

    /// Appends the verdicts as one JSON object, without a line end.
    fn write_verdicts(&self, out: &mut Vec<u8>);
}

/// An alert, ready to be written to a topic or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub rule: &'static str,
    /// Equal for two runs over the same input, so that a consumer can tell a repeated alert.
    pub id: Uuid,
    /// The record key.
    pub key: &'a str,
    /// One JSON object, without a line end.
    pub body: &'a [u8],
}

/// An amount as alerts and verdicts write it: plain text with the amount's own decimals, never an exponent, zero without a
/// sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Decimal);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0;
        if amount.is_zero() {
            amount.set_sign_positive(true);
        }
        fmt::Display::fmt(&amount, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Amount {
    /// For `#[serde(serialize_with)]` on an amount that may be absent.
    #[expect(clippy::ref_option, reason = "serde passes fields by reference")]
    pub(crate) fn serialize_option<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        amount.map(Amount).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_its_decimals_and_has_no_exponent() {
        for text in ["0", "0.00", "-1.50", "5000.0000", "0.0000000000000000000000000001", "9999999999999999999999999999"] {
            assert_eq!(Amount(text.parse().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn zero_has_no_sign() {
        let mut zero = Decimal::new(0, 2);
        zero.set_sign_negative(true);
        assert_eq!(serde_json::to_string(&Amount(zero)).unwrap(), r#""0.00""#);
    }
}
