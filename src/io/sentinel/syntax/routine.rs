//! Procedures, functions and triggers: each is the rest of its batch.

use std::sync::Arc;

use super::super::foresight::visit;
use super::super::value::Type;
use super::ast::{
    Body, CreateTrigger, Declaration, Function, FunctionBody, InsertSource, Kind, ObjectName, Parameter, Procedure, Query,
    SelectItem, Statement, TableShape, TriggerEvents,
};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    pub(crate) fn procedure(&mut self, replace: bool) -> Parsed<Kind> {
        let name = self.object_name()?;
        let bracketed = self.take_symbol("(");
        let parameters = self.parameters()?;
        if bracketed {
            self.expect_symbol(")")?;
        }
        self.routine_options()?;
        self.expect("AS")?;
        let body = self.rest_of_batch()?;
        Ok(Kind::CreateProcedure { name, procedure: Arc::new(Procedure { parameters, body }), replace })
    }

    fn parameters(&mut self) -> Parsed<Vec<Parameter>> {
        if !matches!(self.lexeme(), Lexeme::Variable(_)) {
            return Ok(Vec::new());
        }
        self.comma_separated(|p| {
            let name = p.variable()?;
            p.take("AS");
            let table = p.table_type();
            let ty = if table.is_some() { Type::Null } else { p.data_type()? };
            let _ = p.take_all(&["NOT", "NULL"]) || p.take("NULL");
            let default = if p.take_symbol("=") { Some(p.expr()?) } else { None };
            let output = p.take("OUTPUT") || p.take("OUT");
            p.take("READONLY");
            Ok(Parameter { name, ty, table, default, output })
        })
    }

    /// `WITH RECOMPILE, EXECUTE AS OWNER, SCHEMABINDING, …`; whether RETURNS NULL ON NULL INPUT is among them.
    fn routine_options(&mut self) -> Parsed<bool> {
        let mut strict = false;
        if self.take("WITH") {
            self.comma_separated(|p| {
                if p.take_all(&["RETURNS", "NULL", "ON", "NULL", "INPUT"]) {
                    strict = true;
                } else if p.take_all(&["CALLED", "ON", "NULL", "INPUT"]) {
                } else if p.take_all(&["EXECUTE", "AS"]) || p.take_all(&["EXEC", "AS"]) {
                    p.advance();
                } else {
                    p.name_after_point()?;
                    // INLINE = ON
                    if p.take_symbol("=") {
                        p.advance();
                    }
                }
                Ok(())
            })?;
        }
        Ok(strict)
    }

    fn rest_of_batch(&mut self) -> Parsed<Vec<Statement>> {
        let mut body = Vec::new();
        while self.more_statements() {
            body.push(self.statement()?);
        }
        Ok(body)
    }

    pub(crate) fn function(&mut self, replace: bool) -> Parsed<Kind> {
        let name = self.object_name()?;
        self.expect_symbol("(")?;
        let parameters = self.parameters()?;
        self.expect_symbol(")")?;
        self.expect("RETURNS")?;
        let (strict, body) = if self.take("TABLE") {
            self.routine_options()?;
            self.take("AS");
            self.expect("RETURN")?;
            let query = self.inline_query()?;
            (false, FunctionBody::Inline(Box::new(query)))
        } else if let Lexeme::Variable(_) = self.lexeme() {
            let variable = self.variable()?;
            self.expect("TABLE")?;
            let (columns, constraints) = self.table_body()?;
            self.routine_options()?;
            self.take("AS");
            let shape = Arc::new(TableShape { columns, constraints });
            (false, FunctionBody::Table { name: variable, shape, body: self.function_body()? })
        } else {
            let ty = self.data_type()?;
            let strict = self.routine_options()?;
            self.take("AS");
            if self.is("EXTERNAL") {
                return Err(self.unsupported("a function of an assembly", "write it in T-SQL"));
            }
            (strict, FunctionBody::Scalar { ty, body: self.function_body()? })
        };
        Ok(Kind::CreateFunction { name, function: Arc::new(Function { parameters, strict, body }), replace })
    }

    /// A query to the end of the batch; brackets around it may as well be those of a part of it.
    fn inline_query(&mut self) -> Parsed<Query> {
        if let Some(query) = self.attempt(|p| {
            p.expect_symbol("(")?;
            let query = p.query()?;
            p.expect_symbol(")")?;
            if p.more_statements() { Err(p.expected("the end of the batch")) } else { Ok(query) }
        }) {
            return Ok(query);
        }
        self.query()
    }

    fn function_body(&mut self) -> Parsed<Vec<Statement>> {
        if !self.is("BEGIN") {
            return Err(self.expected("BEGIN"));
        }
        let body = self.rest_of_batch()?;
        let mut refused = None;
        for statement in &body {
            visit(statement, &mut |statement| {
                if refused.is_none() && !has_no_side_effect(&statement.kind) {
                    refused = Some(statement.text.clone());
                }
            });
        }
        match refused {
            Some(text) => Err(self.fault(format!("a function cannot change what is outside it: {text}"))),
            None => Ok(body),
        }
    }

    pub(crate) fn trigger(&mut self, replace: bool) -> Parsed<Kind> {
        let name = self.object_name()?;
        self.expect("ON")?;
        if self.is("DATABASE") || self.is("ALL") {
            self.skip_batch();
            return Err(self.unsupported("a trigger on definitions or logins", "leave it out"));
        }
        let table = self.object_name()?;
        self.routine_options()?;
        if self.is("INSTEAD") {
            self.skip_batch();
            return Err(self.unsupported("an INSTEAD OF trigger", "write what it does into the script"));
        }
        if !self.take("FOR") {
            self.expect("AFTER")?;
        }
        let mut events = TriggerEvents::default();
        self.comma_separated(|p| {
            if p.take("INSERT") {
                events.insert = true;
            } else if p.take("UPDATE") {
                events.update = true;
            } else {
                p.expect("DELETE")?;
                events.delete = true;
            }
            Ok(())
        })?;
        let _ = self.take_all(&["NOT", "FOR", "REPLICATION"]);
        self.expect("AS")?;
        let body = Arc::new(Procedure { parameters: Vec::new(), body: self.rest_of_batch()? });
        Ok(Kind::CreateTrigger(CreateTrigger { name, table, events, body, replace }))
    }

    /// `TRIGGER a, b ON t` behind ENABLE or DISABLE.
    pub(crate) fn switch_triggers(&mut self, on: bool) -> Parsed<Kind> {
        self.expect("TRIGGER")?;
        let names = self.trigger_names()?;
        self.expect("ON")?;
        if self.is("DATABASE") || self.is("ALL") {
            self.rest_of_statement();
            return Ok(Kind::Accepted("triggers on definitions"));
        }
        Ok(Kind::SwitchTriggers { names, table: self.object_name()?, on })
    }

    /// Names, or ALL.
    pub(crate) fn trigger_names(&mut self) -> Parsed<Vec<ObjectName>> {
        if self.take("ALL") { Ok(Vec::new()) } else { self.comma_separated(Self::object_name) }
    }

    /// Nothing behind what cannot be understood is looked at.
    fn skip_batch(&mut self) {
        while !self.at_end() {
            self.advance();
        }
    }
}

/// Whether a statement may stand in a function: it touches variables only, and tables in variables.
fn has_no_side_effect(kind: &Kind) -> bool {
    let own = |name: &ObjectName| name.name.starts_with('@');
    match kind {
        Kind::Select(query) => match &query.body {
            Body::Select(select) => {
                select.into.is_none() && select.items.iter().all(|item| matches!(item, SelectItem::Assign { .. }))
            }
            _ => false,
        },
        Kind::Insert(insert) => own(&insert.table) && !matches!(insert.source, InsertSource::Execute(_)),
        Kind::Update(update) => own(&update.target) || update.from.is_some(),
        Kind::Delete(delete) => own(&delete.target) || delete.from.is_some(),
        Kind::Merge(merge) => own(&merge.target),
        Kind::Declare(declarations) => !declarations.iter().any(|d| matches!(d, Declaration::Cursor)),
        _ => matches!(
            kind,
            Kind::Block(_)
                | Kind::If { .. }
                | Kind::While { .. }
                | Kind::Break
                | Kind::Continue
                | Kind::Label(_)
                | Kind::Goto(_)
                | Kind::Return(_)
                | Kind::Assign { .. }
                | Kind::DeclareCursor { .. }
                | Kind::OpenCursor(_)
                | Kind::Fetch { .. }
                | Kind::CloseCursor(_)
                | Kind::Deallocate(_)
        ),
    }
}
