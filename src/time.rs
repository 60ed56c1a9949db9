//! Time: the instant type of the engine, and the only place that reads the wall clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999 so that it always has an RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    const MIN_MS: i64 = -62_135_596_800_000;
    const MAX_MS: i64 = 253_402_300_799_999;

    /// `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        (Self::MIN_MS..=Self::MAX_MS).contains(&ms).then_some(Self(ms))
    }

    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// The later instant; durations of the configuration are bounded, so this cannot overflow an `i64`.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> i64 {
        self.0.saturating_add(ms)
    }

    /// The UTC calendar day.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        self.to_chrono().date_naive()
    }

    fn to_chrono(self) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp_millis(self.0).expect("a Timestamp lies within the years 1 to 9999")
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_chrono().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

/// A calendar month, the unit in which schedules are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        Self { year: date.year(), month: date.month() }
    }

    /// The first day.
    #[must_use]
    pub fn first(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("a Month was taken from a date")
    }

    /// How many months later than the other this one is; less than none if it is earlier.
    #[must_use]
    pub fn since(self, other: Self) -> i64 {
        let months = |month: Self| i64::from(month.year) * 12 + i64::from(month.month);
        months(self) - months(other)
    }

    /// The first day of the following month; `None` past the calendar's end.
    #[must_use]
    pub fn end(self) -> Option<NaiveDate> {
        self.first().checked_add_months(chrono::Months::new(1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Where the wall clock comes from. It plays no part in what is judged, only in `detected_at` and in live waiting.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).min(Timestamp::MAX_MS))
    }
}

/// A clock moved by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed).clamp(Timestamp::MIN_MS, Timestamp::MAX_MS))
    }
}

/// Serde form of a calendar day: its text where people read, the number of days since year 1 where they do not.
#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde passes fields by reference")]
pub(crate) mod day {
    use chrono::{Datelike, NaiveDate};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { day.serialize(serializer) } else { day.num_days_from_ce().serialize(serializer) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
        if deserializer.is_human_readable() {
            return NaiveDate::deserialize(deserializer);
        }
        from_days(i32::deserialize(deserializer)?)
    }

    fn from_days<E: Error>(days: i32) -> Result<NaiveDate, E> {
        NaiveDate::from_num_days_from_ce_opt(days).ok_or_else(|| E::custom("a day beyond the calendar"))
    }

    /// The same for a day that may be absent.
    pub(crate) mod option {
        use super::{Datelike, Deserialize, Deserializer, NaiveDate, Serialize, Serializer, from_days};

        pub(crate) fn serialize<S: Serializer>(day: &Option<NaiveDate>, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                return day.serialize(serializer);
            }
            day.map(|day| day.num_days_from_ce()).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
            if deserializer.is_human_readable() {
                return Option::deserialize(deserializer);
            }
            Option::<i32>::deserialize(deserializer)?.map(from_days).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_ms(1_768_208_400_007).unwrap().to_string(), "2026-01-12T09:00:00.007Z");
        assert_eq!(Timestamp::from_ms(-1).unwrap().to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_without_an_rfc_3339_text_are_refused() {
        assert!(Timestamp::from_ms(i64::MAX).is_none());
        assert_eq!(Timestamp::from_ms(Timestamp::MAX_MS).unwrap().to_string(), "9999-12-31T23:59:59.999Z");
        assert!(Timestamp::from_ms(Timestamp::MAX_MS + 1).is_none());
        assert!(Timestamp::from_ms(Timestamp::MIN_MS - 1).is_none());
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let december = Month::of(NaiveDate::from_ymd_opt(2026, 12, 31).unwrap());
        assert_eq!(december.to_string(), "2026-12");
        assert_eq!(december.end(), NaiveDate::from_ymd_opt(2027, 1, 1));
    }

    #[test]
    fn a_day_is_a_text_for_people_and_a_number_in_a_file() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Days(#[serde(with = "day")] NaiveDate, #[serde(with = "day::option")] Option<NaiveDate>);

        let days = Days(NaiveDate::from_ymd_opt(2026, 2, 28).unwrap(), None);
        let text = serde_json::to_string(&days).unwrap();
        assert_eq!(text, r#"["2026-02-28",null]"#);
        assert_eq!(serde_json::from_str::<Days>(&text).unwrap(), days);
        for days in [days, Days(NaiveDate::MIN, Some(NaiveDate::MAX))] {
            let bytes = postcard::to_stdvec(&days).unwrap();
            assert!(bytes.len() < 12, "{bytes:?}");
            assert_eq!(postcard::from_bytes::<Days>(&bytes).unwrap(), days);
        }
        let beyond = postcard::to_stdvec(&i32::MAX).unwrap();
        assert!(postcard::from_bytes::<Days>(&beyond).is_err());
    }
}
