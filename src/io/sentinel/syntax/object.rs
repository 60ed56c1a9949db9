//! CREATE TYPE and CREATE SEQUENCE.

use std::sync::Arc;

use super::super::value::Type;
use super::ast::{Kind, Sequence, TableShape, UserType};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    pub(crate) fn user_type(&mut self) -> Parsed<Kind> {
        let name = self.object_name()?;
        let ty = if self.take("FROM") {
            let ty = self.data_type()?;
            let _ = self.take_all(&["NOT", "NULL"]) || self.take("NULL");
            UserType::Alias(ty)
        } else {
            self.expect("AS")?;
            if !self.take("TABLE") {
                return Err(self.unsupported("this CREATE TYPE", "types FROM another type and AS TABLE are supported"));
            }
            let (columns, constraints) = self.table_body()?;
            if self.is("WITH") {
                self.table_hints()?;
            }
            UserType::Table(Arc::new(TableShape { columns, constraints }))
        };
        self.known.insert(name.name.to_lowercase(), ty.clone());
        Ok(Kind::CreateType { name, ty })
    }

    /// A user-defined table type, when one is next.
    pub(crate) fn table_type(&mut self) -> Option<Arc<TableShape>> {
        let Lexeme::Word { text, .. } = self.lexeme() else { return None };
        let (name, length) = match (self.ahead(1), self.ahead(2)) {
            (Lexeme::Symbol("."), Lexeme::Word { text, .. }) => (text, 3),
            _ => (text, 1),
        };
        let Some(UserType::Table(shape)) = self.known.get(&name.to_lowercase()) else { return None };
        let shape = Arc::clone(shape);
        (0..length).for_each(|_| self.advance());
        Some(shape)
    }

    pub(crate) fn sequence(&mut self) -> Parsed<Kind> {
        let name = self.object_name()?;
        let ty = if self.take("AS") { self.data_type()? } else { Type::BigInt };
        let (smallest, largest) = match ty {
            Type::TinyInt => (0, 255),
            Type::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
            Type::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Type::BigInt | Type::Decimal { scale: 0, .. } => (i64::MIN, i64::MAX),
            other => return Err(self.fault(format!("a sequence of {other} cannot be: its numbers are whole"))),
        };
        let (mut start, mut increment, mut least, mut most, mut cycles) = (None, 1, None, None, false);
        loop {
            if self.take_all(&["START", "WITH"]) {
                start = Some(self.integer()?);
            } else if self.take_all(&["INCREMENT", "BY"]) {
                increment = self.integer()?;
            } else if self.take("MINVALUE") {
                least = Some(self.integer()?);
            } else if self.take("MAXVALUE") {
                most = Some(self.integer()?);
            } else if self.take("CYCLE") {
                cycles = true;
            } else if self.take("CACHE") {
                if let Lexeme::Number(_) = self.lexeme() {
                    self.advance();
                }
            } else if self.take("NO") {
                // NO MINVALUE, NO MAXVALUE, NO CYCLE, NO CACHE
                self.advance();
            } else {
                break;
            }
        }
        if increment == 0 {
            return Err(self.fault("a sequence's increment is not 0"));
        }
        let (least, most) = (least.unwrap_or(smallest), most.unwrap_or(largest));
        let start = start.unwrap_or(if increment > 0 { least } else { most });
        if !(least..=most).contains(&start) || least < smallest || most > largest {
            return Err(self.fault("a sequence's start lies between its MINVALUE and its MAXVALUE, and these in its type"));
        }
        Ok(Kind::CreateSequence { name, sequence: Sequence { ty, start, increment, least, most, cycles } })
    }

    pub(crate) fn restart_sequence(&mut self) -> Parsed<Kind> {
        let name = self.object_name()?;
        if !self.take("RESTART") {
            return Err(self.unsupported("this ALTER SEQUENCE", "ALTER SEQUENCE … RESTART is supported; or make it anew"));
        }
        let with = if self.take("WITH") { Some(self.integer()?) } else { None };
        Ok(Kind::RestartSequence { name, with })
    }
}
