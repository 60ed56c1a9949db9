//! Rules that mean the same have one fingerprint, and rules that do not have two.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::super::Class;
use super::*;

/// What a rules file decides, and nothing of how it says it.
#[derive(Clone, Debug)]
struct Decisions {
    max_wait_ms: u32,
    closing_tolerance: Cents,
    max_silence_ms: u32,
    schedule_types: Vec<&'static str>,
    fallback: Vec<&'static str>,
    ignored: Vec<i64>,
    payment: Vec<i64>,
    unknown_is_payment: bool,
    /// By platform: codes with names.
    refunds: [Vec<(i64, String)>; 2],
    rules: Vec<(bool, usize)>,
    percent_over: Cents,
    min_excess: Cents,
    max_amount: Cents,
    r1_segments: Vec<(Vec<i64>, Cents, Cents)>,
    r2_segments: Vec<(Vec<i64>, Cents)>,
}

/// A number with two decimals.
type Cents = u32;

const SEVERITIES: [&str; 3] = ["low", "medium", "high"];
const PLATFORMS: [&str; 2] = ["secured", "unsecured"];

fn cents() -> impl Strategy<Value = Cents> {
    prop_oneof![Just(0), Just(1), Just(50_00), 0..1_000_000u32, (0..10_000u32).prop_map(|whole| whole * 100)]
}

fn some(of: &'static [i64], least: usize) -> impl Strategy<Value = Vec<i64>> {
    subsequence(of, least..=of.len())
}

fn decisions() -> impl Strategy<Value = Decisions> {
    let names = || prop::collection::vec("[ -~é]{0,6}x", 4);
    let wait = || prop_oneof![0..100_000u32, (0..100u32).prop_map(|seconds| seconds * 1000)];
    let expected = (subsequence(&["Pay", "Fee", "a\"b"][..], 0..=3), subsequence(&["fallen_due", "next_due"][..], 0..=2));
    let types = (some(&[50, 60, 70], 0), some(&[7, 12, -1], 0), any::<bool>(), some(&[3, 107, 108], 0), some(&[1003, 1100], 0));
    let r1_segment = (some(&[205, 206, 301], 1), cents(), cents());
    let r2_segment = (some(&[205, 206, 301], 1), cents());
    (
        (wait(), cents(), wait()),
        expected,
        (types, names()),
        prop::collection::vec((any::<bool>(), 0..3usize), 5),
        (cents(), cents(), cents()),
        (prop::collection::vec(r1_segment, 0..3), prop::collection::vec(r2_segment, 0..3)),
    )
        .prop_map(|(window, (schedule_types, fallback), (types, names), rules, amounts, segments)| {
            let (ignored, payment, unknown_is_payment, secured, unsecured) = types;
            let refunds = |codes: Vec<i64>| codes.into_iter().zip(names.iter().cloned()).collect();
            Decisions {
                max_wait_ms: window.0,
                closing_tolerance: window.1,
                max_silence_ms: window.2 + 1,
                schedule_types,
                fallback,
                ignored,
                payment,
                unknown_is_payment,
                refunds: [refunds(secured), refunds(unsecured)],
                rules,
                percent_over: amounts.0,
                min_excess: amounts.1,
                max_amount: amounts.2,
                r1_segments: segments.0,
                r2_segments: segments.1,
            }
        })
}

/// Choices of spelling and order, taken from random bytes.
struct Style<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Style<'_> {
    fn pick(&mut self, of: usize) -> usize {
        usize::from(*self.0.next().unwrap()) % of
    }

    fn shuffled<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        for last in (1..items.len()).rev() {
            let other = self.pick(last + 1);
            items.swap(last, other);
        }
        items
    }

    fn number(&mut self, cents: Cents) -> String {
        let full = format!("{}.{:02}", cents / 100, cents % 100);
        let mut spellings =
            vec![format!("\"{full}\""), full.clone(), format!("\"{full}00\""), format!("+{full}0"), format!("'0{full}'")];
        if cents.is_multiple_of(100) {
            let whole = cents / 100;
            spellings.extend([whole.to_string(), format!("\"{whole}\""), format!("{whole}e0"), format!("0x{whole:x}")]);
        }
        spellings.swap_remove(self.pick(spellings.len()))
    }

    fn duration(&mut self, ms: u32) -> String {
        let mut spellings = vec![format!("\"{ms}ms\""), format!("\"{}.{:03}s\"", ms / 1000, ms % 1000), format!("'{ms}.00ms'")];
        if ms.is_multiple_of(1000) {
            spellings.push(format!("\"{}s\"", ms / 1000));
        }
        if ms.is_multiple_of(60_000) {
            spellings.push(format!("\"{}m\"", ms / 60_000));
        }
        spellings.swap_remove(self.pick(spellings.len()))
    }

    fn list<T: ToString>(&mut self, items: &[T]) -> String {
        let items: Vec<String> = items.iter().map(T::to_string).collect();
        let comma = [",", ", ", " ,\n  # a comment\n  "][self.pick(3)];
        format!("[{}]", items.join(comma))
    }

    fn set<T: ToString + Clone>(&mut self, items: &[T]) -> String {
        let items = self.shuffled(items);
        self.list(&items)
    }

    /// A line for the key, or none if the value is the default and the style is to leave defaults out.
    fn line(&mut self, lines: &mut Vec<String>, key: &str, value: &str, is_default: bool) {
        if !(is_default && self.pick(2) == 0) {
            lines.push(match self.pick(3) {
                0 => format!("{key} = {value}"),
                1 => format!("\"{key}\"={value} # why"),
                _ => format!("\n  {key} = {value}"),
            });
        }
    }

    fn table(&mut self, header: &str, lines: &[String]) -> String {
        format!("{header}\n{}\n", self.shuffled(lines).join("\n"))
    }
}

impl Decisions {
    fn fingerprint(&self, style: &[u8]) -> String {
        let text = self.toml(&mut Style(style.iter().cycle()));
        LendingRules::parse("rules.toml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}")).fingerprint
    }

    fn toml(&self, style: &mut Style<'_>) -> String {
        let quoted = |items: &[&str]| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>();
        let mut tables = Vec::new();

        let mut lines = Vec::new();
        let value = style.duration(self.max_wait_ms);
        style.line(&mut lines, "max_wait", &value, self.max_wait_ms == 30_000);
        let value = style.number(self.closing_tolerance);
        style.line(&mut lines, "closing_tolerance", &value, self.closing_tolerance == 500);
        let value = style.duration(self.max_silence_ms);
        style.line(&mut lines, "max_silence", &value, self.max_silence_ms == 60_000);
        tables.push(style.table("[window]", &lines));

        let mut lines = Vec::new();
        let value = style.set(&quoted(&self.schedule_types));
        style.line(&mut lines, "schedule_types", &value, self.schedule_types == ["Pay", "Fee"]);
        let value = style.list(&quoted(&self.fallback));
        style.line(&mut lines, "fallback", &value, self.fallback == ["fallen_due", "next_due"]);
        tables.push(style.table("[expected]", &lines));

        let mut lines = Vec::new();
        let value = style.set(&self.ignored);
        style.line(&mut lines, "ignored", &value, self.ignored == [50, 60, 70]);
        let value = style.set(&self.payment);
        style.line(&mut lines, "payment", &value, self.payment.is_empty() && self.unknown_is_payment);
        let value = if self.unknown_is_payment { "\"payment\"" } else { "'ignored'" };
        style.line(&mut lines, "unknown", value, self.unknown_is_payment);
        tables.push(style.table("[types]", &lines));

        for (index, (name, refunds)) in PLATFORMS.into_iter().zip(&self.refunds).enumerate() {
            let codes: Vec<String> = refunds.iter().map(|(code, name)| format!("{code} = {}", json(name.as_str()))).collect();
            let codes = style.shuffled(&codes);
            let mut lines = Vec::new();
            style.line(&mut lines, "platform", &(index + 1).to_string(), true);
            if style.pick(2) == 0 {
                lines.push(format!("codes = {{ {} }}", codes.join(", ")));
            } else {
                tables.push(style.table(&format!("[types.refund.{name}.codes]"), &codes));
            }
            tables.push(style.table(&format!("[types.refund.{name}]"), &lines));
        }

        for (index, (enabled, severity)) in self.rules.iter().enumerate() {
            let mut lines = Vec::new();
            style.line(&mut lines, "enabled", &enabled.to_string(), *enabled);
            let severity = SEVERITIES[*severity];
            let default = ["medium", "high", "medium", "low", "medium"][index];
            style.line(&mut lines, "severity", &format!("{severity:?}"), severity == default);
            if index == 0 {
                let value = style.number(self.percent_over);
                style.line(&mut lines, "max_percent_over", &value, self.percent_over == 5000);
                let value = style.number(self.min_excess);
                style.line(&mut lines, "min_excess", &value, self.min_excess == 1);
            }
            if index == 1 {
                let value = style.number(self.max_amount);
                style.line(&mut lines, "max_amount", &value, self.max_amount == 300_000);
            }
            tables.push(style.table(&format!("[rules.R{}]", index + 1), &lines));
        }

        let mut tables = style.shuffled(&tables);
        // segments anywhere, but in their order
        for (types, percent, excess) in self.r1_segments.iter().rev() {
            let mut lines = vec![format!("agreement_types = {}", style.set(types))];
            let mut thresholds = Vec::new();
            let value = style.number(*percent);
            style.line(&mut thresholds, "max_percent_over", &value, *percent == self.percent_over);
            let value = style.number(*excess);
            let may_be_left_out = *excess == self.min_excess && !thresholds.is_empty();
            style.line(&mut thresholds, "min_excess", &value, may_be_left_out);
            lines.extend(thresholds);
            tables.insert(0, style.table("[[rules.R1.segments]]", &lines));
        }
        for (types, amount) in &self.r2_segments {
            let lines = [format!("agreement_types = {}", style.set(types)), format!("max_amount = {}", style.number(*amount))];
            tables.push(style.table("[[rules.R2.segments]]", &lines));
        }
        tables.concat()
    }

    /// Changes one thing that decides; `false` if there is no such thing here.
    fn change(&mut self, which: usize) -> bool {
        fn flip<T: Copy + PartialEq>(items: &mut Vec<T>, item: T) {
            match items.iter().position(|present| *present == item) {
                Some(index) => drop(items.remove(index)),
                None => items.push(item),
            }
        }
        fn swap_different<T: PartialEq>(items: &mut [T]) -> bool {
            if items.len() < 2 || items[0] == items[1] {
                return false;
            }
            items.swap(0, 1);
            true
        }
        match which {
            0 => self.max_wait_ms += 1,
            1 => self.closing_tolerance += 1,
            2 => self.max_silence_ms += 1,
            3 => flip(&mut self.schedule_types, "Fee"),
            4 => flip(&mut self.fallback, "next_due"),
            5 => return swap_different(&mut self.fallback),
            6 => flip(&mut self.ignored, 60),
            7 => flip(&mut self.payment, 12),
            8 => self.unknown_is_payment = !self.unknown_is_payment,
            9 => {
                if self.refunds[0].pop().is_none() {
                    self.refunds[0].push((3, "Refund".to_owned()));
                }
            }
            10 => match self.refunds[1].first_mut() {
                Some((_, name)) => name.push('.'),
                None => return false,
            },
            11 => match self.refunds[0].pop() {
                // the same code, of the other platform
                Some(refund) => self.refunds[1].push(refund),
                None => return false,
            },
            12..17 => self.rules[which - 12].0 ^= true,
            17..22 => self.rules[which - 17].1 = (self.rules[which - 17].1 + 1) % 3,
            22 => self.percent_over += 1,
            23 => self.min_excess += 1,
            24 => self.max_amount += 1,
            25 => self.r1_segments.push((vec![205], self.percent_over, self.min_excess)),
            26 => match self.r1_segments.last_mut() {
                Some((_, percent, _)) => *percent += 1,
                None => return false,
            },
            27 => match self.r1_segments.first_mut() {
                Some((_, _, excess)) => *excess += 1,
                None => return false,
            },
            28 => match self.r2_segments.last_mut() {
                Some((types, _)) => types.push(999),
                None => return false,
            },
            29 => match self.r2_segments.last_mut() {
                Some((_, amount)) => *amount += 1,
                None => return false,
            },
            30 => return swap_different(&mut self.r1_segments),
            31 => return swap_different(&mut self.r2_segments),
            _ => unreachable!("32 changes"),
        }
        true
    }
}

fn style() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..200)
}

proptest! {
    #[test]
    fn order_spelling_comments_and_written_defaults_do_not_change_it(rules in decisions(), one in style(), other in style()) {
        prop_assert_eq!(rules.fingerprint(&one), rules.fingerprint(&other));
    }

    #[test]
    fn anything_that_decides_changes_it(rules in decisions(), style in style()) {
        for which in 0..32 {
            let mut changed = rules.clone();
            if changed.change(which) {
                prop_assert_ne!(rules.fingerprint(&style), changed.fingerprint(&style), "change {}", which);
            }
        }
    }
}

#[test]
fn the_platform_number_is_part_of_it() {
    let changed = LendingRules::parse("", "[types.refund.unsecured]\nplatform = 7").unwrap();
    assert_ne!(changed.fingerprint, LendingRules::default().fingerprint);
}

/// What proptest found once: a list that is left out stands for the usual codes there, so it is not an empty one.
#[test]
fn an_empty_list_of_payment_codes_is_another_thing_than_none_where_unknown_codes_are_ignored() {
    let fingerprint = |types: &str| LendingRules::parse("", &format!("[types]\n{types}")).unwrap().fingerprint;
    for ignored in ["", "ignored = []\n", "ignored = [60, 70]\n"] {
        let without = |unknown| fingerprint(&format!("{ignored}unknown = \"{unknown}\""));
        let with = |unknown, codes| fingerprint(&format!("{ignored}unknown = \"{unknown}\"\npayment = {codes}"));
        assert_ne!(without("ignored"), with("ignored", "[]"));
        assert_eq!(without("ignored"), with("ignored", "[7, 12, 32, 1012, 1032]"));
        assert_eq!(without("payment"), with("payment", "[]"));
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(LendingRules::parse("rules.toml", "").unwrap(), LendingRules::default());
}

#[test]
fn the_shipped_rules_are_the_defaults_but_for_payment_codes_and_a_segment() {
    let mut rules = LendingRules::shipped();
    rules.types.codes.retain(|_, entry| entry.class != Class::Payment);
    rules.r1.segments.clear();
    assert_eq!(rules.with_fingerprint(), LendingRules::default());
}

/// Alerts of different versions can be told to have been judged by the same rules. If this must change, raise the number
/// in the text's first line.
#[test]
fn the_canonical_form_is_stable_over_versions() {
    insta::assert_snapshot!(LendingRules::shipped().canonical());
    assert_eq!(LendingRules::shipped().fingerprint, "06570a5757ca2032d3224148947daea18d42f99b17872375c0d256a538f6481b");
}
