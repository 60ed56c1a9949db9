//! What stands in FROM, bound.

use std::rc::Rc;
use std::sync::Arc;

use super::super::catalog::{Object, Table, same};
use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::syntax::ast::{JoinKind, ObjectName, TableRef};
use super::super::value::Type;
use super::super::value::Value;
use super::bind::{Binder, Scope, ScopeColumn};
use super::changes::{Changes, is_of_capture};
use super::expr::{Bound, SubPlan, UserFunction};
use super::json::OpenJson;
use super::query::CteKind;

#[derive(Debug)]
pub(crate) enum FromPlan {
    Leaf {
        source: Source,
        width: usize,
        filters: Vec<Bound>,
    },
    Join(Box<Join>),
    /// The right side is run for each row of the left.
    Apply {
        outer: bool,
        left: Box<FromPlan>,
        right: Box<FromPlan>,
        filters: Vec<Bound>,
    },
}

#[derive(Debug)]
pub(crate) struct Join {
    pub(super) kind: JoinKind,
    pub(super) left: FromPlan,
    pub(super) right: FromPlan,
    /// Equalities between the sides: the right one on the right side's own row.
    pub(super) keys: Vec<(Bound, Bound)>,
    pub(super) on: Vec<Bound>,
    pub(super) filters: Vec<Bound>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Table {
        table: Arc<Table>,
        lookups: Vec<(usize, Bound)>,
    },
    Rows(Rc<Vec<Row>>),
    Query(Rc<SubPlan>),
    Function {
        name: String,
        arguments: Vec<Bound>,
        types: Vec<Type>,
    },
    UserFunction {
        function: UserFunction,
        arguments: Vec<Bound>,
    },
    Json(Box<OpenJson>),
    Changes(Box<Changes>),
    /// The rows that a recursive query found in its last round.
    Recursion(usize),
}

impl FromPlan {
    pub(crate) fn leaf(source: Source, width: usize) -> Self {
        Self::Leaf { source, width, filters: Vec::new() }
    }

    /// Whether it reads the server's own views only, whose order nobody knows.
    pub(crate) fn is_system(&self) -> bool {
        match self {
            Self::Leaf { source, .. } => matches!(source, Source::Rows(_)),
            Self::Join(join) => join.left.is_system() && join.right.is_system(),
            Self::Apply { .. } => false,
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Leaf { width, .. } => *width,
            Self::Join(join) => join.left.width() + join.right.width(),
            Self::Apply { left, right, .. } => left.width() + right.width(),
        }
    }
}

impl Binder<'_> {
    pub(crate) fn from(&mut self, table: &TableRef) -> SqlResult<(FromPlan, Scope)> {
        match table {
            TableRef::Named { name, alias } => self.named(name, alias.as_deref()),
            TableRef::Derived { query, alias, columns } => {
                let plan = self.subquery(query)?;
                derived(plan, alias, columns)
            }
            TableRef::Function { name, arguments, alias, columns } => {
                let arguments: Vec<(Bound, Type)> = arguments.iter().map(|a| self.expr(a)).collect::<SqlResult<_>>()?;
                let (arguments, types): (Vec<Bound>, Vec<Type>) = arguments.into_iter().unzip();
                let ty = if name == "STRING_SPLIT" { Type::NVarChar(Some(4000)) } else { types[0].common(Type::Int) };
                let column = columns.first().cloned().unwrap_or_else(|| "value".to_owned());
                let qualifier = alias.clone().unwrap_or_else(|| name.clone());
                let mut scope =
                    Scope { columns: vec![ScopeColumn { qualifier: qualifier.clone(), name: column, ty, hidden: false }] };
                // STRING_SPLIT with a third argument that is not 0
                if name == "STRING_SPLIT" && matches!(arguments.get(2), Some(Bound::Constant(Value::Int(1)))) {
                    let ordinal = columns.get(1).cloned().unwrap_or_else(|| "ordinal".to_owned());
                    scope.columns.push(ScopeColumn { qualifier, name: ordinal, ty: Type::BigInt, hidden: false });
                }
                let width = scope.columns.len();
                Ok((FromPlan::leaf(Source::Function { name: name.clone(), arguments, types }, width), scope))
            }
            TableRef::UserFunction { name, arguments, alias, .. } if is_of_capture(name) => {
                self.changes(name, arguments, alias.as_deref())
            }
            TableRef::UserFunction { name, arguments, alias, columns } => {
                let function = self.user_function(name)?;
                let arguments = self.user_arguments(&function, arguments)?;
                let found = self.engine.table_function_columns(&function)?;
                if !columns.is_empty() && columns.len() != found.len() {
                    let message = format!("'{name}' has another number of columns than were specified in the column list.");
                    return Err(SqlError::new(8158, message));
                }
                let qualifier = alias.as_ref().unwrap_or(&name.name);
                let column = |(at, (name, ty)): (usize, (String, Type))| ScopeColumn {
                    qualifier: qualifier.clone(),
                    name: columns.get(at).cloned().unwrap_or(name),
                    ty,
                    hidden: false,
                };
                let scope = Scope { columns: found.into_iter().enumerate().map(column).collect() };
                let width = scope.columns.len();
                Ok((FromPlan::leaf(Source::UserFunction { function, arguments }, width), scope))
            }
            TableRef::OpenJson { json, path, columns, alias } => self.open_json(json, path.as_ref(), columns, alias.as_deref()),
            TableRef::Pivot { source, aggregate, column, values, alias } => self.pivot(source, aggregate, column, values, alias),
            TableRef::Unpivot { source, value, name, columns, alias } => self.unpivot(source, value, name, columns, alias),
            TableRef::Join { kind, left, right, on } => {
                let (left, mut scope) = self.from(left)?;
                let (right, right_scope) = self.from(right)?;
                Self::check_names(&scope, &right_scope)?;
                scope.columns.extend(right_scope.columns);
                let mut join = Join { kind: *kind, left, right, keys: Vec::new(), on: Vec::new(), filters: Vec::new() };
                if let Some(on) = on {
                    self.scopes.push(scope);
                    let bound = self.condition(on);
                    scope = self.scopes.pop().unwrap_or_default();
                    for condition in bound?.conjuncts() {
                        join.push_on(condition);
                    }
                }
                Ok((FromPlan::Join(Box::new(join)), scope))
            }
            TableRef::Apply { outer, left, right } => {
                let (left, scope) = self.from(left)?;
                self.scopes.push(scope);
                let right = self.from(right);
                let mut scope = self.scopes.pop().unwrap_or_default();
                let (right, right_scope) = right?;
                Self::check_names(&scope, &right_scope)?;
                scope.columns.extend(right_scope.columns);
                let (left, right) = (Box::new(left), Box::new(right));
                Ok((FromPlan::Apply { outer: *outer, left, right, filters: Vec::new() }, scope))
            }
        }
    }

    fn check_names(left: &Scope, right: &Scope) -> SqlResult<()> {
        let clash = left.columns.iter().find(|l| right.columns.iter().any(|r| same(&l.qualifier, &r.qualifier)));
        match clash {
            Some(column) => Err(SqlError::new(
                1011,
                format!("The correlation name '{}' is specified multiple times in a FROM clause.", column.qualifier),
            )),
            None => Ok(()),
        }
    }

    fn named(&mut self, name: &ObjectName, alias: Option<&str>) -> SqlResult<(FromPlan, Scope)> {
        let qualifier = alias.unwrap_or(&name.name);
        if name.schema.is_none()
            && name.database.is_none()
            && let Some(at) = self.ctes.iter().rposition(|cte| same(&cte.name, &name.name))
        {
            return self.cte(at, qualifier);
        }
        if let Some(table) = self.engine.session_table(&name.name) {
            return Ok(table_leaf(table, qualifier));
        }
        if let Some(rows) = self.engine.pseudo_table(&self.database, name)? {
            let columns = rows.columns.iter().map(|(name, ty)| ScopeColumn {
                qualifier: qualifier.to_owned(),
                name: name.clone(),
                ty: *ty,
                hidden: false,
            });
            let scope = Scope { columns: columns.collect() };
            let width = scope.columns.len();
            return Ok((FromPlan::leaf(Source::Rows(rows.rows), width), scope));
        }
        match self.engine.find_object(&self.database, name)? {
            Some(Object::Table(table)) => Ok(table_leaf(table, qualifier)),
            Some(Object::View(view)) => {
                if self.depth > 16 {
                    return Err(SqlError::unsupported("a view of more than 16 levels"));
                }
                let database = std::mem::replace(&mut self.database, view.database.clone());
                let (scopes, ctes) = (std::mem::take(&mut self.scopes), std::mem::take(&mut self.ctes));
                let lowest = self.lowest;
                self.depth += 1;
                let plan = self.subquery(&view.definition.query);
                self.depth -= 1;
                (self.database, self.scopes, self.ctes, self.lowest) = (database, scopes, ctes, lowest);
                derived(plan?, qualifier, &view.definition.columns)
            }
            _ => Err(self.engine.missing(name)),
        }
    }

    fn cte(&mut self, at: usize, qualifier: &str) -> SqlResult<(FromPlan, Scope)> {
        let cte = self.ctes[at].clone();
        match cte.kind {
            CteKind::Recursion { slot, columns } => {
                let columns: Vec<ScopeColumn> = columns
                    .into_iter()
                    .map(|(name, ty)| ScopeColumn { qualifier: qualifier.to_owned(), name, ty, hidden: false })
                    .collect();
                let width = columns.len();
                Ok((FromPlan::leaf(Source::Recursion(slot), width), Scope { columns }))
            }
            CteKind::Query(query) => {
                // It sees the names before it, and no columns from outside.
                let later = self.ctes.split_off(at);
                let scopes = std::mem::take(&mut self.scopes);
                let lowest = self.lowest;
                let plan = self.cte_query(&cte.name, &query);
                (self.scopes, self.lowest) = (scopes, lowest);
                self.ctes.extend(later);
                derived(plan?, qualifier, &query.columns)
            }
        }
    }
}

pub(crate) fn table_leaf(table: &Arc<Table>, qualifier: &str) -> (FromPlan, Scope) {
    let column =
        |name: &str, ty: Type, hidden: bool| ScopeColumn { qualifier: qualifier.to_owned(), name: name.to_owned(), ty, hidden };
    let mut columns = vec![column("$row", Type::BigInt, true)];
    columns.extend(table.columns.iter().map(|c| column(&c.name, c.ty, false)));
    let width = columns.len();
    let source = Source::Table { table: Arc::clone(table), lookups: Vec::new() };
    (FromPlan::leaf(source, width), Scope { columns })
}

fn derived(plan: Rc<SubPlan>, alias: &str, names: &[String]) -> SqlResult<(FromPlan, Scope)> {
    if !names.is_empty() && names.len() != plan.plan.columns.len() {
        return Err(SqlError::new(
            8158,
            format!("'{alias}' has another number of columns than were specified in the column list."),
        ));
    }
    let column = |(at, column): (usize, &super::query::OutputColumn)| ScopeColumn {
        qualifier: alias.to_owned(),
        name: names.get(at).unwrap_or(&column.name).clone(),
        ty: column.ty,
        hidden: false,
    };
    let columns: Vec<ScopeColumn> = plan.plan.columns.iter().enumerate().map(column).collect();
    let width = columns.len();
    Ok((FromPlan::leaf(Source::Query(plan), width), Scope { columns }))
}
