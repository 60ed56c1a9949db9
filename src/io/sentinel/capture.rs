//! Change data capture: what a committed transaction changed in captured tables.

use std::sync::Arc;

use super::catalog::Table;
use super::engine::Engine;
use super::error::SqlResult;
use super::history::Change;
use super::store::ChangeRow;
use super::value::{Type, Value};

/// All changes of one database transaction, in the order in which they were made.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedTransaction {
    /// `%08x:%08x:%04x`, rising.
    pub commit_lsn: String,
    /// Milliseconds since the epoch, as a DATETIME holds them.
    pub commit_time_ms: i64,
    pub changes: Vec<CapturedChange>,
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedChange {
    pub database: String,
    pub schema: String,
    pub table: String,
    pub operation: Operation,
    /// Of updates and deletes.
    pub before: Option<CapturedRow>,
    /// Of inserts and updates.
    pub after: Option<CapturedRow>,
    pub change_lsn: String,
    /// The place among the change table's rows with this pair of LSNs: 2 for an update, which has two rows.
    pub event_serial_no: i64,
    /// The primary key's columns; empty when the table has none.
    pub key_columns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// A row's captured columns.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedRow {
    pub columns: Arc<[CapturedColumn]>,
    pub values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedColumn {
    pub name: String,
    pub ty: Type,
    pub nullable: bool,
    /// The column's default as a constant, which stands in for NULL when the message is written.
    pub default: Option<DefaultValue>,
}

/// A column's constant default.
#[derive(Clone, Debug)]
pub struct DefaultValue(pub Value);

impl PartialEq for DefaultValue {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for DefaultValue {}

impl CapturedRow {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(column))?;
        self.values.get(at)
    }
}

impl Engine {
    /// What the open transaction has changed so far, numbered for its commit; `None` when that is nothing.
    pub(crate) fn take_captured(&mut self) -> SqlResult<Option<CapturedTransaction>> {
        let captured: Vec<Arc<Table>> = self.catalog.tables().filter(|t| t.capture.is_some()).cloned().collect();
        if self.store().change_count() == self.log.taken() {
            return Ok(None);
        }
        let mut rows: Vec<(usize, ChangeRow)> = Vec::new();
        for (at, table) in captured.iter().enumerate() {
            rows.extend(self.store().take_changes(table)?.into_iter().map(|row| (at, row)));
        }
        let written = self.store().change_count();
        self.log.take(written);
        if rows.is_empty() {
            return Ok(None);
        }
        rows.sort_by_key(|(_, row)| row.sequence);
        let shapes: Vec<Arc<[CapturedColumn]>> = captured.iter().map(|table| self.shape(table)).collect();
        self.log.begin();
        let mut changes: Vec<CapturedChange> = Vec::new();
        let mut lsn = String::new();
        let mut serial = 0;
        let mut before: Option<CapturedRow> = None;
        let mut kept = Vec::with_capacity(rows.len());
        let mut sequence = self.log.last();
        for (at, row) in rows {
            let table = &captured[at];
            if row.joined {
                serial += 1;
            } else {
                sequence = self.log.change();
                lsn = sequence.to_string();
                serial = 1;
            }
            let differs = |(a, b): (&Value, &Value)| a != b;
            let set = before.as_ref().map(|before| before.values.iter().zip(&row.values).map(differs).collect());
            kept.push(Change {
                table: table.id,
                start: sequence,
                sequence,
                operation: row.operation,
                columns: Arc::clone(&shapes[at]),
                values: row.values.clone(),
                changed: set.unwrap_or_default(),
            });
            let image = CapturedRow { columns: Arc::clone(&shapes[at]), values: row.values };
            let (operation, before, after) = match row.operation {
                1 => (Operation::Delete, Some(image), None),
                2 => (Operation::Create, None, Some(image)),
                3 => {
                    before = Some(image);
                    continue;
                }
                _ => (Operation::Update, before.take(), Some(image)),
            };
            let key = table.primary_key().map(|key| key.columns.iter().map(|at| table.columns[*at].name.clone()).collect());
            changes.push(CapturedChange {
                database: table.database.clone(),
                schema: table.schema.clone(),
                table: table.name.clone(),
                operation,
                before,
                after,
                change_lsn: lsn.clone(),
                event_serial_no: serial,
                key_columns: key.unwrap_or_default(),
            });
        }
        let commit = self.log.commit();
        let at = super::clock::to_datetime(self.now()).unwrap_or_else(|| self.now());
        // an update's row before has the mask of the row after
        for place in 1..kept.len() {
            if kept[place].operation == 4 && kept[place - 1].operation == 3 {
                let set = kept[place].changed.clone();
                kept[place - 1].changed = set;
            }
        }
        Arc::make_mut(&mut self.history).add(commit, at, kept);
        Ok(Some(CapturedTransaction { commit_lsn: commit.to_string(), commit_time_ms: self.clock.datetime_millis(), changes }))
    }

    fn shape(&self, table: &Table) -> Arc<[CapturedColumn]> {
        let names = table.capture.as_ref().map(|capture| capture.columns.as_slice()).unwrap_or_default();
        let column = |name: &String| {
            let found = table.column(name).map(|at| &table.columns[at]);
            CapturedColumn {
                name: name.clone(),
                ty: found.map_or(Type::NVarChar(None), |column| column.ty),
                nullable: found.is_none_or(|column| column.nullable),
                default: found.and_then(|column| self.constant_default(column)).map(DefaultValue),
            }
        };
        names.iter().map(column).collect()
    }

    /// Debezium reads constant defaults only.
    fn constant_default(&self, column: &super::catalog::Column) -> Option<Value> {
        let (_, default) = column.default.as_ref()?;
        let super::syntax::ast::Expr::Literal(value, from) = default else { return None };
        self.conversion().convert(value, *from, column.ty).ok()
    }
}
