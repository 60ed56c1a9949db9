//! User-defined functions. An expression only reads, while a function's body writes: to its own variables. So each call runs
//! in an engine of its own, on the same tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::capture::CapturedTransaction;
use super::super::catalog::Defined;
use super::super::engine::{Engine, Frame, RunningFunction, Session};
use super::super::error::{SqlError, SqlResult};
use super::super::plan::UserFunction;
use super::super::store::Row;
use super::super::syntax::ast::{Function, FunctionBody, Sequence, Statement};
use super::super::value::{Type, Value};
use super::flow::MAX_NESTING;
use super::{Context, MAX_STATEMENTS, Observer};

/// Nobody listens to a function.
struct Nobody;

impl Observer for Nobody {
    fn committed(&mut self, _transaction: CapturedTransaction) {}
}

impl Engine {
    /// The value of a scalar function.
    pub(crate) fn call_function(&self, function: &UserFunction, arguments: Vec<Value>) -> SqlResult<Value> {
        let FunctionBody::Scalar { ty, body } = &function.definition.body else { return Ok(Value::Null) };
        if function.definition.strict && arguments.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        let mut inside = self.inside(function, arguments, *ty)?;
        let ran = inside.run_body(body);
        inside.drop_table_variables()?;
        ran?;
        Ok(inside.session.function.map_or(Value::Null, |function| function.returned))
    }

    /// Names and types of a table function's columns.
    pub(crate) fn table_function_columns(&self, function: &UserFunction) -> SqlResult<Vec<(String, Type)>> {
        let nothing = vec![Value::Null; function.definition.parameters.len()];
        let mut inside = self.inside(function, nothing, Type::Null)?;
        match &function.definition.body {
            FunctionBody::Inline(query) => {
                let columns = inside.query_columns(query)?;
                Ok(columns.into_iter().map(|column| (column.name, column.ty)).collect())
            }
            FunctionBody::Table { name, shape, .. } => {
                let table = inside.shaped_table(name, shape)?;
                Ok(table.columns.into_iter().map(|column| (column.name, column.ty)).collect())
            }
            FunctionBody::Scalar { .. } => {
                let message = format!("Invalid object name '{}.{}'.", function.schema, function.name);
                Err(SqlError::new(208, message).with_hint("it gives one value, no table"))
            }
        }
    }

    /// The rows of a table function.
    pub(crate) fn run_table_function(&self, function: &UserFunction, arguments: Vec<Value>) -> SqlResult<Vec<Row>> {
        let mut inside = self.inside(function, arguments, Type::Null)?;
        match &function.definition.body {
            FunctionBody::Inline(query) => Ok(inside.query_rows(query)?.1),
            FunctionBody::Table { name, shape, body } => {
                inside.declare_table(name, &shape.columns, &shape.constraints)?;
                let ran = inside.run_body(body);
                let rows = inside.session_table(name).map(|table| inside.store().scan(table, &[])).transpose();
                inside.drop_table_variables()?;
                ran?;
                let without_id = |mut row: Row| {
                    row.remove(0);
                    row
                };
                Ok(rows?.unwrap_or_default().into_iter().map(without_id).collect())
            }
            FunctionBody::Scalar { .. } => Ok(Vec::new()),
        }
    }

    /// An engine for a function's body, with its arguments as variables.
    fn inside(&self, function: &Defined<Arc<Function>>, arguments: Vec<Value>, returns: Type) -> SqlResult<Self> {
        let around = self.session.function.as_ref().map_or(0, |function| function.level);
        let level = around + self.session.frames.len();
        if level > MAX_NESTING {
            let message = "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
            return Err(SqlError::new(217, message));
        }
        let mut frame = Frame { procedure: Some(function.name.clone()), ..Frame::default() };
        for (parameter, value) in function.definition.parameters.iter().zip(arguments) {
            frame.variables.insert(parameter.name.clone(), (parameter.ty, value));
        }
        let mut session = Session::new(&function.database);
        session.frames = vec![frame];
        session.options = self.session.options;
        session.options.most_rows = None;
        // it runs inside the caller's transaction, and its errors are the caller's
        session.transactions = 1;
        session.try_depth = 1;
        session.function = Some(RunningFunction { returns, returned: Value::Null, level });
        Ok(self.with_session(session))
    }

    fn run_body(&mut self, body: &[Statement]) -> SqlResult<()> {
        let mut context = Context { observer: &mut Nobody, failure: None, budget: MAX_STATEMENTS, depth: 0 };
        self.run_list(body, &mut context).map(|_| ()).map_err(|thrown| thrown.error)
    }

    /// NEXT VALUE FOR.
    pub(crate) fn next_value(&self, sequence: &Defined<Sequence>) -> SqlResult<Value> {
        let Sequence { ty, start, increment, least, most, cycles } = sequence.definition;
        if self.session.function.is_some() {
            return Err(SqlError::new(11719, "NEXT VALUE FOR function is not allowed in user-defined functions."));
        }
        let mut sequences: std::cell::RefMut<'_, HashMap<i64, i128>> = self.sequences.borrow_mut();
        let next = sequences.entry(sequence.id).or_insert(i128::from(start));
        let range = i128::from(least)..=i128::from(most);
        if !range.contains(next) && cycles {
            *next = if increment > 0 { *range.start() } else { *range.end() };
        }
        let Some(value) = i64::try_from(*next).ok().filter(|_| range.contains(next)) else {
            let message = format!(
                "The sequence object '{}' has reached its minimum or maximum value. Restart the sequence object to allow new values to be generated.",
                sequence.name
            );
            return Err(SqlError::new(11728, message));
        };
        *next += i128::from(increment);
        self.conversion().convert(&Value::Int(value), Type::BigInt, ty)
    }
}
