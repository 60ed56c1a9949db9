//! Cursors: their rows are read when they are opened.

use std::sync::Arc;

use super::super::engine::{Cursor, Engine};
use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::{FetchDirection, Query};
use super::super::value::{Type, Value};
use super::{Observer, ResultSet};

fn missing(name: &str) -> SqlError {
    SqlError::new(16916, format!("A cursor with the name '{name}' does not exist."))
}

impl Engine {
    pub(super) fn declare_cursor(&mut self, name: &str, query: &Arc<Query>) {
        let cursor = Cursor { query: Arc::clone(query), rows: None, columns: Vec::new(), at: 0 };
        self.session.cursors.insert(name.to_owned(), cursor);
    }

    pub(super) fn open_cursor(&mut self, name: &str) -> SqlResult<()> {
        let query = self.session.cursors.get(name).map(|cursor| Arc::clone(&cursor.query)).ok_or_else(|| missing(name))?;
        let (columns, rows) = self.query_rows(&query)?;
        if let Some(cursor) = self.session.cursors.get_mut(name) {
            if cursor.rows.is_some() {
                return Err(SqlError::new(16905, "The cursor is already open."));
            }
            cursor.rows = Some(rows);
            cursor.columns = columns.into_iter().map(|column| (column.name, column.ty)).collect();
            cursor.at = 0;
        }
        Ok(())
    }

    pub(super) fn close_cursor(&mut self, name: &str) -> SqlResult<()> {
        let cursor = self.session.cursors.get_mut(name).ok_or_else(|| missing(name))?;
        match cursor.rows.take() {
            Some(_) => Ok(()),
            None => Err(SqlError::new(16917, "Cursor is not open.")),
        }
    }

    pub(super) fn fetch(
        &mut self,
        name: &str,
        direction: &FetchDirection,
        into: &[String],
        observer: &mut dyn Observer,
    ) -> SqlResult<()> {
        let number = |engine: &Self, expr| match engine.value(expr, Type::Int) {
            Ok(Value::Int(n)) => Ok(n),
            Ok(_) => Ok(0),
            Err(error) => Err(error),
        };
        let cursor = self.session.cursors.get(name).ok_or_else(|| missing(name))?;
        let count = cursor.rows.as_ref().ok_or_else(|| SqlError::new(16917, "Cursor is not open."))?.len();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let at = match direction {
            FetchDirection::Next => cursor.at + 1,
            FetchDirection::Prior => cursor.at - 1,
            FetchDirection::First => 1,
            FetchDirection::Last => count,
            FetchDirection::Relative(by) => cursor.at.saturating_add(number(self, by)?),
            FetchDirection::Absolute(place) => match number(self, place)? {
                place @ ..=-1 => count.saturating_add(1).saturating_add(place),
                place => place,
            },
        };
        let at = at.clamp(0, count.saturating_add(1));
        let (row, columns) = match self.session.cursors.get_mut(name) {
            Some(cursor) => {
                cursor.at = at;
                let place = usize::try_from(at - 1).ok();
                let row = place.and_then(|place| cursor.rows.as_ref().and_then(|rows| rows.get(place)).cloned());
                (row, cursor.columns.clone())
            }
            None => (None, Vec::new()),
        };
        let Some(row) = row else {
            self.session.fetch_status = -1;
            self.session.row_count = 0;
            return Ok(());
        };
        self.session.fetch_status = 0;
        self.session.row_count = 1;
        if into.is_empty() {
            observer.rows(&ResultSet { columns, rows: vec![row] });
            self.tell_affected(observer);
            return Ok(());
        }
        if into.len() != row.len() {
            return Err(SqlError::new(
                16924,
                "Cursorfetch: The number of variables declared in the INTO list must match that of selected columns.",
            ));
        }
        for (variable, (value, (_, from))) in into.iter().zip(row.iter().zip(columns)) {
            let to = self.variable_type(variable)?;
            let value = self.as_variable(value, from, to)?;
            self.set_variable(variable, value)?;
        }
        Ok(())
    }
}
