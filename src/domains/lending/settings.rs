//! The effective rules of the lending catalogue: validated, complete, immutable.
//!
//! ```text
//! rules/lending.toml ─► read: typed, validated, defaults filled in ─► LendingRules ─► fingerprint
//! ```

mod defaults;
mod fingerprint;
mod read;
mod types;

use std::collections::BTreeMap;
use std::path::Path;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigErrors, LoadError};

/// The file that is shipped as `rules/lending.toml`.
pub const SHIPPED: &str = include_str!("../../../rules/lending.toml");

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

impl LendingRules {
    /// Reads a rules file. What the file leaves out has its default.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        config::load(path, Self::parse)
    }

    /// As [`Self::load`], from a text; errors name it by `file`.
    ///
    /// # Errors
    /// Everything that is wrong in the text.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigErrors> {
        config::parse(file, text, |root| read::rules(root).with_fingerprint())
    }

    /// The rules that hold where no file is given: [`SHIPPED`]. They differ from the default, which is what an empty
    /// file means, in what only a file can say: payment codes and segments.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse("rules/lending.toml", SHIPPED).expect("the shipped rules are valid, as a test proves")
    }
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

impl Fallback {
    /// As files name it, and as the source of an expected payment in alerts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FallenDue => "fallen_due",
            Self::NextDue => "next_due",
        }
    }
}

/// What a movement is, by its TransTypeID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    Payment,
    Refund,
    Ignored,
}

impl Class {
    /// As files name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Ignored => "ignored",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionTypes {
    /// Every code that is listed.
    pub codes: BTreeMap<i64, TypeEntry>,
    /// The class of the others: payment or ignored.
    pub unknown: Class,
    /// FKPlatformID of [`Platform::Secured`] and [`Platform::Unsecured`] in dbo.TransactionType: says in the file whose
    /// codes they are, and plays no part in judging.
    pub platform_ids: [i64; 2],
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

impl Platform {
    /// As files and alerts name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secured => "secured",
            Self::Unsecured => "unsecured",
        }
    }
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

impl Severity {
    /// As files and alerts name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
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
