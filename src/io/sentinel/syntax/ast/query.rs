//! Queries.

use super::super::super::value::Type;
use super::{Aggregate, Arithmetic, Expr, ObjectName, OrderItem};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) body: Body,
    pub(crate) order: Vec<OrderItem>,
    pub(crate) offset: Option<Expr>,
    pub(crate) fetch: Option<Expr>,
    pub(crate) form: Option<Form>,
}

/// FOR XML and FOR JSON: all rows as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Xml {
        /// The element around each row; empty for none.
        row: String,
        root: Option<String>,
        /// Its text is taken out again by `.value('.', …)`.
        plain: bool,
    },
    Json {
        root: Option<String>,
        nulls: bool,
        wrapped: bool,
    },
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
    UserFunction { name: ObjectName, arguments: Vec<Option<Expr>>, alias: Option<String>, columns: Vec<String> },
    OpenJson { json: Expr, path: Option<Expr>, columns: Vec<JsonColumn>, alias: Option<String> },
    Pivot { source: Box<TableRef>, aggregate: Box<Aggregate>, column: String, values: Vec<String>, alias: String },
    Unpivot { source: Box<TableRef>, value: String, name: String, columns: Vec<String>, alias: String },
    Join { kind: JoinKind, left: Box<TableRef>, right: Box<TableRef>, on: Option<Expr> },
    Apply { outer: bool, left: Box<TableRef>, right: Box<TableRef> },
}

/// A column of OPENJSON … WITH.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonColumn {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// `None` is its name.
    pub(crate) path: Option<String>,
    /// An object or array, as text.
    pub(crate) as_json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}
