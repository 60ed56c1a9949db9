//! Objects with a name in a schema, besides tables: views, procedures, functions, triggers, sequences, synonyms, types.

use std::sync::Arc;

use super::super::catalog::{DEFAULT_SCHEMA, Defined, Object, Table, Trigger, View, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::Binder;
use super::super::syntax::ast::{CreateTrigger, DropKind, Kind, ObjectName};

impl Engine {
    pub(super) fn define_object(&mut self, kind: &Kind) -> SqlResult<()> {
        match kind {
            Kind::CreateView { name, columns, query, replace } => {
                Binder::new(self).query(query)?;
                let view = View { columns: columns.clone(), query: Arc::clone(query) };
                self.put_object(name, *replace, view, Object::View)
            }
            Kind::CreateProcedure { name, procedure, replace } => {
                self.put_object(name, *replace, Arc::clone(procedure), Object::Procedure)
            }
            Kind::CreateFunction { name, function, replace } => {
                self.put_object(name, *replace, Arc::clone(function), Object::Function)
            }
            Kind::CreateTrigger(create) => self.create_trigger(create),
            Kind::SwitchTriggers { names, table, on } => {
                let table = self.table(self.current_database(), table)?;
                self.switch_triggers(&table, names, *on)
            }
            Kind::CreateSequence { name, sequence } => self.put_object(name, false, sequence.clone(), Object::Sequence),
            Kind::RestartSequence { name, with } => {
                let Some(Object::Sequence(sequence)) = self.find_object(self.current_database(), name)? else {
                    return Err(SqlError::unknown_object(name));
                };
                let next = with.unwrap_or(sequence.definition.start);
                self.sequences.borrow_mut().insert(sequence.id, i128::from(next));
                Ok(())
            }
            Kind::CreateSynonym { name, target } => self.put_object(name, false, target.clone(), Object::Synonym),
            Kind::CreateType { name, ty } => {
                let (database, _) = self.place(name, false)?;
                let taken = || {
                    SqlError::new(219, format!("The type '{name}' already exists, or you do not have permission to create it."))
                };
                let Some(database) = self.catalog_mut().database_mut(&database) else { return Ok(()) };
                match database.types.insert(name.name.to_lowercase(), ty.clone()) {
                    Some(_) => Err(taken()),
                    None => Ok(()),
                }
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

    /// Gives a definition its name and a number of its own.
    fn put_object<T>(
        &mut self,
        name: &ObjectName,
        replace: bool,
        definition: T,
        object: impl FnOnce(Arc<Defined<T>>) -> Object,
    ) -> SqlResult<()> {
        let (database, schema) = self.place(name, replace)?;
        let id = self.catalog_mut().next_id();
        let key = (schema.to_lowercase(), name.name.to_lowercase());
        let defined = Defined { id, database: database.clone(), schema, name: name.name.clone(), definition };
        if let Some(database) = self.catalog_mut().database_mut(&database) {
            database.objects.insert(key, object(Arc::new(defined)));
        }
        Ok(())
    }

    fn create_trigger(&mut self, create: &CreateTrigger) -> SqlResult<()> {
        let CreateTrigger { name, table, events, body, replace } = create;
        let found = match self.find_object(self.current_database(), table)? {
            Some(Object::Table(table)) => Arc::clone(table),
            _ => {
                let message = format!("The object '{table}' does not exist or is invalid for this operation.");
                return Err(SqlError::new(8197, message));
            }
        };
        // a trigger is in the schema of its table
        let schema = name.schema.clone().unwrap_or_else(|| found.schema.clone());
        let name = ObjectName { schema: Some(schema), ..name.clone() };
        let trigger = Trigger { table: found.id, events: *events, body: Arc::clone(body), enabled: true };
        self.put_object(&name, *replace, trigger, Object::Trigger)
    }

    /// ENABLE TRIGGER and DISABLE TRIGGER; without names all of the table's.
    pub(super) fn switch_triggers(&mut self, table: &Table, names: &[ObjectName], on: bool) -> SqlResult<()> {
        let Some(database) = self.catalog_mut().database_mut(&table.database) else { return Ok(()) };
        let mut switched = 0;
        for object in database.objects.values_mut() {
            let Object::Trigger(trigger) = object else { continue };
            let wanted = names.is_empty() || names.iter().any(|name| same(&name.name, &trigger.name));
            if trigger.definition.table == table.id && wanted {
                let mut changed = trigger.as_ref().clone();
                changed.definition.enabled = on;
                *trigger = Arc::new(changed);
                switched += 1;
            }
        }
        match names.first() {
            Some(first) if switched < names.len() => {
                let message = format!("Cannot find the trigger '{first}' on {}.", table.display());
                Err(SqlError::new(1088, message))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn drop_object(&mut self, kind: DropKind, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let what = match kind {
            DropKind::Table => "table",
            DropKind::View => "view",
            DropKind::Procedure => "procedure",
            DropKind::Function => "function",
            DropKind::Trigger => "trigger",
            DropKind::Sequence => "sequence object",
            DropKind::Synonym => "synonym",
            DropKind::Type => "type",
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
            let Some(found) = self.catalog_mut().database_mut(&database) else { return missing() };
            let lower = name.name.to_lowercase();
            if found.objects.keys().any(|(schema, _)| *schema == lower) {
                return Err(SqlError::new(
                    3729,
                    format!("Cannot drop schema '{}' because it is being referenced by an object.", name.name),
                ));
            }
            return if found.schemas.remove(&lower).is_some() { Ok(()) } else { missing() };
        }
        if kind == DropKind::Type {
            let found = self.catalog_mut().database_mut(&database);
            let dropped = found.and_then(|found| found.types.remove(&name.name.to_lowercase()));
            return if dropped.is_some() { Ok(()) } else { missing() };
        }
        let object = match self.find_named(&database, name) {
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
                let of_table = |object: &Object| matches!(object, Object::Trigger(t) if t.definition.table == table.id);
                if let Some(found) = self.catalog_mut().database_mut(&database) {
                    found.objects.retain(|_, object| !of_table(object));
                }
            }
            (Object::View(_), DropKind::View)
            | (Object::Procedure(_), DropKind::Procedure)
            | (Object::Function(_), DropKind::Function)
            | (Object::Trigger(_), DropKind::Trigger)
            | (Object::Sequence(_), DropKind::Sequence)
            | (Object::Synonym(_), DropKind::Synonym) => {}
            _ => return missing(),
        }
        let (schema, bare) = object.name();
        let key = (schema.to_lowercase(), bare.to_lowercase());
        if let Some(found) = self.catalog_mut().database_mut(&database) {
            found.objects.remove(&key);
        }
        Ok(())
    }
}
