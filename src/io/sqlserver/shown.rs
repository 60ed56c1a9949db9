//! Values as text, for people: as SQL Server's own style 121 has times, and with all decimals.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use tiberius::{ColumnData, ColumnType};

/// What cannot be: a day or a time that no calendar has.
const BEYOND: &str = "(beyond the calendar)";

pub(super) fn shown(value: &ColumnData<'_>, ty: ColumnType) -> String {
    text(value, ty).unwrap_or_else(|| "NULL".to_owned())
}

fn text(value: &ColumnData<'_>, ty: ColumnType) -> Option<String> {
    Some(match value {
        ColumnData::U8(value) => (*value)?.to_string(),
        ColumnData::I16(value) => (*value)?.to_string(),
        ColumnData::I32(value) => (*value)?.to_string(),
        ColumnData::I64(value) => (*value)?.to_string(),
        ColumnData::F32(value) => (*value)?.to_string(),
        // the driver makes a binary float of MONEY; to be looked at, its four decimals are right up to 900 milliards
        ColumnData::F64(value) if matches!(ty, ColumnType::Money | ColumnType::Money4) => format!("{:.4}", (*value)?),
        ColumnData::F64(value) => (*value)?.to_string(),
        ColumnData::Bit(value) => u8::from((*value)?).to_string(),
        ColumnData::String(value) => value.as_deref()?.to_owned(),
        ColumnData::Guid(value) => (*value)?.to_string().to_ascii_uppercase(),
        ColumnData::Binary(value) => hex(value.as_deref()?),
        ColumnData::Numeric(value) => {
            let number = (*value)?;
            decimal(number.value(), usize::from(number.scale()))
        }
        ColumnData::Xml(value) => value.as_deref()?.to_string(),
        ColumnData::DateTime(value) => {
            let time = (*value)?;
            // three-hundredths of a second
            let millis = (u64::from(time.seconds_fragments()) * 10 + 1) / 3;
            at(since_1900(i64::from(time.days())), i64::try_from(millis).ok(), "%Y-%m-%d %H:%M:%S%.3f")
        }
        ColumnData::SmallDateTime(value) => {
            let time = (*value)?;
            at(since_1900(i64::from(time.days())), Some(i64::from(time.seconds_fragments()) * 60_000), "%Y-%m-%d %H:%M:%S")
        }
        ColumnData::Time(value) => {
            let time = (*value)?;
            clock(time.increments(), time.scale())
                .map_or_else(|| BEYOND.to_owned(), |(time, decimals)| format!("{time}{decimals}"))
        }
        ColumnData::Date(value) => day(*(value.as_ref())?).map_or_else(|| BEYOND.to_owned(), |day| day.to_string()),
        ColumnData::DateTime2(value) => moment((*value)?, 0),
        ColumnData::DateTimeOffset(value) => {
            let time = (*value)?;
            let (sign, minutes) = (if time.offset() < 0 { '-' } else { '+' }, time.offset().unsigned_abs());
            format!("{} {sign}{:02}:{:02}", moment(time.datetime2(), time.offset()), minutes / 60, minutes % 60)
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("0x{}", digits.concat())
}

fn decimal(units: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let (sign, point) = (if units < 0 { "-" } else { "" }, if scale > 0 { "." } else { "" });
    format!("{sign}{whole}{point}{fraction}")
}

fn since_1900(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1900, 1, 1)?.checked_add_signed(TimeDelta::try_days(days)?)
}

fn at(day: Option<NaiveDate>, millis: Option<i64>, form: &str) -> String {
    let time = || NaiveDateTime::from(day?).checked_add_signed(TimeDelta::try_milliseconds(millis?)?);
    time().map_or_else(|| BEYOND.to_owned(), |time| time.format(form).to_string())
}

/// From days since the first of the first.
fn day(date: tiberius::time::Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1, 1, 1)?.checked_add_days(Days::new(u64::from(date.days())))
}

/// The time of day to the second, and its decimals with their point.
fn clock(increments: u64, scale: u8) -> Option<(NaiveTime, String)> {
    let unit = 10_u64.checked_pow(u32::from(scale))?;
    let seconds = u32::try_from(increments / unit).ok()?;
    let decimals = match scale {
        0 => String::new(),
        scale => format!(".{:0width$}", increments % unit, width = usize::from(scale)),
    };
    Some((NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?, decimals))
}

/// A DATETIME2, moved by so many minutes: what has an offset travels as UTC.
fn moment(time: tiberius::time::DateTime2, offset: i16) -> String {
    let moved = || {
        let (of_day, decimals) = clock(time.time().increments(), time.time().scale())?;
        let moved = day(time.date())?.and_time(of_day).checked_add_signed(TimeDelta::try_minutes(i64::from(offset))?)?;
        Some(format!("{}{decimals}", moved.format("%Y-%m-%d %H:%M:%S")))
    };
    moved().unwrap_or_else(|| BEYOND.to_owned())
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

    use super::*;

    fn told(value: &ColumnData<'_>) -> String {
        shown(value, ColumnType::Null)
    }

    #[test]
    fn amounts_have_all_their_decimals_and_their_sign() {
        let numeric = |units, scale| told(&ColumnData::Numeric(Some(Numeric::new_with_scale(units, scale))));
        assert_eq!(numeric(40_337, 2), "403.37");
        assert_eq!(numeric(-5, 2), "-0.05");
        assert_eq!(numeric(0, 4), "0.0000");
        assert_eq!(numeric(7, 0), "7");
        assert_eq!(shown(&ColumnData::F64(Some(403.5)), ColumnType::Money), "403.5000");
    }

    #[test]
    fn times_are_written_as_the_server_writes_them() {
        // 2026-03-15 is day 46,094 since 1900 and day 739,689 since the first of the first
        assert_eq!(told(&ColumnData::DateTime(Some(DateTime::new(46_094, 300 * 3600 * 9 + 1)))), "2026-03-15 09:00:00.003");
        assert_eq!(told(&ColumnData::SmallDateTime(Some(SmallDateTime::new(46_094, 541)))), "2026-03-15 09:01:00");
        assert_eq!(told(&ColumnData::Date(Some(Date::new(739_689)))), "2026-03-15");
        let time = Time::new(23 * 3600 * 1000 + 5, 3);
        assert_eq!(told(&ColumnData::Time(Some(time))), "23:00:00.005");
        let moment = DateTime2::new(Date::new(739_689), time);
        assert_eq!(told(&ColumnData::DateTime2(Some(moment))), "2026-03-15 23:00:00.005");
        assert_eq!(told(&ColumnData::DateTimeOffset(Some(DateTimeOffset::new(moment, 90)))), "2026-03-16 00:30:00.005 +01:30");
        assert_eq!(told(&ColumnData::DateTime(Some(DateTime::new(i32::MAX, 0)))), BEYOND);
    }

    #[test]
    fn what_is_missing_is_null_and_bytes_are_hexadecimal() {
        assert_eq!(told(&ColumnData::I32(None)), "NULL");
        assert_eq!(told(&ColumnData::String(None)), "NULL");
        assert_eq!(told(&ColumnData::Bit(Some(true))), "1");
        assert_eq!(told(&ColumnData::Binary(Some(vec![0, 0x2B].into()))), "0x002B");
    }
}
