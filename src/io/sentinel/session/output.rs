//! OUTPUT: what a statement wrote.

use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env, Scope, ScopeColumn, table_leaf};
use super::super::store::Row;
use super::super::syntax::ast::{Output, TriggerEvents};
use super::super::value::{Type, Value};
use super::{Context, Observer, ResultSet};

/// What OUTPUT can show of one written row.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) action: &'static str,
    pub(super) old: Option<Row>,
    pub(super) new: Option<Row>,
    pub(super) joined: Row,
}

impl Engine {
    /// What follows a write: OUTPUT, then the triggers, with the columns that were set.
    pub(super) fn after(
        &mut self,
        table: &Arc<Table>,
        joined: &Scope,
        output: Option<&Output>,
        written: Vec<Written>,
        (events, set): (TriggerEvents, &[usize]),
        context: &mut Context<'_>,
    ) -> SqlResult<()> {
        let images: Vec<Written> = if self.has_trigger(table) { written.clone() } else { Vec::new() };
        if let Some(output) = output {
            self.put_out(output, table, joined, written, context.observer)?;
        }
        self.fire(table, events, &images, set, context)
    }

    /// OUTPUT: to the observer or into a table.
    fn put_out(
        &mut self,
        output: &Output,
        table: &Arc<Table>,
        joined: &Scope,
        written: Vec<Written>,
        observer: &mut dyn Observer,
    ) -> SqlResult<()> {
        let mut scope = Scope::default();
        let action =
            ScopeColumn { qualifier: String::new(), name: "$action".to_owned(), ty: Type::NVarChar(Some(10)), hidden: false };
        scope.columns.push(action);
        scope.columns.extend(table_leaf(table, "deleted").1.columns);
        scope.columns.extend(table_leaf(table, "inserted").1.columns);
        scope.columns.extend(joined.columns.clone());
        let mut binder = Binder::new(self);
        binder.scopes.push(scope);
        let (mut items, mut columns, mut assigns) = (Vec::new(), Vec::new(), Vec::new());
        for item in &output.items {
            binder.select_item(item, &mut items, &mut columns, &mut assigns)?;
        }
        drop(binder);
        let width = table.columns.len() + 1;
        let mut rows = Vec::with_capacity(written.len());
        for one in written {
            let image = |row: Option<Row>| row.unwrap_or_else(|| vec![Value::Null; width]);
            let mut row = vec![Value::text(one.action)];
            row.extend(image(one.old));
            row.extend(image(one.new));
            row.extend(one.joined);
            let env = Env::new(self).with_row(&row);
            rows.push(items.iter().map(|item| env.eval(item)).collect::<SqlResult<Row>>()?);
        }
        let Some((name, names)) = &output.into else {
            let columns = columns.into_iter().map(|column| (column.name, column.ty)).collect();
            observer.rows(&ResultSet { columns, rows });
            return Ok(());
        };
        let into = self.table(self.current_database(), name)?;
        let places = self.columns(&into, names)?;
        if places.len() != columns.len() {
            return Err(SqlError::new(213, "Column name or number of supplied values does not match table definition."));
        }
        let given = |row: Row| row.into_iter().zip(&columns).map(|(value, column)| Some((value, column.ty))).collect();
        let rows = rows.into_iter().map(given).collect();
        let (count, identity) = (self.session.row_count, self.session.identity.clone());
        let scope_identity = self.session.frames.last().and_then(|frame| frame.identity.clone());
        self.insert_rows(&into, &places, rows)?;
        // What OUTPUT writes on the side does not count.
        self.session.row_count = count;
        self.session.identity = identity;
        if let Some(frame) = self.session.frames.last_mut() {
            frame.identity = scope_identity;
        }
        Ok(())
    }
}
