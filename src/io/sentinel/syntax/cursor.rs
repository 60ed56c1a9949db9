//! Walking over the tokens of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::value::Type;
use super::ast::{ObjectName, UserType};
use super::lex::{Lexeme, Problem, Token};
use super::sqlcmd::Places;

/// A statement that cannot be understood: the token at fault, and why.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

pub(crate) type Parsed<T> = Result<T, Fault>;

/// A user-defined function that is called, and where.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) name: String,
    pub(crate) line: u32,
    /// The statement's text, once it is known.
    pub(crate) statement: Option<Arc<str>>,
}

/// How deep blocks and expressions may be nested: beyond, the stack would not hold.
const MAX_DEPTH: u32 = 200;

pub(crate) struct Parser<'t> {
    pub(crate) tokens: &'t [Token],
    pub(crate) at: usize,
    pub(crate) source: &'t str,
    pub(crate) problems: Vec<Problem>,
    pub(crate) places: &'t Places,
    /// The types that scripts have defined so far, by name in lower case.
    pub(crate) known: &'t mut BTreeMap<String, UserType>,
    /// Calls of user-defined functions.
    pub(crate) called: Vec<Called>,
    depth: u32,
}

const KEYWORDS: &str = " ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE \
CHECK CHECKPOINT CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT CONSTRAINT CONTAINS CONTINUE CONVERT CREATE \
CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE \
DENY DESC DISTINCT DOUBLE DROP ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT FETCH FILLFACTOR FOR FOREIGN \
FREETEXT FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK IDENTITY IDENTITY_INSERT IDENTITYCOL IF IN INDEX INNER INSERT \
INTERSECT INTO IS JOIN KEY KILL LEFT LIKE MERGE NATIONAL NOCHECK NONCLUSTERED NOT NULL NULLIF OF OFF OFFSETS ON OPEN \
OPTION OR ORDER OUTER OVER PERCENT PIVOT PLAN PRECISION PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ RECONFIGURE \
REFERENCES RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ROWGUIDCOL RULE SAVE SCHEMA SELECT SESSION_USER SET \
SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE THEN THROW TO TOP TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION \
UNIQUE UNPIVOT UPDATE USE USER VALUES VIEW WAITFOR WHEN WHERE WHILE WITH ";

pub(crate) fn is_reserved(word: &str) -> bool {
    word.len() < 30 && KEYWORDS.contains(&format!(" {} ", word.to_ascii_uppercase()))
}

impl<'t> Parser<'t> {
    pub(crate) fn new(
        source: &'t str,
        tokens: &'t [Token],
        places: &'t Places,
        known: &'t mut BTreeMap<String, UserType>,
    ) -> Self {
        Self { tokens, at: 0, source, problems: Vec::new(), places, known, called: Vec::new(), depth: 0 }
    }

    pub(crate) fn lexeme(&self) -> &'t Lexeme {
        self.ahead(0)
    }

    pub(crate) fn ahead(&self, by: usize) -> &'t Lexeme {
        self.tokens.get(self.at + by).map_or(&Lexeme::End, |token| &token.lexeme)
    }

    pub(crate) fn line(&self) -> u32 {
        self.tokens.get(self.at.min(self.tokens.len().saturating_sub(1))).map_or(1, |token| token.line)
    }

    pub(crate) fn at_end(&self) -> bool {
        matches!(self.lexeme(), Lexeme::End)
    }

    pub(crate) fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    pub(crate) fn is_word(&self, by: usize, word: &str) -> bool {
        matches!(self.ahead(by), Lexeme::Word { text, quoted: false } if text.eq_ignore_ascii_case(word))
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.is_word(0, word)
    }

    pub(crate) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.lexeme(), Lexeme::Symbol(s) if *s == symbol)
    }

    /// Takes the keyword if it is next.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes all of the keywords if they are next.
    pub(crate) fn take_all(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(by, word)| self.is_word(by, word));
        if found {
            for _ in words {
                self.advance();
            }
        }
        found
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.take(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    pub(crate) fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.expected(&format!("'{symbol}'"))) }
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { line: self.line(), message: message.into(), hint: None }
    }

    pub(crate) fn unsupported(&self, what: &str, hint: &str) -> Fault {
        let message = format!("{what} is not supported by the embedded Sentinel");
        Fault { line: self.line(), message, hint: Some(hint.to_owned()) }
    }

    pub(crate) fn expected(&self, what: &str) -> Fault {
        let found = match self.tokens.get(self.at) {
            Some(token) if token.lexeme != Lexeme::End => format!("'{}'", &self.source[token.start..token.end]),
            _ => "the end of the batch".to_owned(),
        };
        self.fault(format!("expected {what}, found {found}"))
    }

    /// Counts a level of nesting while `parse` runs.
    pub(crate) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.nested_by(1, parse)
    }

    /// Brackets in expressions take more of the stack than blocks.
    pub(crate) fn nested_by<T>(&mut self, levels: u32, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth + levels > MAX_DEPTH {
            return Err(self.fault(format!("more than {MAX_DEPTH} levels of nesting")));
        }
        self.depth += levels;
        let parsed = super::super::deeper(|| parse(self));
        self.depth -= levels;
        parsed
    }

    /// Tries `parse`, and goes back to where it began when it fails.
    pub(crate) fn attempt<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Option<T> {
        let start = self.at;
        let parsed = parse(self).ok();
        if parsed.is_none() {
            self.at = start;
        }
        parsed
    }

    /// A name: quoted, or a word that is not reserved.
    pub(crate) fn name(&mut self) -> Parsed<String> {
        match self.lexeme() {
            Lexeme::Word { text, quoted } if *quoted || !is_reserved(text) && !self.is_label() => {
                self.advance();
                Ok(text.clone())
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// A name, or one in single quotes, as some statements allow.
    pub(crate) fn name_or_text(&mut self) -> Parsed<String> {
        if let Lexeme::Text { text, .. } = self.lexeme() {
            self.advance();
            return Ok(text.clone());
        }
        self.name()
    }

    pub(crate) fn variable(&mut self) -> Parsed<String> {
        match self.lexeme() {
            Lexeme::Variable(name) => {
                self.advance();
                Ok(name.to_lowercase())
            }
            _ => Err(self.expected("a variable")),
        }
    }

    pub(crate) fn object_name(&mut self) -> Parsed<ObjectName> {
        if let Lexeme::Variable(name) = self.lexeme() {
            self.advance();
            return Ok(ObjectName::bare(name.to_lowercase()));
        }
        let mut parts = vec![Some(self.name()?)];
        while self.take_symbol(".") {
            // `db..table` leaves the schema out.
            let part = if self.is_symbol(".") { None } else { Some(self.name_after_point()?) };
            parts.push(part);
        }
        self.qualified(parts)
    }

    fn qualified(&self, mut parts: Vec<Option<String>>) -> Parsed<ObjectName> {
        let name = parts.pop().flatten().ok_or_else(|| self.expected("a name"))?;
        let schema = parts.pop().flatten();
        let database = parts.pop().flatten();
        if parts.pop().is_some() {
            return Err(self.unsupported("an object of another server", "leave the server's name out"));
        }
        Ok(ObjectName { database, schema, name })
    }

    /// The parts of a name, where an empty one was left out.
    pub(crate) fn named(&self, parts: Vec<String>) -> Parsed<ObjectName> {
        self.qualified(parts.into_iter().map(|part| Some(part).filter(|part| !part.is_empty())).collect())
    }

    /// After a point every word is a name.
    pub(crate) fn name_after_point(&mut self) -> Parsed<String> {
        match self.lexeme() {
            Lexeme::Word { text, .. } => {
                self.advance();
                Ok(text.clone())
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// `(a, b, c)`; ASC and DESC behind a name do not matter.
    pub(crate) fn name_list(&mut self) -> Parsed<Vec<String>> {
        self.expect_symbol("(")?;
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            if !self.take("ASC") {
                self.take("DESC");
            }
            if !self.take_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(names)
    }

    pub(crate) fn comma_separated<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(crate) fn integer(&mut self) -> Parsed<i64> {
        let negative = self.take_symbol("-");
        match self.lexeme() {
            Lexeme::Number(digits) => {
                let Ok(number) = digits.parse::<i64>() else { return Err(self.expected("a whole number")) };
                self.advance();
                Ok(if negative { -number } else { number })
            }
            _ => Err(self.expected("a whole number")),
        }
    }

    pub(crate) fn data_type(&mut self) -> Parsed<Type> {
        let mut name = match self.lexeme() {
            Lexeme::Word { text, .. } => text.clone(),
            _ => return Err(self.expected("a data type")),
        };
        self.advance();
        if self.take_symbol(".") {
            name = self.name_after_point()?;
        }
        if name.eq_ignore_ascii_case("national") {
            name = format!("n{}", self.name_after_point()?);
        }
        if name.eq_ignore_ascii_case("double") {
            self.take("PRECISION");
        }
        if self.take("VARYING") {
            name = String::from(if name.to_ascii_lowercase().starts_with('n') { "nvarchar" } else { "varchar" });
        }
        let mut lengths = Vec::new();
        if self.take_symbol("(") {
            lengths = self.comma_separated(|p| {
                if p.take("MAX") {
                    return Ok(None);
                }
                let number = p.integer()?;
                u32::try_from(number).map(Some).map_err(|_| p.fault("a length is not negative"))
            })?;
            self.expect_symbol(")")?;
        }
        if let (Some(UserType::Alias(ty)), true) = (self.known.get(&name.to_lowercase()), lengths.is_empty()) {
            return Ok(*ty);
        }
        Type::from_name(&name, &lengths).map_err(|message| self.fault(message))
    }

    /// Passes over a list in brackets, whatever is in it.
    pub(crate) fn skip_brackets(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        let mut open = 1;
        while open > 0 {
            match self.lexeme() {
                Lexeme::Symbol("(") => open += 1,
                Lexeme::Symbol(")") => open -= 1,
                Lexeme::End => return Err(self.expected("')'")),
                _ => {}
            }
            self.advance();
        }
        Ok(())
    }
}
