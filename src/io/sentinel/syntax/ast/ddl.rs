//! Definitions.

use std::sync::Arc;

use super::super::super::value::Type;
use super::{Expr, ObjectName, Query, Statement};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Procedure {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// Of a parameter that takes a table.
    pub(crate) table: Option<Arc<TableShape>>,
    pub(crate) default: Option<Expr>,
    pub(crate) output: bool,
}

/// The columns and constraints of a table that has no name yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableShape {
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) constraints: Vec<Constraint>,
}

/// What CREATE TYPE makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UserType {
    Alias(Type),
    Table(Arc<TableShape>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) parameters: Vec<Parameter>,
    /// RETURNS NULL ON NULL INPUT.
    pub(crate) strict: bool,
    pub(crate) body: FunctionBody,
}

impl Function {
    /// The statements of its body; none where it is one query.
    pub(crate) fn statements(&self) -> &[Statement] {
        match &self.body {
            FunctionBody::Scalar { body, .. } | FunctionBody::Table { body, .. } => body,
            FunctionBody::Inline(_) => &[],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FunctionBody {
    Scalar {
        ty: Type,
        body: Vec<Statement>,
    },
    /// `RETURNS TABLE AS RETURN (SELECT …)`.
    Inline(Box<Query>),
    /// `RETURNS @name TABLE (…) AS BEGIN … END`.
    Table {
        name: String,
        shape: Arc<TableShape>,
        body: Vec<Statement>,
    },
}

/// What a trigger fires after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TriggerEvents {
    pub(crate) insert: bool,
    pub(crate) update: bool,
    pub(crate) delete: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateTrigger {
    pub(crate) name: ObjectName,
    pub(crate) table: ObjectName,
    pub(crate) events: TriggerEvents,
    pub(crate) body: Arc<Procedure>,
    pub(crate) replace: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) ty: Type,
    pub(crate) start: i64,
    pub(crate) increment: i64,
    pub(crate) least: i64,
    pub(crate) most: i64,
    pub(crate) cycles: bool,
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
    /// ENABLE TRIGGER and DISABLE TRIGGER; without names all of them.
    SwitchTriggers {
        names: Vec<ObjectName>,
        on: bool,
    },
    /// CHECK CONSTRAINT and NOCHECK CONSTRAINT; `None` is ALL.
    Enforce {
        name: Option<String>,
        on: bool,
    },
}
