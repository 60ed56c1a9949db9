//! PIVOT and UNPIVOT, written as the grouped query and the APPLY that they stand for.

use super::super::catalog::same;
use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::{Aggregate, Body, Comparison, Expr, Query, Select, SelectItem, TableRef};
use super::super::syntax::text_literal;
use super::bind::{Binder, Scope, ScopeColumn};
use super::from::FromPlan;

fn plain(body: Body) -> Query {
    Query { ctes: Vec::new(), body, order: Vec::new(), offset: None, fetch: None, form: None }
}

fn select(items: Vec<SelectItem>, from: TableRef, filter: Option<Expr>, group: Vec<Expr>) -> Query {
    let select = Select { distinct: false, top: None, items, into: None, from: Some(from), filter, group, having: None };
    plain(Body::Select(Box::new(select)))
}

fn column(column: &ScopeColumn) -> Expr {
    Expr::Column(vec![column.qualifier.clone(), column.name.clone()])
}

fn item(value: Expr, alias: &str) -> SelectItem {
    SelectItem::Value { value, alias: Some(alias.to_owned()) }
}

/// The column of that name, or SQL Server's error.
fn find<'s>(scope: &'s Scope, name: &str) -> SqlResult<&'s ScopeColumn> {
    scope.columns.iter().find(|c| !c.hidden && same(&c.name, name)).ok_or_else(|| SqlError::unknown_column(name))
}

impl Binder<'_> {
    /// All columns but two are grouped by; each value has the aggregate over the rows that have it.
    pub(super) fn pivot(
        &mut self,
        source: &TableRef,
        aggregate: &Aggregate,
        pivoted: &str,
        values: &[String],
        alias: &str,
    ) -> SqlResult<(FromPlan, Scope)> {
        let (_, scope) = self.from(source)?;
        let by = find(&scope, pivoted)?;
        let Some(Expr::Column(argument)) = &aggregate.argument else {
            return Err(SqlError::unsupported("PIVOT by an aggregate of other than a column"));
        };
        let argument = find(&scope, argument.last().map_or("", String::as_str))?;
        let others = || scope.columns.iter().filter(|c| !c.hidden && !same(&c.name, &by.name) && !same(&c.name, &argument.name));
        let mut items: Vec<SelectItem> = others().map(|c| item(column(c), &c.name)).collect();
        for value in values {
            let is_it = Expr::Compare(Comparison::Equal, Box::new(column(by)), Box::new(text_literal(value, true)));
            let own = Expr::Case { operand: None, branches: vec![(is_it, column(argument))], otherwise: None };
            let own = Aggregate { argument: Some(own), ..aggregate.clone() };
            items.push(item(Expr::Aggregate(Box::new(own)), value));
        }
        let group = others().map(column).collect();
        let query = Box::new(select(items, source.clone(), None, group));
        self.from(&TableRef::Derived { query, alias: alias.to_owned(), columns: Vec::new() })
    }

    /// Each of the columns gives a row with its name and its value, unless that is NULL.
    pub(super) fn unpivot(
        &mut self,
        source: &TableRef,
        value: &str,
        name: &str,
        columns: &[String],
        alias: &str,
    ) -> SqlResult<(FromPlan, Scope)> {
        const TURNED: &str = "$unpivot";
        let (_, scope) = self.from(source)?;
        let rows = columns.iter().map(|wanted| Ok(vec![column(find(&scope, wanted)?), text_literal(wanted, true)]));
        let rows = plain(Body::Values(rows.collect::<SqlResult<_>>()?));
        let turned = TableRef::Derived {
            query: Box::new(rows),
            alias: TURNED.to_owned(),
            columns: vec![value.to_owned(), name.to_owned()],
        };
        let from = TableRef::Apply { outer: false, left: Box::new(source.clone()), right: Box::new(turned) };
        let others = scope.columns.iter().filter(|c| !c.hidden && !columns.iter().any(|turned| same(turned, &c.name)));
        let mut items: Vec<SelectItem> = others.map(|c| item(column(c), &c.name)).collect();
        let of_turned = |name: &str| Expr::Column(vec![TURNED.to_owned(), name.to_owned()]);
        items.extend([value, name].map(|name| item(of_turned(name), name)));
        let filter = Expr::IsNull { value: Box::new(of_turned(value)), negated: true };
        let query = Box::new(select(items, from, Some(filter), Vec::new()));
        self.from(&TableRef::Derived { query, alias: alias.to_owned(), columns: Vec::new() })
    }
}
