//! Verdicts: what a rule made of a case, fired or not, with the figures that decided.

use std::fmt;

use rust_decimal::Decimal;
use serde::Serialize;

use super::alert::Amount;
use crate::event::money::Exact;

/// What a rule says about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Fired,
    NotFired,
    /// The rule is about something else.
    NotApplicable,
    /// The rule applies, but what it needs to know is not known.
    Indeterminate,
    /// Switched off, whatever the case.
    Disabled,
}

impl Outcome {
    /// The text of JSON and of metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::NotFired => "not_fired",
            Self::NotApplicable => "not_applicable",
            Self::Indeterminate => "indeterminate",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the measured value stands to the threshold when the rule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Operator {
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

/// One rule's verdict on one case.
///
/// The figures never decide anything: they show a comparison that was made exactly. A figure that a [`Decimal`] cannot hold
/// without rounding is left out rather than rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub rule: &'static str,
    pub outcome: Outcome,
    #[serde(serialize_with = "Amount::serialize_option")]
    pub measured: Option<Decimal>,
    pub operator: Option<Operator>,
    #[serde(serialize_with = "Amount::serialize_option")]
    pub threshold: Option<Decimal>,
    /// `measured - threshold`: how far beyond the threshold, or, negative, how far from it.
    #[serde(serialize_with = "Amount::serialize_option")]
    pub margin: Option<Decimal>,
    /// The setting that the threshold comes from.
    pub setting: Option<&'static str>,
    /// Index of the segment whose thresholds were applied; `None` for the base thresholds.
    pub segment: Option<usize>,
    /// Why nothing was compared.
    pub reason: Option<&'static str>,
}

/// A comparison that was made: its figures and what they were taken from.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    pub measured: Option<Decimal>,
    pub operator: Operator,
    pub threshold: Option<Decimal>,
    pub setting: &'static str,
    pub segment: Option<usize>,
}

impl Verdict {
    fn bare(rule: &'static str, outcome: Outcome, reason: Option<&'static str>) -> Self {
        Self {
            rule,
            outcome,
            measured: None,
            operator: None,
            threshold: None,
            margin: None,
            setting: None,
            segment: None,
            reason,
        }
    }

    #[must_use]
    pub fn disabled(rule: &'static str) -> Self {
        Self::bare(rule, Outcome::Disabled, None)
    }

    #[must_use]
    pub fn not_applicable(rule: &'static str, reason: &'static str) -> Self {
        Self::bare(rule, Outcome::NotApplicable, Some(reason))
    }

    #[must_use]
    pub fn indeterminate(rule: &'static str, reason: &'static str, segment: Option<usize>) -> Self {
        Self { segment, ..Self::bare(rule, Outcome::Indeterminate, Some(reason)) }
    }

    /// Of a rule that fires on every case it is about.
    #[must_use]
    pub fn always(rule: &'static str) -> Self {
        Self::bare(rule, Outcome::Fired, None)
    }

    #[must_use]
    pub fn compared(rule: &'static str, fired: bool, comparison: Comparison) -> Self {
        let Comparison { measured, operator, threshold, setting, segment } = comparison;
        Self {
            rule,
            outcome: if fired { Outcome::Fired } else { Outcome::NotFired },
            measured,
            operator: Some(operator),
            threshold,
            margin: measured.zip(threshold).and_then(|(measured, threshold)| difference(measured, threshold)),
            setting: Some(setting),
            segment,
            reason: None,
        }
    }

    #[must_use]
    pub fn fired(&self) -> bool {
        self.outcome == Outcome::Fired
    }
}

/// `a - b`, exactly and with the decimals of both; `None` if that takes more digits than a [`Decimal`] has.
#[must_use]
pub fn difference(a: Decimal, b: Decimal) -> Option<Decimal> {
    let exact = Exact::from(a) - Exact::from(b);
    exact.to_decimal(a.scale().max(b.scale())).or_else(|| exact.to_decimal(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn compared(measured: &str, threshold: &str) -> Verdict {
        let comparison = Comparison {
            measured: Some(decimal(measured)),
            operator: Operator::Above,
            threshold: Some(decimal(threshold)),
            setting: "max_amount",
            segment: Some(1),
        };
        Verdict::compared("R2", true, comparison)
    }

    #[test]
    fn a_verdict_is_one_flat_object_with_amounts_as_text() {
        insta::assert_snapshot!(
            serde_json::to_string(&compared("3000.01", "3000")).unwrap(),
            @r#"{"rule":"R2","outcome":"fired","measured":"3000.01","operator":">","threshold":"3000","margin":"0.01","setting":"max_amount","segment":1,"reason":null}"#
        );
        insta::assert_snapshot!(
            serde_json::to_string(&Verdict::not_applicable("R3", "not a settlement")).unwrap(),
            @r#"{"rule":"R3","outcome":"not_applicable","measured":null,"operator":null,"threshold":null,"margin":null,"setting":null,"segment":null,"reason":"not a settlement"}"#
        );
    }

    #[test]
    fn the_margin_keeps_the_decimals_of_both_sides_and_its_sign() {
        assert_eq!(compared("1.00", "1.0000").margin.unwrap().to_string(), "0.0000");
        assert_eq!(compared("1.5", "2.25").margin.unwrap().to_string(), "-0.75");
    }

    #[test]
    fn a_margin_that_needs_too_many_digits_is_left_out_not_rounded() {
        let verdict = compared("9999999999999999999999999999", "0.0000000000000000000000000001");
        assert_eq!(verdict.margin, None);
        assert_eq!(verdict.outcome, Outcome::Fired);
        let large = decimal("9999999999999999999999999999");
        assert_eq!(difference(large, decimal("0.00")), Some(large), "decimals are given up where they are zeros");
    }

    #[test]
    fn an_outcome_prints_as_it_is_serialised() {
        for outcome in [Outcome::Fired, Outcome::NotFired, Outcome::NotApplicable, Outcome::Indeterminate, Outcome::Disabled] {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{outcome}\""));
        }
    }
}
