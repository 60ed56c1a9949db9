//! Statements that steer: blocks, conditions, loops, variables, transactions, errors, procedures, cursors.

use std::sync::Arc;

use super::super::value::{Type, Value};
use super::ast::{Argument, Declaration, Execute, Expr, FetchDirection, Kind, Statement};
use super::cursor::{Parsed, Parser};
use super::expr::text_literal;
use super::lex::Lexeme;

/// The words with which a statement can begin.
const STARTERS: [&str; 45] = [
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
        self.is_any(&STARTERS)
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
        Ok(Statement { line, text, kind })
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

    fn kind(&mut self) -> Parsed<Kind> {
        let Lexeme::Word { text, quoted: false } = self.lexeme() else {
            return if self.is_symbol("(") && self.begins_query() {
                Ok(Kind::Select(self.query()?))
            } else {
                Err(self.expected("a statement"))
            };
        };
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

    fn simple(&mut self) -> Parsed<Kind> {
        let accepted = ["GRANT", "DENY", "REVOKE", "DBCC", "CHECKPOINT", "RECONFIGURE", "BACKUP", "KILL"];
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
        if self.is("GOTO") || matches!(self.ahead(1), Lexeme::Symbol(":")) {
            return Err(self.unsupported("GOTO with its labels", "use IF, WHILE, or TRY and CATCH"));
        }
        if self.is_any(&["RESTORE", "BULK", "OPENQUERY", "READTEXT", "REVERT", "ENABLE", "DISABLE"]) {
            return Err(self.unsupported("this statement", "leave it out"));
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

    fn if_else(&mut self) -> Parsed<Kind> {
        self.expect("IF")?;
        let condition = self.expr()?;
        let then = Box::new(self.statement()?);
        let otherwise = if self.take("ELSE") { Some(Box::new(self.statement()?)) } else { None };
        Ok(Kind::If { condition, then, otherwise })
    }

    fn begin(&mut self) -> Parsed<Kind> {
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
        if self.is("DISTRIBUTED") || self.is("DIALOG") || self.is("CONVERSATION") {
            return Err(self.unsupported("this BEGIN", "BEGIN TRANSACTION, BEGIN TRY and blocks are supported"));
        }
        Ok(Kind::Block(self.block(&["END"])?))
    }

    fn block(&mut self, end: &[&str]) -> Parsed<Vec<Statement>> {
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
    fn transaction_name(&mut self) -> Option<String> {
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

    fn declare(&mut self) -> Parsed<Kind> {
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

    fn cursor_name(&mut self) -> Parsed<String> {
        self.take("GLOBAL");
        if let Lexeme::Variable(_) = self.lexeme() { self.variable() } else { Ok(self.name()?.to_lowercase()) }
    }

    fn fetch(&mut self) -> Parsed<Kind> {
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

    fn set(&mut self) -> Parsed<Kind> {
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
        if names.iter().any(|name| name == "IMPLICIT_TRANSACTIONS") && value.eq_ignore_ascii_case("on") {
            return Err(self.unsupported("SET IMPLICIT_TRANSACTIONS ON", "begin transactions with BEGIN TRANSACTION"));
        }
        let name = if names.iter().any(|name| name == "XACT_ABORT") { "XACT_ABORT" } else { &names[0] };
        Ok(Kind::SetOption { name: name.to_owned(), value })
    }

    fn raise_error(&mut self) -> Parsed<Kind> {
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

    fn execute(&mut self) -> Parsed<Kind> {
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

    fn call_procedure(&mut self) -> Parsed<Kind> {
        let mut result = None;
        if let Lexeme::Variable(_) = self.lexeme() {
            if !matches!(self.ahead(1), Lexeme::Symbol("=")) {
                return Err(self.unsupported("a procedure whose name is in a variable", "write its name"));
            }
            result = Some(self.variable()?);
            self.expect_symbol("=")?;
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

    fn argument(&mut self) -> Parsed<Argument> {
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
