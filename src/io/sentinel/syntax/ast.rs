//! The statements that the embedded Sentinel runs, as they were written: names are not resolved yet.

use std::fmt;
use std::sync::Arc;

use super::super::value::{Type, Value};

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropKind {
    Table,
    View,
    Procedure,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Literal(Value, Type),
    /// `column`, `alias.column`, or longer.
    Column(Vec<String>),
    Variable(String),
    /// `@@ROWCOUNT` and its like, without the signs, in upper case.
    Global(String),
    Negate(Box<Expr>),
    BitNot(Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `= ANY (…)`, `<> ALL (…)`.
    CompareQuery {
        comparison: Comparison,
        all: bool,
        left: Box<Expr>,
        query: Box<Query>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        value: Box<Expr>,
        negated: bool,
    },
    Like {
        value: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    InList {
        value: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        value: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Exists(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        value: Box<Expr>,
        ty: Type,
        style: Option<Box<Expr>>,
        forgiving: bool,
    },
    Call {
        name: String,
        arguments: Vec<Expr>,
    },
    Aggregate(Box<Aggregate>),
    Window(Box<Window>),
    Subquery(Box<Query>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) function: AggregateFunction,
    pub(crate) distinct: bool,
    /// None for `COUNT(*)`.
    pub(crate) argument: Option<Expr>,
    /// STRING_AGG's separator.
    pub(crate) separator: Option<Expr>,
    /// WITHIN GROUP (ORDER BY …).
    pub(crate) order: Vec<OrderItem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateFunction {
    Count,
    CountBig,
    Sum,
    Avg,
    Min,
    Max,
    StringAgg,
    StDev,
    StDevP,
    Var,
    VarP,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) function: WindowFunction,
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<OrderItem>,
    /// `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`: peers are not taken together.
    pub(crate) rows: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    Tile(Expr),
    /// LEAD counts forward, LAG backward.
    Shift {
        forward: bool,
        value: Expr,
        by: Option<Expr>,
        default: Option<Expr>,
    },
    First(Expr),
    Last(Expr),
    Aggregate(Aggregate),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) value: Expr,
    pub(crate) descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) body: Body,
    pub(crate) order: Vec<OrderItem>,
    pub(crate) offset: Option<Expr>,
    pub(crate) fetch: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cte {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Select(Box<Select>),
    Nested(Box<Query>),
    Values(Vec<Vec<Expr>>),
    Set { operator: SetOperator, left: Box<Body>, right: Box<Body> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperator {
    Union,
    UnionAll,
    Except,
    Intersect,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) top: Option<Top>,
    pub(crate) items: Vec<SelectItem>,
    pub(crate) into: Option<ObjectName>,
    pub(crate) from: Option<TableRef>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Top {
    pub(crate) count: Expr,
    pub(crate) percent: bool,
    pub(crate) ties: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SelectItem {
    /// `*` or `alias.*`.
    All(Option<String>),
    Value {
        value: Expr,
        alias: Option<String>,
    },
    Assign {
        variable: String,
        operator: Option<Arithmetic>,
        value: Expr,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TableRef {
    Named { name: ObjectName, alias: Option<String> },
    Derived { query: Box<Query>, alias: String, columns: Vec<String> },
    Function { name: String, arguments: Vec<Expr>, alias: Option<String>, columns: Vec<String> },
    Join { kind: JoinKind, left: Box<TableRef>, right: Box<TableRef>, on: Option<Expr> },
    Apply { outer: bool, left: Box<TableRef>, right: Box<TableRef> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// OUTPUT: what it gives, and the table it goes into.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) items: Vec<SelectItem>,
    pub(crate) into: Option<(ObjectName, Vec<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Insert {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) top: Option<Top>,
    pub(crate) table: ObjectName,
    pub(crate) columns: Vec<String>,
    pub(crate) output: Option<Output>,
    pub(crate) source: InsertSource,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InsertSource {
    DefaultValues,
    /// A value of `None` is DEFAULT.
    Values(Vec<Vec<Option<Expr>>>),
    Query(Query),
    Execute(Box<Statement>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) top: Option<Top>,
    pub(crate) target: ObjectName,
    pub(crate) sets: Vec<SetClause>,
    pub(crate) output: Option<Output>,
    pub(crate) from: Option<TableRef>,
    pub(crate) filter: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetClause {
    pub(crate) variable: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) operator: Option<Arithmetic>,
    /// `None` is DEFAULT.
    pub(crate) value: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delete {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) top: Option<Top>,
    pub(crate) target: ObjectName,
    pub(crate) output: Option<Output>,
    pub(crate) from: Option<TableRef>,
    pub(crate) filter: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merge {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) target: ObjectName,
    pub(crate) alias: Option<String>,
    pub(crate) source: TableRef,
    pub(crate) on: Expr,
    pub(crate) clauses: Vec<MergeClause>,
    pub(crate) output: Option<Output>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MergeClause {
    pub(crate) when: MergeWhen,
    pub(crate) condition: Option<Expr>,
    pub(crate) action: MergeAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeWhen {
    Matched,
    NotMatchedByTarget,
    NotMatchedBySource,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MergeAction {
    Update(Vec<SetClause>),
    Delete,
    Insert { columns: Vec<String>, values: Option<Vec<Option<Expr>>> },
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

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Procedure {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) default: Option<Expr>,
    pub(crate) output: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: ObjectName,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) constraints: Vec<Constraint>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnDef {
    pub(crate) name: String,
    pub(crate) content: ColumnContent,
    /// `None` when neither NULL nor NOT NULL was written.
    pub(crate) nullable: Option<bool>,
    pub(crate) identity: Option<(i64, i64)>,
    pub(crate) default: Option<(Option<String>, Expr)>,
    /// Constraints written at the column.
    pub(crate) constraints: Vec<Constraint>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnContent {
    Typed(Type),
    RowVersion,
    Computed(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constraint {
    pub(crate) name: Option<String>,
    pub(crate) rule: ConstraintRule,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ConstraintRule {
    PrimaryKey(Vec<String>),
    Unique(Vec<String>),
    Check(Expr),
    ForeignKey {
        columns: Vec<String>,
        table: ObjectName,
        references: Vec<String>,
        on_delete: ReferentialAction,
        on_update: ReferentialAction,
    },
    /// `DEFAULT … FOR column`.
    Default {
        column: String,
        value: Expr,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferentialAction {
    Refuse,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TableChange {
    Add {
        columns: Vec<ColumnDef>,
        constraints: Vec<Constraint>,
        unchecked: bool,
    },
    AlterColumn {
        name: String,
        ty: Type,
        nullable: Option<bool>,
    },
    DropColumns {
        names: Vec<String>,
        if_exists: bool,
    },
    DropConstraints {
        names: Vec<String>,
        if_exists: bool,
    },
    /// CHECK CONSTRAINT and NOCHECK CONSTRAINT; `None` is ALL.
    Enforce {
        name: Option<String>,
        on: bool,
    },
}
