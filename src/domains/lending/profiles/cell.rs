//! What a cell of the profile file holds: amounts, dates, bits. SQLite's columns take any type, so each cell is looked at.

use chrono::NaiveDate;
use compact_str::CompactString;
use rusqlite::types::ValueRef;
use rust_decimal::Decimal;

/// What is wrong with a cell; its value is not told, since rows hold personal data.
type Problem = &'static str;

/// As many as an amount of a message can have.
const MAX_DIGITS: u128 = 10_u128.pow(28) - 1;
const MAX_DECIMALS: u32 = 28;

/// A decimal as text or as an integer. SQL Server's own tools write `.50` for a half.
pub(super) fn amount(cell: ValueRef<'_>) -> Result<Option<Decimal>, Problem> {
    match cell {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(units) => Ok(Some(Decimal::from(units))),
        ValueRef::Text(text) => decimal(text.trim_ascii()).map(Some).ok_or("is not a decimal of at most 28 digits"),
        ValueRef::Real(_) => Err("is a binary floating-point number, which does not hold amounts exactly"),
        ValueRef::Blob(_) => Err("is a blob, not a decimal"),
    }
}

fn decimal(text: &[u8]) -> Option<Decimal> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut units, mut digits, mut decimals) = (0_u128, 0_u32, None);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                units = units * 10 + u128::from(byte - b'0');
                if units > MAX_DIGITS {
                    return None;
                }
                digits += 1;
                decimals = decimals.map(|decimals: u32| decimals + 1);
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return None,
        }
    }
    let decimals = decimals.unwrap_or(0);
    if digits == 0 || decimals > MAX_DECIMALS || text.ends_with(b".") {
        return None;
    }
    let units = i128::try_from(units).ok()?;
    Decimal::try_from_i128_with_scale(if negative { -units } else { units }, decimals).ok()
}

/// ISO text, perhaps with a time of day, of which nothing is asked but that it begins like one.
pub(super) fn date(cell: ValueRef<'_>) -> Result<Option<NaiveDate>, Problem> {
    match cell {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => iso_date(text).map(Some).ok_or("is not a date of the form 2026-01-31"),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err("is not a date as text"),
    }
}

fn iso_date(text: &[u8]) -> Option<NaiveDate> {
    let (date, rest) = text.trim_ascii_end().split_at_checked(10)?;
    let number =
        |digits: &[u8]| digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0')));
    let is_time = matches!(rest, [] | [b'T' | b' ', b'0'..=b'2', b'0'..=b'9', b':', ..]);
    if date[4] != b'-' || date[7] != b'-' || !is_time {
        return None;
    }
    let year = i32::try_from(number(&date[..4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&date[5..7])?, number(&date[8..])?)
}

/// 0 or 1, also as text, as spreadsheets and scripts write them.
pub(super) fn bit(cell: ValueRef<'_>) -> Result<Option<bool>, Problem> {
    match cell {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(0) | ValueRef::Text(b"0") => Ok(Some(false)),
        ValueRef::Integer(1) | ValueRef::Text(b"1") => Ok(Some(true)),
        _ => Err("is neither 0 nor 1"),
    }
}

pub(super) fn integer(cell: ValueRef<'_>) -> Result<Option<i64>, Problem> {
    const PROBLEM: Problem = "is not an integer";
    match cell {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number)),
        ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).map(Some).ok_or(PROBLEM),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(PROBLEM),
    }
}

pub(super) fn text(cell: ValueRef<'_>) -> Result<Option<CompactString>, Problem> {
    match cell {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(compact_str::format_compact!("{number}"))),
        ValueRef::Text(text) => CompactString::from_utf8(text).map(Some).map_err(|_| "is not UTF-8"),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err("is not text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount_of(text: &str) -> Option<String> {
        amount(ValueRef::Text(text.as_bytes())).ok().flatten().map(|amount| amount.to_string())
    }

    #[test]
    fn amounts_keep_their_decimals() {
        for text in ["0", "0.00", "12.5000", "-3.10", "9999999999999999999999999999", "0.0000000000000000000000000001"] {
            assert_eq!(amount_of(text).as_deref(), Some(text));
        }
        assert_eq!(amount_of(" 1.50 ").as_deref(), Some("1.50"));
        assert_eq!(amount_of(".50").as_deref(), Some("0.50"));
        assert_eq!(amount_of("-.50").as_deref(), Some("-0.50"));
        assert_eq!(amount(ValueRef::Integer(100)), Ok(Some(Decimal::ONE_HUNDRED)));
        assert_eq!(amount(ValueRef::Null), Ok(None));
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for text in ["", " ", "-", ".", "5.", "1,00", "1e3", "+1", "--1", "1.2.3", "£5", "10000000000000000000000000000", "NaN"]
        {
            assert_eq!(amount_of(text), None, "{text}");
        }
        assert_eq!(amount_of(&format!("0.{}", "0".repeat(29))), None);
        assert!(amount(ValueRef::Real(1.0)).unwrap_err().contains("floating-point"));
        assert!(amount(ValueRef::Blob(b"1")).is_err());
    }

    #[test]
    fn a_date_may_have_a_time_of_day() {
        let date_of = |text: &str| date(ValueRef::Text(text.as_bytes())).ok().flatten().map(|date| date.to_string());
        for text in ["2026-01-31", "2026-01-31 00:00:00.000", "2026-01-31T09:30", "2026-01-31   "] {
            assert_eq!(date_of(text).as_deref(), Some("2026-01-31"), "{text}");
        }
        for text in ["", "2026-02-30", "31/01/2026", "2026-1-31", "20260131", "2026-01-31x", "2026-01-3é", "2026-01-31 x"] {
            assert_eq!(date_of(text), None, "{text}");
        }
        assert!(date(ValueRef::Integer(20_260_131)).is_err());
    }

    #[test]
    fn a_bit_is_0_or_1_as_number_or_text() {
        assert_eq!(bit(ValueRef::Integer(1)), Ok(Some(true)));
        assert_eq!(bit(ValueRef::Text(b"0")), Ok(Some(false)));
        assert_eq!(bit(ValueRef::Null), Ok(None));
        assert!(bit(ValueRef::Integer(2)).is_err());
        assert!(bit(ValueRef::Text(b"true")).is_err());
    }
}
