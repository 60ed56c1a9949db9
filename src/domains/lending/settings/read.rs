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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rust_decimal::Decimal;

    use super::super::{Class, Platform};
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn parse(text: &str) -> LendingRules {
        LendingRules::parse("rules.toml", text).unwrap()
    }

    /// How many codes there are of each class, and of each platform.
    fn listed(rules: &LendingRules) -> (BTreeMap<&'static str, usize>, BTreeMap<&'static str, usize>) {
        let (mut classes, mut platforms) = (BTreeMap::new(), BTreeMap::new());
        for entry in rules.types.codes.values() {
            *classes.entry(entry.class.name()).or_default() += 1;
            if let Some(platform) = entry.platform {
                *platforms.entry(platform.name()).or_default() += 1;
            }
        }
        (classes, platforms)
    }

    #[test]
    fn every_key_is_read() {
        let rules = parse(include_str!("../../../../tests/data/rules/valid/every-spelling.toml"));
        let window = Window { max_wait_ms: 30_000, closing_tolerance: dec("10.005"), max_silence_ms: 1500 };
        assert_eq!(rules.window, window);
        assert_eq!(rules.expected, Expected { schedule_types: vec![], fallback: vec![] });

        let (codes, unknown) = (&rules.types.codes, rules.types.unknown);
        assert_eq!((codes.len(), unknown, rules.types.platform_ids), (6, Class::Ignored, [1, 2]));
        let refund = &codes[&1003];
        assert_eq!((refund.class, refund.platform), (Class::Refund, Some(Platform::Unsecured)));
        assert_eq!(refund.name.as_deref(), Some("Ünsecured \"refund\""));

        let overpayment = |percent, excess| OverpaymentThresholds { max_percent_over: dec(percent), min_excess: dec(excess) };
        let expected = Rule {
            enabled: true,
            severity: Severity::Low,
            thresholds: overpayment("33.3", "0.1"),
            segments: vec![
                Segment { agreement_types: vec![205, 206], thresholds: overpayment("33.3", "1") },
                Segment { agreement_types: vec![206], thresholds: overpayment("7.5", "0.0001") },
            ],
        };
        assert_eq!(rules.r1, expected);
        let lump_sum = |amount| LumpSumThresholds { max_amount: dec(amount) };
        let expected = Rule {
            enabled: true,
            severity: Severity::High,
            thresholds: lump_sum("10000"),
            segments: vec![Segment { agreement_types: vec![113], thresholds: lump_sum("2500.5") }],
        };
        assert_eq!(rules.r2, expected);
        assert_eq!((rules.r3.enabled, rules.r4.enabled, rules.r5.severity), (true, true, Severity::Medium));
    }

    #[test]
    fn thresholds_keep_the_decimals_they_are_written_with() {
        let rules = parse("rules.R2.max_amount = \"500.0000\"\nrules.R1.max_percent_over = 50");
        assert_eq!(rules.r2.thresholds.max_amount.to_string(), "500.0000");
        assert_eq!(rules.r1.thresholds.max_percent_over.to_string(), "50");
    }

    #[test]
    fn the_first_segment_that_holds_the_type_counts_and_an_unknown_type_has_none() {
        let rules = parse(include_str!("../../../../tests/data/rules/valid/every-spelling.toml"));
        let segment = |kind| rules.r1.thresholds_for(kind).1;
        assert_eq!([segment(Some(205)), segment(Some(206)), segment(Some(207)), segment(None)], [Some(0), Some(0), None, None]);
        assert_eq!(rules.r1.thresholds_for(None).0, &rules.r1.thresholds);
    }

    #[test]
    fn a_list_of_codes_replaces_its_own_default_and_no_other() {
        let (classes, platforms) = listed(&LendingRules::default());
        assert_eq!(classes, BTreeMap::from([("ignored", 3), ("refund", 14)]));
        assert_eq!(platforms, BTreeMap::from([("secured", 4), ("unsecured", 10)]));

        let (_, platforms) = listed(&parse("types.refund.secured.codes = { 9 = \"Refund\" }"));
        assert_eq!(platforms, BTreeMap::from([("secured", 1), ("unsecured", 10)]));
        let (_, platforms) = listed(&parse("types.refund.unsecured.platform = 3"));
        assert_eq!(platforms, BTreeMap::from([("secured", 4), ("unsecured", 10)]));
        let (classes, _) = listed(&parse("types.ignored = []\ntypes.payment = [50]"));
        assert_eq!(classes, BTreeMap::from([("payment", 1), ("refund", 14)]));
    }

    #[test]
    fn a_code_in_no_list_is_what_the_file_says_of_unknown_ones() {
        assert_eq!(parse("").types.class(12), Class::Payment);
        assert_eq!(parse("types.unknown = \"ignored\"").types.class(99), Class::Ignored);
        assert_eq!(parse("types = { unknown = \"ignored\", payment = [] }").types.class(12), Class::Ignored);
        assert_eq!(parse("types = { unknown = \"ignored\", payment = [12] }").types.class(12), Class::Payment);
    }

    #[test]
    fn where_unknown_codes_are_ignored_the_usual_payments_stay_payments_unless_the_file_says_otherwise() {
        assert_eq!(parse("types.unknown = \"ignored\"").types.class(12), Class::Payment);
        let types = parse("types = { unknown = \"ignored\", ignored = [12] }").types;
        assert_eq!((types.class(12), types.class(32)), (Class::Ignored, Class::Payment));
    }

    #[test]
    fn a_wait_may_be_zero_and_a_silence_may_not() {
        assert_eq!(parse("window.max_wait = \"0s\"").window.max_wait_ms, 0);
        assert_eq!(parse("window.max_silence = \"1ms\"").window.max_silence_ms, 1);
        assert!(LendingRules::parse("rules.toml", "window.max_silence = \"0s\"").is_err());
    }
}
