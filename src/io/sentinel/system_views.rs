//! What scripts ask about the server itself: `sys.tables`, `INFORMATION_SCHEMA.COLUMNS` and their like, and the
//! functions behind `OBJECT_ID`, `DB_ID` and others.

use std::rc::Rc;
use std::sync::Arc;

use super::catalog::{Column, DEFAULT_SCHEMA, Database, KeyKind, Object, SYSTEM_DATABASES, Table, same};
use super::engine::Engine;
use super::error::{SqlError, SqlResult};
use super::store::Row;
use super::syntax::ast::ObjectName;
use super::value::{Type, Value};

/// A table that is computed when it is read.
pub(crate) struct PseudoTable {
    pub(crate) columns: Vec<(String, Type)>,
    pub(crate) rows: Rc<Vec<Row>>,
}

const NAME: Type = Type::NVarChar(Some(128));

type Columns = &'static [(&'static str, Type)];

const OBJECT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("parent_object_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("create_date", Type::DateTime),
    ("modify_date", Type::DateTime),
    ("is_ms_shipped", Type::Bit),
    ("is_tracked_by_cdc", Type::Bit),
    ("temporal_type", Type::TinyInt),
    ("id", Type::Int),
    ("xtype", Type::Char(2)),
];

/// Few, since people multiply this view with itself to make numbers.
const ALL_OBJECT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("is_ms_shipped", Type::Bit),
];

/// How many objects of its own a server has, about: scripts count on there being thousands.
const SYSTEM_OBJECTS: i64 = 2400;

const DATABASE_COLUMNS: Columns = &[
    ("name", NAME),
    ("database_id", Type::Int),
    ("is_cdc_enabled", Type::Bit),
    ("state", Type::TinyInt),
    ("state_desc", NAME),
    ("recovery_model_desc", NAME),
    ("compatibility_level", Type::TinyInt),
    ("is_read_committed_snapshot_on", Type::Bit),
    ("snapshot_isolation_state", Type::TinyInt),
    ("is_broker_enabled", Type::Bit),
    ("collation_name", NAME),
    ("create_date", Type::DateTime),
    ("dbid", Type::Int),
];

const COLUMN_COLUMNS: Columns = &[
    ("object_id", Type::Int),
    ("name", NAME),
    ("column_id", Type::Int),
    ("user_type_id", Type::Int),
    ("system_type_id", Type::Int),
    ("max_length", Type::SmallInt),
    ("precision", Type::TinyInt),
    ("scale", Type::TinyInt),
    ("is_nullable", Type::Bit),
    ("is_identity", Type::Bit),
    ("is_computed", Type::Bit),
    ("default_object_id", Type::Int),
    ("id", Type::Int),
    ("colid", Type::SmallInt),
];

const INFORMATION_COLUMNS: Columns = &[
    ("TABLE_CATALOG", NAME),
    ("TABLE_SCHEMA", NAME),
    ("TABLE_NAME", NAME),
    ("COLUMN_NAME", NAME),
    ("ORDINAL_POSITION", Type::Int),
    ("COLUMN_DEFAULT", NAME),
    ("IS_NULLABLE", Type::VarChar(Some(3))),
    ("DATA_TYPE", NAME),
    ("CHARACTER_MAXIMUM_LENGTH", Type::Int),
    ("NUMERIC_PRECISION", Type::TinyInt),
    ("NUMERIC_SCALE", Type::Int),
];

const CONSTRAINT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("parent_object_id", Type::Int),
    ("schema_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("parent_column_id", Type::Int),
    ("referenced_object_id", Type::Int),
    ("is_disabled", Type::Bit),
];

/// The data types by name, in an order that gives each a stable id.
const TYPES: [&str; 24] = [
    "binary",
    "varbinary",
    "char",
    "varchar",
    "nchar",
    "nvarchar",
    "uniqueidentifier",
    "bit",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "smallmoney",
    "money",
    "decimal",
    "real",
    "float",
    "time",
    "date",
    "smalldatetime",
    "datetime",
    "datetime2",
    "datetimeoffset",
    "numeric",
];

fn int(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn type_name(ty: Type) -> &'static str {
    if let Type::Decimal { .. } = ty { "decimal" } else { ty.family() }
}

fn type_id(ty: Type) -> Value {
    int(TYPES.iter().position(|name| *name == type_name(ty)).unwrap_or(0) + 34)
}

/// A column's size in bytes; -1 for max.
fn byte_length(ty: Type) -> i64 {
    match ty {
        Type::Char(n) | Type::Binary(n) | Type::VarChar(Some(n)) | Type::VarBinary(Some(n)) => i64::from(n),
        Type::NChar(n) | Type::NVarChar(Some(n)) => i64::from(n) * 2,
        Type::VarChar(None) | Type::NVarChar(None) | Type::VarBinary(None) => -1,
        Type::Bit | Type::TinyInt => 1,
        Type::SmallInt => 2,
        Type::Date => 3,
        Type::Int | Type::SmallMoney | Type::Real | Type::SmallDateTime => 4,
        Type::UniqueIdentifier => 16,
        Type::Decimal { precision: 0..=9, .. } => 5,
        Type::Decimal { precision: 10..=19, .. } => 9,
        Type::Decimal { precision: 20..=28, .. } => 13,
        Type::Decimal { .. } => 17,
        _ => 8,
    }
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
            ("sys", "triggers" | "sequences" | "synonyms" | "sql_modules") => (OBJECT_COLUMNS, Vec::new()),
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
            ("sys", "types" | "systypes") => {
                let columns: Columns = &[("name", NAME), ("user_type_id", Type::Int), ("system_type_id", Type::Int)];
                let row = |(at, name): (usize, &&str)| vec![Value::text(*name), int(at + 34), int(at + 34)];
                (columns, TYPES.iter().enumerate().map(row).collect())
            }
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
                    Object::Procedure(_) => false,
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
                let procedures = database.objects.values().filter(|o| matches!(o, Object::Procedure(_)));
                let row = |o: &Object| [database.name.as_str(), o.name().0, o.name().1, "PROCEDURE"].map(Value::text).to_vec();
                (columns, procedures.map(row).collect())
            }
            ("information_schema", "table_constraints") => {
                let columns: Columns =
                    &[("CONSTRAINT_NAME", NAME), ("TABLE_SCHEMA", NAME), ("TABLE_NAME", NAME), ("CONSTRAINT_TYPE", NAME)];
                (columns, table_constraints(database))
            }
            ("cdc", "change_tables") => {
                let columns: Columns = &[
                    ("object_id", Type::Int),
                    ("source_object_id", Type::Int),
                    ("capture_instance", NAME),
                    ("supports_net_changes", Type::Bit),
                ];
                let row = |table: &Arc<Table>| {
                    let capture = table.capture.as_ref()?;
                    Some(vec![
                        Value::Int(table.id + 1),
                        Value::Int(table.id),
                        Value::text(capture.instance.as_str()),
                        Value::Bit(false),
                    ])
                };
                (columns, tables(database).filter_map(row).collect())
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

    fn database_row(&self, database: &Database) -> Row {
        vec![
            Value::text(database.name.as_str()),
            Value::Int(database.id),
            Value::Bit(database.cdc),
            Value::Int(0),
            Value::text("ONLINE"),
            Value::text("FULL"),
            Value::Int(160),
            Value::Bit(false),
            Value::Int(0),
            Value::Bit(false),
            Value::text("SQL_Latin1_General_CP1_CI_AS"),
            Value::DateTime(self.now()),
            Value::Int(database.id),
        ]
    }

    fn object_rows(&self, database: &Database, wanted: impl Fn(&Object) -> bool) -> Vec<Row> {
        let row = |object: &Object| {
            let (schema, name) = object.name();
            let (code, kind) = object.kind();
            let tracked = matches!(object, Object::Table(table) if table.capture.is_some());
            vec![
                Value::text(name),
                Value::Int(object.id()),
                schema_of(database, schema),
                Value::Int(0),
                Value::text(format!("{code:<2}")),
                Value::text(kind),
                Value::DateTime(self.now()),
                Value::DateTime(self.now()),
                Value::Bit(false),
                Value::Bit(tracked),
                Value::Int(0),
                Value::Int(object.id()),
                Value::text(format!("{code:<2}")),
            ]
        };
        database.objects.values().filter(|object| wanted(object)).map(row).collect()
    }

    fn all_object_rows(database: &Database) -> Vec<Row> {
        let own = database.objects.values().map(|object| {
            let ((schema, name), (code, kind)) = (object.name(), object.kind());
            let shipped = Value::Bit(false);
            let (code, kind) = (Value::text(format!("{code:<2}")), Value::text(kind));
            vec![Value::text(name), Value::Int(object.id()), schema_of(database, schema), code, kind, shipped]
        });
        let (code, kind) = (Value::text("X "), Value::text("EXTENDED_STORED_PROCEDURE"));
        let shipped = |at: i64| {
            let name = Value::text(format!("sp_shipped_{at}"));
            vec![name, Value::Int(-at), Value::Int(4), code.clone(), kind.clone(), Value::Bit(true)]
        };
        own.chain((1..=SYSTEM_OBJECTS).map(shipped)).collect()
    }

    fn constraint_rows(&self, database: &Database, view: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for table in tables(database) {
            let mut add = |name: &str, code: &str, kind: &str, column: usize, target: Value| {
                let id = table.id + 2 + i64::try_from(rows.len()).unwrap_or(0);
                rows.push(vec![
                    Value::text(name),
                    Value::Int(id),
                    Value::Int(table.id),
                    schema_of(database, &table.schema),
                    Value::text(code),
                    Value::text(kind),
                    int(column),
                    target,
                    Value::Bit(false),
                ]);
            };
            match view {
                "key_constraints" => {
                    for key in &table.keys {
                        match key.kind {
                            KeyKind::Primary => add(&key.name, "PK", "PRIMARY_KEY_CONSTRAINT", 0, Value::Null),
                            KeyKind::Unique => add(&key.name, "UQ", "UNIQUE_CONSTRAINT", 0, Value::Null),
                            KeyKind::UniqueIndex | KeyKind::Index => {}
                        }
                    }
                }
                "foreign_keys" => {
                    for key in &table.foreign_keys {
                        let target = self.find_object(&table.database, &key.table).ok().flatten();
                        let target = target.map_or(Value::Null, |object| Value::Int(object.id()));
                        add(&key.name, "F ", "FOREIGN_KEY_CONSTRAINT", 0, target);
                    }
                }
                "check_constraints" => {
                    table.checks.iter().for_each(|check| add(&check.name, "C ", "CHECK_CONSTRAINT", 0, Value::Null));
                }
                _ => {
                    for (at, column) in table.columns.iter().enumerate() {
                        if let Some((name, _)) = &column.default {
                            add(name, "D ", "DEFAULT_CONSTRAINT", at + 1, Value::Null);
                        }
                    }
                }
            }
        }
        rows
    }

    pub(crate) fn database_name(&self, id: Option<i64>) -> Option<String> {
        let Some(id) = id else {
            return self.catalog.database(self.current_database()).map(|database| database.name.clone());
        };
        self.catalog.databases().find(|database| database.id == id).map(|database| database.name.clone())
    }

    pub(crate) fn database_id(&self, name: Option<&str>) -> Option<i64> {
        let name = name.unwrap_or(self.current_database()).trim_end();
        self.catalog.database(name.trim_matches(['[', ']'])).map(|database| database.id)
    }

    /// OBJECT_ID; the second argument is a code of sys.objects.
    pub(crate) fn object_id(&self, name: &str, kind: Option<&str>) -> Option<i64> {
        let name = parse_name(name)?;
        if let Some(bare) = name.name.strip_prefix('#') {
            return self.session_table(&format!("#{bare}")).map(|table| table.id);
        }
        let fits = |code: &str| kind.is_none_or(|kind| kind.trim().eq_ignore_ascii_case(code));
        if let Ok(Some(object)) = self.find_object(self.current_database(), &name) {
            return fits(object.kind().0).then(|| object.id());
        }
        // Constraints have names of their own in the schema.
        let database = self.catalog.database(name.database.as_deref().unwrap_or(self.current_database()))?;
        tables(database).find_map(|table| {
            let keys = table.keys.iter().filter_map(|key| match key.kind {
                KeyKind::Primary => Some((key.name.as_str(), "PK")),
                KeyKind::Unique => Some((key.name.as_str(), "UQ")),
                _ => None,
            });
            let checks = table.checks.iter().map(|check| (check.name.as_str(), "C"));
            let foreign = table.foreign_keys.iter().map(|key| (key.name.as_str(), "F"));
            let defaults = table.columns.iter().filter_map(|c| c.default.as_ref().map(|(name, _)| (name.as_str(), "D")));
            let mut all = keys.chain(checks).chain(foreign).chain(defaults).enumerate();
            all.find(|(_, (other, code))| same(other, &name.name) && fits(code))
                .map(|(at, _)| table.id + 2 + i64::try_from(at).unwrap_or(0))
        })
    }

    fn object_by_id(&self, id: i64) -> Option<&Object> {
        let database = self.catalog.database(self.current_database())?;
        database.objects.values().find(|object| object.id() == id)
    }

    /// Schema and name.
    pub(crate) fn object_name(&self, id: i64) -> Option<(String, String)> {
        self.object_by_id(id).map(|object| (object.name().0.to_owned(), object.name().1.to_owned()))
    }

    pub(crate) fn schema_id(&self, name: &str) -> Option<i64> {
        let database = self.catalog.database(self.current_database())?;
        match schema_of(database, name) {
            Value::Int(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn schema_name(&self, id: i64) -> Option<String> {
        let database = self.catalog.database(self.current_database())?;
        database.schemas.values().find(|name| schema_of(database, name) == Value::Int(id)).cloned()
    }

    fn table_by_text(&self, name: &str) -> Option<Arc<Table>> {
        self.table(self.current_database(), &parse_name(name)?).ok()
    }

    pub(crate) fn column_length(&self, table: &str, column: &str) -> Option<i64> {
        let table = self.table_by_text(table)?;
        table.column(column.trim_matches(['[', ']'])).map(|at| byte_length(table.columns[at].ty))
    }

    pub(crate) fn object_property(&self, id: i64, property: &str) -> Value {
        let Some(object) = self.object_by_id(id) else { return Value::Null };
        let is = match property.to_ascii_lowercase().as_str() {
            "isusertable" | "istable" => matches!(object, Object::Table(_)),
            "isview" => matches!(object, Object::View(_)),
            "isprocedure" => matches!(object, Object::Procedure(_)),
            "tablehasidentity" => matches!(object, Object::Table(table) if table.identity().is_some()),
            "tablehasprimarykey" => matches!(object, Object::Table(table) if table.primary_key().is_some()),
            _ => false,
        };
        Value::Int(i64::from(is))
    }

    /// IDENT_CURRENT: the last value given out, or the seed.
    pub(crate) fn identity_of(&self, name: &str) -> Value {
        let Some(table) = self.table_by_text(name) else { return Value::Null };
        let Some((seed, _)) = table.identity().and_then(|at| table.columns[at].identity) else { return Value::Null };
        Value::Int(self.identities.get(&table.id).copied().unwrap_or(seed))
    }

    /// Seed and step.
    pub(crate) fn identity_rule(&self, name: &str) -> Option<(i64, i64)> {
        let table = self.table_by_text(name)?;
        table.identity().and_then(|at| table.columns[at].identity)
    }

    /// The one database that is not the server's own, if there is just one.
    pub(crate) fn only_user_database(&self) -> Option<String> {
        let mut own = self.catalog.databases().filter(|d| !SYSTEM_DATABASES.iter().any(|name| same(name, &d.name)));
        let first = own.next()?;
        own.next().is_none().then(|| first.name.clone())
    }
}

fn tables(database: &Database) -> impl Iterator<Item = &Arc<Table>> {
    database.objects.values().filter_map(|object| match object {
        Object::Table(table) => Some(table),
        _ => None,
    })
}

fn schema_number(name: &str, at: usize) -> usize {
    if same(name, DEFAULT_SCHEMA) { 1 } else { at + 5 }
}

fn schema_of(database: &Database, name: &str) -> Value {
    let found = database.schemas.values().enumerate().find(|(_, schema)| same(schema, name));
    found.map_or(Value::Null, |(at, schema)| int(schema_number(schema, at)))
}

fn column_rows(database: &Database, view: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables(database) {
        for (at, column) in table.columns.iter().enumerate() {
            let wanted = match view {
                "identity_columns" => column.identity.is_some(),
                "computed_columns" => column.computed.is_some(),
                _ => true,
            };
            if !wanted {
                continue;
            }
            let (precision, scale) = if column.ty.is_number() { column.ty.digits() } else { (0, 0) };
            rows.push(vec![
                Value::Int(table.id),
                Value::text(column.name.as_str()),
                int(at + 1),
                type_id(column.ty),
                type_id(column.ty),
                Value::Int(byte_length(column.ty)),
                Value::Int(i64::from(precision)),
                Value::Int(i64::from(scale)),
                Value::Bit(column.nullable),
                Value::Bit(column.identity.is_some()),
                Value::Bit(column.computed.is_some()),
                Value::Int(i64::from(column.default.is_some())),
                Value::Int(table.id),
                int(at + 1),
            ]);
        }
    }
    rows
}

fn information_columns(database: &Database) -> Vec<Row> {
    let row = |table: &Table, at: usize, column: &Column| {
        let (precision, scale) = if column.ty.is_number() {
            let (precision, scale) = column.ty.digits();
            (Value::Int(i64::from(precision)), Value::Int(i64::from(scale)))
        } else {
            (Value::Null, Value::Null)
        };
        let length = match column.ty {
            ty if ty.is_text() => ty.text_length().map_or(Value::Int(-1), |n| Value::Int(i64::from(n))),
            _ => Value::Null,
        };
        vec![
            Value::text(database.name.as_str()),
            Value::text(table.schema.as_str()),
            Value::text(table.name.as_str()),
            Value::text(column.name.as_str()),
            int(at + 1),
            Value::Null,
            Value::text(if column.nullable { "YES" } else { "NO" }),
            Value::text(type_name(column.ty)),
            length,
            precision,
            scale,
        ]
    };
    tables(database).flat_map(|table| table.columns.iter().enumerate().map(|(at, c)| row(table, at, c))).collect()
}

fn index_rows(database: &Database) -> Vec<Row> {
    let row = |table: &Table, at: usize, key: &super::catalog::Key| {
        let primary = key.kind == KeyKind::Primary;
        vec![
            Value::Int(table.id),
            Value::text(key.name.as_str()),
            int(at + 1),
            int(if primary { 1 } else { 2 }),
            Value::text(if primary { "CLUSTERED" } else { "NONCLUSTERED" }),
            Value::Bit(key.kind != KeyKind::Index),
            Value::Bit(primary),
            Value::Bit(key.kind == KeyKind::Unique),
            Value::Bit(false),
        ]
    };
    tables(database).flat_map(|table| table.keys.iter().enumerate().map(|(at, key)| row(table, at, key))).collect()
}

fn table_constraints(database: &Database) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables(database) {
        let keys = table.keys.iter().filter_map(|key| match key.kind {
            KeyKind::Primary => Some((&key.name, "PRIMARY KEY")),
            KeyKind::Unique => Some((&key.name, "UNIQUE")),
            _ => None,
        });
        let foreign = table.foreign_keys.iter().map(|key| (&key.name, "FOREIGN KEY"));
        let checks = table.checks.iter().map(|check| (&check.name, "CHECK"));
        for (name, kind) in keys.chain(foreign).chain(checks) {
            rows.push([name.as_str(), &table.schema, &table.name, kind].map(Value::text).to_vec());
        }
    }
    rows
}

/// A name given as text, with or without brackets.
pub(crate) fn parse_name(text: &str) -> Option<ObjectName> {
    let mut parts = vec![String::new()];
    let mut bracket = None;
    for c in text.trim().chars() {
        match (bracket, c) {
            (None, '[') => bracket = Some(']'),
            (None, '"') => bracket = Some('"'),
            (Some(end), c) if c == end => bracket = None,
            (None, '.') => parts.push(String::new()),
            (_, c) => parts.last_mut()?.push(c),
        }
    }
    let mut parts = parts.into_iter().rev().map(|part| (!part.is_empty()).then_some(part));
    let name = parts.next()??;
    Some(ObjectName { schema: parts.next().flatten(), database: parts.next().flatten(), name })
}
