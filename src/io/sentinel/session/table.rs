//! Making tables out of their definitions.

use std::sync::Arc;

use super::super::catalog::{Check, Column, DEFAULT_SCHEMA, ForeignKey, Key, KeyKind, Table};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, table_leaf};
use super::super::syntax::ast::{ColumnContent, ColumnDef, Constraint, ConstraintRule, ObjectName, TableShape};
use super::super::value::Type;

impl Engine {
    /// An empty definition under a name that is free.
    pub(super) fn new_table(&mut self, name: &ObjectName) -> SqlResult<Table> {
        let id = self.catalog_mut().next_id();
        let taken = || SqlError::new(2714, format!("There is already an object named '{}' in the database.", name.name));
        let empty = |database: &str, schema: &str| Table {
            id,
            storage: format!("{database}.{schema}.{} {id}", name.name),
            database: database.to_owned(),
            schema: schema.to_owned(),
            name: name.name.clone(),
            columns: Vec::new(),
            keys: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            capture: None,
        };
        if name.name.starts_with('#') {
            if self.session.temporary.contains_key(&name.name.to_lowercase()) {
                return Err(taken());
            }
            return Ok(empty("tempdb", DEFAULT_SCHEMA));
        }
        if name.name.starts_with('@') {
            return Ok(empty("tempdb", DEFAULT_SCHEMA));
        }
        let database = name.database.as_deref().unwrap_or(self.current_database());
        let schema = name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        let found = self.catalog.database(database).ok_or_else(|| {
            SqlError::new(911, format!("Database '{database}' does not exist. Make sure that the name is entered correctly."))
        })?;
        let Some(schema) = found.schemas.get(&schema.to_lowercase()) else {
            return Err(SqlError::new(
                2760,
                format!("The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."),
            )
            .with_hint(format!("CREATE SCHEMA {schema} makes it")));
        };
        if found.object(schema, &name.name).is_some() {
            return Err(taken());
        }
        Ok(empty(&found.name, schema))
    }

    /// Makes the table's storage and puts it where its name says.
    pub(super) fn add_table(&mut self, table: Table) -> SqlResult<Arc<Table>> {
        if table.columns.is_empty() {
            return Err(SqlError::new(1701, format!("The table '{}' has no columns.", table.name)));
        }
        self.store().create_table(&table)?;
        // the number may have been given before, in a transaction that was rolled back
        self.identities.remove(&table.id);
        let table = Arc::new(table);
        let lower = table.name.to_lowercase();
        if lower.starts_with('#') {
            self.session.temporary.insert(lower, Arc::clone(&table));
        } else if lower.starts_with('@') {
            if let Some(frame) = self.session.frames.last_mut()
                && let Some(old) = frame.tables.insert(lower, Arc::clone(&table))
            {
                self.store().drop_table(&old)?;
            }
        } else {
            self.catalog_mut().put_table(Arc::clone(&table));
        }
        Ok(table)
    }

    /// A table variable that is not in any frame yet.
    pub(super) fn empty_table(&mut self, name: &str, shape: &TableShape) -> SqlResult<Arc<Table>> {
        let table = self.shaped_table(name, shape)?;
        self.store().create_table(&table)?;
        self.identities.remove(&table.id);
        Ok(Arc::new(table))
    }

    pub(super) fn shaped_table(&mut self, name: &str, shape: &TableShape) -> SqlResult<Table> {
        let mut table = self.new_table(&ObjectName::bare(name))?;
        self.define(&mut table, &shape.columns, &shape.constraints)?;
        Ok(table)
    }

    pub(super) fn declare_table(&mut self, name: &str, columns: &[ColumnDef], constraints: &[Constraint]) -> SqlResult<()> {
        let mut table = self.new_table(&ObjectName::bare(name))?;
        self.define(&mut table, columns, constraints)?;
        self.add_table(table)?;
        Ok(())
    }

    /// Adds columns and constraints to a definition.
    pub(super) fn define(&self, table: &mut Table, columns: &[ColumnDef], constraints: &[Constraint]) -> SqlResult<()> {
        for definition in columns {
            self.add_column(table, definition)?;
        }
        for definition in columns {
            for constraint in &definition.constraints {
                self.add_constraint(table, constraint)?;
            }
        }
        for constraint in constraints {
            self.add_constraint(table, constraint)?;
        }
        Ok(())
    }

    fn add_column(&self, table: &mut Table, definition: &ColumnDef) -> SqlResult<()> {
        if table.column(&definition.name).is_some() {
            return Err(SqlError::new(
                2705,
                format!(
                    "Column names in each table must be unique. Column name '{}' in table '{}' is specified more than once.",
                    definition.name, table.name
                ),
            ));
        }
        let (ty, computed, row_version) = match &definition.content {
            ColumnContent::Typed(ty) => (*ty, None, false),
            ColumnContent::RowVersion => (Type::Binary(8), None, true),
            ColumnContent::Computed(expr) => {
                let mut binder = Binder::new(self);
                binder.scopes.push(table_leaf(&Arc::new(table.clone()), &table.name).1);
                let (_, ty) = binder.expr(expr)?;
                (if ty == Type::Null { Type::Int } else { ty }, Some(expr.clone()), false)
            }
        };
        if definition.identity.is_some() {
            if table.identity().is_some() {
                return Err(SqlError::new(
                    2744,
                    format!(
                        "Multiple identity columns specified for table '{}'. Only one identity column per table is allowed.",
                        table.name
                    ),
                ));
            }
            let whole = matches!(ty, Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt | Type::Decimal { scale: 0, .. });
            if !whole {
                return Err(SqlError::new(
                    2749,
                    format!(
                        "Identity column '{}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, and constrained to be nonnullable.",
                        definition.name
                    ),
                ));
            }
        }
        let default = definition.default.as_ref().map(|(name, value)| {
            (name.clone().unwrap_or_else(|| format!("DF__{}__{}", table.name, definition.name)), value.clone())
        });
        table.columns.push(Column {
            name: definition.name.clone(),
            ty,
            nullable: definition.nullable.unwrap_or(definition.identity.is_none() && !row_version),
            identity: definition.identity,
            default,
            computed,
            row_version,
        });
        Ok(())
    }

    fn add_constraint(&self, table: &mut Table, constraint: &Constraint) -> SqlResult<()> {
        let places = |table: &Table, names: &[String]| -> SqlResult<Vec<usize>> {
            let find = |name: &String| {
                let message = format!("Column name '{name}' does not exist in the target table or view.");
                table.column(name).ok_or_else(|| SqlError::new(1911, message))
            };
            names.iter().map(find).collect()
        };
        let named = |kind: &str, count: usize| {
            constraint
                .name
                .clone()
                .unwrap_or_else(|| format!("{kind}__{}__{:08X}", table.name, table.id + i64::try_from(count).unwrap_or(0)))
        };
        match &constraint.rule {
            ConstraintRule::PrimaryKey(columns) => {
                if table.primary_key().is_some() {
                    return Err(SqlError::new(1779, format!("Table '{}' already has a primary key defined on it.", table.name)));
                }
                let columns = places(table, columns)?;
                let key = Key { name: named("PK", 0), kind: KeyKind::Primary, columns };
                for at in &key.columns {
                    table.columns[*at].nullable = false;
                }
                table.keys.insert(0, key);
            }
            ConstraintRule::Unique(columns) => {
                let key =
                    Key { name: named("UQ", table.keys.len() + 1), kind: KeyKind::Unique, columns: places(table, columns)? };
                table.keys.push(key);
            }
            ConstraintRule::Check(condition) => {
                let check = Check { name: named("CK", table.checks.len()), condition: condition.clone(), enforced: true };
                let mut binder = Binder::new(self);
                binder.scopes.push(table_leaf(&Arc::new(table.clone()), &table.name).1);
                binder.condition(condition)?;
                table.checks.push(check);
            }
            ConstraintRule::ForeignKey { columns, table: parent, references, on_delete, on_update } => {
                let key = ForeignKey {
                    name: named("FK", table.foreign_keys.len()),
                    columns: places(table, columns)?,
                    table: parent.clone(),
                    references: references.clone(),
                    on_delete: *on_delete,
                    on_update: *on_update,
                    enforced: true,
                };
                self.referenced(table, &key)?;
                table.foreign_keys.push(key);
            }
            ConstraintRule::Default { column, value } => {
                let at = table.column(column).ok_or_else(|| {
                    SqlError::new(1911, format!("Column name '{column}' does not exist in the target table or view."))
                })?;
                if table.columns[at].default.is_some() {
                    return Err(SqlError::new(1781, "Column already has a DEFAULT bound to it."));
                }
                let name = constraint.name.clone().unwrap_or_else(|| format!("DF__{}__{column}", table.name));
                table.columns[at].default = Some((name, value.clone()));
            }
        }
        Ok(())
    }

    /// Binds what a table is defined with, so that a default or check that cannot work is refused at once.
    pub(super) fn check_definition(&self, table: &Arc<Table>) -> SqlResult<()> {
        self.rules(table).map(|_| ())
    }
}
