//! Dates and times as text: what SQL Server reads and how it prints.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::ty::Type;

/// The order of day, month and year in dates written with separators (`SET DATEFORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum DateOrder {
    #[default]
    Mdy,
    Dmy,
    Ymd,
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

pub(crate) fn month_name(month: u32) -> &'static str {
    MONTHS.get(month as usize - 1).copied().unwrap_or("")
}

pub(crate) fn day_name(date: NaiveDate) -> &'static str {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    DAYS[date.weekday().num_days_from_monday() as usize]
}

/// The date from which numbers count as DATETIME.
pub(crate) fn base_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default()
}

/// A moment as the scripts of Management Studio write it: `CAST(0x0000B0C600A7F5D4 AS DateTime)`.
pub(crate) fn from_binary(bytes: &[u8], to: Type) -> Option<NaiveDateTime> {
    const NANOS_PER_SECOND: i64 = 1_000_000_000;
    let big = |bytes: &[u8]| bytes.iter().fold(0_i64, |n, byte| (n << 8) | i64::from(*byte));
    let little = |bytes: &[u8]| bytes.iter().rev().fold(0_i64, |n, byte| (n << 8) | i64::from(*byte));
    let since = |date: NaiveDate, days: i64, time: TimeDelta| {
        date.checked_add_signed(TimeDelta::try_days(days)?)?.and_time(NaiveTime::MIN).checked_add_signed(time)
    };
    let first = || NaiveDate::from_ymd_opt(1, 1, 1);
    match (to, bytes) {
        // days and three-hundredths of a second
        (Type::DateTime, &[a, b, c, d, ref ticks @ ..]) if ticks.len() == 4 => {
            let time = TimeDelta::nanoseconds(big(ticks) * NANOS_PER_SECOND / 300);
            since(base_date(), i64::from(i32::from_be_bytes([a, b, c, d])), time)
        }
        // days and minutes
        (Type::SmallDateTime, [days @ .., c, d]) if days.len() == 2 => {
            since(base_date(), big(days), TimeDelta::minutes(big(&[*c, *d])))
        }
        // three bytes, and often one of padding
        (Type::Date, [days @ .., 0] | days) if days.len() == 3 => since(first()?, little(days), TimeDelta::zero()),
        // the decimals, then the fractions of a second, then the days
        (Type::DateTime2(_), [digits @ 0..=7, time @ .., a, b, c]) if (3..=5).contains(&time.len()) => {
            let nanos = little(time).checked_mul(NANOS_PER_SECOND / 10_i64.pow(u32::from(*digits)))?;
            since(first()?, little(&[*a, *b, *c]), TimeDelta::nanoseconds(nanos))
        }
        _ => None,
    }
}

/// A date, a time, or both, with an offset in minutes if one is given.
pub(crate) fn parse(text: &str, order: DateOrder) -> Option<(NaiveDateTime, Option<i16>)> {
    let text = text.trim();
    if text.is_empty() {
        return Some((base_date().and_time(NaiveTime::MIN), None));
    }
    let (text, offset) = split_offset(text)?;
    let (date_text, time_text) = split_time(text);
    let date = if date_text.is_empty() { base_date() } else { parse_date(date_text, order)? };
    let (time, carry) = if time_text.is_empty() { (NaiveTime::MIN, false) } else { parse_time(time_text)? };
    let date = if carry { date.succ_opt()? } else { date };
    Some((date.and_time(time), offset))
}

fn split_offset(text: &str) -> Option<(&str, Option<i16>)> {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest.trim_end(), Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']).filter(|at| text[..*at].contains(':')) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let minutes: i16 = hours.parse::<i16>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
    let sign = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
    (minutes <= 14 * 60).then(|| (text[..at].trim_end(), Some(sign * minutes)))
}

/// Splits where the time begins: at the `T`, or at the word that holds a colon or is followed by AM or PM.
fn split_time(text: &str) -> (&str, &str) {
    if let Some(at) = text.find(['T', 't']) {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if digit(text[..at].chars().next_back()) && digit(text[at + 1..].chars().next()) {
            return (&text[..at], &text[at + 1..]);
        }
    }
    if let Some(colon) = text.find(':') {
        let start = text[..colon].rfind(' ').map_or(0, |at| at + 1);
        return (text[..start].trim_end(), &text[start..]);
    }
    let upper = text.to_ascii_uppercase();
    if let Some(body) = upper.strip_suffix("AM").or_else(|| upper.strip_suffix("PM")) {
        let body = body.trim_end();
        let start = body.rfind(' ').map_or(0, |at| at + 1);
        if body[start..].bytes().all(|b| b.is_ascii_digit()) {
            return (text[..start].trim_end(), &text[start..]);
        }
    }
    (text, "")
}

fn parse_date(text: &str, order: DateOrder) -> Option<NaiveDate> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i32 = text.parse().ok()?;
        return match text.len() {
            8 => ymd(number / 10_000, number / 100 % 100, number % 100),
            6 => ymd(full_year(number / 10_000), number / 100 % 100, number % 100),
            4 => ymd(number, 1, 1),
            _ => None,
        };
    }
    let parts: Vec<&str> = text.split(['-', '/', '.', ' ', ',']).filter(|p| !p.is_empty()).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    if let Some(at) = parts.iter().position(|p| p.starts_with(|c: char| c.is_ascii_alphabetic())) {
        let name = parts[at].to_ascii_lowercase();
        let month = MONTHS.iter().position(|m| {
            let m = m.to_ascii_lowercase();
            m == name || m[..3] == name
        })?;
        let rest: Vec<&str> = parts.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, p)| *p).collect();
        let (day, year) = if rest[0].len() == 4 { (rest[1], rest[0]) } else { (rest[0], rest[1]) };
        return ymd(year_of(year)?, i32::try_from(month).ok()? + 1, day.parse().ok()?);
    }
    let number = |text: &str| text.parse::<i32>().ok();
    if a.len() == 4 {
        return ymd(number(a)?, number(b)?, number(c)?);
    }
    match order {
        DateOrder::Mdy => ymd(year_of(c)?, number(a)?, number(b)?),
        DateOrder::Dmy => ymd(year_of(c)?, number(b)?, number(a)?),
        DateOrder::Ymd if c.len() == 4 => ymd(number(c)?, number(a)?, number(b)?),
        DateOrder::Ymd => ymd(year_of(a)?, number(b)?, number(c)?),
    }
}

fn year_of(text: &str) -> Option<i32> {
    let year: i32 = text.parse().ok()?;
    match text.len() {
        4 => Some(year),
        1 | 2 => Some(full_year(year)),
        _ => None,
    }
}

fn full_year(two_digits: i32) -> i32 {
    if two_digits < 50 { 2000 + two_digits } else { 1900 + two_digits }
}

fn ymd(year: i32, month: i32, day: i32) -> Option<NaiveDate> {
    if !(1..=9999).contains(&year) {
        return None;
    }
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

/// A time of day, and whether 24:00 was rounded up to.
fn parse_time(text: &str) -> Option<(NaiveTime, bool)> {
    let upper = text.trim().to_ascii_uppercase();
    let (body, half) = match upper.strip_suffix("AM") {
        Some(body) => (body.trim_end(), Some(0)),
        None => match upper.strip_suffix("PM") {
            Some(body) => (body.trim_end(), Some(12)),
            None => (upper.as_str(), None),
        },
    };
    let mut parts = body.split(':');
    let mut hour: u32 = parts.next()?.parse().ok()?;
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    let minute: u32 = parts.next().map_or(Some(0), |m| m.parse().ok())?;
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let nanos = format!("{fraction:0<9}").parse().ok()?;
            (second.parse().ok()?, nanos)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos).map(|time| (time, false))
}

/// The nearest time with so many digits behind the second.
pub(crate) fn round_fraction(time: NaiveDateTime, digits: u8) -> Option<NaiveDateTime> {
    let unit = 10i64.pow(9 - u32::from(digits.min(9)));
    let nanos = i64::from(time.nanosecond());
    let rounded = (nanos + unit / 2) / unit * unit;
    time.checked_add_signed(TimeDelta::nanoseconds(rounded - nanos))
}

/// `.` and so many digits of the second's fraction; nothing when there are none.
pub(crate) fn fraction(time: &impl Timelike, digits: u8) -> String {
    if digits == 0 {
        return String::new();
    }
    let nanos = format!("{:09}", time.nanosecond() % 1_000_000_000);
    format!(".{}", &nanos[..usize::from(digits.min(9))])
}

/// How CONVERT prints a date and time in a style; `None` when there is no such style.
pub(crate) fn styled(time: NaiveDateTime, style: i64) -> Option<String> {
    let (y, mo, d) = (time.year(), time.month(), time.day());
    let (h, mi, s) = (time.hour(), time.minute(), time.second());
    let short = y.rem_euclid(100);
    let mon = &month_name(mo)[..3];
    let hms = format!("{h:02}:{mi:02}:{s:02}");
    let half = if h < 12 { "AM" } else { "PM" };
    let h12 = if h % 12 == 0 { 12 } else { h % 12 };
    let millis = fraction(&time, 3);
    Some(match style {
        0 | 100 => format!("{mon} {d:>2} {y} {h12:>2}:{mi:02}{half}"),
        1 => format!("{mo:02}/{d:02}/{short:02}"),
        101 => format!("{mo:02}/{d:02}/{y}"),
        2 => format!("{short:02}.{mo:02}.{d:02}"),
        102 => format!("{y}.{mo:02}.{d:02}"),
        3 => format!("{d:02}/{mo:02}/{short:02}"),
        103 => format!("{d:02}/{mo:02}/{y}"),
        4 => format!("{d:02}.{mo:02}.{short:02}"),
        104 => format!("{d:02}.{mo:02}.{y}"),
        5 => format!("{d:02}-{mo:02}-{short:02}"),
        105 => format!("{d:02}-{mo:02}-{y}"),
        6 => format!("{d:02} {mon} {short:02}"),
        106 => format!("{d:02} {mon} {y}"),
        7 => format!("{mon} {d:02}, {short:02}"),
        107 => format!("{mon} {d:02}, {y}"),
        8 | 24 | 108 => hms,
        9 | 109 => format!("{mon} {d:>2} {y} {h12:>2}:{mi:02}:{s:02}:{}{half}", &millis[1..]),
        10 => format!("{mo:02}-{d:02}-{short:02}"),
        110 => format!("{mo:02}-{d:02}-{y}"),
        11 => format!("{short:02}/{mo:02}/{d:02}"),
        111 => format!("{y}/{mo:02}/{d:02}"),
        12 => format!("{short:02}{mo:02}{d:02}"),
        112 => format!("{y}{mo:02}{d:02}"),
        13 | 113 => format!("{d:02} {mon} {y} {hms}:{}", &millis[1..]),
        14 | 114 => format!("{hms}:{}", &millis[1..]),
        20 | 120 => format!("{y:04}-{mo:02}-{d:02} {hms}"),
        21 | 25 | 121 => format!("{y:04}-{mo:02}-{d:02} {hms}{millis}"),
        22 => format!("{mo:02}/{d:02}/{short:02} {h12:>2}:{mi:02}:{s:02} {half}"),
        23 => format!("{y:04}-{mo:02}-{d:02}"),
        126 | 127 => {
            let fraction = if time.nanosecond() == 0 { String::new() } else { millis };
            format!("{y:04}-{mo:02}-{d:02}T{hms}{fraction}")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, order: DateOrder) -> Option<String> {
        parse(text, order).map(|(time, _)| time.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
    }

    #[test]
    fn reads_the_forms_that_people_write() {
        let day = Some("2026-03-15 00:00:00.000".to_owned());
        for text in [
            "20260315",
            "2026-03-15",
            "2026/3/15",
            "03/15/2026",
            "15 March 2026",
            "Mar 15, 2026",
            "15-Mar-2026",
            "2026 March 15",
            "260315",
            " 2026-03-15 ",
        ] {
            assert_eq!(read(text, DateOrder::Mdy), day, "{text:?}");
        }
        assert_eq!(read("15/03/2026", DateOrder::Dmy), day);
        let noon = Some("2026-03-15 12:30:05.250".to_owned());
        for text in ["2026-03-15T12:30:05.25", "20260315 12:30:05.250", "03/15/2026 12:30:05.25 PM", "2026-03-15T12:30:05.25Z"] {
            assert_eq!(read(text, DateOrder::Mdy), noon, "{text:?}");
        }
        assert_eq!(read("09:15", DateOrder::Mdy).as_deref(), Some("1900-01-01 09:15:00.000"));
        assert_eq!(read("", DateOrder::Mdy).as_deref(), Some("1900-01-01 00:00:00.000"));
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in ["2026-02-30", "13/13/2026", "soon", "2026-03-15 25:00", "12", "2026-03", "É", "1:2:3:4"] {
            assert_eq!(read(text, DateOrder::Mdy), None, "{text:?}");
        }
    }

    #[test]
    fn offsets_are_read() {
        let (_, offset) = parse("2026-03-15T09:00:00+01:30", DateOrder::Mdy).expect("a date");
        assert_eq!(offset, Some(90));
    }

    #[test]
    fn styles_print_as_sql_server_does() {
        let time = NaiveDate::from_ymd_opt(2026, 3, 5).and_then(|d| d.and_hms_milli_opt(14, 7, 9, 357)).expect("a time");
        for (style, expected) in [
            (0, "Mar  5 2026  2:07PM"),
            (101, "03/05/2026"),
            (103, "05/03/2026"),
            (104, "05.03.2026"),
            (105, "05-03-2026"),
            (106, "05 Mar 2026"),
            (108, "14:07:09"),
            (112, "20260305"),
            (3, "05/03/26"),
            (120, "2026-03-05 14:07:09"),
            (121, "2026-03-05 14:07:09.357"),
            (23, "2026-03-05"),
            (126, "2026-03-05T14:07:09.357"),
            (113, "05 Mar 2026 14:07:09:357"),
        ] {
            assert_eq!(styled(time, style).as_deref(), Some(expected), "{style}");
        }
        assert_eq!(styled(time, 999), None);
    }
}
