//! CREATE, DROP and TRUNCATE.

use std::sync::Arc;

use super::super::catalog::{Key, KeyKind, Object, Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::Kind;

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
            Kind::CreateSchema(name) => {
                let current = self.current_database().to_owned();
                let Some(database) = self.catalog_mut().database_mut(&current) else { return Ok(()) };
                if database.schemas.insert(name.to_lowercase(), name.clone()).is_some() {
                    return Err(SqlError::new(2714, format!("There is already an object named '{name}' in the database.")));
                }
                Ok(())
            }
            Kind::CreateDatabase(name) => {
                if !self.catalog_mut().create_database(name) {
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
            _ => self.define_object(kind),
        }
    }

    pub(super) fn drop_database(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        if same(name, self.current_database()) {
            return Err(SqlError::new(3702, format!("Cannot drop database \"{name}\" because it is currently in use."))
                .with_hint("USE master first"));
        }
        let Some(database) = self.catalog_mut().drop_database(name) else {
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

    /// Puts a changed definition in place of the old one.
    pub(super) fn redefine(&mut self, table: Table) -> Arc<Table> {
        let table = Arc::new(table);
        let lower = table.name.to_lowercase();
        if lower.starts_with('#') {
            self.session.temporary.insert(lower, Arc::clone(&table));
        } else {
            self.catalog_mut().put_table(Arc::clone(&table));
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
