//! Expected payments from a profile file: an SQLite database with the tables Agreement, PaymentProfile and CustomProfile.
//!
//! ```text
//! questions ─► thread that owns the file ─► by agreement, in key order: three seeks ─► answers
//! ```
//!
//! Two ways to ask: [`Profiles`] for the daemon, whose file may change, and [`Timelines`] for a backtest.

mod book;
mod cell;
mod kept;
mod relation;
mod sql;
mod timelines;
mod write;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use self::book::Book;
pub use self::timelines::Timelines;
pub use self::write::{ProfileWriter, WriteError};
use super::expected::{Answer, Question};
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;
use crate::io::sqlite::{Database, SqliteError};

/// An open profile file. Questions wait for one another: there is one thread, so that callers on any runtime, or on none, are
/// not blocked by the disk.
#[derive(Debug)]
pub struct Profiles {
    /// `None` only while it is dropped, which ends the thread.
    asked: Option<mpsc::Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
}

struct Asked {
    questions: Vec<Question>,
    answers: oneshot::Sender<Result<Vec<Answer>, ProfilesError>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    #[error("{}: {table}.{column}{place} {problem}", file.display())]
    Cell { file: PathBuf, table: &'static str, column: &'static str, place: String, problem: &'static str },
}

impl ProfilesError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sqlite(error) => error.hint(),
            Self::Cell { .. } => Some("decimals and dates are text (\"230.00\", \"2026-01-31\"), bits are 0 or 1".to_owned()),
        }
    }
}

impl From<ProfilesError> for LookupError {
    fn from(error: ProfilesError) -> Self {
        let hint = error.hint();
        let lookup = match &error {
            ProfilesError::Sqlite(sqlite) if sqlite.is_transient() => Self::unavailable(error.to_string()),
            _ => Self::broken(error.to_string()),
        };
        let lookup = match hint {
            Some(hint) => lookup.with_hint(hint),
            None => lookup,
        };
        // The text of ours is the detail already; only what lies below it is a cause.
        match error {
            ProfilesError::Sqlite(SqliteError::Open { source, .. }) => lookup.caused_by(source),
            ProfilesError::Sqlite(SqliteError::Query { source, .. }) => lookup.caused_by(source),
            _ => lookup,
        }
    }
}

impl Profiles {
    /// Checks the schema and looks for agreement numbers of odd spelling: a walk over three indices.
    pub fn open(file: &Path, case: KeyCase) -> Result<Self, ProfilesError> {
        let mut book = Book::open(Database::open(file)?, case)?;
        let (asked, questions) = mpsc::channel::<Asked>();
        let work = move || {
            for Asked { questions, answers } in questions {
                // Whoever asked may have gone, as a batch does when its partitions are revoked.
                answers.send(book.answers(&questions)).unwrap_or_default();
            }
        };
        let thread = thread::Builder::new()
            .name("profiles".to_owned())
            .spawn(work)
            .map_err(|source| SqliteError::Open { file: file.to_owned(), source })?;
        Ok(Self { asked: Some(asked), thread: Some(thread) })
    }
}

impl Lookup<Question, Answer> for Profiles {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let (answers, answered) = oneshot::channel();
        let asked = self.asked.as_ref().expect("the channel is open until the drop");
        let gone = || LookupError::broken("the thread that reads the profile file has ended");
        asked.send(Asked { questions: questions.to_vec(), answers }).map_err(|_| gone())?;
        Ok(answered.await.map_err(|_| gone())??)
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        self.asked = None;
        // Waited for, so that the file is closed when this returns; a panic of the thread was told when it happened.
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}
