//! Reading tables from outside: what the expected-payment look-up needs.

use super::catalog::{Object, Table};
use super::engine::Engine;
use super::error::SentinelError;
use super::session::ResultSet;
use super::store::Row;
use super::value::Value;
use std::sync::Arc;

/// The tables as they are between two batches of a running script.
#[derive(Clone, Copy)]
pub struct Tables<'a>(pub(super) &'a Engine);

impl Tables<'_> {
    /// As [`Sentinel::rows_where`](super::Sentinel::rows_where).
    ///
    /// # Errors
    /// When there is no such table or column.
    pub fn rows_where(&self, table: (&str, &str, &str), column: &str, keys: &[&str]) -> Result<ResultSet, SentinelError> {
        self.0.rows_where(table, column, keys)
    }
}

impl std::fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

impl Engine {
    fn known_table(&self, database: &str, schema: &str, table: &str) -> Result<&Arc<Table>, SentinelError> {
        let found = self.catalog.database(database).ok_or_else(|| SentinelError::NoSuchDatabase(database.to_owned()))?;
        match found.object(schema, table) {
            Some(Object::Table(table)) => Ok(table),
            _ => Err(SentinelError::NoSuchTable(format!("{database}.{schema}.{table}"))),
        }
    }

    pub(crate) fn read_table(&self, database: &str, schema: &str, table: &str) -> Result<ResultSet, SentinelError> {
        let table = self.known_table(database, schema, table)?;
        let rows = self.store().scan(table, &[]).map_err(|error| SentinelError::Unreadable(error.message))?;
        Ok(result_set(table, rows))
    }

    pub(crate) fn rows_where(
        &self,
        (database, schema, table): (&str, &str, &str),
        column: &str,
        keys: &[&str],
    ) -> Result<ResultSet, SentinelError> {
        let table = self.known_table(database, schema, table)?;
        let at = table
            .column(column)
            .ok_or_else(|| SentinelError::NoSuchColumn { table: table.display(), column: column.to_owned() })?;
        let mut rows = Vec::new();
        for key in keys {
            let found = self.store().scan(table, &[(at, Value::text(*key))]);
            rows.extend(found.map_err(|error| SentinelError::Unreadable(error.message))?);
        }
        Ok(result_set(table, rows))
    }
}

fn result_set(table: &Table, rows: Vec<Row>) -> ResultSet {
    let columns = table.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
    let without_id = |mut row: Row| {
        row.remove(0);
        row
    };
    ResultSet { columns, rows: rows.into_iter().map(without_id).collect() }
}
