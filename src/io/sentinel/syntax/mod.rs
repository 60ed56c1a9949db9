//! From a script's text to its statements.
//!
//! ```text
//! text ─► sqlcmd commands ─► tokens (sqlparser's tokenizer) ─► batches at GO ─► statements
//! ```
//!
//! sqlparser's tokenizer knows T-SQL's lexical forms; its grammar is not used, since T-SQL statements need no
//! separator between them and that grammar takes the next statement's first word for an alias.

pub(crate) mod ast;
mod call;
mod cursor;
mod cut;
mod ddl;
mod dml;
mod execute;
mod expr;
mod flow;
mod lex;
mod object;
mod query;
mod routine;
mod sqlcmd;
mod statement;
mod tables;
mod variable;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ScriptError;
use super::session::OnError;
use ast::{Statement, UserType};
use cursor::{Called, Fault, Parser};
pub use cut::{Batch, batches};
pub(crate) use expr::text_literal;
use lex::Problem;
use sqlcmd::Prepared;
pub use sqlcmd::{Nowhere, Surroundings};

/// A script that can be run: every statement in it is understood.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) name: String,
    pub(crate) batches: Vec<ParsedBatch>,
    /// The user-defined functions that it calls.
    pub(crate) functions: Vec<FunctionCall>,
    /// The types that are known behind it.
    pub(crate) types: Types,
}

/// User-defined types, by name in lower case.
pub(crate) type Types = BTreeMap<String, UserType>;

#[derive(Clone, Debug)]
pub(crate) struct FunctionCall {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(crate) statement: Arc<str>,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct ParsedBatch {
    pub(crate) statements: Vec<Statement>,
    pub(crate) repeat: u32,
    /// What the script says about errors in it; nothing unless it does.
    pub(crate) on_error: Option<OnError>,
}

impl Script {
    /// The name that it was parsed under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Understands the whole script, or says all that stands in the way.
pub(crate) fn parse(name: &str, text: &str, known: Types, surroundings: &dyn Surroundings) -> Result<Script, Vec<ScriptError>> {
    parse_prepared(name, sqlcmd::prepare(name, text, surroundings), known)
}

/// Understands a text that a script executes: nothing in it is meant for sqlcmd.
pub(crate) fn parse_executed(name: &str, text: &str, known: Types) -> Result<Script, Vec<ScriptError>> {
    parse_prepared(name, sqlcmd::untouched(name, text), known)
}

fn parse_prepared(name: &str, prepared: Prepared, mut known: Types) -> Result<Script, Vec<ScriptError>> {
    let Prepared { text, places, mut problems, on_error, drops_rest } = prepared;
    let lexed = lex::lex(text, drops_rest);
    problems.extend(lexed.problems);
    let (mut batches, mut called) = (Vec::new(), Vec::new());
    for batch in &lexed.batches {
        let mut parser = Parser::new(&lexed.text, &batch.tokens, &places, &mut known);
        let mut statements = Vec::new();
        while parser.more_statements() {
            let start = parser.at;
            match parser.statement() {
                Ok(statement) => statements.push(statement),
                Err(fault) => parser.recover(start, fault),
            }
        }
        problems.append(&mut parser.problems);
        called.append(&mut parser.called);
        let on_error = on_error.iter().rfind(|(line, _)| *line < batch.end).map(|(_, on_error)| *on_error);
        batches.push(ParsedBatch { statements, repeat: batch.repeat, on_error });
    }
    if problems.is_empty() {
        let place = |called: Called| {
            let (file, line) = places.of(called.line);
            FunctionCall { file, line, statement: called.statement.unwrap_or_else(|| Arc::from("")), name: called.name }
        };
        return Ok(Script { name: name.to_owned(), batches, functions: called.into_iter().map(place).collect(), types: known });
    }
    problems.sort_by_key(|problem| problem.line);
    let error = |problem: Problem| {
        let (file, line) = places.of(problem.line);
        let Problem { text: statement, message, hint, .. } = problem;
        ScriptError { file: file.to_string(), line, statement, number: None, message, hint }
    };
    Err(problems.into_iter().map(error).collect())
}

impl Parser<'_> {
    /// Notes the fault and goes on where the next statement seems to begin.
    fn recover(&mut self, start: usize, fault: Fault) {
        if self.at == start && self.is("END") {
            // Nothing is open that this could end: let the block above see it.
            self.advance();
        }
        while !self.at_end() {
            self.advance();
            let new_line = self.tokens[self.at].line > self.tokens[self.at - 1].line;
            if self.is_symbol(";") || new_line && self.begins_statement() && !self.is_any(&["ELSE", "WITH"]) {
                break;
            }
        }
        let text = self.excerpt(start, self.at).to_string();
        self.problems.push(Problem { line: fault.line, text, message: fault.message, hint: fault.hint });
    }
}
