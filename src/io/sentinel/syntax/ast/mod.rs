//! The statements that the embedded Sentinel runs, as they were written: names are not resolved yet.

mod ddl;
mod dml;
mod expr;
mod query;

use std::fmt;
use std::sync::Arc;

use super::super::value::Type;
pub(crate) use ddl::{
    ColumnContent, ColumnDef, Constraint, ConstraintRule, CreateTable, CreateTrigger, Function, FunctionBody, Parameter,
    Procedure, ReferentialAction, Sequence, TableChange, TableShape, TriggerEvents, UserType,
};
pub(crate) use dml::{Delete, Insert, InsertSource, Merge, MergeAction, MergeClause, MergeWhen, Output, SetClause, Update};
pub(crate) use expr::{Aggregate, AggregateFunction, Arithmetic, Comparison, Expr, OrderItem, Window, WindowFunction};
pub(crate) use query::{Body, Cte, Form, JoinKind, JsonColumn, Query, Select, SelectItem, SetOperator, TableRef, Top};

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    /// The text on one line, shortened.
    pub(crate) text: Arc<str>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Block(Vec<Statement>),
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Break,
    Continue,
    Label(Arc<str>),
    Goto(Arc<str>),
    Return(Option<Expr>),
    Try {
        body: Vec<Statement>,
        catch: Vec<Statement>,
    },
    Declare(Vec<Declaration>),
    Assign {
        variable: String,
        operator: Option<Arithmetic>,
        value: Expr,
    },
    SetOption {
        name: String,
        value: String,
    },
    SetIdentityInsert {
        table: ObjectName,
        on: bool,
    },
    SetRowCount(Expr),
    CheckIdentity {
        table: String,
        reseed: Reseed,
    },
    Print(Expr),
    RaiseError {
        message: Expr,
        severity: Expr,
        state: Expr,
        arguments: Vec<Expr>,
        set_error: bool,
    },
    Throw(Option<(Expr, Expr, Expr)>),
    BeginTransaction(Option<String>),
    Commit,
    Rollback(Option<String>),
    SavePoint(String),
    Use(String),
    WaitFor {
        until: bool,
        time: Expr,
    },
    Execute(Execute),
    ExecuteText(Expr),
    Select(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Merge(Merge),
    CreateTable(CreateTable),
    AlterTable {
        table: ObjectName,
        change: TableChange,
    },
    CreateIndex {
        table: ObjectName,
        name: String,
        unique: bool,
        columns: Vec<String>,
        filtered: bool,
    },
    CreateView {
        name: ObjectName,
        columns: Vec<String>,
        query: Arc<Query>,
        replace: bool,
    },
    CreateProcedure {
        name: ObjectName,
        procedure: Arc<Procedure>,
        replace: bool,
    },
    CreateFunction {
        name: ObjectName,
        function: Arc<Function>,
        replace: bool,
    },
    CreateTrigger(CreateTrigger),
    /// ENABLE TRIGGER and DISABLE TRIGGER; without names all of the table's.
    SwitchTriggers {
        names: Vec<ObjectName>,
        table: ObjectName,
        on: bool,
    },
    CreateType {
        name: ObjectName,
        ty: UserType,
    },
    CreateSequence {
        name: ObjectName,
        sequence: Sequence,
    },
    /// ALTER SEQUENCE … RESTART; without a value from its start.
    RestartSequence {
        name: ObjectName,
        with: Option<i64>,
    },
    CreateSynonym {
        name: ObjectName,
        target: ObjectName,
    },
    CreateSchema(String),
    CreateDatabase(String),
    DropDatabase {
        names: Vec<String>,
        if_exists: bool,
    },
    Drop {
        kind: DropKind,
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    DropIndex {
        names: Vec<(String, ObjectName)>,
        if_exists: bool,
    },
    Truncate(ObjectName),
    DeclareCursor {
        name: String,
        query: Arc<Query>,
    },
    OpenCursor(String),
    Fetch {
        cursor: String,
        direction: FetchDirection,
        into: Vec<String>,
    },
    CloseCursor(String),
    Deallocate(String),
    /// Accepted, and does nothing here: what it is.
    Accepted(&'static str),
}

/// What DBCC CHECKIDENT does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reseed {
    No,
    /// To the largest value in the column, where that is larger.
    ToColumn,
    To(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropKind {
    Table,
    View,
    Procedure,
    Function,
    Trigger,
    Sequence,
    Synonym,
    Type,
    Schema,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FetchDirection {
    Next,
    Prior,
    First,
    Last,
    Absolute(Expr),
    Relative(Expr),
}

/// `server.database.schema.object`; parts that were left out are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) database: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl ObjectName {
    pub(crate) fn bare(name: impl Into<String>) -> Self {
        Self { database: None, schema: None, name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{database}.")?;
        }
        match &self.schema {
            Some(schema) => write!(f, "{schema}.")?,
            None if self.database.is_some() => f.write_str(".")?,
            None => {}
        }
        f.write_str(&self.name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Declaration {
    Scalar { name: String, ty: Type, value: Option<Expr> },
    Table { name: String, columns: Vec<ColumnDef>, constraints: Vec<Constraint> },
    Cursor,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Execute {
    pub(crate) result: Option<String>,
    pub(crate) procedure: ObjectName,
    pub(crate) arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    /// `None` is DEFAULT.
    pub(crate) value: Option<Expr>,
    pub(crate) output: bool,
}
