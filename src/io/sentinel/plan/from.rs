//! What stands in FROM: binding it, pushing conditions down to it, and running it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::catalog::{Object, Table, same};
use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::syntax::ast::{Comparison, JoinKind, ObjectName, TableRef};
use super::super::value::compare::Key;
use super::super::value::{Type, Value};
use super::bind::{Binder, Scope, ScopeColumn};
use super::eval::Env;
use super::expr::{Bound, SubPlan};
use super::query::CteKind;

/// A join of more rows is taken for a mistake: rows are held in memory.
const MAX_JOINED_ROWS: usize = 4_000_000;

/// Up to so many rows on the left, a join looks its partners up one by one instead of reading the whole table.
const LOOKUP_JOIN_ROWS: usize = 200;

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
    kind: JoinKind,
    left: FromPlan,
    right: FromPlan,
    /// Equalities between the sides: the right one on the right side's own row.
    keys: Vec<(Bound, Bound)>,
    on: Vec<Bound>,
    filters: Vec<Bound>,
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
                let scope = Scope { columns: vec![ScopeColumn { qualifier, name: column, ty, hidden: false }] };
                Ok((FromPlan::leaf(Source::Function { name: name.clone(), arguments, types }, 1), scope))
            }
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
                let plan = self.subquery(&view.query);
                self.depth -= 1;
                (self.database, self.scopes, self.ctes, self.lowest) = (database, scopes, ctes, lowest);
                derived(plan?, qualifier, &view.columns)
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

impl FromPlan {
    /// Takes a condition on the whole row as far down as it may go.
    pub(crate) fn push(&mut self, condition: Bound) {
        match self {
            Self::Leaf { source, filters, .. } => {
                if let Source::Table { lookups, .. } = source {
                    lookups.extend(lookup(&condition));
                }
                filters.push(condition);
            }
            Self::Join(join) => join.push_where(condition),
            Self::Apply { left, filters, .. } => match condition.columns() {
                Ok(Some((_, high))) if high < left.width() => left.push(condition),
                _ => filters.push(condition),
            },
        }
    }
}

/// `column = value`, where the value does not hang on the row: a look-up by that column.
fn lookup(condition: &Bound) -> Option<(usize, Bound)> {
    let Bound::Compare(Comparison::Equal, pair) = condition else { return None };
    let (column, value) = match (&pair.0, &pair.1) {
        (Bound::Column { depth: 0, index }, value) | (value, Bound::Column { depth: 0, index }) => (*index, value),
        _ => return None,
    };
    // The row id comes first.
    let column = column.checked_sub(1)?;
    (value.columns() == Ok(None)).then(|| (column, value.clone()))
}

impl Join {
    /// A condition of WHERE.
    fn push_where(&mut self, condition: Bound) {
        let width = self.left.width();
        match condition.columns() {
            Ok(Some((_, high))) if high < width && matches!(self.kind, JoinKind::Inner | JoinKind::Left) => {
                self.left.push(condition);
            }
            Ok(Some((low, _))) if low >= width && matches!(self.kind, JoinKind::Inner | JoinKind::Right) => {
                self.right.push(condition.shifted(width));
            }
            Ok(Some(_)) if self.kind == JoinKind::Inner => self.push_on(condition),
            _ => self.filters.push(condition),
        }
    }

    /// A condition of ON.
    fn push_on(&mut self, condition: Bound) {
        let width = self.left.width();
        match condition.columns() {
            Ok(Some((_, high))) if high < width && matches!(self.kind, JoinKind::Inner | JoinKind::Right) => {
                self.left.push(condition);
            }
            Ok(Some((low, _))) if low >= width && matches!(self.kind, JoinKind::Inner | JoinKind::Left) => {
                self.right.push(condition.shifted(width));
            }
            _ => match key(&condition, width) {
                Some(key) => self.keys.push(key),
                None => self.on.push(condition),
            },
        }
    }

    fn run(&self, env: &Env<'_>, limit: usize) -> SqlResult<Vec<Row>> {
        if self.kind == JoinKind::Inner && self.keys.is_empty() && self.on.is_empty() && self.filters.is_empty() {
            return self.run_product(env, limit);
        }
        let left = self.left.run(env, usize::MAX)?;
        if let Some(rows) = self.run_lookups(env, &left)? {
            return Ok(rows);
        }
        let right = self.right.run(env, usize::MAX)?;
        let mut index: HashMap<Vec<Key>, Vec<usize>> = HashMap::new();
        for (at, row) in right.iter().enumerate() {
            let env = env.with_row(row);
            if let Some(key) = join_key(&env, self.keys.iter().map(|(_, right)| right))? {
                index.entry(key).or_default().push(at);
            }
        }
        let mut joined = Vec::new();
        let mut matched = vec![false; right.len()];
        let none = Vec::new();
        for row in &left {
            let key = join_key(&env.with_row(row), self.keys.iter().map(|(left, _)| left))?;
            let candidates = key.as_ref().and_then(|key| index.get(key)).unwrap_or(&none);
            let mut found = false;
            for at in candidates {
                let both: Row = row.iter().chain(&right[*at]).cloned().collect();
                if holds_all(env, &both, &self.on)? {
                    found = true;
                    matched[*at] = true;
                    joined.push(both);
                    check_size(&joined)?;
                }
            }
            if !found && matches!(self.kind, JoinKind::Left | JoinKind::Full) {
                joined.push(row.iter().cloned().chain(nulls(self.right.width())).collect());
            }
        }
        if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
            let alone = right.iter().zip(&matched).filter(|(_, matched)| !**matched);
            joined.extend(alone.map(|(row, _)| nulls(self.left.width()).chain(row.iter().cloned()).collect()));
        }
        filtered(env, joined, &self.filters)
    }

    /// Every row with every row.
    fn run_product(&self, env: &Env<'_>, limit: usize) -> SqlResult<Vec<Row>> {
        let (left, right) = (self.left.run(env, limit)?, self.right.run(env, limit)?);
        let mut joined: Vec<Row> = Vec::new();
        for row in &left {
            for other in &right {
                if joined.len() >= limit {
                    return Ok(joined);
                }
                joined.push(row.iter().chain(other).cloned().collect());
            }
            check_size(&joined)?;
        }
        Ok(joined)
    }

    /// For few rows on the left and a table on the right: looks the partners up. `None` when that does not fit.
    fn run_lookups(&self, env: &Env<'_>, left: &[Row]) -> SqlResult<Option<Vec<Row>>> {
        let FromPlan::Leaf { source: Source::Table { table, lookups }, filters, width } = &self.right else {
            return Ok(None);
        };
        let by = self.keys.iter().find_map(|(left, right)| match right {
            Bound::Column { depth: 0, index } if *index > 0 => Some((index - 1, left)),
            _ => None,
        });
        let (Some((column, value)), true) = (by, lookups.is_empty() && left.len() <= LOOKUP_JOIN_ROWS) else {
            return Ok(None);
        };
        if !matches!(self.kind, JoinKind::Inner | JoinKind::Left) {
            return Ok(None);
        }
        let mut joined = Vec::new();
        for row in left {
            let here = env.with_row(row);
            let value = here.eval(value)?;
            let partners = if value.is_null() { Vec::new() } else { env.engine.store().scan(table, &[(column, value)])? };
            let key = join_key(&here, self.keys.iter().map(|(left, _)| left))?;
            let mut found = false;
            for partner in filtered(env, partners, filters)? {
                if join_key(&env.with_row(&partner), self.keys.iter().map(|(_, right)| right))? != key {
                    continue;
                }
                let both: Row = row.iter().cloned().chain(partner).collect();
                if holds_all(env, &both, &self.on)? {
                    found = true;
                    joined.push(both);
                }
            }
            if !found && self.kind == JoinKind::Left {
                joined.push(row.iter().cloned().chain(nulls(*width)).collect());
            }
        }
        filtered(env, joined, &self.filters).map(Some)
    }
}

/// An equality between the two sides of a join.
fn key(condition: &Bound, width: usize) -> Option<(Bound, Bound)> {
    let Bound::Compare(Comparison::Equal, pair) = condition else { return None };
    let side = |bound: &Bound| match bound.columns() {
        Ok(Some((_, high))) if high < width => Some(false),
        Ok(Some((low, _))) if low >= width => Some(true),
        _ => None,
    };
    match (side(&pair.0)?, side(&pair.1)?) {
        (false, true) => Some((pair.0.clone(), pair.1.clone().shifted(width))),
        (true, false) => Some((pair.1.clone(), pair.0.clone().shifted(width))),
        _ => None,
    }
}

/// The values to join by; `None` when one is NULL, which equals nothing.
fn join_key<'b>(env: &Env<'_>, parts: impl Iterator<Item = &'b Bound>) -> SqlResult<Option<Vec<Key>>> {
    let mut key = Vec::new();
    for part in parts {
        let value = env.eval(part)?;
        if value.is_null() {
            return Ok(None);
        }
        key.push(Key::of(&value));
    }
    Ok(Some(key))
}

fn check_size(rows: &[Row]) -> SqlResult<()> {
    if rows.len() <= MAX_JOINED_ROWS {
        return Ok(());
    }
    Err(SqlError::unsupported("a join of more than four million rows")
        .with_hint("TOP where the tables are joined keeps it small"))
}

fn nulls(count: usize) -> impl Iterator<Item = Value> {
    std::iter::repeat_n(Value::Null, count)
}

fn holds_all(env: &Env<'_>, row: &[Value], conditions: &[Bound]) -> SqlResult<bool> {
    let env = env.with_row(row);
    for condition in conditions {
        if !env.holds(condition)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn filtered(env: &Env<'_>, rows: Vec<Row>, conditions: &[Bound]) -> SqlResult<Vec<Row>> {
    if conditions.is_empty() {
        return Ok(rows);
    }
    let mut kept = Vec::new();
    for row in rows {
        if holds_all(env, &row, conditions)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

impl FromPlan {
    /// All rows, or the first so many. The environment's own row is empty; the rows outside are around it.
    pub(crate) fn run(&self, env: &Env<'_>, limit: usize) -> SqlResult<Vec<Row>> {
        match self {
            Self::Leaf { source, filters, .. } => {
                let mut rows = filtered(env, source.run(env)?, filters)?;
                rows.truncate(limit);
                Ok(rows)
            }
            Self::Join(join) => join.run(env, limit),
            Self::Apply { outer, left, right, filters } => {
                let mut joined = Vec::new();
                for row in left.run(env, usize::MAX)? {
                    let here = env.with_row(&row);
                    let inner = Env { outer: Some(&here), ..Env::new(env.engine) };
                    let partners = right.run(&inner, usize::MAX)?;
                    if partners.is_empty() && *outer {
                        joined.push(row.iter().cloned().chain(nulls(right.width())).collect());
                    }
                    joined.extend(partners.into_iter().map(|p| row.iter().cloned().chain(p).collect::<Row>()));
                }
                filtered(env, joined, filters)
            }
        }
    }
}

impl Source {
    fn run(&self, env: &Env<'_>) -> SqlResult<Vec<Row>> {
        match self {
            Self::Table { table, lookups } => {
                let mut equal = Vec::with_capacity(lookups.len());
                for (column, value) in lookups {
                    let value = env.eval(value)?;
                    if value.is_null() {
                        return Ok(Vec::new());
                    }
                    equal.push((*column, value));
                }
                env.engine.store().scan(table, &equal)
            }
            Self::Rows(rows) => Ok(rows.as_ref().clone()),
            Self::Recursion(slot) => Ok(env.engine.recursion(*slot)),
            Self::Query(query) => {
                if let Some(rows) = query.rows.get() {
                    return Ok(rows.as_ref().clone());
                }
                // A query in FROM sees what is around the FROM, not its row.
                let rows = query.plan.run(env.engine, env.outer)?;
                if !query.correlated {
                    // The cell was empty a moment ago, and nothing else fills it.
                    let _ = query.rows.set(Rc::new(rows.clone()));
                }
                Ok(rows)
            }
            Self::Function { name, arguments, types } => {
                // Its arguments were bound outside this FROM, or on the left of an APPLY.
                let around = env.outer.copied().unwrap_or_else(|| Env::new(env.engine));
                let values = arguments.iter().map(|a| around.eval(a)).collect::<SqlResult<Vec<_>>>()?;
                if name == "STRING_SPLIT" {
                    return split(env, &values, types);
                }
                series(&values)
            }
        }
    }
}

fn split(env: &Env<'_>, values: &[Value], types: &[Type]) -> SqlResult<Vec<Row>> {
    if values[..2].iter().any(Value::is_null) {
        return Ok(Vec::new());
    }
    let conversion = env.engine.conversion();
    let (text, separator) = (conversion.print(&values[0], types[0])?, conversion.print(&values[1], types[1])?);
    if separator.chars().count() != 1 {
        return Err(SqlError::new(214, "Procedure expects parameter 'separator' of type 'nchar(1)/nvarchar(1)'."));
    }
    Ok(text.split(&separator).map(|part| vec![Value::text(part)]).collect())
}

/// GENERATE_SERIES: from the first to the second number, by the third.
fn series(values: &[Value]) -> SqlResult<Vec<Row>> {
    const MOST: usize = 1_000_000;
    let (Value::Int(from), Value::Int(to)) = (&values[0], &values[1]) else {
        return if values.iter().any(Value::is_null) {
            Ok(Vec::new())
        } else {
            Err(SqlError::unsupported("GENERATE_SERIES over other than whole numbers"))
        };
    };
    let step = match values.get(2) {
        Some(Value::Int(step)) if *step != 0 => *step,
        None => {
            if from <= to {
                1
            } else {
                -1
            }
        }
        _ => return Err(SqlError::new(4199, "Argument value 0 is invalid for argument 3 of generate_series function.")),
    };
    let mut rows = Vec::new();
    let mut at = *from;
    while if step > 0 { at <= *to } else { at >= *to } {
        if rows.len() >= MOST {
            return Err(SqlError::unsupported("a series of more than a million numbers"));
        }
        rows.push(vec![Value::Int(at)]);
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(rows)
}
