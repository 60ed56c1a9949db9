//! DECLARE, SET and cursors.

use std::sync::Arc;

use super::ast::{Declaration, FetchDirection, Kind, TableShape};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    pub(super) fn declare(&mut self) -> Parsed<Kind> {
        self.expect("DECLARE")?;
        if !matches!(self.lexeme(), Lexeme::Variable(_)) {
            let name = self.name()?.to_lowercase();
            return self.cursor_for(name);
        }
        let items = self.comma_separated(|p| {
            let name = p.variable()?;
            p.take("AS");
            if p.take("TABLE") {
                let (columns, constraints) = p.table_body()?;
                return Ok(Declaration::Table { name, columns, constraints });
            }
            if p.take("CURSOR") {
                return Ok(Declaration::Cursor);
            }
            if let Some(shape) = p.table_type() {
                let TableShape { columns, constraints } = shape.as_ref().clone();
                return Ok(Declaration::Table { name, columns, constraints });
            }
            let ty = p.data_type()?;
            let value = if p.take_symbol("=") { Some(p.expr()?) } else { None };
            Ok(Declaration::Scalar { name, ty, value })
        })?;
        Ok(Kind::Declare(items))
    }

    /// CURSOR with its options, FOR and the query.
    fn cursor_for(&mut self, name: String) -> Parsed<Kind> {
        while self.take("INSENSITIVE") || self.take("SCROLL") {}
        self.expect("CURSOR")?;
        let options = [
            "LOCAL",
            "GLOBAL",
            "FORWARD_ONLY",
            "SCROLL",
            "STATIC",
            "KEYSET",
            "DYNAMIC",
            "FAST_FORWARD",
            "READ_ONLY",
            "SCROLL_LOCKS",
            "OPTIMISTIC",
            "TYPE_WARNING",
        ];
        while self.is_any(&options) {
            self.advance();
        }
        self.expect("FOR")?;
        let query = Arc::new(self.query()?);
        if self.take_all(&["FOR", "READ"]) {
            self.expect("ONLY")?;
        } else if self.take_all(&["FOR", "UPDATE"]) && self.take("OF") {
            self.comma_separated(Self::name)?;
        }
        Ok(Kind::DeclareCursor { name, query })
    }

    pub(super) fn cursor_name(&mut self) -> Parsed<String> {
        self.take("GLOBAL");
        if let Lexeme::Variable(_) = self.lexeme() { self.variable() } else { Ok(self.name()?.to_lowercase()) }
    }

    pub(super) fn fetch(&mut self) -> Parsed<Kind> {
        let direction = if self.take("NEXT") {
            FetchDirection::Next
        } else if self.take("PRIOR") {
            FetchDirection::Prior
        } else if self.take("FIRST") {
            FetchDirection::First
        } else if self.take("LAST") {
            FetchDirection::Last
        } else if self.take("ABSOLUTE") {
            FetchDirection::Absolute(self.sum()?)
        } else if self.take("RELATIVE") {
            FetchDirection::Relative(self.sum()?)
        } else {
            FetchDirection::Next
        };
        self.take("FROM");
        let cursor = self.cursor_name()?;
        let into = if self.take("INTO") { self.comma_separated(Self::variable)? } else { Vec::new() };
        Ok(Kind::Fetch { cursor, direction, into })
    }

    pub(super) fn set(&mut self) -> Parsed<Kind> {
        self.expect("SET")?;
        if let Lexeme::Variable(_) = self.lexeme() {
            let variable = self.variable()?;
            let operator = self.assignment_operator()?;
            if self.is("CURSOR") {
                return self.cursor_for(variable);
            }
            return Ok(Kind::Assign { variable, operator, value: self.expr()? });
        }
        if self.take("IDENTITY_INSERT") {
            let table = self.object_name()?;
            let on = self.is("ON");
            self.advance();
            return Ok(Kind::SetIdentityInsert { table, on });
        }
        if self.take("ROWCOUNT") {
            return Ok(Kind::SetRowCount(self.sum()?));
        }
        if self.take("TRANSACTION") {
            self.rest_of_statement();
            return Ok(Kind::Accepted("the isolation level"));
        }
        let mut names = vec![self.name_after_point()?.to_ascii_uppercase()];
        if names[0] == "STATISTICS" {
            names.push(self.name_after_point()?.to_ascii_uppercase());
        }
        while self.take_symbol(",") {
            names.push(self.name_after_point()?.to_ascii_uppercase());
        }
        let value = match self.lexeme() {
            Lexeme::Symbol("-") => self.integer()?.to_string(),
            Lexeme::Word { text, .. } | Lexeme::Text { text, .. } => {
                self.advance();
                text.clone()
            }
            Lexeme::Number(digits) => {
                self.advance();
                digits.clone()
            }
            Lexeme::Variable(_) => {
                self.advance();
                String::new()
            }
            _ => return Err(self.expected("ON, OFF or a value")),
        };
        for (option, hint) in [
            ("IMPLICIT_TRANSACTIONS", "begin transactions with BEGIN TRANSACTION"),
            ("FMTONLY", "leave it out"),
            ("SHOWPLAN_ALL", "leave it out: there are no plans to show"),
            ("SHOWPLAN_TEXT", "leave it out: there are no plans to show"),
            ("SHOWPLAN_XML", "leave it out: there are no plans to show"),
        ] {
            if names.iter().any(|name| name == option) && value.eq_ignore_ascii_case("on") {
                return Err(self.unsupported(&format!("SET {option} ON"), hint));
            }
        }
        let seen = ["XACT_ABORT", "NOCOUNT"].into_iter().find(|known| names.iter().any(|name| name == known));
        let name = seen.unwrap_or(&names[0]);
        Ok(Kind::SetOption { name: name.to_owned(), value })
    }
}
