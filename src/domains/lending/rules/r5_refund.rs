//! R5 refund: every refund, of any amount.
//!
//! Money that is overpaid and then asked back arrives with the lender's name on it. R5 fires on every movement whose
//! TransTypeID is listed as a refund on one of the platforms, also if its amount is zero or negative.
//!
//! Example: a movement of type 108 (Refund of Direct Debit, secured) over 25.00 is one alert.

use super::Facts;
use crate::domains::lending::judge::Kind;
use crate::engine::verdict::Verdict;

pub(crate) const ID: &str = "R5";

pub(super) fn judge(facts: &Facts) -> Verdict {
    match facts.kind {
        Kind::Refund => Verdict::always(ID),
        _ => Verdict::not_applicable(ID, "not a refund"),
    }
}
