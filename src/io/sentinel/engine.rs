//! The server's state, and what expressions ask of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use chrono::NaiveDateTime;
use parking_lot::{ReentrantMutex, ReentrantMutexGuard};
use uuid::Uuid;

use super::catalog::{Catalog, DEFAULT_SCHEMA, Object, Table, same};
use super::clock::ReplayClock;
use super::error::{SqlError, SqlResult};
use super::history::History;
use super::lsn::LogSequence;
use super::store::{Row, Store};
use super::syntax::ast::{ObjectName, Query};
use super::value::convert::Conversion;
use super::value::temporal::DateOrder;
use super::value::{Type, Value};

/// One server with one session.
pub(crate) struct Engine {
    /// Shared with the functions that expressions call: each runs in an engine of its own, in the same thread.
    store: Arc<ReentrantMutex<Store>>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) clock: ReplayClock,
    pub(crate) log: LogSequence,
    pub(crate) history: Arc<History>,
    /// The last identity value of each table, by its id; a rollback does not take them back.
    pub(crate) identities: HashMap<i64, i64>,
    pub(crate) row_version: i64,
    /// The next value of each sequence that was used or restarted, by its number; a rollback does not take them back.
    pub(crate) sequences: RefCell<HashMap<i64, i128>>,
    pub(crate) session: Session,
    random: Cell<u64>,
    /// The rows of recursive queries that are running; empty between statements.
    recursions: RefCell<Recursions>,
}

/// `Rc` never leaves a statement, but the engine may move between threads: the rows are owned here.
#[derive(Default)]
struct Recursions {
    next: usize,
    rows: HashMap<usize, Vec<Row>>,
}

/// What a connection has.
pub(crate) struct Session {
    pub(crate) database: String,
    /// One for the batch, one more for each procedure that runs.
    pub(crate) frames: Vec<Frame>,
    /// `#tables`, by lower-case name.
    pub(crate) temporary: BTreeMap<String, Arc<Table>>,
    pub(crate) cursors: HashMap<String, Cursor>,
    pub(crate) options: Options,
    /// The id of the table that takes explicit identity values.
    pub(crate) identity_insert: Option<i64>,
    pub(crate) transactions: u32,
    /// The transaction can only be rolled back.
    pub(crate) doomed: bool,
    /// What was defined when the transaction began.
    pub(crate) undo: Option<Definitions>,
    pub(crate) savepoints: Vec<(String, Definitions)>,
    pub(crate) row_count: i64,
    pub(crate) error: i32,
    pub(crate) identity: Value,
    pub(crate) fetch_status: i64,
    /// The errors of the CATCH blocks that are running.
    pub(crate) caught: Vec<Caught>,
    pub(crate) try_depth: u32,
    /// The function whose body runs here, and what it has returned.
    pub(crate) function: Option<RunningFunction>,
}

/// A function in an engine of its own.
pub(crate) struct RunningFunction {
    pub(crate) returns: Type,
    pub(crate) returned: Value,
    /// How many procedures and functions stand around it.
    pub(crate) level: usize,
}

/// What SET switches. A procedure's own settings end with it.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) order: DateOrder,
    pub(crate) date_first: i64,
    pub(crate) xact_abort: bool,
    pub(crate) no_count: bool,
    /// SET NOEXEC and SET PARSEONLY.
    pub(crate) no_execution: bool,
    /// SET ROWCOUNT.
    pub(crate) most_rows: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            order: DateOrder::default(),
            date_first: 7,
            xact_abort: false,
            no_count: false,
            no_execution: false,
            most_rows: None,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Definitions {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) temporary: BTreeMap<String, Arc<Table>>,
}

/// The variables of a batch or procedure.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) procedure: Option<String>,
    pub(crate) variables: HashMap<String, (Type, Value)>,
    /// Table variables, and in a trigger `inserted` and `deleted`.
    pub(crate) tables: HashMap<String, Arc<Table>>,
    /// Those that belong to the caller.
    pub(crate) lent: BTreeSet<String>,
    pub(crate) identity: Option<Value>,
    pub(crate) trigger: Option<RunningTrigger>,
}

/// A trigger whose body runs.
pub(crate) struct RunningTrigger {
    pub(crate) id: i64,
    /// The columns that its statement sets; `None` for INSERT, which sets all.
    pub(crate) set: Option<Vec<String>>,
}

impl Frame {
    /// The tables that end with it.
    pub(crate) fn into_tables(self) -> impl Iterator<Item = Arc<Table>> {
        let lent = self.lent;
        self.tables.into_iter().filter(move |(name, _)| !lent.contains(name)).map(|(_, table)| table)
    }
}

pub(crate) struct Cursor {
    pub(crate) query: Arc<Query>,
    pub(crate) rows: Option<Vec<Row>>,
    /// Names and types.
    pub(crate) columns: Vec<(String, Type)>,
    /// From 1; 0 before the first row.
    pub(crate) at: i64,
}

#[derive(Clone)]
pub(crate) struct Caught {
    pub(crate) error: SqlError,
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(crate) procedure: Option<String>,
}

impl Session {
    pub(crate) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            frames: vec![Frame::default()],
            temporary: BTreeMap::new(),
            cursors: HashMap::new(),
            options: Options::default(),
            identity_insert: None,
            transactions: 0,
            doomed: false,
            undo: None,
            savepoints: Vec::new(),
            row_count: 0,
            error: 0,
            identity: Value::Null,
            fetch_status: -1,
            caught: Vec::new(),
            try_depth: 0,
            function: None,
        }
    }
}

impl Engine {
    pub(crate) fn new(clock: ReplayClock) -> rusqlite::Result<Self> {
        Ok(Self {
            store: Arc::new(ReentrantMutex::new(Store::open()?)),
            catalog: Arc::new(Catalog::new()),
            clock,
            log: LogSequence::new(),
            history: Arc::default(),
            identities: HashMap::new(),
            row_version: 2000,
            sequences: RefCell::default(),
            session: Session::new("master"),
            random: Cell::new(0x5EED_71DE_3A17_E501),
            recursions: RefCell::default(),
        })
    }

    /// An engine on the same tables for another session. What it gives out (numbers, times) is not missed here.
    pub(crate) fn with_session(&self, session: Session) -> Self {
        Self {
            store: Arc::clone(&self.store),
            catalog: Arc::clone(&self.catalog),
            clock: self.clock,
            log: LogSequence::new(),
            history: Arc::clone(&self.history),
            identities: HashMap::new(),
            row_version: self.row_version,
            sequences: RefCell::default(),
            session,
            random: Cell::new(self.random.get()),
            recursions: RefCell::default(),
        }
    }

    pub(crate) fn store(&self) -> ReentrantMutexGuard<'_, Store> {
        self.store.lock()
    }

    pub(crate) fn catalog_mut(&mut self) -> &mut Catalog {
        Arc::make_mut(&mut self.catalog)
    }

    pub(crate) fn conversion(&self) -> Conversion {
        Conversion::implicit(self.session.options.order)
    }

    pub(crate) fn now(&self) -> NaiveDateTime {
        self.clock.now()
    }

    pub(crate) fn date_first(&self) -> i64 {
        self.session.options.date_first
    }

    /// The next number of a sequence that every run repeats (splitmix64).
    pub(crate) fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn seed_random(&self, seed: u64) {
        self.random.set(seed);
    }

    pub(crate) fn new_guid(&self) -> Uuid {
        let bits = (u128::from(self.random()) << 64) | u128::from(self.random());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    pub(crate) fn new_recursion(&self) -> usize {
        let mut recursions = self.recursions.borrow_mut();
        recursions.next += 1;
        recursions.next
    }

    pub(crate) fn set_recursion(&self, slot: usize, rows: Rc<Vec<Row>>) {
        let rows = Rc::try_unwrap(rows).unwrap_or_else(|shared| shared.as_ref().clone());
        self.recursions.borrow_mut().rows.insert(slot, rows);
    }

    pub(crate) fn recursion(&self, slot: usize) -> Vec<Row> {
        self.recursions.borrow().rows.get(&slot).cloned().unwrap_or_default()
    }

    /// Between statements no recursive query runs.
    pub(crate) fn forget_recursions(&self) {
        self.recursions.borrow_mut().rows.clear();
    }

    fn frame(&self) -> Option<&Frame> {
        self.session.frames.last()
    }

    pub(crate) fn variable(&self, name: &str) -> SqlResult<Value> {
        let found = self.frame().and_then(|frame| frame.variables.get(name));
        found.map(|(_, value)| value.clone()).ok_or_else(|| undeclared(name))
    }

    pub(crate) fn variable_type(&self, name: &str) -> SqlResult<Type> {
        let found = self.frame().and_then(|frame| frame.variables.get(name));
        found.map(|(ty, _)| *ty).ok_or_else(|| undeclared(name))
    }

    /// Assigns a value of the variable's own type.
    pub(crate) fn set_variable(&mut self, name: &str, value: Value) -> SqlResult<()> {
        let frame = self.session.frames.last_mut();
        let place = frame.and_then(|frame| frame.variables.get_mut(name)).ok_or_else(|| undeclared(name))?;
        place.1 = value;
        Ok(())
    }

    pub(crate) fn global_type(name: &str) -> Type {
        match name {
            "IDENTITY" => Type::decimal(38, 0),
            "SERVERNAME" | "VERSION" | "LANGUAGE" | "SERVICENAME" => Type::NVarChar(Some(128)),
            _ => Type::Int,
        }
    }

    pub(crate) fn global(&self, name: &str) -> Value {
        match name {
            "ROWCOUNT" => Value::Int(self.session.row_count),
            "ERROR" => Value::Int(i64::from(self.session.error)),
            "IDENTITY" => self.session.identity.clone(),
            "TRANCOUNT" => Value::Int(i64::from(self.session.transactions)),
            "FETCH_STATUS" => Value::Int(self.session.fetch_status),
            "DATEFIRST" => Value::Int(self.session.options.date_first),
            "NESTLEVEL" => Value::Int(i64::try_from(self.session.frames.len()).unwrap_or(1) - 1),
            "SPID" => Value::Int(51),
            "MAX_PRECISION" => Value::Int(38),
            "SERVERNAME" => Value::text("SENTINEL"),
            "SERVICENAME" => Value::text("MSSQLSERVER"),
            "LANGUAGE" => Value::text("us_english"),
            "VERSION" => Value::text("Microsoft SQL Server (embedded Sentinel of tidewaiter)"),
            _ => Value::Int(0),
        }
    }

    pub(crate) fn row_count(&self) -> i64 {
        self.session.row_count
    }

    pub(crate) fn transaction_state(&self) -> i64 {
        match (self.session.transactions, self.session.doomed) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }

    pub(crate) fn caught(&self) -> Option<&Caught> {
        self.session.caught.last()
    }

    pub(crate) fn scope_identity(&self) -> Value {
        self.frame().and_then(|frame| frame.identity.clone()).unwrap_or(Value::Null)
    }

    pub(crate) fn current_database(&self) -> &str {
        &self.session.database
    }

    /// Whether the statement that fires the running trigger sets a column.
    pub(crate) fn sets(&self, column: &str) -> bool {
        let trigger = self.frame().and_then(|frame| frame.trigger.as_ref());
        trigger.is_some_and(|trigger| trigger.set.as_ref().is_none_or(|set| set.iter().any(|name| same(name, column))))
    }

    /// An object by name, seen from a database; of a synonym the object that it stands for. `Ok(None)` when there is none.
    pub(crate) fn find_object(&self, database: &str, name: &ObjectName) -> SqlResult<Option<&Object>> {
        match self.find_named(database, name)? {
            Some(Object::Synonym(synonym)) => self.find_named(&synonym.database, &synonym.definition),
            found => Ok(found),
        }
    }

    /// As [`Self::find_object`], but a synonym is itself.
    pub(crate) fn find_named(&self, database: &str, name: &ObjectName) -> SqlResult<Option<&Object>> {
        if name.name.starts_with(['#', '@']) {
            return Ok(None);
        }
        let database = name.database.as_deref().unwrap_or(database);
        let Some(database) = self.catalog.database(database) else {
            let message = format!("Database '{database}' does not exist. Make sure that the name is entered correctly.");
            return Err(SqlError::new(911, message));
        };
        Ok(database.object(name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA), &name.name))
    }

    /// A `#table` or `@table`.
    pub(crate) fn session_table(&self, name: &str) -> Option<&Arc<Table>> {
        let lower = name.to_lowercase();
        match name.chars().next() {
            Some('#') => self.session.temporary.get(&lower),
            _ => self.frame().and_then(|frame| frame.tables.get(&lower)),
        }
    }

    /// A table that rows can be written to.
    pub(crate) fn table(&self, database: &str, name: &ObjectName) -> SqlResult<Arc<Table>> {
        if let Some(table) = self.session_table(&name.name) {
            return Ok(Arc::clone(table));
        }
        match self.find_object(database, name)? {
            Some(Object::Table(table)) => Ok(Arc::clone(table)),
            Some(Object::View(_)) => {
                Err(SqlError::unsupported("writing through a view").with_hint("write to the table behind it"))
            }
            _ => Err(self.missing(name)),
        }
    }

    /// The error for a table that is not there, with the most likely reason.
    pub(crate) fn missing(&self, name: &ObjectName) -> SqlError {
        let error = SqlError::unknown_object(name);
        if name.database.is_some() || name.name.starts_with(['#', '@']) {
            return error;
        }
        let elsewhere = self.catalog.databases().find(|database| {
            !same(&database.name, self.current_database())
                && database.objects.values().any(|object| same(object.name().1, &name.name))
        });
        match elsewhere {
            Some(database) => error.with_hint(format!(
                "it is in the database {}: write USE {} first, the current database is {}",
                database.name,
                database.name,
                self.current_database()
            )),
            None => error,
        }
    }

    pub(crate) fn definitions(&self) -> Definitions {
        Definitions { catalog: Arc::clone(&self.catalog), temporary: self.session.temporary.clone() }
    }
}

pub(crate) fn undeclared(name: &str) -> SqlError {
    SqlError::new(137, format!("Must declare the scalar variable \"{name}\".")).with_hint("variables live until the next GO")
}
