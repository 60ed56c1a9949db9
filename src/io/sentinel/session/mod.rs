//! Running scripts, statement by statement.

mod alter;
mod cdc;
mod cursor;
mod ddl;
mod flow;
mod insert;
mod merge;
mod output;
mod procedure;
mod query;
mod table;
mod target;
mod transaction;
mod update;
mod write;

use std::sync::Arc;

pub(crate) use procedure::system_procedure;

use super::capture::CapturedTransaction;
use super::engine::{Engine, Frame, Session};
use super::error::{ScriptError, SqlError};
use super::read::Tables;
use super::syntax::Script;
use super::syntax::ast::Statement;
use super::value::{Type, Value};

/// What a script puts out while it runs.
pub trait Observer {
    /// PRINT, and RAISERROR of a severity that is no error.
    fn printed(&mut self, text: &str) {
        let _ = text;
    }

    /// The rows of a SELECT or an OUTPUT.
    fn rows(&mut self, rows: &ResultSet) {
        let _ = rows;
    }

    /// A statement gave or changed so many rows. Not told under SET NOCOUNT ON.
    fn affected(&mut self, rows: usize) {
        let _ = rows;
    }

    /// A transaction was committed that changed captured tables.
    fn committed(&mut self, transaction: CapturedTransaction);

    /// WAITFOR has moved the clock so far.
    fn delayed(&mut self, millis: u64) {
        let _ = millis;
    }

    /// A batch has ended, or WAITFOR waits, and no transaction is open: whoever reads the stream can catch up with the
    /// tables as they are before the script goes on.
    fn settled(&mut self, tables: &Tables<'_>) {
        let _ = tables;
    }

    /// Something was accepted that has no effect here.
    fn noted(&mut self, line: u32, text: &str) {
        let _ = (line, text);
    }

    /// A statement failed and the script goes on; only with [`OnError::Continue`].
    fn failed(&mut self, error: &ScriptError) {
        let _ = error;
    }
}

/// The rows of a query, with their columns' names and types.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultSet {
    pub columns: Vec<(String, Type)>,
    pub rows: Vec<Vec<Value>>,
}

/// What happens when a statement fails and no CATCH takes the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The script ends, as under `sqlcmd -b`.
    #[default]
    Stop,
    /// The next statement runs, or the next batch, as SQL Server has it for the error.
    Continue,
}

/// How a statement ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
    Return(i64),
}

/// An error on its way to a CATCH or to the caller.
#[derive(Debug)]
pub(crate) struct Thrown {
    pub(crate) error: SqlError,
    pub(crate) line: u32,
    pub(crate) text: Arc<str>,
    pub(crate) procedure: Option<String>,
}

pub(crate) type Run<T> = Result<T, Box<Thrown>>;

/// A running script's surroundings.
pub(crate) struct Context<'a> {
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) file: &'a str,
    pub(crate) on_error: OnError,
    /// How many loop rounds and statements may still run: an endless loop ends with an error.
    pub(crate) budget: u64,
    /// How many statements stand around the one that runs.
    pub(crate) depth: u32,
}

/// A script that runs this many statements does not end.
const MAX_STATEMENTS: u64 = 50_000_000;

impl Thrown {
    fn into_script_error(self, file: &str) -> ScriptError {
        let message = match self.procedure {
            Some(procedure) => format!("in procedure {procedure}: {}", self.error.message),
            None => self.error.message,
        };
        ScriptError {
            file: file.to_owned(),
            line: self.line,
            statement: self.text.to_string(),
            number: (self.error.number < 40_000 || self.error.number >= 50_000).then_some(self.error.number),
            message,
            hint: self.error.hint,
        }
    }
}

impl Engine {
    /// Runs a script on a connection of its own. What it leaves open is rolled back.
    pub(crate) fn run_script(
        &mut self,
        script: &Script,
        database: &str,
        on_error: OnError,
        observer: &mut dyn Observer,
    ) -> Result<(), ScriptError> {
        self.session = Session::new(database);
        let mut context = Context { observer, file: script.name(), on_error, budget: MAX_STATEMENTS, depth: 0 };
        let result = self.run_batches(script, &mut context);
        let line = script.batches.last().and_then(|b| b.statements.last()).map_or(0, |s| s.line);
        if self.session.transactions > 0 {
            context.observer.noted(line, "a transaction was still open at the end and is rolled back");
        }
        let closed = self.close_connection();
        result.and_then(|()| {
            closed.map_err(|error| Thrown { error, line, text: Arc::from(""), procedure: None }.into_script_error(script.name()))
        })
    }

    fn run_batches(&mut self, script: &Script, context: &mut Context<'_>) -> Result<(), ScriptError> {
        for batch in &script.batches {
            for _ in 0..batch.repeat {
                self.session.frames = vec![Frame::default()];
                self.session.try_depth = 0;
                self.session.caught.clear();
                let run = self.run_list(&batch.statements, context);
                let dropped = self.drop_table_variables();
                match run {
                    Ok(_) => {}
                    Err(thrown) if context.on_error == OnError::Continue => {
                        if self.session.doomed || self.session.options.xact_abort {
                            self.abandon_transaction();
                        }
                        let error = thrown.into_script_error(script.name());
                        context.observer.failed(&error);
                    }
                    Err(thrown) => return Err(thrown.into_script_error(script.name())),
                }
                dropped.map_err(|error| {
                    Thrown { error, line: 0, text: Arc::from(""), procedure: None }.into_script_error(script.name())
                })?;
                self.tell_settled(context);
            }
        }
        Ok(())
    }

    /// Lets the observer catch up, unless a transaction is open.
    fn tell_settled(&self, context: &mut Context<'_>) {
        if self.session.transactions == 0 {
            context.observer.settled(&Tables(self));
        }
    }

    pub(crate) fn run_list(&mut self, statements: &[Statement], context: &mut Context<'_>) -> Run<Flow> {
        for statement in statements {
            match self.run_statement(statement, context) {
                Ok(Flow::Next) => {}
                Ok(flow) => return Ok(flow),
                Err(thrown) => self.go_on_after(thrown, context)?,
            }
        }
        Ok(Flow::Next)
    }

    /// Goes on with the next statement where the caller wants that and the error allows it.
    fn go_on_after(&mut self, thrown: Box<Thrown>, context: &mut Context<'_>) -> Run<()> {
        let fatal = thrown.error.ends_batch() || self.session.options.xact_abort || thrown.error.thrown;
        if context.on_error == OnError::Stop || self.session.try_depth > 0 || fatal {
            return Err(thrown);
        }
        self.session.error = thrown.error.number;
        let error = thrown.into_script_error(context.file);
        context.observer.failed(&error);
        Ok(())
    }
}
