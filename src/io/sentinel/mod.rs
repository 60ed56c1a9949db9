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
mod function;
mod lsn;
mod plan;
mod read;
mod session;
mod store;
mod syntax;
mod system_views;
mod value;

use std::collections::BTreeSet;

pub use capture::{CapturedChange, CapturedColumn, CapturedRow, CapturedTransaction, DefaultValue, Operation};
pub use clock::ReplayClock;
pub use debezium::{Debezium, Keying, Record};
pub use error::{ScriptError, SentinelError};
pub use read::Tables;
pub use session::{Observer, OnError, ResultSet};
pub use syntax::{Nowhere, Script, Surroundings};
pub use value::{Numeric, Type, Value};

use catalog::Object;
use syntax::ast::{InsertSource, Kind, Statement};

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
        let script = syntax::parse(name, text, surroundings)?;
        let errors = self.unknown_procedures(&script, earlier);
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

    /// Calls of system procedures that are not supported: known before anything runs.
    fn unknown_procedures(&self, script: &Script, earlier: &[Script]) -> Vec<ScriptError> {
        let mut made = BTreeSet::new();
        let mut called: Vec<(&Statement, &str)> = Vec::new();
        let mut dynamic = false;
        for script in earlier.iter().chain([script]) {
            // what an earlier one calls was looked at before
            called.clear();
            for statement in script.batches.iter().flat_map(|batch| &batch.statements) {
                visit(statement, &mut |statement| match &statement.kind {
                    Kind::CreateProcedure { name, .. } => {
                        made.insert(name.name.to_lowercase());
                    }
                    Kind::ExecuteText(_) => dynamic = true,
                    Kind::Execute(execute) => {
                        dynamic |= execute.procedure.name.eq_ignore_ascii_case("sp_executesql");
                        called.push((statement, &execute.procedure.name));
                    }
                    _ => {}
                });
            }
        }
        let there = |name: &str| {
            self.engine.catalog.databases().any(|database| {
                database.objects.values().any(|o| matches!(o, Object::Procedure(_)) && catalog::same(o.name().1, name))
            })
        };
        let mut errors = Vec::new();
        for (statement, name) in called {
            if made.contains(&name.to_lowercase()) || there(name) {
                continue;
            }
            let message = match session::system_procedure(name) {
                Some(true) => continue,
                Some(false) => format!("the system procedure {name} is not supported by the embedded Sentinel"),
                // Text that is executed may make it.
                None if dynamic => continue,
                None => format!("there is no procedure {name}, and no script up to here makes it"),
            };
            let hint = if statement.text.to_ascii_uppercase().starts_with("EXEC") {
                "procedures are made with CREATE PROCEDURE, in this script or one before it".to_owned()
            } else {
                format!("a statement that begins with no keyword calls a procedure: is {name} misspelt?")
            };
            errors.push(ScriptError {
                file: statement.file.to_string(),
                line: statement.line,
                statement: statement.text.to_string(),
                number: None,
                message,
                hint: Some(hint),
            });
        }
        errors
    }
}

/// Runs a step of a recursion, on more stack when little is left.
pub(crate) fn deeper<T>(step: impl FnOnce() -> T) -> T {
    const LEAST: usize = 256 * 1024;
    const MORE: usize = 4 * 1024 * 1024;
    stacker::maybe_grow(LEAST, MORE, step)
}

/// Calls `found` for a statement and all statements in it.
fn visit<'s>(statement: &'s Statement, found: &mut dyn FnMut(&'s Statement)) {
    found(statement);
    match &statement.kind {
        Kind::Block(list) => list.iter().for_each(|inner| visit(inner, found)),
        Kind::If { then, otherwise, .. } => {
            visit(then, found);
            if let Some(otherwise) = otherwise {
                visit(otherwise, found);
            }
        }
        Kind::While { body, .. } => visit(body, found),
        Kind::Try { body, catch } => body.iter().chain(catch).for_each(|inner| visit(inner, found)),
        Kind::CreateProcedure { procedure, .. } => procedure.body.iter().for_each(|inner| visit(inner, found)),
        Kind::Insert(insert) => {
            if let InsertSource::Execute(inner) = &insert.source {
                visit(inner, found);
            }
        }
        _ => {}
    }
}
