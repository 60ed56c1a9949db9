//! Running joins.

use std::collections::HashMap;

use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::syntax::ast::JoinKind;
use super::super::value::Value;
use super::super::value::compare::Key;
use super::eval::Env;
use super::expr::Bound;
use super::from::{FromPlan, Join, Source};

/// A join of more rows is taken for a mistake: rows are held in memory.
const MAX_JOINED_ROWS: usize = 4_000_000;

/// Up to so many rows on the left, a join looks its partners up one by one instead of reading the whole table.
const LOOKUP_JOIN_ROWS: usize = 200;

impl Join {
    pub(super) fn run(&self, env: &Env<'_>, limit: usize) -> SqlResult<Vec<Row>> {
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

pub(super) fn nulls(count: usize) -> impl Iterator<Item = Value> {
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

pub(super) fn filtered(env: &Env<'_>, rows: Vec<Row>, conditions: &[Bound]) -> SqlResult<Vec<Row>> {
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
