//! Time zones: AT TIME ZONE, SWITCHOFFSET and TODATETIMEOFFSET.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};

use super::super::error::{SqlError, SqlResult};
use super::super::value::{Type, Value};
use super::{Call, Function};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "AT TIME ZONE", least: 2, most: 2, strict: true, result: with_offset, call: at_time_zone },
    Function { name: "SWITCHOFFSET", least: 2, most: 2, strict: true, result: with_offset, call: switch_offset },
    Function { name: "TODATETIMEOFFSET", least: 2, most: 2, strict: true, result: with_offset, call: to_offset },
];

/// When clocks go forward and back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Summer {
    Never,
    /// In Europe all zones at 01:00 UTC, on the last Sundays of March and October.
    Europe,
    /// In America each zone at 02:00 of its own time, on the second Sunday of March and the first of November.
    America,
}

/// The zones that scripts for a British lender name, by Windows' names: minutes to the east of Greenwich in winter.
const ZONES: [(&str, i16, Summer); 19] = [
    ("UTC", 0, Summer::Never),
    ("GMT Standard Time", 0, Summer::Europe),
    ("Greenwich Standard Time", 0, Summer::Never),
    ("W. Europe Standard Time", 60, Summer::Europe),
    ("Central Europe Standard Time", 60, Summer::Europe),
    ("Central European Standard Time", 60, Summer::Europe),
    ("Romance Standard Time", 60, Summer::Europe),
    ("FLE Standard Time", 120, Summer::Europe),
    ("GTB Standard Time", 120, Summer::Europe),
    ("Eastern Standard Time", -300, Summer::America),
    ("US Eastern Standard Time", -300, Summer::America),
    ("Central Standard Time", -360, Summer::America),
    ("Mountain Standard Time", -420, Summer::America),
    ("Pacific Standard Time", -480, Summer::America),
    ("India Standard Time", 330, Summer::Never),
    ("China Standard Time", 480, Summer::Never),
    ("Singapore Standard Time", 480, Summer::Never),
    ("Tokyo Standard Time", 540, Summer::Never),
    ("Arabian Standard Time", 240, Summer::Never),
];

fn zone(name: &str) -> Option<(i16, Summer)> {
    ZONES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name.trim_end())).map(|(_, winter, summer)| (*winter, *summer))
}

pub(crate) fn is_zone(name: &str) -> bool {
    zone(name).is_some()
}

fn sunday(year: i32, month: u32, nth: u8) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth)
}

fn last_sunday(year: i32, month: u32) -> Option<NaiveDate> {
    sunday(year, month, 5).or_else(|| sunday(year, month, 4))
}

/// The moments of a year, in UTC, between which it is summer.
fn summer(year: i32, winter: i16, rule: Summer) -> Option<(NaiveDateTime, NaiveDateTime)> {
    let at = |date: NaiveDate, minutes: i64| Some(date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes));
    match rule {
        Summer::Never => None,
        Summer::Europe => Some((at(last_sunday(year, 3)?, 60)?, at(last_sunday(year, 10)?, 60)?)),
        Summer::America => {
            let winter = i64::from(winter);
            Some((at(sunday(year, 3, 2)?, 120 - winter)?, at(sunday(year, 11, 1)?, 60 - winter)?))
        }
    }
}

/// A zone's distance to UTC at a moment in UTC.
fn offset_at((winter, rule): (i16, Summer), utc: NaiveDateTime) -> i16 {
    match summer(utc.year(), winter, rule) {
        Some((from, to)) if from <= utc && utc < to => winter + 60,
        _ => winter,
    }
}

fn shifted(time: NaiveDateTime, minutes: i16) -> SqlResult<NaiveDateTime> {
    time.checked_add_signed(TimeDelta::minutes(i64::from(minutes))).ok_or_else(|| SqlError::overflow("datetimeoffset"))
}

/// A zone's time of day with its distance to UTC. What is passed over in spring moves on by an hour; of what comes twice
/// in autumn the second is meant.
fn local(zone: (i16, Summer), time: NaiveDateTime) -> SqlResult<Value> {
    let (winter, _) = zone;
    let as_summer = shifted(time, -winter - 60)?;
    let as_winter = shifted(time, -winter)?;
    let (in_summer, in_winter) = (offset_at(zone, as_summer) != winter, offset_at(zone, as_winter) == winter);
    Ok(match (in_summer, in_winter) {
        (true, false) => Value::DateTimeOffset(time, winter + 60),
        (false, false) => Value::DateTimeOffset(shifted(time, 60)?, winter + 60),
        (_, true) => Value::DateTimeOffset(time, winter),
    })
}

fn with_offset(types: &[Type]) -> Type {
    match types.first() {
        Some(Type::DateTimeOffset(digits) | Type::DateTime2(digits)) => Type::DateTimeOffset(*digits),
        Some(Type::DateTime) => Type::DateTimeOffset(3),
        Some(Type::SmallDateTime) => Type::DateTimeOffset(0),
        _ => Type::DateTimeOffset(7),
    }
}

fn at_time_zone(call: &Call<'_>) -> SqlResult<Value> {
    let name = call.text(1)?;
    let zone = zone(&name).ok_or_else(|| {
        SqlError::new(9820, format!("The time zone parameter '{name}' provided to AT TIME ZONE clause is invalid."))
    })?;
    match &call.values[0] {
        Value::DateTimeOffset(time, offset) => {
            let utc = shifted(*time, -offset)?;
            let offset = offset_at(zone, utc);
            Ok(Value::DateTimeOffset(shifted(utc, offset)?, offset))
        }
        Value::DateTime(time) => local(zone, *time),
        _ => Err(SqlError::new(8116, "Argument data type is invalid for argument 1 of AT TIME ZONE function.")),
    }
}

/// `+01:00`, or minutes.
fn offset(call: &Call<'_>) -> SqlResult<i16> {
    let invalid = || SqlError::new(9812, "The timezone provided to builtin function is invalid.");
    let minutes = match &call.values[1] {
        Value::Int(minutes) => *minutes,
        _ => {
            let text = call.text(1)?;
            let (sign, rest) = match text.split_at_checked(1) {
                Some(("+", rest)) => (1, rest),
                Some(("-", rest)) => (-1, rest),
                _ => return Err(invalid()),
            };
            let (hours, minutes) = rest.split_once(':').ok_or_else(invalid)?;
            let number = |text: &str| text.parse::<i64>().ok().filter(|n| (0..60).contains(n)).ok_or_else(invalid);
            sign * (number(hours)? * 60 + number(minutes)?)
        }
    };
    i16::try_from(minutes).ok().filter(|minutes| (-840..=840).contains(minutes)).ok_or_else(invalid)
}

fn switch_offset(call: &Call<'_>) -> SqlResult<Value> {
    let to = offset(call)?;
    let Value::DateTimeOffset(time, from) = call.get(0, with_offset(call.types))? else { return Ok(Value::Null) };
    Ok(Value::DateTimeOffset(shifted(time, to - from)?, to))
}

fn to_offset(call: &Call<'_>) -> SqlResult<Value> {
    let to = offset(call)?;
    let Value::DateTimeOffset(time, _) = call.get(0, with_offset(call.types))? else { return Ok(Value::Null) };
    Ok(Value::DateTimeOffset(time, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        text.parse().expect("a time")
    }

    #[test]
    fn clocks_change_at_one_in_the_morning_of_greenwich() {
        let london = zone("gmt standard time").expect("a zone");
        for (utc, minutes) in
            [("2026-03-29T00:59:59", 0), ("2026-03-29T01:00:00", 60), ("2026-10-25T00:59:59", 60), ("2026-10-25T01:00:00", 0)]
        {
            assert_eq!(offset_at(london, time(utc)), minutes, "{utc}");
        }
        let new_york = zone("Eastern Standard Time").expect("a zone");
        for (utc, minutes) in [
            ("2026-03-08T06:59:59", -300),
            ("2026-03-08T07:00:00", -240),
            ("2026-11-01T05:59:59", -240),
            ("2026-11-01T06:00:00", -300),
        ] {
            assert_eq!(offset_at(new_york, time(utc)), minutes, "{utc}");
        }
    }

    #[test]
    fn local_times_that_are_missing_or_double_have_one_meaning() {
        let berlin = zone("W. Europe Standard Time").expect("a zone");
        for (written, meant, minutes) in [
            ("2026-03-29T01:59:59", "2026-03-29T01:59:59", 60),
            ("2026-03-29T02:30:00", "2026-03-29T03:30:00", 120),
            ("2026-03-29T03:00:00", "2026-03-29T03:00:00", 120),
            ("2026-10-25T01:59:59", "2026-10-25T01:59:59", 120),
            ("2026-10-25T02:30:00", "2026-10-25T02:30:00", 60),
            ("2026-10-25T03:00:00", "2026-10-25T03:00:00", 60),
        ] {
            assert_eq!(local(berlin, time(written)).expect("in range"), Value::DateTimeOffset(time(meant), minutes), "{written}");
        }
    }
}
