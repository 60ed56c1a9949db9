//! Dispatching statements, and those that steer.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{NaiveTime, TimeDelta};

use super::super::engine::{Caught, Engine};
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env};
use super::super::syntax::ast::{Arithmetic, Declaration, Expr, Kind, Statement};
use super::super::value::convert::Conversion;
use super::super::value::temporal::{self, DateOrder};
use super::super::value::{Type, Value};
use super::super::{deeper, visit};
use super::{Context, Flow, Run, Thrown};

/// Procedures may call each other so deep, as in SQL Server; blocks nest less.
pub(super) const MAX_NESTING: usize = 32;

/// Blocks, loops and calls may stand inside each other so deep: beyond, the stack would not hold.
const MAX_DEPTH: u32 = 160;

impl Engine {
    pub(super) fn run_statement(&mut self, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        context.depth += 1;
        let flow = deeper(|| self.run_kind(statement, context));
        context.depth -= 1;
        flow
    }

    fn run_kind(&mut self, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        let thrown = |engine: &Self, error: SqlError| {
            let procedure = engine.session.frames.last().and_then(|frame| frame.procedure.clone());
            Box::new(Thrown { procedure, ..Thrown::at(statement, error) })
        };
        context.budget = context.budget.saturating_sub(1);
        if context.budget == 0 {
            let error = SqlError::unsupported("a script of so many statements").with_hint("does a WHILE loop never end?");
            return Err(thrown(self, error));
        }
        if context.depth > MAX_DEPTH {
            let error = SqlError::unsupported(format!("more than {MAX_DEPTH} statements inside each other"));
            return Err(thrown(self, error.with_hint("do procedures call each other without an end?")));
        }
        if self.session.options.no_execution && !matches!(statement.kind, Kind::SetOption { .. }) {
            return Ok(Flow::Next);
        }
        match &statement.kind {
            Kind::Label(_) => Ok(Flow::Next),
            Kind::Goto(label) => Ok(Flow::Goto(Arc::clone(label))),
            Kind::Block(statements) => self.run_list(statements, context),
            Kind::If { condition, then, otherwise } => {
                let holds = self.holds(condition).map_err(|error| thrown(self, error))?;
                (self.session.row_count, self.session.error) = (0, 0);
                let (taken, skipped) = if holds { (Some(then), otherwise.as_ref()) } else { (otherwise.as_ref(), Some(then)) };
                if let Some(skipped) = skipped {
                    self.declare_skipped(skipped).map_err(|error| thrown(self, error))?;
                }
                match taken {
                    Some(taken) => self.run_branch(taken, context),
                    None => Ok(Flow::Next),
                }
            }
            Kind::While { condition, body } => {
                while self.holds(condition).map_err(|error| thrown(self, error))? {
                    match self.run_branch(body, context)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        leave @ (Flow::Return(_) | Flow::Goto(_)) => return Ok(leave),
                    }
                }
                self.declare_skipped(body).map_err(|error| thrown(self, error))?;
                Ok(Flow::Next)
            }
            Kind::Break => Ok(Flow::Break),
            Kind::Continue => Ok(Flow::Continue),
            Kind::Return(value) if self.session.function.is_some() => {
                let ty = self.session.function.as_ref().map_or(Type::Null, |function| function.returns);
                let returned =
                    value.as_ref().map(|value| self.value(value, ty)).transpose().map_err(|error| thrown(self, error))?;
                if let (Some(function), Some(returned)) = (&mut self.session.function, returned) {
                    function.returned = returned;
                }
                Ok(Flow::Return(0))
            }
            Kind::Return(value) => {
                let code = match value {
                    Some(value) => self.value(value, Type::Int).map_err(|error| thrown(self, error))?,
                    None => Value::Int(0),
                };
                Ok(Flow::Return(if let Value::Int(code) = code { code } else { 0 }))
            }
            Kind::Try { body, catch } => self.run_try(body, catch, context),
            Kind::Throw(None) => match self.session.caught.last().cloned() {
                Some(Caught { error, file, line, procedure }) => {
                    Err(Box::new(Thrown { error, file, line, text: Arc::clone(&statement.text), procedure }))
                }
                None => Err(thrown(
                    self,
                    SqlError::new(10704, "To rethrow an error, a THROW statement must be used inside a CATCH block."),
                )),
            },
            Kind::Execute(execute) => self.run_execute(execute, statement, context),
            Kind::ExecuteText(text) => {
                let text = self.value(text, Type::NVarChar(None)).map_err(|error| thrown(self, error))?;
                let Value::Text(text) = text else { return Ok(Flow::Next) };
                self.run_text(&text, statement, context)
            }
            _ => {
                self.clock.step();
                let result = self.run_plain(statement, context);
                self.forget_recursions();
                match result {
                    Ok(()) => {
                        self.session.error = 0;
                        if let Some(count) = counts_as(&statement.kind) {
                            self.session.row_count = count;
                        }
                        Ok(Flow::Next)
                    }
                    Err(error) => {
                        self.session.error = error.number;
                        if self.aborts(&error) && self.session.try_depth == 0 {
                            self.abandon_transaction();
                        }
                        Err(thrown(self, error))
                    }
                }
            }
        }
    }

    fn run_branch(&mut self, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        match self.run_statement(statement, context) {
            Err(thrown) => {
                self.go_on_after(thrown, context)?;
                Ok(Flow::Next)
            }
            flow => flow,
        }
    }

    fn run_try(&mut self, body: &[Statement], catch: &[Statement], context: &mut Context<'_>) -> Run<Flow> {
        self.session.try_depth += 1;
        let frames = self.session.frames.len();
        let result = self.run_list(body, context);
        self.session.try_depth -= 1;
        let thrown = match result {
            // What is not supported cannot be handled by the script.
            Err(thrown) if !thrown.error.is_ours() => thrown,
            other => {
                self.declare_all_skipped(catch)?;
                return other;
            }
        };
        self.declare_all_skipped(body)?;
        self.session.frames.truncate(frames);
        if self.session.transactions > 0 && (self.aborts(&thrown.error) || thrown.error.ends_batch()) {
            self.session.doomed = true;
        }
        self.session.error = thrown.error.number;
        let Thrown { error, file, line, procedure, .. } = *thrown;
        let caught = Caught { error, file, line, procedure };
        self.session.caught.push(caught);
        let result = self.run_list(catch, context);
        self.session.caught.pop();
        result
    }

    /// Variables are declared where a DECLARE stands, also when it is passed over.
    pub(super) fn declare_skipped(&mut self, statement: &Statement) -> SqlResult<()> {
        let mut declared = Ok(());
        visit(statement, &mut |statement| {
            let Kind::Declare(declarations) = &statement.kind else { return };
            for declaration in declarations {
                let bare = match declaration {
                    Declaration::Scalar { name, ty, .. } => Declaration::Scalar { name: name.clone(), ty: *ty, value: None },
                    other => other.clone(),
                };
                if declared.is_ok() {
                    declared = self.declare(&bare);
                }
            }
        });
        declared
    }

    fn declare_all_skipped(&mut self, statements: &[Statement]) -> Run<()> {
        let declare = |statement| self.declare_skipped(statement).map_err(|error| Box::new(Thrown::at(statement, error)));
        statements.iter().try_for_each(declare)
    }

    /// Statements that neither steer nor call.
    fn run_plain(&mut self, statement: &Statement, context: &mut Context<'_>) -> SqlResult<()> {
        match &statement.kind {
            Kind::Declare(declarations) => declarations.iter().try_for_each(|d| self.declare(d)),
            Kind::Assign { variable, operator, value } => self.assign(variable, *operator, value),
            Kind::SetOption { name, value } => self.set_option(name, value),
            Kind::SetIdentityInsert { table, on } => {
                let table = self.table(self.current_database(), table)?;
                self.session.identity_insert = on.then_some(table.id);
                Ok(())
            }
            Kind::SetRowCount(count) => {
                let Value::Int(count) = self.value(count, Type::Int)? else { return Ok(()) };
                self.session.options.most_rows = usize::try_from(count).ok().filter(|count| *count > 0);
                Ok(())
            }
            Kind::CheckIdentity { table, reseed } => self.check_identity(table, reseed),
            Kind::Print(value) => {
                if let Value::Text(text) = self.value(value, Type::NVarChar(None))? {
                    context.observer.printed(&text);
                } else {
                    context.observer.printed("");
                }
                Ok(())
            }
            Kind::RaiseError { message, severity, state, arguments, set_error } => {
                self.raise_error([message, severity, state], arguments, *set_error, context)
            }
            Kind::Throw(Some((number, message, state))) => {
                let number = self.value(number, Type::Int)?;
                let message = self.value(message, Type::NVarChar(Some(2048)))?;
                let state = self.value(state, Type::TinyInt)?;
                let (Value::Int(number), Value::Text(message)) = (number, message) else {
                    return Err(SqlError::new(35100, "THROW needs an error number and a message."));
                };
                if number < 50_000 {
                    return Err(SqlError::new(
                        35100,
                        format!(
                            "Error number {number} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647."
                        ),
                    ));
                }
                let state = if let Value::Int(state) = state { u8::try_from(state).unwrap_or(1) } else { 1 };
                let number = i32::try_from(number).unwrap_or(i32::MAX);
                Err(SqlError { state, thrown: true, ..SqlError::new(number, message.to_string()) })
            }
            Kind::BeginTransaction(_) => self.begin_transaction(),
            Kind::Commit => self.commit_transaction(context.observer),
            Kind::Rollback(name) => self.rollback_transaction(name.as_deref()),
            Kind::SavePoint(name) => self.save_transaction(name),
            Kind::Use(name) => match self.catalog.database(name) {
                Some(database) => {
                    self.session.database = database.name.clone();
                    Ok(())
                }
                None => Err(SqlError::new(
                    911,
                    format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
                )),
            },
            Kind::WaitFor { until, time } => self.wait(*until, time, context),
            Kind::Select(query) => self.run_select(query, context),
            Kind::DeclareCursor { name, query } => {
                self.declare_cursor(name, query);
                Ok(())
            }
            Kind::OpenCursor(name) => self.open_cursor(name),
            Kind::Fetch { cursor, direction, into } => self.fetch(cursor, direction, into, context.observer),
            Kind::CloseCursor(name) => self.close_cursor(name),
            Kind::Deallocate(name) => {
                self.session.cursors.remove(name);
                Ok(())
            }
            Kind::Accepted(what) => {
                context.observer.noted(&statement.file, statement.line, &format!("{what}: accepted, without effect here"));
                Ok(())
            }
            _ => self.autocommit(context, |engine, context| engine.run_writing(statement, context)),
        }
    }

    /// Statements that write rows or definitions.
    fn run_writing(&mut self, statement: &Statement, context: &mut Context<'_>) -> SqlResult<()> {
        match &statement.kind {
            Kind::Insert(insert) => self.run_insert(insert, context),
            Kind::Update(update) => self.run_update(update, context),
            Kind::Delete(delete) => self.run_delete(delete, context),
            Kind::Merge(merge) => self.run_merge(merge, context),
            _ => return self.run_definition(&statement.kind),
        }?;
        self.tell_affected(context.observer);
        Ok(())
    }

    pub(super) fn holds(&self, condition: &Expr) -> SqlResult<bool> {
        let (bound, _) = Binder::constant(self, condition)?;
        Env::new(self).holds(&bound)
    }

    /// An expression without columns as a type.
    pub(super) fn value(&self, expr: &Expr, ty: Type) -> SqlResult<Value> {
        let (value, from) = self.typed_value(expr)?;
        self.as_variable(&value, from, ty)
    }

    /// A value as a variable of a type takes it: text is cut to the length.
    pub(super) fn as_variable(&self, value: &Value, from: Type, to: Type) -> SqlResult<Value> {
        let explicit = from.is_text() && to.is_text();
        Conversion { explicit, ..self.conversion() }.convert(value, from, to)
    }

    pub(super) fn typed_value(&self, expr: &Expr) -> SqlResult<(Value, Type)> {
        let (bound, from) = Binder::constant(self, expr)?;
        Ok((Env::new(self).eval(&bound)?, from))
    }

    fn declare(&mut self, declaration: &Declaration) -> SqlResult<()> {
        match declaration {
            Declaration::Scalar { name, ty, value } => {
                let initial = value.as_ref().map(|value| self.value(value, *ty)).transpose()?;
                if let Some(frame) = self.session.frames.last_mut() {
                    let variable = frame.variables.entry(name.clone()).or_insert((*ty, Value::Null));
                    // in a loop, a DECLARE without a value leaves the variable as it is
                    if let Some(initial) = initial {
                        *variable = (*ty, initial);
                    }
                }
                Ok(())
            }
            // and the rows of a table
            Declaration::Table { name, .. } if self.session_table(name).is_some() => Ok(()),
            Declaration::Table { name, columns, constraints } => self.declare_table(name, columns, constraints),
            Declaration::Cursor => Ok(()),
        }
    }

    fn assign(&mut self, variable: &str, operator: Option<Arithmetic>, value: &Expr) -> SqlResult<()> {
        let ty = self.variable_type(variable)?;
        let value = match operator {
            None => self.value(value, ty)?,
            Some(operator) => {
                let left = Box::new(Expr::Variable(variable.to_owned()));
                self.value(&Expr::Arithmetic(operator, left, Box::new(value.clone())), ty)?
            }
        };
        self.set_variable(variable, value)
    }

    fn set_option(&mut self, name: &str, value: &str) -> SqlResult<()> {
        let on = value.eq_ignore_ascii_case("on");
        match name {
            "XACT_ABORT" => self.session.options.xact_abort = on,
            "NOCOUNT" => self.session.options.no_count = on,
            "NOEXEC" | "PARSEONLY" => self.session.options.no_execution = on,
            "DATEFIRST" => {
                let day = value.parse().ok().filter(|day| (1..=7).contains(day));
                self.session.options.date_first =
                    day.ok_or_else(|| SqlError::new(2744, "SET DATEFIRST takes a number from 1 to 7."))?;
            }
            "DATEFORMAT" => {
                self.session.options.order = match value.to_ascii_lowercase().as_str() {
                    "mdy" | "myd" => DateOrder::Mdy,
                    "dmy" | "dym" => DateOrder::Dmy,
                    "ymd" | "ydm" => DateOrder::Ymd,
                    _ => return Err(SqlError::new(2741, "SET DATEFORMAT date order is invalid.")),
                };
            }
            "LANGUAGE" => {
                let american =
                    value.to_ascii_lowercase().replace(' ', "_") == "us_english" || value.eq_ignore_ascii_case("english");
                self.session.options.order = if american { DateOrder::Mdy } else { DateOrder::Dmy };
                self.session.options.date_first = if american { 7 } else { 1 };
            }
            // The others change nothing that could be seen here.
            _ => {}
        }
        Ok(())
    }

    fn raise_error(
        &mut self,
        [message, severity, state]: [&Expr; 3],
        arguments: &[Expr],
        set_error: bool,
        context: &mut Context<'_>,
    ) -> SqlResult<()> {
        let (message, ty) = self.typed_value(message)?;
        let (number, pattern) = match &message {
            Value::Int(number) => (i32::try_from(*number).unwrap_or(50_000), format!("Error {number}")),
            other => (50_000, self.conversion().print(other, ty)?),
        };
        let arguments = arguments.iter().map(|a| self.typed_value(a)).collect::<SqlResult<Vec<_>>>()?;
        let text = self.format_message(&pattern, &arguments)?;
        let byte = |value: Value| if let Value::Int(n) = value { u8::try_from(n.clamp(0, 255)).unwrap_or(1) } else { 1 };
        let severity = byte(self.value(severity, Type::Int)?);
        let state = byte(self.value(state, Type::Int)?);
        if severity <= 10 {
            context.observer.printed(&text);
            if set_error {
                self.session.error = number;
            }
            return Ok(());
        }
        Err(SqlError { severity, state, ..SqlError::new(number, text) })
    }

    /// RAISERROR's `%s`, `%d` and their like, with a width.
    pub(crate) fn format_message(&self, pattern: &str, arguments: &[(Value, Type)]) -> SqlResult<String> {
        let mut text = String::new();
        let mut arguments = arguments.iter();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let mut spec = String::new();
            while let Some(next) = chars.next_if(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '#' | ' ' | '.' | 'l' | 'I')) {
                spec.push(next);
            }
            match chars.next() {
                Some('%') => text.push('%'),
                Some(kind @ ('s' | 'd' | 'i' | 'u' | 'x' | 'X' | 'o')) => {
                    let (value, ty) = arguments.next().map_or((&Value::Null, Type::Null), |(v, t)| (v, *t));
                    let shown = match (kind, value) {
                        (_, Value::Null) => "(null)".to_owned(),
                        ('x', Value::Int(n)) => format!("{n:x}"),
                        ('X', Value::Int(n)) => format!("{n:X}"),
                        ('o', Value::Int(n)) => format!("{n:o}"),
                        (_, value) => self.conversion().print(value, ty)?,
                    };
                    let digits: String =
                        spec.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
                    let width = digits.parse::<usize>().unwrap_or(0).min(400);
                    // Writing to a String cannot fail.
                    let _ = match (spec.starts_with('-'), digits.starts_with('0')) {
                        (true, _) => write!(text, "{shown:<width$}"),
                        (_, true) => write!(text, "{shown:0>width$}"),
                        _ => write!(text, "{shown:>width$}"),
                    };
                }
                other => {
                    text.push('%');
                    text.push_str(&spec);
                    text.extend(other);
                }
            }
        }
        Ok(text)
    }

    fn wait(&mut self, until: bool, time: &Expr, context: &mut Context<'_>) -> SqlResult<()> {
        let value = self.value(time, Type::VarChar(Some(30)))?;
        let Value::Text(text) = &value else { return Ok(()) };
        let incorrect = || SqlError::new(148, format!("Incorrect time syntax in time string '{text}' used with WAITFOR."));
        let (moment, _) = temporal::parse(text, self.session.options.order).ok_or_else(incorrect)?;
        let now = self.clock.now();
        let midnight = NaiveTime::MIN;
        let delta = if until {
            let delta = moment.time() - now.time();
            if delta < TimeDelta::zero() { delta + TimeDelta::days(1) } else { delta }
        } else {
            moment.time() - midnight
        };
        self.clock.advance(delta);
        self.tell_settled(context);
        context.observer.delayed(u64::try_from(delta.num_milliseconds()).unwrap_or(0));
        Ok(())
    }
}

/// What @@ROWCOUNT is after a statement that touches no rows; `None` leaves it as it is.
fn counts_as(kind: &Kind) -> Option<i64> {
    match kind {
        Kind::Assign { .. } => Some(1),
        Kind::Declare(declarations) => {
            let assigns = declarations.iter().any(|d| matches!(d, Declaration::Scalar { value: Some(_), .. }));
            assigns.then_some(1)
        }
        Kind::Print(_)
        | Kind::RaiseError { .. }
        | Kind::Use(_)
        | Kind::SetOption { .. }
        | Kind::SetIdentityInsert { .. }
        | Kind::SetRowCount(_)
        | Kind::BeginTransaction(_)
        | Kind::Commit
        | Kind::Rollback(_)
        | Kind::CloseCursor(_)
        | Kind::Deallocate(_) => Some(0),
        _ => None,
    }
}
