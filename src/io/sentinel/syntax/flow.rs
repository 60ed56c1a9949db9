//! Statements that steer: blocks, conditions, transactions, errors.

use super::super::value::{Type, Value};
use super::ast::{Expr, Kind, Statement};
use super::cursor::{Parsed, Parser};
use super::expr::text_literal;
use super::lex::Lexeme;

impl Parser<'_> {
    pub(super) fn if_else(&mut self) -> Parsed<Kind> {
        self.expect("IF")?;
        let condition = self.expr()?;
        let then = Box::new(self.statement()?);
        let otherwise = if self.take("ELSE") { Some(Box::new(self.statement()?)) } else { None };
        Ok(Kind::If { condition, then, otherwise })
    }

    pub(super) fn begin(&mut self) -> Parsed<Kind> {
        self.expect("BEGIN")?;
        if self.take("TRY") {
            let body = self.block(&["END", "TRY"])?;
            while self.take_symbol(";") {}
            self.expect("BEGIN")?;
            self.expect("CATCH")?;
            let catch = self.block(&["END", "CATCH"])?;
            return Ok(Kind::Try { body, catch });
        }
        if self.is_any(&["TRAN", "TRANSACTION"]) {
            let name = self.transaction_name();
            if self.take_all(&["WITH", "MARK"]) {
                let _ = self.attempt(Self::name_or_text);
            }
            return Ok(Kind::BeginTransaction(name));
        }
        if self.take("DISTRIBUTED") {
            return Ok(Kind::BeginTransaction(self.transaction_name()));
        }
        if self.is("DIALOG") || self.is("CONVERSATION") {
            return Err(self.unsupported("this BEGIN", "BEGIN TRANSACTION, BEGIN TRY and blocks are supported"));
        }
        Ok(Kind::Block(self.block(&["END"])?))
    }

    pub(super) fn block(&mut self, end: &[&str]) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.take_symbol(";") {}
            if self.take_all(end) {
                return Ok(statements);
            }
            if self.at_end() {
                // Where something in the block was not understood, its end may have been passed over.
                return if self.problems.is_empty() { Err(self.expected(&end.join(" "))) } else { Ok(statements) };
            }
            let start = self.at;
            match self.statement() {
                Ok(statement) => statements.push(statement),
                Err(fault) => self.recover(start, fault),
            }
        }
    }

    /// TRAN or TRANSACTION and the name that may follow.
    pub(super) fn transaction_name(&mut self) -> Option<String> {
        if !(self.take("TRAN") || self.take("TRANSACTION")) {
            self.take("WORK");
            return None;
        }
        if let Lexeme::Variable(name) = self.lexeme() {
            self.advance();
            return Some(name.to_lowercase());
        }
        if self.begins_statement() { None } else { self.attempt(Self::name) }
    }

    pub(super) fn raise_error(&mut self) -> Parsed<Kind> {
        self.expect_symbol("(")?;
        let mut parts = self.comma_separated(Self::expr)?.into_iter();
        self.expect_symbol(")")?;
        let set_error = self.take("WITH") && {
            let options = self.comma_separated(|p| {
                let set_error = p.is("SETERROR");
                p.advance();
                Ok(set_error)
            })?;
            options.contains(&true)
        };
        let number = |n: i64| Expr::Literal(Value::Int(n), Type::Int);
        let message = parts.next().unwrap_or_else(|| text_literal("", false));
        let severity = parts.next().unwrap_or_else(|| number(16));
        let state = parts.next().unwrap_or_else(|| number(1));
        Ok(Kind::RaiseError { message, severity, state, arguments: parts.collect(), set_error })
    }
}
