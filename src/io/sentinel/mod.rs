//! The embedded Sentinel: a stand-in for SQL Server that runs scripts written for `sqlcmd` on SQLite, and gives
//! what they change as SQL Server's change data capture and Debezium would.
//!
//! ```text
//! script ─► syntax: statements ─► session: runs them ─► plan: binds and evaluates queries
//!                                      │                      │
//!                                      ▼                      ▼
//!                          write: types, keys, rules ──► store: SQLite tables, triggers fill change tables
//!                                      │ commit
//!                                      ▼
//!                          capture: CapturedTransaction ─► debezium: Kafka records
//! ```
//!
//! Expressions are evaluated here, not by SQLite, since T-SQL's types decide results: decimals are exact, integers
//! are divided without a rest, text is compared without case. SQLite keeps rows, keys and transactions.

mod capture;
mod catalog;
mod clock;
mod debezium;
mod engine;
mod error;
mod foresight;
mod function;
mod history;
mod lsn;
mod plan;
mod read;
mod session;
mod store;
mod syntax;
mod system_views;
mod value;

pub use capture::{CapturedChange, CapturedColumn, CapturedRow, CapturedTransaction, DefaultValue, Operation};
pub use clock::ReplayClock;
pub use debezium::{Debezium, Keying, Record};
pub use error::{ScriptError, SentinelError};
pub use read::Tables;
pub use session::{Observer, OnError, ResultSet};
pub use syntax::{Batch, Nowhere, Script, Surroundings, batches};
pub use value::{Numeric, Type, Value};

pub(crate) use foresight::visit;

/// One server: databases, change data capture, log, clock.
pub struct Sentinel {
    engine: engine::Engine,
    database: Option<String>,
    on_error: OnError,
}

impl std::fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sentinel").field("databases", &self.databases()).finish_non_exhaustive()
    }
}

impl Sentinel {
    /// A server without databases of its own.
    ///
    /// # Errors
    /// When SQLite cannot be opened.
    pub fn new(clock: ReplayClock) -> Result<Self, SentinelError> {
        Ok(Self { engine: engine::Engine::new(clock)?, database: None, on_error: OnError::Stop })
    }

    /// The database that scripts start in, as `sqlcmd -d` sets it. Without one they start in the only database that
    /// is not the server's own, or else in `master`.
    pub fn start_in(&mut self, database: Option<&str>) {
        self.database = database.map(str::to_owned);
    }

    /// What a failing statement does to its script.
    pub fn on_error(&mut self, on_error: OnError) {
        self.on_error = on_error;
    }

    /// Understands a script, without running any of it.
    ///
    /// # Errors
    /// Everything in the script that cannot be understood or is not supported.
    pub fn parse(&self, name: &str, text: &str) -> Result<Script, Vec<ScriptError>> {
        self.parse_after(&[], name, text, &Nowhere)
    }

    /// As [`Self::parse`], for a script that runs after others that have not run yet: what they make is there for it. Files
    /// that it reads in and variables of the environment come from its surroundings.
    ///
    /// # Errors
    /// Everything in the script that cannot be understood or is not supported.
    pub fn parse_after(
        &self,
        earlier: &[Script],
        name: &str,
        text: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<Script, Vec<ScriptError>> {
        let known = earlier.last().map_or_else(|| self.engine.catalog.types(), |script| script.types.clone());
        let script = syntax::parse(name, text, known, surroundings)?;
        let errors = foresight::errors(&self.engine.catalog, &script, earlier);
        if errors.is_empty() { Ok(script) } else { Err(errors) }
    }

    /// Runs a script on a connection of its own, from its first batch to its last.
    ///
    /// # Errors
    /// The statement that failed, unless [`OnError::Continue`] is set. What was committed before it stays.
    pub fn run(&mut self, script: &Script, observer: &mut dyn Observer) -> Result<(), ScriptError> {
        let database = match &self.database {
            Some(database) => database.clone(),
            None => self.engine.only_user_database().unwrap_or_else(|| "master".to_owned()),
        };
        self.engine.run_script(script, &database, self.on_error, observer)
    }

    /// The clock that scripts read.
    #[must_use]
    pub fn clock(&self) -> ReplayClock {
        self.engine.clock
    }

    /// Sets the clock that scripts read.
    pub fn set_clock(&mut self, clock: ReplayClock) {
        self.engine.clock = clock;
    }

    /// The names of the databases that scripts have made.
    #[must_use]
    pub fn databases(&self) -> Vec<String> {
        let own = |name: &str| catalog::SYSTEM_DATABASES.iter().any(|system| catalog::same(system, name));
        self.engine.catalog.databases().map(|d| d.name.clone()).filter(|name| !own(name)).collect()
    }

    /// The captured tables as `(database, schema, table)`.
    #[must_use]
    pub fn captured_tables(&self) -> Vec<(String, String, String)> {
        let captured = self.engine.catalog.tables().filter(|table| table.capture.is_some());
        captured.map(|t| (t.database.clone(), t.schema.clone(), t.name.clone())).collect()
    }

    /// All rows of a table, in the order in which they were inserted.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn read_table(&self, database: &str, schema: &str, table: &str) -> Result<ResultSet, SentinelError> {
        self.engine.read_table(database, schema, table)
    }

    /// The rows of `(database, schema, table)` whose column equals one of the keys, as SQL Server compares text. An
    /// index is made on the column when there is none.
    ///
    /// # Errors
    /// When there is no such table or column.
    pub fn rows_where(&self, table: (&str, &str, &str), column: &str, keys: &[&str]) -> Result<ResultSet, SentinelError> {
        self.engine.rows_where(table, column, keys)
    }
}

/// Runs a step of a recursion, on more stack when little is left.
pub(crate) fn deeper<T>(step: impl FnOnce() -> T) -> T {
    const LEAST: usize = 256 * 1024;
    const MORE: usize = 4 * 1024 * 1024;
    stacker::maybe_grow(LEAST, MORE, step)
}
