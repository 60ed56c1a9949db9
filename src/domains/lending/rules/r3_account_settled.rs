//! R3 account settled: every settlement of an agreement.
//!
//! A settlement, above all one long before the contract's end, is where laundered money leaves a loan clean. R3 fires when
//! AgreementSettledFlag goes from 0 to 1. The alert names the final payment, if one was seen, and says whether the
//! settlement is early.
//!
//! Example: a payment of 403.37, a balance of 0.00 and the flag, in one, two or three messages, are one alert.

use super::Facts;
use crate::domains::lending::judge::Kind;
use crate::engine::verdict::Verdict;

pub(crate) const ID: &str = "R3";

pub(super) fn judge(facts: &Facts) -> Verdict {
    match facts.kind {
        Kind::Settlement => Verdict::always(ID),
        _ => Verdict::not_applicable(ID, "not a settlement"),
    }
}
