//! Running T-SQL and looking at what comes of it.

use chrono::NaiveDateTime;
use tidewaiter::io::sentinel::{
    CapturedTransaction, Observer, OnError, ReplayClock, ResultSet, ScriptError, Sentinel, Type, Value,
};

/// Everything that scripts gave.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) printed: Vec<String>,
    pub(crate) sets: Vec<ResultSet>,
    pub(crate) counts: Vec<usize>,
    pub(crate) commits: Vec<CapturedTransaction>,
    pub(crate) delayed: u64,
    pub(crate) notes: Vec<String>,
    pub(crate) failed: Vec<ScriptError>,
}

impl Observer for Seen {
    fn printed(&mut self, text: &str) {
        self.printed.push(text.to_owned());
    }
    fn rows(&mut self, rows: &ResultSet) {
        self.sets.push(rows.clone());
    }
    fn affected(&mut self, rows: usize) {
        self.counts.push(rows);
    }
    fn committed(&mut self, transaction: CapturedTransaction) {
        self.commits.push(transaction);
    }
    fn delayed(&mut self, millis: u64) {
        self.delayed += millis;
    }
    fn noted(&mut self, _file: &str, _line: u32, text: &str) {
        self.notes.push(text.to_owned());
    }
    fn failed(&mut self, error: &ScriptError) {
        self.failed.push(error.clone());
    }
}

pub(crate) struct Server {
    pub(crate) sentinel: Sentinel,
    pub(crate) seen: Seen,
}

pub(crate) fn at(text: &str) -> ReplayClock {
    ReplayClock::new(text.parse::<NaiveDateTime>().unwrap())
}

impl Server {
    /// With one empty database.
    pub(crate) fn new() -> Self {
        let mut server = Self::bare();
        server.ok("CREATE DATABASE Test");
        server
    }

    pub(crate) fn bare() -> Self {
        Self { sentinel: Sentinel::new(at("2026-03-15T09:00:00")).unwrap(), seen: Seen::default() }
    }

    /// With table `t (id int PRIMARY KEY, name varchar(10), amount decimal(9,2))` captured.
    pub(crate) fn captured() -> Self {
        let mut server = Self::new();
        server.ok("EXEC sys.sp_cdc_enable_db;
             CREATE TABLE t (id int NOT NULL PRIMARY KEY, name varchar(10) NULL, amount decimal(9,2) NOT NULL DEFAULT 0);
             EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N't', @role_name = NULL;");
        server
    }

    pub(crate) fn continuing(mut self) -> Self {
        self.sentinel.on_error(OnError::Continue);
        self
    }

    pub(crate) fn run(&mut self, sql: &str) -> Result<(), ScriptError> {
        match self.sentinel.parse("test.sql", sql) {
            Ok(script) => self.sentinel.run(&script, &mut self.seen),
            Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, sql: &str) -> &mut Self {
        if let Err(error) = self.run(sql) {
            panic!("{error}");
        }
        self
    }

    /// The number of the error that the script ends with.
    #[track_caller]
    pub(crate) fn fails(&mut self, sql: &str) -> i32 {
        self.error(sql).number.unwrap_or(0)
    }

    #[track_caller]
    pub(crate) fn error(&mut self, sql: &str) -> ScriptError {
        self.run(sql).expect_err(sql)
    }

    /// The rows of the last result set, columns separated by a bar.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<String> {
        self.ok(sql);
        let set = self.seen.sets.last().unwrap();
        set.rows.iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join("|")).collect()
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> String {
        self.rows(&format!("SELECT {expression}")).remove(0)
    }

    /// The type and the value of an expression.
    #[track_caller]
    pub(crate) fn typed(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        let ty: Type = self.seen.sets.last().unwrap().columns[0].1;
        format!("{ty} {value}")
    }
}

pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(n) => n.to_string(),
        Value::Numeric(n) => n.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        Value::DateTime(time) => time.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        Value::DateTimeOffset(time, offset) => format!("{time} {offset}"),
        Value::Guid(guid) => guid.to_string(),
        Value::Binary(bytes) => format!("{bytes:02x?}"),
    }
}

/// Checks expressions against the text of their values, all on one server.
#[track_caller]
pub(crate) fn values(cases: &[(&str, &str)]) {
    let mut server = Server::new();
    for (expression, expected) in cases {
        assert_eq!(server.value(expression), *expected, "{expression}");
    }
}
