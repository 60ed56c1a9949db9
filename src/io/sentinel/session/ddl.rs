//! CREATE, ALTER, DROP and TRUNCATE.

use std::sync::Arc;

use super::super::catalog::{Capture, DEFAULT_SCHEMA, Key, KeyKind, Object, StoredProcedure, Table, View, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env};
use super::super::syntax::ast::{DropKind, Kind, ObjectName, TableChange};
use super::super::value::Value;

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
    fn place(&self, name: &ObjectName, replace: bool) -> SqlResult<(String, String)> {
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

    fn drop_database(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
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
    fn redefine(&mut self, table: Table) -> Arc<Table> {
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

    fn alter_table(&mut self, table: &Arc<Table>, change: &TableChange) -> SqlResult<()> {
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

    /// sys.sp_cdc_enable_table.
    pub(super) fn enable_capture(
        &mut self,
        schema: &str,
        name: &str,
        instance: Option<String>,
        columns: Option<String>,
    ) -> SqlResult<()> {
        let database = self.current_database().to_owned();
        if !self.catalog.database(&database).is_some_and(|database| database.cdc) {
            return Err(SqlError::new(22901, format!("The database '{database}' is not enabled for Change Data Capture. Ensure that the correct database context is set and retry the operation."))
                .with_hint("EXEC sys.sp_cdc_enable_db first"));
        }
        let name = ObjectName { database: None, schema: Some(schema.to_owned()), name: name.to_owned() };
        let table = match self.find_object(&database, &name)? {
            Some(Object::Table(table)) => Arc::clone(table),
            _ => {
                return Err(SqlError::new(
                    22931,
                    format!(
                        "Source table '{name}' does not exist in the current database. Ensure that the correct database context is set."
                    ),
                ));
            }
        };
        let instance = instance.unwrap_or_else(|| format!("{}_{}", table.schema, table.name));
        if table.capture.is_some() {
            return Err(SqlError::new(22926, format!("Could not create a capture instance because the capture instance name '{instance}' already exists in the current database. Specify an explicit unique name for the parameter @capture_instance."))
                .with_hint("guard it: IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE name = … AND is_tracked_by_cdc = 1)"));
        }
        let plain = table.columns.iter().filter(|column| column.computed.is_none()).map(|column| column.name.clone());
        let columns: Vec<String> = match columns {
            None => plain.collect(),
            Some(list) => {
                let wanted: Vec<String> = list.split(',').map(|name| name.trim().trim_matches(['[', ']']).to_owned()).collect();
                if let Some(unknown) = wanted.iter().find(|name| table.column(name).is_none()) {
                    return Err(SqlError::unknown_column(unknown));
                }
                plain.filter(|name| wanted.iter().any(|wanted| same(wanted, name))).collect()
            }
        };
        let storage = format!("cdc.{} {}", table.storage, self.catalog.next_id());
        let mut changed = table.as_ref().clone();
        changed.capture = Some(Capture { instance, columns, storage });
        self.store().start_capture(&changed)?;
        self.redefine(changed);
        Ok(())
    }

    /// sys.sp_cdc_disable_table.
    pub(super) fn disable_capture(&mut self, schema: &str, name: &str) -> SqlResult<()> {
        let name = ObjectName { database: None, schema: Some(schema.to_owned()), name: name.to_owned() };
        let table = self.table(self.current_database(), &name)?;
        if table.capture.is_none() {
            return Err(SqlError::new(22932, format!("The table '{name}' is not enabled for Change Data Capture.")));
        }
        self.store().stop_capture(&table)?;
        self.redefine(Table { capture: None, ..table.as_ref().clone() });
        Ok(())
    }

    /// sys.sp_cdc_enable_db and sys.sp_cdc_disable_db.
    pub(super) fn set_capture(&mut self, on: bool) -> SqlResult<()> {
        let current = self.current_database().to_owned();
        if !on {
            let captured = |table: &&Arc<Table>| same(&table.database, &current) && table.capture.is_some();
            let tables: Vec<Arc<Table>> = self.catalog.tables().filter(captured).cloned().collect();
            for table in tables {
                self.disable_capture(&table.schema, &table.name)?;
            }
        }
        if super::super::catalog::SYSTEM_DATABASES.iter().any(|name| same(name, &current)) {
            return Err(SqlError::new(
                22902,
                format!("Caller is not authorized to initiate the requested action: {current} is a system database."),
            )
            .with_hint("USE the database to be captured first"));
        }
        if let Some(database) = self.catalog.database_mut(&current) {
            database.cdc = on;
        }
        Ok(())
    }
}
