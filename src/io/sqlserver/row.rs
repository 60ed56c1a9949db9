//! Rows as they came, read by type without a guess: money never goes through a binary float.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use tiberius::{ColumnData, ColumnType};

/// One of a batch's results.
#[derive(Debug)]
pub struct ResultSet {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// What decides how a column must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// MONEY, which the driver knows as a binary float only: to be cast to a decimal by the server.
    Money,
    /// REAL and FLOAT, which hold no exact amount.
    Float,
    /// Decimals, numerics, integers.
    Exact,
    Other,
}

impl ResultSet {
    pub(super) fn new(columns: &[tiberius::Column]) -> Self {
        let columns = columns.iter().map(|column| match column.column_type() {
            ColumnType::Money | ColumnType::Money4 => Column::Money,
            ColumnType::Float4 | ColumnType::Float8 | ColumnType::Floatn => Column::Float,
            ColumnType::Decimaln
            | ColumnType::Numericn
            | ColumnType::Int1
            | ColumnType::Int2
            | ColumnType::Int4
            | ColumnType::Int8
            | ColumnType::Intn => Column::Exact,
            _ => Column::Other,
        });
        Self { columns: columns.collect(), rows: Vec::new() }
    }
}

/// A row whose columns are read by their place. Nothing panics: what is of another type is said so.
#[derive(Debug)]
pub struct Row(tiberius::Row);

/// A value is not of the type that was asked for. The value is not told, rows hold personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place, from 0.
    pub column: usize,
    pub problem: &'static str,
}

/// As many as an amount of a message can have.
const MAX_UNITS: u128 = 10_u128.pow(28) - 1;
const MAX_DECIMALS: u8 = 28;

/// Of 1970-01-01, in days since 0001-01-01, which is day 0 on the wire and day 1 of the common era.
const FIRST_DAY: i32 = 1;

impl Row {
    pub(super) fn new(row: tiberius::Row) -> Self {
        Self(row)
    }

    fn read<T>(
        &self,
        column: usize,
        read: impl FnOnce(&ColumnData<'static>) -> Result<T, &'static str>,
    ) -> Result<T, Unreadable> {
        let data = self.0.get_column_data(column).map_err(|_| Unreadable { column, problem: "is not there" })?;
        read(data).map_err(|problem| Unreadable { column, problem })
    }

    pub fn text(&self, column: usize) -> Result<Option<&str>, Unreadable> {
        let data = self.0.get_column_data(column).map_err(|_| Unreadable { column, problem: "is not there" })?;
        match data {
            ColumnData::String(text) => Ok(text.as_deref()),
            _ => Err(Unreadable { column, problem: "is not text" }),
        }
    }

    /// A decimal with the decimals of its column, or an integer.
    pub fn decimal(&self, column: usize) -> Result<Option<Decimal>, Unreadable> {
        self.read(column, |data| {
            let integer = |number: Option<i64>| Ok(number.map(Decimal::from));
            match data {
                ColumnData::Numeric(None) => Ok(None),
                ColumnData::Numeric(Some(number)) => exact(number.value(), number.scale()).map(Some),
                ColumnData::U8(number) => integer(number.map(i64::from)),
                ColumnData::I16(number) => integer(number.map(i64::from)),
                ColumnData::I32(number) => integer(number.map(i64::from)),
                ColumnData::I64(number) => integer(*number),
                ColumnData::F32(_) | ColumnData::F64(_) => {
                    Err("is a binary floating-point number, which does not hold amounts exactly")
                }
                _ => Err("is not a decimal"),
            }
        })
    }

    pub fn integer(&self, column: usize) -> Result<Option<i64>, Unreadable> {
        const PROBLEM: &str = "is not an integer";
        self.read(column, |data| match data {
            ColumnData::U8(number) => Ok(number.map(i64::from)),
            ColumnData::I16(number) => Ok(number.map(i64::from)),
            ColumnData::I32(number) => Ok(number.map(i64::from)),
            ColumnData::I64(number) => Ok(*number),
            ColumnData::Numeric(None) => Ok(None),
            ColumnData::Numeric(Some(number)) if number.scale() == 0 => {
                i64::try_from(number.value()).map(Some).map_err(|_| PROBLEM)
            }
            _ => Err(PROBLEM),
        })
    }

    /// BIT, or an integer that is 0 or 1.
    pub fn bit(&self, column: usize) -> Result<Option<bool>, Unreadable> {
        if let Ok(ColumnData::Bit(bit)) = self.0.get_column_data(column) {
            return Ok(*bit);
        }
        match self.integer(column)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(_) => Err(Unreadable { column, problem: "is neither 0 nor 1" }),
        }
    }

    /// DATE only: what holds a time of day is cast by the server.
    pub fn date(&self, column: usize) -> Result<Option<NaiveDate>, Unreadable> {
        self.read(column, |data| match data {
            ColumnData::Date(None) => Ok(None),
            ColumnData::Date(Some(date)) => {
                let day = i32::try_from(date.days()).ok().and_then(|days| days.checked_add(FIRST_DAY));
                day.and_then(NaiveDate::from_num_days_from_ce_opt).map(Some).ok_or("is a day beyond the calendar")
            }
            _ => Err("is not a date"),
        })
    }
}

fn exact(units: i128, scale: u8) -> Result<Decimal, &'static str> {
    const PROBLEM: &str = "is not a decimal of at most 28 digits and 28 decimals";
    if units.unsigned_abs() > MAX_UNITS || scale > MAX_DECIMALS {
        return Err(PROBLEM);
    }
    Decimal::try_from_i128_with_scale(units, u32::from(scale)).map_err(|_| PROBLEM)
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::time::Date;

    use super::*;

    fn row(data: ColumnData<'static>) -> Row {
        Row::new(tiberius::Row::builder().column("c", ColumnType::Null, data).build())
    }

    fn numeric(units: i128, scale: u8) -> Row {
        row(ColumnData::Numeric(Some(Numeric::new_with_scale(units, scale))))
    }

    #[test]
    fn decimals_keep_their_scale_and_those_that_do_not_fit_are_refused() {
        let text = |row: Row| row.decimal(0).unwrap().unwrap().to_string();
        assert_eq!(text(numeric(23_000, 2)), "230.00");
        assert_eq!(text(numeric(-2_300_000, 4)), "-230.0000");
        assert_eq!(text(row(ColumnData::I32(Some(7)))), "7");
        let most = 10_i128.pow(28) - 1;
        assert_eq!(text(numeric(most, 0)), most.to_string());
        for too_large in [numeric(most + 1, 0), numeric(-most - 1, 4), numeric(1, 29), numeric(i128::MAX, 38)] {
            assert!(too_large.decimal(0).unwrap_err().problem.contains("28 digits"));
        }
        assert!(row(ColumnData::F64(Some(1.0))).decimal(0).unwrap_err().problem.contains("floating-point"));
    }

    #[test]
    fn null_is_none_whatever_the_type() {
        for data in [ColumnData::Numeric(None), ColumnData::I32(None), ColumnData::U8(None), ColumnData::I64(None)] {
            assert_eq!(row(data).decimal(0), Ok(None));
        }
        assert_eq!(row(ColumnData::Bit(None)).bit(0), Ok(None));
        assert_eq!(row(ColumnData::Date(None)).date(0), Ok(None));
        assert_eq!(row(ColumnData::String(None)).text(0), Ok(None));
        assert_eq!(row(ColumnData::I16(None)).integer(0), Ok(None));
    }

    #[test]
    fn days_count_from_the_first_of_the_first() {
        let date = |days| row(ColumnData::Date(Some(Date::new(days)))).date(0).unwrap().unwrap().to_string();
        assert_eq!(date(0), "0001-01-01");
        assert_eq!(date(719_162), "1970-01-01");
        assert_eq!(date(3_652_058), "9999-12-31");
    }

    #[test]
    fn what_is_of_another_type_is_said_and_never_panics() {
        let text = || row(ColumnData::String(Some("x".into())));
        for problem in [
            text().decimal(0).unwrap_err(),
            text().integer(0).unwrap_err(),
            text().bit(0).unwrap_err(),
            text().date(0).unwrap_err(),
            row(ColumnData::I32(Some(2))).bit(0).unwrap_err(),
            row(ColumnData::I32(Some(2))).text(0).unwrap_err(),
            numeric(15, 1).integer(0).unwrap_err(),
        ] {
            assert!(problem.problem.starts_with("is "), "{problem:?}");
        }
        assert_eq!(text().text(1), Err(Unreadable { column: 1, problem: "is not there" }));
        assert_eq!(row(ColumnData::U8(Some(1))).bit(0), Ok(Some(true)));
    }
}
