//! Expressions.

use super::super::super::value::{Type, Value};
use super::{ObjectName, Query};

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
    /// `"in double quotes"`: a column if there is one of that name, else text.
    Quoted(String),
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
    /// A user-defined function; an argument without a value is DEFAULT.
    UserCall {
        name: ObjectName,
        arguments: Vec<Option<Expr>>,
    },
    NextValue(ObjectName),
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
