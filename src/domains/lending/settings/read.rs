//! From a rules file's sections to the rules. Keys, defaults and bounds stand here, line by line as in the file.

use std::time::Duration;

use super::{Expected, Fallback, LendingRules, LumpSumThresholds, OverpaymentThresholds, Rule, Segment, Severity, Window, types};
use crate::config::{Problem, Section, Value, amount, boolean, choice, duration, integer, percentage, text};

/// All but the fingerprint.
pub(super) fn rules(root: &mut Section<'_>) -> LendingRules {
    let default = LendingRules::default();
    let (window, expected, types) =
        (root.table("window", window), root.table("expected", expected), root.table("types", types::types));
    let (mut r1, mut r2, mut r3, mut r4, mut r5) = (default.r1, default.r2, default.r3, default.r4, default.r5);
    root.table("rules", |rules| {
        rules.table("R1", |section| rule(section, &mut r1));
        rules.table("R2", |section| rule(section, &mut r2));
        rules.table("R3", |section| rule(section, &mut r3));
        rules.table("R4", |section| rule(section, &mut r4));
        rules.table("R5", |section| rule(section, &mut r5));
    });
    LendingRules { window, expected, types, r1, r2, r3, r4, r5, fingerprint: String::new() }
}

fn window(section: &mut Section<'_>) -> Window {
    let default = Window::default();
    let max_wait_ms = section.optional("max_wait", duration).map_or(default.max_wait_ms, milliseconds);
    let closing_tolerance = section.optional("closing_tolerance", amount).unwrap_or(default.closing_tolerance);
    let max_silence_ms = section.optional("max_silence", duration).map_or(default.max_silence_ms, milliseconds);
    if max_silence_ms == 0 {
        let problem = Problem::new(format!("`{}`: expected more than zero", section.name("max_silence")));
        section.problem_with("max_silence", problem.hint("a live stream is always silent between two records"));
    }
    Window { max_wait_ms, closing_tolerance, max_silence_ms }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a configured duration is at most ten years")
}

fn expected(section: &mut Section<'_>) -> Expected {
    let default = Expected::default();
    let fallback = choice(&[("fallen_due", Fallback::FallenDue), ("next_due", Fallback::NextDue)]);
    Expected {
        schedule_types: distinct(section, "schedule_types", text)
            .map_or(default.schedule_types, |types| types.into_iter().map(Into::into).collect()),
        fallback: distinct(section, "fallback", fallback).unwrap_or(default.fallback),
    }
}

/// What R1 and R2 compare with. R3 to R5 always fire, so they take none, and no segments.
trait Thresholds: Clone {
    const KEYS: &[&str];
    /// The thresholds that the section names; the others are as in `self`.
    fn replaced_by(&self, section: &mut Section<'_>) -> Self;
}

impl Thresholds for OverpaymentThresholds {
    const KEYS: &[&str] = &["max_percent_over", "min_excess"];
    fn replaced_by(&self, section: &mut Section<'_>) -> Self {
        Self {
            max_percent_over: section.optional("max_percent_over", percentage).unwrap_or(self.max_percent_over),
            min_excess: section.optional("min_excess", amount).unwrap_or(self.min_excess),
        }
    }
}

impl Thresholds for LumpSumThresholds {
    const KEYS: &[&str] = &["max_amount"];
    fn replaced_by(&self, section: &mut Section<'_>) -> Self {
        Self { max_amount: section.optional("max_amount", amount).unwrap_or(self.max_amount) }
    }
}

impl Thresholds for () {
    const KEYS: &[&str] = &[];
    fn replaced_by(&self, _: &mut Section<'_>) {}
}

fn rule<T: Thresholds>(section: &mut Section<'_>, rule: &mut Rule<T>) {
    const SEVERITIES: [(&str, Severity); 3] = [("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High)];
    rule.enabled = section.optional("enabled", boolean).unwrap_or(rule.enabled);
    rule.severity = section.optional("severity", choice(&SEVERITIES)).unwrap_or(rule.severity);
    rule.thresholds = rule.thresholds.replaced_by(section);
    if !T::KEYS.is_empty() {
        rule.segments = section.tables("segments", |section| segment(section, &rule.thresholds));
    }
}

fn segment<T: Thresholds>(section: &mut Section<'_>, base: &T) -> Segment<T> {
    let agreement_types = distinct(section, "agreement_types", integer);
    if !section.has("agreement_types") || section.is_empty_list("agreement_types") {
        let problem = Problem::new(format!("`{}` is empty: it holds for no agreement type", section.path()));
        section.problem_with("agreement_types", problem.hint("list the types, such as agreement_types = [205]"));
    }
    if !T::KEYS.iter().any(|key| section.has(key)) {
        let problem = Problem::new(format!("`{}` is empty: it replaces no threshold", section.path()));
        section.problem(problem.hint(format!("give it {}", T::KEYS.join(" or "))));
    }
    Segment { agreement_types: agreement_types.unwrap_or_default(), thresholds: base.replaced_by(section) }
}

/// A list in which nothing stands twice; `None` where the key is missing.
fn distinct<T: PartialEq>(
    section: &mut Section<'_>,
    key: &str,
    read: impl Fn(Value<'_>) -> Result<T, Problem>,
) -> Option<Vec<T>> {
    let mut values = Vec::new();
    for item in section.list(key, read)? {
        if values.contains(&item.value) {
            section.problem_at(item.offset, Problem::new(format!("`{}`: expected each value once", section.name(key))));
        } else {
            values.push(item.value);
        }
    }
    Some(values)
}
