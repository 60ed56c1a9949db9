//! A table of the profile file, looked up by agreement number whatever its spelling.
//!
//! Agreement numbers are equal if they differ only in trailing blanks and (unless keys are case-sensitive) case, but an
//! index finds bytes. So one walk over the index at the start notes the spellings that are not in normal form; there are few.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Row, Rows};

use super::ProfilesError;
use super::sql::Table;
use crate::engine::Key;
use crate::event::KeyCase;
use crate::io::sqlite::{self, Database, SqliteError};

/// More odd spellings than this are not kept in memory (about 10 MB); the table is copied instead.
const MAX_ODD: usize = 100_000;

#[derive(Debug)]
pub(super) struct Relation {
    table: &'static Table,
    sql: String,
    /// By number in normal form: its other spellings, in byte order.
    odd: HashMap<Key, Vec<Key>>,
}

impl Relation {
    /// `last` is an expression read after the table's columns.
    pub(super) fn open(database: &Database, table: &'static Table, last: &str, case: KeyCase) -> Result<Self, SqliteError> {
        let needed: Vec<_> = [&[table.number], table.columns].concat();
        let has = database.table(table.name, table.number, &needed)?;
        if has.is_indexed
            && let Some(odd) = odd_spellings(database, table, case)?
        {
            return Ok(Self { table, sql: table.seek(has, last), odd });
        }
        copy(database, table, has, last, case)?;
        Ok(Self { table, sql: table.seek_copy(), odd: HashMap::new() })
    }

    pub(super) fn prepare<'d>(&self, database: &'d Database) -> Result<CachedStatement<'d>, SqliteError> {
        database.connection().prepare_cached(&self.sql).map_err(database.failed("read it"))
    }

    /// Visits the rows of a number in all its spellings.
    pub(super) fn rows(
        &self,
        statement: &mut CachedStatement<'_>,
        number: &Key,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        each(statement.query([number.as_str()])?, &mut visit)?;
        if !self.odd.is_empty()
            && let Some(spellings) = self.odd.get(number)
        {
            for spelling in spellings {
                each(statement.query([spelling.as_str()])?, &mut visit)?;
            }
        }
        Ok(())
    }

    /// The first row that `pick` takes: of the normal spelling, else the one with the lowest row id.
    pub(super) fn first<T>(
        &self,
        statement: &mut CachedStatement<'_>,
        number: &Key,
        mut pick: impl FnMut(&Row<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut rows = statement.query([number.as_str()])?;
        while let Some(row) = rows.next()? {
            if let Some(picked) = pick(row)? {
                return Ok(Some(picked));
            }
        }
        drop(rows);
        let mut best: Option<(Option<i64>, T)> = None;
        for spelling in self.odd.get(number).into_iter().flatten() {
            let mut rows = statement.query([spelling.as_str()])?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                if best.as_ref().is_none_or(|(lowest, _)| id < *lowest)
                    && let Some(picked) = pick(row)?
                {
                    best = Some((id, picked));
                }
            }
        }
        Ok(best.map(|(_, picked)| picked))
    }

    /// Puts the file, the table and the row to a failure.
    pub(super) fn error(&self, database: &Database, failure: Failure) -> ProfilesError {
        match failure {
            Failure::Query(source) => ProfilesError::Sqlite(database.failed("read it")(source)),
            Failure::Cell { row, column, problem } => {
                let place = row.map_or(String::new(), |row| format!(" in row {row}"));
                ProfilesError::Cell { file: database.path().to_owned(), table: self.table.name, column, place, problem }
            }
        }
    }
}

/// Why a row was not read.
#[derive(Debug)]
pub(super) enum Failure {
    Query(rusqlite::Error),
    Cell { row: Option<i64>, column: &'static str, problem: &'static str },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error)
    }
}

fn each(mut rows: Rows<'_>, visit: &mut impl FnMut(&Row<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}

/// `None` if they are too many, or if a number is not stored as text.
fn odd_spellings(database: &Database, table: &Table, case: KeyCase) -> Result<Option<HashMap<Key, Vec<Key>>>, SqliteError> {
    let failed = database.failed("read its agreement numbers");
    let mut statement = database.connection().prepare(&table.numbers()).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut odd: HashMap<Key, Vec<Key>> = HashMap::new();
    let mut count = 0;
    let mut last = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let number = match row.get_ref(0).map_err(&failed)? {
            ValueRef::Null => continue,
            ValueRef::Text(number) => number,
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => return Ok(None),
        };
        if number == last {
            continue;
        }
        last.clear();
        last.extend_from_slice(number);
        // What is not UTF-8 equals no number that a message can hold.
        if is_normal(number, case) || std::str::from_utf8(number).is_err() {
            continue;
        }
        count += 1;
        if count > MAX_ODD {
            return Ok(None);
        }
        let spelling = Key::from(String::from_utf8_lossy(number));
        match odd.entry(normal(&spelling, case)) {
            Entry::Occupied(mut spellings) => spellings.get_mut().push(spelling),
            Entry::Vacant(place) => drop(place.insert(vec![spelling])),
        }
    }
    Ok(Some(odd))
}

fn is_normal(number: &[u8], case: KeyCase) -> bool {
    number.last() != Some(&b' ') && (case == KeyCase::Sensitive || !number.iter().any(u8::is_ascii_lowercase))
}

fn normal(number: &str, case: KeyCase) -> Key {
    let mut number = Key::from(number.trim_end_matches(' '));
    if case == KeyCase::Insensitive {
        number.as_mut_str().make_ascii_uppercase();
    }
    number
}

fn copy(database: &Database, table: &Table, has: sqlite::Table, last: &str, case: KeyCase) -> Result<(), SqliteError> {
    tracing::info!(table = table.name, indexed = has.is_indexed, "copying a table that cannot be sought in to a temporary one");
    database.connection().execute_batch(&table.copy(has, last, case)).map_err(database.failed("make a temporary table"))
}
