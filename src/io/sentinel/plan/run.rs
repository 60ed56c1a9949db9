//! Running queries.

#![expect(clippy::float_arithmetic, reason = "FLOAT is a type of T-SQL; money and decimals never pass through it")]

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::syntax::ast::SetOperator;
use super::super::value::compare::{Key, sort_order};
use super::super::value::{Type, Value};
use super::eval::Env;
use super::from::FromPlan;
use super::query::{BodyPlan, QueryPlan, SelectPlan, Side, SortKey};
use super::window::WindowPlan;

/// How many rows a recursive query may make.
const MAX_RECURSIVE_ROWS: usize = 1_000_000;

/// A row on its way through a SELECT, with what was computed on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) row: Row,
    pub(crate) aggregates: Vec<Value>,
    pub(crate) windows: Vec<Value>,
}

impl Work {
    pub(crate) fn env<'a>(&'a self, env: Env<'a>) -> Env<'a> {
        Env { row: &self.row, aggregates: &self.aggregates, windows: &self.windows, ..env }
    }
}

pub(crate) fn compare_keys(a: &[Value], b: &[Value], descending: impl Fn(usize) -> bool) -> Ordering {
    for (at, (x, y)) in a.iter().zip(b).enumerate() {
        let order = sort_order(x, y);
        if order.is_ne() {
            return if descending(at) { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

fn row_key(row: &[Value]) -> Vec<Key> {
    row.iter().map(Key::of).collect()
}

impl QueryPlan {
    pub(crate) fn run(&self, engine: &Engine, outer: Option<&Env<'_>>) -> SqlResult<Vec<Row>> {
        let env = Env { outer, ..Env::new(engine) };
        let mut rows = self.body.run(env)?;
        if !self.order.is_empty() {
            rows.sort_by(|a, b| {
                let picked = |row: &Row| self.order.iter().map(|(at, _)| row[*at].clone()).collect::<Vec<_>>();
                compare_keys(&picked(a), &picked(b), |at| self.order[at].1)
            });
        }
        let rows = self.page(env, rows)?;
        match &self.form {
            Some(form) => form.write(engine, &rows),
            None => Ok(rows),
        }
    }

    /// OFFSET and FETCH.
    fn page<T>(&self, env: Env<'_>, mut rows: Vec<T>) -> SqlResult<Vec<T>> {
        let count = |bound| -> SqlResult<usize> {
            match env.eval(bound)? {
                Value::Int(n) => usize::try_from(n)
                    .map_err(|_| SqlError::new(10742, "The offset specified in an OFFSET clause may not be negative.")),
                _ => Err(SqlError::new(10743, "OFFSET and FETCH take whole numbers.")),
            }
        };
        if let Some(offset) = &self.offset {
            rows.drain(..count(offset)?.min(rows.len()));
        }
        if let Some(fetch) = &self.fetch {
            rows.truncate(count(fetch)?);
        }
        Ok(rows)
    }

    /// `SELECT @a = …`: the plan and its rows, in order, before the items are evaluated.
    pub(crate) fn assignments(&self, engine: &Engine) -> SqlResult<Option<(&SelectPlan, Vec<Work>)>> {
        match &self.body {
            BodyPlan::Select(select) if !select.assigns.is_empty() => {
                let env = Env::new(engine);
                let rows = select.sorted(env)?;
                Ok(Some((select, self.page(env, rows)?)))
            }
            _ => Ok(None),
        }
    }
}

impl Side {
    fn run(&self, env: Env<'_>) -> SqlResult<Vec<Row>> {
        let mut rows = self.body.run(env)?;
        let conversion = env.engine.conversion();
        for (at, (from, to)) in self.from.iter().zip(&self.to).enumerate() {
            let keep = from == to || *from == Type::Null || from.is_text() && to.is_text();
            if keep {
                continue;
            }
            for row in &mut rows {
                row[at] = conversion.convert(&row[at], *from, *to)?;
            }
        }
        Ok(rows)
    }
}

impl BodyPlan {
    fn run(&self, env: Env<'_>) -> SqlResult<Vec<Row>> {
        match self {
            Self::Select(select) => select.run(env),
            Self::Nested(query) => query.run(env.engine, env.outer),
            Self::Values(rows) => {
                // VALUES has no scope of its own, so its expressions count from the row outside.
                let env = env.outer.copied().unwrap_or(env);
                rows.iter().map(|row| row.iter().map(|bound| env.eval(bound)).collect()).collect()
            }
            Self::Set { operator, left, right } => {
                let (mut rows, other) = (left.run(env)?, right.run(env)?);
                match operator {
                    SetOperator::UnionAll => rows.extend(other),
                    SetOperator::Union => {
                        rows.extend(other);
                        unique(&mut rows);
                    }
                    SetOperator::Except | SetOperator::Intersect => {
                        let keys: HashSet<Vec<Key>> = other.iter().map(|row| row_key(row)).collect();
                        let wanted = *operator == SetOperator::Intersect;
                        rows.retain(|row| keys.contains(&row_key(row)) == wanted);
                        unique(&mut rows);
                    }
                }
                Ok(rows)
            }
            Self::Recursive { slot, first, step } => {
                let mut all = first.run(env)?;
                let mut last = all.clone();
                while !last.is_empty() {
                    env.engine.set_recursion(*slot, Rc::new(last));
                    last = step.run(env)?;
                    all.extend(last.iter().cloned());
                    if all.len() > MAX_RECURSIVE_ROWS {
                        return Err(SqlError::new(
                            530,
                            "The statement terminated. The maximum recursion has been exhausted before statement completion.",
                        ));
                    }
                }
                Ok(all)
            }
        }
    }
}

fn unique(rows: &mut Vec<Row>) {
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(row_key(row)));
}

impl SelectPlan {
    fn run(&self, env: Env<'_>) -> SqlResult<Vec<Row>> {
        if !self.distinct {
            let sorted = self.sorted(env)?;
            return sorted.iter().map(|work| self.project(env, work)).collect();
        }
        // Rows first become unique, then they are sorted by what they put out, then TOP counts them.
        let mut rows: Vec<Row> = self.computed(env)?.iter().map(|work| self.project(env, work)).collect::<SqlResult<_>>()?;
        unique(&mut rows);
        let picked = |row: &Row| {
            let value = |(key, _): &(SortKey, bool)| match key {
                SortKey::Output(at) => row[*at].clone(),
                SortKey::Value(_) => Value::Null,
            };
            self.order.iter().map(value).collect::<Vec<_>>()
        };
        rows.sort_by(|a, b| compare_keys(&picked(a), &picked(b), |at| self.order[at].1));
        if let Some(count) = self.limit(env, rows.len())? {
            rows.truncate(count);
        }
        Ok(rows)
    }

    fn project(&self, env: Env<'_>, work: &Work) -> SqlResult<Row> {
        let env = work.env(env);
        self.items.iter().map(|item| env.eval(item)).collect()
    }

    /// The rows in order, as many as TOP lets through.
    pub(crate) fn sorted(&self, env: Env<'_>) -> SqlResult<Vec<Work>> {
        let rows = self.computed(env)?;
        let mut keyed = Vec::with_capacity(rows.len());
        for work in rows {
            let here = work.env(env);
            let value = |(key, _): &(SortKey, bool)| match key {
                SortKey::Output(at) => here.eval(&self.items[*at]),
                SortKey::Value(bound) => here.eval(bound),
            };
            let keys = self.order.iter().map(value).collect::<SqlResult<Vec<_>>>()?;
            keyed.push((keys, work));
        }
        keyed.sort_by(|a, b| compare_keys(&a.0, &b.0, |at| self.order[at].1));
        if let Some(mut count) = self.limit(env, keyed.len())? {
            let ties = self.top.as_ref().is_some_and(|top| top.ties) && count > 0;
            while ties && count < keyed.len() && compare_keys(&keyed[count - 1].0, &keyed[count].0, |_| false).is_eq() {
                count += 1;
            }
            keyed.truncate(count);
        }
        Ok(keyed.into_iter().map(|(_, work)| work).collect())
    }

    fn limit(&self, env: Env<'_>, rows: usize) -> SqlResult<Option<usize>> {
        let Some(top) = &self.top else { return Ok(None) };
        let refused = || {
            SqlError::new(1060, "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.")
        };
        Ok(Some(match env.eval(&top.count)? {
            Value::Int(count) => usize::try_from(count).map_err(|_| refused())?,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a number of rows"
            )]
            Value::Float(percent) if (0.0..=100.0).contains(&percent) && top.percent => {
                (rows as f64 * percent / 100.0).ceil() as usize
            }
            _ => return Err(refused()),
        }))
    }

    /// How many rows of FROM are enough: TOP's number where nothing behind FROM hangs on the others. People number
    /// the rows of system views to make numbers, and take the first of millions.
    fn early_limit(&self, env: Env<'_>, from: &FromPlan) -> SqlResult<usize> {
        let plain = self.filter.is_empty() && self.group.is_none() && self.order.is_empty() && !self.distinct;
        let numbered = |window: &WindowPlan| window.only_numbers() || from.is_system() && window.is_row_number();
        match &self.top {
            Some(top) if plain && !top.percent && self.windows.iter().all(numbered) => {
                Ok(self.limit(env, 0)?.unwrap_or(usize::MAX))
            }
            _ => Ok(usize::MAX),
        }
    }

    /// FROM, WHERE, GROUP BY, HAVING and the window functions.
    fn computed(&self, env: Env<'_>) -> SqlResult<Vec<Work>> {
        let rows = match &self.from {
            Some(from) => from.run(&env, self.early_limit(env, from)?)?,
            None => vec![Vec::new()],
        };
        let mut kept = Vec::with_capacity(rows.len());
        'rows: for row in rows {
            for condition in &self.filter {
                if !env.with_row(&row).holds(condition)? {
                    continue 'rows;
                }
            }
            kept.push(row);
        }
        let mut works = match &self.group {
            None => kept.into_iter().map(|row| Work { row, ..Work::default() }).collect(),
            Some(group) => self.grouped(env, kept, group)?,
        };
        if !self.windows.is_empty() {
            for window in &self.windows {
                let values = window.over(env, &works)?;
                for (work, value) in works.iter_mut().zip(values) {
                    work.windows.push(value);
                }
            }
        }
        Ok(works)
    }

    fn grouped(&self, env: Env<'_>, rows: Vec<Row>, group: &[super::expr::Bound]) -> SqlResult<Vec<Work>> {
        let mut places: HashMap<Vec<Key>, usize> = HashMap::new();
        let mut groups: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            let here = env.with_row(&row);
            let key = group.iter().map(|bound| Ok(Key::of(&here.eval(bound)?))).collect::<SqlResult<Vec<_>>>()?;
            let place = *places.entry(key).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push(row);
        }
        if group.is_empty() && groups.is_empty() {
            groups.push(Vec::new());
        }
        let mut works = Vec::with_capacity(groups.len());
        for rows in groups {
            let over = |plan: &super::aggregate::AggregatePlan| plan.over(env, rows.iter().map(Vec::as_slice));
            let aggregates = self.aggregates.iter().map(over).collect::<SqlResult<Vec<_>>>()?;
            // Columns that are grouped by are equal in all rows of the group.
            let width = self.from.as_ref().map_or(0, super::from::FromPlan::width);
            let row = rows.into_iter().next().unwrap_or_else(|| vec![Value::Null; width]);
            let work = Work { row, aggregates, windows: Vec::new() };
            if let Some(having) = &self.having
                && !work.env(env).holds(having)?
            {
                continue;
            }
            works.push(work);
        }
        Ok(works)
    }
}
