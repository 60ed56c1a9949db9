//! FORMAT: .NET's patterns for dates and numbers.

use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike};
use std::fmt::Write as _;

use super::super::error::{SqlError, SqlResult};
use super::super::value::convert::grouped;
use super::super::value::temporal::{day_name, fraction, month_name};
use super::super::value::{Numeric, Type, Value};
use super::{Call, Function, long_text};

pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "FORMAT", least: 2, most: 3, strict: true, result: long_text, call: format }];

fn format(call: &Call<'_>) -> SqlResult<Value> {
    let pattern = call.text(1)?;
    let culture = if call.has(2) { call.text(2)?.to_lowercase() } else { "en-us".to_owned() };
    let text = match &call.values[0] {
        Value::Date(date) => Some(format_date(date.and_time(NaiveTime::MIN), &pattern, &culture)),
        Value::DateTime(time) | Value::DateTimeOffset(time, _) => Some(format_date(*time, &pattern, &culture)),
        Value::Time(time) => Some(format_date(chrono::NaiveDate::default().and_time(*time), &pattern, &culture)),
        Value::Int(_) | Value::Numeric(_) | Value::Float(_) | Value::Bit(_) => {
            let exact = match &call.values[0] {
                Value::Int(n) => Numeric::from(*n),
                Value::Numeric(n) => *n,
                _ => match call.get(0, Type::decimal(38, 10))? {
                    Value::Numeric(n) => n.normalized(),
                    _ => return Ok(Value::Null),
                },
            };
            format_number(exact, &pattern, &culture)
        }
        _ => return Err(SqlError::new(8116, "Argument data type varchar is invalid for argument 1 of format function.")),
    };
    Ok(text.map_or(Value::Null, Value::text))
}

fn format_date(time: NaiveDateTime, pattern: &str, culture: &str) -> String {
    let british = culture == "en-gb";
    let pattern = match pattern {
        "d" if british => "dd/MM/yyyy",
        "d" => "M/d/yyyy",
        "D" if british => "dd MMMM yyyy",
        "D" => "dddd, MMMM d, yyyy",
        "t" => "h:mm tt",
        "T" => "h:mm:ss tt",
        "g" => "M/d/yyyy h:mm tt",
        "G" => "M/d/yyyy h:mm:ss tt",
        "s" => "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
        "u" => "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
        "M" | "m" => "MMMM d",
        "Y" | "y" => "MMMM yyyy",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffff",
        other => other,
    };
    let chars: Vec<char> = pattern.chars().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == '\'' || c == '"' {
            let end = chars[at + 1..].iter().position(|q| *q == c).map_or(chars.len(), |end| at + 1 + end);
            text.extend(&chars[at + 1..end]);
            at = end + 1;
            continue;
        }
        if c == '\\' {
            text.extend(chars.get(at + 1));
            at += 2;
            continue;
        }
        let run = chars[at..].iter().take_while(|x| **x == c).count();
        at += run;
        match (c, run) {
            ('y', 1 | 2) => {
                let _ = write!(text, "{:0run$}", time.year().rem_euclid(100));
            }
            ('y', _) => {
                let _ = write!(text, "{:0run$}", time.year());
            }
            ('M', 1 | 2) => {
                let _ = write!(text, "{:0run$}", time.month());
            }
            ('M', 3) => text.push_str(&month_name(time.month())[..3]),
            ('M', _) => text.push_str(month_name(time.month())),
            ('d', 1 | 2) => {
                let _ = write!(text, "{:0run$}", time.day());
            }
            ('d', 3) => text.push_str(&day_name(time.date())[..3]),
            ('d', _) => text.push_str(day_name(time.date())),
            ('H', _) => {
                let _ = write!(text, "{:0width$}", time.hour(), width = run.min(2));
            }
            ('h', _) => {
                let hour = if time.hour().is_multiple_of(12) { 12 } else { time.hour() % 12 };
                let _ = write!(text, "{hour:0width$}", width = run.min(2));
            }
            ('m', _) => {
                let _ = write!(text, "{:0width$}", time.minute(), width = run.min(2));
            }
            ('s', _) => {
                let _ = write!(text, "{:0width$}", time.second(), width = run.min(2));
            }
            ('f', _) => text.push_str(&fraction(&time, 7)[1..=run.min(7)]),
            ('t', 1) => text.push(if time.hour() < 12 { 'A' } else { 'P' }),
            ('t', _) => text.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
            (other, _) => (0..run).for_each(|_| text.push(other)),
        }
    }
    text
}

fn format_number(n: Numeric, pattern: &str, culture: &str) -> Option<String> {
    let standard = pattern.chars().next().filter(char::is_ascii_alphabetic);
    let digits = pattern.get(1..).unwrap_or("");
    if let Some(letter) = standard.filter(|_| digits.bytes().all(|b| b.is_ascii_digit())) {
        let places = |default: u8| if digits.is_empty() { Some(default) } else { digits.parse().ok().filter(|n| *n <= 28) };
        return match letter.to_ascii_uppercase() {
            'N' => Some(grouped(&n.round_to(places(2)?)?.to_string())),
            'F' => Some(n.round_to(places(2)?)?.to_string()),
            'P' => {
                let percent = n.multiply(Numeric::from(100), n.scale())?;
                Some(format!("{}%", grouped(&percent.round_to(places(2)?)?.to_string())))
            }
            'C' => {
                let sign = if culture == "en-gb" { '£' } else { '$' };
                let text = grouped(&n.round_to(places(2)?)?.to_string());
                Some(match text.strip_prefix('-') {
                    Some(rest) if culture == "en-gb" => format!("-{sign}{rest}"),
                    Some(rest) => format!("({sign}{rest})"),
                    None => format!("{sign}{text}"),
                })
            }
            'D' => {
                let width: usize = if digits.is_empty() { 1 } else { digits.parse().ok().filter(|n| *n <= 100)? };
                let whole = n.trunc();
                let sign = if whole < 0 { "-" } else { "" };
                Some(format!("{sign}{:0width$}", whole.unsigned_abs()))
            }
            'G' => Some(n.normalized().to_string()),
            'X' => Some(format!("{:X}", n.trunc())),
            _ => None,
        };
    }
    custom_number(n, pattern)
}

/// A pattern of `0`, `#`, `,` and `.` with text around it; a second section is for negative numbers.
fn custom_number(n: Numeric, pattern: &str) -> Option<String> {
    let mut sections = pattern.split(';');
    let positive = sections.next().unwrap_or("");
    let negative = sections.next().filter(|_| n.signum() < 0);
    let section = negative.unwrap_or(positive);
    let is_digit = |c: char| matches!(c, '0' | '#' | ',' | '.');
    let Some(start) = section.find(is_digit) else { return Some(section.replace(['\'', '"'], "")) };
    let end = section.rfind(is_digit).map_or(section.len(), |at| at + 1);
    let (prefix, body, suffix) = (&section[..start], &section[start..end], &section[end..]);
    let scaled = if section.contains('%') { n.multiply(Numeric::from(100), n.scale())? } else { n };
    let (whole_pattern, fraction_pattern) = body.split_once('.').unwrap_or((body, ""));
    let places = fraction_pattern.chars().filter(|c| matches!(c, '0' | '#')).count();
    let needed = fraction_pattern.rfind('0').map_or(0, |at| at + 1);
    let rounded = scaled.round_to(u8::try_from(places).ok().filter(|n| *n <= 28)?)?;
    let text = rounded.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let least = whole_pattern.chars().filter(|c| *c == '0').count();
    let whole = if whole == "0" && least == 0 { String::new() } else { format!("{whole:0>least$}") };
    let whole = if whole_pattern.contains(',') { grouped(&whole) } else { whole };
    let mut fraction = fraction.to_owned();
    while fraction.len() > needed && fraction.ends_with('0') {
        fraction.pop();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if negative.is_some() || rounded.is_zero() { "" } else { sign };
    let unquote = |text: &str| text.replace(['\'', '"', '\\'], "");
    Some(format!("{sign}{}{whole}{point}{fraction}{}", unquote(prefix), unquote(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn dates_follow_the_pattern() {
        let time = NaiveDate::from_ymd_opt(2026, 3, 5).and_then(|d| d.and_hms_milli_opt(14, 7, 9, 50)).expect("a time");
        for (pattern, expected) in [
            ("yyyy-MM-dd", "2026-03-05"),
            ("dd/MM/yyyy HH:mm:ss.fff", "05/03/2026 14:07:09.050"),
            ("d MMM yy", "5 Mar 26"),
            ("dddd, MMMM d", "Thursday, March 5"),
            ("hh:mm tt", "02:07 PM"),
            ("yyyyMMdd'T'HHmm", "20260305T1407"),
            ("d", "3/5/2026"),
        ] {
            assert_eq!(format_date(time, pattern, "en-us"), expected, "{pattern}");
        }
        assert_eq!(format_date(time, "d", "en-gb"), "05/03/2026");
    }

    #[test]
    fn numbers_follow_the_pattern() {
        let n = |text: &str| Numeric::parse(text).expect("a number");
        for (number, pattern, expected) in [
            ("1234.5", "N2", "1,234.50"),
            ("1234.565", "#,##0.00", "1,234.57"),
            ("7", "0000000", "0000007"),
            ("0.5", "P0", "50%"),
            ("-3.5", "F1", "-3.5"),
            ("42", "D5", "00042"),
            ("0.00", "#.##", ""),
            ("-1234.5", "C", "($1,234.50)"),
            ("12.5", "0.0#", "12.5"),
            ("291", "FRH0000000", "FRH0000291"),
        ] {
            assert_eq!(format_number(n(number), pattern, "en-us").as_deref(), Some(expected), "{pattern}");
        }
    }
}
