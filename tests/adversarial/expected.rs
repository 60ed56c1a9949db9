//! Expected payments at the edges of months and years, and thresholds at their edges.

use serde_json::{Value, json};

use super::history::{History, PAYMENT, row};

/// Any payment above the expected one fires.
const RULES: &str = "[rules.R1]\nmax_percent_over = 0\nmin_excess = 0\n[rules.R2]\nenabled = false\n";

/// Days since 1970-01-01.
fn day(year: i32, month: u32, day: u32) -> i64 {
    let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    (chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap() - epoch).num_days()
}

fn scheduled(date: &str, amount: &str, kind: &str, fallen_due: u8) -> String {
    format!(
        "INSERT INTO PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType, PayProFeeOrInsID, PayProFallenDue)
         VALUES ('A', '{date}', '{amount}', '{kind}', 0, {fallen_due});"
    )
}

/// Amount, source and period that a payment of 1000.00 on this day was held against.
fn expected_on(date: i64, profiles: &[String]) -> Value {
    let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    let alerts = History::new().at(0).insert_on(date, "A", 1, PAYMENT, "1000.00").raw(RULES, &profiles, &[]);
    alerts.first().map_or(Value::Null, |alert| alert["expected"].clone())
}

fn told(amount: &str, source: &str, period: &str) -> Value {
    json!({ "amount": amount, "source": source, "period": period })
}

#[test]
fn the_month_of_a_payment_is_that_of_its_date_at_the_ends_of_years_and_of_february() {
    let profiles = [
        scheduled("2024-02-29", "1.00", "Pay", 0),
        scheduled("2024-03-01", "2.00", "Pay", 0),
        scheduled("2025-12-31", "3.00", "Pay", 0),
        scheduled("2025-12-01", "0.50", "Fee", 0),
        scheduled("2026-01-01", "4.00", "Pay", 0),
    ];
    for (date, expected) in [
        (day(2024, 2, 1), told("1.00", "payment_profile", "2024-02")),
        (day(2024, 2, 29), told("1.00", "payment_profile", "2024-02")),
        (day(2024, 3, 31), told("2.00", "payment_profile", "2024-03")),
        (day(2025, 12, 1), told("3.50", "payment_profile", "2025-12")),
        (day(2025, 12, 31), told("3.50", "payment_profile", "2025-12")),
        (day(2026, 1, 1), told("4.00", "payment_profile", "2026-01")),
        (day(2025, 11, 30), told("0.50", "next_due", "2025-12")),
        (day(2024, 4, 1), told("0.50", "next_due", "2025-12")),
        // without an expected payment the rule is indeterminate
        (day(2026, 2, 1), Value::Null),
    ] {
        assert_eq!(expected_on(date, &profiles), expected, "day {date}");
    }
}

#[test]
fn fallen_due_goes_before_the_next_due_whose_earliest_date_alone_counts() {
    let profiles = [
        scheduled("2026-01-28", "10.00", "Pay", 1),
        scheduled("2026-02-27", "20.00", "Pay", 1),
        scheduled("2026-02-28", "30.00", "Pay", 0),
        scheduled("2026-02-28", "1.00", "Fee", 0),
        scheduled("2026-02-28", "5.00", "Fee", 1),
        scheduled("2026-02-01", "7.00", "Insurance", 0),
        scheduled("2026-03-01", "40.00", "Pay", 0),
    ];
    assert_eq!(expected_on(day(2026, 1, 31), &profiles), told("10.00", "fallen_due", "2026-01"));
    assert_eq!(expected_on(day(2025, 12, 31), &profiles), told("31.00", "next_due", "2026-02"));
    assert_eq!(expected_on(day(2026, 2, 1), &profiles), told("31.00", "payment_profile", "2026-02"));
}

#[test]
fn a_custom_profile_goes_before_all_even_when_it_is_zero() {
    let custom = |amount: &str, on_going, deleted| {
        format!(
            "INSERT INTO CustomProfile (CPAgreement, CPAmount, CPOnGoing, CPDeleted) VALUES ('a ', '{amount}', {on_going}, {deleted});"
        )
    };
    let of = |custom| expected_on(day(2026, 1, 5), &[scheduled("2026-01-28", "10.00", "Pay", 0), custom]);
    assert_eq!(of(custom("0.00", 1, 0)), json!({ "amount": "0.00", "source": "custom_profile", "period": null }));
    assert_eq!(of(custom("5.00", 0, 0)), told("10.00", "payment_profile", "2026-01"));
    assert_eq!(of(custom("5.00", 1, 1)), told("10.00", "payment_profile", "2026-01"));
}

#[test]
fn a_schedule_of_zero_is_an_expected_payment() {
    let zero = [scheduled("2026-01-28", "0.00", "Pay", 0), scheduled("2026-02-28", "10.00", "Pay", 0)];
    assert_eq!(expected_on(day(2026, 1, 5), &zero), told("0.00", "payment_profile", "2026-01"));
}

#[test]
fn an_opening_looks_up_its_first_payment_date_or_else_the_day_it_happened_in_utc() {
    let profiles = [
        scheduled("2025-12-31", "3.00", "Pay", 0),
        scheduled("2026-01-31", "4.00", "Pay", 0),
        scheduled("2026-03-01", "5.00", "Pay", 0),
    ];
    let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    // the start is half past nine on the twelfth of January
    let last_of_year = -(11 * 86_400_000 + 34_200_000) - 1;
    let expected =
        |at, opened: &super::history::Row| History::new().at(at).create(opened).raw(RULES, &profiles, &[])[0]["expected"].clone();
    assert_eq!(expected(last_of_year, &row("A", "1.00")), told("3.00", "payment_profile", "2025-12"));
    assert_eq!(expected(last_of_year + 1, &row("A", "1.00")), told("4.00", "payment_profile", "2026-01"));
    let first_payment = row("A", "1.00").with("AgreementFirstPaymentDate", json!(day(2026, 3, 31)));
    assert_eq!(expected(0, &first_payment), told("5.00", "payment_profile", "2026-03"));
    let missing = row("A", "1.00").with("AgreementFirstPaymentDate", json!(day(2026, 4, 1)));
    assert_eq!(expected(0, &missing), json!({ "amount": null, "source": "missing", "period": null }));
}

#[test]
fn overpayment_needs_more_than_the_percentage_and_at_least_the_excess() {
    let fires = |rules: &str, due: &str, amount: &str| {
        let profile = scheduled("2026-01-28", due, "Pay", 0);
        let alerts = History::new().at(0).insert("A", 1, PAYMENT, amount).raw(rules, &[&profile], &[]);
        alerts.iter().any(|alert| alert["rule"] == "R1")
    };
    let rules = "[rules.R1]\nmax_percent_over = 33.3\nmin_excess = \"0.01\"\n";
    assert!(!fires(rules, "100.00", "133.30"));
    assert!(fires(rules, "100.00", "133.3000000000000000001"));
    let rules = "[rules.R1]\nmax_percent_over = 0\nmin_excess = \"5.00\"\n";
    assert!(!fires(rules, "100.00", "104.99"));
    assert!(fires(rules, "100.00", "105.00"));
    assert!(fires("[rules.R1]\n", "0.00", "0.01"));
    assert!(!fires("[rules.R1]\n", "0.00", "0.009"));
}
