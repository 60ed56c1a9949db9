//! Running scripts, statement by statement.

mod alter;
mod cdc;
mod cursor;
mod ddl;
mod define;
mod flow;
mod function;
mod insert;
mod merge;
mod output;
mod procedure;
mod query;
mod table;
mod target;
mod transaction;
mod trigger;
mod update;
mod write;

use std::sync::Arc;

pub(crate) use procedure::system_procedure;

use super::capture::CapturedTransaction;
use super::engine::{Engine, Frame, Session};
use super::error::{ScriptError, SqlError};
use super::read::Tables;
use super::syntax::Script;
use super::syntax::ast::{Kind, Statement};
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
    fn noted(&mut self, file: &str, line: u32, text: &str) {
        let _ = (file, line, text);
    }

    /// A statement failed and nothing caught the error. The error that ends a script was told before.
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

/// What happens at the end of a batch in which a statement failed and no CATCH took the error. The batch itself goes on
/// with its next statement or ends at once, as SQL Server has it for the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The script ends, as under `sqlcmd -b` or `:on error exit`.
    #[default]
    Stop,
    /// The next batch runs.
    Continue,
}

/// How a statement ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
    Return(i64),
    Goto(Arc<str>),
}

/// An error on its way to a CATCH or to the caller.
#[derive(Debug)]
pub(crate) struct Thrown {
    pub(crate) error: SqlError,
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(crate) text: Arc<str>,
    pub(crate) procedure: Option<String>,
}

pub(crate) type Run<T> = Result<T, Box<Thrown>>;

/// A running script's surroundings.
pub(crate) struct Context<'a> {
    pub(crate) observer: &'a mut dyn Observer,
    /// The first error of the batch that runs.
    pub(crate) failure: Option<ScriptError>,
    /// How many loop rounds and statements may still run: an endless loop ends with an error.
    pub(crate) budget: u64,
    /// How many statements stand around the one that runs.
    pub(crate) depth: u32,
}

/// A script that runs this many statements does not end.
const MAX_STATEMENTS: u64 = 50_000_000;

impl Thrown {
    pub(crate) fn at(statement: &Statement, error: SqlError) -> Self {
        let (file, text) = (Arc::clone(&statement.file), Arc::clone(&statement.text));
        Self { error, file, line: statement.line, text, procedure: None }
    }

    fn into_script_error(self) -> ScriptError {
        let number = (!self.error.is_ours()).then_some(self.error.number);
        let message = match self.procedure {
            Some(procedure) => format!("in procedure {procedure}: {}", self.error.message),
            None => self.error.message,
        };
        ScriptError {
            file: self.file.to_string(),
            line: self.line,
            statement: self.text.to_string(),
            number,
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
        let mut context = Context { observer, failure: None, budget: MAX_STATEMENTS, depth: 0 };
        let result = self.run_batches(script, on_error, &mut context);
        let last = script.batches.last().and_then(|batch| batch.statements.last());
        if let (1.., Some(last)) = (self.session.transactions, last) {
            let text = "a transaction was still open at the end and is rolled back";
            context.observer.noted(&last.file, last.line, text);
        }
        let closed = self.close_connection();
        result.and_then(|()| closed.map_err(|error| outside(script, error)))
    }

    fn run_batches(&mut self, script: &Script, on_error: OnError, context: &mut Context<'_>) -> Result<(), ScriptError> {
        for batch in &script.batches {
            let on_error = batch.on_error.unwrap_or(on_error);
            for _ in 0..batch.repeat {
                self.session.frames = vec![Frame::default()];
                self.session.try_depth = 0;
                self.session.caught.clear();
                let run = self.run_list(&batch.statements, context);
                let dropped = self.drop_table_variables();
                if let Err(thrown) = run {
                    if self.session.doomed || self.rolls_back(&thrown.error) {
                        self.abandon_transaction();
                    }
                    let unsupported = thrown.error.is_ours();
                    context.failed(thrown.into_script_error());
                    if unsupported && let Some(error) = context.failure.take() {
                        return Err(error);
                    }
                }
                dropped.map_err(|error| outside(script, error))?;
                self.tell_settled(context);
                if let (OnError::Stop, Some(error)) = (on_error, context.failure.take()) {
                    return Err(error);
                }
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
        let mut at = 0;
        while let Some(statement) = statements.get(at) {
            at += 1;
            match self.run_statement(statement, context) {
                Ok(Flow::Next) => {}
                Ok(Flow::Goto(label)) => {
                    let is_label = |statement: &Statement| matches!(&statement.kind, Kind::Label(other) if *other == label);
                    let Some(place) = statements.iter().position(is_label) else { return Ok(Flow::Goto(label)) };
                    for skipped in statements.get(at..place).unwrap_or_default() {
                        self.declare_skipped(skipped).map_err(|error| Box::new(Thrown::at(skipped, error)))?;
                    }
                    at = place;
                }
                Ok(flow) => return Ok(flow),
                Err(thrown) => self.go_on_after(thrown, context)?,
            }
        }
        Ok(Flow::Next)
    }

    /// Most errors end their statement only: the batch goes on, as in SQL Server.
    fn go_on_after(&mut self, thrown: Box<Thrown>, context: &mut Context<'_>) -> Run<()> {
        let error = &thrown.error;
        if error.ends_batch() || error.thrown || self.aborts(error) || self.session.try_depth > 0 {
            return Err(thrown);
        }
        self.session.error = error.number;
        context.failed(thrown.into_script_error());
        Ok(())
    }

    /// Whether XACT_ABORT makes an error end the batch and the transaction: RAISERROR does not.
    pub(super) fn aborts(&self, error: &SqlError) -> bool {
        self.session.options.xact_abort && (error.thrown || error.number < 50_000)
    }

    /// Whether an error that nothing caught takes the open transaction with it.
    fn rolls_back(&self, error: &SqlError) -> bool {
        error.ends_transaction() || self.aborts(error)
    }
}

impl Context<'_> {
    fn failed(&mut self, error: ScriptError) {
        self.observer.failed(&error);
        self.failure.get_or_insert(error);
    }
}

/// The error of something that is no statement of the script.
fn outside(script: &Script, error: SqlError) -> ScriptError {
    let file = Arc::from(script.name());
    Thrown { error, file, line: 0, text: Arc::from(""), procedure: None }.into_script_error()
}
