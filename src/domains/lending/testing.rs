//! Builders for tests of judging, and the schemas against which everything that they write is validated.

use std::sync::{Arc, LazyLock};

use chrono::NaiveDate;
use jsonschema::Validator;
use rust_decimal::Decimal;
use serde_json::Value;

use super::case::{BalanceChange, Case, Correlation, FinalPayment, Movement, MovementCase, OpeningCase, SettlementCase};
use super::event::{AgreementImage, ChangeRef, Op};
use super::expected::{AgreementRow, Answer, Schedule};
use super::judge::{Judgement, judge};
use super::settings::{LendingRules, LumpSumThresholds, OverpaymentThresholds, Segment};
use crate::engine::alert::Judged;
use crate::event::{Origin, Topic};
use crate::time::Timestamp;

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A time of day on 2026-01-12.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_768_176_000_000 + ms).unwrap()
}

pub(crate) const NOON: i64 = 12 * 3_600_000;

/// SPEC's defaults, with a segment for agreement type 205 in R1 and one for type 301 in R2.
pub(crate) fn rules() -> LendingRules {
    let overpayment = OverpaymentThresholds { max_percent_over: dec("100"), min_excess: dec("0.01") };
    let lump_sum = LumpSumThresholds { max_amount: dec("500.00") };
    let mut rules = LendingRules::default();
    rules.r1.segments = vec![Segment { agreement_types: vec![205], thresholds: overpayment }];
    rules.r2.segments = vec![Segment { agreement_types: vec![301], thresholds: lump_sum }];
    // Not the true one, so that no snapshot changes with a default.
    LendingRules { fingerprint: "5a".repeat(32), ..rules }
}

pub(crate) fn transaction(offset: i64, counter: i64, commit: &str) -> ChangeRef {
    change("Transaction", offset, Op::Create, commit, Some(counter))
}

pub(crate) fn agreement(offset: i64, op: Op, commit: &str) -> ChangeRef {
    change("Agreement", offset, op, commit, None)
}

fn change(table: &str, offset: i64, op: Op, commit: &str, trans_counter: Option<i64>) -> ChangeRef {
    let commit = commit.parse().unwrap();
    ChangeRef {
        origin: Origin { topic: Topic::intern(&format!("sentinel.SentinelMock.dbo.{table}")), partition: 1, offset },
        op,
        commit,
        change_lsn: Some(commit),
        event_serial_no: Some(1),
        trans_counter,
    }
}

/// An image that holds everything.
pub(crate) fn image(balance: &str) -> AgreementImage {
    AgreementImage {
        number: "FRM0001544".into(),
        customer_number: Some("C001544".into()),
        borrowers: Some("C635824  C635825 ".into()),
        agreement_type: Some(113),
        balance: dec(balance),
        settled: false,
        settled_date: None,
        status: Some("LIVE (Primary)".into()),
        agreement_date: Some(date("2025-06-02")),
        contract_end_date: Some(date("2029-06-02")),
        num_payments: Some(48),
        principal: Some(dec("15000.00")),
        first_payment_date: Some(date("2026-02-12")),
        due_day: Some(12),
        payment_method: Some(12),
        purpose: Some("Car".into()),
    }
}

pub(crate) fn movement(amount: &str, type_id: i64) -> Movement {
    Movement {
        change: transaction(7, 9_924_771, "0000002b:00000d78:0005"),
        sequence: 1,
        stamp: at(NOON),
        occurred_at: at(NOON),
        amount: dec(amount),
        type_id,
        class: rules().types.class(type_id),
        date: date("2026-01-12"),
    }
}

pub(crate) fn unmatched(amount: &str, type_id: i64) -> MovementCase {
    MovementCase {
        agreement: "FRM0001544".into(),
        movement: movement(amount, type_id),
        correlation: Correlation::Unmatched,
        matched: None,
        together: None,
    }
}

/// Matched exactly: by the balance before and the image after.
pub(crate) fn matched(amount: &str, type_id: i64, before: &str, after: AgreementImage) -> MovementCase {
    let update = agreement(3, Op::Update, "0000002b:00000d90:0002");
    let change =
        BalanceChange { change: update, sequence: 2, stamp: at(NOON + 40), balance_before: dec(before), after: Arc::new(after) };
    MovementCase { correlation: Correlation::Matched, matched: Some(Arc::new(change)), ..unmatched(amount, type_id) }
}

pub(crate) fn settlement(final_payment: Option<FinalPayment>, after: AgreementImage) -> SettlementCase {
    SettlementCase {
        change: agreement(4, Op::Update, "0000002b:00000da8:0003"),
        occurred_at: at(NOON + 90),
        after: Arc::new(after),
        related: final_payment.iter().map(|last| last.movement.change).collect(),
        final_payment,
    }
}

/// The image of [`image`] with the flag set.
pub(crate) fn settled(balance: &str, on: Option<&str>) -> AgreementImage {
    AgreementImage { settled: true, settled_date: on.map(date), status: Some("SETTLED".into()), ..image(balance) }
}

pub(crate) fn opening(after: AgreementImage) -> OpeningCase {
    OpeningCase { change: agreement(2, Op::Create, "0000002b:00000e10:0002"), occurred_at: at(NOON), after: Arc::new(after) }
}

/// Expects `amount` in any month, by rows that are not yet due.
pub(crate) fn expects(amount: &str) -> Answer {
    let schedule = Schedule { kind: "Pay".into(), current: Some(dec(amount)), ..Schedule::default() };
    Answer { schedules: [schedule].into(), ..Answer::default() }
}

pub(crate) fn row(customer: &str, borrowers: &str, agreement_type: i64) -> AgreementRow {
    AgreementRow {
        customer_number: Some(customer.into()),
        borrowers: Some(borrowers.into()),
        agreement_type: Some(agreement_type),
    }
}

static ALERT: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../../schemas/alert.schema.json")));
static VERDICT: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../../schemas/verdict.schema.json")));

fn validator(schema: &str) -> Validator {
    jsonschema::options().should_validate_formats(true).build(&serde_json::from_str(schema).unwrap()).unwrap()
}

fn complaints(validator: &Validator, json: &Value) -> Vec<String> {
    validator.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// What the alert schema has against it.
pub(crate) fn alert_complaints(alert: &Value) -> Vec<String> {
    complaints(&ALERT, alert)
}

/// What the verdict schema has against it.
pub(crate) fn verdict_complaints(line: &Value) -> Vec<String> {
    complaints(&VERDICT, line)
}

/// Judges, and holds what would be written against the schemas.
pub(crate) fn judged(case: Case, answer: Option<&Answer>, rules: &LendingRules) -> Judgement {
    let judgement = judge(case, answer, rules);
    judgement.publish(at(NOON + 30_000), &mut |message| {
        let alert = serde_json::from_slice(message.body).unwrap();
        assert_eq!(alert_complaints(&alert), [""; 0], "{alert:#}");
    });
    let line = verdict_line(&judgement);
    assert_eq!(verdict_complaints(&serde_json::from_str(&line).unwrap()), [""; 0], "{line}");
    judgement
}

pub(crate) fn verdict_line(judgement: &Judgement) -> String {
    let mut line = Vec::new();
    judgement.write_verdicts(&mut line);
    String::from_utf8(line).unwrap()
}

/// The alerts as they are published.
pub(crate) fn published(judgement: &Judgement) -> Vec<String> {
    let mut bodies = Vec::new();
    judgement.publish(at(NOON + 30_000), &mut |message| bodies.push(String::from_utf8(message.body.to_vec()).unwrap()));
    bodies
}
