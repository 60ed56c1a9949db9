//! Sentinel's changes, typed: what of a row the engine keeps.

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::engine::Key;
use crate::event::{ChangeEvent, Lsn, Origin, money};
use crate::time::day;

/// One change of the two captured tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LendingChange {
    pub position: Position,
    pub kind: ChangeKind,
}

/// Where in its commit the source puts the change, as alerts quote it. Neither part orders anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub change_lsn: Option<Lsn>,
    pub event_serial_no: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    TransactionInsert(TransactionInsert),
    /// Moves the merge and stream time, nothing else.
    TransactionUpdate {
        counter: i64,
    },
    /// Makes an insert of the same counter in the same commit a correction.
    TransactionDelete {
        counter: i64,
    },
    AgreementInsert(AgreementInsert),
    /// One that changes the balance or settles the agreement.
    AgreementUpdate(AgreementUpdate),
    /// An update that does neither: of its row nobody will ask more than whose it is.
    AgreementEdit {
        number: Key,
    },
    /// Makes an insert of the same commit an update or a rename.
    AgreementDelete(AgreementDelete),
    /// An insert of Transaction that a delete of the same commit, or its header, shows to be a corrected row. Only staging
    /// makes it.
    Correction {
        counter: i64,
    },
    /// An insert of Agreement that is an old row under a new number. Only staging makes it.
    Rename {
        number: Key,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionInsert {
    pub counter: i64,
    pub agreement: Key,
    #[serde(with = "day")]
    pub date: NaiveDate,
    pub type_id: i64,
    #[serde(with = "money::compact")]
    pub amount: Decimal,
    /// The record has the header of a key change.
    pub key_changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementInsert {
    pub after: Box<AgreementImage>,
    /// The record has the header of a key change.
    pub key_changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementUpdate {
    #[serde(with = "money::compact")]
    pub balance_before: Decimal,
    pub settled_before: bool,
    pub after: Box<AgreementImage>,
    /// The log has this update as a delete and an insert; the record is the insert.
    pub from_insert: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementDelete {
    pub number: Key,
    pub customer_number: Option<CompactString>,
    #[serde(with = "money::compact")]
    pub balance_before: Decimal,
    pub settled_before: bool,
}

/// Whether an update changes the balance or settles the agreement: what it was before, and what after.
pub(super) fn is_money(balance: [Decimal; 2], settled: [bool; 2]) -> bool {
    balance[0] != balance[1] || is_settlement(settled)
}

pub(super) fn is_settlement(settled: [bool; 2]) -> bool {
    settled == [false, true]
}

/// A row of dbo.Agreement, without the personal data and without what no rule or alert asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementImage {
    /// Without trailing blanks and, unless keys are case-sensitive, in ASCII upper case.
    pub number: Key,
    pub customer_number: Option<CompactString>,
    /// As in the table: ids separated by blanks.
    pub borrowers: Option<CompactString>,
    pub agreement_type: Option<i64>,
    #[serde(with = "money::compact")]
    pub balance: Decimal,
    pub settled: bool,
    #[serde(with = "day::option")]
    pub settled_date: Option<NaiveDate>,
    pub status: Option<CompactString>,
    #[serde(with = "day::option")]
    pub agreement_date: Option<NaiveDate>,
    #[serde(with = "day::option")]
    pub contract_end_date: Option<NaiveDate>,
    pub num_payments: Option<i64>,
    #[serde(with = "money::compact::option")]
    pub principal: Option<Decimal>,
    #[serde(with = "day::option")]
    pub first_payment_date: Option<NaiveDate>,
    pub due_day: Option<i64>,
    pub payment_method: Option<i64>,
    pub purpose: Option<CompactString>,
}

/// A change as an alert names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRef {
    pub origin: Origin,
    pub op: Op,
    pub commit: Lsn,
    // those of a `Position`: within one they would take 8 bytes more, and windows hold many of these
    pub change_lsn: Option<Lsn>,
    pub event_serial_no: Option<i64>,
    /// Of a Transaction only.
    pub trans_counter: Option<i64>,
}

/// Debezium's operation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    #[serde(rename = "c")]
    Create,
    #[serde(rename = "u")]
    Update,
}

impl Op {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
        }
    }
}

impl ChangeRef {
    pub(super) fn of(event: &ChangeEvent<LendingChange>) -> Self {
        let (op, trans_counter) = match &event.body.kind {
            ChangeKind::TransactionInsert(insert) => (Op::Create, Some(insert.counter)),
            ChangeKind::AgreementUpdate(AgreementUpdate { from_insert: false, .. }) => (Op::Update, None),
            _ => (Op::Create, None),
        };
        let Position { change_lsn, event_serial_no } = event.body.position;
        Self { origin: event.origin, op, commit: event.commit, change_lsn, event_serial_no, trans_counter }
    }
}
