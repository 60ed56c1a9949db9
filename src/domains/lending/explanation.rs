//! The sentence of an alert, for a person.
//!
//! Figures are exact and grouped by thousands; only percentages are rounded, to one decimal, in decimal arithmetic. No
//! personal data: the sentence holds the agreement number, amounts, dates and what the rules file says.

use std::fmt::Write;

use rust_decimal::{Decimal, RoundingStrategy};

use super::alert::{Alert, Threshold};
use super::expected::{ExpectedPayment, Source};
use super::judge::Correlation;
use super::settings::LendingRules;
use crate::engine::alert::Amount;
use crate::engine::verdict::{Verdict, difference};
use crate::event::money::Exact;

pub(super) fn overpayment(alert: &Alert, verdict: &Verdict, rules: &LendingRules) -> String {
    let mut text = movement("Payment", alert);
    if let Some((expected, amount)) = alert.expected.and_then(|expected| Some((expected, expected.amount?))) {
        let (whole, source) = (money(amount), source(expected));
        match percentage(alert.movement.as_ref().map(|movement| movement.amount.0), amount) {
            Some(percentage) => {
                push(&mut text, format_args!(" is {} % of the {whole} expected{source}", grouped(percentage)));
            }
            None => push(&mut text, format_args!(" stands against an expected {whole}{source}")),
        }
        push(&mut text, format_args!("; {} allows {}", alert.rule, allowed(alert, verdict, amount)));
    }
    finish(text, alert, rules)
}

/// What R1 would have let pass.
fn allowed(alert: &Alert, verdict: &Verdict, expected: Decimal) -> String {
    let Some(Threshold::Overpayment { max_percent_over, min_excess, segment }) = alert.threshold else {
        return "less".to_owned();
    };
    let segment = of_segment(alert, segment);
    if verdict.setting == Some("min_excess") {
        return format!("an excess of less than {}{segment}", money(min_excess));
    }
    let total = percent_in_all(max_percent_over).map(|percent| format!("{} %", grouped(percent)));
    let limit = verdict.threshold.and_then(|threshold| sum(expected, threshold)).map(money);
    match (total, limit) {
        (Some(total), Some(limit)) => format!("{total}{segment}, which is {limit}"),
        (Some(total), None) => format!("{total}{segment}"),
        (None, _) => format!("{} % more than that{segment}", grouped(max_percent_over)),
    }
}

pub(super) fn lump_sum(alert: &Alert, _: &Verdict, rules: &LendingRules) -> String {
    let mut text = movement("Payment", alert);
    if let Some(Threshold::LumpSum { max_amount, segment }) = alert.threshold {
        let segment = of_segment(alert, segment);
        let maximum = money(max_amount);
        push(&mut text, format_args!(" is above the {maximum} that {} allows in one payment{segment}", alert.rule));
    }
    push(&mut text, format_args!("; {}", expectation(alert.expected)));
    finish(text, alert, rules)
}

pub(super) fn account_settled(alert: &Alert, _: &Verdict, rules: &LendingRules) -> String {
    let mut text = format!("Agreement {} was settled", alert.agreement_number);
    if let Some(settlement) = &alert.settlement {
        if let Some(date) = settlement.settled_date {
            push(&mut text, format_args!(" on {date}"));
        }
        match (settlement.early, settlement.contract_end_date) {
            (Some(true), Some(end)) => push(&mut text, format_args!(", early: its contract runs until {end}")),
            (Some(false), Some(end)) => push(&mut text, format_args!(", not before its contract's end on {end}")),
            (_, Some(end)) => push(&mut text, format_args!(" (no date given; its contract runs until {end})")),
            (_, None) => push(&mut text, format_args!(" (the end of its contract is not known)")),
        }
        match &alert.movement {
            Some(last) => {
                push(&mut text, format_args!("; the final payment was {} on {}", money(last.amount.0), last.date));
                push(&mut text, format_args!("{}", balance_of(alert)));
            }
            None => push(&mut text, format_args!("; no payment was seen within {}", duration(rules.window.max_wait_ms))),
        }
        if !settlement.balance.0.is_zero() {
            push(&mut text, format_args!("; a balance of {} remains", money(settlement.balance.0)));
        }
    }
    text.push('.');
    text
}

pub(super) fn account_opened(alert: &Alert, _: &Verdict, _: &LendingRules) -> String {
    let mut text = format!("Agreement {} was opened", alert.agreement_number);
    if let Some(opening) = &alert.opening {
        if let Some(principal) = opening.principal {
            push(&mut text, format_args!(" for {}", money(principal.0)));
        }
        if let Some(months) = opening.num_payments {
            push(&mut text, format_args!(" over {months} month{}", if months == 1 { "" } else { "s" }));
        }
        if let Some(first) = opening.first_payment_date {
            push(&mut text, format_args!(", the first payment on {first}"));
        }
    }
    push(&mut text, format_args!("; {}", expectation(alert.expected)));
    if alert.expected.is_some_and(|expected| expected.amount.is_none()) {
        text.push_str(" yet");
    }
    text.push('.');
    text
}

pub(super) fn refund(alert: &Alert, _: &Verdict, rules: &LendingRules) -> String {
    let mut text = movement("Refund", alert);
    if let Some(refund) = &alert.movement {
        push(&mut text, format_args!(" was issued on {} as type {}", refund.date, refund.type_id));
        match (&refund.type_name, refund.platform) {
            (Some(name), Some(platform)) => push(&mut text, format_args!(" ({name}, {platform})")),
            (Some(name), None) => push(&mut text, format_args!(" ({name})")),
            (None, Some(platform)) => push(&mut text, format_args!(" ({platform})")),
            (None, None) => {}
        }
    }
    finish(text, alert, rules)
}

/// "Payment of 5,000.00 on FRM0001544".
fn movement(what: &str, alert: &Alert) -> String {
    match &alert.movement {
        Some(movement) => format!("{what} of {} on {}", money(movement.amount.0), alert.agreement_number),
        None => format!("{what} on {}", alert.agreement_number),
    }
}

/// What became of the movement's balance update, and the end of the sentence.
fn finish(mut text: String, alert: &Alert, rules: &LendingRules) -> String {
    match alert.correlation {
        Correlation::Unmatched => {
            push(&mut text, format_args!("; no balance update matched it within {}", duration(rules.window.max_wait_ms)));
        }
        Correlation::Aggregated => {
            let others = alert.related.iter().filter(|change| change.trans_counter.is_some()).count();
            let movements = if others == 1 { "movement" } else { "movements" };
            push(&mut text, format_args!("; one balance update covers it and {others} other {movements}{}", balance_of(alert)));
        }
        Correlation::Closing => {
            push(&mut text, format_args!("; the balance update that closed the account differs from it"));
            if let Some(by) = closing_difference(alert) {
                push(&mut text, format_args!(" by {}", money(by)));
            }
            push(&mut text, format_args!("{}", balance_of(alert)));
        }
        _ => push(&mut text, format_args!("{}", balance_of(alert))),
    }
    text.push('.');
    text
}

/// By how much a closing payment and its balance update differ.
fn closing_difference(alert: &Alert) -> Option<Decimal> {
    let movement = alert.movement.as_ref()?;
    let fall = difference(movement.balance_before?.0, movement.balance_after?.0)?;
    difference(movement.amount.0, fall).map(|by| by.abs())
}

/// "; the balance fell from 9,000.00 to 4,000.00", or nothing.
fn balance_of(alert: &Alert) -> String {
    let Some((before, after)) = alert.movement.as_ref().and_then(|movement| movement.balance_before.zip(movement.balance_after))
    else {
        return String::new();
    };
    let went = if after.0 < before.0 { "fell" } else { "rose" };
    format!("; the balance {went} from {} to {}", money(before.0), money(after.0))
}

/// "230.00 is expected for 2026-03 (payment profile)".
fn expectation(expected: Option<ExpectedPayment>) -> String {
    expected.and_then(|expected| Some((expected, expected.amount?))).map_or_else(
        || "no expected payment is known".to_owned(),
        |(expected, amount)| format!("{} is expected{}", money(amount), source(expected)),
    )
}

/// " for 2026-03 (payment profile)".
fn source(expected: ExpectedPayment) -> String {
    let source = match expected.source {
        Source::CustomProfile => "custom profile",
        Source::PaymentProfile => "payment profile",
        Source::FallenDue => "payment profile, already fallen due",
        Source::NextDue => "payment profile, next due",
        Source::Missing => "no profile",
    };
    expected.period.map_or_else(|| format!(" ({source})"), |month| format!(" for {month} ({source})"))
}

fn of_segment(alert: &Alert, segment: Option<usize>) -> String {
    match (segment, alert.agreement_type) {
        (Some(_), Some(kind)) => format!(" for agreement type {kind}"),
        _ => String::new(),
    }
}

/// `amount` as a percentage of `whole`, to one decimal; `None` where that says nothing or cannot be computed.
fn percentage(amount: Option<Decimal>, whole: Decimal) -> Option<Decimal> {
    if whole <= Decimal::ZERO {
        return None;
    }
    let percent = amount?.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(whole)?;
    let mut rounded = percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(1);
    Some(rounded)
}

/// 150 for 50: what is allowed in all, if no more than the set percentage over it is.
fn percent_in_all(over: Decimal) -> Option<Decimal> {
    sum(Decimal::ONE_HUNDRED, over)
}

fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    (Exact::from(a) + Exact::from(b)).to_decimal(a.scale().max(b.scale()))
}

/// An amount with two decimals, or as many more as it needs: the source's scale says nothing to a reader.
fn money(amount: Decimal) -> String {
    let text = grouped(amount);
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}.{:0<2}", decimals.trim_end_matches('0'))
}

/// With commas between the thousands.
fn grouped(number: Decimal) -> String {
    let text = Amount(number).to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", &*text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::with_capacity(text.len() + whole.len() / 3);
    out.push_str(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    out
}

/// In the largest unit that needs no fraction.
fn duration(ms: i64) -> String {
    match ms {
        _ if ms % 3_600_000 == 0 && ms != 0 => format!("{} h", ms / 3_600_000),
        _ if ms % 60_000 == 0 && ms != 0 => format!("{} min", ms / 60_000),
        _ if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        _ => format!("{ms} ms"),
    }
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::lending::testing::dec;

    #[test]
    fn thousands_are_grouped_in_front_of_the_point_only() {
        for (amount, text) in [
            ("0", "0"),
            ("999.9999", "999.9999"),
            ("1000", "1,000"),
            ("-1000.00", "-1,000.00"),
            ("-100.00", "-100.00"),
            ("123456", "123,456"),
            ("1234567.1234567", "1,234,567.1234567"),
        ] {
            assert_eq!(grouped(dec(amount)), text);
        }
    }

    #[test]
    fn an_amount_has_two_decimals_and_more_only_where_they_are_not_zero() {
        for (amount, text) in [
            ("0", "0.00"),
            ("0.0000", "0.00"),
            ("5000", "5,000.00"),
            ("5000.0", "5,000.00"),
            ("5000.0000", "5,000.00"),
            ("12.3456", "12.3456"),
            ("12.3450", "12.345"),
            ("12.3400", "12.34"),
            ("12.3000", "12.30"),
            ("100.0010", "100.001"),
            ("-1000.5000", "-1,000.50"),
            ("9999999999999999999999999999", "9,999,999,999,999,999,999,999,999,999.00"),
        ] {
            assert_eq!(money(dec(amount)), text);
        }
    }

    #[test]
    fn a_percentage_is_rounded_half_up_to_one_decimal_which_is_always_shown() {
        let percentage = |amount, whole| percentage(Some(dec(amount)), dec(whole)).map(|percent| percent.to_string());
        assert_eq!(percentage("300.00", "200.00").unwrap(), "150.0");
        assert_eq!(percentage("1000.50", "1000").unwrap(), "100.1");
        assert_eq!(percentage("1000.4999", "1000").unwrap(), "100.0");
        assert_eq!(percentage("1", "0.00"), None);
        assert_eq!(percentage("1", "-1"), None);
        assert_eq!(percentage("9999999999999999999999999999", "1"), None, "more than a Decimal holds");
    }

    #[test]
    fn a_duration_takes_the_largest_unit_without_a_fraction() {
        for (ms, text) in [
            (0, "0 s"),
            (500, "500 ms"),
            (1_500, "1500 ms"),
            (30_000, "30 s"),
            (90_000, "90 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
