//! ALTER TABLE.

use std::sync::Arc;

use super::super::catalog::{KeyKind, Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env};
use super::super::syntax::ast::TableChange;
use super::super::value::Value;

impl Engine {
    pub(super) fn alter_table(&mut self, table: &Arc<Table>, change: &TableChange) -> SqlResult<()> {
        let mut changed = table.as_ref().clone();
        match change {
            TableChange::Add { columns, constraints, unchecked } => {
                let (before, references) = (table.columns.len(), table.foreign_keys.len());
                self.define(&mut changed, columns, constraints)?;
                self.fill_added(table, &mut changed, before)?;
                let changed = self.redefine(changed);
                self.check_definition(&changed)?;
                if *unchecked {
                    return Ok(());
                }
                self.check_rows(&changed, table.checks.len(), references)
            }
            TableChange::AlterColumn { name, ty, nullable } => {
                let at = changed.column(name).ok_or_else(|| {
                    SqlError::new(
                        4924,
                        format!(
                            "ALTER TABLE ALTER COLUMN failed because column '{name}' does not exist in table '{}'.",
                            table.name
                        ),
                    )
                })?;
                let from = changed.columns[at].ty;
                changed.columns[at].ty = *ty;
                changed.columns[at].nullable = nullable.unwrap_or(true);
                let mut rows = self.store().scan(table, &[])?;
                for row in &mut rows {
                    row[at + 1] = self.as_column(&changed, at, &row[at + 1], from)?;
                    if row[at + 1].is_null() && !changed.columns[at].nullable {
                        return Err(SqlError::new(
                            515,
                            format!(
                                "Cannot insert the value NULL into column '{name}', table '{}.{}'; column does not allow nulls. UPDATE fails.",
                                table.database,
                                table.display()
                            ),
                        ));
                    }
                }
                self.rebuild(table, changed, rows)
            }
            TableChange::DropColumns { names, if_exists } => {
                let mut rows = self.store().scan(table, &[])?;
                for name in names {
                    let Some(at) = changed.column(name) else {
                        if *if_exists {
                            continue;
                        }
                        return Err(SqlError::new(
                            4924,
                            format!(
                                "ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{}'.",
                                table.name
                            ),
                        ));
                    };
                    let used = changed.keys.iter().any(|key| key.columns.contains(&at))
                        || changed.foreign_keys.iter().any(|key| key.columns.contains(&at));
                    if used || changed.columns[at].default.is_some() {
                        return Err(SqlError::new(
                            4922,
                            format!("ALTER TABLE DROP COLUMN {name} failed because one or more objects access this column."),
                        )
                        .with_hint("drop its constraint or index first"));
                    }
                    changed.columns.remove(at);
                    let shift = |place: &mut usize| *place -= usize::from(*place > at);
                    changed.keys.iter_mut().for_each(|key| key.columns.iter_mut().for_each(shift));
                    changed.foreign_keys.iter_mut().for_each(|key| key.columns.iter_mut().for_each(shift));
                    for row in &mut rows {
                        row.remove(at + 1);
                    }
                }
                self.rebuild(table, changed, rows)
            }
            TableChange::DropConstraints { names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_constraint(&mut changed, name, *if_exists))?;
                self.redefine(changed);
                Ok(())
            }
            TableChange::SwitchTriggers { names, on } => self.switch_triggers(table, names, *on),
            TableChange::Enforce { name, on } => {
                let named = |other: &str| name.as_ref().is_none_or(|name| same(name, other));
                changed.checks.iter_mut().filter(|check| named(&check.name)).for_each(|check| check.enforced = *on);
                changed.foreign_keys.iter_mut().filter(|key| named(&key.name)).for_each(|key| key.enforced = *on);
                self.redefine(changed);
                Ok(())
            }
        }
    }

    /// Gives rows that are there their values in the added columns.
    fn fill_added(&mut self, table: &Arc<Table>, changed: &mut Table, before: usize) -> SqlResult<()> {
        if changed.columns.len() == before {
            for at in table.keys.len()..changed.keys.len() {
                // A primary key may have been put first.
                let fresh = changed.keys.iter().position(|key| !table.keys.iter().any(|old| old.name == key.name));
                self.store().create_key(changed, fresh.unwrap_or(at))?;
            }
            return Ok(());
        }
        let mut rows = self.store().scan(table, &[])?;
        let shared = Arc::new(changed.clone());
        for row in &mut rows {
            for at in before..changed.columns.len() {
                let column = &changed.columns[at];
                let value = match (&column.default, &column.computed) {
                    (Some((_, default)), _) if !column.nullable => {
                        let (value, from) = self.typed_value(default)?;
                        self.as_column(&shared, at, &value, from)?
                    }
                    (_, Some(expr)) => {
                        let mut binder = Binder::new(self);
                        binder.scopes.push(super::super::plan::table_leaf(&shared, &shared.name).1);
                        let (bound, from) = binder.expr(expr)?;
                        let value = Env::new(self).with_row(row).eval(&bound)?;
                        self.as_column(&shared, at, &value, from)?
                    }
                    _ => match column.identity {
                        Some((seed, step)) => {
                            let next = self.identities.get(&table.id).map_or(seed, |last| last + step);
                            self.identities.insert(table.id, next);
                            Value::Int(next)
                        }
                        None => Value::Null,
                    },
                };
                if value.is_null() && !column.nullable {
                    return Err(SqlError::new(
                        4901,
                        format!(
                            "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified. Column '{}' cannot be added to non-empty table '{}' because it does not satisfy these conditions.",
                            column.name, table.name
                        ),
                    ));
                }
                row.push(value);
            }
        }
        self.rebuild_storage(table, changed, rows)
    }

    fn rebuild(&mut self, table: &Arc<Table>, changed: Table, rows: Vec<Vec<Value>>) -> SqlResult<()> {
        self.rebuild_storage(table, &changed, rows)?;
        let changed = self.redefine(changed);
        self.check_definition(&changed)
    }

    /// Writes the rows into storage of the new shape. Change data capture keeps its columns and sees nothing of it.
    fn rebuild_storage(&self, table: &Arc<Table>, changed: &Table, rows: Vec<Vec<Value>>) -> SqlResult<()> {
        let old = Table { capture: None, ..table.as_ref().clone() };
        self.store().drop_table(&old)?;
        self.store().create_table(changed)?;
        for row in rows {
            self.store().insert(changed, Some(super::write::row_id(&row)), &row[1..])?;
        }
        self.store().create_triggers(changed)
    }

    /// New checks and references hold for the rows that are there.
    fn check_rows(&mut self, table: &Arc<Table>, checks: usize, references: usize) -> SqlResult<()> {
        let rows = self.store().scan(table, &[])?;
        let mut binder = Binder::new(self);
        binder.scopes.push(super::super::plan::table_leaf(table, &table.name).1);
        for check in &table.checks[checks.min(table.checks.len())..] {
            let bound = binder.condition(&check.condition)?;
            for row in &rows {
                if Env::new(self).with_row(row).eval(&bound)?.truth() == Some(false) {
                    return Err(SqlError::new(
                        547,
                        format!(
                            "The ALTER TABLE statement conflicted with the CHECK constraint \"{}\". The conflict occurred in database \"{}\", table \"{}\".",
                            check.name,
                            table.database,
                            table.display()
                        ),
                    ));
                }
            }
        }
        let fresh = Table {
            foreign_keys: table.foreign_keys[references.min(table.foreign_keys.len())..].to_vec(),
            ..table.as_ref().clone()
        };
        self.check_references(&fresh, &rows.iter(), "ALTER TABLE", None)
    }

    fn drop_constraint(&mut self, table: &mut Table, name: &str, if_exists: bool) -> SqlResult<()> {
        if let Some(at) = table.keys.iter().position(|key| same(&key.name, name)) {
            if table.capture.is_some() && table.keys[at].kind == KeyKind::Primary {
                return Err(SqlError::unsupported("dropping the primary key of a captured table")
                    .with_hint("sys.sp_cdc_disable_table first"));
            }
            let key = table.keys.remove(at);
            return self.store().drop_key(table, &key.name);
        }
        if let Some(at) = table.checks.iter().position(|check| same(&check.name, name)) {
            table.checks.remove(at);
        } else if let Some(at) = table.foreign_keys.iter().position(|key| same(&key.name, name)) {
            table.foreign_keys.remove(at);
        } else if let Some(column) = table.columns.iter_mut().find(|c| c.default.as_ref().is_some_and(|(n, _)| same(n, name))) {
            column.default = None;
        } else if !if_exists {
            return Err(SqlError::new(3728, format!("'{name}' is not a constraint.")));
        }
        Ok(())
    }
}
