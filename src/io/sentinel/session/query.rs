//! SELECT: rows to the observer, values to variables, rows into a new table.

use std::sync::Arc;

use super::super::catalog::{Column, Table};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env, OutputColumn};
use super::super::store::Row;
use super::super::syntax::ast::{Body, Query, Select};
use super::super::value::{Type, Value};
use super::{Context, Observer, ResultSet};

impl Engine {
    pub(super) fn run_select(&mut self, query: &Query, context: &mut Context<'_>) -> SqlResult<()> {
        if let Some(into) = into_clause(&query.body).and_then(|select| select.into.clone()) {
            return self.autocommit(context, |engine, context| {
                let (columns, mut rows) = engine.query_rows(query)?;
                rows.truncate(engine.session.options.most_rows.unwrap_or(usize::MAX));
                engine.select_into(&into, query, &columns, rows)?;
                engine.tell_affected(context.observer);
                Ok(())
            });
        }
        let plan = Binder::new(self).query(query)?;
        let most = self.session.options.most_rows.unwrap_or(usize::MAX);
        if let Some((select, mut works)) = plan.assignments(self)? {
            works.truncate(most);
            let count = works.len();
            for work in works {
                for (item, variable) in select.items.iter().zip(&select.assigns) {
                    // Each assignment is seen by the next.
                    let value = work.env(Env::new(self)).eval(item)?;
                    self.set_variable(variable, value)?;
                }
            }
            self.set_row_count(count);
            return Ok(());
        }
        let mut rows = plan.run(self, None)?;
        rows.truncate(most);
        self.set_row_count(rows.len());
        let columns = plan.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        context.observer.rows(&ResultSet { columns, rows });
        self.tell_affected(context.observer);
        Ok(())
    }

    pub(super) fn set_row_count(&mut self, count: usize) {
        self.session.row_count = i64::try_from(count).unwrap_or(i64::MAX);
    }

    pub(super) fn tell_affected(&self, observer: &mut dyn Observer) {
        if !self.session.options.no_count {
            observer.affected(usize::try_from(self.session.row_count).unwrap_or(0));
        }
    }

    pub(super) fn query_columns(&self, query: &Query) -> SqlResult<Vec<OutputColumn>> {
        Ok(Binder::new(self).query(query)?.columns)
    }

    /// A query's columns and rows.
    pub(in super::super) fn query_rows(&self, query: &Query) -> SqlResult<(Vec<OutputColumn>, Vec<Row>)> {
        let plan = Binder::new(self).query(query)?;
        let rows = plan.run(self, None)?;
        Ok((plan.columns, rows))
    }

    fn select_into(
        &mut self,
        name: &super::super::syntax::ast::ObjectName,
        query: &Query,
        columns: &[OutputColumn],
        rows: Vec<Row>,
    ) -> SqlResult<()> {
        let mut table: Table = self.new_table(name)?;
        for (at, column) in columns.iter().enumerate() {
            if column.name.is_empty() {
                let message = format!(
                    "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name: column {} has none.",
                    at + 1
                );
                return Err(SqlError::new(1038, message));
            }
            if table.column(&column.name).is_some() {
                let message = format!(
                    "Column names in each table must be unique. Column name '{}' in table '{name}' is specified more than once.",
                    column.name
                );
                return Err(SqlError::new(2705, message));
            }
            let ty = match column.ty {
                Type::Null => Type::Int,
                other => other,
            };
            // The identity property comes along from a single table.
            let identity = self.selected_identity(query, &column.name);
            table.columns.push(Column {
                name: column.name.clone(),
                ty,
                nullable: identity.is_none(),
                identity,
                default: None,
                computed: None,
                row_version: false,
            });
        }
        let identity = table.identity();
        let table = self.add_table(table)?;
        self.set_row_count(rows.len());
        for row in rows {
            let mut values = Vec::with_capacity(row.len());
            for (value, (column, from)) in row.iter().zip(table.columns.iter().zip(columns)) {
                values.push(self.conversion().convert(value, from.ty, column.ty)?);
            }
            if let Some(Value::Int(n)) = identity.and_then(|at| values.get(at)) {
                self.identities.insert(table.id, *n);
            }
            self.store().insert(&table, None, &values)?;
        }
        Ok(())
    }

    fn selected_identity(&self, query: &Query, column: &str) -> Option<(i64, i64)> {
        use super::super::syntax::ast::TableRef;
        let select = into_clause(&query.body)?;
        let Some(TableRef::Named { name, .. }) = &select.from else { return None };
        let source: Arc<Table> = self.table(self.current_database(), name).ok()?;
        source.columns.iter().find(|c| super::super::catalog::same(&c.name, column)).and_then(|c| c.identity)
    }
}

/// The first SELECT of a query, where INTO stands.
fn into_clause(body: &Body) -> Option<&Select> {
    match body {
        Body::Select(select) => Some(select),
        Body::Set { left, .. } => into_clause(left),
        Body::Nested(query) => into_clause(&query.body),
        Body::Values(_) => None,
    }
}
