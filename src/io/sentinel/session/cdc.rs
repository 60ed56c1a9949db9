//! Change data capture, switched on and off.

use std::sync::Arc;

use super::super::catalog::{Capture, Object, OlderCapture, Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::lsn::Lsn;
use super::super::syntax::ast::ObjectName;

impl Engine {
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
        if self.instance(&database, &instance).is_some() {
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
        // a second instance takes over; Debezium goes on with the newest one
        let older = match &table.capture {
            None => None,
            Some(Capture { older: Some(_), .. }) => {
                let message = format!(
                    "Could not create a capture instance for '{name}' because two capture instances are already associated with it. Disable one of them first."
                );
                return Err(SqlError::new(22962, message));
            }
            Some(Capture { instance, columns, start, .. }) => {
                Some(OlderCapture { instance: instance.clone(), columns: columns.clone(), start: *start })
            }
        };
        // behind everything that was committed
        let start = self.log.last().moved(1);
        self.capture_as(&table, Some((instance, columns, start, older)))
    }

    /// Puts another capture in the place of a table's own.
    fn capture_as(&mut self, table: &Table, capture: Option<(String, Vec<String>, Lsn, Option<OlderCapture>)>) -> SqlResult<()> {
        if table.capture.is_some() {
            self.store().stop_capture(table)?;
        }
        let id = self.catalog_mut().next_id();
        let capture = capture.map(|(instance, columns, start, older)| {
            let storage = format!("cdc.{} {id}", table.storage);
            Capture { instance, columns, storage, start, older }
        });
        let changed = Table { capture, ..table.clone() };
        self.store().start_capture(&changed)?;
        self.redefine(changed);
        Ok(())
    }

    /// sys.sp_cdc_disable_table; without an instance, or for `all`, the table is not captured any more.
    pub(super) fn disable_capture(&mut self, schema: &str, name: &str, instance: Option<&str>) -> SqlResult<()> {
        let name = ObjectName { database: None, schema: Some(schema.to_owned()), name: name.to_owned() };
        let table = self.table(self.current_database(), &name)?;
        let Some(capture) = &table.capture else {
            return Err(SqlError::new(22932, format!("The table '{name}' is not enabled for Change Data Capture.")));
        };
        let Capture { instance: newest, columns, start, older, .. } = capture.clone();
        match (instance, older) {
            (Some(wanted), older) if !same(wanted, "all") => match older {
                Some(older) if same(&older.instance, wanted) => self.capture_as(&table, Some((newest, columns, start, None))),
                Some(older) if same(&newest, wanted) => {
                    self.capture_as(&table, Some((older.instance, older.columns, older.start, None)))
                }
                None if same(&newest, wanted) => self.capture_as(&table, None),
                _ => {
                    let message = format!("The capture instance '{wanted}' of '{name}' does not exist.");
                    Err(SqlError::new(22960, message))
                }
            },
            _ => self.capture_as(&table, None),
        }
    }

    /// sys.sp_cdc_enable_db and sys.sp_cdc_disable_db.
    pub(super) fn set_capture(&mut self, on: bool) -> SqlResult<()> {
        let current = self.current_database().to_owned();
        if !on {
            let captured = |table: &&Arc<Table>| same(&table.database, &current) && table.capture.is_some();
            let tables: Vec<Arc<Table>> = self.catalog.tables().filter(captured).cloned().collect();
            for table in tables {
                self.disable_capture(&table.schema, &table.name, None)?;
            }
        }
        if super::super::catalog::SYSTEM_DATABASES.iter().any(|name| same(name, &current)) {
            return Err(SqlError::new(
                22902,
                format!("Caller is not authorized to initiate the requested action: {current} is a system database."),
            )
            .with_hint("USE the database to be captured first"));
        }
        if let Some(database) = self.catalog_mut().database_mut(&current) {
            database.cdc = on;
        }
        Ok(())
    }
}
