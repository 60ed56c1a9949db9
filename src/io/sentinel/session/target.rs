//! The rows that an UPDATE, DELETE or MERGE writes to.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::catalog::{Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env, FromPlan, Scope, ScopeColumn, Source};
use super::super::store::Row;
use super::super::syntax::ast::{Cte, Expr, JoinKind, ObjectName, TableRef, Top};
use super::super::value::{Type, Value};
use super::write::row_id;

/// The rows of the table that a statement writes to, joined with what else stands in its FROM.
pub(super) struct Target {
    pub(super) table: Arc<Table>,
    pub(super) from: FromPlan,
    pub(super) scope: Scope,
    /// Where the row id stands in a joined row.
    pub(super) row_at: usize,
    /// Whether the table's columns follow the row id.
    pub(super) whole: bool,
}

impl Engine {
    pub(super) fn top_count(&self, top: &Top, rows: usize) -> SqlResult<usize> {
        let count = match self.value(&top.count, Type::BigInt)? {
            Value::Int(n) => usize::try_from(n).unwrap_or(0),
            _ => {
                return Err(SqlError::new(
                    1060,
                    "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
                ));
            }
        };
        Ok(if top.percent { (rows * count.min(100)).div_ceil(100) } else { count })
    }

    pub(super) fn target(
        &self,
        binder: &mut Binder<'_>,
        name: &ObjectName,
        from: Option<&TableRef>,
        ctes: &[Cte],
    ) -> SqlResult<Target> {
        let bare = name.schema.is_none() && name.database.is_none();
        if let (true, Some(cte), None) = (bare, ctes.iter().find(|cte| same(&cte.name, &name.name)), from) {
            return self.cte_target(binder, cte);
        }
        let alone;
        let from = match from {
            None => {
                alone = TableRef::Named { name: name.clone(), alias: None };
                &alone
            }
            Some(from) if referred(from, name).is_some() => from,
            Some(from) => {
                // The table does not stand in FROM: each of its rows meets all rows there.
                let left = Box::new(TableRef::Named { name: name.clone(), alias: None });
                alone = TableRef::Join { kind: JoinKind::Inner, left, right: Box::new(from.clone()), on: None };
                &alone
            }
        };
        let Some((table_name, qualifier)) = referred(from, name) else { return Err(self.missing(name)) };
        if let (true, Some(cte)) = (bare, ctes.iter().find(|cte| same(&cte.name, &table_name.name))) {
            return Err(SqlError::unsupported(format!("writing through {} together with FROM", cte.name)));
        }
        let table = self.table(self.current_database(), &table_name)?;
        let (from, scope) = binder.from(from)?;
        let row_at = scope.columns.iter().position(|c| c.hidden && same(&c.qualifier, &qualifier));
        let row_at = row_at.ok_or_else(|| SqlError::unsupported(format!("writing through {name}")))?;
        Ok(Target { table, from, scope, row_at, whole: true })
    }

    /// A WITH query that rows are deleted or updated through: it must read one table.
    fn cte_target(&self, binder: &mut Binder<'_>, cte: &Cte) -> SqlResult<Target> {
        use super::super::syntax::ast::Body;
        let refused = || {
            SqlError::unsupported(format!("writing through {}, which is not a plain SELECT from a table", cte.name))
                .with_hint("write to the table itself, and name the rows with EXISTS or a join")
        };
        let Body::Select(select) = &cte.query.body else { return Err(refused()) };
        let mut leftmost = select.from.as_ref().ok_or_else(refused)?;
        while let TableRef::Join { left, .. } | TableRef::Apply { left, .. } = leftmost {
            leftmost = left;
        }
        let TableRef::Named { name, .. } = leftmost else { return Err(refused()) };
        if !select.group.is_empty() || select.distinct {
            return Err(refused());
        }
        let table = self.table(self.current_database(), name)?;
        binder.expose_row = true;
        let plan = binder.subquery(&cte.query)?;
        let name_of = |(at, column): (usize, &super::super::plan::OutputColumn)| ScopeColumn {
            qualifier: cte.name.clone(),
            name: at.checked_sub(1).and_then(|at| cte.columns.get(at)).unwrap_or(&column.name).clone(),
            ty: column.ty,
            hidden: at == 0,
        };
        let scope = Scope { columns: plan.plan.columns.iter().enumerate().map(name_of).collect() };
        let width = scope.columns.len();
        Ok(Target { table, from: FromPlan::leaf(Source::Query(plan), width), scope, row_at: 0, whole: false })
    }

    /// The joined rows, each row of the table once.
    pub(super) fn target_rows(
        &self,
        binder: &mut Binder<'_>,
        target: &mut Target,
        filter: Option<&Expr>,
        top: Option<&Top>,
    ) -> SqlResult<Vec<Row>> {
        if let Some(filter) = filter {
            binder.scopes.push(std::mem::take(&mut target.scope));
            let bound = binder.condition(filter);
            target.scope = binder.scopes.pop().unwrap_or_default();
            bound?.conjuncts().into_iter().for_each(|condition| target.from.push(condition));
        }
        let mut rows = target.from.run(&Env::new(self), usize::MAX)?;
        let mut seen = HashSet::new();
        rows.retain(|row| match row.get(target.row_at) {
            Some(Value::Int(id)) => seen.insert(*id),
            _ => false,
        });
        if let Some(top) = top {
            rows.truncate(self.top_count(top, rows.len())?);
        }
        rows.truncate(self.session.options.most_rows.unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// The table's own row out of a joined one.
    pub(super) fn own_row(&self, target: &Target, joined: &Row) -> SqlResult<Row> {
        if target.whole {
            return Ok(joined[target.row_at..=target.row_at + target.table.columns.len()].to_vec());
        }
        let id = row_id(&joined[target.row_at..].to_vec());
        self.store().row(&target.table, id)?.ok_or_else(|| SqlError::unknown_object(&target.table.name))
    }
}

/// The table in FROM that an UPDATE or DELETE names, by alias or by name, and its qualifier there.
fn referred(from: &TableRef, target: &ObjectName) -> Option<(ObjectName, String)> {
    fn all<'t>(from: &'t TableRef, found: &mut Vec<(&'t ObjectName, Option<&'t String>)>) {
        match from {
            TableRef::Named { name, alias } => found.push((name, alias.as_ref())),
            TableRef::Join { left, right, .. } | TableRef::Apply { left, right, .. } => {
                all(left, found);
                all(right, found);
            }
            TableRef::Derived { .. }
            | TableRef::Function { .. }
            | TableRef::UserFunction { .. }
            | TableRef::OpenJson { .. }
            | TableRef::Pivot { .. }
            | TableRef::Unpivot { .. } => {}
        }
    }
    let mut tables = Vec::new();
    all(from, &mut tables);
    let bare = target.schema.is_none() && target.database.is_none();
    let by_alias = tables.iter().find(|(_, alias)| bare && alias.is_some_and(|alias| same(alias, &target.name)));
    let by_name = || tables.iter().find(|(name, _)| same(&name.name, &target.name));
    let (name, alias) = by_alias.or_else(by_name)?;
    Some(((*name).clone(), alias.map_or_else(|| name.name.clone(), |alias| (*alias).clone())))
}
