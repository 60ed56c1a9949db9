//! SQLite files that are only read: opened, and their schema checked, with errors that name what is missing.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Of pages, for the file and as much for temporary tables. The system's page cache does the rest.
const CACHE_KIB: i64 = 32 * 1024;

/// A database that is never written to. Temporary tables can be made beside it; they go to a temporary file.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error("cannot open {}", file.display())]
    Open { file: PathBuf, source: io::Error },
    #[error("{} is not an SQLite database", file.display())]
    NotADatabase { file: PathBuf },
    #[error("{} has no table {table}", file.display())]
    MissingTable { file: PathBuf, table: &'static str, found: Vec<String> },
    #[error("{}: table {table} lacks {}", file.display(), columns.join(", "))]
    MissingColumns { file: PathBuf, table: &'static str, columns: Vec<&'static str> },
    #[error("{}: cannot {doing}", file.display())]
    Query { file: PathBuf, doing: &'static str, source: rusqlite::Error },
}

/// What a table offers beyond the columns that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// False for a view and for a table WITHOUT ROWID.
    pub has_rowid: bool,
    /// Rows of one value of the key column are found without a scan, compared byte by byte.
    pub is_indexed: bool,
}

impl Database {
    pub fn open(path: &Path) -> Result<Self, SqliteError> {
        let unreadable = |source| SqliteError::Open { file: path.to_owned(), source };
        let mut start = Vec::new();
        File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)).map_err(unreadable)?;
        // An empty file is an empty database, and its tables are missed by name.
        if !start.is_empty() && start != MAGIC {
            return Err(SqliteError::NotADatabase { file: path.to_owned() });
        }
        let failed = |source| SqliteError::Query { file: path.to_owned(), doing: "open it", source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.pragma_update(None, "temp_store", "FILE").map_err(failed)?;
        for schema in ["main", "temp"] {
            connection.pragma_update(Some(schema), "cache_size", -CACHE_KIB).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), connection })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Rises when somebody else writes to the file.
    pub fn version(&self) -> Result<i64, SqliteError> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(self.failed("read it"))
    }

    /// Checks that a table or view has these columns; `key` is the one that rows will be looked up by.
    pub fn table(&self, table: &'static str, key: &'static str, columns: &[&'static str]) -> Result<Table, SqliteError> {
        let failed = || self.failed("read its schema");
        let (kind, without_rowid) = self
            .connection
            .query_row(
                "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
                [table],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
            )
            .optional()
            .map_err(failed())?
            .ok_or_else(|| SqliteError::MissingTable { file: self.path.clone(), table, found: self.tables() })?;
        let found: Vec<String> = self.strings("SELECT name FROM pragma_table_info(?1, 'main')", [table]).map_err(failed())?;
        let lacks = |column: &&str| !found.iter().any(|found| found.eq_ignore_ascii_case(column));
        let missing: Vec<_> = columns.iter().copied().filter(lacks).collect();
        if !missing.is_empty() {
            return Err(SqliteError::MissingColumns { file: self.path.clone(), table, columns: missing });
        }
        let indexed = "SELECT count(*) > 0
            FROM pragma_index_list(?1, 'main') AS index_, pragma_index_xinfo(index_.name, 'main') AS column_
            WHERE index_.partial = 0 AND column_.seqno = 0 AND column_.coll = 'BINARY' AND column_.name = ?2 COLLATE NOCASE";
        let is_indexed = self.connection.query_row(indexed, [table, key], |row| row.get(0)).map_err(failed())?;
        Ok(Table { has_rowid: kind == "table" && !without_rowid, is_indexed })
    }

    /// Whether a table, known to exist, has a column.
    pub fn has_column(&self, table: &str, column: &str) -> Result<bool, SqliteError> {
        let sql = "SELECT count(*) > 0 FROM pragma_table_info(?1, 'main') WHERE name = ?2 COLLATE NOCASE";
        self.connection.query_row(sql, [table, column], |row| row.get(0)).map_err(self.failed("read its schema"))
    }

    /// Puts the file and what was being done to SQLite's error.
    pub fn failed(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> SqliteError + '_ {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => SqliteError::NotADatabase { file: self.path.clone() },
            _ => SqliteError::Query { file: self.path.clone(), doing, source },
        }
    }

    /// For a hint only, hence without an error of its own.
    fn tables(&self) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        self.strings(sql, []).unwrap_or_default()
    }

    fn strings(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Vec<String>> {
        self.connection.prepare(sql)?.query_map(parameters, |row| row.get(0))?.collect()
    }
}

impl SqliteError {
    /// Somebody else is writing; it will pass.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code().is_some_and(|code| matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Open { .. } => return None,
            Self::NotADatabase { .. } => "it must be a database of SQLite 3, not an SQL script or a dump".to_owned(),
            Self::MissingTable { found, .. } if found.is_empty() => "the database has no tables at all".to_owned(),
            Self::MissingTable { found, .. } => format!("the database has {}", found.join(", ")),
            Self::MissingColumns { .. } => "columns have the names they have in Sentinel".to_owned(),
            Self::Query { .. } => match self.code()? {
                ErrorCode::CannotOpen | ErrorCode::ReadOnly => {
                    "in WAL mode a database can only be read where its folder can be written to: copy it, or run \
                     `PRAGMA journal_mode=DELETE` on it"
                        .to_owned()
                }
                ErrorCode::DiskFull => {
                    "SQLite keeps temporary tables in the folder that SQLITE_TMPDIR or TMPDIR names".to_owned()
                }
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "another program is writing to it".to_owned(),
                ErrorCode::DatabaseCorrupt => "`sqlite3 FILE .recover` may save what is left".to_owned(),
                _ => return None,
            },
        };
        Some(hint)
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Query { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }
}
