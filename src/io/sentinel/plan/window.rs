//! Window functions.

use std::cmp::Ordering;

use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::{OrderItem, Window, WindowFunction};
use super::super::value::compare::Key;
use super::super::value::{Type, Value};
use super::aggregate::AggregatePlan;
use super::bind::Binder;
use super::eval::Env;
use super::expr::Bound;
use super::operators::convert;
use super::run::{Work, compare_keys};

#[derive(Clone, Debug)]
pub(crate) struct WindowPlan {
    function: Function,
    partition: Vec<Bound>,
    order: Vec<(Bound, bool)>,
    rows: bool,
}

#[derive(Clone, Debug)]
enum Function {
    RowNumber,
    Rank,
    DenseRank,
    Tile(Bound),
    Shift { forward: bool, value: Bound, by: Option<Bound>, default: Option<Bound> },
    First(Bound),
    Last(Bound),
    Aggregate(AggregatePlan),
}

impl Binder<'_> {
    pub(crate) fn window(&mut self, window: &Window) -> SqlResult<(Bound, Type)> {
        if self.collected.is_empty() {
            return Err(SqlError::new(4108, "Windowed functions can only appear in the SELECT or ORDER BY clauses."));
        }
        let (function, ty) = match &window.function {
            WindowFunction::RowNumber => (Function::RowNumber, Type::BigInt),
            WindowFunction::Rank => (Function::Rank, Type::BigInt),
            WindowFunction::DenseRank => (Function::DenseRank, Type::BigInt),
            WindowFunction::Tile(count) => (Function::Tile(self.expr(count)?.0), Type::BigInt),
            WindowFunction::Shift { forward, value, by, default } => {
                let (value, ty) = self.expr(value)?;
                let by = match by {
                    Some(by) => Some(self.expr(by)?.0),
                    None => None,
                };
                let default = match default {
                    Some(default) => {
                        let (bound, from) = self.expr(default)?;
                        Some(convert(bound, from, ty))
                    }
                    None => None,
                };
                (Function::Shift { forward: *forward, value, by, default }, ty)
            }
            WindowFunction::First(value) => {
                let (value, ty) = self.expr(value)?;
                (Function::First(value), ty)
            }
            WindowFunction::Last(value) => {
                let (value, ty) = self.expr(value)?;
                (Function::Last(value), ty)
            }
            WindowFunction::Aggregate(aggregate) => {
                let plan = self.aggregate_plan(aggregate)?;
                let ty = plan.ty;
                (Function::Aggregate(plan), ty)
            }
        };
        let partition = window.partition.iter().map(|e| Ok(self.expr(e)?.0)).collect::<SqlResult<_>>()?;
        let order = self.order_items(&window.order)?;
        let plan = WindowPlan { function, partition, order, rows: window.rows };
        let Some(collected) = self.collected.last_mut() else { return Err(SqlError::unsupported("a window here")) };
        collected.windows.push(plan);
        Ok((Bound::Window(collected.windows.len() - 1), ty))
    }

    fn order_items(&mut self, items: &[OrderItem]) -> SqlResult<Vec<(Bound, bool)>> {
        items.iter().map(|item| Ok((self.expr(&item.value)?.0, item.descending))).collect()
    }
}

impl WindowPlan {
    pub(crate) fn is_row_number(&self) -> bool {
        matches!(self.function, Function::RowNumber) && self.partition.is_empty()
    }

    /// `ROW_NUMBER() OVER (ORDER BY (SELECT NULL))`: numbers in any order.
    pub(crate) fn only_numbers(&self) -> bool {
        let constant = |(bound, _): &(Bound, bool)| match bound {
            Bound::Scalar(query) => !query.correlated,
            bound => bound.columns() == Ok(None),
        };
        self.is_row_number() && self.order.iter().all(constant)
    }

    /// The function's value for every row, in the rows' order.
    pub(crate) fn over(&self, env: Env<'_>, rows: &[Work]) -> SqlResult<Vec<Value>> {
        let mut sorted = Vec::with_capacity(rows.len());
        for (at, work) in rows.iter().enumerate() {
            let env = work.env(env);
            let partition = self.partition.iter().map(|b| Ok(Key::of(&env.eval(b)?))).collect::<SqlResult<Vec<_>>>()?;
            let keys = self.order.iter().map(|(b, _)| env.eval(b)).collect::<SqlResult<Vec<_>>>()?;
            sorted.push((partition, keys, at));
        }
        let mut groups: Vec<Vec<(Vec<Value>, usize)>> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (partition, keys, at) in sorted {
            let place = *places.entry(partition).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push((keys, at));
        }
        let mut results = vec![Value::Null; rows.len()];
        for group in &mut groups {
            group.sort_by(|a, b| compare_keys(&a.0, &b.0, |at| self.order[at].1));
            self.partition(env, rows, group, &mut results)?;
        }
        Ok(results)
    }

    fn partition(&self, env: Env<'_>, rows: &[Work], group: &[(Vec<Value>, usize)], results: &mut [Value]) -> SqlResult<()> {
        let peer = |a: usize, b: usize| compare_keys(&group[a].0, &group[b].0, |_| false) == Ordering::Equal;
        let number = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let (mut rank, mut dense) = (1, 1);
        for (place, (_, at)) in group.iter().enumerate() {
            if place > 0 && !peer(place, place - 1) {
                rank = place + 1;
                dense += 1;
            }
            let here = rows[*at].env(env);
            // The last row of the frame: the row itself, or its last peer.
            let end = || {
                if self.order.is_empty() {
                    return group.len() - 1;
                }
                if self.rows {
                    return place;
                }
                (place..group.len()).take_while(|other| peer(*other, place)).last().unwrap_or(place)
            };
            results[*at] = match &self.function {
                Function::RowNumber => number(place + 1),
                Function::Rank => number(rank),
                Function::DenseRank => number(dense),
                Function::Tile(count) => match here.eval(count)? {
                    Value::Int(count @ 1..) => {
                        let count = usize::try_from(count).unwrap_or(usize::MAX).min(group.len().max(1));
                        let (size, larger) = (group.len() / count, group.len() % count);
                        let bound = larger * (size + 1);
                        number(if place < bound { place / (size + 1) } else { larger + (place - bound) / size.max(1) } + 1)
                    }
                    _ => return Err(SqlError::new(4127, "NTILE needs a positive number.")),
                },
                Function::Shift { forward, value, by, default } => {
                    let by = match by {
                        Some(by) => match here.eval(by)? {
                            Value::Int(by) => by,
                            _ => 1,
                        },
                        None => 1,
                    };
                    let place = i64::try_from(place).unwrap_or(i64::MAX);
                    let target = if *forward { place.saturating_add(by) } else { place.saturating_sub(by) };
                    match (usize::try_from(target).ok().and_then(|target| group.get(target)), default) {
                        (Some((_, other)), _) => rows[*other].env(env).eval(value)?,
                        (None, Some(default)) => here.eval(default)?,
                        (None, None) => Value::Null,
                    }
                }
                Function::First(value) => rows[group[0].1].env(env).eval(value)?,
                Function::Last(value) => rows[group[end()].1].env(env).eval(value)?,
                Function::Aggregate(_) => continue,
            };
        }
        if let Function::Aggregate(plan) = &self.function {
            let whole = self.order.is_empty();
            let mut place = 0;
            while place < group.len() {
                let end = if whole {
                    group.len()
                } else if self.rows {
                    place + 1
                } else {
                    (place..group.len()).take_while(|other| peer(*other, place)).last().map_or(place + 1, |last| last + 1)
                };
                let value = plan.over(env, group[..end].iter().map(|(_, at)| rows[*at].row.as_slice()))?;
                for (_, at) in &group[place..end] {
                    results[*at] = value.clone();
                }
                place = end;
            }
        }
        Ok(())
    }
}
