//! Definitions.

use super::super::super::value::Type;
use super::{Expr, ObjectName, Statement};

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
