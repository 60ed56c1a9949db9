//! Where statements begin and end, and which is which.

use std::sync::Arc;

use super::ast::{Kind, Reseed, Statement};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

/// The words with which a statement can begin.
const STARTERS: [&str; 46] = [
    "ALTER",
    "BEGIN",
    "BREAK",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "CONTINUE",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "ELSE",
    "END",
    "EXEC",
    "EXECUTE",
    "FETCH",
    "GOTO",
    "GRANT",
    "IF",
    "INSERT",
    "KILL",
    "MERGE",
    "OPEN",
    "PRINT",
    "RAISERROR",
    "RECONFIGURE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "SELECT",
    "SET",
    "THROW",
    "TRUNCATE",
    "UPDATE",
    "USE",
    "WAITFOR",
    "WHILE",
    "WITH",
    "BACKUP",
    "RESTORE",
    "BULK",
];

impl Parser<'_> {
    /// Whether another statement follows before the end of the block or batch.
    pub(crate) fn more_statements(&mut self) -> bool {
        while self.take_symbol(";") {}
        !self.at_end()
    }

    pub(crate) fn begins_statement(&self) -> bool {
        self.is_any(&STARTERS) || self.is_label()
    }

    /// `name:`
    pub(crate) fn is_label(&self) -> bool {
        matches!((self.lexeme(), self.ahead(1)), (Lexeme::Word { quoted: false, .. }, Lexeme::Symbol(":")))
    }

    /// The tokens up to the next statement: what they say does not matter.
    pub(crate) fn rest_of_statement(&mut self) {
        let mut open = 0;
        while !self.at_end() && (open != 0 || !self.is_symbol(";")) {
            match self.lexeme() {
                Lexeme::Symbol("(") => open += 1,
                Lexeme::Symbol(")") => open -= 1,
                _ => {}
            }
            self.advance();
            let new_line = self.tokens[self.at].line > self.tokens[self.at - 1].line;
            if open <= 0 && new_line && self.begins_statement() && !self.is_any(&["WITH", "SET"]) {
                break;
            }
        }
    }

    pub(crate) fn statement(&mut self) -> Parsed<Statement> {
        while self.take_symbol(";") {}
        let (start, line) = (self.at, self.line());
        let kind = self.nested(Self::kind)?;
        while self.take_symbol(";") {}
        let text = self.excerpt(start, self.at);
        for called in self.called.iter_mut().filter(|called| called.statement.is_none()) {
            called.statement = Some(Arc::clone(&text));
        }
        let (file, line) = self.places.of(line);
        Ok(Statement { file, line, text, kind })
    }

    /// The text from one token up to another on one line, shortened.
    pub(crate) fn excerpt(&self, start: usize, end: usize) -> Arc<str> {
        const LONGEST: usize = 160;
        let (Some(first), Some(last)) = (self.tokens.get(start), self.tokens.get(end.saturating_sub(1).max(start))) else {
            return Arc::from("");
        };
        let mut text = String::new();
        for word in self.source.get(first.start..last.end).unwrap_or_default().split_whitespace() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
            if text.len() > LONGEST {
                let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST).last().unwrap_or(0);
                text.truncate(cut);
                text.push('…');
                break;
            }
        }
        Arc::from(text.trim_end_matches(';').trim_end())
    }

    pub(super) fn kind(&mut self) -> Parsed<Kind> {
        let Lexeme::Word { text, quoted: false } = self.lexeme() else {
            return if self.is_symbol("(") && self.begins_query() {
                Ok(Kind::Select(self.query()?))
            } else {
                Err(self.expected("a statement"))
            };
        };
        if self.is_label() {
            let label = Arc::from(text.to_lowercase());
            self.advance();
            self.advance();
            return Ok(Kind::Label(label));
        }
        match text.to_ascii_uppercase().as_str() {
            "SELECT" => Ok(Kind::Select(self.query()?)),
            "WITH" => {
                let ctes = self.ctes()?;
                if self.is("INSERT") {
                    self.insert(ctes)
                } else if self.is("UPDATE") {
                    self.update(ctes)
                } else if self.is("DELETE") {
                    self.delete(ctes)
                } else if self.is("MERGE") {
                    self.merge(ctes)
                } else {
                    Ok(Kind::Select(self.query_after(ctes)?))
                }
            }
            "INSERT" => self.insert(Vec::new()),
            "UPDATE" if self.is_word(1, "STATISTICS") => {
                self.rest_of_statement();
                Ok(Kind::Accepted("UPDATE STATISTICS"))
            }
            "UPDATE" => self.update(Vec::new()),
            "DELETE" => self.delete(Vec::new()),
            "MERGE" => self.merge(Vec::new()),
            "TRUNCATE" => Ok(Kind::Truncate(self.truncate()?)),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "IF" => self.if_else(),
            "WHILE" => {
                self.advance();
                let condition = self.expr()?;
                Ok(Kind::While { condition, body: Box::new(self.statement()?) })
            }
            "BEGIN" => self.begin(),
            "COMMIT" => {
                self.advance();
                self.transaction_name();
                if self.is("WITH") && matches!(self.ahead(1), Lexeme::Symbol("(")) && self.is_word(2, "DELAYED_DURABILITY") {
                    self.advance();
                    self.skip_brackets()?;
                }
                Ok(Kind::Commit)
            }
            "ROLLBACK" => {
                self.advance();
                Ok(Kind::Rollback(self.transaction_name()))
            }
            "SAVE" => {
                self.advance();
                let name = self.transaction_name().ok_or_else(|| self.expected("TRANSACTION and a name"))?;
                Ok(Kind::SavePoint(name))
            }
            "EXEC" | "EXECUTE" => self.execute(),
            _ => self.simple(),
        }
    }

    /// `DBCC CHECKIDENT ('table', RESEED, n)`.
    fn check_identity(&mut self) -> Parsed<Kind> {
        self.advance();
        self.advance();
        self.expect_symbol("(")?;
        let table = match self.lexeme() {
            Lexeme::Text { text, .. } => {
                self.advance();
                text.clone()
            }
            _ => self.object_name()?.to_string(),
        };
        let mut reseed = Reseed::ToColumn;
        if self.take_symbol(",") {
            if self.take("NORESEED") {
                reseed = Reseed::No;
            } else {
                self.expect("RESEED")?;
                if self.take_symbol(",") {
                    reseed = Reseed::To(self.expr()?);
                }
            }
        }
        self.expect_symbol(")")?;
        let _ = self.take_all(&["WITH", "NO_INFOMSGS"]);
        Ok(Kind::CheckIdentity { table, reseed })
    }

    fn simple(&mut self) -> Parsed<Kind> {
        if self.is("DBCC") && self.is_word(1, "CHECKIDENT") {
            return self.check_identity();
        }
        let accepted = ["GRANT", "DENY", "REVOKE", "DBCC", "CHECKPOINT", "RECONFIGURE", "BACKUP", "KILL", "REVERT"];
        if self.is_any(&accepted) {
            self.rest_of_statement();
            return Ok(Kind::Accepted("rights and maintenance"));
        }
        if self.take("PRINT") {
            return Ok(Kind::Print(self.expr()?));
        }
        if self.take("USE") {
            return Ok(Kind::Use(self.name()?));
        }
        if self.take("BREAK") {
            return Ok(Kind::Break);
        }
        if self.take("CONTINUE") {
            return Ok(Kind::Continue);
        }
        if self.take("RETURN") {
            let ends = self.at_end() || self.is_symbol(";") || self.begins_statement();
            return Ok(Kind::Return(if ends { None } else { Some(self.expr()?) }));
        }
        if self.take("RAISERROR") {
            return self.raise_error();
        }
        if self.take("THROW") {
            if self.at_end() || self.is_symbol(";") || self.begins_statement() {
                return Ok(Kind::Throw(None));
            }
            let number = self.sum()?;
            self.expect_symbol(",")?;
            let message = self.sum()?;
            self.expect_symbol(",")?;
            return Ok(Kind::Throw(Some((number, message, self.sum()?))));
        }
        if self.take("WAITFOR") {
            let until = self.take("TIME");
            if !until {
                self.expect("DELAY")?;
            }
            return Ok(Kind::WaitFor { until, time: self.sum()? });
        }
        if self.take("OPEN") {
            return Ok(Kind::OpenCursor(self.cursor_name()?));
        }
        if self.take("CLOSE") {
            return Ok(Kind::CloseCursor(self.cursor_name()?));
        }
        if self.take("DEALLOCATE") {
            return Ok(Kind::Deallocate(self.cursor_name()?));
        }
        if self.take("FETCH") {
            return self.fetch();
        }
        if self.is_any(&["ENABLE", "DISABLE"]) && self.is_word(1, "TRIGGER") {
            let on = self.is("ENABLE");
            self.advance();
            return self.switch_triggers(on);
        }
        if self.take("GOTO") {
            return Ok(Kind::Goto(Arc::from(self.name()?.to_lowercase())));
        }
        for (word, hint) in [
            ("RESTORE", "a --setup script makes the book anew"),
            ("BULK", "INSERT … VALUES holds the rows in the script"),
            ("READTEXT", "SUBSTRING reads a part of a text"),
            ("WRITETEXT", "UPDATE writes a text"),
            ("UPDATETEXT", "UPDATE writes a text"),
            ("SHUTDOWN", "leave it out"),
        ] {
            if self.is(word) {
                return Err(self.unsupported(word, hint));
            }
        }
        // The first statement of a batch may be a procedure's name alone.
        if self.at == 0
            && !self.begins_statement()
            && let Some(call) = self.attempt(Self::call_procedure)
        {
            return Ok(call);
        }
        Err(self.expected("a statement"))
    }
}
