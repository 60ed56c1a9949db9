//! R4 account opened: every new agreement.
//!
//! Most checks begin with an opening: what is lent, for how long, and what will be paid each month. R4 fires when a row
//! of dbo.Agreement is inserted, but not when one is renamed or updated as a delete and an insert. The expected payment is
//! that of the first payment's month, as it is known at that moment: profiles can come later.
//!
//! Example: an insert of FRH0000400 with a principal of 15,000.00 is one alert, with `missing` if it has no profile yet.

use super::Facts;
use crate::domains::lending::judge::Kind;
use crate::engine::verdict::Verdict;

pub(crate) const ID: &str = "R4";

pub(super) fn judge(facts: &Facts) -> Verdict {
    match facts.kind {
        Kind::Opening => Verdict::always(ID),
        _ => Verdict::not_applicable(ID, "not an opening"),
    }
}
