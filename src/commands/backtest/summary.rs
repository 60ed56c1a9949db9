//! What a backtest tells at its end: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
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
pub(super) struct Summary {
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
pub(super) struct Movements {
    pub matched: u64,
    pub aggregated: u64,
    pub closing: u64,
    pub unmatched: u64,
}

/// What is counted while the run goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub records: u64,
    pub changes: u64,
    pub counts: Counts,
    pub bad_messages: BTreeMap<String, u64>,
    /// What is wrong with the first of them: mostly they have one cause.
    pub first_bad: Option<String>,
    /// By rule and verdict, in the order of arrival.
    pub verdicts: Vec<((&'static str, Outcome), u64)>,
    pub alerts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Few combinations, and the same ones again and again: looked for by address, in the order of arrival.
    pub(super) fn verdict(&mut self, rule: &'static str, outcome: Outcome) {
        let same = |(known, of): &(&'static str, Outcome)| std::ptr::eq(*known, rule) && *of == outcome;
        match self.verdicts.iter_mut().find(|(known, _)| same(known)) {
            Some((_, n)) => *n += 1,
            None => self.verdicts.push(((rule, outcome), 1)),
        }
    }
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
    pub(super) fn new(tally: &Tally, elapsed: Duration) -> Self {
        let count = |label| tally.counts.get(label);
        let ignored = tally.counts.sorted().into_iter().filter(|(label, _)| !OUTCOMES.contains(label)).collect();
        let by_rule = |rule| {
            let mut verdicts: BTreeMap<&'static str, u64> = BTreeMap::new();
            for ((_, outcome), n) in tally.verdicts.iter().filter(|((of, _), _)| *of == rule) {
                *verdicts.entry(outcome.name()).or_default() += n;
            }
            verdicts
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

impl Summary {
    /// For people: one figure a line, the figures aligned.
    #[must_use]
    pub(super) fn table(&self) -> String {
        let mut rows: Vec<(usize, &str, u64)> = vec![
            (0, "records", self.records),
            (1, "changes", self.changes),
            (1, "re-delivered, dropped", self.redelivered),
            (1, "bad, dead letters", self.bad_messages.values().sum()),
        ];
        rows.extend(self.bad_messages.iter().map(|(reason, n)| (2, reason.as_str(), *n)));
        rows.push((1, "of no consequence", self.ignored.values().sum()));
        rows.extend(self.ignored.iter().map(|(reason, n)| (2, *reason, *n)));
        let Movements { matched, aggregated, closing, unmatched } = self.movements;
        rows.extend([
            (0, "movements", matched + aggregated + closing + unmatched),
            (1, "matched", matched),
            (1, "aggregated", aggregated),
            (1, "closing", closing),
            (1, "unmatched", unmatched),
            (0, "balance changes unexplained", self.unexplained),
            (0, "settlements", self.settlements),
            (0, "openings", self.openings),
        ]);
        if self.rebuilt_sources > 0 {
            rows.push((0, "rebuilt sources accepted", self.rebuilt_sources));
        }
        rows.push((0, "alerts", self.alerts.values().sum()));
        let names = RULES.map(|rule| format!("{} {}", rule.id, rule.name.replace('_', " ")));
        rows.extend(RULES.iter().zip(&names).map(|(rule, name)| (1, name.as_str(), self.alerts[rule.id])));
        let undecided = self.verdicts.values().filter_map(|verdicts| verdicts.get(Outcome::Indeterminate.name())).sum();
        rows.push((0, "indeterminate, no expected payment", undecided));

        let figures: Vec<String> = rows.iter().map(|(_, _, n)| grouped(*n)).collect();
        let name_width = rows.iter().map(|(depth, name, _)| 2 * depth + name.chars().count()).max().unwrap_or(0);
        let figure_width = figures.iter().map(String::len).max().unwrap_or(0);
        let mut table = String::new();
        for ((depth, name, _), figure) in rows.iter().zip(figures) {
            let indent = 2 * depth;
            // writing to a String cannot fail
            let _ = writeln!(table, "{:indent$}{name:<width$}  {figure:>figure_width$}", "", width = name_width - indent);
        }
        let (seconds, tenths) = (self.elapsed_ms / 1000, self.elapsed_ms % 1000 / 100);
        let _ = writeln!(table, "\n{seconds}.{tenths} s, {} records a second", grouped(self.records_per_second));
        table
    }
}

/// 1234567 as 1,234,567.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_table_names_every_outcome_and_every_reason() {
        let mut tally = Tally { records: 12_345, changes: 12_000, ..Tally::default() };
        tally.counts.add(label::MATCHED, 7_000);
        tally.counts.add(label::UNEXPLAINED, 3);
        tally.counts.add("snapshot", 42);
        tally.counts.add(REDELIVERED, 5);
        tally.bad_messages.insert("amount".to_owned(), 2);
        tally.alerts.insert("R2", 9);
        tally.verdicts.push((("R1", Outcome::Indeterminate), 11));
        insta::assert_snapshot!(Summary::new(&tally, Duration::from_millis(1_250)).table());
    }

    #[test]
    fn no_outcome_is_taken_for_a_reason_to_ignore() {
        let mut tally = Tally::default();
        for label in OUTCOMES {
            tally.counts.add(label, 1);
        }
        tally.counts.add(label::EDIT, 1);
        let summary = Summary::new(&tally, Duration::ZERO);
        assert_eq!(summary.ignored.into_iter().collect::<Vec<_>>(), [(label::EDIT, 1)]);
    }
}
