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
mod ddl;
mod dml;
mod execute;
mod expr;
mod flow;
mod lex;
mod query;
mod statement;
mod variable;

use super::error::ScriptError;
use ast::Statement;
use cursor::{Fault, Parser};
use lex::Problem;

/// A script that can be run: every statement in it is understood.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) name: String,
    pub(crate) batches: Vec<ParsedBatch>,
}

#[derive(Clone, Debug)]
pub(crate) struct ParsedBatch {
    pub(crate) statements: Vec<Statement>,
    pub(crate) repeat: u32,
}

impl Script {
    /// The name that it was parsed under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Understands the whole script, or says all that stands in the way.
pub(crate) fn parse(name: &str, text: &str) -> Result<Script, Vec<ScriptError>> {
    let lexed = lex::lex(text);
    let mut problems = lexed.problems;
    let mut batches = Vec::new();
    for batch in &lexed.batches {
        let mut parser = Parser::new(&lexed.text, &batch.tokens);
        let mut statements = Vec::new();
        while parser.more_statements() {
            let start = parser.at;
            match parser.statement() {
                Ok(statement) => statements.push(statement),
                Err(fault) => parser.recover(start, fault),
            }
        }
        problems.append(&mut parser.problems);
        batches.push(ParsedBatch { statements, repeat: batch.repeat });
    }
    if problems.is_empty() {
        return Ok(Script { name: name.to_owned(), batches });
    }
    problems.sort_by_key(|problem| problem.line);
    let error = |problem: Problem| ScriptError {
        file: name.to_owned(),
        line: problem.line,
        statement: problem.text,
        number: None,
        message: problem.message,
        hint: problem.hint,
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
