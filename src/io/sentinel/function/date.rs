//! Functions on dates and times.

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::super::error::{SqlError, SqlResult};
use super::super::value::temporal::{base_date, day_name, month_name, parse};
use super::super::value::{Type, Value};
use super::{Call, Function, int, long_text};

const fn strict(
    name: &'static str,
    least: usize,
    most: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least, most, strict: true, result, call }
}

fn datetime(_: &[Type]) -> Type {
    Type::DateTime
}

fn datetime2(_: &[Type]) -> Type {
    Type::DateTime2(7)
}

fn date(_: &[Type]) -> Type {
    Type::Date
}

pub(super) const FUNCTIONS: &[Function] = &[
    strict("GETDATE", 0, 0, datetime, now),
    strict("GETUTCDATE", 0, 0, datetime, now),
    strict("CURRENT_TIMESTAMP", 0, 0, datetime, now),
    strict("SYSDATETIME", 0, 0, datetime2, |c| Ok(Value::DateTime(c.engine.now()))),
    strict("SYSUTCDATETIME", 0, 0, datetime2, |c| Ok(Value::DateTime(c.engine.now()))),
    strict("SYSDATETIMEOFFSET", 0, 0, |_| Type::DateTimeOffset(7), |c| Ok(Value::DateTimeOffset(c.engine.now(), 0))),
    strict("DATEADD", 3, 3, date_add_type, date_add),
    strict("DATEDIFF", 3, 3, int, |c| {
        let count = date_diff(c)?;
        i32::try_from(count).map(|n| Value::Int(i64::from(n))).map_err(|_| {
            SqlError::new(535, "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large.")
        })
    }),
    strict("DATEDIFF_BIG", 3, 3, |_| Type::BigInt, |c| Ok(Value::Int(date_diff(c)?))),
    strict("DATEPART", 2, 2, int, |c| date_part(c.engine.date_first(), part(&c.text(0)?)?, moment(c, 1)?).map(Value::Int)),
    strict("DATENAME", 2, 2, long_text, date_name),
    strict(
        "DATETRUNC",
        2,
        2,
        |types| types.get(1).copied().filter(|t| t.is_temporal()).unwrap_or(Type::DateTime2(7)),
        date_trunc,
    ),
    strict("YEAR", 1, 1, int, |c| Ok(Value::Int(i64::from(moment(c, 0)?.year())))),
    strict("MONTH", 1, 1, int, |c| Ok(Value::Int(i64::from(moment(c, 0)?.month())))),
    strict("DAY", 1, 1, int, |c| Ok(Value::Int(i64::from(moment(c, 0)?.day())))),
    strict("DATEFROMPARTS", 3, 3, date, |c| Ok(Value::Date(from_parts(c)?))),
    strict("DATETIMEFROMPARTS", 7, 7, datetime, |c| Ok(Value::DateTime(moment_from_parts(c, c.int(6)? * 1_000_000)?))),
    strict("DATETIME2FROMPARTS", 8, 8, datetime2, |c| {
        let digits = u32::try_from(c.int(7)?).unwrap_or(7).min(7);
        Ok(Value::DateTime(moment_from_parts(c, c.int(6)?.saturating_mul(10i64.pow(9 - digits)))?))
    }),
    strict("SMALLDATETIMEFROMPARTS", 5, 5, |_| Type::SmallDateTime, |c| Ok(Value::DateTime(moment_from_parts(c, 0)?))),
    strict(
        "TIMEFROMPARTS",
        5,
        5,
        |_| Type::Time(7),
        |c| {
            let part = |at| c.int(at).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            let digits = part(4)?.min(7);
            let nanos = part(3)?.saturating_mul(10u32.pow(9 - digits));
            NaiveTime::from_hms_nano_opt(part(0)?, part(1)?, part(2)?, nanos).map(Value::Time).ok_or_else(invalid_parts)
        },
    ),
    strict("EOMONTH", 1, 2, date, |c| {
        let months = if c.has(1) { c.int(1)? } else { 0 };
        let shifted = add_months(moment(c, 0)?, months).ok_or_else(overflow)?.date();
        let next = shifted.with_day(1).and_then(|d| d.checked_add_months(Months::new(1)));
        next.and_then(|d| d.pred_opt()).map(Value::Date).ok_or_else(overflow)
    }),
    Function {
        name: "ISDATE",
        least: 1,
        most: 1,
        strict: false,
        result: int,
        call: |c| {
            let is = match c.values.first() {
                Some(Value::Text(text)) => !text.trim().is_empty() && parse(text, c.engine.conversion().order).is_some(),
                Some(Value::DateTime(_)) => true,
                _ => false,
            };
            Ok(Value::Int(i64::from(is)))
        },
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    IsoWeek,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Offset,
}

pub(crate) fn is_date_part(name: &str) -> bool {
    part(name).is_ok()
}

fn part(name: &str) -> SqlResult<Part> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => Part::Year,
        "quarter" | "qq" | "q" => Part::Quarter,
        "month" | "mm" | "m" => Part::Month,
        "dayofyear" | "dy" | "y" => Part::DayOfYear,
        "day" | "dd" | "d" => Part::Day,
        "week" | "wk" | "ww" => Part::Week,
        "iso_week" | "isowk" | "isoww" => Part::IsoWeek,
        "weekday" | "dw" | "w" => Part::Weekday,
        "hour" | "hh" => Part::Hour,
        "minute" | "mi" | "n" => Part::Minute,
        "second" | "ss" | "s" => Part::Second,
        "millisecond" | "ms" => Part::Millisecond,
        "microsecond" | "mcs" => Part::Microsecond,
        "nanosecond" | "ns" => Part::Nanosecond,
        "tzoffset" | "tz" => Part::Offset,
        _ => return Err(SqlError::new(155, format!("'{name}' is not a recognized datepart option."))),
    })
}

fn now(call: &Call<'_>) -> SqlResult<Value> {
    super::super::clock::to_datetime(call.engine.now()).map(Value::DateTime).ok_or_else(overflow)
}

fn overflow() -> SqlError {
    SqlError::new(517, "Adding a value to a 'datetime' column caused an overflow.")
}

fn invalid_parts() -> SqlError {
    SqlError::new(289, "Cannot construct data type date, some of the arguments have values which are not valid.")
}

/// An argument as date and time.
fn moment(call: &Call<'_>, at: usize) -> SqlResult<NaiveDateTime> {
    let value = match &call.values[at] {
        Value::Int(_) | Value::Numeric(_) | Value::Float(_) => call.get(at, Type::DateTime)?,
        Value::Time(time) => return Ok(base_date().and_time(*time)),
        Value::DateTime(time) | Value::DateTimeOffset(time, _) => return Ok(*time),
        Value::Date(date) => return Ok(date.and_time(NaiveTime::MIN)),
        _ => call.get(at, Type::DateTime2(7))?,
    };
    match value {
        Value::DateTime(time) => Ok(time),
        _ => Err(SqlError::new(8116, "Argument data type is invalid for a date function.")),
    }
}

/// The same day of another month, or its last day.
fn add_months(time: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 { time.checked_sub_months(count) } else { time.checked_add_months(count) };
    moved.filter(|time| (1..=9999).contains(&time.year()))
}

/// A moment so many days later.
pub(crate) fn add_days(time: NaiveDateTime, days: i64) -> Option<NaiveDateTime> {
    let moved = time.checked_add_signed(TimeDelta::try_days(days)?);
    moved.filter(|time| (1..=9999).contains(&time.year()))
}

/// Days from 1900-01-01 to a date.
fn whole_days(date: NaiveDate) -> i64 {
    (date - base_date()).num_days()
}

fn date_add_type(types: &[Type]) -> Type {
    types.get(2).copied().filter(|ty| ty.is_temporal()).unwrap_or(Type::DateTime)
}

fn date_add(call: &Call<'_>) -> SqlResult<Value> {
    let (part, count) = (part(&call.text(0)?)?, call.int(1)?);
    let time = moment(call, 2)?;
    let seconds = |unit: i64| {
        let delta = TimeDelta::try_seconds(count.checked_mul(unit)?)?;
        time.checked_add_signed(delta).filter(|t| (1..=9999).contains(&t.year()))
    };
    let nanos = |unit: i64| time.checked_add_signed(TimeDelta::nanoseconds(count.checked_mul(unit)?));
    let moved = match part {
        Part::Year => count.checked_mul(12).and_then(|months| add_months(time, months)),
        Part::Quarter => count.checked_mul(3).and_then(|months| add_months(time, months)),
        Part::Month => add_months(time, count),
        Part::Day | Part::DayOfYear | Part::Weekday => add_days(time, count),
        Part::Week | Part::IsoWeek => count.checked_mul(7).and_then(|days| add_days(time, days)),
        Part::Hour => seconds(3600),
        Part::Minute => seconds(60),
        Part::Second => seconds(1),
        Part::Millisecond => TimeDelta::try_milliseconds(count).and_then(|delta| time.checked_add_signed(delta)),
        Part::Microsecond => nanos(1000),
        Part::Nanosecond | Part::Offset => nanos(1),
    };
    let moved = moved.ok_or_else(overflow)?;
    Ok(match (&call.values[2], call.types[2]) {
        (Value::Date(_), _) => Value::Date(moved.date()),
        (Value::Time(_), _) => Value::Time(moved.time()),
        (Value::DateTimeOffset(_, offset), _) => Value::DateTimeOffset(moved, *offset),
        (_, Type::DateTime2(_)) => Value::DateTime(moved),
        _ => Value::DateTime(super::super::clock::to_datetime(moved).ok_or_else(overflow)?),
    })
}

/// How many boundaries of the part lie between the two moments.
fn date_diff(call: &Call<'_>) -> SqlResult<i64> {
    let (from, to) = (moment(call, 1)?, moment(call, 2)?);
    let months = |time: NaiveDateTime| i64::from(time.year()) * 12 + i64::from(time.month0());
    let days = |time: NaiveDateTime| whole_days(time.date());
    // Weeks begin on Sunday, whatever DATEFIRST says; 1900-01-01 was a Monday.
    let weeks = |time: NaiveDateTime| (days(time) + 1).div_euclid(7);
    let seconds = |time: NaiveDateTime| time.and_utc().timestamp();
    Ok(match part(&call.text(0)?)? {
        Part::Year => i64::from(to.year()) - i64::from(from.year()),
        Part::Quarter => months(to).div_euclid(3) - months(from).div_euclid(3),
        Part::Month => months(to) - months(from),
        Part::Day | Part::DayOfYear | Part::Weekday => days(to) - days(from),
        Part::Week | Part::IsoWeek => weeks(to) - weeks(from),
        Part::Hour => seconds(to).div_euclid(3600) - seconds(from).div_euclid(3600),
        Part::Minute => seconds(to).div_euclid(60) - seconds(from).div_euclid(60),
        Part::Second => seconds(to) - seconds(from),
        Part::Millisecond => to.and_utc().timestamp_millis() - from.and_utc().timestamp_millis(),
        Part::Microsecond => to.and_utc().timestamp_micros() - from.and_utc().timestamp_micros(),
        Part::Nanosecond | Part::Offset => (to - from).num_nanoseconds().ok_or_else(overflow)?,
    })
}

fn date_part(date_first: i64, part: Part, time: NaiveDateTime) -> SqlResult<i64> {
    let nanos = i64::from(time.nanosecond());
    let weekday = i64::from(time.weekday().number_from_monday());
    Ok(match part {
        Part::Year => i64::from(time.year()),
        Part::Quarter => i64::from(time.month0() / 3 + 1),
        Part::Month => i64::from(time.month()),
        Part::DayOfYear => i64::from(time.ordinal()),
        Part::Day => i64::from(time.day()),
        Part::Week => {
            let first = time.date().with_ordinal(1).ok_or_else(overflow)?;
            let first = i64::from(first.weekday().number_from_monday());
            (i64::from(time.ordinal0()) + (first - date_first).rem_euclid(7)) / 7 + 1
        }
        Part::IsoWeek => i64::from(time.iso_week().week()),
        Part::Weekday => (weekday - date_first).rem_euclid(7) + 1,
        Part::Hour => i64::from(time.hour()),
        Part::Minute => i64::from(time.minute()),
        Part::Second => i64::from(time.second()),
        Part::Millisecond => nanos / 1_000_000,
        Part::Microsecond => nanos / 1000,
        Part::Nanosecond => nanos,
        Part::Offset => 0,
    })
}

fn date_name(call: &Call<'_>) -> SqlResult<Value> {
    let (part, time) = (part(&call.text(0)?)?, moment(call, 1)?);
    Ok(Value::text(match part {
        Part::Month => month_name(time.month()).to_owned(),
        Part::Weekday => day_name(time.date()).to_owned(),
        Part::Offset => "+00:00".to_owned(),
        other => date_part(call.engine.date_first(), other, time)?.to_string(),
    }))
}

fn date_trunc(call: &Call<'_>) -> SqlResult<Value> {
    let (part, time) = (part(&call.text(0)?)?, moment(call, 1)?);
    let date = time.date();
    let midnight = |date: Option<NaiveDate>| date.map(|date| date.and_time(NaiveTime::MIN));
    let cut = match part {
        Part::Year => midnight(date.with_ordinal(1)),
        Part::Quarter => midnight(date.with_day(1).and_then(|d| d.with_month0(date.month0() / 3 * 3))),
        Part::Month => midnight(date.with_day(1)),
        Part::Day | Part::DayOfYear => midnight(Some(date)),
        Part::Week => {
            let back = date_part(call.engine.date_first(), Part::Weekday, time)? - 1;
            midnight(add_days(time, -back).map(|time| time.date()))
        }
        Part::Hour => time.with_minute(0).and_then(|t| t.with_second(0)).and_then(|t| t.with_nanosecond(0)),
        Part::Minute => time.with_second(0).and_then(|t| t.with_nanosecond(0)),
        Part::Second => time.with_nanosecond(0),
        _ => return Err(SqlError::unsupported("DATETRUNC to this part")),
    };
    let cut = cut.ok_or_else(overflow)?;
    Ok(match &call.values[1] {
        Value::Date(_) => Value::Date(cut.date()),
        Value::Time(_) => Value::Time(cut.time()),
        _ => Value::DateTime(cut),
    })
}

fn from_parts(call: &Call<'_>) -> SqlResult<NaiveDate> {
    let year = i32::try_from(call.int(0)?).ok().filter(|year| (1..=9999).contains(year));
    let (month, day) = (u32::try_from(call.int(1)?), u32::try_from(call.int(2)?));
    match (year, month, day) {
        (Some(year), Ok(month), Ok(day)) => NaiveDate::from_ymd_opt(year, month, day).ok_or_else(invalid_parts),
        _ => Err(invalid_parts()),
    }
}

fn moment_from_parts(call: &Call<'_>, nanos: i64) -> SqlResult<NaiveDateTime> {
    let number = |at: usize| {
        if call.has(at) { call.int(at).map(|n| u32::try_from(n).unwrap_or(u32::MAX)) } else { Ok(0) }
    };
    let second = if call.values.len() > 5 { number(5)? } else { 0 };
    let nanos = u32::try_from(nanos).unwrap_or(u32::MAX);
    from_parts(call)?.and_hms_nano_opt(number(3)?, number(4)?, second, nanos).ok_or_else(invalid_parts)
}
