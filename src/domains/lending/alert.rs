//! Alerts of the lending catalogue: SPEC 6, field by field.

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::{Uuid, uuid};

use super::event::{AgreementImage, ChangeRef};
use super::expected::ExpectedPayment;
use super::json::{Changes, Text, WrittenChange};
use super::judge::Correlation;
use super::settings::{LendingRules, Platform, Severity};
use crate::engine::Key;
use crate::engine::alert::{Amount, Message};
use crate::time::Timestamp;

/// The form of the alert; `schemas/alert.schema.json` is its description.
pub const SCHEMA_VERSION: u32 = 1;

/// The namespace of alert ids.
pub const NAMESPACE: Uuid = uuid!("a00b6300-602b-5b76-b652-b98095c13192");

/// An alert, complete but for the wall clock of its writing. The fields stand in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub alert_id: Uuid,
    pub rule: &'static str,
    pub rule_name: &'static str,
    pub severity: Severity,
    /// Which thresholds judged this.
    pub rules_fingerprint: String,
    pub agreement_number: Key,
    pub customer_number: Option<CompactString>,
    pub borrowers: Vec<CompactString>,
    pub agreement_type: Option<i64>,
    /// Event time of the trigger.
    pub occurred_at: Timestamp,
    pub trigger: ChangeRef,
    pub correlation: Correlation,
    /// The other changes used, in merged order.
    pub related: Vec<ChangeRef>,
    /// The movement; of a settlement its final payment.
    pub movement: Option<MovementDetail>,
    /// Of R1, R2 and R4.
    pub expected: Option<ExpectedPayment>,
    /// Of R1 and R2.
    pub threshold: Option<Threshold>,
    pub settlement: Option<Settlement>,
    pub opening: Option<Opening>,
    pub explanation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MovementDetail {
    pub amount: Amount,
    pub type_id: i64,
    /// As configured for the code.
    pub type_name: Option<CompactString>,
    pub platform: Option<&'static str>,
    pub date: NaiveDate,
    /// From the matched balance change, as the next.
    pub balance_before: Option<Amount>,
    pub balance_after: Option<Amount>,
}

impl MovementDetail {
    pub(super) fn of(movement: &super::case::Movement, balances: Option<(Decimal, Decimal)>, rules: &LendingRules) -> Self {
        let entry = rules.types.codes.get(&movement.type_id);
        Self {
            amount: Amount(movement.amount),
            type_id: movement.type_id,
            type_name: entry.and_then(|entry| entry.name.clone()),
            platform: entry.and_then(|entry| entry.platform).map(Platform::name),
            date: movement.date,
            balance_before: balances.map(|(before, _)| Amount(before)),
            balance_after: balances.map(|(_, after)| Amount(after)),
        }
    }
}

/// The thresholds that were applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Threshold {
    Overpayment {
        #[serde(serialize_with = "plain")]
        max_percent_over: Decimal,
        #[serde(serialize_with = "plain")]
        min_excess: Decimal,
        segment: Option<usize>,
    },
    LumpSum {
        #[serde(serialize_with = "plain")]
        max_amount: Decimal,
        segment: Option<usize>,
    },
}

fn plain<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    Amount(*amount).serialize(serializer)
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Settlement {
    pub settled_date: Option<NaiveDate>,
    pub status: Option<CompactString>,
    pub balance: Amount,
    pub contract_end_date: Option<NaiveDate>,
    /// Settled before the contract's end; `None` unless both dates are known.
    pub early: Option<bool>,
}

impl From<&AgreementImage> for Settlement {
    fn from(after: &AgreementImage) -> Self {
        Self {
            settled_date: after.settled_date,
            status: after.status.clone(),
            balance: Amount(after.balance),
            contract_end_date: after.contract_end_date,
            early: after.settled_date.zip(after.contract_end_date).map(|(settled, end)| settled < end),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Opening {
    pub agreement_date: Option<NaiveDate>,
    pub principal: Option<Amount>,
    pub first_payment_date: Option<NaiveDate>,
    pub due_day: Option<i64>,
    /// Months.
    pub num_payments: Option<i64>,
    pub payment_method: Option<i64>,
    pub purpose: Option<CompactString>,
}

impl From<&AgreementImage> for Opening {
    fn from(after: &AgreementImage) -> Self {
        Self {
            agreement_date: after.agreement_date,
            principal: after.principal.map(Amount),
            first_payment_date: after.first_payment_date,
            due_day: after.due_day,
            num_payments: after.num_payments,
            payment_method: after.payment_method,
            purpose: after.purpose.clone(),
        }
    }
}

/// The id of the alert that `rule` raises on this trigger.
pub(super) fn id(rule: &str, agreement: &str, trigger: &ChangeRef) -> Uuid {
    let commit = trigger.commit;
    let name = match trigger.trans_counter {
        Some(counter) => format!("{rule}|{agreement}|{commit}|{counter}"),
        None => format!("{rule}|{agreement}|{commit}|-"),
    };
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

impl Alert {
    /// Appends the alert as one JSON object, without a line end. `detected_at` is the wall clock: the one field that two runs
    /// over the same input may differ in.
    pub fn to_json(&self, detected_at: Timestamp, out: &mut Vec<u8>) {
        serde_json::to_writer(out, &Dated { alert: self, detected_at })
            .expect("writing to memory does not fail, and an alert has no map keys that are not strings");
    }

    /// `body` is what [`Alert::to_json`] wrote.
    pub(super) fn message<'a>(&'a self, body: &'a [u8]) -> Message<'a> {
        Message { rule: self.rule, id: self.alert_id, key: &self.agreement_number, body }
    }
}

struct Dated<'a> {
    alert: &'a Alert,
    detected_at: Timestamp,
}

impl Serialize for Dated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alert = self.alert;
        let mut object = serializer.serialize_struct("Alert", 21)?;
        object.serialize_field("alert_id", &Text(alert.alert_id))?;
        object.serialize_field("schema_version", &SCHEMA_VERSION)?;
        object.serialize_field("rule", alert.rule)?;
        object.serialize_field("rule_name", alert.rule_name)?;
        object.serialize_field("severity", alert.severity.name())?;
        object.serialize_field("rules_fingerprint", &alert.rules_fingerprint)?;
        object.serialize_field("agreement_number", &alert.agreement_number)?;
        object.serialize_field("customer_number", &alert.customer_number)?;
        object.serialize_field("borrowers", &alert.borrowers)?;
        object.serialize_field("agreement_type", &alert.agreement_type)?;
        object.serialize_field("occurred_at", &Text(alert.occurred_at))?;
        object.serialize_field("detected_at", &Text(self.detected_at))?;
        object.serialize_field("trigger", &WrittenChange::from(&alert.trigger))?;
        object.serialize_field("correlation", &alert.correlation)?;
        object.serialize_field("related", &Changes(&alert.related))?;
        object.serialize_field("movement", &alert.movement)?;
        object.serialize_field("expected", &alert.expected)?;
        object.serialize_field("threshold", &alert.threshold)?;
        object.serialize_field("settlement", &alert.settlement)?;
        object.serialize_field("opening", &alert.opening)?;
        object.serialize_field("explanation", &alert.explanation)?;
        object.end()
    }
}

#[cfg(test)]
mod tests;
