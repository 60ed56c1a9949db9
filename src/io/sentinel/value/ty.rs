//! The data types of SQL Server, and which of two types an operation on both is made in.

use std::fmt;

use super::numeric::MAX_PRECISION;

/// A data type. Lengths count characters; `None` is `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The type of a bare `NULL`.
    Null,
    Binary(u32),
    VarBinary(Option<u32>),
    Char(u32),
    VarChar(Option<u32>),
    NChar(u32),
    NVarChar(Option<u32>),
    UniqueIdentifier,
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    SmallMoney,
    Money,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Real,
    Float,
    Time(u8),
    Date,
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
}

/// What values of a type have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Null,
    Binary,
    Text,
    Guid,
    Integer,
    Decimal,
    Float,
    Time,
    Date,
    DateTime,
    DateTimeOffset,
}

impl Type {
    pub(crate) fn decimal(precision: u8, scale: u8) -> Self {
        Self::Decimal { precision, scale }
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Self::Null => Class::Null,
            Self::Binary(_) | Self::VarBinary(_) => Class::Binary,
            Self::Char(_) | Self::VarChar(_) | Self::NChar(_) | Self::NVarChar(_) => Class::Text,
            Self::UniqueIdentifier => Class::Guid,
            Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt => Class::Integer,
            Self::SmallMoney | Self::Money | Self::Decimal { .. } => Class::Decimal,
            Self::Real | Self::Float => Class::Float,
            Self::Time(_) => Class::Time,
            Self::Date => Class::Date,
            Self::SmallDateTime | Self::DateTime | Self::DateTime2(_) => Class::DateTime,
            Self::DateTimeOffset(_) => Class::DateTimeOffset,
        }
    }

    pub(crate) fn is_money(self) -> bool {
        matches!(self, Self::Money | Self::SmallMoney)
    }

    pub(crate) fn is_text(self) -> bool {
        self.class() == Class::Text
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self.class(), Class::Integer | Class::Decimal | Class::Float)
    }

    pub(crate) fn is_temporal(self) -> bool {
        self.class() >= Class::Time
    }

    /// SQL Server's data type precedence.
    fn rank(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Binary(_) => 1,
            Self::VarBinary(_) => 2,
            Self::Char(_) => 3,
            Self::VarChar(_) => 4,
            Self::NChar(_) => 5,
            Self::NVarChar(_) => 6,
            Self::UniqueIdentifier => 7,
            Self::Bit => 8,
            Self::TinyInt => 9,
            Self::SmallInt => 10,
            Self::Int => 11,
            Self::BigInt => 12,
            Self::SmallMoney => 13,
            Self::Money => 14,
            Self::Decimal { .. } => 15,
            Self::Real => 16,
            Self::Float => 17,
            Self::Time(_) => 18,
            Self::Date => 19,
            Self::SmallDateTime => 20,
            Self::DateTime => 21,
            Self::DateTime2(_) => 22,
            Self::DateTimeOffset(_) => 23,
        }
    }

    /// Digits and scale that a number of this type takes in decimal arithmetic.
    pub(crate) fn digits(self) -> (u8, u8) {
        match self {
            Self::Bit => (1, 0),
            Self::TinyInt => (3, 0),
            Self::SmallInt => (5, 0),
            Self::Int => (10, 0),
            Self::BigInt => (19, 0),
            Self::SmallMoney => (10, 4),
            Self::Money => (19, 4),
            Self::Decimal { precision, scale } => (precision, scale),
            _ => (MAX_PRECISION, 0),
        }
    }

    /// The length in characters of text; `None` is `max`. Numbers and dates count as the text they convert to.
    pub(crate) fn text_length(self) -> Option<u32> {
        match self {
            Self::Char(n) | Self::NChar(n) => Some(n),
            Self::VarChar(n) | Self::NVarChar(n) => n,
            _ => Some(40),
        }
    }

    fn is_unicode(self) -> bool {
        matches!(self, Self::NChar(_) | Self::NVarChar(_))
    }

    /// The type in which two values are compared, chosen between or joined.
    pub(crate) fn common(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let higher = if self.rank() >= other.rank() { self } else { other };
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => higher,
            _ if self.is_text() && other.is_text() => {
                let length = self.text_length().zip(other.text_length()).map(|(a, b)| a.max(b));
                if self.is_unicode() || other.is_unicode() { Self::NVarChar(length) } else { Self::VarChar(length) }
            }
            _ if matches!(higher, Self::Decimal { .. }) && self.is_number() && other.is_number() => {
                let ((p1, s1), (p2, s2)) = (self.digits(), other.digits());
                let scale = s1.max(s2);
                let precision = ((p1 - s1).max(p2 - s2) + scale).min(MAX_PRECISION);
                Self::decimal(precision, scale.min(precision))
            }
            (Self::DateTime2(a), Self::DateTime2(b)) => Self::DateTime2(a.max(b)),
            (Self::Time(a), Self::Time(b)) => Self::Time(a.max(b)),
            (Self::Time(_), Self::Date) | (Self::Date, Self::Time(_)) => Self::DateTime2(7),
            (Self::VarBinary(a), Self::VarBinary(b)) => Self::VarBinary(a.zip(b).map(|(a, b)| a.max(b))),
            _ => higher,
        }
    }

    /// SQL Server's own name for the type family, as its messages print it.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Binary(_) => "binary",
            Self::VarBinary(_) => "varbinary",
            Self::Char(_) => "char",
            Self::VarChar(_) => "varchar",
            Self::NChar(_) => "nchar",
            Self::NVarChar(_) => "nvarchar",
            Self::UniqueIdentifier => "uniqueidentifier",
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::SmallMoney => "smallmoney",
            Self::Money => "money",
            Self::Decimal { .. } => "numeric",
            Self::Real => "real",
            Self::Float => "float",
            Self::Time(_) => "time",
            Self::Date => "date",
            Self::SmallDateTime => "smalldatetime",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::DateTimeOffset(_) => "datetimeoffset",
        }
    }

    /// A type by its name and arguments; the error says what is wrong. `max` is given as `None` inside `lengths`.
    pub(crate) fn from_name(name: &str, lengths: &[Option<u32>]) -> Result<Self, String> {
        let length = || match lengths {
            [] => Ok(Some(1)),
            [Some(0)] | [_, _, ..] => Err(format!("a length of {name} is a number from 1 or max")),
            [n] => Ok(*n),
        };
        let fixed = || length()?.ok_or_else(|| format!("{name} has no max length"));
        let small = |default: u8, most: u8| match lengths {
            [] => Ok(default),
            [Some(n)] => match u8::try_from(*n) {
                Ok(n) if n <= most => Ok(n),
                _ => Err(format!("{name} takes at most {most} digits")),
            },
            _ => Err(format!("{name} takes one number")),
        };
        let ty = match name.to_ascii_lowercase().as_str() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" | "integer" => Self::Int,
            "bigint" => Self::BigInt,
            "smallmoney" => Self::SmallMoney,
            "money" => Self::Money,
            "real" => Self::Real,
            "float" | "double" => match lengths {
                [Some(n)] if *n <= 24 => return Ok(Self::Real),
                _ => return Ok(Self::Float),
            },
            "decimal" | "numeric" | "dec" => {
                let (precision, scale) = match lengths {
                    [] => (18, 0),
                    [Some(p)] => (*p, 0),
                    [Some(p), Some(s)] => (*p, *s),
                    _ => return Err(format!("{name} takes a precision and a scale")),
                };
                let (precision, scale) = (u8::try_from(precision), u8::try_from(scale));
                return match (precision, scale) {
                    (Ok(p @ 1..=MAX_PRECISION), Ok(s)) if s <= p => Ok(Self::decimal(p, s)),
                    _ => Err(format!("{name} takes a precision of 1 to 38 and a scale up to it")),
                };
            }
            "char" | "character" => return Ok(Self::Char(fixed()?)),
            "nchar" => return Ok(Self::NChar(fixed()?)),
            "varchar" => return Ok(Self::VarChar(length()?)),
            "nvarchar" => return Ok(Self::NVarChar(length()?)),
            "text" => Self::VarChar(None),
            "ntext" | "xml" => Self::NVarChar(None),
            "sysname" => Self::NVarChar(Some(128)),
            "binary" => return Ok(Self::Binary(fixed()?)),
            "varbinary" => return Ok(Self::VarBinary(length()?)),
            "image" => Self::VarBinary(None),
            "rowversion" | "timestamp" => Self::Binary(8),
            "uniqueidentifier" => Self::UniqueIdentifier,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "smalldatetime" => Self::SmallDateTime,
            "time" => return Ok(Self::Time(small(7, 7)?)),
            "datetime2" => return Ok(Self::DateTime2(small(7, 7)?)),
            "datetimeoffset" => return Ok(Self::DateTimeOffset(small(7, 7)?)),
            _ => return Err(format!("{name} is not a data type that the embedded Sentinel knows")),
        };
        if lengths.is_empty() { Ok(ty) } else { Err(format!("{name} takes no length")) }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.family();
        match self {
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Char(n)
            | Self::NChar(n)
            | Self::Binary(n)
            | Self::VarChar(Some(n))
            | Self::NVarChar(Some(n))
            | Self::VarBinary(Some(n)) => write!(f, "{name}({n})"),
            Self::VarChar(None) | Self::NVarChar(None) | Self::VarBinary(None) => write!(f, "{name}(max)"),
            Self::Time(n) | Self::DateTime2(n) | Self::DateTimeOffset(n) => write!(f, "{name}({n})"),
            _ => f.write_str(name),
        }
    }
}
