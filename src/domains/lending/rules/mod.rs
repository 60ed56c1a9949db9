//! The rules, one a file, and the table that names them.
//!
//! A rule is pure: facts and thresholds in, a verdict out. The head of its file is its help text ([`Entry::help`]).

pub(crate) mod r1_overpayment;
pub(crate) mod r2_lump_sum;
pub(crate) mod r3_account_settled;
pub(crate) mod r4_account_opened;
pub(crate) mod r5_refund;

use std::fmt;

use rust_decimal::Decimal;

use super::alert::{Alert, Threshold};
use super::expected::ExpectedPayment;
use super::explanation;
use super::judge::Kind;
use super::settings::{LendingRules, Rule, Severity};
use crate::engine::verdict::Verdict;

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    /// Of a movement; `None` of a settlement and an opening.
    pub(crate) amount: Option<Decimal>,
    pub(crate) agreement_type: Option<i64>,
    /// `None` where no rule asks for it.
    pub(crate) expected: Option<ExpectedPayment>,
}

impl Facts {
    /// The amount of a payment above zero, which R1 and R2 are about, or why there is none.
    fn payment(&self) -> Result<Decimal, &'static str> {
        match (self.kind, self.amount) {
            (Kind::Payment, Some(amount)) if amount > Decimal::ZERO => Ok(amount),
            (Kind::Payment, _) => Err("the amount is not above zero"),
            _ => Err("not a payment"),
        }
    }
}

/// A rule as the rest of the program knows it.
#[derive(Clone, Copy)]
pub struct Entry {
    pub id: &'static str,
    pub name: &'static str,
    source: &'static str,
    config: fn(&LendingRules) -> (bool, Severity),
    judge: fn(&Facts, &LendingRules) -> Verdict,
    threshold: fn(Option<i64>, &LendingRules) -> Option<Threshold>,
    explain: fn(&Alert, &Verdict, &LendingRules) -> String,
}

/// Every rule, in the order in which verdicts and alerts of one case come.
pub const RULES: [Entry; 5] = [
    Entry {
        id: r1_overpayment::ID,
        name: "overpayment",
        source: include_str!("r1_overpayment.rs"),
        config: |rules| config(&rules.r1),
        judge: |facts, rules| r1_overpayment::judge(facts, &rules.r1),
        threshold: |kind, rules| Some(r1_overpayment::threshold(kind, &rules.r1)),
        explain: explanation::overpayment,
    },
    Entry {
        id: r2_lump_sum::ID,
        name: "lump_sum",
        source: include_str!("r2_lump_sum.rs"),
        config: |rules| config(&rules.r2),
        judge: |facts, rules| r2_lump_sum::judge(facts, &rules.r2),
        threshold: |kind, rules| Some(r2_lump_sum::threshold(kind, &rules.r2)),
        explain: explanation::lump_sum,
    },
    Entry {
        id: r3_account_settled::ID,
        name: "account_settled",
        source: include_str!("r3_account_settled.rs"),
        config: |rules| config(&rules.r3),
        judge: |facts, _| r3_account_settled::judge(facts),
        threshold: |_, _| None,
        explain: explanation::account_settled,
    },
    Entry {
        id: r4_account_opened::ID,
        name: "account_opened",
        source: include_str!("r4_account_opened.rs"),
        config: |rules| config(&rules.r4),
        judge: |facts, _| r4_account_opened::judge(facts),
        threshold: |_, _| None,
        explain: explanation::account_opened,
    },
    Entry {
        id: r5_refund::ID,
        name: "refund",
        source: include_str!("r5_refund.rs"),
        config: |rules| config(&rules.r5),
        judge: |facts, _| r5_refund::judge(facts),
        threshold: |_, _| None,
        explain: explanation::refund,
    },
];

fn config<T>(rule: &Rule<T>) -> (bool, Severity) {
    (rule.enabled, rule.severity)
}

impl Entry {
    /// The rule with this id; ids compare without case.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        const { &RULES }.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
    }

    /// What the rule looks for, why, and an example: the head of its source file.
    #[must_use]
    pub fn help(&self) -> String {
        let head = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let lines: Vec<&str> = head.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n")
    }

    #[must_use]
    pub fn enabled(&self, rules: &LendingRules) -> bool {
        (self.config)(rules).0
    }

    #[must_use]
    pub fn severity(&self, rules: &LendingRules) -> Severity {
        (self.config)(rules).1
    }

    pub(crate) fn judge(&self, facts: &Facts, rules: &LendingRules) -> Verdict {
        if self.enabled(rules) { (self.judge)(facts, rules) } else { Verdict::disabled(self.id) }
    }

    /// The thresholds that hold for an agreement of this type; `None` of a rule without any.
    pub(crate) fn threshold(&self, agreement_type: Option<i64>, rules: &LendingRules) -> Option<Threshold> {
        (self.threshold)(agreement_type, rules)
    }

    pub(crate) fn explain(&self, alert: &Alert, verdict: &Verdict, rules: &LendingRules) -> String {
        (self.explain)(alert, verdict, rules)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::lending::testing::{self, dec};
    use crate::engine::verdict::Outcome;

    #[test]
    fn every_rule_has_a_help_text_that_begins_with_its_id_and_gives_an_example() {
        for rule in RULES {
            let help = rule.help();
            assert!(help.starts_with(rule.id), "{help}");
            assert!(help.contains("Example:"), "{help}");
            assert!(!help.contains("//"), "{help}");
        }
    }

    #[test]
    fn a_rule_is_found_by_its_id_whatever_the_case() {
        assert_eq!(Entry::find("r4").unwrap().name, "account_opened");
        assert!(Entry::find("R6").is_none());
    }

    #[test]
    fn each_kind_of_case_is_judged_by_its_own_rules_and_the_others_do_not_apply() {
        use Outcome::{Fired, NotApplicable as Na};
        let rules = testing::rules();
        let expected = Some(ExpectedPayment { amount: Some(dec("10.00")), ..ExpectedPayment::MISSING });
        for (kind, outcomes) in [
            (Kind::Payment, [Fired, Fired, Na, Na, Na]),
            (Kind::Refund, [Na, Na, Na, Na, Fired]),
            (Kind::Ignored, [Na, Na, Na, Na, Na]),
            (Kind::Settlement, [Na, Na, Fired, Na, Na]),
            (Kind::Opening, [Na, Na, Na, Fired, Na]),
        ] {
            let facts = Facts { kind, amount: Some(dec("5000.00")), agreement_type: None, expected };
            assert_eq!(RULES.map(|rule| rule.judge(&facts, &rules).outcome), outcomes, "{kind:?}");
        }
    }

    #[test]
    fn a_disabled_rule_says_so_of_every_case() {
        let mut rules = testing::rules();
        rules.r1.enabled = false;
        rules.r2.enabled = false;
        rules.r3.enabled = false;
        rules.r4.enabled = false;
        rules.r5.enabled = false;
        for kind in [Kind::Payment, Kind::Refund, Kind::Ignored, Kind::Settlement, Kind::Opening] {
            let facts = Facts { kind, amount: Some(dec("5000.00")), agreement_type: None, expected: None };
            assert!(RULES.iter().all(|rule| rule.judge(&facts, &rules) == Verdict::disabled(rule.id)), "{kind:?}");
        }
    }
}
