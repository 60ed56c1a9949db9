//! Running what stands in FROM: tables, queries, functions.

use std::rc::Rc;

use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::value::{Type, Value};
use super::eval::Env;
use super::from::{FromPlan, Source};
use super::join::{filtered, nulls};

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
            Self::UserFunction { function, arguments } => {
                let around = env.outer.copied().unwrap_or_else(|| Env::new(env.engine));
                let values = arguments.iter().map(|a| around.eval(a)).collect::<SqlResult<Vec<_>>>()?;
                env.engine.run_table_function(function, values)
            }
            Self::Changes(changes) => changes.run(&env.outer.copied().unwrap_or_else(|| Env::new(env.engine))),
            Self::Json(json) => json.run(&env.outer.copied().unwrap_or_else(|| Env::new(env.engine))),
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
    let numbered = matches!(values.get(2), Some(Value::Int(1)));
    let row = |(part, at): (&str, i64)| {
        let number = numbered.then_some(Value::Int(at));
        std::iter::once(Value::text(part)).chain(number).collect()
    };
    Ok(text.split(&separator).zip(1..).map(row).collect())
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
