//! Makes a profile file: under a temporary name until it is whole.

use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use rusqlite::Connection;
use rust_decimal::Decimal;

use crate::domains::lending::expected::AgreementRow;
use crate::io::output::{OutputError, OutputFile};

/// Columns as in Sentinel, those that are read and no others; decimals and dates as text. Indices come last, over all rows.
const TABLES: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE Agreement (AgreementNumber TEXT NOT NULL, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT);
    CREATE TABLE CustomProfile (CPAgreement TEXT NOT NULL, CPAmount TEXT, CPOnGoing INTEGER, CPDeleted INTEGER);
    CREATE TABLE PaymentProfile (PayProAgreementNumber TEXT NOT NULL, PayProDate TEXT, PayProNetAmount TEXT, PayProType TEXT,
        PayProFallenDue INTEGER);
    BEGIN;";

const INDICES: &str = "
    CREATE INDEX AgreementByNumber ON Agreement (AgreementNumber);
    CREATE INDEX CustomProfileByNumber ON CustomProfile (CPAgreement);
    CREATE INDEX PaymentProfileByNumber ON PaymentProfile (PayProAgreementNumber, PayProDate);
    COMMIT;";

/// A profile file in the making. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct ProfileWriter {
    out: PathBuf,
    /// Closed before the file goes.
    connection: Connection,
    file: OutputFile,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("cannot write {}", file.display())]
    Write { file: PathBuf, source: rusqlite::Error },
    #[error("cannot bring {} to the disk", file.display())]
    Sync { file: PathBuf, source: io::Error },
}

impl WriteError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Output(error) => error.hint(),
            Self::NotAFile(_) => Some("SQLite needs a file of its own"),
            Self::Write { .. } | Self::Sync { .. } => None,
        }
    }
}

impl ProfileWriter {
    pub fn create(out: &Path) -> Result<Self, WriteError> {
        let file = OutputFile::create(out)?;
        let temporary = file.temporary().ok_or_else(|| WriteError::NotAFile(out.to_owned()))?;
        let failed = |source| WriteError::Write { file: out.to_owned(), source };
        let connection = Connection::open(temporary).map_err(failed)?;
        connection.execute_batch(TABLES).map_err(failed)?;
        Ok(Self { out: out.to_owned(), connection, file })
    }

    fn insert(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), WriteError> {
        let inserted = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        inserted.map(drop).map_err(|source| WriteError::Write { file: self.out.clone(), source })
    }

    pub fn agreement(&mut self, number: &str, row: &AgreementRow, opened: Option<NaiveDate>) -> Result<(), WriteError> {
        let AgreementRow { customer_number, borrowers, agreement_type } = row;
        let values = (number, customer_number.as_deref(), borrowers.as_deref(), agreement_type, opened.map(iso));
        self.insert("INSERT INTO Agreement VALUES (?1, ?2, ?3, ?4, ?5)", values)
    }

    pub fn custom_profile(
        &mut self,
        number: &str,
        amount: Option<Decimal>,
        on_going: Option<bool>,
        deleted: Option<bool>,
    ) -> Result<(), WriteError> {
        let values = (number, amount.map(|amount| amount.to_string()), on_going, deleted);
        self.insert("INSERT INTO CustomProfile VALUES (?1, ?2, ?3, ?4)", values)
    }

    pub fn payment(
        &mut self,
        number: &str,
        date: Option<NaiveDate>,
        amount: Option<Decimal>,
        kind: Option<&str>,
        fallen_due: Option<bool>,
    ) -> Result<(), WriteError> {
        let values = (number, date.map(iso), amount.map(|amount| amount.to_string()), kind, fallen_due);
        self.insert("INSERT INTO PaymentProfile VALUES (?1, ?2, ?3, ?4, ?5)", values)
    }

    /// Gives it its name, on the disk and not only on its way there.
    pub fn finish(self) -> Result<(), WriteError> {
        let Self { out, connection, file } = self;
        let failed = |source| WriteError::Write { file: out.clone(), source };
        connection.execute_batch(INDICES).map_err(failed)?;
        connection.flush_prepared_statement_cache();
        connection.close().map_err(|(_, source)| failed(source))?;
        if let Some(temporary) = file.temporary() {
            let synced = std::fs::File::open(temporary).and_then(|file| file.sync_all());
            synced.map_err(|source| WriteError::Sync { file: out.clone(), source })?;
        }
        Ok(file.commit()?)
    }
}

fn iso(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}
