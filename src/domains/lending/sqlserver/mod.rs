//! Expected payments from the loan book's own SQL Server.
//!
//! ```text
//! questions ─► a few hundred at a time ─► one round trip: three SELECTs ([`sql`]) ─► rows ─► answers
//! ```
//!
//! An answer is the same as a profile file with the same rows gives; `tests/sqlserver` holds the two against each other. Every
//! row that comes back is checked to be of the agreement that was asked about: the server compares by its collation, and cuts
//! what is too long.

mod read;
mod sql;
mod whole;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use self::read::Answers;
pub use self::read::BookError;
use self::sql::{Form, Shape, Tables};
pub use self::whole::{ExportError, Exported, Progress};
use super::expected::{Answer, Question};
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;
use crate::io::sqlserver::{Class, Column, ResultSet, SqlServer, SqlServerError};

/// How long what the server said of its tables is believed: a change of theirs is found out soon, and costs a round trip.
const SHAPE_LIVES: Duration = Duration::from_mins(10);

/// The loan book on its server.
#[derive(Debug)]
pub struct ServerBook {
    server: SqlServer,
    tables: Tables,
    case: KeyCase,
    shape: Mutex<Option<(Arc<Shape>, Instant)>>,
}

/// What the server is like, for `check --connect`.
#[derive(Debug)]
pub struct Meeting {
    /// Host and port.
    pub server: String,
    /// Of the keys' column.
    pub collation: Option<String>,
    /// Whether the older form of the query is used, for a compatibility level below 130.
    pub is_old: bool,
}

impl ServerBook {
    /// Makes no connection yet.
    #[must_use]
    pub fn new(server: SqlServer, case: KeyCase) -> Self {
        let tables = Tables::new(server.config().names.clone());
        Self { server, tables, case, shape: Mutex::default() }
    }

    /// Asks what every question's answer hangs on; an error is what the daemon would meet.
    pub async fn meet(&self) -> Result<Meeting, BookError> {
        let shape = self.ask_shape().await?;
        let server = self.server.name();
        Ok(Meeting { server, collation: shape.keys[0].collation.clone(), is_old: shape.form == Form::Values })
    }

    fn known_shape(&self) -> MutexGuard<'_, Option<(Arc<Shape>, Instant)>> {
        self.shape.lock().expect("no thread panics while it holds this lock")
    }

    /// Known or asked for; and whether it was known.
    async fn shape(&self) -> Result<(Arc<Shape>, bool), BookError> {
        let known = self.known_shape().clone();
        if let Some((shape, since)) = known
            && since.elapsed() < SHAPE_LIVES
        {
            return Ok((shape, true));
        }
        let shape = Arc::new(self.ask_shape().await?);
        *self.known_shape() = Some((Arc::clone(&shape), Instant::now()));
        Ok((shape, false))
    }

    async fn ask_shape(&self) -> Result<Shape, BookError> {
        let keys = self.tables.keys();
        let parameters: Vec<Option<&str>> = keys.iter().map(|key| Some(key.as_str())).collect();
        let sets = self.server.ask(&self.tables.shape(), &parameters).await?;
        let [level, types, _, custom_profile, payment_profile] = sets.as_slice() else {
            return Err(BookError::incomplete(&self.server.name()));
        };
        let level = match level.rows.first() {
            Some(row) => row.integer(0).map_err(|unreadable| BookError::Unexpected(unreadable.problem))?,
            None => None,
        };
        let is_money = |set: &ResultSet, table, column| match set.columns.get(1) {
            Some(Column::Money) => Ok(true),
            Some(Column::Exact) => Ok(false),
            Some(Column::Float | Column::Other) | None => Err(BookError::NotExact { server: self.server.name(), table, column }),
        };
        Ok(Shape {
            form: Form::of(level),
            keys: read::key_types(types)?,
            money: [
                is_money(custom_profile, "CustomProfile", "CPAmount")?,
                is_money(payment_profile, "PaymentProfile", "PayProNetAmount")?,
            ],
        })
    }

    /// The answers to a few hundred questions, in one round trip.
    async fn round_trip(&self, questions: &[Question]) -> Result<Vec<Answer>, BookError> {
        let (shape, was_known) = self.shape().await?;
        let answered = self.ask(&shape, questions).await;
        match answered {
            // perhaps a column has changed since
            Err(error) if was_known && error.is_wrong() => {
                *self.known_shape() = None;
                let (shape, _) = self.shape().await?;
                self.ask(&shape, questions).await
            }
            answered => answered,
        }
    }

    async fn ask(&self, shape: &Shape, questions: &[Question]) -> Result<Vec<Answer>, BookError> {
        let longest = shape.longest_key();
        let asked: Vec<Option<&str>> = questions.iter().map(|question| number(question, longest)).collect();
        let months: Vec<Option<String>> = questions.iter().map(month).collect();
        let rounded = rounded(questions.len());
        let sql = self.tables.expected(shape, rounded);
        let sets = match shape.form {
            Form::Json => {
                let rows: Vec<_> = asked.iter().zip(&months).enumerate().collect();
                let rows: Vec<_> = rows.iter().map(|(place, (number, month))| (place, number, month)).collect();
                let json = serde_json::to_string(&rows).expect("numbers and texts have a JSON form");
                self.server.ask(&sql, &[Some(&json)]).await?
            }
            Form::Values => {
                let pairs = asked.iter().zip(&months).flat_map(|(number, month)| [*number, month.as_deref()]);
                let parameters: Vec<Option<&str>> = pairs.chain(std::iter::repeat(None)).take(2 * rounded).collect();
                self.server.ask(&sql, &parameters).await?
            }
        };
        let expected = asked.iter().filter(|number| number.is_some()).count();
        Answers::new(&self.server.name(), questions, self.case).read(&sets, expected)
    }
}

impl Lookup<Question, Answer> for ServerBook {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        let mut chunks = questions.chunks(self.server.config().batch);
        let mut answers = Vec::with_capacity(questions.len());
        // a server that was away gets one question before it gets all that waited for it
        if !self.server.is_well()
            && let Some(first) = chunks.next()
        {
            answers.extend(self.round_trip(first).await?);
        }
        let rest: Vec<_> = chunks.map(|chunk| self.round_trip(chunk)).collect();
        let rest: Vec<Vec<Answer>> = futures::stream::iter(rest).buffered(self.server.config().connections).try_collect().await?;
        answers.extend(rest.into_iter().flatten());
        Ok(answers)
    }
}

/// The number as it is asked about; none that no row can hold, since the server would cut it to one that perhaps can.
fn number(question: &Question, longest: usize) -> Option<&str> {
    let number = question.agreement.as_str();
    (number.encode_utf16().count() <= longest).then_some(number)
}

/// Its first day as ISO text, which every setting of the server reads alike; none outside the server's calendar.
fn month(question: &Question) -> Option<String> {
    use chrono::Datelike as _;
    let first = question.month.first();
    (1..=9998).contains(&first.year()).then(|| first.format("%Y-%m-%d").to_string())
}

/// To one of a few numbers, so that the server keeps a plan for each; what is asked about too much is null.
fn rounded(questions: usize) -> usize {
    const STEPS: [usize; 6] = [1, 10, 50, 200, 500, 1_000];
    STEPS.into_iter().find(|step| *step >= questions).unwrap_or(questions)
}

impl From<SqlServerError> for BookError {
    fn from(error: SqlServerError) -> Self {
        Self::Server(error)
    }
}

impl BookError {
    fn is_wrong(&self) -> bool {
        match self {
            Self::Server(error) => error.class() == Class::Wrong,
            Self::Cell { .. } | Self::NotExact { .. } | Self::Unexpected(_) => true,
            Self::Incomplete { .. } => false,
        }
    }
}
