//! Rows of the server's answer, put to the questions that they belong to.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::sql::KeyType;
use crate::domains::lending::expected::{AgreementRow, Answer, Question};
use crate::domains::lending::normal_number;
use crate::domains::lending::schedules::{Schedules, TooLarge};
use crate::engine::Key;
use crate::engine::lookup::LookupError;
use crate::event::KeyCase;
use crate::io::sqlserver::{ResultSet, Row, SqlServerError, Unreadable};

/// Why the loan book's server gave no answers.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error(transparent)]
    Server(SqlServerError),
    #[error("SQL Server {server}: {table}.{column} {problem}")]
    Cell { server: String, table: &'static str, column: &'static str, problem: &'static str },
    #[error("SQL Server {server}: {table}.{column} is no decimal, money or integer")]
    NotExact { server: String, table: &'static str, column: &'static str },
    #[error("SQL Server {server}: the answer is not complete")]
    Incomplete { server: String },
    #[error("the SQL Server's description of a column {0}")]
    Unexpected(&'static str),
}

impl BookError {
    pub(super) fn incomplete(server: &str) -> Self {
        Self::Incomplete { server: server.to_owned() }
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Server(error) => error.hint(),
            Self::NotExact { .. } => Some("a binary float holds no exact amount: name a column that is a decimal or money"),
            Self::Cell { .. } | Self::Incomplete { .. } | Self::Unexpected(_) => None,
        }
    }
}

impl From<BookError> for LookupError {
    fn from(error: BookError) -> Self {
        let (text, hint) = (error.to_string(), error.hint());
        match error {
            BookError::Server(error) => error.into(),
            // the connection is in doubt, not the data
            BookError::Incomplete { .. } => Self::unavailable(text),
            BookError::Cell { .. } | BookError::NotExact { .. } | BookError::Unexpected(_) => match hint {
                Some(hint) => Self::broken(text).with_hint(hint),
                None => Self::broken(text),
            },
        }
    }
}

/// A result's table and columns, by their places. The question's place is the first in each.
pub(super) struct Source {
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
}

pub(super) const AGREEMENT: Source = Source {
    table: "Agreement",
    columns: &[
        "place",
        "AgreementNumber",
        "AgreementCustomerNumber",
        "AgreementBorrowers",
        "AgreementAgreementTypeID",
        "AgreementAgreementDate",
    ],
};

pub(super) const CUSTOM_PROFILE: Source =
    Source { table: "CustomProfile", columns: &["place", "CPAgreement", "CPAmount", "CPOnGoing", "CPDeleted"] };

pub(super) const PAYMENT_PROFILE: Source = Source {
    table: "PaymentProfile",
    columns: &["place", "PayProAgreementNumber", "PayProDate", "PayProFallenDue", "PayProType", "PayProNetAmount"],
};

impl Source {
    /// Puts names to what could not be read.
    pub(super) fn cell(&'static self, server: &str, unreadable: Unreadable) -> BookError {
        let column = self.columns.get(unreadable.column).copied().unwrap_or("?");
        BookError::Cell { server: server.to_owned(), table: self.table, column, problem: unreadable.problem }
    }
}

/// An answer in the making.
pub(super) struct Building {
    /// With the spelling of its number.
    agreement: Option<(Key, AgreementRow, Option<NaiveDate>)>,
    custom: Option<(Key, Decimal)>,
    schedules: Schedules,
}

impl Building {
    pub(super) fn of(month: crate::time::Month) -> Self {
        Self { agreement: None, custom: None, schedules: Schedules::of(month) }
    }

    pub(super) fn agreement(&mut self, asked: &Key, number: &str, row: &Row) -> Result<(), Unreadable> {
        if !is_better(asked, number, self.agreement.as_ref().map(|(number, ..)| number)) {
            return Ok(());
        }
        let found = AgreementRow {
            customer_number: row.text(2)?.map(Into::into),
            borrowers: row.text(3)?.map(Into::into),
            agreement_type: row.integer(4)?,
        };
        self.agreement = Some((number.into(), found, row.date(5)?));
        Ok(())
    }

    /// Without an amount it is a row whose sum is zero.
    pub(super) fn custom(&mut self, asked: &Key, number: &str, row: &Row) -> Result<(), Unreadable> {
        if is_better(asked, number, self.custom.as_ref().map(|(number, _)| number)) {
            self.custom = Some((number.into(), row.decimal(2)?.unwrap_or_default()));
        }
        Ok(())
    }

    pub(super) fn payment(&mut self, row: &Row) -> Result<(), Unreadable> {
        let (Some(date), Some(fallen_due), Some(kind)) = (row.date(2)?, row.bit(3)?, row.text(4)?) else { return Ok(()) };
        if self.schedules.wants(date, fallen_due)
            && let Some(sum) = self.schedules.sum_for(date, fallen_due, kind)
        {
            sum.add(row.decimal(5)?);
        }
        Ok(())
    }

    pub(super) fn finish(self, server: &str) -> Result<Answer, BookError> {
        let (agreement, opened) = self.agreement.map_or((None, None), |(_, row, opened)| (Some(row), opened));
        let too_large =
            |TooLarge| PAYMENT_PROFILE.cell(server, Unreadable { column: 5, problem: "adds up to more than 28 digits" });
        let schedules = self.schedules.finish().map_err(too_large)?;
        Ok(Answer { agreement, opened, custom: self.custom.map(|(_, amount)| amount), schedules: schedules.into() })
    }
}

/// Of several rows that are one's own, which only a case-sensitive key allows, the one spelled as asked counts, or else the first
/// in byte order.
fn is_better(asked: &Key, number: &str, than: Option<&Key>) -> bool {
    than.is_none_or(|than| than != asked && (number == asked || number < than.as_str()))
}

/// The answers to a batch of questions.
pub(super) struct Answers<'q> {
    server: &'q str,
    questions: &'q [Question],
    case: KeyCase,
    building: Vec<Building>,
}

impl<'q> Answers<'q> {
    pub(super) fn new(server: &'q str, questions: &'q [Question], case: KeyCase) -> Self {
        let building = questions.iter().map(|question| Building::of(question.month)).collect();
        Self { server, questions, case, building }
    }

    /// `asked` is how many of the questions were sent.
    pub(super) fn read(mut self, sets: &[ResultSet], asked: usize) -> Result<Vec<Answer>, BookError> {
        let [agreements, custom_profiles, payment_profiles, counted] = sets else {
            return Err(BookError::incomplete(self.server));
        };
        let counted = counted.rows.first().and_then(|row| row.integer(0).ok().flatten());
        if counted.and_then(|counted| usize::try_from(counted).ok()) != Some(asked) {
            return Err(BookError::incomplete(self.server));
        }
        self.each(agreements, &AGREEMENT, Building::agreement)?;
        self.each(custom_profiles, &CUSTOM_PROFILE, Building::custom)?;
        self.each(payment_profiles, &PAYMENT_PROFILE, |building, _, _, row| building.payment(row))?;
        let Self { server, building, .. } = self;
        building.into_iter().map(|building| building.finish(server)).collect()
    }

    fn each(
        &mut self,
        set: &ResultSet,
        source: &'static Source,
        take: impl Fn(&mut Building, &Key, &str, &Row) -> Result<(), Unreadable>,
    ) -> Result<(), BookError> {
        let cell = |unreadable| source.cell(self.server, unreadable);
        for row in &set.rows {
            let place = row.integer(0).map_err(cell)?.and_then(|place| usize::try_from(place).ok());
            let asked = place.and_then(|place| Some((self.questions.get(place)?, self.building.get_mut(place)?)));
            let (question, building) = asked.ok_or_else(|| BookError::incomplete(self.server))?;
            let Some(number) = row.text(1).map_err(cell)? else { continue };
            // the server's collation may hold more for equal than we do
            if normal_number(number, self.case) == question.agreement {
                take(building, &question.agreement, number.trim_end_matches(' '), row).map_err(cell)?;
            }
        }
        Ok(())
    }
}

/// The key columns' types, by table; Sentinel's own where the server does not tell, as of a view or a synonym.
pub(super) fn key_types(types: &ResultSet) -> Result<[KeyType; 3], BookError> {
    const MAX: usize = 4_000;
    let mut keys = [KeyType::default(), KeyType::default(), KeyType::default()];
    for row in &types.rows {
        let unexpected = |unreadable: Unreadable| BookError::Unexpected(unreadable.problem);
        let place = row.integer(0).map_err(unexpected)?.and_then(|place| usize::try_from(place).ok());
        let (name, bytes) = (row.text(1).map_err(unexpected)?, row.integer(2).map_err(unexpected)?);
        let collation = row.text(3).map_err(unexpected)?;
        let Some(key) = place.and_then(|place| keys.get_mut(place)) else { continue };
        let width = match name {
            Some("varchar" | "char") => 1,
            Some("nvarchar" | "nchar") => 2,
            _ => return Err(BookError::Unexpected("is of a key that is no text")),
        };
        // -1 stands for max
        let length = bytes.and_then(|bytes| usize::try_from(bytes).ok()).map_or(MAX, |bytes| bytes / width).clamp(1, MAX);
        // it becomes a part of the text, so it must be a bare word
        let is_word = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let collation = collation.filter(is_word).map(str::to_owned);
        *key = KeyType { name: name.unwrap_or_default().to_owned(), length, collation };
    }
    Ok(keys)
}
