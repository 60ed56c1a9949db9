//! EXECUTE.

use super::ast::{Argument, Execute, Kind};
use super::cursor::{Parsed, Parser};
use super::expr::text_literal;
use super::lex::Lexeme;

impl Parser<'_> {
    pub(super) fn execute(&mut self) -> Parsed<Kind> {
        self.advance();
        if self.is_symbol("(") {
            self.advance();
            let text = self.expr()?;
            self.expect_symbol(")")?;
            if self.is("AT") {
                return Err(self.unsupported("EXECUTE AT another server", "leave it out"));
            }
            return Ok(Kind::ExecuteText(text));
        }
        if self.is("AS") {
            self.rest_of_statement();
            return Ok(Kind::Accepted("EXECUTE AS"));
        }
        self.call_procedure()
    }

    pub(super) fn call_procedure(&mut self) -> Parsed<Kind> {
        let mut result = None;
        if let Lexeme::Variable(_) = self.lexeme() {
            // without a `=`, the procedure's name is in it
            if matches!(self.ahead(1), Lexeme::Symbol("=")) {
                result = Some(self.variable()?);
                self.expect_symbol("=")?;
            }
        }
        let procedure = self.object_name()?;
        let mut arguments = Vec::new();
        let none = self.at_end() || self.is_symbol(";") || self.begins_statement() || self.is_symbol(")");
        if !none {
            arguments = self.comma_separated(Self::argument)?;
        }
        self.take_all(&["WITH", "RECOMPILE"]);
        Ok(Kind::Execute(Execute { result, procedure, arguments }))
    }

    pub(super) fn argument(&mut self) -> Parsed<Argument> {
        let mut name = None;
        if matches!(self.lexeme(), Lexeme::Variable(_)) && matches!(self.ahead(1), Lexeme::Symbol("=")) {
            name = Some(self.variable()?);
            self.expect_symbol("=")?;
        }
        let value = match self.lexeme() {
            _ if self.take("DEFAULT") => None,
            // A bare word is text.
            Lexeme::Word { text, .. } if !text.eq_ignore_ascii_case("null") => {
                self.advance();
                Some(text_literal(text, true))
            }
            _ => Some(self.sum()?),
        };
        let output = self.take("OUTPUT") || self.take("OUT");
        Ok(Argument { name, value, output })
    }
}
