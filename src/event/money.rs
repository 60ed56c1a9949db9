//! Exact money: decimal forms on the wire, and arithmetic that never rounds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ethnum::I256;
use rust_decimal::Decimal;

use super::bad::Expected;
use super::cell::Cell;
use super::formats::DecimalForm;

/// A decimal at a fixed scale of 28, in 256 bits.
///
/// [`Decimal`] holds 96 bits of digits, so sums of decimals of different scales can round there. Any amount that the
/// decoder lets in has at most 28 digits and 28 decimals, hence fits here below 2¹⁸⁷: sums, differences and comparisons
/// of up to 2⁶⁰ of them are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(I256);

const SCALE: u32 = 28;

const POWERS: [u128; 29] = {
    let mut powers = [1; 29];
    let mut n = 1;
    while n < 29 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

impl Exact {
    pub const ZERO: Self = Self(I256::ZERO);

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == I256::ZERO
    }

    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < I256::ZERO
    }

    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// The same value as a [`Decimal`] with at least `scale` decimals, if it has at most 28 digits.
    #[must_use]
    pub fn to_decimal(self, scale: u32) -> Option<Decimal> {
        let scale = scale.min(SCALE);
        // most amounts fit into 128 bits even at this scale, and have the decimals that are asked for
        if let Ok(digits) = i128::try_from(self.0) {
            let power = i128::try_from(POWERS[(SCALE - scale) as usize]).ok()?;
            if digits % power == 0 {
                return Decimal::try_from_i128_with_scale(digits / power, scale).ok();
            }
        }
        let ten = I256::new(10);
        let (mut digits, mut decimals) = (self.0, SCALE);
        while decimals > scale && digits % ten == I256::ZERO {
            digits /= ten;
            decimals -= 1;
        }
        let digits = i128::try_from(digits).ok()?;
        Decimal::try_from_i128_with_scale(digits, decimals).ok()
    }
}

impl From<Decimal> for Exact {
    fn from(amount: Decimal) -> Self {
        Self(I256::from(amount.mantissa()) * I256::from(POWERS[(SCALE - amount.scale()) as usize]))
    }
}

impl std::ops::Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for Exact {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::ops::Neg for Exact {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::iter::Sum for Exact {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, std::ops::Add::add)
    }
}

/// Serialised as digits and scale, which keeps trailing zeros and costs no text.
pub mod compact {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        (amount.mantissa(), amount.scale()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let (digits, scale) = <(i128, u32)>::deserialize(deserializer)?;
        Decimal::try_from_i128_with_scale(digits, scale).map_err(D::Error::custom)
    }

    /// The same for an amount that may be absent.
    pub mod option {
        use super::{Decimal, Deserialize, Deserializer, Error, Serialize, Serializer};

        pub fn serialize<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
            amount.map(|amount| (amount.mantissa(), amount.scale())).serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
            Option::<(i128, u32)>::deserialize(deserializer)?
                .map(|(digits, scale)| Decimal::try_from_i128_with_scale(digits, scale).map_err(D::Error::custom))
                .transpose()
        }
    }
}

/// How an amount stands in a message: stated by its schema or by configuration, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AmountForm {
    /// Base64 of the unscaled integer, big-endian two's complement.
    Precise {
        scale: i32,
    },
    /// Connect's Decimal: as precise, or a JSON number (`decimal.format=NUMERIC`).
    Decimal {
        scale: i32,
    },
    Text,
    Number,
    /// Precise, but nothing says the scale.
    ScaleUnknown,
    /// The schema makes the column something else, or does not know it.
    NotAnAmount,
}

const AS_TEXT: Expected = Expected {
    what: "an amount as text, for example \"-12.50\"",
    hint: Some("the decimal form (precise, string or number) must be the connector's decimal.handling.mode"),
};
const AS_BASE64: Expected = Expected { what: "an amount as base64 of its unscaled integer", hint: AS_TEXT.hint };
const AS_NUMBER: Expected = Expected { what: "an amount as a JSON number", hint: AS_TEXT.hint };
const WITH_SCALE: Expected =
    Expected { what: "an amount whose scale is known", hint: Some("precise decimals without a schema need a configured scale") };
const AN_AMOUNT: Expected = Expected::new("an amount, which the schema says it is not");
const IN_RANGE: Expected = Expected::new("an amount of at most 28 digits and 28 decimals");

const MAX_DIGITS: u128 = POWERS[28] - 1;

impl AmountForm {
    pub(crate) fn configured(form: DecimalForm) -> Self {
        match form {
            DecimalForm::String => Self::Text,
            DecimalForm::Number => Self::Number,
            DecimalForm::Precise { scale: None } => Self::ScaleUnknown,
            // A scale past any i32 is past 28 as well, and no amount fits it.
            DecimalForm::Precise { scale: Some(scale) } => Self::Precise { scale: i32::try_from(scale).unwrap_or(i32::MAX) },
        }
    }

    pub(crate) fn read(self, cell: Cell<'_>) -> Result<Decimal, Expected> {
        match (self, cell) {
            (Self::Text, Cell::Text(text)) => plain(text.as_bytes()).ok_or(AS_TEXT)?.amount(0),
            (Self::Text, Cell::Escaped(_) | Cell::EscapedTwice(_)) => plain(cell.text()?.as_bytes()).ok_or(AS_TEXT)?.amount(0),
            (Self::Precise { scale } | Self::Decimal { scale }, Cell::Text(text)) => base64(text.as_bytes(), scale),
            (Self::Precise { scale } | Self::Decimal { scale }, Cell::Escaped(_) | Cell::EscapedTwice(_)) => {
                base64(cell.text()?.as_bytes(), scale)
            }
            (Self::Decimal { scale }, Cell::Bytes(bytes)) => unscaled(bytes, scale),
            (Self::Number | Self::Decimal { .. }, Cell::Number(literal)) => number(literal),
            (Self::Number, Cell::Integer(integer)) => scaled(i128::from(integer), 0),
            // The shortest text that reads back as the same double: what the database had, if it had up to 15 digits.
            (Self::Number, Cell::Double(double)) => plain(double.to_string().as_bytes()).ok_or(AS_NUMBER)?.amount(0),
            (Self::Text, _) => Err(AS_TEXT),
            (Self::Precise { .. } | Self::Decimal { .. }, _) => Err(AS_BASE64),
            (Self::Number, _) => Err(AS_NUMBER),
            (Self::ScaleUnknown, _) => Err(WITH_SCALE),
            (Self::NotAnAmount, _) => Err(AN_AMOUNT),
        }
    }
}

/// A decimal's plain digits.
struct Digits {
    negative: bool,
    /// `None`: more than 28 digits from the first that is not 0.
    units: Option<u128>,
    decimals: i64,
}

impl Digits {
    /// Times ten to the power of `exponent`.
    fn amount(self, exponent: i64) -> Result<Decimal, Expected> {
        let units = self.units.and_then(|units| i128::try_from(units).ok()).ok_or(IN_RANGE)?;
        scaled(if self.negative { -units } else { units }, self.decimals.saturating_sub(exponent))
    }
}

/// An optional `-`, digits, and at most one point with a digit on both sides.
fn plain(text: &[u8]) -> Option<Digits> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut units = Some(0_u128);
    let mut decimals = None;
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                units = units.map(|units| units * 10 + u128::from(byte - b'0')).filter(|units| *units <= MAX_DIGITS);
                if let Some(decimals) = &mut decimals {
                    *decimals += 1;
                }
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return None,
        }
    }
    let on_both_sides = matches!(text, [b'0'..=b'9', .., b'0'..=b'9'] | [b'0'..=b'9']);
    on_both_sides.then_some(Digits { negative, units, decimals: decimals.unwrap_or(0) })
}

/// A JSON number's literal text.
fn number(literal: &str) -> Result<Decimal, Expected> {
    let Some(e) = literal.bytes().position(|byte| byte == b'e' || byte == b'E') else {
        return plain(literal.as_bytes()).ok_or(AS_NUMBER)?.amount(0);
    };
    let exponent = &literal[e + 1..];
    // An exponent beyond an i64 has the effect of its sign alone.
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    plain(&literal.as_bytes()[..e]).ok_or(AS_NUMBER)?.amount(exponent)
}

/// `units` · 10^-`scale`, if its plain form has at most 28 digits and 28 decimals.
fn scaled(units: i128, scale: i64) -> Result<Decimal, Expected> {
    let (units, scale) = match (units, scale) {
        (0, ..=0) => (0, 0),
        (units, ..0) => {
            let power = usize::try_from(scale.unsigned_abs()).ok().and_then(|n| POWERS.get(n)).ok_or(IN_RANGE)?;
            let power = i128::try_from(*power).map_err(|_| IN_RANGE)?;
            (units.checked_mul(power).ok_or(IN_RANGE)?, 0)
        }
        (units, scale) => (units, scale),
    };
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= SCALE).ok_or(IN_RANGE)?;
    if units.unsigned_abs() > MAX_DIGITS {
        return Err(IN_RANGE);
    }
    Decimal::try_from_i128_with_scale(units, scale).map_err(|_| IN_RANGE)
}

/// Standard alphabet, with padding; bits that belong to no byte must be zero, as every encoder leaves them.
fn base64(text: &[u8], scale: i32) -> Result<Decimal, Expected> {
    // 28 digits need 12 bytes; longer is legal if it repeats the sign.
    let mut inline = [0; 48];
    if base64::decoded_len_estimate(text.len()) <= inline.len() {
        let len = STANDARD.decode_slice(text, &mut inline).map_err(|_| AS_BASE64)?;
        unscaled(&inline[..len], scale)
    } else {
        unscaled(&STANDARD.decode(text).map_err(|_| AS_BASE64)?, scale)
    }
}

/// Big-endian two's complement of any length but none.
fn unscaled(bytes: &[u8], scale: i32) -> Result<Decimal, Expected> {
    let sign: u8 = match bytes.first() {
        None => return Err(AS_BASE64),
        Some(0x80..) => 0xff,
        Some(_) => 0,
    };
    let significant = bytes.iter().position(|byte| *byte != sign).map_or(&bytes[..0], |start| &bytes[start..]);
    let mut wide = [sign; 16];
    let start = wide.len().checked_sub(significant.len()).ok_or(IN_RANGE)?;
    // 16 significant bytes could need the sign bit as a digit; 28 digits need 12.
    if start == 0 {
        return Err(IN_RANGE);
    }
    wide[start..].copy_from_slice(significant);
    scaled(i128::from_be_bytes(wide), i64::from(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: AmountForm, json: &str) -> Option<String> {
        let raw: &serde_json::value::RawValue = serde_json::from_str(json).unwrap();
        form.read(Cell::from_json(raw)).ok().map(|amount| amount.to_string())
    }

    fn text(text: &str) -> Option<String> {
        read(AmountForm::Text, &format!("{text:?}"))
    }

    fn precise(text: &str, scale: i32) -> Option<String> {
        read(AmountForm::Precise { scale }, &format!("{text:?}"))
    }

    #[test]
    fn text_amounts_keep_their_scale() {
        for amount in ["0", "0.00", "403.37", "-0.01", "55.5000", "1234", "9999999999999999.99"] {
            assert_eq!(text(amount).as_deref(), Some(amount));
        }
        assert_eq!(text("-0.00").as_deref(), Some("0.00"));
        assert_eq!(text("007.10").as_deref(), Some("7.10"));
        assert_eq!(read(AmountForm::Text, r#""\u0031.5""#).as_deref(), Some("1.5"));
    }

    #[test]
    fn text_amounts_are_a_minus_digits_and_a_point_and_nothing_else() {
        for amount in [
            "", "-", ".", "1.", ".5", "-.5", "1.2.3", "+1", "--1", " 1", "1 ", "1e3", "12,50", "1_000", "0x10", "NaN",
            "Infinity", "١",
        ] {
            assert_eq!(text(amount), None, "{amount}");
        }
    }

    #[test]
    fn amounts_have_at_most_28_digits_and_28_decimals() {
        let (nines, zeros) = ("9".repeat(28), "0".repeat(27));
        assert_eq!(text(&nines), Some(nines.clone()));
        assert_eq!(text(&format!("-{nines}")), Some(format!("-{nines}")));
        assert_eq!(text(&format!("{nines}9")), None);
        assert_eq!(text(&format!("{nines}.0")), None);
        assert_eq!(text(&format!("000{nines}")), Some(nines.clone()));
        assert_eq!(text(&format!("0.{zeros}1")), Some(format!("0.{zeros}1")));
        assert_eq!(text(&format!("0.{zeros}01")), None);
        assert_eq!(text(&format!("0.{zeros}00")), None);
        assert_eq!(text(&format!("0.{nines}")), Some(format!("0.{nines}")));
        assert_eq!(text(&format!("1.{nines}")), None);
    }

    #[test]
    fn numbers_are_read_from_their_literal_text() {
        let number = |literal: &str| read(AmountForm::Number, literal);
        for (literal, amount) in [
            ("55.5", "55.5"),
            ("1.0E16", "10000000000000000"),
            ("9.007199254740994E13", "90071992547409.94"),
            ("9999999999999999.99", "9999999999999999.99"),
            ("0.1", "0.1"),
            ("-1.50e1", "-15.0"),
            ("100e-2", "1.00"),
            ("1e+3", "1000"),
            ("0.0010e3", "1.0"),
            ("1e27", "1000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("0.00000000000000000000000000000000000001e38", "1"),
            ("0e99999999999999999999", "0"),
            ("-0", "0"),
        ] {
            assert_eq!(number(literal).as_deref(), Some(amount), "{literal}");
        }
        for literal in ["1e28", "1e-29", "10e27", "1e99999999999999999999", "0e-29", "0e-99999999999999999999"] {
            assert_eq!(number(literal), None, "{literal}");
        }
    }

    #[test]
    fn precise_amounts_are_twos_complement_at_the_stated_scale() {
        for (base64, scale, amount) in [
            ("AJ2R", 2, "403.37"),
            ("PYyk", 4, "403.3700"),
            ("PYyk", 2, "40337.00"),
            ("PDM=", 2, "154.11"),
            ("AA==", 2, "0.00"),
            ("B6Eg", 2, "5000.00"),
            ("nA==", 2, "-1.00"),
            ("AIA=", 2, "1.28"),
            ("gA==", 2, "-1.28"),
            ("/w==", 2, "-0.01"),
            ("AQ==", -3, "1000"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", 0, "1"),
            ("/////////////////////////////////w==", 0, "-1"),
        ] {
            assert_eq!(precise(base64, scale).as_deref(), Some(amount), "{base64}");
        }
        let redundant = STANDARD.encode([&[0_u8; 100][..], &[1, 0]].concat());
        assert_eq!(precise(&redundant, 0).as_deref(), Some("256"));
    }

    #[test]
    fn precise_amounts_have_at_most_28_digits_too() {
        let largest = i128::try_from(MAX_DIGITS).unwrap();
        for (units, fits) in [(largest, true), (largest + 1, false), (-largest, true), (-largest - 1, false), (i128::MIN, false)]
        {
            assert_eq!(precise(&STANDARD.encode(units.to_be_bytes()), 2).is_some(), fits, "{units}");
        }
        assert_eq!(precise(&STANDARD.encode([1; 17]), 2), None);
        assert!(precise("AQ==", 28).is_some());
        assert_eq!(precise("AQ==", 29), None);
        assert_eq!(precise("AA==", 29), None);
        assert_eq!(precise("AQ==", -28), None);
        assert_eq!(precise("AQ==", i32::MIN), None);
        assert_eq!(precise("AA==", i32::MIN).as_deref(), Some("0"));
    }

    #[test]
    fn base64_has_the_standard_alphabet_and_its_padding() {
        for text in ["", "AJ2", "PDM", "PDM==", "_w==", "-w==", "AJ2R\n", " AJ2R", "AJ2R=", "403.37", "/x=="] {
            assert_eq!(precise(text, 2), None, "{text:?}");
        }
    }

    #[test]
    fn a_value_of_another_form_is_refused_and_never_guessed() {
        let scale = 2;
        for (form, json, fits) in [
            (AmountForm::Text, r#""1234""#, Some("1234")),
            (AmountForm::Precise { scale }, r#""1234""#, Some("-26588.24")),
            (AmountForm::Number, "1234", Some("1234")),
            (AmountForm::Decimal { scale }, "1234", Some("1234")),
            (AmountForm::Text, "1234", None),
            (AmountForm::Precise { scale }, "1234", None),
            (AmountForm::Number, r#""1234""#, None),
            (AmountForm::ScaleUnknown, r#""1234""#, None),
            (AmountForm::NotAnAmount, r#""1234""#, None),
            (AmountForm::Text, "true", None),
            (AmountForm::Number, "[]", None),
            (AmountForm::Decimal { scale }, "{}", None),
        ] {
            assert_eq!(read(form, json).as_deref(), fits, "{form:?} {json}");
        }
    }

    #[test]
    fn a_double_of_avro_is_read_by_its_shortest_text() {
        let read = |double| AmountForm::Number.read(Cell::Double(double)).ok().map(|amount| amount.to_string());
        assert_eq!(read(403.37).as_deref(), Some("403.37"));
        assert_eq!(read(1.0e16).as_deref(), Some("10000000000000000"));
        assert_eq!(read(f64::NAN), None);
        assert_eq!(read(f64::NEG_INFINITY), None);
    }
}
