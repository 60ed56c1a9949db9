//! Exact decimal numbers of up to 38 digits, with SQL Server's result types.

use std::cmp::Ordering;
use std::fmt;

/// The most digits that a decimal of SQL Server has.
pub(crate) const MAX_PRECISION: u8 = 38;

/// `mantissa / 10^scale`; the mantissa has at most 38 digits.
///
/// Equality and order are numeric: `1.50` equals `1.5`.
#[derive(Clone, Copy, Debug)]
pub struct Numeric {
    mantissa: i128,
    scale: u8,
}

/// `10^n` for `n` up to 38.
pub(crate) fn pow10(n: u8) -> i128 {
    10i128.pow(u32::from(n.min(MAX_PRECISION)))
}

impl Numeric {
    /// A number from its unscaled value; `None` when it has more than 38 digits.
    #[must_use]
    pub fn new(mantissa: i128, scale: u8) -> Option<Self> {
        let fits = scale <= MAX_PRECISION && mantissa.unsigned_abs() < pow10(38).unsigned_abs();
        fits.then_some(Self { mantissa, scale })
    }

    /// The digits without the point.
    #[must_use]
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many digits stand behind the point.
    #[must_use]
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Reads an optional sign, digits, and at most one point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        let scale = u8::try_from(fraction.len()).ok()?;
        Self::new(if negative { -mantissa } else { mantissa }, scale)
    }

    /// The nearest number with this scale, halves away from zero.
    #[must_use]
    pub fn round_to(self, scale: u8) -> Option<Self> {
        if scale >= self.scale {
            let factor = pow10(scale - self.scale);
            return Self::new(self.mantissa.checked_mul(factor)?, scale);
        }
        let divisor = pow10(self.scale - scale);
        let (whole, rest) = (self.mantissa / divisor, self.mantissa % divisor);
        let away = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
        Self::new(if away { whole + self.mantissa.signum() } else { whole }, scale)
    }

    /// The digits behind `scale` cut off.
    #[must_use]
    pub fn truncate_to(self, scale: u8) -> Option<Self> {
        if scale >= self.scale {
            return self.round_to(scale);
        }
        Self::new(self.mantissa / pow10(self.scale - scale), scale)
    }

    /// Whether the number fits `precision` digits in all.
    #[must_use]
    pub fn fits(self, precision: u8) -> bool {
        self.mantissa.unsigned_abs() < pow10(precision).unsigned_abs()
    }

    #[must_use]
    pub(crate) fn negate(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    #[must_use]
    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub(crate) fn signum(self) -> i128 {
        self.mantissa.signum()
    }

    /// Digits in all, at least one and at least as many as stand behind the point.
    pub(crate) fn precision(self) -> u8 {
        let digits = self.mantissa.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
        u8::try_from(digits).unwrap_or(MAX_PRECISION).max(self.scale).max(1)
    }

    pub(crate) fn add(self, other: Self, scale: u8) -> Option<Self> {
        let common = self.scale.max(other.scale);
        let widen = |n: Self| n.mantissa.checked_mul(pow10(common - n.scale));
        let sum = Self { mantissa: widen(self)?.checked_add(widen(other)?)?, scale: common };
        sum.round_to(scale)
    }

    pub(crate) fn multiply(self, other: Self, scale: u8) -> Option<Self> {
        let exact_scale = self.scale + other.scale;
        let negative = self.signum() * other.signum() < 0;
        let wide = Wide::product(self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        let magnitude = if exact_scale > scale {
            wide.divide_pow10(exact_scale - scale - 1).rounded_tenth()
        } else {
            Wide::product(wide.to_u128()?, pow10(scale - exact_scale).unsigned_abs())
        };
        let magnitude = i128::try_from(magnitude.to_u128()?).ok()?;
        Self::new(if negative { -magnitude } else { magnitude }, scale)
    }

    /// The quotient cut off behind `scale`, as SQL Server does; `None` on overflow. The divisor is not zero.
    pub(crate) fn divide(self, other: Self, scale: u8) -> Option<Self> {
        let negative = self.signum() * other.signum() < 0;
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let dividend = self.mantissa.unsigned_abs();
        let divisor = other.mantissa.unsigned_abs();
        let quotient = if shift >= 0 {
            let shift = u8::try_from(shift).ok()?;
            let (first, second) = (shift.min(38), shift.saturating_sub(38));
            let wide = Wide::product(dividend, pow10(first).unsigned_abs());
            let wide = if second > 0 { wide.times_pow10(second)? } else { wide };
            wide.divide(divisor)?
        } else {
            dividend.checked_div(divisor)? / pow10(u8::try_from(-shift).ok()?).unsigned_abs()
        };
        let magnitude = i128::try_from(quotient).ok()?;
        Self::new(if negative { -magnitude } else { magnitude }, scale)
    }

    pub(crate) fn remainder(self, other: Self, scale: u8) -> Option<Self> {
        let common = self.scale.max(other.scale);
        let left = self.mantissa.checked_mul(pow10(common - self.scale))?;
        let right = other.mantissa.checked_mul(pow10(common - other.scale))?;
        Self { mantissa: left.checked_rem(right)?, scale: common }.round_to(scale)
    }

    /// The whole part, toward negative infinity.
    pub(crate) fn floor(self) -> i128 {
        self.mantissa.div_euclid(pow10(self.scale))
    }

    /// The whole part, toward zero.
    pub(crate) fn trunc(self) -> i128 {
        self.mantissa / pow10(self.scale)
    }

    #[expect(clippy::cast_precision_loss, reason = "a conversion to float that the script asked for")]
    pub(crate) fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(self.mantissa as f64)
    }

    /// The same number without zeros at the end of its fraction: equal numbers have equal forms.
    pub(crate) fn normalized(self) -> Self {
        let mut n = self;
        while n.scale > 0 && n.mantissa % 10 == 0 {
            n = Self { mantissa: n.mantissa / 10, scale: n.scale - 1 };
        }
        n
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Self { mantissa: i128::from(value), scale: 0 }
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        let whole = |n: &Self| n.mantissa.div_euclid(pow10(n.scale));
        whole(self).cmp(&whole(other)).then_with(|| {
            // Fractions are below one, so widening them to 38 digits cannot overflow.
            let fraction = |n: &Self| n.mantissa.rem_euclid(pow10(n.scale)) * pow10(MAX_PRECISION - n.scale);
            fraction(self).cmp(&fraction(other))
        })
    }
}

/// An unsigned number of 256 bits, least significant limb first: products before they are rounded.
#[derive(Clone, Copy)]
struct Wide([u64; 4]);

impl Wide {
    #[expect(clippy::cast_possible_truncation, reason = "splits a number into its limbs")]
    fn product(a: u128, b: u128) -> Self {
        let split = |n: u128| [n as u64, (n >> 64) as u64];
        let (a, b) = (split(a), split(b));
        let mut limbs = [0u64; 4];
        for (i, &x) in a.iter().enumerate() {
            let mut carry = 0u128;
            for (j, &y) in b.iter().enumerate() {
                let sum = u128::from(limbs[i + j]) + u128::from(x) * u128::from(y) + carry;
                limbs[i + j] = sum as u64;
                carry = sum >> 64;
            }
            limbs[i + 2] = carry as u64;
        }
        Self(limbs)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a quotient of one limb by a smaller divisor")]
    fn divide_small(self, divisor: u64) -> Self {
        let mut limbs = self.0;
        let mut rest = 0u128;
        for limb in limbs.iter_mut().rev() {
            let value = (rest << 64) | u128::from(*limb);
            *limb = (value / u128::from(divisor)) as u64;
            rest = value % u128::from(divisor);
        }
        Self(limbs)
    }

    fn divide_pow10(self, exponent: u8) -> Self {
        (0..exponent).fold(self, |wide, _| wide.divide_small(10))
    }

    /// A tenth, halves up.
    fn rounded_tenth(self) -> Self {
        let mut limbs = self.0;
        let mut carry = 5u64;
        for limb in &mut limbs {
            let (sum, over) = limb.overflowing_add(carry);
            *limb = sum;
            carry = u64::from(over);
        }
        Self(limbs).divide_small(10)
    }

    #[expect(clippy::cast_possible_truncation, reason = "splits a sum into limb and carry")]
    fn times_pow10(self, exponent: u8) -> Option<Self> {
        let mut limbs = self.0;
        for _ in 0..exponent {
            let mut carry = 0u128;
            for limb in &mut limbs {
                let value = u128::from(*limb) * 10 + carry;
                *limb = value as u64;
                carry = value >> 64;
            }
            if carry > 0 {
                return None;
            }
        }
        Some(Self(limbs))
    }

    /// The quotient, bit by bit; the divisor is below 2^127 and not zero.
    fn divide(self, divisor: u128) -> Option<u128> {
        let mut quotient = 0u128;
        let mut rest = 0u128;
        for bit in (0..256).rev() {
            let next = (self.0[bit / 64] >> (bit % 64)) & 1;
            rest = (rest << 1) | u128::from(next);
            let one = rest >= divisor;
            if one {
                rest -= divisor;
            }
            if quotient >> 127 == 1 {
                return None;
            }
            quotient = (quotient << 1) | u128::from(one);
        }
        Some(quotient)
    }

    fn to_u128(self) -> Option<u128> {
        let [a, b, c, d] = self.0;
        (c == 0 && d == 0).then_some((u128::from(b) << 64) | u128::from(a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).expect("a number")
    }

    #[test]
    fn text_goes_in_and_out_unchanged() {
        for text in ["0.00", "-0.05", "403.37", "12", "-9999999999999999.99", "0.0001"] {
            assert_eq!(n(text).to_string(), text);
        }
        for text in ["", ".", "-", "1.2.3", "1e5", " 1", "--1"] {
            assert!(Numeric::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn rounding_takes_halves_away_from_zero() {
        for (text, scale, expected) in
            [("2.345", 2, "2.35"), ("-2.345", 2, "-2.35"), ("2.344", 2, "2.34"), ("0.5", 0, "1"), ("-0.5", 0, "-1")]
        {
            assert_eq!(n(text).round_to(scale).expect("fits").to_string(), expected);
        }
    }

    #[test]
    fn arithmetic_is_exact_beyond_128_bits() {
        let big = n("99999999999999999999.999999");
        assert_eq!(big.multiply(n("1.000000000000"), 6).expect("fits"), big);
        assert_eq!(n("2.0").divide(n("3"), 6).expect("fits").to_string(), "0.666666");
        assert_eq!(n("-7").divide(n("2"), 6).expect("fits").to_string(), "-3.500000");
        assert!(big.multiply(big, 12).is_none());
    }

    #[test]
    fn order_is_numeric() {
        assert!(n("9.99") < n("10.00"));
        assert!(n("-9.99") > n("-10"));
        assert_eq!(n("1.50"), n("1.5"));
        assert!(n("-0.01") < n("0"));
    }
}
