//! What is defined: databases, schemas, tables with their rules, views, procedures and what else has a name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lsn::Lsn;
use super::syntax::ast::{
    Expr, Function, FunctionBody, ObjectName, Procedure, Query, ReferentialAction, Sequence, TriggerEvents, UserType,
};
use super::value::Type;

/// Everything defined on the server. Cloned when a transaction begins, put back when it is rolled back.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    /// By lower-case name.
    databases: BTreeMap<String, Database>,
    next_id: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) id: i64,
    pub(crate) cdc: bool,
    /// Names in lower case, with their spelling.
    pub(crate) schemas: BTreeMap<String, String>,
    /// By schema and name in lower case.
    pub(crate) objects: BTreeMap<(String, String), Object>,
    /// User-defined data types, by name in lower case.
    pub(crate) types: BTreeMap<String, UserType>,
}

#[derive(Clone, Debug)]
pub(crate) enum Object {
    Table(Arc<Table>),
    View(Arc<Defined<View>>),
    Procedure(Arc<Defined<Arc<Procedure>>>),
    Function(Arc<Defined<Arc<Function>>>),
    Trigger(Arc<Defined<Trigger>>),
    Sequence(Arc<Defined<Sequence>>),
    Synonym(Arc<Defined<ObjectName>>),
}

/// What has a name and a number in a schema, besides tables.
#[derive(Clone, Debug)]
pub(crate) struct Defined<T> {
    pub(crate) id: i64,
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) definition: T,
}

#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) columns: Vec<String>,
    pub(crate) query: Arc<Query>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    /// The table's number.
    pub(crate) table: i64,
    pub(crate) events: TriggerEvents,
    pub(crate) body: Arc<Procedure>,
    pub(crate) enabled: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) id: i64,
    /// The table's name inside SQLite.
    pub(crate) storage: String,
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Vec<Key>,
    pub(crate) checks: Vec<Check>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) capture: Option<Capture>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) nullable: bool,
    /// Seed and step.
    pub(crate) identity: Option<(i64, i64)>,
    pub(crate) default: Option<(String, Expr)>,
    pub(crate) computed: Option<Expr>,
    pub(crate) row_version: bool,
}

/// A primary key, a unique constraint or a unique index.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) kind: KeyKind,
    pub(crate) columns: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Primary,
    Unique,
    UniqueIndex,
    /// Not unique: only its name matters.
    Index,
}

#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) condition: Expr,
    pub(crate) enforced: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) columns: Vec<usize>,
    pub(crate) table: ObjectName,
    /// Names in the table referred to; empty means its primary key.
    pub(crate) references: Vec<String>,
    pub(crate) on_delete: ReferentialAction,
    pub(crate) on_update: ReferentialAction,
    pub(crate) enforced: bool,
}

/// What change data capture holds of a table: the columns that it had when it was enabled.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) instance: String,
    pub(crate) columns: Vec<String>,
    /// The change table's name inside SQLite.
    pub(crate) storage: String,
    /// Where in the log it begins.
    pub(crate) start: Lsn,
    /// The instance before it, until it is disabled; Debezium reads the newest one.
    pub(crate) older: Option<OlderCapture>,
}

/// An instance that another one has taken over from.
#[derive(Clone, Debug)]
pub(crate) struct OlderCapture {
    pub(crate) instance: String,
    pub(crate) columns: Vec<String>,
    pub(crate) start: Lsn,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| same(&column.name, name))
    }

    pub(crate) fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.kind == KeyKind::Primary)
    }

    pub(crate) fn identity(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.identity.is_some())
    }

    /// `schema.name`, as messages print it.
    pub(crate) fn display(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Object {
    pub(crate) fn id(&self) -> i64 {
        match self {
            Self::Table(table) => table.id,
            Self::View(view) => view.id,
            Self::Procedure(procedure) => procedure.id,
            Self::Function(function) => function.id,
            Self::Trigger(trigger) => trigger.id,
            Self::Sequence(sequence) => sequence.id,
            Self::Synonym(synonym) => synonym.id,
        }
    }

    /// Schema and name.
    pub(crate) fn name(&self) -> (&str, &str) {
        match self {
            Self::Table(table) => (&table.schema, &table.name),
            Self::View(view) => (&view.schema, &view.name),
            Self::Procedure(procedure) => (&procedure.schema, &procedure.name),
            Self::Function(function) => (&function.schema, &function.name),
            Self::Trigger(trigger) => (&trigger.schema, &trigger.name),
            Self::Sequence(sequence) => (&sequence.schema, &sequence.name),
            Self::Synonym(synonym) => (&synonym.schema, &synonym.name),
        }
    }

    /// The code of sys.objects.
    pub(crate) fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Table(_) => ("U", "USER_TABLE"),
            Self::View(_) => ("V", "VIEW"),
            Self::Procedure(_) => ("P", "SQL_STORED_PROCEDURE"),
            Self::Function(function) => match function.definition.body {
                FunctionBody::Scalar { .. } => ("FN", "SQL_SCALAR_FUNCTION"),
                FunctionBody::Inline(_) => ("IF", "SQL_INLINE_TABLE_VALUED_FUNCTION"),
                FunctionBody::Table { .. } => ("TF", "SQL_TABLE_VALUED_FUNCTION"),
            },
            Self::Trigger(_) => ("TR", "SQL_TRIGGER"),
            Self::Sequence(_) => ("SO", "SEQUENCE_OBJECT"),
            Self::Synonym(_) => ("SN", "SYNONYM"),
        }
    }
}

/// Names are equal without regard to case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || !(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase()
}

/// The schema that names without one are in.
pub(crate) const DEFAULT_SCHEMA: &str = "dbo";

/// The databases of every server.
pub(crate) const SYSTEM_DATABASES: [&str; 4] = ["master", "tempdb", "model", "msdb"];

impl Catalog {
    pub(crate) fn new() -> Self {
        let mut catalog = Self { databases: BTreeMap::new(), next_id: 1_000_000 };
        for name in SYSTEM_DATABASES {
            catalog.create_database(name);
        }
        catalog
    }

    pub(crate) fn next_id(&mut self) -> i64 {
        self.next_id += 16;
        self.next_id
    }

    /// False when it is there already.
    pub(crate) fn create_database(&mut self, name: &str) -> bool {
        if self.database(name).is_some() {
            return false;
        }
        let taken: BTreeSet<i64> = self.databases.values().map(|database| database.id).collect();
        let id = (1..=i64::MAX).find(|id| !taken.contains(id)).unwrap_or(1);
        let schemas = ["dbo", "guest", "sys", "INFORMATION_SCHEMA"].map(|s| (s.to_lowercase(), s.to_owned())).into();
        let database =
            Database { name: name.to_owned(), id, cdc: false, schemas, objects: BTreeMap::new(), types: BTreeMap::new() };
        self.databases.insert(name.to_lowercase(), database);
        true
    }

    pub(crate) fn drop_database(&mut self, name: &str) -> Option<Database> {
        self.databases.remove(&name.to_lowercase())
    }

    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.get(&name.to_lowercase())
    }

    pub(crate) fn database_mut(&mut self, name: &str) -> Option<&mut Database> {
        self.databases.get_mut(&name.to_lowercase())
    }

    pub(crate) fn databases(&self) -> impl Iterator<Item = &Database> {
        self.databases.values()
    }

    /// All user-defined types, by name in lower case.
    pub(crate) fn types(&self) -> BTreeMap<String, UserType> {
        let all = self.databases.values().flat_map(|database| &database.types);
        all.map(|(name, ty)| (name.clone(), ty.clone())).collect()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.databases.values().flat_map(|database| {
            database.objects.values().filter_map(|object| match object {
                Object::Table(table) => Some(table),
                _ => None,
            })
        })
    }

    pub(crate) fn put_table(&mut self, table: Arc<Table>) {
        let key = (table.schema.to_lowercase(), table.name.to_lowercase());
        if let Some(database) = self.database_mut(&table.database) {
            database.objects.insert(key, Object::Table(table));
        }
    }
}

impl Database {
    pub(crate) fn object(&self, schema: &str, name: &str) -> Option<&Object> {
        self.objects.get(&(schema.to_lowercase(), name.to_lowercase()))
    }
}
