//! UPDATE and DELETE.

use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Bound, Env, Scope, arithmetic};
use super::super::store::Row;
use super::super::syntax::ast::{Delete, Expr, SetClause, TriggerEvents, Update};
use super::super::value::{Type, Value};
use super::Context;
use super::output::Written;
use super::target::Target;
use super::write::Change;

/// A column or variable to be set, and to what.
pub(super) struct BoundSet {
    pub(super) variable: Option<String>,
    pub(super) column: Option<usize>,
    /// `None` is DEFAULT.
    pub(super) value: Option<(Bound, Type)>,
}

impl Engine {
    pub(super) fn run_update(&mut self, update: &Update, context: &mut Context<'_>) -> SqlResult<()> {
        let mut binder = Binder::new(self);
        binder.add_ctes(&update.ctes);
        let mut target = self.target(&mut binder, &update.target, update.from.as_ref(), &update.ctes)?;
        let rows = self.target_rows(&mut binder, &mut target, update.filter.as_ref(), update.top.as_ref())?;
        let sets = Self::bind_sets(&mut binder, &target, &update.sets)?;
        drop(binder);
        let mut changes = Vec::with_capacity(rows.len());
        for joined in &rows {
            let old = self.own_row(&target, joined)?;
            let new = self.changed(&target.table, &old, joined, &sets)?;
            changes.push(Change { old, new });
        }
        let set: Vec<usize> = sets.iter().filter_map(|set| set.column).collect();
        self.update_rows(&target.table, &mut changes, &set)?;
        self.set_row_count(changes.len());
        let image =
            |(change, joined): (Change, Row)| Written { action: "UPDATE", old: Some(change.old), new: Some(change.new), joined };
        let written: Vec<Written> = changes.into_iter().zip(rows).map(image).collect();
        let events = TriggerEvents { update: true, ..TriggerEvents::default() };
        self.after(&target.table, &target.scope, update.output.as_ref(), written, (events, &set), context)
    }

    pub(super) fn bind_sets(binder: &mut Binder<'_>, target: &Target, sets: &[SetClause]) -> SqlResult<Vec<BoundSet>> {
        let (table, scope) = (&target.table, &target.scope);
        binder.scopes.push(scope.clone());
        let mut bound: Vec<BoundSet> = Vec::with_capacity(sets.len());
        for set in sets {
            let column = match &set.column {
                Some(name) => Some(table.column(name).ok_or_else(|| no_column(table, name))?),
                None => None,
            };
            if let Some(at) = column {
                let column = &table.columns[at];
                if column.identity.is_some() {
                    return Err(SqlError::new(8102, format!("Cannot update identity column '{}'.", column.name)));
                }
                if column.computed.is_some() || column.row_version {
                    return Err(SqlError::new(
                        271,
                        format!(
                            "The column \"{}\" cannot be modified because it is either a computed column or is the result of a UNION operator.",
                            column.name
                        ),
                    ));
                }
                if bound.iter().any(|other| other.column == Some(at)) {
                    return Err(SqlError::new(
                        264,
                        format!(
                            "The column name '{}' is specified more than once in the SET clause or column list of an INSERT.",
                            column.name
                        ),
                    ));
                }
            }
            let value = match &set.value {
                None => None,
                Some(value) => {
                    let value = binder.expr(value)?;
                    Some(match set.operator {
                        None => value,
                        Some(operator) => {
                            let left = match (&set.column, &set.variable) {
                                (Some(column), _) => binder.expr(&own_column(scope, target.row_at, column))?,
                                (None, Some(variable)) => binder.expr(&Expr::Variable(variable.clone()))?,
                                (None, None) => return Err(SqlError::unsupported("this SET")),
                            };
                            arithmetic(operator, left, value)?
                        }
                    })
                }
            };
            bound.push(BoundSet { variable: set.variable.clone(), column, value });
        }
        binder.scopes.pop();
        Ok(bound)
    }

    pub(super) fn changed(&mut self, table: &Arc<Table>, old: &Row, joined: &Row, sets: &[BoundSet]) -> SqlResult<Row> {
        let mut new = old.clone();
        for set in sets {
            let (value, from) = match (&set.value, set.column) {
                (Some((bound, from)), _) => (Env::new(self).with_row(joined).eval(bound)?, *from),
                (None, Some(at)) => match &table.columns[at].default {
                    Some((_, default)) => self.typed_value(default)?,
                    None => (Value::Null, Type::Null),
                },
                (None, None) => (Value::Null, Type::Null),
            };
            let (value, from) = match set.column {
                Some(at) => {
                    new[at + 1] = self.as_column(table, at, &value, from)?;
                    (new[at + 1].clone(), table.columns[at].ty)
                }
                None => (value, from),
            };
            if let Some(variable) = &set.variable {
                let ty = self.variable_type(variable)?;
                let value = self.as_variable(&value, from, ty)?;
                self.set_variable(variable, value)?;
            }
        }
        Ok(new)
    }

    pub(super) fn run_delete(&mut self, delete: &Delete, context: &mut Context<'_>) -> SqlResult<()> {
        let mut binder = Binder::new(self);
        binder.add_ctes(&delete.ctes);
        let mut target = self.target(&mut binder, &delete.target, delete.from.as_ref(), &delete.ctes)?;
        let rows = self.target_rows(&mut binder, &mut target, delete.filter.as_ref(), delete.top.as_ref())?;
        drop(binder);
        let own = rows.iter().map(|joined| self.own_row(&target, joined)).collect::<SqlResult<Vec<Row>>>()?;
        self.delete_rows(&target.table, &own)?;
        self.set_row_count(own.len());
        let image = |(old, joined): (Row, Row)| Written { action: "DELETE", old: Some(old), new: None, joined };
        let written: Vec<Written> = own.into_iter().zip(rows).map(image).collect();
        let events = TriggerEvents { delete: true, ..TriggerEvents::default() };
        self.after(&target.table, &target.scope, delete.output.as_ref(), written, (events, &[]), context)
    }
}

pub(super) fn no_column(table: &Table, name: &str) -> SqlError {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    SqlError::unknown_column(name).with_hint(format!("{} has {}", table.display(), names.join(", ")))
}

/// The target's column by its qualified name: another table in FROM may have one of that name.
pub(super) fn own_column(scope: &Scope, row_at: usize, column: &str) -> Expr {
    let qualifier = scope.columns.get(row_at).map_or("", |c| c.qualifier.as_str());
    Expr::Column(vec![qualifier.to_owned(), column.to_owned()])
}
