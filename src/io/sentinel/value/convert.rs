//! Conversions between types: implicit ones on assignment, CAST and CONVERT.

#![expect(clippy::float_arithmetic, reason = "FLOAT is a type of T-SQL; money and decimals never pass through it")]

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Datelike, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use uuid::Uuid;

use super::super::clock::to_datetime;
use super::super::error::{SqlError, SqlResult};
use super::Value;
use super::numeric::Numeric;
use super::temporal::{self, DateOrder};
use super::ty::Type;

/// What a conversion hangs on besides the value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conversion {
    pub(crate) order: DateOrder,
    /// CONVERT's third argument.
    pub(crate) style: Option<i64>,
    /// CAST cuts text that is too long; an assignment refuses it.
    pub(crate) explicit: bool,
}

impl Conversion {
    pub(crate) fn implicit(order: DateOrder) -> Self {
        Self { order, ..Self::default() }
    }

    /// The value as `to`; `from` names its type in messages and tells money from other decimals.
    pub(crate) fn convert(self, value: &Value, from: Type, to: Type) -> SqlResult<Value> {
        if value.is_null() || to == Type::Null {
            return Ok(value.clone());
        }
        match to {
            Type::Null => Ok(value.clone()),
            Type::Bit => Self::to_bit(value, from),
            Type::TinyInt => self.to_int(value, from, to, 0, 255),
            Type::SmallInt => self.to_int(value, from, to, i64::from(i16::MIN), i64::from(i16::MAX)),
            Type::Int => self.to_int(value, from, to, i64::from(i32::MIN), i64::from(i32::MAX)),
            Type::BigInt => self.to_int(value, from, to, i64::MIN, i64::MAX),
            Type::Decimal { precision, scale } => Self::to_numeric(value, from, to, precision, scale),
            Type::Money => Self::to_numeric(value, from, to, 19, 4),
            Type::SmallMoney => Self::to_numeric(value, from, to, 10, 4),
            Type::Real | Type::Float => Self::to_float(value, from, to),
            Type::Char(n) | Type::NChar(n) => self.to_char(value, from, to, Some(n), true),
            Type::VarChar(n) | Type::NVarChar(n) => self.to_char(value, from, to, n, false),
            Type::Date => Ok(Value::Date(self.to_moment(value, from, to)?.0.date())),
            Type::Time(digits) => self.to_time(value, from, to, digits),
            Type::SmallDateTime => {
                let time = self.to_moment(value, from, to)?.0;
                let half_up = i64::from(time.second() >= 30) * 60;
                let rounded = TimeDelta::seconds(half_up - i64::from(time.second()));
                let whole = time.with_nanosecond(0).and_then(|t| t.checked_add_signed(rounded));
                whole.map(Value::DateTime).ok_or_else(|| out_of_range(from, to))
            }
            Type::DateTime => {
                let time = self.to_moment(value, from, to)?.0;
                let time = to_datetime(time).filter(|t| t.year() >= 1753);
                time.map(Value::DateTime).ok_or_else(|| out_of_range(from, to))
            }
            Type::DateTime2(digits) => {
                let time = temporal::round_fraction(self.to_moment(value, from, to)?.0, digits);
                time.map(Value::DateTime).ok_or_else(|| out_of_range(from, to))
            }
            Type::DateTimeOffset(digits) => {
                let (time, offset) = self.to_moment(value, from, to)?;
                let time = temporal::round_fraction(time, digits).ok_or_else(|| out_of_range(from, to))?;
                Ok(Value::DateTimeOffset(time, offset))
            }
            Type::UniqueIdentifier => Self::to_guid(value, from, to),
            Type::Binary(n) => Self::to_binary(value, from, to, Some(n), true),
            Type::VarBinary(n) => Self::to_binary(value, from, to, n, false),
        }
    }

    fn to_bit(value: &Value, from: Type) -> SqlResult<Value> {
        Ok(Value::Bit(match value {
            Value::Bit(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Numeric(n) => !n.is_zero(),
            Value::Float(f) => *f != 0.0,
            Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" => true,
                "false" | "" => false,
                digits => digits.parse::<i64>().map_err(|_| failed(text, from, Type::Bit))? != 0,
            },
            _ => return Err(not_allowed(from, Type::Bit)),
        }))
    }

    fn to_int(self, value: &Value, from: Type, to: Type, least: i64, most: i64) -> SqlResult<Value> {
        let wide: i128 = match value {
            Value::Bit(b) => i128::from(*b),
            Value::Int(n) => i128::from(*n),
            // MONEY rounds, DECIMAL is cut.
            Value::Numeric(n) if from.is_money() => n.round_to(0).map_or_else(|| n.trunc(), Numeric::mantissa),
            Value::Numeric(n) => n.trunc(),
            #[expect(clippy::cast_possible_truncation, reason = "saturates, and the range is checked below")]
            Value::Float(f) => f.trunc() as i128,
            Value::Text(text) => {
                let digits = text.trim();
                let digits = digits.strip_prefix('+').unwrap_or(digits);
                if digits.is_empty() { 0 } else { digits.parse().map_err(|_| failed(text, from, to))? }
            }
            Value::DateTime(time) if self.explicit => {
                let days = (time.date() - temporal::base_date()).num_days();
                i128::from(days) + i128::from(time.hour() >= 12)
            }
            Value::Binary(bytes) => bytes.iter().rev().take(8).rev().fold(0, |n, b| (n << 8) | i128::from(*b)),
            _ => return Err(not_allowed(from, to)),
        };
        match i64::try_from(wide) {
            Ok(n) if (least..=most).contains(&n) => Ok(Value::Int(n)),
            _ if matches!(value, Value::Text(_)) => Err(SqlError::new(
                248,
                format!("The conversion of the {} value '{wide}' overflowed an {} column.", from.family(), to.family()),
            )),
            _ => Err(SqlError::overflow(to.family())),
        }
    }

    fn to_numeric(value: &Value, from: Type, to: Type, precision: u8, scale: u8) -> SqlResult<Value> {
        let exact = match value {
            Value::Bit(b) => Numeric::from(i64::from(*b)),
            Value::Int(n) => Numeric::from(*n),
            Value::Numeric(n) => *n,
            Value::Float(f) => float_to_numeric(*f).ok_or_else(|| arithmetic_overflow(from, to))?,
            Value::Text(text) => {
                let trimmed = text.trim();
                let cleaned: String = if to.is_money() {
                    trimmed.chars().filter(|c| !matches!(c, ',' | '$' | '£' | '€')).collect()
                } else {
                    trimmed.to_owned()
                };
                let read = if cleaned.is_empty() && to.is_money() { Some(Numeric::from(0)) } else { Numeric::parse(&cleaned) };
                read.ok_or_else(|| {
                    let target = if to.is_money() { to.family() } else { "numeric" };
                    let message = format!("Error converting data type {} to {target}.", from.family());
                    SqlError::new(if to.is_money() { 235 } else { 8114 }, message).with_hint(format!("the value was '{text}'"))
                })?
            }
            _ => return Err(not_allowed(from, to)),
        };
        let rounded = exact.round_to(scale).filter(|n| n.fits(precision));
        rounded.map(Value::Numeric).ok_or_else(|| arithmetic_overflow(from, to))
    }

    fn to_float(value: &Value, from: Type, to: Type) -> SqlResult<Value> {
        #[expect(clippy::cast_precision_loss, reason = "a conversion to float that the script asked for")]
        let float = match value {
            Value::Bit(b) => f64::from(u8::from(*b)),
            Value::Int(n) => *n as f64,
            Value::Numeric(n) => n.to_f64(),
            Value::Float(f) => *f,
            Value::Text(text) => {
                let parsed = text.trim().parse::<f64>().ok().filter(|f| f.is_finite());
                parsed.ok_or_else(|| {
                    SqlError::new(8114, format!("Error converting data type {} to {}.", from.family(), to.family()))
                        .with_hint(format!("the value was '{text}'"))
                })?
            }
            _ => return Err(not_allowed(from, to)),
        };
        #[expect(clippy::cast_possible_truncation, reason = "REAL has the precision of f32")]
        Ok(Value::Float(if to == Type::Real { f64::from(float as f32) } else { float }))
    }

    fn to_char(self, value: &Value, from: Type, to: Type, length: Option<u32>, padded: bool) -> SqlResult<Value> {
        let text = match value {
            Value::Text(text) => Arc::clone(text),
            other => Arc::from(self.print(other, from)?),
        };
        let Some(length) = length else { return Ok(Value::Text(text)) };
        let length = length as usize;
        let count = if text.is_ascii() { text.len() } else { text.chars().count() };
        if count > length {
            let cut: String = text.chars().take(length).collect();
            // Blanks at the end never count as too long.
            let only_blanks = text[cut.len()..].bytes().all(|b| b == b' ');
            if !self.explicit && !only_blanks {
                return Err(SqlError::new(2628, "String or binary data would be truncated.")
                    .with_hint(format!("{to} takes {length} characters; truncated value: '{cut}'")));
            }
            if self.explicit && !only_blanks && from.is_number() {
                return if matches!(value, Value::Int(_)) && !matches!(to, Type::NChar(_) | Type::NVarChar(_)) {
                    Ok(Value::text("*"))
                } else {
                    Err(arithmetic_overflow(from, to))
                };
            }
            return Ok(Value::text(cut));
        }
        if padded && count < length {
            return Ok(Value::text(format!("{text}{}", " ".repeat(length - count))));
        }
        Ok(Value::Text(text))
    }

    /// A value as text.
    pub(crate) fn print(self, value: &Value, from: Type) -> SqlResult<String> {
        let style = |default: i64| self.style.unwrap_or(default);
        let styled = |time: NaiveDateTime, default: i64| {
            temporal::styled(time, style(default)).ok_or_else(|| {
                SqlError::new(
                    281,
                    format!("{} is not a valid style number when converting to a character string.", style(default)),
                )
            })
        };
        Ok(match value {
            Value::Null => String::new(),
            Value::Bit(b) => u8::from(*b).to_string(),
            Value::Int(n) => n.to_string(),
            Value::Numeric(n) if from.is_money() => match self.style {
                Some(2 | 126) => n.to_string(),
                Some(1) => grouped(&n.round_to(2).unwrap_or(*n).to_string()),
                _ => n.round_to(2).unwrap_or(*n).to_string(),
            },
            Value::Numeric(n) => n.to_string(),
            Value::Float(f) => print_float(*f),
            Value::Text(text) => text.to_string(),
            Value::Date(date) => styled(date.and_time(NaiveTime::MIN), 23)?,
            Value::Time(time) => {
                let digits = if let Type::Time(digits) = from { digits } else { 7 };
                format!("{}{}", time.format("%H:%M:%S"), temporal::fraction(time, digits))
            }
            Value::DateTime(time) => match (from, self.style) {
                (Type::DateTime2(digits), None | Some(21 | 25 | 121)) => {
                    format!("{}{}", time.format("%Y-%m-%d %H:%M:%S"), temporal::fraction(time, digits))
                }
                (Type::DateTime2(digits), Some(126 | 127)) => {
                    format!("{}{}", time.format("%Y-%m-%dT%H:%M:%S"), temporal::fraction(time, digits))
                }
                _ => styled(*time, 0)?,
            },
            Value::DateTimeOffset(time, offset) => {
                let digits = if let Type::DateTimeOffset(digits) = from { digits } else { 7 };
                let sign = if *offset < 0 { '-' } else { '+' };
                let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
                let fraction = temporal::fraction(time, digits);
                format!("{}{fraction} {sign}{hours:02}:{minutes:02}", time.format("%Y-%m-%d %H:%M:%S"))
            }
            Value::Guid(guid) => guid.hyphenated().to_string().to_uppercase(),
            Value::Binary(bytes) => match self.style {
                Some(1) => format!("0x{}", hex(bytes)),
                Some(2) => hex(bytes),
                _ => String::from_utf8_lossy(bytes).into_owned(),
            },
        })
    }

    fn to_moment(self, value: &Value, from: Type, to: Type) -> SqlResult<(NaiveDateTime, i16)> {
        match value {
            Value::Date(date) => Ok((date.and_time(NaiveTime::MIN), 0)),
            Value::Time(time) if to != Type::Date => Ok((temporal::base_date().and_time(*time), 0)),
            Value::DateTime(time) => Ok((*time, 0)),
            Value::DateTimeOffset(time, offset) => Ok((*time, *offset)),
            Value::Text(text) => {
                let order = match self.style {
                    Some(3 | 4 | 5 | 6 | 13 | 103 | 104 | 105 | 106 | 113) => DateOrder::Dmy,
                    Some(1 | 7 | 10 | 101 | 107 | 110) => DateOrder::Mdy,
                    Some(2 | 11 | 12 | 20 | 21 | 23 | 102 | 111 | 112 | 120 | 121 | 126) => DateOrder::Ymd,
                    _ => self.order,
                };
                let read = temporal::parse(text, order);
                let message = "Conversion failed when converting date and/or time from character string.";
                read.map(|(time, offset)| (time, offset.unwrap_or(0)))
                    .ok_or_else(|| SqlError::new(241, message).with_hint(format!("the value was '{text}'")))
            }
            Value::Int(_) | Value::Numeric(_) | Value::Float(_) if matches!(to, Type::DateTime | Type::SmallDateTime) => {
                days_since_1900(value).map(|time| (time, 0)).ok_or_else(|| SqlError::overflow(to.family()))
            }
            Value::Binary(bytes) => temporal::from_binary(bytes, to).map(|time| (time, 0)).ok_or_else(|| not_allowed(from, to)),
            _ => Err(not_allowed(from, to)),
        }
    }

    fn to_time(self, value: &Value, from: Type, to: Type, digits: u8) -> SqlResult<Value> {
        let moment = match value {
            Value::Time(time) => temporal::base_date().and_time(*time),
            Value::Date(_) => return Err(not_allowed(from, to)),
            other => self.to_moment(other, from, to)?.0,
        };
        let rounded = temporal::round_fraction(moment, digits).ok_or_else(|| out_of_range(from, to))?;
        Ok(Value::Time(rounded.time()))
    }

    fn to_guid(value: &Value, from: Type, to: Type) -> SqlResult<Value> {
        match value {
            Value::Guid(guid) => Ok(Value::Guid(*guid)),
            Value::Text(text) => Uuid::parse_str(text.trim()).map(Value::Guid).map_err(|_| {
                SqlError::new(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
                    .with_hint(format!("the value was '{text}'"))
            }),
            Value::Binary(bytes) => Uuid::from_slice(bytes).map(Value::Guid).map_err(|_| failed("0x…", from, to)),
            _ => Err(not_allowed(from, to)),
        }
    }

    fn to_binary(value: &Value, from: Type, to: Type, length: Option<u32>, padded: bool) -> SqlResult<Value> {
        let mut bytes = match value {
            Value::Binary(bytes) => bytes.to_vec(),
            Value::Text(text) => text.as_bytes().to_vec(),
            Value::Guid(guid) => guid.as_bytes().to_vec(),
            Value::Int(n) if matches!(from, Type::BigInt) => n.to_be_bytes().to_vec(),
            Value::Int(n) => n.to_be_bytes()[4..].to_vec(),
            Value::Bit(b) => vec![u8::from(*b)],
            _ => return Err(not_allowed(from, to)),
        };
        if let Some(length) = length {
            bytes.truncate(length as usize);
            if padded {
                bytes.resize(length as usize, 0);
            }
        }
        Ok(Value::Binary(bytes.into()))
    }
}

/// The moment so many days after 1900-01-01.
pub(crate) fn days_since_1900(value: &Value) -> Option<NaiveDateTime> {
    let start = temporal::base_date().and_time(NaiveTime::MIN);
    let micros = match value {
        Value::Int(days) => return start.checked_add_signed(TimeDelta::try_days(*days)?),
        Value::Numeric(days) => i64::try_from(days.multiply(Numeric::from(86_400_000_000), 0)?.mantissa()).ok()?,
        #[expect(clippy::cast_possible_truncation, reason = "saturates; the calendar is checked below")]
        Value::Float(days) => (days * 86_400_000_000.0) as i64,
        _ => return None,
    };
    to_datetime(start.checked_add_signed(TimeDelta::microseconds(micros))?)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Digits in groups of three before the point.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, String::new()), |(w, f)| (w, format!(".{f}")));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}{fraction}")
}

fn float_to_numeric(value: f64) -> Option<Numeric> {
    if !value.is_finite() || value.abs() >= 1e38 {
        return None;
    }
    // The shortest text that reads back as this float, at most 17 digits.
    let text = format!("{value}");
    match text.split_once('.') {
        Some((_, fraction)) if fraction.len() > 20 => Numeric::parse(&format!("{value:.20}")),
        _ => Numeric::parse(&text),
    }
}

/// Up to six significant digits, as SQL Server's style 0 prints a float.
fn print_float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if (-5..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        trim(&format!("{value:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:03}", trim(mantissa), exponent.abs())
    }
}

fn failed(text: &str, from: Type, to: Type) -> SqlError {
    let message = format!("Conversion failed when converting the {} value '{text}' to data type {}.", from.family(), to.family());
    SqlError::new(245, message)
}

fn not_allowed(from: Type, to: Type) -> SqlError {
    SqlError::new(529, format!("Explicit conversion from data type {} to {} is not allowed.", from.family(), to.family()))
}

fn out_of_range(from: Type, to: Type) -> SqlError {
    let message = format!(
        "The conversion of a {} data type to a {} data type resulted in an out-of-range value.",
        from.family(),
        to.family()
    );
    SqlError::new(242, message)
}

fn arithmetic_overflow(from: Type, to: Type) -> SqlError {
    SqlError::new(8115, format!("Arithmetic overflow error converting {} to data type {}.", from.family(), to.family()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(value: &Value, from: Type, to: Type) -> Result<String, i32> {
        let cast = Conversion { explicit: true, ..Conversion::default() };
        let converted = cast.convert(value, from, to).map_err(|e| e.number)?;
        cast.print(&converted, to).map_err(|e| e.number)
    }

    #[test]
    fn decimals_round_half_away_from_zero_and_overflow() {
        let (text, to) = (Type::VarChar(Some(20)), Type::decimal(5, 2));
        for (value, expected) in [
            ("1.005", Ok("1.01")),
            ("-1.005", Ok("-1.01")),
            ("999.994", Ok("999.99")),
            ("999.995", Err(8115)),
            ("abc", Err(8114)),
            ("", Err(8114)),
            ("1,5", Err(8114)),
        ] {
            assert_eq!(cast(&Value::text(value), text, to), expected.map(str::to_owned), "{value}");
        }
    }

    #[test]
    fn integers_are_checked_against_their_type() {
        let text = Type::VarChar(Some(20));
        assert_eq!(cast(&Value::text(" 12 "), text, Type::Int), Ok("12".to_owned()));
        assert_eq!(cast(&Value::text("12.5"), text, Type::Int), Err(245));
        assert_eq!(cast(&Value::text("99999999999"), text, Type::Int), Err(248));
        assert_eq!(cast(&Value::Int(256), Type::Int, Type::TinyInt), Err(8115));
        let cut = Value::Numeric(Numeric::parse("2.9").expect("a number"));
        assert_eq!(cast(&cut, Type::decimal(2, 1), Type::Int), Ok("2".to_owned()));
        let money = Value::Numeric(Numeric::parse("2.5000").expect("a number"));
        assert_eq!(cast(&money, Type::Money, Type::Int), Ok("3".to_owned()));
    }

    #[test]
    fn text_is_cut_by_cast_and_refused_by_assignment() {
        let from = Type::VarChar(Some(9));
        assert_eq!(cast(&Value::text("abcdef"), from, Type::VarChar(Some(3))), Ok("abc".to_owned()));
        let implicit = Conversion::default();
        let refused = implicit.convert(&Value::text("abcdef"), from, Type::VarChar(Some(3)));
        assert_eq!(refused.map_err(|e| e.number), Err(2628));
        let blanks = implicit.convert(&Value::text("abc   "), from, Type::VarChar(Some(3)));
        assert_eq!(blanks, Ok(Value::text("abc")));
        assert_eq!(cast(&Value::text("ab"), from, Type::Char(4)), Ok("ab  ".to_owned()));
    }

    #[test]
    fn floats_print_six_digits() {
        for (value, expected) in [(0.5, "0.5"), (1234.5678, "1234.57"), (1e10, "1e+010"), (100_000.0, "100000"), (-0.25, "-0.25")]
        {
            assert_eq!(print_float(value), expected);
        }
    }

    #[test]
    fn groups_of_three() {
        assert_eq!(grouped("-1234567.50"), "-1,234,567.50");
        assert_eq!(grouped("123"), "123");
    }
}
