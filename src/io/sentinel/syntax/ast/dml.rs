//! Statements that write rows.

use super::{Arithmetic, Cte, Expr, ObjectName, Query, SelectItem, Statement, TableRef, Top};

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
    Query(Box<Query>),
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
