//! Judging: a case and what the loan book says about it, under every rule.
//!
//! ```text
//! Case ─► question ─► Answer ─┐
//!   └─────────────────────────┴─► Facts ─► R1 … R5 ─► verdicts ─► alerts
//! ```

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::Serialize;

use super::alert::{self, Alert, MovementDetail, Opening, Settlement};
use super::case::{self, BalanceChange, Case, MovementCase, OpeningCase, SettlementCase};
use super::event::{AgreementImage, ChangeRef};
use super::expected::{Answer, ExpectedPayment, Question, select};
use super::json::{Text, WrittenChange};
use super::rules::{Entry, Facts, RULES};
use super::settings::{Class, LendingRules};
use crate::engine::Key;
use crate::engine::alert::{Judged, Message};
use crate::engine::verdict::Verdict;
use crate::time::{Month, Timestamp};

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Payment,
    Refund,
    /// A movement of a class that no rule is about.
    Ignored,
    Settlement,
    Opening,
}

/// What became of the search for the case's other changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Correlation {
    Matched,
    Aggregated,
    Closing,
    Unmatched,
    WithFinalPayment,
    WithoutPayment,
    NotNeeded,
}

/// A case under every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub agreement: Key,
    pub subject: Subject,
    /// In the order of [`RULES`].
    pub verdicts: [Verdict; RULES.len()],
    /// Of the rules that fired, in the same order.
    pub alerts: Vec<Alert>,
}

/// What the verdicts are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub kind: Kind,
    pub trigger: ChangeRef,
    /// Event time of the trigger.
    pub occurred_at: Timestamp,
    pub correlation: Correlation,
    pub agreement_type: Option<i64>,
    /// The movement; of a settlement its final payment.
    pub movement: Option<MovementDetail>,
    /// `None` where no enabled rule asks for it.
    pub expected: Option<ExpectedPayment>,
}

/// What must be looked up to judge a case; `None` if nothing.
///
/// Asked is what an alert may need: the expected payment, or the agreement's row where the change's own image is silent. A
/// case that cannot raise an alert asks nothing.
#[must_use]
pub fn question(case: &Case, rules: &LendingRules) -> Option<Question> {
    let may_alert = match kind(case) {
        Kind::Payment => needs_expected(case, rules),
        Kind::Refund => rules.r5.enabled,
        Kind::Ignored => false,
        Kind::Settlement => rules.r3.enabled,
        Kind::Opening => rules.r4.enabled,
    };
    let silent = || image(case).is_none_or(|image| !is_complete(image));
    (may_alert && (needs_expected(case, rules) || silent()))
        .then(|| Question { agreement: case.agreement().clone(), month: month(case) })
}

/// Judges a case by every rule. `answer` is that to [`question`]; without one nothing is known but the case.
#[must_use]
pub fn judge(case: Case, answer: Option<&Answer>, rules: &LendingRules) -> Judgement {
    let subject = subject(&case, answer, rules);
    let facts = Facts {
        kind: subject.kind,
        amount: match &case {
            Case::Movement(case) => Some(case.movement.amount),
            Case::Settlement(_) | Case::Opening(_) => None,
        },
        agreement_type: subject.agreement_type,
        expected: subject.expected,
    };
    let verdicts = RULES.map(|rule| rule.judge(&facts, rules));
    let agreement = case.agreement().clone();
    let alerts = if verdicts.iter().any(Verdict::fired) {
        let details = Details::of(case, answer);
        let fired = RULES.iter().zip(&verdicts).filter(|(_, verdict)| verdict.fired());
        fired.map(|(rule, verdict)| raise(rule, verdict, &agreement, &subject, &details, rules)).collect()
    } else {
        Vec::new()
    };
    Judgement { agreement, subject, verdicts, alerts }
}

fn raise(rule: &Entry, verdict: &Verdict, agreement: &Key, subject: &Subject, details: &Details, rules: &LendingRules) -> Alert {
    let mut alert = Alert {
        alert_id: alert::id(rule.id, agreement, &subject.trigger),
        rule: rule.id,
        rule_name: rule.name,
        severity: rule.severity(rules),
        rules_fingerprint: rules.fingerprint.clone(),
        agreement_number: agreement.clone(),
        customer_number: details.customer_number.clone(),
        borrowers: details.borrowers.clone(),
        agreement_type: subject.agreement_type,
        occurred_at: subject.occurred_at,
        trigger: subject.trigger,
        correlation: subject.correlation,
        related: details.related.clone(),
        movement: subject.movement.clone(),
        expected: subject.expected,
        threshold: rule.threshold(subject.agreement_type, rules),
        settlement: details.settlement.clone(),
        opening: details.opening.clone(),
        explanation: String::new(),
    };
    alert.explanation = rule.explain(&alert, verdict, rules);
    alert
}

fn kind(case: &Case) -> Kind {
    match case {
        Case::Movement(case) => match case.movement.class {
            Class::Payment => Kind::Payment,
            Class::Refund => Kind::Refund,
            Class::Ignored => Kind::Ignored,
        },
        Case::Settlement(_) => Kind::Settlement,
        Case::Opening(_) => Kind::Opening,
    }
}

/// Whether an enabled rule measures the case by the expected payment, or quotes it in its alert.
fn needs_expected(case: &Case, rules: &LendingRules) -> bool {
    match case {
        Case::Movement(MovementCase { movement, .. }) => {
            movement.class == Class::Payment && movement.amount > Decimal::ZERO && (rules.r1.enabled || rules.r2.enabled)
        }
        Case::Settlement(_) => false,
        Case::Opening(_) => rules.r4.enabled,
    }
}

/// The month of the business date.
fn month(case: &Case) -> Month {
    Month::of(match case {
        Case::Movement(case) => case.movement.date,
        Case::Settlement(case) => case.occurred_at.date(),
        Case::Opening(case) => case.after.first_payment_date.unwrap_or_else(|| case.occurred_at.date()),
    })
}

/// The row of the agreement as the stream has it.
fn image(case: &Case) -> Option<&AgreementImage> {
    match case {
        Case::Movement(case) => case.matched.as_ref().map(|change| &*change.after),
        Case::Settlement(case) => Some(&case.after),
        Case::Opening(case) => Some(&case.after),
    }
}

/// Whether the image leaves nothing to ask of the agreement's row.
fn is_complete(image: &AgreementImage) -> bool {
    image.customer_number.is_some() && image.borrowers.is_some() && image.agreement_type.is_some()
}

fn subject(case: &Case, answer: Option<&Answer>, rules: &LendingRules) -> Subject {
    let row = answer.and_then(|answer| answer.agreement.as_ref());
    let agreement_type = image(case).and_then(|image| image.agreement_type).or_else(|| row?.agreement_type);
    let expected = needs_expected(case, rules)
        .then(|| answer.map_or(ExpectedPayment::MISSING, |answer| select(answer, month(case), &rules.expected)));
    let (trigger, occurred_at, correlation, movement) = match case {
        Case::Movement(MovementCase { movement, correlation, matched, .. }) => {
            let detail = MovementDetail::of(movement, matched.as_deref().map(balances), rules);
            (movement.change, movement.occurred_at, (*correlation).into(), Some(detail))
        }
        Case::Settlement(SettlementCase { change, occurred_at, final_payment, .. }) => {
            let detail = final_payment.as_ref().map(|last| MovementDetail::of(&last.movement, last.balances, rules));
            let correlation = if detail.is_some() { Correlation::WithFinalPayment } else { Correlation::WithoutPayment };
            (*change, *occurred_at, correlation, detail)
        }
        Case::Opening(OpeningCase { change, occurred_at, .. }) => (*change, *occurred_at, Correlation::NotNeeded, None),
    };
    Subject { kind: kind(case), trigger, occurred_at, correlation, agreement_type, movement, expected }
}

fn balances(change: &BalanceChange) -> (Decimal, Decimal) {
    (change.balance_before, change.after.balance)
}

impl From<case::Correlation> for Correlation {
    fn from(correlation: case::Correlation) -> Self {
        match correlation {
            case::Correlation::Matched => Self::Matched,
            case::Correlation::Aggregated => Self::Aggregated,
            case::Correlation::Closing => Self::Closing,
            case::Correlation::Unmatched => Self::Unmatched,
        }
    }
}

/// What only alerts tell of a case.
struct Details {
    customer_number: Option<CompactString>,
    borrowers: Vec<CompactString>,
    related: Vec<ChangeRef>,
    settlement: Option<Settlement>,
    opening: Option<Opening>,
}

impl Details {
    fn of(case: Case, answer: Option<&Answer>) -> Self {
        let row = answer.and_then(|answer| answer.agreement.as_ref());
        let image = image(&case);
        let customer_number = image.and_then(|image| image.customer_number.as_ref()).or_else(|| row?.customer_number.as_ref());
        let customer_number = customer_number.cloned();
        let borrowers = image.and_then(|image| image.borrowers.as_ref()).or_else(|| row?.borrowers.as_ref());
        let borrowers = borrowers.map(|ids| split(ids)).unwrap_or_default();
        let (related, settlement, opening) = match case {
            Case::Movement(case) => (case.related().collect(), None, None),
            Case::Settlement(case) => (case.related, Some(Settlement::from(&*case.after)), None),
            Case::Opening(case) => (Vec::new(), None, Some(Opening::from(&*case.after))),
        };
        Self { customer_number, borrowers, related, settlement, opening }
    }
}

/// The ids of AgreementBorrowers, which are separated by one or more blanks.
fn split(ids: &str) -> Vec<CompactString> {
    ids.split(' ').filter(|id| !id.is_empty()).map(CompactString::from).collect()
}

/// A line of `--verdicts`. The fields stand in the order in which they are written.
#[derive(Serialize)]
struct VerdictLine<'a> {
    schema_version: u32,
    agreement_number: &'a str,
    kind: Kind,
    agreement_type: Option<i64>,
    occurred_at: Text<Timestamp>,
    trigger: WrittenChange,
    correlation: Correlation,
    movement: Option<&'a MovementDetail>,
    expected: Option<ExpectedPayment>,
    verdicts: &'a [Verdict],
}

impl Judged for Judgement {
    fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    fn publish(&self, detected_at: Timestamp, sink: &mut dyn FnMut(Message<'_>)) {
        let mut body = Vec::new();
        for alert in &self.alerts {
            body.clear();
            alert.to_json(detected_at, &mut body);
            sink(alert.message(&body));
        }
    }

    fn write_verdicts(&self, out: &mut Vec<u8>) {
        let subject = &self.subject;
        let line = VerdictLine {
            schema_version: alert::SCHEMA_VERSION,
            agreement_number: &self.agreement,
            kind: subject.kind,
            agreement_type: subject.agreement_type,
            occurred_at: Text(subject.occurred_at),
            trigger: WrittenChange::from(&subject.trigger),
            correlation: subject.correlation,
            movement: subject.movement.as_ref(),
            expected: subject.expected,
            verdicts: &self.verdicts,
        };
        serde_json::to_writer(out, &line).expect("writing to memory does not fail, and the line has no map keys");
    }
}

#[cfg(test)]
mod tests;
