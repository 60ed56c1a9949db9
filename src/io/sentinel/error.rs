//! What can go wrong, and where it went wrong.

use std::fmt;

use thiserror::Error;

/// The embedded server itself cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SentinelError {
    /// The database behind it failed.
    #[error("the embedded database failed")]
    Storage(#[from] rusqlite::Error),
    /// A table that is asked for is not there.
    #[error("there is no table {0}")]
    NoSuchTable(String),
    /// A column that is asked for is not there.
    #[error("there is no column {column} in {table}")]
    NoSuchColumn { table: String, column: String },
    /// A database that is asked for is not there.
    #[error("there is no database {0}")]
    NoSuchDatabase(String),
    /// A stored row cannot be read back.
    #[error("a stored row cannot be read: {0}")]
    Unreadable(String),
}

/// A statement that cannot be understood or that failed: which one, why, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ScriptError {
    /// The script's name as the caller gave it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// The statement's text on one line, shortened.
    pub statement: String,
    /// SQL Server's message number, where it has one.
    pub number: Option<i32>,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        if let Some(number) = self.number {
            write!(f, " (error {number})")?;
        }
        if !self.statement.is_empty() {
            write!(f, "\n  statement: {}", self.statement)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// An error as T-SQL knows it: TRY/CATCH can catch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) number: i32,
    pub(crate) severity: u8,
    pub(crate) state: u8,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// It was thrown: the batch ends with it.
    pub(crate) thrown: bool,
    /// It came out of a trigger: the open transaction ends with it.
    pub(crate) dooms: bool,
}

pub(crate) type SqlResult<T> = Result<T, SqlError>;

impl SqlError {
    pub(crate) fn new(number: i32, message: impl Into<String>) -> Self {
        Self { number, severity: 16, state: 1, message: message.into(), hint: None, thrown: false, dooms: false }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn overflow(ty: &str) -> Self {
        Self::new(8115, format!("Arithmetic overflow error converting expression to data type {ty}."))
    }

    pub(crate) fn divide_by_zero() -> Self {
        Self::new(8134, "Divide by zero error encountered.")
    }

    pub(crate) fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(40_000, format!("{what} is not supported by the embedded Sentinel"))
    }

    pub(crate) fn unknown_object(name: impl fmt::Display) -> Self {
        Self::new(208, format!("Invalid object name '{name}'."))
    }

    pub(crate) fn unknown_column(name: impl fmt::Display) -> Self {
        Self::new(207, format!("Invalid column name '{name}'."))
    }

    /// Whether SQL Server gives up the whole batch for it, not only the statement.
    pub(crate) fn ends_batch(&self) -> bool {
        self.ends_transaction() || self.is_ours() || matches!(self.number, 102 | 137 | 207 | 208 | 4104)
    }

    /// Whether it takes the open transaction along: what could not be converted, nesting without an end, a rollback in a
    /// trigger.
    pub(crate) fn ends_transaction(&self) -> bool {
        self.dooms || matches!(self.number, 217 | 241 | 242 | 245 | 295 | 3609 | 8114)
    }

    /// Whether it is the embedded server that cannot go on: no script can handle that.
    pub(crate) fn is_ours(&self) -> bool {
        (40_000..50_000).contains(&self.number)
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(40_001, format!("the embedded database failed: {error}"))
    }
}
