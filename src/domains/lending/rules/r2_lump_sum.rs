//! R2 lump sum: a single payment above a fixed amount, whatever was expected.
//!
//! A large sum at once on a consumer loan needs a known source of funds. R2 fires when the payment is above `max_amount`,
//! which can be set by segment, for the agreement types it lists. It needs no expected payment; the alert quotes it where
//! it is known.
//!
//! Example: `max_amount` is 3000.00. A payment of 3,000.00 does not fire; 3,000.01 does.

use super::Facts;
use crate::domains::lending::alert::Threshold;
use crate::domains::lending::settings::{LumpSumThresholds, Rule};
use crate::engine::verdict::{Comparison, Operator, Verdict};

pub(crate) const ID: &str = "R2";

pub(super) fn threshold(agreement_type: Option<i64>, rule: &Rule<LumpSumThresholds>) -> Threshold {
    let (thresholds, segment) = rule.thresholds_for(agreement_type);
    Threshold::LumpSum { max_amount: thresholds.max_amount, segment }
}

pub(super) fn judge(facts: &Facts, rule: &Rule<LumpSumThresholds>) -> Verdict {
    let paid = match facts.payment() {
        Ok(paid) => paid,
        Err(reason) => return Verdict::not_applicable(ID, reason),
    };
    let (thresholds, segment) = rule.thresholds_for(facts.agreement_type);
    let comparison = Comparison {
        measured: Some(paid),
        operator: Operator::Above,
        threshold: Some(thresholds.max_amount),
        setting: "max_amount",
        segment,
    };
    Verdict::compared(ID, paid > thresholds.max_amount, comparison)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::lending::judge::Kind;
    use crate::domains::lending::settings::{Segment, Severity};
    use crate::domains::lending::testing::dec;
    use crate::engine::verdict::Outcome;

    fn judged(paid: &str, agreement_type: Option<i64>) -> Verdict {
        let of = |amount: &str| LumpSumThresholds { max_amount: dec(amount) };
        let rule = Rule {
            enabled: true,
            severity: Severity::High,
            thresholds: of("3000.00"),
            segments: vec![Segment { agreement_types: vec![301], thresholds: of("500.00") }],
        };
        judge(&Facts { kind: Kind::Payment, amount: Some(dec(paid)), agreement_type, expected: None }, &rule)
    }

    #[test]
    fn exactly_the_maximum_is_silent_and_the_least_more_fires() {
        assert_eq!(judged("3000", None).outcome, Outcome::NotFired);
        assert_eq!(judged("3000.0000", None).outcome, Outcome::NotFired);
        assert_eq!(judged("3000.0001", None).outcome, Outcome::Fired);
        assert_eq!(judged("2999.99", None).margin.unwrap().to_string(), "-0.01");
    }

    #[test]
    fn a_segment_has_its_own_maximum() {
        assert_eq!(judged("500.00", Some(301)).outcome, Outcome::NotFired);
        let verdict = judged("500.01", Some(301));
        assert_eq!((verdict.outcome, verdict.segment), (Outcome::Fired, Some(0)));
        assert_eq!((verdict.threshold, verdict.margin), (Some(dec("500.00")), Some(dec("0.01"))));
        assert_eq!(judged("500.01", Some(113)).outcome, Outcome::NotFired);
    }

    #[test]
    fn needs_no_expected_payment() {
        assert!(judged("9999999999999999999999999999", None).fired());
    }

    #[test]
    fn a_payment_that_is_not_above_zero_is_not_applicable() {
        assert_eq!(judged("0.00", None).outcome, Outcome::NotApplicable);
        assert_eq!(judged("-5000.00", None).outcome, Outcome::NotApplicable);
    }
}
