//! Binding queries.

use std::rc::Rc;

use super::super::catalog::same;
use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::{Body, Cte, Expr, OrderItem, Query, Select, SelectItem, SetOperator, Top};
use super::super::value::{Type, Value};
use super::aggregate::AggregatePlan;
use super::bind::{Binder, Collected, Scope};
use super::expr::{Bound, SubPlan};
use super::form::FormPlan;
use super::from::FromPlan;
use super::operators::{arithmetic, cast, convert};
use super::window::WindowPlan;

#[derive(Clone, Debug)]
pub(crate) struct OutputColumn {
    /// Empty when it has none.
    pub(crate) name: String,
    pub(crate) ty: Type,
}

#[derive(Debug)]
pub(crate) struct QueryPlan {
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) body: BodyPlan,
    /// Of a union; a plain SELECT sorts by itself.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) offset: Option<Bound>,
    pub(crate) fetch: Option<Bound>,
    pub(crate) form: Option<FormPlan>,
}

#[derive(Debug)]
pub(crate) enum BodyPlan {
    Select(Box<SelectPlan>),
    Nested(Box<QueryPlan>),
    Values(Vec<Vec<Bound>>),
    Set { operator: SetOperator, left: Box<Side>, right: Box<Side> },
    Recursive { slot: usize, first: Box<Side>, step: Box<Side> },
}

/// One side of a union, and what makes its columns the union's.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) body: BodyPlan,
    pub(crate) from: Vec<Type>,
    pub(crate) to: Vec<Type>,
}

#[derive(Debug)]
pub(crate) struct SelectPlan {
    pub(crate) from: Option<FromPlan>,
    /// Conditions that cannot be pushed into FROM.
    pub(crate) filter: Vec<Bound>,
    /// `None` when the query is not grouped.
    pub(crate) group: Option<Vec<Bound>>,
    pub(crate) having: Option<Bound>,
    pub(crate) aggregates: Vec<AggregatePlan>,
    pub(crate) windows: Vec<WindowPlan>,
    pub(crate) items: Vec<Bound>,
    /// `SELECT @a = …`: the variable of each item.
    pub(crate) assigns: Vec<String>,
    pub(crate) order: Vec<(SortKey, bool)>,
    pub(crate) distinct: bool,
    pub(crate) top: Option<TopPlan>,
}

#[derive(Debug)]
pub(crate) enum SortKey {
    Output(usize),
    Value(Bound),
}

#[derive(Debug)]
pub(crate) struct TopPlan {
    pub(crate) count: Bound,
    pub(crate) percent: bool,
    pub(crate) ties: bool,
}

/// A name that WITH gives to a query.
#[derive(Clone, Debug)]
pub(crate) struct CteScope {
    pub(crate) name: String,
    pub(crate) kind: CteKind,
}

#[derive(Clone, Debug)]
pub(crate) enum CteKind {
    Query(Rc<Cte>),
    /// Inside its own definition.
    Recursion {
        slot: usize,
        columns: Vec<(String, Type)>,
    },
}

impl Binder<'_> {
    pub(crate) fn query(&mut self, query: &Query) -> SqlResult<QueryPlan> {
        let names = self.ctes.len();
        self.add_ctes(&query.ctes);
        let plan = self.query_body(query);
        self.ctes.truncate(names);
        plan
    }

    pub(crate) fn add_ctes(&mut self, ctes: &[Cte]) {
        for cte in ctes {
            let kind = CteKind::Query(Rc::new(cte.clone()));
            self.ctes.push(CteScope { name: cte.name.clone(), kind });
        }
    }

    fn query_body(&mut self, query: &Query) -> SqlResult<QueryPlan> {
        let (body, columns) = self.body(&query.body, &query.order)?;
        let mut order = Vec::new();
        if !matches!(body, BodyPlan::Select(_)) {
            for item in &query.order {
                order.push((output_index(&item.value, &columns)?, item.descending));
            }
        }
        let offset = query.offset.as_ref().map(|e| self.condition(e)).transpose()?;
        let fetch = query.fetch.as_ref().map(|e| self.condition(e)).transpose()?;
        let plan = QueryPlan { columns, body, order, offset, fetch, form: None };
        Ok(match &query.form {
            Some(form) => plan.formed(form.clone(), query),
            None => plan,
        })
    }

    fn body(&mut self, body: &Body, order: &[OrderItem]) -> SqlResult<(BodyPlan, Vec<OutputColumn>)> {
        match body {
            Body::Select(select) => self.select(select, order),
            Body::Nested(query) => {
                let plan = self.query(query)?;
                let columns = plan.columns.clone();
                Ok((BodyPlan::Nested(Box::new(plan)), columns))
            }
            Body::Values(rows) => {
                let rows: Vec<Vec<(Bound, Type)>> = rows
                    .iter()
                    .map(|row| row.iter().map(|e| self.expr(e)).collect::<SqlResult<_>>())
                    .collect::<SqlResult<_>>()?;
                let width = rows.first().map_or(0, Vec::len);
                let ty = |at: usize| rows.iter().fold(Type::Null, |ty, row| ty.common(row[at].1));
                let types: Vec<Type> = (0..width).map(ty).collect();
                let columns = types.iter().map(|ty| OutputColumn { name: String::new(), ty: *ty }).collect();
                let row = |row: Vec<(Bound, Type)>| {
                    row.into_iter().zip(&types).map(|((bound, from), to)| convert(bound, from, *to)).collect()
                };
                Ok((BodyPlan::Values(rows.into_iter().map(row).collect()), columns))
            }
            Body::Set { operator, left, right } => {
                let left = self.body(left, &[])?;
                let right = self.body(right, &[])?;
                let (left, right, columns) = sides(left, right)?;
                Ok((BodyPlan::Set { operator: *operator, left: Box::new(left), right: Box::new(right) }, columns))
            }
        }
    }

    /// The query that a name of WITH stands for; one that names itself is recursive.
    pub(crate) fn cte_query(&mut self, name: &str, cte: &Cte) -> SqlResult<Rc<SubPlan>> {
        let recursive = match &cte.query.body {
            Body::Set { operator: SetOperator::UnionAll, left, right } if names_table(right, name) => Some((left, right)),
            _ => None,
        };
        let Some((left, right)) = recursive else { return self.subquery(&cte.query) };
        let (first, columns) = self.body(left, &[])?;
        let slot = self.engine.new_recursion();
        let named =
            columns.iter().enumerate().map(|(at, column)| (cte.columns.get(at).unwrap_or(&column.name).clone(), column.ty));
        self.ctes.push(CteScope { name: name.to_owned(), kind: CteKind::Recursion { slot, columns: named.collect() } });
        let step = self.body(right, &[]);
        self.ctes.pop();
        let (step, step_columns) = step?;
        if step_columns.len() != columns.len() {
            return Err(SqlError::new(
                205,
                "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
            ));
        }
        let to: Vec<Type> = columns.iter().map(|column| column.ty).collect();
        let from = step_columns.iter().map(|column| column.ty).collect();
        let first = Box::new(Side { body: first, from: to.clone(), to: to.clone() });
        let step = Box::new(Side { body: step, from, to });
        let body = BodyPlan::Recursive { slot, first, step };
        let plan = QueryPlan { columns, body, order: Vec::new(), offset: None, fetch: None, form: None };
        let (rows, keys) = Default::default();
        Ok(Rc::new(SubPlan { plan, correlated: false, rows, keys }))
    }

    fn select(&mut self, select: &Select, order: &[OrderItem]) -> SqlResult<(BodyPlan, Vec<OutputColumn>)> {
        let (mut from, scope) = match &select.from {
            Some(from) => {
                let (from, scope) = self.from(from)?;
                (Some(from), scope)
            }
            None => (None, Scope::default()),
        };
        let row = if std::mem::take(&mut self.expose_row) { scope.columns.iter().position(|c| c.hidden) } else { None };
        self.scopes.push(scope);
        self.collected.push(Collected::default());
        let bound = self.select_parts(select, order, from.as_mut());
        let collected = self.collected.pop().unwrap_or_default();
        self.scopes.pop();
        let (mut plan, mut columns) = bound?;
        if let Some(index) = row {
            plan.items.insert(0, Bound::Column { depth: 0, index });
            columns.insert(0, OutputColumn { name: "$row".to_owned(), ty: Type::BigInt });
            for (key, _) in &mut plan.order {
                if let SortKey::Output(at) = key {
                    *at += 1;
                }
            }
        }
        plan.from = from;
        plan.aggregates = collected.aggregates;
        plan.windows = collected.windows;
        if plan.group.is_none() && (!plan.aggregates.is_empty() || plan.having.is_some()) {
            plan.group = Some(Vec::new());
        }
        Ok((BodyPlan::Select(Box::new(plan)), columns))
    }

    fn select_parts(
        &mut self,
        select: &Select,
        order: &[OrderItem],
        from: Option<&mut FromPlan>,
    ) -> SqlResult<(SelectPlan, Vec<OutputColumn>)> {
        let mut filter = Vec::new();
        if let Some(condition) = &select.filter {
            // Conditions have no aggregates of this query.
            let outside = std::mem::take(&mut self.collected);
            let bound = self.condition(condition);
            self.collected = outside;
            match from {
                Some(from) => bound?.conjuncts().into_iter().for_each(|condition| from.push(condition)),
                None => filter.push(bound?),
            }
        }
        let mut group = Vec::new();
        for expr in &select.group {
            group.push(self.expr(expr)?.0);
        }
        let group = (!group.is_empty()).then_some(group);
        let having = select.having.as_ref().map(|e| self.condition(e)).transpose()?;
        let (mut items, mut columns, mut assigns) = (Vec::new(), Vec::new(), Vec::new());
        for item in &select.items {
            self.select_item(item, &mut items, &mut columns, &mut assigns)?;
        }
        if !assigns.is_empty() && assigns.len() != items.len() {
            return Err(SqlError::new(
                141,
                "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
            ));
        }
        let mut sort = Vec::new();
        for item in order {
            let key = match output_index(&item.value, &columns) {
                Ok(at) if sorts_by_output(&item.value, &select.items) => SortKey::Output(at),
                Err(error) if matches!(item.value, Expr::Literal(Value::Int(_), _)) => return Err(error),
                _ => match select.items.iter().position(|i| matches!(i, SelectItem::Value { value, .. } if *value == item.value))
                {
                    Some(at) if !select.items[..at].iter().any(|i| matches!(i, SelectItem::All(_))) => SortKey::Output(at),
                    _ if select.distinct => {
                        return Err(SqlError::new(
                            145,
                            "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
                        ));
                    }
                    _ => SortKey::Value(self.expr(&item.value)?.0),
                },
            };
            sort.push((key, item.descending));
        }
        let top = match &select.top {
            Some(Top { count, percent, ties }) => {
                let (count, from) = self.expr(count)?;
                let count = convert(count, from, if *percent { Type::Float } else { Type::BigInt });
                Some(TopPlan { count, percent: *percent, ties: *ties })
            }
            None => None,
        };
        let plan = SelectPlan {
            from: None,
            filter,
            group,
            having,
            aggregates: Vec::new(),
            windows: Vec::new(),
            items,
            assigns,
            order: sort,
            distinct: select.distinct,
            top,
        };
        Ok((plan, columns))
    }

    /// One item of a select list or of OUTPUT.
    pub(crate) fn select_item(
        &mut self,
        item: &SelectItem,
        items: &mut Vec<Bound>,
        columns: &mut Vec<OutputColumn>,
        assigns: &mut Vec<String>,
    ) -> SqlResult<()> {
        match item {
            SelectItem::All(qualifier) => {
                let scope = self.scopes.last().cloned().unwrap_or_default();
                let before = items.len();
                for (index, column) in scope.columns.iter().enumerate() {
                    if column.hidden || qualifier.as_ref().is_some_and(|q| !same(q, &column.qualifier)) {
                        continue;
                    }
                    items.push(Bound::Column { depth: 0, index });
                    columns.push(OutputColumn { name: column.name.clone(), ty: column.ty });
                }
                if items.len() == before {
                    let prefix = qualifier.as_deref().unwrap_or("*");
                    return Err(SqlError::new(
                        107,
                        format!("The column prefix '{prefix}' does not match with a table name or alias name used in the query."),
                    ));
                }
                self.lowest = self.lowest.min(self.scopes.len().saturating_sub(1));
            }
            SelectItem::Value { value, alias } => {
                let (bound, ty) = self.expr(value)?;
                let name = match (alias, value) {
                    (Some(alias), _) => alias.clone(),
                    (None, Expr::Column(parts)) => parts.last().cloned().unwrap_or_default(),
                    _ => String::new(),
                };
                items.push(bound);
                columns.push(OutputColumn { name, ty });
            }
            SelectItem::Assign { variable, operator, value } => {
                let to = self.engine.variable_type(variable)?;
                let (mut bound, mut ty) = self.expr(value)?;
                if let Some(operator) = operator {
                    (bound, ty) = arithmetic(*operator, (Bound::Variable(variable.clone()), to), (bound, ty))?;
                }
                items.push(if ty.is_text() && to.is_text() {
                    // Text that is too long is cut when it is assigned to a variable.
                    cast(bound, ty, to)
                } else {
                    convert(bound, ty, to)
                });
                columns.push(OutputColumn { name: variable.clone(), ty: to });
                assigns.push(variable.clone());
            }
        }
        Ok(())
    }
}

/// Whether a body reads a table of this name.
fn names_table(body: &Body, name: &str) -> bool {
    use super::super::syntax::ast::TableRef;
    fn in_from(table: &TableRef, name: &str) -> bool {
        match table {
            TableRef::Named { name: table, .. } => table.schema.is_none() && same(&table.name, name),
            TableRef::Derived { query, .. } => names_table(&query.body, name),
            TableRef::Function { .. } | TableRef::UserFunction { .. } | TableRef::OpenJson { .. } => false,
            TableRef::Pivot { source, .. } | TableRef::Unpivot { source, .. } => in_from(source, name),
            TableRef::Join { left, right, .. } | TableRef::Apply { left, right, .. } => {
                in_from(left, name) || in_from(right, name)
            }
        }
    }
    match body {
        Body::Select(select) => select.from.as_ref().is_some_and(|from| in_from(from, name)),
        Body::Nested(query) => names_table(&query.body, name),
        Body::Values(_) => false,
        Body::Set { left, right, .. } => names_table(left, name) || names_table(right, name),
    }
}

fn sides(
    (left, left_columns): (BodyPlan, Vec<OutputColumn>),
    (right, right_columns): (BodyPlan, Vec<OutputColumn>),
) -> SqlResult<(Side, Side, Vec<OutputColumn>)> {
    if left_columns.len() != right_columns.len() {
        return Err(SqlError::new(
            205,
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
        ));
    }
    let columns: Vec<OutputColumn> = left_columns
        .iter()
        .zip(&right_columns)
        .map(|(l, r)| OutputColumn { name: l.name.clone(), ty: l.ty.common(r.ty) })
        .collect();
    let to: Vec<Type> = columns.iter().map(|column| column.ty).collect();
    let types = |columns: &[OutputColumn]| columns.iter().map(|column| column.ty).collect();
    let left = Side { body: left, from: types(&left_columns), to: to.clone() };
    let right = Side { body: right, from: types(&right_columns), to };
    Ok((left, right, columns))
}

/// The output column that an ORDER BY item names, by place or by name.
fn output_index(item: &Expr, columns: &[OutputColumn]) -> SqlResult<usize> {
    match item {
        Expr::Literal(Value::Int(place), _) => {
            let at = usize::try_from(*place - 1).ok().filter(|at| *at < columns.len());
            at.ok_or_else(|| {
                SqlError::new(
                    108,
                    format!("The ORDER BY position number {place} is out of range of the number of items in the select list."),
                )
            })
        }
        Expr::Column(parts) if parts.len() == 1 => {
            let at = columns.iter().position(|column| same(&column.name, &parts[0]));
            at.ok_or_else(|| SqlError::unknown_column(&parts[0]))
        }
        _ => Err(SqlError::new(
            104,
            "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.",
        )),
    }
}

/// A name in ORDER BY means an alias of the select list before it means a column.
fn sorts_by_output(item: &Expr, items: &[SelectItem]) -> bool {
    match item {
        Expr::Literal(..) => true,
        Expr::Column(parts) => {
            items.iter().any(|item| matches!(item, SelectItem::Value { alias: Some(alias), .. } if same(alias, &parts[0])))
        }
        _ => false,
    }
}
