//! R1 overpayment: a payment that is well above what the agreement's schedule asks for.
//!
//! Paying a loan down faster than agreed is a way to turn money of unknown origin into a clean settlement or a refund.
//! The excess is the payment less the expected payment. R1 fires when the excess is above `max_percent_over` per cent of
//! the expected payment and at least `min_excess`. Both can be set by segment, for the agreement types it lists.
//!
//! With an expected payment of zero (a payment holiday) any payment of at least `min_excess` fires. When no expected
//! payment is known the verdict is indeterminate: no alert, but it is counted and listed among the verdicts.
//!
//! Example: 230.00 is expected and `max_percent_over` is 50. A payment of 345.00 is exactly 150 % and does not fire;
//! 345.01 does.

use ethnum::I256;
use rust_decimal::Decimal;

use super::Facts;
use crate::domains::lending::alert::Threshold;
use crate::domains::lending::settings::{OverpaymentThresholds, Rule};
use crate::engine::verdict::{Comparison, Operator, Verdict, difference};
use crate::event::money::Exact;

pub(crate) const ID: &str = "R1";

pub(super) fn threshold(agreement_type: Option<i64>, rule: &Rule<OverpaymentThresholds>) -> Threshold {
    let (thresholds, segment) = rule.thresholds_for(agreement_type);
    let &OverpaymentThresholds { max_percent_over, min_excess } = thresholds;
    Threshold::Overpayment { max_percent_over, min_excess, segment }
}

pub(super) fn judge(facts: &Facts, rule: &Rule<OverpaymentThresholds>) -> Verdict {
    let paid = match facts.payment() {
        Ok(paid) => paid,
        Err(reason) => return Verdict::not_applicable(ID, reason),
    };
    let (thresholds, segment) = rule.thresholds_for(facts.agreement_type);
    let Some(expected) = facts.expected.and_then(|expected| expected.amount) else {
        return Verdict::indeterminate(ID, "no expected payment is known", segment);
    };
    let percent = thresholds.max_percent_over;
    let excess = Exact::from(paid) - Exact::from(expected);
    let over = excess_is_above(paid, expected, percent);
    let enough = excess >= Exact::from(thresholds.min_excess);
    // The stricter of the two bounds decides alone, so one comparison tells the whole story.
    let by_amount = excess_is_above_share(thresholds.min_excess, expected, percent);
    let (operator, threshold, setting) = if by_amount {
        (Operator::AtLeast, Some(thresholds.min_excess), "min_excess")
    } else {
        (Operator::Above, share(expected, percent), "max_percent_over")
    };
    let measured = difference(paid, expected);
    Verdict::compared(ID, over && enough, Comparison { measured, operator, threshold, setting, segment })
}

/// `paid - expected > expected × percent / 100`.
fn excess_is_above(paid: Decimal, expected: Decimal, percent: Decimal) -> bool {
    let scale = paid.scale().max(expected.scale());
    is_above(at_scale(paid, scale) - at_scale(expected, scale), scale, expected, percent)
}

/// `amount > expected × percent / 100`.
fn excess_is_above_share(amount: Decimal, expected: Decimal, percent: Decimal) -> bool {
    is_above(I256::from(amount.mantissa()), amount.scale(), expected, percent)
}

/// `digits / 10^scale > expected × percent / 100`, in integers.
///
/// The right side is `N / 10^t` with `|N| < 2¹⁹²`. For integers `x > N / 10^k` just when `x > ⌊N / 10^k⌋`, so dividing the
/// long side loses nothing, where multiplying the short one by `10^t` could pass 256 bits.
fn is_above(digits: I256, scale: u32, expected: Decimal, percent: Decimal) -> bool {
    let (product, product_scale) = product(expected, percent);
    if product_scale >= scale {
        return digits > product.div_euclid(power(product_scale - scale));
    }
    // Beyond 256 bits the right side is further from zero than any amount: its sign decides.
    product.checked_mul(power(scale - product_scale)).map_or(product < I256::ZERO, |limit| digits > limit)
}

/// `expected × percent / 100` as digits and scale; the scale is 58 at most.
fn product(expected: Decimal, percent: Decimal) -> (I256, u32) {
    (I256::from(expected.mantissa()) * I256::from(percent.mantissa()), expected.scale() + percent.scale() + 2)
}

/// `expected × percent / 100` with at least the decimals of `expected`; `None` if that takes too many digits.
fn share(expected: Decimal, percent: Decimal) -> Option<Decimal> {
    let (mut digits, mut scale) = product(expected, percent);
    let ten = I256::new(10);
    while scale > expected.scale() && digits % ten == I256::ZERO {
        digits /= ten;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(i128::try_from(digits).ok()?, scale).ok()
}

fn at_scale(amount: Decimal, scale: u32) -> I256 {
    I256::from(amount.mantissa()) * power(scale - amount.scale())
}

/// `10^exponent`; exponents are sums of a few scales, 58 at most, which is below 2¹⁹³.
fn power(exponent: u32) -> I256 {
    I256::new(10).pow(exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domains::lending::expected::ExpectedPayment;
    use crate::domains::lending::judge::Kind;
    use crate::domains::lending::settings::{Segment, Severity};
    use crate::domains::lending::testing::dec;
    use crate::engine::verdict::Outcome;

    const LARGE: &str = "9999999999999999999999999999";
    const SMALL: &str = "0.0000000000000000000000000001";

    fn thresholds(percent: &str, min_excess: &str) -> OverpaymentThresholds {
        OverpaymentThresholds { max_percent_over: dec(percent), min_excess: dec(min_excess) }
    }

    fn rule(percent: &str, min_excess: &str) -> Rule<OverpaymentThresholds> {
        let segments = vec![
            Segment { agreement_types: vec![205, 206], thresholds: thresholds("100", min_excess) },
            Segment { agreement_types: vec![206, 301], thresholds: thresholds(percent, "25.00") },
        ];
        Rule { enabled: true, severity: Severity::Medium, thresholds: thresholds(percent, min_excess), segments }
    }

    fn facts(paid: &str, expected: &str) -> Facts {
        let expected = ExpectedPayment { amount: Some(dec(expected)), ..ExpectedPayment::MISSING };
        Facts { kind: Kind::Payment, amount: Some(dec(paid)), agreement_type: None, expected: Some(expected) }
    }

    fn fires(paid: &str, expected: &str, percent: &str, min_excess: &str) -> bool {
        judge(&facts(paid, expected), &rule(percent, min_excess)).fired()
    }

    #[test]
    fn exactly_the_allowed_percentage_is_silent_and_the_least_more_fires() {
        assert!(!fires("345.00", "230.00", "50", "0.01"));
        assert!(fires("345.01", "230.00", "50", "0.01"));
        assert!(fires("345.0001", "230.00", "50", "0.01"));
    }

    #[test]
    fn a_limit_between_two_pence_is_not_rounded() {
        assert!(!fires("605.05", "403.37", "50", "0.01"), "the limit is 605.055");
        assert!(!fires("605.055", "403.37", "50", "0.01"));
        assert!(fires("605.06", "403.37", "50", "0.01"));
    }

    #[test]
    fn a_percentage_may_have_decimals() {
        assert!(!fires("112.50", "100.00", "12.5", "0.01"));
        assert!(fires("112.51", "100.00", "12.5", "0.01"));
    }

    #[test]
    fn an_excess_of_exactly_min_excess_fires_and_the_least_less_is_silent() {
        assert!(fires("125.00", "100.00", "10", "25.00"));
        assert!(!fires("124.99", "100.00", "10", "25.00"));
    }

    #[test]
    fn with_nothing_expected_any_payment_of_min_excess_fires() {
        assert!(fires("0.01", "0.00", "50", "0.01"));
        assert!(!fires("0.0099", "0.00", "50", "0.01"));
        assert!(fires("0.0001", "0", "50", "0"), "above zero is above any percentage of zero");
    }

    #[test]
    fn a_negative_expected_payment_goes_through_the_formula_as_it_stands() {
        let verdict = judge(&facts("1.00", "-20.00"), &rule("50", "0.01"));
        assert!(verdict.fired());
        assert_eq!(verdict.measured, Some(dec("21.00")));
        assert_eq!((verdict.setting, verdict.threshold), (Some("min_excess"), Some(dec("0.01"))));
    }

    #[test]
    fn a_payment_below_the_expected_one_is_silent_with_a_negative_measure() {
        let verdict = judge(&facts("200.00", "230.00"), &rule("50", "0.01"));
        assert_eq!(verdict.outcome, Outcome::NotFired);
        assert_eq!(verdict.measured.unwrap().to_string(), "-30.00");
        assert_eq!(verdict.margin.unwrap().to_string(), "-145.00");
    }

    #[test]
    fn the_verdict_shows_the_stricter_bound() {
        let verdict = judge(&facts("605.06", "403.37"), &rule("50", "0.01"));
        let figures = (verdict.measured, verdict.operator, verdict.threshold, verdict.margin, verdict.setting);
        let percent = Some("max_percent_over");
        assert_eq!(figures, (Some(dec("201.69")), Some(Operator::Above), Some(dec("201.685")), Some(dec("0.005")), percent));
        let verdict = judge(&facts("124.99", "100.00"), &rule("10", "25.00"));
        let figures = (verdict.measured, verdict.operator, verdict.threshold, verdict.margin, verdict.setting);
        let amount = Some("min_excess");
        assert_eq!(figures, (Some(dec("24.99")), Some(Operator::AtLeast), Some(dec("25.00")), Some(dec("-0.01")), amount));
        let equal = judge(&facts("125.00", "100.00"), &rule("25", "25.00"));
        assert_eq!(
            (equal.operator, equal.outcome),
            (Some(Operator::Above), Outcome::NotFired),
            "of equal bounds `>` is stricter"
        );
    }

    #[test]
    fn the_first_segment_that_lists_the_type_gives_the_thresholds() {
        let judged = |kind| {
            let verdict = judge(&Facts { agreement_type: kind, ..facts("151.00", "100.00") }, &rule("50", "0.01"));
            (verdict.segment, verdict.fired())
        };
        assert_eq!(judged(None), (None, true));
        assert_eq!(judged(Some(113)), (None, true));
        assert_eq!(judged(Some(205)), (Some(0), false));
        assert_eq!(judged(Some(206)), (Some(0), false));
        assert_eq!(judged(Some(301)), (Some(1), true));
    }

    #[test]
    fn without_an_expected_payment_the_verdict_is_indeterminate() {
        for expected in [None, Some(ExpectedPayment::MISSING)] {
            let verdict = judge(&Facts { expected, agreement_type: Some(205), ..facts("5000.00", "1") }, &rule("50", "0.01"));
            assert_eq!((verdict.outcome, verdict.segment), (Outcome::Indeterminate, Some(0)));
            assert_eq!((verdict.measured, verdict.threshold, verdict.margin), (None, None, None));
        }
    }

    #[test]
    fn a_payment_that_is_not_above_zero_is_not_applicable() {
        for paid in ["0", "0.00", "-5.00"] {
            assert_eq!(judge(&facts(paid, "-100.00"), &rule("50", "0.01")).outcome, Outcome::NotApplicable, "{paid}");
        }
        assert_ne!(judge(&facts(SMALL, "-100.00"), &rule("50", "0.01")).outcome, Outcome::NotApplicable);
    }

    #[test]
    fn amounts_and_percentages_of_extreme_scales_are_compared_exactly() {
        let huge_percent = "999999999999999";
        assert!(!fires(LARGE, LARGE, "0", SMALL));
        assert!(fires(LARGE, SMALL, huge_percent, "0.01"));
        assert!(!fires(SMALL, LARGE, huge_percent, "0.01"));
        assert!(fires("0.0000000000000000000000000003", "0.0000000000000000000000000002", "49.9", SMALL));
        assert!(!fires("0.0000000000000000000000000003", "0.0000000000000000000000000002", "50", SMALL));
        let just_above = "1.0000000000000000000000000001";
        assert!(fires(just_above, "1", SMALL, SMALL), "an excess of 1e-28 is above 1e-30");
        assert!(!fires(just_above, "1", SMALL, "0.01"));
    }

    #[test]
    fn no_digits_and_scales_overflow() {
        let extremes = [LARGE, SMALL, "9.999999999999999999999999999", "0.9999999999999999999999999999", "1", "0"];
        for paid in extremes {
            for expected in extremes {
                for sign in ["", "-"] {
                    for percent in extremes {
                        for min_excess in extremes {
                            judge(&facts(paid, &format!("{sign}{expected}")), &rule(percent, min_excess));
                        }
                    }
                }
            }
        }
        let most = Decimal::MAX;
        assert!(!is_above(at_scale(most, 28), 28, most, most));
        assert!(is_above(at_scale(-most, 28), 28, -most, most), "the right side passes 256 bits below zero");
    }

    proptest! {
        #[test]
        fn agrees_with_plain_integers_at_the_scale_of_money(
            paid in 1i64..100_000_000, expected in -1_000_000i64..100_000_000, percent in 0i64..100_000, min in 0i64..100_000,
        ) {
            let money = |pence: i64| Decimal::new(pence, 2);
            let excess = i128::from(paid - expected);
            // percent has two decimals: expected × percent / (100 × 100)
            let over = excess * 10_000 > i128::from(expected) * i128::from(percent);
            let rule = rule(&money(percent).to_string(), &money(min).to_string());
            let verdict = judge(&facts(&money(paid).to_string(), &money(expected).to_string()), &rule);
            prop_assert_eq!(verdict.fired(), over && excess >= i128::from(min));
            let margin = verdict.margin.unwrap();
            let told = match verdict.operator.unwrap() {
                Operator::Above => margin > Decimal::ZERO,
                Operator::AtLeast => margin >= Decimal::ZERO,
            };
            prop_assert_eq!(verdict.fired(), told, "the comparison shown is the one that decided");
        }
    }
}
