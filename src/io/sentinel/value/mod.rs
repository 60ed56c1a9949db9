//! Values as T-SQL knows them: typed, exact, and converted by SQL Server's rules.

pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod numeric;
pub(crate) mod temporal;
pub(crate) mod ty;

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use uuid::Uuid;

pub use self::numeric::Numeric;
pub use self::ty::Type;

/// One value. Its [`Type`] is known from the column or expression that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bit(bool),
    /// Every integer type.
    Int(i64),
    /// DECIMAL with its column's scale, and MONEY with scale 4.
    Numeric(Numeric),
    Float(f64),
    Text(Arc<str>),
    Date(NaiveDate),
    Time(NaiveTime),
    /// DATETIME, SMALLDATETIME and DATETIME2, rounded as the type asks.
    DateTime(NaiveDateTime),
    /// Local time and its distance to UTC in minutes.
    DateTimeOffset(NaiveDateTime, i16),
    Guid(Uuid),
    Binary(Arc<[u8]>),
}

impl Value {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as `sqlcmd` prints it in a result set; `ty` is its column's type.
    #[must_use]
    pub fn shown(&self, ty: Type) -> Cow<'_, str> {
        let style = match (self, ty) {
            (Self::Null, _) => return Cow::Borrowed("NULL"),
            (Self::Text(text), _) => return Cow::Borrowed(text),
            (Self::DateTime(_), Type::SmallDateTime) => Some(120),
            (Self::DateTime(_), _) => Some(121),
            (Self::Binary(_), _) => Some(1),
            // all four decimals of MONEY
            (Self::Numeric(_), _) => Some(2),
            _ => None,
        };
        let conversion = convert::Conversion { style, ..convert::Conversion::default() };
        // these styles exist, so there is always a text
        Cow::Owned(conversion.print(self, ty).unwrap_or_default())
    }

    /// What a condition makes of the value: `None` is unknown.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bit(b) => Some(*b),
            Self::Int(n) => Some(*n != 0),
            _ => None,
        }
    }

    pub(crate) fn from_truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Bit)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
