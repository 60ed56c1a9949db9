//! Exact money: decimal forms on the wire, and arithmetic that never rounds.

use ethnum::I256;
use rust_decimal::Decimal;

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
