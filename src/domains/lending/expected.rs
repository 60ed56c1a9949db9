//! Expected payments: what is asked of the loan book, and which source counts.

use std::sync::Arc;

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::json::Text;
use super::settings::{Expected, Fallback};
use crate::config::daemon::Cache;
use crate::engine::Key;
use crate::engine::alert::Amount;
use crate::engine::cache::{Keyed, Policy};
use crate::event::money::Exact;
use crate::time::Month;

/// What the loan book is asked about an agreement for a business date's month.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub agreement: Key,
    pub month: Month,
}

impl Keyed for Question {
    fn key(&self) -> &Key {
        &self.agreement
    }

    fn next(&self) -> Option<Self> {
        Some(Self { agreement: self.agreement.clone(), month: Month::of(self.month.end()?) })
    }
}

/// What is kept of the loan book's answers: each as long as `cache` says, by whether it can be expected to change any moment.
#[must_use]
pub fn policy(cache: Cache) -> Policy<Question, Answer> {
    let Cache { found, missing, max_bytes, .. } = cache;
    let lives = move |question: &Question, answer: &Answer| if may_change(question, answer) { missing } else { found };
    Policy { lives: Box::new(lives), weighs, max_bytes }
}

/// An agreement that was opened in the month that is asked about, or later, is new: its custom profile may still come. So may
/// any profile where there is none.
fn may_change(question: &Question, answer: &Answer) -> bool {
    let is_new = answer.opened.is_some_and(|opened| opened >= question.month.first());
    let is_missing = answer.agreement.is_none() || (answer.custom.is_none() && answer.schedules.is_empty());
    is_new || is_missing
}

fn weighs(_: &Question, answer: &Answer) -> usize {
    let text = |text: &Option<CompactString>| {
        text.as_ref().filter(|text| text.is_heap_allocated()).map_or(0, compact_str::CompactString::len)
    };
    let row = answer.agreement.as_ref().map_or(0, |row| text(&row.customer_number) + text(&row.borrowers));
    row + answer.schedules.len() * size_of::<Schedule>()
}

/// What the loan book says. It holds for any rules: which types and fallbacks count is decided when judging, so a cached
/// answer survives a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The agreement's row, if there is one.
    pub agreement: Option<AgreementRow>,
    /// AgreementAgreementDate. The profiles of a new agreement may still come, so its answer is soon stale.
    pub opened: Option<NaiveDate>,
    /// CPAmount of a custom profile that is ongoing and not deleted.
    pub custom: Option<Decimal>,
    /// The payment profile by PayProType. Shared, since answers are kept and handed on.
    pub schedules: Arc<[Schedule]>,
}

/// What alerts take from dbo.Agreement where the message is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementRow {
    pub customer_number: Option<CompactString>,
    pub borrowers: Option<CompactString>,
    pub agreement_type: Option<i64>,
}

/// The rows of one PayProType, summed. `None` where no row matches: a sum of zero is an answer, no row is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub kind: CompactString,
    /// Rows of the month with PayProFallenDue = 0.
    pub current: Option<Decimal>,
    /// Rows of the month with PayProFallenDue = 1.
    pub fallen_due: Option<Decimal>,
    /// The earliest PayProDate after the month with PayProFallenDue = 0, and the sum of its rows.
    pub next_due: Option<(NaiveDate, Decimal)>,
}

/// What is expected, and which source says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedPayment {
    /// `None` if nothing is known. Zero and less are possible: what the rows say is taken as it is.
    #[serde(serialize_with = "Amount::serialize_option")]
    pub amount: Option<Decimal>,
    pub source: Source,
    /// Month of the rows used.
    #[serde(serialize_with = "period")]
    pub period: Option<Month>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    CustomProfile,
    PaymentProfile,
    FallenDue,
    NextDue,
    Missing,
}

impl ExpectedPayment {
    pub const MISSING: Self = Self { amount: None, source: Source::Missing, period: None };

    /// A sum that no [`Decimal`] holds is none, so that the verdict is indeterminate and no alert states a rounded amount.
    /// It takes more than 28 digits, which no money column has.
    fn of(total: Total, source: Source, period: Option<Month>) -> Self {
        total.to_decimal().map_or(Self::MISSING, |amount| Self { amount: Some(amount), source, period })
    }
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn period<S: serde::Serializer>(period: &Option<Month>, serializer: S) -> Result<S::Ok, S::Error> {
    period.map(Text).serialize(serializer)
}

/// Takes the first source that has a row, in the order of SPEC 4. `month` is the month of the question.
#[must_use]
pub fn select(answer: &Answer, month: Month, rules: &Expected) -> ExpectedPayment {
    if let Some(amount) = answer.custom {
        return ExpectedPayment { amount: Some(amount), source: Source::CustomProfile, period: None };
    }
    let schedules = || answer.schedules.iter().filter(|schedule| counts(&schedule.kind, &rules.schedule_types));
    if let Some(total) = Total::of(schedules().filter_map(|schedule| schedule.current)) {
        return ExpectedPayment::of(total, Source::PaymentProfile, Some(month));
    }
    for fallback in &rules.fallback {
        match fallback {
            Fallback::FallenDue => {
                if let Some(total) = Total::of(schedules().filter_map(|schedule| schedule.fallen_due)) {
                    return ExpectedPayment::of(total, Source::FallenDue, Some(month));
                }
            }
            Fallback::NextDue => {
                let rows = || schedules().filter_map(|schedule| schedule.next_due);
                let earliest = rows().map(|(date, _)| date).min();
                let total = Total::of(rows().filter(|(date, _)| Some(*date) == earliest).map(|(_, amount)| amount));
                if let Some((date, total)) = earliest.zip(total) {
                    return ExpectedPayment::of(total, Source::NextDue, Some(Month::of(date)));
                }
            }
        }
    }
    ExpectedPayment::MISSING
}

/// Types compare as SQL Server does: trailing blanks do not count, nor does case.
fn counts(kind: &str, types: &[CompactString]) -> bool {
    fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
        text.trim_end_matches(' ').chars().flat_map(char::to_lowercase)
    }
    // nearly always spelt alike
    types.iter().any(|counted| kind == counted || folded(kind).eq(folded(counted)))
}

/// An exact sum with the most decimals of its addends.
#[derive(Clone, Copy)]
struct Total {
    sum: Exact,
    scale: u32,
}

impl Total {
    /// `None` without an addend.
    fn of(amounts: impl Iterator<Item = Decimal>) -> Option<Self> {
        amounts.fold(None, |total, amount| {
            let Self { sum, scale } = total.unwrap_or(Self { sum: Exact::ZERO, scale: 0 });
            Some(Self { sum: sum + amount.into(), scale: scale.max(amount.scale()) })
        })
    }

    fn to_decimal(self) -> Option<Decimal> {
        self.sum.to_decimal(self.scale).or_else(|| self.sum.to_decimal(0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domains::lending::testing::{date, dec};

    fn schedule(kind: &str) -> Schedule {
        Schedule { kind: kind.into(), ..Schedule::default() }
    }

    fn current(kind: &str, amount: &str) -> Schedule {
        Schedule { current: Some(dec(amount)), ..schedule(kind) }
    }

    fn rules() -> Expected {
        Expected { schedule_types: vec!["Pay".into(), "Fee".into()], fallback: vec![Fallback::FallenDue, Fallback::NextDue] }
    }

    fn january() -> Month {
        Month::of(date("2026-01-12"))
    }

    /// Amount, source and period as an alert has them.
    fn selected(answer: &Answer, rules: &Expected) -> (Option<String>, Source, Option<String>) {
        let expected = select(answer, january(), rules);
        (expected.amount.map(|a| a.to_string()), expected.source, expected.period.map(|p| p.to_string()))
    }

    fn found(amount: &str, source: Source, period: &str) -> (Option<String>, Source, Option<String>) {
        (Some(amount.into()), source, Some(period.into()))
    }

    #[test]
    fn what_may_change_any_moment_lives_as_long_as_what_is_missing() {
        let cache = Cache { found: Duration::from_mins(9), missing: Duration::from_secs(7), ..Cache::default() };
        let lives = policy(cache).lives;
        let question = Question { agreement: "A".into(), month: january() };
        let found = Answer {
            agreement: Some(AgreementRow::default()),
            opened: Some(date("2025-12-31")),
            schedules: [current("Pay", "1.00")].into(),
            ..Answer::default()
        };
        assert_eq!(lives(&question, &found), cache.found);
        assert_eq!(lives(&question, &Answer { opened: None, ..found.clone() }), cache.found);
        for changing in [
            Answer { opened: Some(date("2026-01-01")), ..found.clone() },
            Answer { agreement: None, ..found.clone() },
            Answer { schedules: Arc::default(), ..found.clone() },
        ] {
            assert_eq!(lives(&question, &changing), cache.missing, "{changing:?}");
        }
        let custom = Answer { schedules: Arc::default(), custom: Some(dec("1.00")), ..found };
        assert_eq!(lives(&question, &custom), cache.found);
    }

    #[test]
    fn a_custom_profile_comes_before_everything_even_at_zero() {
        let answer = Answer { custom: Some(dec("0.00")), schedules: [current("Pay", "100.00")].into(), ..Answer::default() };
        assert_eq!(selected(&answer, &rules()), (Some("0.00".into()), Source::CustomProfile, None));
    }

    #[test]
    fn the_months_rows_of_the_types_that_count_are_added_up() {
        let answer = Answer {
            schedules: [current("Fee", "30.005"), current("Insurance", "7"), current("Pay", "200.00")].into(),
            ..Answer::default()
        };
        assert_eq!(selected(&answer, &rules()), found("230.005", Source::PaymentProfile, "2026-01"));
    }

    #[test]
    fn a_type_counts_whatever_its_case_and_trailing_blanks() {
        let answer = Answer {
            schedules: [current("PAY  ", "1.00"), current("pay", "2.00"), current(" Pay", "4.00"), current("Pays", "8.00")]
                .into(),
            ..Answer::default()
        };
        assert_eq!(selected(&answer, &rules()).0.unwrap(), "3.00");
        let listed = Expected { schedule_types: vec!["pay ".into(), "PAY".into()], ..rules() };
        assert_eq!(selected(&answer, &listed).0.unwrap(), "3.00", "a type listed twice is not counted twice");
    }

    #[test]
    fn a_step_applies_when_a_row_matches_whatever_the_sum() {
        let zero = Schedule { fallen_due: Some(dec("50.00")), ..current("Pay", "0.00") };
        let answer = Answer { schedules: [zero].into(), ..Answer::default() };
        assert_eq!(selected(&answer, &rules()), found("0.00", Source::PaymentProfile, "2026-01"));
        let cancelled = Answer { schedules: [current("Pay", "-30.00"), current("Fee", "10.00")].into(), ..Answer::default() };
        assert_eq!(selected(&cancelled, &rules()), found("-20.00", Source::PaymentProfile, "2026-01"));
    }

    #[test]
    fn fallbacks_are_tried_in_their_order_and_only_if_configured() {
        let late =
            Schedule { fallen_due: Some(dec("60.00")), next_due: Some((date("2026-02-28"), dec("70.00"))), ..schedule("Pay") };
        let answer = Answer { schedules: [late].into(), ..Answer::default() };
        let with = |fallback: &[Fallback]| selected(&answer, &Expected { fallback: fallback.to_vec(), ..rules() });
        assert_eq!(with(&[Fallback::FallenDue, Fallback::NextDue]), found("60.00", Source::FallenDue, "2026-01"));
        assert_eq!(with(&[Fallback::NextDue, Fallback::FallenDue]), found("70.00", Source::NextDue, "2026-02"));
        assert_eq!(with(&[]), (None, Source::Missing, None));
    }

    #[test]
    fn next_due_takes_the_earliest_date_of_the_types_that_count_and_only_its_rows() {
        let next = |kind: &str, day: &str, amount: &str| Schedule { next_due: Some((date(day), dec(amount))), ..schedule(kind) };
        let answer = Answer {
            schedules: [
                next("Insurance", "2026-02-01", "1.00"),
                next("Pay", "2026-03-05", "200.00"),
                next("Fee", "2026-03-05", "15.00"),
                next("FEE", "2026-03-06", "15.00"),
            ]
            .into(),
            ..Answer::default()
        };
        assert_eq!(selected(&answer, &rules()), found("215.00", Source::NextDue, "2026-03"));
    }

    #[test]
    fn no_row_of_a_type_that_counts_is_missing() {
        assert_eq!(selected(&Answer::default(), &rules()), (None, Source::Missing, None));
        let other = Answer { schedules: [current("Insurance", "7.00")].into(), ..Answer::default() };
        assert_eq!(selected(&other, &rules()), (None, Source::Missing, None));
    }

    #[test]
    fn amounts_of_extreme_scales_add_up_exactly() {
        let answer = Answer {
            schedules: [current("Pay", "7"), current("Fee", "0.0000000000000000000000000001")].into(),
            ..Answer::default()
        };
        assert_eq!(selected(&answer, &rules()).0.unwrap(), "7.0000000000000000000000000001");
        let large = "9999999999999999999999999999";
        let answer = Answer { schedules: [current("Pay", large), current("Fee", "0.00")].into(), ..Answer::default() };
        assert_eq!(selected(&answer, &rules()).0.unwrap(), large);
    }

    #[test]
    fn a_sum_that_cannot_be_stated_exactly_is_missing() {
        let answer = Answer {
            schedules: [current("Pay", "9999999999999999999999999999"), current("Fee", "0.01")].into(),
            ..Answer::default()
        };
        assert_eq!(selected(&answer, &rules()), (None, Source::Missing, None));
    }
}
