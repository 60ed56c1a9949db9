//! The kinds of value that configuration files hold. Units stand in the value ("30s"), amounts are exact.

use std::time::Duration;

use rust_decimal::Decimal;
use toml::de::DeValue;

use super::errors::{Problem, alternatives, did_you_mean};

/// A value of the file, to be read by one of this module's functions.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(pub(super) &'a DeValue<'a>);

impl Value<'_> {
    pub(super) fn is_table(self) -> bool {
        matches!(self.0, DeValue::Table(_))
    }

    fn expected(self, what: &str) -> Problem {
        Problem::new(format!("expected {what}, found {}", article(self.0)))
    }
}

/// The longest duration: longer ones are typing errors, and bounded ones never overflow a sum of times.
const MAX_DURATION: Duration = Duration::from_hours(3650 * 24);

pub fn boolean(value: Value<'_>) -> Result<bool, Problem> {
    let problem = || value.expected("`true` or `false`");
    match value.0 {
        DeValue::Boolean(boolean) => Ok(*boolean),
        DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
            Err(problem().hint(format!("write {text} without quotes")))
        }
        _ => Err(problem()),
    }
}

/// A text that is not empty.
pub fn text(value: Value<'_>) -> Result<String, Problem> {
    match value.0 {
        DeValue::String(text) if text.trim().is_empty() => Err(Problem::new("expected a text, found an empty one")),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(value.expected("a text in quotes")),
    }
}

/// A 64-bit integer.
pub fn integer(value: Value<'_>) -> Result<i64, Problem> {
    match value.0 {
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_err(|_| Problem::new(format!("the integer {digits} is out of range"))),
        _ => Err(value.expected("an integer")),
    }
}

/// One of a few words.
pub fn choice<T: Copy>(words: &[(&str, T)]) -> impl Fn(Value<'_>) -> Result<T, Problem> {
    move |value| {
        let names = || words.iter().map(|(name, _)| *name);
        let DeValue::String(text) = value.0 else { return Err(value.expected(&alternatives(names()))) };
        if let Some((_, chosen)) = words.iter().find(|(name, _)| name == text) {
            return Ok(*chosen);
        }
        let problem = Problem::new(format!("expected {}, found {}", alternatives(names()), quoted(text)));
        Err(match did_you_mean(text, names()) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        })
    }
}

/// An amount of money, zero or more, of at most 28 digits and 28 decimals; the decimals that are written are kept.
pub fn amount(value: Value<'_>) -> Result<Decimal, Problem> {
    decimal(value, "an amount, zero or more, such as \"3000.00\"", Bounds { digits: 28, decimals: 28 })
}

/// A percentage, zero or more, of at most 15 digits and 15 decimals: an amount of 28 digits times such a percentage is
/// exact in 256 bits, so comparisons with it never round.
pub fn percentage(value: Value<'_>) -> Result<Decimal, Problem> {
    decimal(value, "a percentage, zero or more, such as 50 or \"12.5\"", Bounds { digits: 15, decimals: 15 })
}

const DURATION: &str = "a duration such as \"30s\": a number and one unit, `ms`, `s`, `m` or `h`";

/// A whole number of milliseconds from "0s" to ten years: a number and one unit.
pub fn duration(value: Value<'_>) -> Result<Duration, Problem> {
    match value.0 {
        DeValue::String(text) => duration_of(text),
        DeValue::Integer(digits) => Err(value.expected(DURATION).hint(format!("for seconds write \"{digits}s\""))),
        _ => Err(value.expected(DURATION)),
    }
}

/// As [`duration`], of a text that stands in no file.
pub fn duration_of(text: &str) -> Result<Duration, Problem> {
    let malformed = || {
        let problem = Problem::new(format!("expected {DURATION}, found {}", quoted(text)));
        if Plain::parse(text).is_some() { problem.hint(format!("for seconds write \"{text}s\"")) } else { problem }
    };
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_ms: u128 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => return Err(malformed().hint("for days write hours: a day is \"24h\"")),
        _ => return Err(malformed()),
    };
    let number = Plain::parse(number).ok_or_else(malformed)?;
    if number.is_negative() {
        return Err(Problem::new(format!("a duration must not be negative, found {}", quoted(text))));
    }
    let too_long = || Problem::new(format!("at most ten years (\"87600h\"), found {}", quoted(text)));
    // no more digits than keep the product below within 128 bits
    let digits = number.digits(24).ok_or_else(too_long)?;
    let divisor = u32::try_from(number.decimals.len()).ok().and_then(|decimals| 10_u128.checked_pow(decimals));
    let too_fine = || Problem::new(format!("a duration is a whole number of milliseconds, found {}", quoted(text)));
    let divisor = divisor.ok_or_else(too_fine)?;
    let scaled = digits * unit_ms;
    if !scaled.is_multiple_of(divisor) {
        return Err(too_fine());
    }
    u64::try_from(scaled / divisor)
        .map(Duration::from_millis)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
        .ok_or_else(too_long)
}

#[derive(Clone, Copy)]
struct Bounds {
    digits: usize,
    decimals: usize,
}

/// From a text, an integer, or a float by its shortest decimal text. No arithmetic is done on the float.
fn decimal(value: Value<'_>, expected: &str, bounds: Bounds) -> Result<Decimal, Problem> {
    let (text, found) = match value.0 {
        DeValue::String(text) => (text.clone().into_owned(), quoted(text)),
        DeValue::Integer(digits) => match i128::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => (number.to_string(), digits.to_string()),
            Err(_) => return Err(Problem::new(format!("at most {} digits, found {digits}", bounds.digits))),
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(number) => (number.to_string(), float.to_string()),
            Err(_) => return Err(Problem::new(format!("expected {expected}, found {float}"))),
        },
        _ => return Err(value.expected(expected)),
    };
    let problem = || Problem::new(format!("expected {expected}, found {found}"));
    let Some(plain) = Plain::parse(&text) else {
        return Err(match value.0 {
            DeValue::String(_) => problem().hint("write digits with at most one point between them"),
            _ => problem(),
        });
    };
    if plain.is_negative() {
        return Err(problem());
    }
    if plain.decimals.len() > bounds.decimals {
        return Err(Problem::new(format!("at most {} decimals, found {found}", bounds.decimals)));
    }
    let scale = u32::try_from(plain.decimals.len()).expect("at most 28 decimals");
    plain
        .digits(bounds.digits)
        .and_then(|digits| i128::try_from(digits).ok())
        .and_then(|digits| Decimal::try_from_i128_with_scale(digits, scale).ok())
        .ok_or_else(|| Problem::new(format!("at most {} digits, found {found}", bounds.digits)))
}

/// A number in plain form: an optional `-`, digits, and at most one point with a digit on both sides.
struct Plain<'a> {
    negative: bool,
    whole: &'a str,
    decimals: &'a str,
}

impl<'a> Plain<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) if is_number(decimals) => (whole, decimals),
            Some(_) => return None,
            None => (digits, ""),
        };
        is_number(whole).then_some(Self { negative, whole, decimals })
    }

    /// Minus zero is zero.
    fn is_negative(&self) -> bool {
        self.negative && self.all().any(|byte| byte != b'0')
    }

    /// Whole part and decimals as one number; `None` if it has more digits than `most`, counted from the first that is
    /// not 0. `most` is at most 38, so that the number fits.
    fn digits(&self, most: usize) -> Option<u128> {
        let significant = self.all().skip_while(|byte| *byte == b'0');
        if significant.clone().count() > most {
            return None;
        }
        Some(significant.fold(0, |number, byte| number * 10 + u128::from(byte - b'0')))
    }

    fn all(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.whole.bytes().chain(self.decimals.bytes())
    }
}

/// A value's type, as messages name what was found. The value itself may be a secret.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A text as messages quote it: printable, and not longer than a line.
fn quoted(text: &str) -> String {
    const MOST: usize = 40;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
