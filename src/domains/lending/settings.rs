//! The effective rules of the lending catalogue: validated, complete, immutable.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Everything that `rules/lending.toml` decides, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LendingRules {
    pub window: Window,
    pub expected: Expected,
    pub types: TransactionTypes,
    pub r1: Rule<OverpaymentThresholds>,
    pub r2: Rule<LumpSumThresholds>,
    pub r3: Rule<()>,
    pub r4: Rule<()>,
    pub r5: Rule<()>,
    /// SHA-256 of the canonical form, in lower-case hexadecimal: which thresholds judged.
    pub fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How long a movement or a balance change waits for its partner, in ms of stream time.
    pub max_wait_ms: i64,
    /// By how much the last payment may differ from a balance change that ends at zero.
    pub closing_tolerance: Decimal,
    /// Live only: after so many ms of wall clock without a data record everything open is closed.
    pub max_silence_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The values of PayProType that count.
    pub schedule_types: Vec<CompactString>,
    pub fallback: Vec<Fallback>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    FallenDue,
    NextDue,
}

/// What a movement is, by its TransTypeID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    Payment,
    Refund,
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionTypes {
    /// Every code that is listed.
    pub codes: BTreeMap<i64, TypeEntry>,
    /// The class of the others: payment or ignored.
    pub unknown: Class,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeEntry {
    pub class: Class,
    /// Of refunds only: as configured.
    pub name: Option<CompactString>,
    pub platform: Option<Platform>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    Secured,
    Unsecured,
}

impl TransactionTypes {
    #[must_use]
    pub fn class(&self, type_id: i64) -> Class {
        self.codes.get(&type_id).map_or(self.unknown, |entry| entry.class)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<T> {
    pub enabled: bool,
    pub severity: Severity,
    pub thresholds: T,
    /// Tried in order; each holds the complete thresholds for its types.
    pub segments: Vec<Segment<T>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<T> {
    pub agreement_types: Vec<i64>,
    pub thresholds: T,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverpaymentThresholds {
    pub max_percent_over: Decimal,
    pub min_excess: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LumpSumThresholds {
    pub max_amount: Decimal,
}

impl<T> Rule<T> {
    /// The thresholds that hold for an agreement of this type, and the segment they come from.
    #[must_use]
    pub fn thresholds_for(&self, agreement_type: Option<i64>) -> (&T, Option<usize>) {
        agreement_type
            .and_then(|kind| self.segments.iter().enumerate().find(|(_, segment)| segment.agreement_types.contains(&kind)))
            .map_or((&self.thresholds, None), |(index, segment)| (&segment.thresholds, Some(index)))
    }
}
