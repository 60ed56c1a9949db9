//! CREATE, DROP and TRUNCATE.

use std::sync::Arc;

use super::super::catalog::{DEFAULT_SCHEMA, Key, KeyKind, Object, StoredProcedure, Table, View, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::Binder;
use super::super::syntax::ast::{DropKind, Kind, ObjectName};

impl Engine {
    pub(super) fn run_definition(&mut self, kind: &Kind) -> SqlResult<()> {
        match kind {
            Kind::CreateTable(create) => {
                let mut table = self.new_table(&create.name)?;
                self.define(&mut table, &create.columns, &create.constraints)?;
                let table = self.add_table(table)?;
                self.check_definition(&table)
            }
            Kind::AlterTable { table, change } => {
                let table = self.table(self.current_database(), table)?;
                self.alter_table(&table, change)
            }
            Kind::CreateIndex { table, name, unique, columns, filtered } => {
                let table = self.table(self.current_database(), table)?;
                self.create_index(&table, name, *unique && !*filtered, columns)
            }
            Kind::DropIndex { names, if_exists } => names.iter().try_for_each(|(name, table)| {
                let table = match self.table(self.current_database(), table) {
                    Err(_) if *if_exists => return Ok(()),
                    table => table?,
                };
                self.drop_index(&table, name, *if_exists)
            }),
            Kind::CreateView { name, columns, query, replace } => {
                let (database, schema) = self.place(name, *replace)?;
                let id = self.catalog.next_id();
                let view = View {
                    id,
                    database: database.clone(),
                    schema: schema.clone(),
                    name: name.name.clone(),
                    columns: columns.clone(),
                    query: Arc::clone(query),
                };
                Binder::new(self).query(query)?;
                self.put_object(&database, &schema, &name.name, Object::View(Arc::new(view)));
                Ok(())
            }
            Kind::CreateProcedure { name, procedure, replace } => {
                let (database, schema) = self.place(name, *replace)?;
                let id = self.catalog.next_id();
                let stored = StoredProcedure {
                    id,
                    database: database.clone(),
                    schema: schema.clone(),
                    name: name.name.clone(),
                    procedure: Arc::clone(procedure),
                };
                self.put_object(&database, &schema, &name.name, Object::Procedure(Arc::new(stored)));
                Ok(())
            }
            Kind::CreateSchema(name) => {
                let current = self.current_database().to_owned();
                let Some(database) = self.catalog.database_mut(&current) else { return Ok(()) };
                if database.schemas.insert(name.to_lowercase(), name.clone()).is_some() {
                    return Err(SqlError::new(2714, format!("There is already an object named '{name}' in the database.")));
                }
                Ok(())
            }
            Kind::CreateDatabase(name) => {
                if !self.catalog.create_database(name) {
                    return Err(SqlError::new(
                        1801,
                        format!("Database '{name}' already exists. Choose a different database name."),
                    )
                    .with_hint(format!("IF DB_ID('{name}') IS NULL before it makes the script repeatable")));
                }
                Ok(())
            }
            Kind::DropDatabase { names, if_exists } => names.iter().try_for_each(|name| self.drop_database(name, *if_exists)),
            Kind::Drop { kind, names, if_exists } => names.iter().try_for_each(|name| self.drop_object(*kind, name, *if_exists)),
            Kind::Truncate(name) => {
                let table = self.table(self.current_database(), name)?;
                if table.capture.is_some() {
                    return Err(SqlError::new(4711, format!("Cannot truncate table '{}' because it is published for replication or enabled for Change Data Capture.", table.display()))
                        .with_hint("DELETE FROM it instead"));
                }
                let refers = |child: &&Arc<Table>| {
                    child.id != table.id && child.foreign_keys.iter().any(|key| same(&key.table.name, &table.name))
                };
                if let Some(child) = self.catalog.tables().find(refers) {
                    return Err(SqlError::new(
                        4712,
                        format!(
                            "Cannot truncate table '{}' because it is being referenced by a FOREIGN KEY constraint.",
                            table.display()
                        ),
                    )
                    .with_hint(format!("{} refers to it; DELETE FROM it instead", child.display())));
                }
                self.identities.remove(&table.id);
                self.store().truncate(&table)
            }
            _ => Err(SqlError::unsupported("this statement")),
        }
    }

    /// Database and schema for a new object.
    pub(super) fn place(&self, name: &ObjectName, replace: bool) -> SqlResult<(String, String)> {
        let database = name.database.as_deref().unwrap_or(self.current_database());
        let found = self
            .catalog
            .database(database)
            .ok_or_else(|| SqlError::new(911, format!("Database '{database}' does not exist.")))?;
        let schema = name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        let Some(schema) = found.schemas.get(&schema.to_lowercase()) else {
            return Err(SqlError::new(
                2760,
                format!("The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."),
            ));
        };
        if !replace && found.object(schema, &name.name).is_some() {
            return Err(SqlError::new(2714, format!("There is already an object named '{}' in the database.", name.name)));
        }
        Ok((found.name.clone(), schema.clone()))
    }

    fn put_object(&mut self, database: &str, schema: &str, name: &str, object: Object) {
        if let Some(database) = self.catalog.database_mut(database) {
            database.objects.insert((schema.to_lowercase(), name.to_lowercase()), object);
        }
    }

    pub(super) fn drop_database(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        if same(name, self.current_database()) {
            return Err(SqlError::new(3702, format!("Cannot drop database \"{name}\" because it is currently in use."))
                .with_hint("USE master first"));
        }
        let Some(database) = self.catalog.drop_database(name) else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::new(
                    3701,
                    format!("Cannot drop the database '{name}', because it does not exist or you do not have permission."),
                ))
            };
        };
        for object in database.objects.values() {
            if let Object::Table(table) = object {
                self.store().drop_table(table)?;
            }
        }
        Ok(())
    }

    fn drop_object(&mut self, kind: DropKind, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let what = match kind {
            DropKind::Table => "table",
            DropKind::View => "view",
            DropKind::Procedure => "procedure",
            DropKind::Schema => "schema",
        };
        let missing = || {
            if if_exists {
                return Ok(());
            }
            Err(SqlError::new(
                3701,
                format!("Cannot drop the {what} '{name}', because it does not exist or you do not have permission."),
            ))
        };
        if let Some(table) = self.session_table(&name.name).cloned() {
            self.session.temporary.remove(&name.name.to_lowercase());
            return self.store().drop_table(&table);
        }
        let database = name.database.clone().unwrap_or_else(|| self.current_database().to_owned());
        if kind == DropKind::Schema {
            let Some(found) = self.catalog.database_mut(&database) else { return missing() };
            let lower = name.name.to_lowercase();
            if found.objects.keys().any(|(schema, _)| *schema == lower) {
                return Err(SqlError::new(
                    3729,
                    format!("Cannot drop schema '{}' because it is being referenced by an object.", name.name),
                ));
            }
            return if found.schemas.remove(&lower).is_some() { Ok(()) } else { missing() };
        }
        let object = match self.find_object(&database, name) {
            Ok(Some(object)) => object.clone(),
            _ => return missing(),
        };
        match (&object, kind) {
            (Object::Table(table), DropKind::Table) => {
                let refers = |child: &&Arc<Table>| {
                    child.id != table.id
                        && same(&child.database, &table.database)
                        && child.foreign_keys.iter().any(|key| same(&key.table.name, &table.name))
                };
                if let Some(child) = self.catalog.tables().find(refers) {
                    return Err(SqlError::new(
                        3726,
                        format!("Could not drop object '{name}' because it is referenced by a FOREIGN KEY constraint."),
                    )
                    .with_hint(format!("{} refers to it", child.display())));
                }
                self.store().drop_table(table)?;
                self.identities.remove(&table.id);
            }
            (Object::View(_), DropKind::View) | (Object::Procedure(_), DropKind::Procedure) => {}
            _ => return missing(),
        }
        let (schema, bare) = object.name();
        let key = (schema.to_lowercase(), bare.to_lowercase());
        if let Some(found) = self.catalog.database_mut(&database) {
            found.objects.remove(&key);
        }
        Ok(())
    }

    /// Puts a changed definition in place of the old one.
    pub(super) fn redefine(&mut self, table: Table) -> Arc<Table> {
        let table = Arc::new(table);
        let lower = table.name.to_lowercase();
        if lower.starts_with('#') {
            self.session.temporary.insert(lower, Arc::clone(&table));
        } else {
            self.catalog.put_table(Arc::clone(&table));
        }
        table
    }

    fn create_index(&mut self, table: &Arc<Table>, name: &str, unique: bool, columns: &[String]) -> SqlResult<()> {
        if table.keys.iter().any(|key| same(&key.name, name)) {
            return Err(SqlError::new(
                1913,
                format!(
                    "The operation failed because an index or statistics with name '{name}' already exists on table '{}'.",
                    table.display()
                ),
            ));
        }
        let find = |name: &String| {
            table
                .column(name)
                .ok_or_else(|| SqlError::new(1911, format!("Column name '{name}' does not exist in the target table or view.")))
        };
        let columns = columns.iter().map(find).collect::<SqlResult<Vec<usize>>>()?;
        let kind = if unique { KeyKind::UniqueIndex } else { KeyKind::Index };
        let mut changed = table.as_ref().clone();
        changed.keys.push(Key { name: name.to_owned(), kind, columns });
        self.store().create_key(&changed, changed.keys.len() - 1)?;
        self.redefine(changed);
        Ok(())
    }

    fn drop_index(&mut self, table: &Arc<Table>, name: &str, if_exists: bool) -> SqlResult<()> {
        let found =
            table.keys.iter().position(|key| same(&key.name, name) && matches!(key.kind, KeyKind::Index | KeyKind::UniqueIndex));
        let Some(at) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::new(
                    3701,
                    format!(
                        "Cannot drop the index '{}.{name}', because it does not exist or you do not have permission.",
                        table.name
                    ),
                ))
            };
        };
        self.store().drop_key(table, &table.keys[at].name)?;
        let mut changed = table.as_ref().clone();
        changed.keys.remove(at);
        self.redefine(changed);
        Ok(())
    }
}
