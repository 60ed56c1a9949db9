//! Writing rows by their table's rules: types, defaults, identity, NULL, CHECK, keys and references.

use std::sync::Arc;

use super::super::catalog::{ForeignKey, KeyKind, Object, Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Bound, Env, Scope, table_leaf};
use super::super::store::Row;
use super::super::syntax::ast::{ReferentialAction, Reseed};
use super::super::system_views::parse_name;
use super::super::value::compare::compare;
use super::super::value::{Type, Value};

/// References may cascade through so many tables.
const MAX_CASCADES: u32 = 32;

/// A table's defaults, computed columns and checks, bound for one statement.
pub(super) struct Rules {
    defaults: Vec<Option<(Bound, Type)>>,
    computed: Vec<(usize, Bound, Type)>,
    checks: Vec<(String, Bound)>,
}

/// A value for a column, or `None` for its default.
pub(super) type Given = Option<(Value, Type)>;

/// A row before and after an update; both begin with the row id.
pub(super) struct Change {
    pub(super) old: Row,
    pub(super) new: Row,
}

impl Engine {
    pub(super) fn rules(&self, table: &Arc<Table>) -> SqlResult<Rules> {
        let mut binder = Binder::new(self);
        if self.catalog.database(&table.database).is_some() {
            binder.database.clone_from(&table.database);
        }
        let default = |column: &super::super::catalog::Column| match &column.default {
            Some((_, value)) => Binder::constant(self, value).map(Some),
            None => Ok(None),
        };
        let defaults = table.columns.iter().map(default).collect::<SqlResult<_>>()?;
        let scope: Scope = table_leaf(table, &table.name).1;
        binder.scopes.push(scope);
        let mut computed = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(expr) = &column.computed {
                let (bound, ty) = binder.expr(expr)?;
                computed.push((at, bound, ty));
            }
        }
        let mut checks = Vec::new();
        for check in table.checks.iter().filter(|check| check.enforced) {
            checks.push((check.name.clone(), binder.condition(&check.condition)?));
        }
        Ok(Rules { defaults, computed, checks })
    }

    /// A value as a column takes it.
    pub(super) fn as_column(&self, table: &Table, at: usize, value: &Value, from: Type) -> SqlResult<Value> {
        let column = &table.columns[at];
        self.conversion().convert(value, from, column.ty).map_err(|error| {
            if error.number != 2628 {
                let place = format!("column {} of {} is {}", column.name, table.display(), column.ty);
                let hint = error.hint.as_ref().map_or(place.clone(), |hint| format!("{hint}; {place}"));
                return error.with_hint(hint);
            }
            let shown: String = self.conversion().print(value, from).unwrap_or_default();
            let shown: String = shown.chars().take(column.ty.text_length().unwrap_or(0) as usize).collect();
            SqlError::new(
                2628,
                format!(
                    "String or binary data would be truncated in table '{}.{}', column '{}'. Truncated value: '{shown}'.",
                    table.database,
                    table.display(),
                    column.name
                ),
            )
        })
    }

    /// Adds rows; gives them back as they were stored, row id first.
    pub(super) fn insert_rows(&mut self, table: &Arc<Table>, columns: &[usize], rows: Vec<Vec<Given>>) -> SqlResult<Vec<Row>> {
        let rules = self.rules(table)?;
        let identity = table.identity();
        let explicit = identity.is_some_and(|at| columns.contains(&at));
        let allowed = self.session.identity_insert == Some(table.id);
        if explicit && !allowed {
            let message = format!(
                "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                table.name
            );
            return Err(SqlError::new(544, message));
        }
        if identity.is_some() && allowed && !explicit {
            let message = format!(
                "Explicit value must be specified for identity column in table '{}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.",
                table.name
            );
            return Err(SqlError::new(545, message));
        }
        let mut stored = Vec::with_capacity(rows.len());
        for given in rows {
            let mut row = vec![Value::Null; table.columns.len() + 1];
            let mut filled = vec![false; table.columns.len()];
            for (at, value) in columns.iter().zip(given) {
                if let Some((value, from)) = value {
                    row[at + 1] = self.as_column(table, *at, &value, from)?;
                    filled[*at] = true;
                }
            }
            for (at, default) in rules.defaults.iter().enumerate() {
                if filled[at] {
                    continue;
                }
                if Some(at) == identity {
                    row[at + 1] = self.next_identity(table, at)?;
                } else if table.columns[at].row_version {
                    row[at + 1] = self.next_row_version();
                } else if let Some((bound, from)) = default {
                    let value = Env::new(self).eval(bound)?;
                    row[at + 1] = self.as_column(table, at, &value, *from)?;
                }
            }
            self.complete(table, &rules, &mut row, "INSERT")?;
            let row_id = self.store().insert(table, None, &row[1..])?;
            row[0] = Value::Int(row_id);
            if let Some(at) = identity {
                self.note_identity(table, &row[at + 1], explicit);
            }
            stored.push(row);
        }
        self.check_references(table, &stored.iter(), "INSERT", None)?;
        Ok(stored)
    }

    fn next_identity(&mut self, table: &Table, at: usize) -> SqlResult<Value> {
        let (seed, step) = table.columns[at].identity.unwrap_or((1, 1));
        let next = match self.identities.get(&table.id) {
            Some(last) => last.checked_add(step).ok_or_else(|| SqlError::overflow("bigint"))?,
            None => seed,
        };
        self.identities.insert(table.id, next);
        let overflow = |_| {
            SqlError::new(
                8115,
                format!("Arithmetic overflow error converting IDENTITY to data type {}.", table.columns[at].ty.family()),
            )
        };
        self.conversion().convert(&Value::Int(next), Type::BigInt, table.columns[at].ty).map_err(overflow)
    }

    /// DBCC CHECKIDENT.
    pub(super) fn check_identity(&mut self, name: &str, reseed: &Reseed) -> SqlResult<()> {
        let no_table =
            || SqlError::new(2501, format!("Cannot find a table or object with the name \"{name}\". Check the system catalog."));
        let parsed = parse_name(name).ok_or_else(no_table)?;
        let table = self.table(self.current_database(), &parsed)?;
        let Some((at, (seed, step))) = table.identity().and_then(|at| Some((at, table.columns[at].identity?))) else {
            return Err(SqlError::new(7997, format!("'{name}' does not contain an identity column.")));
        };
        match reseed {
            Reseed::No => {}
            Reseed::To(value) => {
                let Value::Int(value) = self.value(value, Type::BigInt)? else { return Ok(()) };
                // before the first row, that row takes the value itself
                let fresh = !self.identities.contains_key(&table.id);
                self.identities.insert(table.id, if fresh { value.saturating_sub(step) } else { value });
            }
            Reseed::ToColumn => {
                let rows = self.store().scan(&table, &[])?;
                let values = rows.iter().filter_map(|row| if let Value::Int(n) = row[at + 1] { Some(n) } else { None });
                let furthest = if step < 0 { values.min() } else { values.max() };
                if let Some(furthest) = furthest {
                    let last = self.identities.entry(table.id).or_insert(seed);
                    *last = if step < 0 { (*last).min(furthest) } else { (*last).max(furthest) };
                }
            }
        }
        Ok(())
    }

    fn note_identity(&mut self, table: &Table, value: &Value, explicit: bool) {
        if let (Value::Int(n), true) = (value, explicit) {
            let step = table.identity().and_then(|at| table.columns[at].identity).map_or(1, |(_, step)| step);
            let last = self.identities.entry(table.id).or_insert(*n);
            *last = if step < 0 { (*last).min(*n) } else { (*last).max(*n) };
        }
        self.session.identity = value.clone();
        if let Some(frame) = self.session.frames.last_mut() {
            frame.identity = Some(value.clone());
        }
    }

    fn next_row_version(&mut self) -> Value {
        self.row_version += 1;
        Value::Binary(self.row_version.to_be_bytes().as_slice().into())
    }

    /// Computed columns, NOT NULL and CHECK.
    fn complete(&self, table: &Table, rules: &Rules, row: &mut Row, verb: &str) -> SqlResult<()> {
        for (at, bound, from) in &rules.computed {
            let value = Env::new(self).with_row(row).eval(bound)?;
            row[at + 1] = self.as_column(table, *at, &value, *from)?;
        }
        for (at, column) in table.columns.iter().enumerate() {
            if !column.nullable && row[at + 1].is_null() && column.computed.is_none() {
                return Err(SqlError::new(
                    515,
                    format!(
                        "Cannot insert the value NULL into column '{}', table '{}.{}'; column does not allow nulls. {verb} fails.",
                        column.name,
                        table.database,
                        table.display()
                    ),
                ));
            }
        }
        for (name, bound) in &rules.checks {
            // Unknown is allowed.
            if Env::new(self).with_row(row).eval(bound)?.truth() == Some(false) {
                return Err(SqlError::new(
                    547,
                    format!(
                        "The {verb} statement conflicted with the CHECK constraint \"{name}\". The conflict occurred in database \"{}\", table \"{}\".",
                        table.database,
                        table.display()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Replaces rows. The columns that were set are named, so that references to others are not checked.
    pub(super) fn update_rows(&mut self, table: &Arc<Table>, changes: &mut [Change], set: &[usize]) -> SqlResult<()> {
        let rules = self.rules(table)?;
        for change in changes.iter_mut() {
            if let Some(at) = table.columns.iter().position(|column| column.row_version) {
                change.new[at + 1] = self.next_row_version();
            }
            self.complete(table, &rules, &mut change.new, "UPDATE")?;
        }
        let unique: Vec<usize> =
            table.keys.iter().filter(|key| key.kind != KeyKind::Index).flat_map(|key| key.columns.iter().copied()).collect();
        let keyed = unique.iter().any(|at| set.contains(at));
        let differs = |change: &Change| unique.iter().any(|at| change.old[at + 1] != change.new[at + 1]);
        if keyed && changes.len() > 1 && changes.iter().any(differs) {
            // Keys are unique at the end of the statement, not in between.
            for change in changes.iter() {
                self.store().delete(table, row_id(&change.old))?;
            }
            for change in changes.iter() {
                self.store().insert(table, Some(row_id(&change.new)), &change.new[1..])?;
            }
        } else {
            for change in changes.iter() {
                self.store().update(table, row_id(&change.new), &change.new[1..])?;
            }
        }
        self.check_references(table, &changes.iter().map(|change| &change.new), "UPDATE", Some(set))?;
        if keyed {
            let rekeyed: Vec<(Row, Option<Row>)> =
                changes.iter().filter(|c| differs(c)).map(|c| (c.old.clone(), Some(c.new.clone()))).collect();
            self.follow_references(table, &rekeyed, 0)?;
        }
        Ok(())
    }

    pub(super) fn delete_rows(&mut self, table: &Arc<Table>, rows: &[Row]) -> SqlResult<()> {
        self.delete_cascading(table, rows, 0)
    }

    fn delete_cascading(&mut self, table: &Arc<Table>, rows: &[Row], depth: u32) -> SqlResult<()> {
        for row in rows {
            self.store().delete(table, row_id(row))?;
        }
        let gone: Vec<(Row, Option<Row>)> = rows.iter().map(|row| (row.clone(), None)).collect();
        self.follow_references(table, &gone, depth)
    }

    /// Every reference of the rows has its row in the other table.
    pub(super) fn check_references<'r>(
        &self,
        table: &Table,
        rows: &(impl Iterator<Item = &'r Row> + Clone),
        verb: &str,
        set: Option<&[usize]>,
    ) -> SqlResult<()> {
        for key in table.foreign_keys.iter().filter(|key| key.enforced) {
            if set.is_some_and(|set| !key.columns.iter().any(|at| set.contains(at))) {
                continue;
            }
            let (parent, columns) = self.referenced(table, key)?;
            for row in rows.clone() {
                if key.columns.iter().any(|at| row[at + 1].is_null()) {
                    continue;
                }
                let wanted: Vec<(usize, Value)> =
                    columns.iter().zip(&key.columns).map(|(parent, child)| (*parent, row[child + 1].clone())).collect();
                if !self.store().exists(&parent, &wanted)? {
                    let column = columns.first().map_or("", |at| parent.columns[*at].name.as_str());
                    return Err(SqlError::new(
                        547,
                        format!(
                            "The {verb} statement conflicted with the FOREIGN KEY constraint \"{}\". The conflict occurred in database \"{}\", table \"{}\", column '{column}'.",
                            key.name,
                            parent.database,
                            parent.display()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The table that a foreign key refers to, and the columns there.
    pub(super) fn referenced(&self, table: &Table, key: &ForeignKey) -> SqlResult<(Arc<Table>, Vec<usize>)> {
        let parent = match self.find_object(&table.database, &key.table)? {
            Some(Object::Table(parent)) => Arc::clone(parent),
            _ if same(&key.table.name, &table.name) => Arc::new(table.clone()),
            _ => {
                return Err(SqlError::new(1767, format!("Foreign key '{}' references invalid table '{}'.", key.name, key.table)));
            }
        };
        let columns = if key.references.is_empty() {
            parent.primary_key().map(|key| key.columns.clone()).unwrap_or_default()
        } else {
            let find = |name: &String| {
                parent.column(name).ok_or_else(|| {
                    SqlError::new(
                        1770,
                        format!(
                            "Foreign key '{}' references invalid column '{name}' in referenced table '{}'.",
                            key.name, parent.name
                        ),
                    )
                })
            };
            key.references.iter().map(find).collect::<SqlResult<_>>()?
        };
        if columns.len() != key.columns.len() {
            return Err(SqlError::new(
                8139,
                "Number of referencing columns in foreign key differs from number of referenced columns.",
            ));
        }
        Ok((parent, columns))
    }

    /// What refers to rows that are gone or have another key: refused, or changed as the reference says.
    fn follow_references(&mut self, parent: &Arc<Table>, rows: &[(Row, Option<Row>)], depth: u32) -> SqlResult<()> {
        if depth > MAX_CASCADES {
            return Err(SqlError::unsupported("references that cascade through more than 32 tables"));
        }
        let children: Vec<Arc<Table>> = self.catalog.tables().filter(|table| !table.foreign_keys.is_empty()).cloned().collect();
        for child in children {
            for key in child.foreign_keys.iter().filter(|key| key.enforced && same(&key.table.name, &parent.name)) {
                let (referenced, columns) = self.referenced(&child, key)?;
                if referenced.id != parent.id {
                    continue;
                }
                for (old, new) in rows {
                    let kept = |at: &usize| {
                        new.as_ref().is_some_and(|new| compare(&old[at + 1], &new[at + 1]).is_some_and(std::cmp::Ordering::is_eq))
                    };
                    if columns.iter().all(kept) {
                        continue;
                    }
                    self.follow_reference(&child, key, &columns, old, new.as_ref(), depth)?;
                }
            }
        }
        Ok(())
    }

    fn follow_reference(
        &mut self,
        child: &Arc<Table>,
        key: &ForeignKey,
        columns: &[usize],
        old: &Row,
        new: Option<&Row>,
        depth: u32,
    ) -> SqlResult<()> {
        let by: Vec<(usize, Value)> =
            key.columns.iter().zip(columns).map(|(child, parent)| (*child, old[parent + 1].clone())).collect();
        if by.iter().any(|(_, value)| value.is_null()) {
            return Ok(());
        }
        let found = self.store().scan(child, &by)?;
        if found.is_empty() {
            return Ok(());
        }
        let action = if new.is_some() { key.on_update } else { key.on_delete };
        if action == ReferentialAction::Refuse {
            let verb = if new.is_some() { "UPDATE" } else { "DELETE" };
            let column = key.columns.first().map_or("", |at| child.columns[*at].name.as_str());
            return Err(SqlError::new(
                547,
                format!(
                    "The {verb} statement conflicted with the REFERENCE constraint \"{}\". The conflict occurred in database \"{}\", table \"{}\", column '{column}'.",
                    key.name,
                    child.database,
                    child.display()
                ),
            ));
        }
        if action == ReferentialAction::Cascade && new.is_none() {
            return self.delete_cascading(child, &found, depth + 1);
        }
        let rules = self.rules(child)?;
        for row in found {
            let mut changed = row.clone();
            for (at, parent) in key.columns.iter().zip(columns) {
                changed[at + 1] = match (action, new) {
                    (ReferentialAction::Cascade, Some(new)) => new[parent + 1].clone(),
                    (ReferentialAction::SetDefault, _) => match &rules.defaults[*at] {
                        Some((bound, from)) => {
                            let value = Env::new(self).eval(bound)?;
                            self.as_column(child, *at, &value, *from)?
                        }
                        None => Value::Null,
                    },
                    _ => Value::Null,
                };
            }
            self.complete(child, &rules, &mut changed, "UPDATE")?;
            self.store().update(child, row_id(&changed), &changed[1..])?;
            self.follow_references(child, &[(row, Some(changed))], depth + 1)?;
        }
        Ok(())
    }
}

pub(super) fn row_id(row: &Row) -> i64 {
    match row.first() {
        Some(Value::Int(id)) => *id,
        _ => 0,
    }
}
