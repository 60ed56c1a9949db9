//! What a backtest tells at its end: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::domains::lending::label;
use crate::domains::lending::rules::RULES;
use crate::engine::Counts;
use crate::engine::core::REBUILT_SOURCE;
use crate::engine::merge::{BAD_MESSAGE, REDELIVERED};
use crate::engine::verdict::Outcome;

/// Counts of one run. The field names are the JSON's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Records of every kind, in every topic.
    pub records: u64,
    /// Inserts, updates and deletes that were neither bad nor re-delivered.
    pub changes: u64,
    pub redelivered: u64,
    pub bad_messages: BTreeMap<String, u64>,
    /// Records and changes of no consequence, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    pub movements: Movements,
    /// Balance changes that no movement explained.
    pub unexplained: u64,
    pub settlements: u64,
    pub openings: u64,
    /// By rule, then by verdict.
    pub verdicts: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    pub alerts: BTreeMap<&'static str, u64>,
    pub rebuilt_sources: u64,
    pub elapsed_ms: u128,
    pub records_per_second: u64,
}

/// Movements by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Movements {
    pub matched: u64,
    pub aggregated: u64,
    pub closing: u64,
    pub unmatched: u64,
}

/// What is counted while the run goes on.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub records: u64,
    pub changes: u64,
    pub counts: Counts,
    pub bad_messages: BTreeMap<String, u64>,
    /// By rule and verdict, in the order of the rules.
    pub verdicts: BTreeMap<(&'static str, Outcome), u64>,
    pub alerts: BTreeMap<&'static str, u64>,
}

/// Labels that are outcomes, not reasons to ignore.
const OUTCOMES: [&str; 10] = [
    label::MATCHED,
    label::AGGREGATED,
    label::CLOSING,
    label::UNMATCHED,
    label::UNEXPLAINED,
    label::SETTLEMENT,
    label::OPENING,
    REDELIVERED,
    BAD_MESSAGE,
    REBUILT_SOURCE,
];

impl Summary {
    #[must_use]
    pub fn new(tally: &Tally, elapsed: Duration) -> Self {
        let count = |label| tally.counts.get(label);
        let ignored = tally.counts.sorted().into_iter().filter(|(label, _)| !OUTCOMES.contains(label)).collect();
        let by_rule = |rule| {
            let of_rule = tally.verdicts.iter().filter(|((of, _), _)| *of == rule);
            of_rule.map(|((_, outcome), n)| (outcome.name(), *n)).collect()
        };
        let elapsed_ms = elapsed.as_millis();
        Self {
            records: tally.records,
            changes: tally.changes,
            redelivered: count(REDELIVERED),
            bad_messages: tally.bad_messages.clone(),
            ignored,
            movements: Movements {
                matched: count(label::MATCHED),
                aggregated: count(label::AGGREGATED),
                closing: count(label::CLOSING),
                unmatched: count(label::UNMATCHED),
            },
            unexplained: count(label::UNEXPLAINED),
            settlements: count(label::SETTLEMENT),
            openings: count(label::OPENING),
            verdicts: RULES.iter().map(|rule| (rule.id, by_rule(rule.id))).collect(),
            alerts: RULES.iter().map(|rule| (rule.id, tally.alerts.get(rule.id).copied().unwrap_or(0))).collect(),
            rebuilt_sources: count(REBUILT_SOURCE),
            elapsed_ms,
            records_per_second: u64::try_from(u128::from(tally.records) * 1000 / elapsed_ms.max(1)).unwrap_or(u64::MAX),
        }
    }
}
