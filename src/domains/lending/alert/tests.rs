//! The alert against the contract: each alert of `tests/fixtures/alerts.jsonl` was computed by somebody else from the same
//! specification. Its case is built again from what it says, judged, and must come out as the same bytes.

use std::sync::Arc;

use compact_str::CompactString;
use serde_json::{Value, json};

use super::*;
use crate::domains::lending::case::{
    BalanceChange, Case, Correlation as Matching, FinalPayment, Movement, MovementCase, OpeningCase, SettlementCase,
};
use crate::domains::lending::event::{AgreementImage, Op};
use crate::domains::lending::expected::{Answer, Schedule};
use crate::domains::lending::settings::{Class, LumpSumThresholds, OverpaymentThresholds, Platform, Rule, Segment, TypeEntry};
use crate::domains::lending::testing::{self, alert_complaints, at, date, dec, judged, published};
use crate::event::{Origin, Topic};

const CONTRACT: &str = include_str!("../../../../tests/fixtures/alerts.jsonl");

fn contract() -> impl Iterator<Item = (&'static str, Value)> {
    CONTRACT.lines().map(|line| (line, serde_json::from_str(line).unwrap()))
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn change(value: &Value) -> ChangeRef {
    ChangeRef {
        origin: Origin {
            topic: Topic::intern(text(&value["topic"]).unwrap()),
            partition: value["partition"].as_i64().unwrap().try_into().unwrap(),
            offset: value["offset"].as_i64().unwrap(),
        },
        op: if value["op"] == "c" { Op::Create } else { Op::Update },
        commit: text(&value["commit_lsn"]).unwrap().parse().unwrap(),
        change_lsn: text(&value["change_lsn"]).map(|lsn| lsn.parse().unwrap()),
        event_serial_no: value["event_serial_no"].as_i64(),
        trans_counter: value["trans_counter"].as_i64(),
    }
}

fn time(value: &Value) -> Timestamp {
    let time: chrono::DateTime<chrono::Utc> = text(value).unwrap().parse().unwrap();
    Timestamp::from_ms(time.timestamp_millis()).unwrap()
}

/// Of the agreement, what the alert tells.
fn image(alert: &Value, balance: Decimal) -> AgreementImage {
    let (settlement, opening) = (&alert["settlement"], &alert["opening"]);
    let borrowers: Vec<_> = alert["borrowers"].as_array().unwrap().iter().filter_map(text).collect();
    AgreementImage {
        number: text(&alert["agreement_number"]).unwrap().into(),
        customer_number: text(&alert["customer_number"]).map(CompactString::from),
        borrowers: (!borrowers.is_empty()).then(|| borrowers.join(" ").into()),
        agreement_type: alert["agreement_type"].as_i64(),
        balance,
        settled: settlement.is_object(),
        settled_date: text(&settlement["settled_date"]).map(date),
        status: text(&settlement["status"]).map(CompactString::from),
        agreement_date: text(&opening["agreement_date"]).map(date),
        contract_end_date: text(&settlement["contract_end_date"]).map(date),
        num_payments: opening["num_payments"].as_i64(),
        principal: text(&opening["principal"]).map(dec),
        first_payment_date: text(&opening["first_payment_date"]).map(date),
        due_day: opening["due_day"].as_i64(),
        payment_method: opening["payment_method"].as_i64(),
        purpose: text(&opening["purpose"]).map(CompactString::from),
    }
}

fn movement(alert: &Value, change: ChangeRef) -> Movement {
    let occurred_at = time(&alert["occurred_at"]);
    let movement = &alert["movement"];
    Movement {
        change,
        sequence: 1,
        stamp: occurred_at,
        occurred_at,
        amount: text(&movement["amount"]).map(dec).unwrap(),
        type_id: movement["type_id"].as_i64().unwrap(),
        class: if alert["rule"] == "R5" { Class::Refund } else { Class::Payment },
        date: text(&movement["date"]).map(date).unwrap(),
    }
}

fn balances(alert: &Value) -> Option<(Decimal, Decimal)> {
    let movement = &alert["movement"];
    text(&movement["balance_before"]).map(dec).zip(text(&movement["balance_after"]).map(dec))
}

fn case(alert: &Value) -> Case {
    let trigger = change(&alert["trigger"]);
    let related: Vec<_> = alert["related"].as_array().unwrap().iter().map(change).collect();
    let occurred_at = time(&alert["occurred_at"]);
    match text(&alert["rule"]).unwrap() {
        "R3" => Case::Settlement(SettlementCase {
            change: trigger,
            occurred_at,
            after: Arc::new(image(alert, text(&alert["settlement"]["balance"]).map(dec).unwrap())),
            final_payment: alert["movement"]
                .is_object()
                .then(|| FinalPayment { movement: movement(alert, related[0]), balances: balances(alert) }),
            related,
        }),
        "R4" => Case::Opening(OpeningCase { change: trigger, occurred_at, after: Arc::new(image(alert, Decimal::ZERO)) }),
        _ => Case::Movement(MovementCase {
            agreement: text(&alert["agreement_number"]).unwrap().into(),
            movement: movement(alert, trigger),
            correlation: match text(&alert["correlation"]).unwrap() {
                "matched" => Matching::Matched,
                "aggregated" => Matching::Aggregated,
                "closing" => Matching::Closing,
                _ => Matching::Unmatched,
            },
            matched: balances(alert).map(|(balance_before, balance_after)| {
                Arc::new(BalanceChange {
                    change: *related.last().unwrap(),
                    sequence: 2,
                    stamp: occurred_at,
                    balance_before,
                    after: Arc::new(image(alert, balance_after)),
                })
            }),
            // where an aggregated movement itself stands among the others does not matter to its own alert
            together: (related.len() > 1).then(|| related[..related.len() - 1].into()),
        }),
    }
}

fn answer(alert: &Value) -> Answer {
    let expected = &alert["expected"];
    let amount = text(&expected["amount"]).map(dec);
    let mut answer = Answer {
        agreement: Some(crate::domains::lending::expected::AgreementRow {
            customer_number: text(&alert["customer_number"]).map(CompactString::from),
            borrowers: image(alert, Decimal::ZERO).borrowers,
            agreement_type: alert["agreement_type"].as_i64(),
        }),
        ..Answer::default()
    };
    let mut schedule = Schedule { kind: "Pay".into(), ..Schedule::default() };
    match text(&expected["source"]) {
        Some("custom_profile") => answer.custom = amount,
        Some("payment_profile") => schedule.current = amount,
        Some("fallen_due") => schedule.fallen_due = amount,
        Some("next_due") => {
            schedule.next_due = Some((date(&format!("{}-28", text(&expected["period"]).unwrap())), amount.unwrap()));
        }
        _ => {}
    }
    answer.schedules = [schedule].into();
    answer
}

fn with_threshold<T: Clone>(rule: &mut Rule<T>, thresholds: T, segment: Option<u64>, agreement_type: Option<i64>) {
    rule.thresholds = thresholds.clone();
    rule.segments.clear();
    if let Some(index) = segment {
        let other = Segment { agreement_types: vec![-1], thresholds: thresholds.clone() };
        rule.segments.resize(usize::try_from(index).unwrap(), other);
        rule.segments.push(Segment { agreement_types: agreement_type.into_iter().collect(), thresholds });
    }
}

/// Rules under which the alert was raised.
fn rules(alert: &Value) -> LendingRules {
    let mut rules = testing::rules();
    let (threshold, kind) = (&alert["threshold"], alert["agreement_type"].as_i64());
    let of = |name: &str| text(&threshold[name]).map(dec);
    let segment = threshold["segment"].as_u64();
    if let Some((max_percent_over, min_excess)) = of("max_percent_over").zip(of("min_excess")) {
        with_threshold(&mut rules.r1, OverpaymentThresholds { max_percent_over, min_excess }, segment, kind);
    }
    if let Some(max_amount) = of("max_amount") {
        with_threshold(&mut rules.r2, LumpSumThresholds { max_amount }, segment, kind);
    }
    let severity = match text(&alert["severity"]).unwrap() {
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        _ => Severity::High,
    };
    (rules.r1.severity, rules.r2.severity, rules.r3.severity) = (severity, severity, severity);
    (rules.r4.severity, rules.r5.severity) = (severity, severity);
    let movement = &alert["movement"];
    if let Some(type_id) = movement["type_id"].as_i64() {
        let platform = text(&movement["platform"])
            .map(|platform| if platform == "secured" { Platform::Secured } else { Platform::Unsecured });
        let name = text(&movement["type_name"]).map(CompactString::from);
        let class = if alert["rule"] == "R5" { Class::Refund } else { Class::Payment };
        rules.types.codes.insert(type_id, TypeEntry { class, name, platform });
    }
    rules
}

/// As the contract compares: without what differs by nature or is free text.
fn comparable(mut text: String, written: &Value) -> String {
    for field in ["rules_fingerprint", "detected_at", "explanation"] {
        text = text.replacen(&format!("\"{field}\":{}", written[field]), &format!("\"{field}\":null"), 1);
    }
    text
}

#[test]
fn the_alerts_of_the_contract_come_out_byte_for_byte() {
    let mut rules_seen = std::collections::BTreeSet::new();
    for (line, alert) in contract() {
        let judgement = judged(case(&alert), Some(&answer(&alert)), &rules(&alert));
        let written = published(&judgement);
        let same_rule = |text: &String| serde_json::from_str::<Value>(text).unwrap()["rule"] == alert["rule"];
        let written = written.into_iter().find(same_rule).unwrap_or_else(|| panic!("{line} is not raised"));
        let value: Value = serde_json::from_str(&written).unwrap();
        let ours = comparable(written, &value);
        // The fixture escapes what is not ASCII.
        let theirs = if line.contains(r"\u") { ours.clone() } else { line.to_owned() };
        assert_eq!(ours, theirs);
        assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), alert);
        rules_seen.insert(alert["rule"].to_string());
    }
    assert_eq!(rules_seen.len(), 5, "the fixture has every rule");
}

#[test]
fn an_id_is_that_of_rule_agreement_commit_and_counter() {
    // Computed with Python's uuid.uuid5.
    let trigger = testing::transaction(0, 9_924_771, "0000002b:00000d78:0005");
    assert_eq!(id("R2", "FRM0001544", &trigger).to_string(), "33cbd762-80ad-528a-a6f4-319cb8a97aa6");
    let trigger = testing::agreement(0, Op::Create, "0000002b:00000e10:0002");
    assert_eq!(id("R4", "FRH0000400", &trigger).to_string(), "df84d34d-8410-53a3-8132-6e4c237b653c");
}

#[test]
fn only_the_wall_clock_tells_two_writings_apart() {
    let judgement = judged(Case::Movement(testing::unmatched("25.00", 108)), None, &testing::rules());
    let written = |ms| {
        let mut out = Vec::new();
        judgement.alerts[0].to_json(at(ms), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert!(written(7).contains(r#""detected_at":"2026-01-12T00:00:00.007Z""#));
    assert_eq!(written(7).replace("00:00:00.007Z", "00:00:01.000Z"), written(1_000));
}

/// A valid alert of a matched payment.
fn valid() -> Value {
    let case = testing::matched("5000.00", 12, "9000.00", testing::image("4000.00"));
    let judgement = judged(Case::Movement(case), Some(&testing::expects("230.00")), &testing::rules());
    serde_json::from_str(&published(&judgement)[0]).unwrap()
}

#[test]
fn the_schema_takes_every_alert_of_the_contract() {
    for (line, mut alert) in contract() {
        alert["rules_fingerprint"] = json!("5a".repeat(32));
        alert["detected_at"] = json!("2026-01-12T09:00:00.000Z");
        alert["explanation"] = json!("A sentence.");
        assert_eq!(alert_complaints(&alert), [""; 0], "{line}");
    }
}

#[test]
fn the_schema_refuses_what_no_alert_may_hold() {
    let refused = |path: &str, value: Value| {
        let mut alert = valid();
        let (parent, field) = path.rsplit_once('/').unwrap();
        alert.pointer_mut(parent).unwrap()[field] = value;
        assert!(!alert_complaints(&alert).is_empty(), "{path} passes: {alert:#}");
    };
    refused("/account_number", json!("12345678"));
    refused("/movement/amount", json!(5000.0));
    refused("/movement/amount", json!("5e3"));
    refused("/movement/amount", json!("-0.00"));
    refused("/movement", json!(null));
    refused("/expected", json!(null));
    refused("/expected/period", json!(null));
    refused("/expected", json!({"amount": null, "source": "missing", "period": null}));
    refused("/threshold", json!({"max_amount": "3000.00", "segment": null}));
    refused("/rule", json!("R5"));
    refused("/rule_name", json!("lump_sum"));
    refused("/correlation", json!("unmatched"));
    refused("/correlation", json!("not_needed"));
    refused("/related", json!([{}]));
    refused("/trigger/trans_counter", json!(null));
    refused("/trigger/commit_lsn", json!("2b:d78:5"));
    refused("/occurred_at", json!("2026-01-12T09:00:00Z"));
    refused("/detected_at", json!(1_768_208_400_000_i64));
    refused("/alert_id", json!("2154bdb6-9abb-4ecb-85aa-884c1aa4c42e"));
    refused("/explanation", json!("no sentence"));
    refused("/opening", json!({}));
}

#[test]
fn every_field_is_required() {
    let whole = valid();
    for field in whole.as_object().unwrap().keys() {
        let mut alert = whole.clone();
        alert.as_object_mut().unwrap().remove(field);
        assert!(!alert_complaints(&alert).is_empty(), "{field} may be absent");
    }
}
