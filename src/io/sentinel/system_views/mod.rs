//! What scripts ask about the server itself: `sys.tables`, `INFORMATION_SCHEMA.COLUMNS` and their like.

mod columns;
mod metadata;
mod rows;

pub(crate) use metadata::parse_name;

use std::rc::Rc;

use super::catalog::{DEFAULT_SCHEMA, Object};
use super::engine::Engine;
use super::error::{SqlError, SqlResult};
use super::store::Row;
use super::syntax::ast::ObjectName;
use super::value::{Type, Value};
use columns::{
    ALL_OBJECT_COLUMNS, CAPTURED_COLUMN_COLUMNS, COLUMN_COLUMNS, CONSTRAINT_COLUMNS, Columns, DATABASE_COLUMNS,
    INFORMATION_COLUMNS, NAME, OBJECT_COLUMNS, SEQUENCE_COLUMNS, SYSTEM_OBJECTS, TRIGGER_COLUMNS, TYPE_COLUMNS, int,
};
use rows::{
    captured_column_rows, change_table_rows, column_rows, index_rows, information_columns, schema_number, table_constraints,
    trigger_rows, type_rows,
};

/// A table that is computed when it is read.
pub(crate) struct PseudoTable {
    pub(crate) columns: Vec<(String, Type)>,
    pub(crate) rows: Rc<Vec<Row>>,
}

impl Engine {
    /// A system view as rows; `None` when the name means something else.
    #[expect(clippy::too_many_lines, reason = "one arm for each view")]
    pub(crate) fn pseudo_table(&self, database: &str, name: &ObjectName) -> SqlResult<Option<PseudoTable>> {
        let schema = name.schema.as_deref().unwrap_or("").to_lowercase();
        let view = name.name.to_lowercase();
        if !matches!(schema.as_str(), "sys" | "information_schema" | "cdc") && !view.starts_with("sys") && view != "spt_values" {
            return Ok(None);
        }
        let database = name.database.as_deref().unwrap_or(database);
        let Some(database) = self.catalog.database(database) else {
            return Err(SqlError::new(
                911,
                format!("Database '{database}' does not exist. Make sure that the name is entered correctly."),
            ));
        };
        if database.object(&schema, &view).is_some() || schema.is_empty() && database.object(DEFAULT_SCHEMA, &view).is_some() {
            return Ok(None);
        }
        if let ("cdc", Some(instance)) = (schema.as_str(), view.strip_suffix("_ct"))
            && let Some(instance) = self.instance(&database.name, instance)
        {
            let (columns, rows) = self.change_table(&instance);
            return Ok(Some(PseudoTable { columns, rows: Rc::new(rows) }));
        }
        let (columns, rows): (Columns, Vec<Row>) = match (schema.as_str(), view.as_str()) {
            ("sys", "databases") | ("" | "dbo" | "sys", "sysdatabases") => {
                (DATABASE_COLUMNS, self.catalog.databases().map(|d| self.database_row(d)).collect())
            }
            ("sys", "all_objects") => (ALL_OBJECT_COLUMNS, Self::all_object_rows(database)),
            ("sys", "objects") | ("" | "dbo" | "sys", "sysobjects") => (OBJECT_COLUMNS, self.object_rows(database, |_| true)),
            ("" | "dbo", "spt_values") => {
                let columns: Columns = &[("name", NAME), ("number", Type::Int), ("type", Type::NChar(3))];
                let row = |number: i64| vec![Value::Null, Value::Int(number), Value::text("P  ")];
                (columns, (0..2048).map(row).collect())
            }
            ("sys", "tables") => (OBJECT_COLUMNS, self.object_rows(database, |o| matches!(o, Object::Table(_)))),
            ("sys", "views") => (OBJECT_COLUMNS, self.object_rows(database, |o| matches!(o, Object::View(_)))),
            ("sys", "procedures") => (OBJECT_COLUMNS, self.object_rows(database, |o| matches!(o, Object::Procedure(_)))),
            ("sys", "synonyms") => (OBJECT_COLUMNS, self.object_rows(database, |o| matches!(o, Object::Synonym(_)))),
            ("sys", "triggers") => (TRIGGER_COLUMNS, trigger_rows(database)),
            ("sys", "sequences") => (SEQUENCE_COLUMNS, self.sequence_rows(database)),
            ("sys", "sql_modules") => {
                let columns: Columns = &[("object_id", Type::Int), ("definition", Type::NVarChar(None))];
                let is_module =
                    |o: &&Object| matches!(o, Object::View(_) | Object::Procedure(_) | Object::Function(_) | Object::Trigger(_));
                let row = |object: &Object| vec![Value::Int(object.id()), Value::Null];
                (columns, database.objects.values().filter(is_module).map(row).collect())
            }
            ("sys", "all_columns") => {
                let columns: Columns = &[("object_id", Type::Int), ("name", NAME), ("column_id", Type::Int)];
                let own = column_rows(database, "columns").into_iter().map(|mut row| {
                    row.truncate(3);
                    row
                });
                let name = Value::text("shipped");
                let shipped = |at: i64| vec![Value::Int(-1 - at / 5), name.clone(), Value::Int(at % 5 + 1)];
                (columns, own.chain((0..5 * SYSTEM_OBJECTS).map(shipped)).collect())
            }
            ("sys", "columns" | "identity_columns" | "computed_columns") | ("" | "dbo" | "sys", "syscolumns") => {
                (COLUMN_COLUMNS, column_rows(database, &view))
            }
            ("sys", "schemas") => {
                let columns: Columns = &[("name", NAME), ("schema_id", Type::Int), ("principal_id", Type::Int)];
                let rows = database.schemas.values().enumerate();
                (columns, rows.map(|(at, name)| vec![Value::text(name.as_str()), int(schema_number(name, at)), int(1)]).collect())
            }
            ("sys", "types" | "systypes" | "table_types") => (TYPE_COLUMNS, type_rows(database, view == "table_types")),
            ("sys", "indexes") => {
                let columns: Columns = &[
                    ("object_id", Type::Int),
                    ("name", NAME),
                    ("index_id", Type::Int),
                    ("type", Type::TinyInt),
                    ("type_desc", NAME),
                    ("is_unique", Type::Bit),
                    ("is_primary_key", Type::Bit),
                    ("is_unique_constraint", Type::Bit),
                    ("is_disabled", Type::Bit),
                ];
                (columns, index_rows(database))
            }
            ("sys", "key_constraints" | "foreign_keys" | "check_constraints" | "default_constraints") => {
                (CONSTRAINT_COLUMNS, self.constraint_rows(database, &view))
            }
            ("information_schema", "tables" | "views") => {
                let columns: Columns =
                    &[("TABLE_CATALOG", NAME), ("TABLE_SCHEMA", NAME), ("TABLE_NAME", NAME), ("TABLE_TYPE", NAME)];
                let wanted = |object: &&Object| match object {
                    Object::Table(_) => view == "tables",
                    Object::View(_) => true,
                    _ => false,
                };
                let row = |object: &Object| {
                    let (schema, name) = object.name();
                    let kind = if matches!(object, Object::Table(_)) { "BASE TABLE" } else { "VIEW" };
                    [&database.name, schema, name, kind].map(Value::text).to_vec()
                };
                (columns, database.objects.values().filter(wanted).map(row).collect())
            }
            ("information_schema", "columns") => (INFORMATION_COLUMNS, information_columns(database)),
            ("information_schema", "schemata") => {
                let columns: Columns = &[("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME), ("SCHEMA_OWNER", NAME)];
                let row = |name: &String| [database.name.as_str(), name, "dbo"].map(Value::text).to_vec();
                (columns, database.schemas.values().map(row).collect())
            }
            ("information_schema", "routines") => {
                let columns: Columns =
                    &[("ROUTINE_CATALOG", NAME), ("ROUTINE_SCHEMA", NAME), ("ROUTINE_NAME", NAME), ("ROUTINE_TYPE", NAME)];
                let kind = |object: &Object| match object {
                    Object::Procedure(_) => Some("PROCEDURE"),
                    Object::Function(_) => Some("FUNCTION"),
                    _ => None,
                };
                let row = |o: &Object| {
                    let kind = kind(o)?;
                    Some([database.name.as_str(), o.name().0, o.name().1, kind].map(Value::text).to_vec())
                };
                (columns, database.objects.values().filter_map(row).collect())
            }
            ("information_schema", "table_constraints") => {
                let columns: Columns =
                    &[("CONSTRAINT_NAME", NAME), ("TABLE_SCHEMA", NAME), ("TABLE_NAME", NAME), ("CONSTRAINT_TYPE", NAME)];
                (columns, table_constraints(database))
            }
            ("cdc", "lsn_time_mapping") => {
                let columns: Columns =
                    &[("start_lsn", Type::Binary(10)), ("tran_begin_time", Type::DateTime), ("tran_end_time", Type::DateTime)];
                (columns, self.commit_times())
            }
            ("cdc", "captured_columns") => (CAPTURED_COLUMN_COLUMNS, captured_column_rows(database)),
            ("cdc", "change_tables") => {
                let columns: Columns = &[
                    ("object_id", Type::Int),
                    ("source_object_id", Type::Int),
                    ("capture_instance", NAME),
                    ("start_lsn", Type::Binary(10)),
                    ("supports_net_changes", Type::Bit),
                ];
                (columns, change_table_rows(database))
            }
            ("sys", "server_principals" | "sql_logins" | "syslogins" | "database_principals" | "sysusers") => {
                let columns: Columns =
                    &[("name", NAME), ("principal_id", Type::Int), ("type", Type::Char(1)), ("type_desc", NAME)];
                let name = if view.starts_with("database") || view == "sysusers" { "dbo" } else { "sa" };
                (columns, vec![vec![Value::text(name), int(1), Value::text("S"), Value::text("SQL_USER")]])
            }
            ("sys", "dm_server_services") => {
                let columns: Columns = &[("servicename", NAME), ("status", Type::Int), ("status_desc", NAME)];
                let row = |name: &str| vec![Value::text(name), int(4), Value::text("Running")];
                (columns, vec![row("SQL Server (MSSQLSERVER)"), row("SQL Server Agent (MSSQLSERVER)")])
            }
            ("sys", "extended_properties") => {
                let columns: Columns = &[
                    ("class", Type::TinyInt),
                    ("major_id", Type::Int),
                    ("minor_id", Type::Int),
                    ("name", NAME),
                    ("value", NAME),
                ];
                (columns, Vec::new())
            }
            ("sys", "configurations") => {
                let columns: Columns = &[("name", NAME), ("value", Type::Int), ("value_in_use", Type::Int)];
                (columns, Vec::new())
            }
            ("sys", "dm_cdc_log_scan_sessions") => {
                let columns: Columns = &[("session_id", Type::Int), ("start_time", Type::DateTime)];
                (columns, Vec::new())
            }
            ("sys" | "information_schema" | "cdc", _) => {
                return Err(SqlError::unsupported(format!("the system view {name}")));
            }
            _ => return Ok(None),
        };
        let columns = columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect();
        Ok(Some(PseudoTable { columns, rows: Rc::new(rows) }))
    }
}
