//! Evaluating bound expressions.

#![expect(clippy::float_arithmetic, reason = "FLOAT is a type of T-SQL; money and decimals never pass through it")]

use std::cmp::Ordering;
use std::rc::Rc;

use chrono::NaiveDateTime;

use super::super::clock::to_datetime;
use super::super::deeper;
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::function::{Call, add_days};
use super::super::syntax::ast::{Arithmetic, Comparison};
use super::super::value::compare::{Key, compare, like, sort_order};
use super::super::value::convert::{Conversion, days_since_1900};
use super::super::value::ty::Class;
use super::super::value::{Numeric, Type, Value, temporal};
use super::expr::{Bound, SubPlan};

/// Where an expression is evaluated: the row at hand and the rows of the queries around it.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) row: &'a [Value],
    pub(crate) aggregates: &'a [Value],
    pub(crate) windows: &'a [Value],
    pub(crate) outer: Option<&'a Env<'a>>,
}

impl<'a> Env<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Self { engine, row: &[], aggregates: &[], windows: &[], outer: None }
    }

    pub(crate) fn with_row(self, row: &'a [Value]) -> Self {
        Self { row, aggregates: &[], windows: &[], ..self }
    }

    fn column(&self, depth: usize, index: usize) -> Value {
        let mut env = self;
        for _ in 0..depth {
            let Some(outer) = env.outer else { return Value::Null };
            env = outer;
        }
        env.row.get(index).cloned().unwrap_or(Value::Null)
    }

    /// Whether a condition holds: unknown does not.
    pub(crate) fn holds(&self, condition: &Bound) -> SqlResult<bool> {
        Ok(self.eval(condition)?.truth() == Some(true))
    }

    pub(crate) fn eval(&self, bound: &Bound) -> SqlResult<Value> {
        match bound {
            Bound::Constant(value) => Ok(value.clone()),
            Bound::Column { depth, index } => Ok(self.column(*depth, *index)),
            composed => deeper(|| self.compute(composed)),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of expression")]
    fn compute(&self, bound: &Bound) -> SqlResult<Value> {
        Ok(match bound {
            Bound::Constant(value) => value.clone(),
            Bound::Column { depth, index } => self.column(*depth, *index),
            Bound::Aggregate(at) => self.aggregates.get(*at).cloned().unwrap_or(Value::Null),
            Bound::Window(at) => self.windows.get(*at).cloned().unwrap_or(Value::Null),
            Bound::Variable(name) => self.engine.variable(name)?,
            Bound::Global(name) => self.engine.global(name),
            Bound::Negate(value, ty) => match self.eval(value)? {
                Value::Int(n) => Value::Int(in_range(n.checked_neg(), *ty)?),
                Value::Numeric(n) => Value::Numeric(n.negate()),
                Value::Float(f) => Value::Float(-f),
                other => other,
            },
            Bound::BitNot(value) => match self.eval(value)? {
                Value::Int(n) => Value::Int(!n),
                Value::Bit(b) => Value::Bit(!b),
                other => other,
            },
            Bound::Arithmetic(operator, pair, ty, (left, right)) => {
                let (a, b) = (self.eval(&pair.0)?, self.eval(&pair.1)?);
                arithmetic(*operator, &a, &b, *ty, (*left, *right))?
            }
            Bound::Compare(comparison, pair) => {
                let (a, b) = (self.eval(&pair.0)?, self.eval(&pair.1)?);
                Value::from_truth(compare(&a, &b).map(|order| satisfies(*comparison, order)))
            }
            Bound::And(parts) => self.junction(parts, false)?,
            Bound::Or(parts) => self.junction(parts, true)?,
            Bound::Not(value) => Value::from_truth(self.eval(value)?.truth().map(|b| !b)),
            Bound::IsNull(value, negated) => Value::Bit(self.eval(value)?.is_null() != *negated),
            Bound::Like { value, pattern, escape, negated } => {
                let (text, pattern) = (self.eval(value)?, self.eval(pattern)?);
                let escape = match escape {
                    Some(escape) => self.eval(escape)?,
                    None => Value::Null,
                };
                let escape = if let Value::Text(text) = &escape { text.chars().next() } else { None };
                match (&text, &pattern) {
                    (Value::Text(text), Value::Text(pattern)) => Value::Bit(like(text, pattern, escape) != *negated),
                    _ => Value::Null,
                }
            }
            Bound::InList { value, list, negated } => {
                let value = self.eval(value)?;
                let mut found = Some(false);
                for item in list {
                    match compare(&value, &self.eval(item)?) {
                        Some(Ordering::Equal) => {
                            found = Some(true);
                            break;
                        }
                        Some(_) => {}
                        None => found = None,
                    }
                }
                Value::from_truth(found.map(|found| found != *negated))
            }
            Bound::InQuery { value, query, element, common, negated } => {
                let value = self.eval(value)?;
                Value::from_truth(self.in_query(&value, query, (*element, *common))?.map(|found| found != *negated))
            }
            Bound::CompareQuery { comparison, all, left, query, element, common } => {
                let left = self.eval(left)?;
                let mut result = Some(*all);
                for row in self.rows(query)?.iter() {
                    let item = self.engine.conversion().convert(&row[0], *element, *common)?;
                    match compare(&left, &item).map(|order| satisfies(*comparison, order)) {
                        Some(held) if held != *all => return Ok(Value::Bit(held)),
                        Some(_) => {}
                        None => result = None,
                    }
                }
                Value::from_truth(result)
            }
            Bound::Exists(query) => Value::Bit(!self.rows(query)?.is_empty()),
            Bound::Scalar(query) => match self.rows(query)?.as_slice() {
                [] => Value::Null,
                [row] => row.first().cloned().unwrap_or(Value::Null),
                _ => {
                    return Err(SqlError::new(
                        512,
                        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
                    ));
                }
            },
            Bound::Case { branches, otherwise } => {
                for (when, then) in branches {
                    if self.holds(when)? {
                        return self.eval(then);
                    }
                }
                match otherwise {
                    Some(otherwise) => self.eval(otherwise)?,
                    None => Value::Null,
                }
            }
            Bound::Coalesce(list) => {
                for item in list {
                    let value = self.eval(item)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Value::Null
            }
            Bound::Extreme { list, greatest } => {
                let mut values = list.iter().map(|item| self.eval(item)).collect::<SqlResult<Vec<_>>>()?;
                values.retain(|value| !value.is_null());
                let extreme =
                    if *greatest { values.into_iter().max_by(sort_order) } else { values.into_iter().min_by(sort_order) };
                extreme.unwrap_or(Value::Null)
            }
            Bound::NullIf(value, compared) => {
                let value = self.eval(value)?;
                // The right side is the comparison with the left.
                if self.holds(compared)? { Value::Null } else { value }
            }
            Bound::Choose(index, list) => match self.eval(index)? {
                Value::Int(at) => match usize::try_from(at - 1).ok().and_then(|at| list.get(at)) {
                    Some(item) => self.eval(item)?,
                    None => Value::Null,
                },
                _ => Value::Null,
            },
            Bound::Convert { value, from, to, style, explicit, forgiving } => {
                let value = match self.eval(value) {
                    // the text of TRY_PARSE is none of its culture
                    Err(error) if *forgiving && error.number == 9819 => return Ok(Value::Null),
                    value => value?,
                };
                let style = match style {
                    Some(style) => match self.eval(style)? {
                        Value::Int(style) => Some(style),
                        _ => return Ok(Value::Null),
                    },
                    None => None,
                };
                let conversion = Conversion { style, explicit: *explicit, ..self.engine.conversion() };
                match conversion.convert(&value, *from, *to) {
                    Err(_) if *forgiving => Value::Null,
                    converted => converted?,
                }
            }
            Bound::UserCall { function, arguments } => {
                let values = arguments.iter().map(|argument| self.eval(argument)).collect::<SqlResult<Vec<_>>>()?;
                self.engine.call_function(function, values)?
            }
            Bound::NextValue(sequence) => self.engine.next_value(sequence)?,
            Bound::Call { function, arguments, types } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let value = self.eval(argument)?;
                    if value.is_null() && function.strict {
                        return Ok(Value::Null);
                    }
                    values.push(value);
                }
                (function.call)(&Call { engine: self.engine, values: &values, types })?
            }
        })
    }

    /// AND and OR: `decisive` ends it at once.
    fn junction(&self, parts: &[Bound], decisive: bool) -> SqlResult<Value> {
        let mut result = Some(!decisive);
        for part in parts {
            match self.eval(part)?.truth() {
                Some(truth) if truth == decisive => return Ok(Value::Bit(decisive)),
                Some(_) => {}
                None => result = None,
            }
        }
        Ok(Value::from_truth(result))
    }

    fn rows(&self, query: &SubPlan) -> SqlResult<Rc<Vec<Vec<Value>>>> {
        if let Some(rows) = query.rows.get() {
            return Ok(Rc::clone(rows));
        }
        let rows = Rc::new(query.plan.run(self.engine, Some(self))?);
        if !query.correlated {
            // The cell was empty a moment ago, and nothing else fills it.
            let _ = query.rows.set(Rc::clone(&rows));
        }
        Ok(rows)
    }

    fn in_query(&self, value: &Value, query: &SubPlan, (element, common): (Type, Type)) -> SqlResult<Option<bool>> {
        let rows = self.rows(query)?;
        if rows.is_empty() {
            return Ok(Some(false));
        }
        if value.is_null() {
            return Ok(None);
        }
        let conversion = self.engine.conversion();
        if query.correlated {
            let mut found = Some(false);
            for row in rows.iter() {
                match compare(value, &conversion.convert(&row[0], element, common)?) {
                    Some(Ordering::Equal) => return Ok(Some(true)),
                    Some(_) => {}
                    None => found = None,
                }
            }
            return Ok(found);
        }
        if query.keys.get().is_none() {
            let keys = rows.iter().map(|row| Ok(Key::of(&conversion.convert(&row[0], element, common)?)));
            let keys = keys.collect::<SqlResult<_>>()?;
            // The cell was empty a moment ago, and nothing else fills it.
            let _ = query.keys.set(keys);
        }
        let Some(keys) = query.keys.get() else { return Ok(None) };
        if keys.contains(&Key::of(value)) {
            return Ok(Some(true));
        }
        Ok(if keys.contains(&Key::Null) { None } else { Some(false) })
    }
}

pub(crate) fn satisfies(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// A whole number that fits its type, or SQL Server's overflow error.
pub(crate) fn in_range(n: Option<i64>, ty: Type) -> SqlResult<i64> {
    let (least, most) = match ty {
        Type::TinyInt => (0, 255),
        Type::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::BigInt => (i64::MIN, i64::MAX),
        _ => (i64::from(i32::MIN), i64::from(i32::MAX)),
    };
    n.filter(|n| (least..=most).contains(n)).ok_or_else(|| SqlError::overflow(ty.family()))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        Value::Bit(b) => Some(i64::from(*b)),
        _ => None,
    }
}

pub(crate) fn numeric(value: &Value) -> Option<Numeric> {
    match value {
        Value::Numeric(n) => Some(*n),
        other => whole(other).map(Numeric::from),
    }
}

#[expect(clippy::cast_precision_loss, reason = "float arithmetic that the script asked for")]
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(f) => Some(*f),
        Value::Numeric(n) => Some(n.to_f64()),
        other => whole(other).map(|n| n as f64),
    }
}

fn arithmetic(operator: Arithmetic, a: &Value, b: &Value, ty: Type, types: (Type, Type)) -> SqlResult<Value> {
    if a.is_null() || b.is_null() {
        return Ok(Value::Null);
    }
    let clash = || {
        let (left, right) = (types.0.family(), types.1.family());
        SqlError::new(206, format!("Operand type clash: {left} is incompatible with {right}"))
    };
    match ty.class() {
        Class::Text => match (a, b) {
            (Value::Text(a), Value::Text(b)) => Ok(Value::text(format!("{a}{b}"))),
            _ => Err(clash()),
        },
        Class::Integer => {
            let (a, b) = (whole(a).ok_or_else(clash)?, whole(b).ok_or_else(clash)?);
            if b == 0 && matches!(operator, Arithmetic::Divide | Arithmetic::Modulo) {
                return Err(SqlError::divide_by_zero());
            }
            let n = match operator {
                Arithmetic::Add => a.checked_add(b),
                Arithmetic::Subtract => a.checked_sub(b),
                Arithmetic::Multiply => a.checked_mul(b),
                Arithmetic::Divide => a.checked_div(b),
                Arithmetic::Modulo => a.checked_rem(b),
                Arithmetic::BitAnd => Some(a & b),
                Arithmetic::BitOr => Some(a | b),
                Arithmetic::BitXor => Some(a ^ b),
            };
            let n = in_range(n, ty)?;
            Ok(if ty == Type::Bit { Value::Bit(n != 0) } else { Value::Int(n) })
        }
        Class::Decimal => {
            let (a, b) = (numeric(a).ok_or_else(clash)?, numeric(b).ok_or_else(clash)?);
            let (precision, scale) = ty.digits();
            if b.is_zero() && matches!(operator, Arithmetic::Divide | Arithmetic::Modulo) {
                return Err(SqlError::divide_by_zero());
            }
            let n = match operator {
                Arithmetic::Add => a.add(b, scale),
                Arithmetic::Subtract => a.add(b.negate(), scale),
                Arithmetic::Multiply => a.multiply(b, scale),
                Arithmetic::Divide => a.divide(b, scale),
                Arithmetic::Modulo => a.remainder(b, scale),
                _ => return Err(clash()),
            };
            n.filter(|n| n.fits(precision)).map(Value::Numeric).ok_or_else(|| SqlError::overflow(ty.family()))
        }
        Class::Float => {
            let (a, b) = (float(a).ok_or_else(clash)?, float(b).ok_or_else(clash)?);
            if b == 0.0 && matches!(operator, Arithmetic::Divide | Arithmetic::Modulo) {
                return Err(SqlError::divide_by_zero());
            }
            let f = match operator {
                Arithmetic::Add => a + b,
                Arithmetic::Subtract => a - b,
                Arithmetic::Multiply => a * b,
                Arithmetic::Divide => a / b,
                Arithmetic::Modulo => a % b,
                _ => return Err(clash()),
            };
            if f.is_finite() { Ok(Value::Float(f)) } else { Err(SqlError::overflow("float")) }
        }
        Class::DateTime => moment(operator, a, b).ok_or_else(clash)?.map(Value::DateTime),
        Class::Binary => match (a, b) {
            (Value::Binary(a), Value::Binary(b)) if operator == Arithmetic::Add => {
                Ok(Value::Binary(a.iter().chain(b.iter()).copied().collect()))
            }
            _ => Err(clash()),
        },
        _ => Err(clash()),
    }
}

/// A date and time moved by days, or by the time of day of another.
fn moment(operator: Arithmetic, a: &Value, b: &Value) -> Option<SqlResult<NaiveDateTime>> {
    let sign = match operator {
        Arithmetic::Add => 1,
        Arithmetic::Subtract => -1,
        _ => return None,
    };
    let as_moment = |value: &Value| match value {
        Value::DateTime(time) => Some(*time),
        Value::Date(date) => Some(date.and_time(chrono::NaiveTime::MIN)),
        Value::Time(time) => Some(temporal::base_date().and_time(*time)),
        other => days_since_1900(other),
    };
    let moved = match (a, b) {
        (Value::DateTime(time), Value::Int(days)) => add_days(*time, sign * days),
        (Value::Int(days), Value::DateTime(time)) if sign == 1 => add_days(*time, *days),
        _ => {
            let (a, b) = (as_moment(a)?, as_moment(b)?);
            let distance = b - temporal::base_date().and_time(chrono::NaiveTime::MIN);
            let moved = if sign == 1 { a.checked_add_signed(distance) } else { a.checked_sub_signed(distance) };
            moved.and_then(to_datetime)
        }
    };
    Some(moved.ok_or_else(|| SqlError::new(517, "Adding a value to a 'datetime' column caused an overflow.")))
}
