//! Rows in SQLite: one SQLite table for each table, and one change table for each captured one, filled by triggers.
//!
//! Integers and bits are INTEGER, floats REAL, everything else TEXT: decimals in plain form with their column's
//! scale, dates and times in ISO form. Collations make text and decimals compare as SQL Server compares them, so
//! that SQLite's indexes can be used for look-ups and to keep keys unique.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use super::catalog::{KeyKind, Table};
use super::error::{SqlError, SqlResult};
use super::value::compare::compare_text;
use super::value::ty::Class;
use super::value::{Numeric, Type, Value};

/// A row as it is read: SQLite's row id first, then the columns.
pub(crate) type Row = Vec<Value>;

/// How many look-ups by a column make an index on it worth while.
const LOOKUPS_BEFORE_INDEX: u32 = 3;

pub(crate) struct Store {
    conn: Connection,
    /// Counts change rows; it only rises.
    changes: Arc<AtomicI64>,
    lookups: RefCell<HashMap<(String, usize), u32>>,
    indexed: RefCell<HashSet<(String, usize)>>,
}

/// One row of a change table.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) sequence: i64,
    /// CDC's codes: 1 delete, 2 insert, 3 before and 4 after an update.
    pub(crate) operation: i64,
    /// Whether it shares its LSN with the change row before it.
    pub(crate) joined: bool,
    pub(crate) values: Vec<Value>,
}

impl Store {
    pub(crate) fn open() -> rusqlite::Result<Self> {
        let conn = Connection::open_in_memory()?;
        conn.pragma_update(None, "journal_mode", "MEMORY")?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.set_prepared_statement_cache_capacity(256);
        conn.create_collation("tsql_text", compare_text)?;
        conn.create_collation("tsql_number", |a, b| match (Numeric::parse(a), Numeric::parse(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.cmp(b),
        })?;
        let changes = Arc::new(AtomicI64::new(0));
        let counter = Arc::clone(&changes);
        conn.create_scalar_function("next_change", 0, FunctionFlags::SQLITE_UTF8, move |_| {
            Ok(counter.fetch_add(1, Ordering::Relaxed) + 1)
        })?;
        Ok(Self { conn, changes, lookups: RefCell::default(), indexed: RefCell::default() })
    }

    pub(crate) fn execute(&self, sql: &str) -> SqlResult<()> {
        Ok(self.conn.execute_batch(sql)?)
    }

    /// How many change rows were ever written.
    pub(crate) fn change_count(&self) -> i64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Indexes made on the way may be gone after a rollback.
    pub(crate) fn forget_indexes(&self) {
        self.indexed.borrow_mut().clear();
    }

    pub(crate) fn create_table(&self, table: &Table) -> SqlResult<()> {
        let columns = listed(table.columns.iter().map(|c| format!("{} {}", quote(&c.name), declared(c.ty))));
        let name = quote(&table.storage);
        self.execute(&format!("CREATE TABLE {name} (\"$row\" INTEGER PRIMARY KEY{columns})"))?;
        for at in 0..table.keys.len() {
            self.create_key(table, at)?;
        }
        Ok(())
    }

    pub(crate) fn drop_table(&self, table: &Table) -> SqlResult<()> {
        self.indexed.borrow_mut().retain(|(storage, _)| *storage != table.storage);
        self.execute(&format!("DROP TABLE IF EXISTS {}", quote(&table.storage)))?;
        match &table.capture {
            Some(capture) => self.execute(&format!("DROP TABLE IF EXISTS {}", quote(&capture.storage))),
            None => Ok(()),
        }
    }

    /// The index behind a key; fails when rows that are there are not unique.
    pub(crate) fn create_key(&self, table: &Table, at: usize) -> SqlResult<()> {
        let key = &table.keys[at];
        let columns: Vec<String> = key.columns.iter().map(|c| quote(&table.columns[*c].name)).collect();
        let unique = if key.kind == KeyKind::Index { "" } else { "UNIQUE " };
        let name = quote(&format!("{}/{}", table.storage, key.name));
        let sql = format!("CREATE {unique}INDEX {name} ON {} ({})", quote(&table.storage), columns.join(", "));
        self.conn.execute_batch(&sql).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => SqlError::new(
                1505,
                format!(
                    "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{}' and the index name '{}'.",
                    table.display(),
                    key.name
                ),
            ),
            _ => error.into(),
        })
    }

    pub(crate) fn drop_key(&self, table: &Table, name: &str) -> SqlResult<()> {
        self.execute(&format!("DROP INDEX IF EXISTS {}", quote(&format!("{}/{name}", table.storage))))
    }

    /// The row with this row id.
    pub(crate) fn row(&self, table: &Table, row_id: i64) -> SqlResult<Option<Row>> {
        let sql = format!("SELECT \"$row\"{} FROM {} WHERE \"$row\" = ?1", column_list(table), quote(&table.storage));
        Ok(self.read(table, &sql, vec![Encoded(row_id.into())])?.pop())
    }

    /// All rows, or those whose columns equal the given values.
    pub(crate) fn scan(&self, table: &Table, equal: &[(usize, Value)]) -> SqlResult<Vec<Row>> {
        let mut sql = format!("SELECT \"$row\"{} FROM {}", column_list(table), quote(&table.storage));
        let mut bound = Vec::new();
        for (at, value) in equal {
            let column = &table.columns[*at];
            let Some(value) = encode_for(value, column.ty) else { return Ok(Vec::new()) };
            bound.push(value);
            sql.push_str(if bound.len() == 1 { " WHERE " } else { " AND " });
            let _ = write!(sql, "{} = ?{}", quote(&column.name), bound.len());
            self.note_lookup(table, *at)?;
        }
        sql.push_str(" ORDER BY \"$row\"");
        self.read(table, &sql, bound)
    }

    fn read(&self, table: &Table, sql: &str, bound: Vec<Encoded>) -> SqlResult<Vec<Row>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(bound))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(table.columns.len() + 1);
            values.push(Value::Int(row.get(0)?));
            for (at, column) in table.columns.iter().enumerate() {
                values.push(decode(row.get_ref(at + 1)?, column.ty).ok_or_else(|| {
                    SqlError::new(40_002, format!("{}.{} holds what is no {}", table.name, column.name, column.ty))
                })?);
            }
            found.push(values);
        }
        Ok(found)
    }

    /// Whether a row has these values; one with NULL never does.
    pub(crate) fn exists(&self, table: &Table, equal: &[(usize, Value)]) -> SqlResult<bool> {
        let mut conditions = Vec::new();
        let mut bound = Vec::new();
        for (at, value) in equal {
            let Some(value) = encode_for(value, table.columns[*at].ty) else { return Ok(false) };
            bound.push(value);
            conditions.push(format!("{} = ?{}", quote(&table.columns[*at].name), bound.len()));
            self.note_lookup(table, *at)?;
        }
        let sql = format!("SELECT 1 FROM {} WHERE {} LIMIT 1", quote(&table.storage), conditions.join(" AND "));
        Ok(self.conn.prepare_cached(&sql)?.exists(params_from_iter(bound))?)
    }

    fn note_lookup(&self, table: &Table, column: usize) -> SqlResult<()> {
        let key = (table.storage.clone(), column);
        if self.indexed.borrow().contains(&key) || table.keys.iter().any(|key| key.columns.first() == Some(&column)) {
            return Ok(());
        }
        let count = {
            let mut lookups = self.lookups.borrow_mut();
            let count = lookups.entry(key.clone()).or_default();
            *count += 1;
            *count
        };
        if count > LOOKUPS_BEFORE_INDEX {
            let name = quote(&format!("{}/lookup {column}", table.storage));
            let on = quote(&table.columns[column].name);
            self.execute(&format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({on})", quote(&table.storage)))?;
            self.indexed.borrow_mut().insert(key);
        }
        Ok(())
    }

    /// Adds a row, with a row id of its own unless one is given.
    pub(crate) fn insert(&self, table: &Table, row_id: Option<i64>, values: &[Value]) -> SqlResult<i64> {
        let places = listed((0..table.columns.len()).map(|at| format!("?{}", at + 2)));
        let sql = format!("INSERT INTO {} (\"$row\"{}) VALUES (?1{places})", quote(&table.storage), column_list(table));
        let mut statement = self.conn.prepare_cached(&sql)?;
        let bound = std::iter::once(row_id.map_or(Encoded(SqliteValue::Null), |id| Encoded(id.into())))
            .chain(values.iter().map(|value| Encoded(encode(value))));
        statement.execute(params_from_iter(bound)).map_err(|error| violation(table, error, values))?;
        Ok(self.conn.last_insert_rowid())
    }

    pub(crate) fn update(&self, table: &Table, row_id: i64, values: &[Value]) -> SqlResult<()> {
        let sets: Vec<String> =
            table.columns.iter().enumerate().map(|(at, c)| format!("{} = ?{}", quote(&c.name), at + 2)).collect();
        let sql = format!("UPDATE {} SET {} WHERE \"$row\" = ?1", quote(&table.storage), sets.join(", "));
        let mut statement = self.conn.prepare_cached(&sql)?;
        let bound = std::iter::once(Encoded(row_id.into())).chain(values.iter().map(|value| Encoded(encode(value))));
        statement.execute(params_from_iter(bound)).map_err(|error| violation(table, error, values))?;
        Ok(())
    }

    pub(crate) fn delete(&self, table: &Table, row_id: i64) -> SqlResult<()> {
        let sql = format!("DELETE FROM {} WHERE \"$row\" = ?1", quote(&table.storage));
        self.conn.prepare_cached(&sql)?.execute([row_id])?;
        Ok(())
    }

    /// Deletes all rows without telling the change table.
    pub(crate) fn truncate(&self, table: &Table) -> SqlResult<()> {
        self.drop_triggers(table)?;
        self.execute(&format!("DELETE FROM {}", quote(&table.storage)))?;
        self.create_triggers(table)
    }

    /// Makes the change table.
    pub(crate) fn start_capture(&self, table: &Table) -> SqlResult<()> {
        let Some(capture) = &table.capture else { return Ok(()) };
        let columns = listed(capture.columns.iter().map(|name| quote(name)));
        self.execute(&format!(
            "CREATE TABLE {} (\"$seq\" INTEGER PRIMARY KEY, \"$op\" INTEGER, \"$joined\" INTEGER{columns})",
            quote(&capture.storage)
        ))?;
        self.create_triggers(table)
    }

    pub(crate) fn stop_capture(&self, table: &Table) -> SqlResult<()> {
        self.drop_triggers(table)?;
        match &table.capture {
            Some(capture) => self.execute(&format!("DROP TABLE {}", quote(&capture.storage))),
            None => Ok(()),
        }
    }

    fn drop_triggers(&self, table: &Table) -> SqlResult<()> {
        for kind in ["insert", "delete", "update", "rekey"] {
            self.execute(&format!("DROP TRIGGER IF EXISTS {}", quote(&format!("{}/{kind}", table.storage))))?;
        }
        Ok(())
    }

    /// The triggers that write before and after images: an update that changes nothing leaves none, and one that
    /// changes the key is a delete and an insert under one LSN, as SQL Server has it.
    pub(crate) fn create_triggers(&self, table: &Table) -> SqlResult<()> {
        let Some(capture) = &table.capture else { return Ok(()) };
        let columns: Vec<&String> = capture.columns.iter().filter(|name| table.column(name).is_some()).collect();
        let names = listed(columns.iter().map(|name| quote(name)));
        let change = |operation: u8, joined: u8, image: &str| {
            let values = listed(columns.iter().map(|name| format!("{image}.{}", quote(name))));
            let target = quote(&capture.storage);
            format!(
                "INSERT INTO {target} (\"$seq\", \"$op\", \"$joined\"{names}) VALUES (next_change(), {operation}, {joined}{values});"
            )
        };
        let differs = |names: &[&str]| {
            let tests = names.iter().map(|name| format!("OLD.{0} IS NOT NEW.{0} COLLATE BINARY", quote(name)));
            tests.collect::<Vec<_>>().join(" OR ")
        };
        let key: Vec<&str> = table
            .primary_key()
            .map(|key| key.columns.iter().map(|at| table.columns[*at].name.as_str()).collect())
            .unwrap_or_default();
        let rekeyed = if key.is_empty() { "0".to_owned() } else { differs(&key) };
        let changed = differs(&columns.iter().map(|name| name.as_str()).collect::<Vec<_>>());
        let changed = if changed.is_empty() { "0".to_owned() } else { changed };
        let storage = quote(&table.storage);
        let trigger = |kind: &str, event: &str, when: &str, body: String| {
            let name = quote(&format!("{}/{kind}", table.storage));
            self.execute(&format!("CREATE TRIGGER {name} AFTER {event} ON {storage} WHEN {when} BEGIN {body} END"))
        };
        trigger("insert", "INSERT", "1", change(2, 0, "NEW"))?;
        trigger("delete", "DELETE", "1", change(1, 0, "OLD"))?;
        trigger("rekey", "UPDATE", &rekeyed, change(1, 0, "OLD") + &change(2, 1, "NEW"))?;
        let plain = format!("({changed}) AND NOT ({rekeyed})");
        trigger("update", "UPDATE", &plain, change(3, 0, "OLD") + &change(4, 1, "NEW"))
    }

    /// The change rows of a captured table, which are then gone.
    pub(crate) fn take_changes(&self, table: &Table) -> SqlResult<Vec<ChangeRow>> {
        let Some(capture) = &table.capture else { return Ok(Vec::new()) };
        let names = listed(capture.columns.iter().map(|name| quote(name)));
        let storage = quote(&capture.storage);
        let sql = format!("SELECT \"$seq\", \"$op\", \"$joined\"{names} FROM {storage} ORDER BY \"$seq\"");
        let mut changes = Vec::new();
        {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(capture.columns.len());
                for (at, name) in capture.columns.iter().enumerate() {
                    let ty = table.column(name).map_or(Type::Null, |column| table.columns[column].ty);
                    values.push(decode(row.get_ref(at + 3)?, ty).unwrap_or(Value::Null));
                }
                let (sequence, operation, joined) = (row.get(0)?, row.get(1)?, row.get(2)?);
                changes.push(ChangeRow { sequence, operation, joined, values });
            }
        }
        if !changes.is_empty() {
            self.execute(&format!("DELETE FROM {storage}"))?;
        }
        Ok(changes)
    }
}

/// `, "a", "b"`: to go behind another column.
fn column_list(table: &Table) -> String {
    listed(table.columns.iter().map(|column| quote(&column.name)))
}

/// Each item behind a comma.
fn listed(items: impl Iterator<Item = String>) -> String {
    items.fold(String::new(), |list, item| list + ", " + &item)
}

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace('\0', ""))
}

fn declared(ty: Type) -> &'static str {
    match ty.class() {
        Class::Integer => "INTEGER",
        Class::Float => "REAL",
        Class::Decimal => "TEXT COLLATE tsql_number",
        Class::Text => "TEXT COLLATE tsql_text",
        Class::Binary => "BLOB",
        _ => "TEXT",
    }
}

/// SQL Server's message for a key that is there already.
fn violation(table: &Table, error: rusqlite::Error, values: &[Value]) -> SqlError {
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return error.into();
    }
    let text = error.to_string();
    let names = |key: &super::catalog::Key| {
        let full = |at: &usize| format!("{}.{}", table.storage, table.columns[*at].name);
        key.columns.iter().map(full).collect::<Vec<_>>().join(", ")
    };
    let unique = table.keys.iter().filter(|key| key.kind != KeyKind::Index);
    let Some(key) = unique.into_iter().find(|key| text.ends_with(&format!(": {}", names(key)))) else {
        return error.into();
    };
    let shown: Vec<String> = key
        .columns
        .iter()
        .map(|at| {
            let printed = super::value::convert::Conversion::default().print(&values[*at], table.columns[*at].ty);
            if values[*at].is_null() { "<NULL>".to_owned() } else { printed.unwrap_or_default() }
        })
        .collect();
    let shown = shown.join(", ");
    let object = table.display();
    match key.kind {
        KeyKind::UniqueIndex => SqlError::new(
            2601,
            format!(
                "Cannot insert duplicate key row in object '{object}' with unique index '{}'. The duplicate key value is ({shown}).",
                key.name
            ),
        ),
        kind => {
            let what = if kind == KeyKind::Primary { "PRIMARY" } else { "UNIQUE" };
            SqlError::new(
                2627,
                format!(
                    "Violation of {what} KEY constraint '{}'. Cannot insert duplicate key in object '{object}'. The duplicate key value is ({shown}).",
                    key.name
                ),
            )
        }
    }
}

struct Encoded(SqliteValue);

impl ToSql for Encoded {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

fn encode(value: &Value) -> SqliteValue {
    match value {
        Value::Null => SqliteValue::Null,
        Value::Bit(b) => SqliteValue::Integer(i64::from(*b)),
        Value::Int(n) => SqliteValue::Integer(*n),
        Value::Numeric(n) => SqliteValue::Text(n.to_string()),
        Value::Float(f) => SqliteValue::Real(*f),
        Value::Text(text) => SqliteValue::Text(text.to_string()),
        Value::Date(date) => SqliteValue::Text(date.format("%Y-%m-%d").to_string()),
        Value::Time(time) => SqliteValue::Text(time.format("%H:%M:%S%.9f").to_string()),
        Value::DateTime(time) => SqliteValue::Text(time.format("%Y-%m-%d %H:%M:%S%.9f").to_string()),
        Value::DateTimeOffset(time, offset) => SqliteValue::Text(format!("{}|{offset}", time.format("%Y-%m-%d %H:%M:%S%.9f"))),
        Value::Guid(guid) => SqliteValue::Text(guid.to_string()),
        Value::Binary(bytes) => SqliteValue::Blob(bytes.to_vec()),
    }
}

/// A value to compare a column with; `None` when nothing in the column can equal it.
fn encode_for(value: &Value, ty: Type) -> Option<Encoded> {
    let value = match (value, ty.class()) {
        (Value::Null, _) => return None,
        (Value::Int(n), Class::Decimal) => Value::Numeric(Numeric::from(*n)),
        (Value::Bit(b), Class::Decimal) => Value::Numeric(Numeric::from(i64::from(*b))),
        (Value::Numeric(n), Class::Integer) => {
            let n = n.normalized();
            if n.scale() > 0 {
                return None;
            }
            Value::Int(i64::try_from(n.mantissa()).ok()?)
        }
        (other, _) => other.clone(),
    };
    Some(Encoded(encode(&value)))
}

fn decode(value: ValueRef<'_>, ty: Type) -> Option<Value> {
    let text = match value {
        ValueRef::Null => return Some(Value::Null),
        ValueRef::Integer(n) => {
            return Some(match ty.class() {
                Class::Integer if ty == Type::Bit => Value::Bit(n != 0),
                #[expect(clippy::cast_precision_loss, reason = "SQLite keeps whole floats as integers")]
                Class::Float => Value::Float(n as f64),
                _ => Value::Int(n),
            });
        }
        ValueRef::Real(f) => return Some(Value::Float(f)),
        ValueRef::Blob(bytes) => return Some(Value::Binary(bytes.into())),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?,
    };
    Some(match ty.class() {
        Class::Text | Class::Null => Value::text(text),
        Class::Decimal => Value::Numeric(Numeric::parse(text)?),
        Class::Date => Value::Date(decode_date(text)?),
        Class::Time => Value::Time(decode_time(text)?),
        Class::DateTime => Value::DateTime(decode_moment(text)?),
        Class::DateTimeOffset => {
            let (time, offset) = text.split_once('|')?;
            Value::DateTimeOffset(decode_moment(time)?, offset.parse().ok()?)
        }
        Class::Guid => Value::Guid(uuid::Uuid::parse_str(text).ok()?),
        Class::Integer | Class::Float | Class::Binary => return None,
    })
}

fn decode_date(text: &str) -> Option<NaiveDate> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)
}

fn decode_time(text: &str) -> Option<NaiveTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    NaiveTime::from_hms_nano_opt(number(0, 2)?, number(3, 5)?, number(6, 8)?, number(9, 18)?)
}

fn decode_moment(text: &str) -> Option<NaiveDateTime> {
    Some(decode_date(text)?.and_time(decode_time(text.get(11..)?)?))
}
