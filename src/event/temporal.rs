//! Dates in the forms in which Debezium and Kafka Connect write them.

use chrono::{Datelike, NaiveDate};

use super::bad::Expected;
use super::cell::Cell;

/// How a date stands in a message. A date column can be a datetime in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateForm {
    /// Without a schema: a number is days since 1970-01-01, a text is ISO 8601.
    ByType,
    Days,
    Millis,
    Micros,
    Nanos,
    Iso,
    /// The schema makes the column something else, or does not know it.
    NotADate,
}

const DATE: Expected = Expected::new("a date of the years 1 to 9999, as days since 1970-01-01 or as ISO text");
const DATE_TYPE: Expected = Expected::new("a date, which the schema says it is not");
/// 0001-01-01 is day 1 of chrono's count, and 1970-01-01 this one.
const EPOCH: i64 = 719_163;
const MS_PER_DAY: i64 = 86_400_000;

impl DateForm {
    /// By the schema's name, or without one by its type.
    pub(crate) fn of(kind: &str, name: Option<&str>) -> Self {
        match (kind, name) {
            ("int" | "long" | "int16" | "int32" | "int64", None)
            | (_, Some("io.debezium.time.Date" | "org.apache.kafka.connect.data.Date")) => Self::Days,
            (_, Some("io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp")) => Self::Millis,
            (_, Some("io.debezium.time.MicroTimestamp")) => Self::Micros,
            (_, Some("io.debezium.time.NanoTimestamp")) => Self::Nanos,
            ("string", None)
            | (_, Some("io.debezium.time.IsoDate" | "io.debezium.time.IsoTimestamp" | "io.debezium.time.ZonedTimestamp")) => {
                Self::Iso
            }
            _ => Self::NotADate,
        }
    }

    pub(crate) fn read(self, cell: Cell<'_>) -> Result<NaiveDate, Expected> {
        let per_day = match (self, cell.is_text()) {
            (Self::ByType | Self::Iso, true) => {
                return cell.text().ok().and_then(|text| iso_date(text.as_bytes())).ok_or(DATE);
            }
            (Self::ByType | Self::Days, false) => 1,
            (Self::Millis, false) => MS_PER_DAY,
            (Self::Micros, false) => MS_PER_DAY * 1_000,
            (Self::Nanos, false) => MS_PER_DAY * 1_000_000,
            (Self::NotADate, _) => return Err(DATE_TYPE),
            _ => return Err(DATE),
        };
        let days = cell.integer().map_err(|_| DATE)?.div_euclid(per_day);
        date_of_days(days).ok_or(DATE)
    }
}

/// Days since 1970-01-01; `None` outside the years 1 to 9999.
fn date_of_days(days: i64) -> Option<NaiveDate> {
    let days = i32::try_from(days.checked_add(EPOCH)?).ok()?;
    NaiveDate::from_num_days_from_ce_opt(days).filter(|date| (1..=9999).contains(&date.year()))
}

/// `2026-01-12`, with an optional `Z` (connectors write one in isostring mode), or a datetime, of which the day is taken.
///
/// An offset other than UTC is refused: which day is meant cannot be told.
fn iso_date(text: &[u8]) -> Option<NaiveDate> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = i32::try_from(number(&date[..4])?).ok().filter(|year| *year >= 1)?;
    let date = NaiveDate::from_ymd_opt(year, number(&date[5..7])?, number(&date[8..])?)?;

    let rest = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00")).unwrap_or(rest);
    let (b'T', time) = (match rest.split_first() {
        None => return Some(date),
        Some((first, time)) => (*first, time),
    }) else {
        return None;
    };
    is_time(time).then_some(date)
}

/// `09:30`, `09:30:15` or `09:30:15.123`, with up to nine decimals.
fn is_time(time: &[u8]) -> bool {
    let below = |group: Option<&[u8]>, limit| {
        group.is_some_and(|group| group.len() == 2 && number(group) < Some(limit) && number(group).is_some())
    };
    let (clock, fraction) = match time.iter().position(|byte| *byte == b'.') {
        Some(point) => (&time[..point], Some(&time[point + 1..])),
        None => (time, None),
    };
    let mut groups = clock.split(|byte| *byte == b':');
    if !below(groups.next(), 24) || !below(groups.next(), 60) {
        return false;
    }
    match groups.next() {
        None => fraction.is_none(),
        seconds => {
            below(seconds, 60)
                && groups.next().is_none()
                && fraction.is_none_or(|digits| (1..=9).contains(&digits.len()) && number(digits).is_some())
        }
    }
}

/// Digits only, at most nine of them.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: DateForm, json: &str) -> Option<String> {
        let raw: &serde_json::value::RawValue = serde_json::from_str(json).unwrap();
        form.read(Cell::from_json(raw)).ok().map(|date| date.to_string())
    }

    #[test]
    fn every_form_gives_the_same_day() {
        for (form, json) in [
            (DateForm::ByType, "20465"),
            (DateForm::Days, "20465"),
            (DateForm::ByType, r#""2026-01-12""#),
            (DateForm::Iso, r#""2026-01-12Z""#),
            (DateForm::Iso, r#""2026-01-12T00:00""#),
            (DateForm::Iso, r#""2026-01-12T23:59:59.999999999Z""#),
            (DateForm::Iso, r#""2026-01-12T16:01:00.15+00:00""#),
            (DateForm::Millis, "1768176000000"),
            (DateForm::Millis, "1768262399999"),
            (DateForm::Micros, "1768176000000000"),
            (DateForm::Nanos, "1768262399999999999"),
        ] {
            assert_eq!(read(form, json).as_deref(), Some("2026-01-12"), "{form:?} {json}");
        }
    }

    #[test]
    fn the_first_and_last_day_are_read_and_their_neighbours_are_not() {
        for (json, expected) in [
            ("-719162", Some("0001-01-01")),
            ("-719163", None),
            ("2932896", Some("9999-12-31")),
            ("2932897", None),
            ("9223372036854775807", None),
            ("-9223372036854775808", None),
            ("-1", Some("1969-12-31")),
            ("-0", Some("1970-01-01")),
        ] {
            assert_eq!(read(DateForm::ByType, json).as_deref(), expected, "{json}");
        }
        assert_eq!(read(DateForm::Millis, "-1").as_deref(), Some("1969-12-31"));
        assert_eq!(read(DateForm::Iso, r#""0001-01-01""#).as_deref(), Some("0001-01-01"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026",
            "2026-1-12",
            "2026-02-29",
            "2026-13-01",
            "2026-01-00",
            "0000-01-01",
            "+2026-01-12",
            "12026-01-12",
            "2026/01/12",
            "2026-01-12+01:00",
            "2026-01-12T",
            "2026-01-12 00:00",
            "2026-01-12T24:00",
            "2026-01-12T00:60",
            "2026-01-12T00:00:60",
            "2026-01-12T00:00.5",
            "2026-01-12T00:00:00.",
            "2026-01-12T00:00:00.1234567890",
            "2026-01-12T00:00:00:00",
            "2026-01-12T0:00",
            "2026-01-12T00:00:00-05:00",
            "2026-01-12ZZ",
            "2026-01-1é",
            "yesterday",
        ] {
            assert_eq!(read(DateForm::ByType, &format!("{text:?}")), None, "{text}");
        }
        for json in ["20465.0", "2e4", "true", "[]", "{}"] {
            assert_eq!(read(DateForm::ByType, json), None, "{json}");
        }
    }

    #[test]
    fn the_schema_decides_the_form() {
        assert_eq!(DateForm::of("int32", Some("io.debezium.time.Date")), DateForm::Days);
        assert_eq!(DateForm::of("int64", Some("org.apache.kafka.connect.data.Timestamp")), DateForm::Millis);
        assert_eq!(DateForm::of("string", Some("io.debezium.time.IsoDate")), DateForm::Iso);
        assert_eq!(DateForm::of("int64", Some("io.debezium.time.MicroTime")), DateForm::NotADate);
        assert_eq!(read(DateForm::Days, r#""2026-01-12""#), None);
        assert_eq!(read(DateForm::Iso, "20465"), None);
        assert_eq!(read(DateForm::NotADate, "20465"), None);
    }
}
