//! Aggregates: exact sums, and the rest.

#![expect(clippy::float_arithmetic, reason = "FLOAT is a type of T-SQL; money and decimals never pass through it")]

use std::collections::HashSet;

use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::{Aggregate, AggregateFunction};
use super::super::value::compare::{Key, sort_order};
use super::super::value::ty::Class;
use super::super::value::{Numeric, Type, Value};
use super::bind::Binder;
use super::eval::{Env, float, in_range, numeric};
use super::expr::Bound;

#[derive(Clone, Debug)]
pub(crate) struct AggregatePlan {
    pub(crate) function: AggregateFunction,
    distinct: bool,
    argument: Option<Bound>,
    separator: Option<Bound>,
    order: Vec<(Bound, bool)>,
    argument_type: Type,
    pub(crate) ty: Type,
}

impl Binder<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: &Aggregate) -> SqlResult<(Bound, Type)> {
        if self.collected.is_empty() {
            return Err(SqlError::new(147, "An aggregate may not appear here."));
        }
        let plan = self.aggregate_plan(aggregate)?;
        let ty = plan.ty;
        let Some(collected) = self.collected.last_mut() else { return Err(SqlError::unsupported("an aggregate here")) };
        collected.aggregates.push(plan);
        Ok((Bound::Aggregate(collected.aggregates.len() - 1), ty))
    }

    pub(crate) fn aggregate_plan(&mut self, aggregate: &Aggregate) -> SqlResult<AggregatePlan> {
        use AggregateFunction as F;
        let (argument, argument_type) = match &aggregate.argument {
            Some(argument) => {
                let (bound, ty) = self.expr(argument)?;
                (Some(bound), ty)
            }
            None => (None, Type::Int),
        };
        let refused = match aggregate.function {
            F::Sum | F::Avg => !argument_type.is_number() && argument_type != Type::Null || argument_type == Type::Bit,
            F::Min | F::Max => argument_type == Type::Bit,
            _ => false,
        };
        if refused {
            let name = format!("{:?}", aggregate.function).to_lowercase();
            let message = format!("Operand data type {} is invalid for {name} operator.", argument_type.family());
            return Err(SqlError::new(8117, message));
        }
        let ty = match aggregate.function {
            F::Count => Type::Int,
            F::CountBig => Type::BigInt,
            F::Sum | F::Avg => match argument_type {
                Type::Decimal { scale, .. } if aggregate.function == F::Sum => Type::decimal(38, scale),
                Type::Decimal { scale, .. } => Type::decimal(38, scale.max(6)),
                Type::SmallMoney | Type::Money => Type::Money,
                Type::BigInt => Type::BigInt,
                Type::Real | Type::Float => Type::Float,
                _ => Type::Int,
            },
            F::Min | F::Max => argument_type,
            F::StringAgg => Type::NVarChar(None),
            F::StDev | F::StDevP | F::Var | F::VarP => Type::Float,
        };
        let separator = match &aggregate.separator {
            Some(separator) => Some(self.as_text(separator)?),
            None => None,
        };
        let order = aggregate.order.iter().map(|item| Ok((self.expr(&item.value)?.0, item.descending)));
        let order = order.collect::<SqlResult<_>>()?;
        Ok(AggregatePlan {
            function: aggregate.function,
            distinct: aggregate.distinct,
            argument,
            separator,
            order,
            argument_type,
            ty,
        })
    }
}

impl AggregatePlan {
    /// The aggregate over rows.
    pub(crate) fn over<'a>(&self, env: Env<'a>, rows: impl Iterator<Item = &'a [Value]>) -> SqlResult<Value> {
        use AggregateFunction as F;
        let Some(argument) = &self.argument else {
            return self.count(rows.count());
        };
        let mut values = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            let env = env.with_row(row);
            let value = env.eval(argument)?;
            if value.is_null() || self.distinct && !seen.insert(Key::of(&value)) {
                continue;
            }
            let order = self.order.iter().map(|(bound, _)| env.eval(bound)).collect::<SqlResult<Vec<_>>>()?;
            values.push((value, order));
        }
        match self.function {
            F::Count | F::CountBig => self.count(values.len()),
            F::Min => Ok(values.into_iter().map(|(v, _)| v).min_by(sort_order).unwrap_or(Value::Null)),
            F::Max => Ok(values.into_iter().map(|(v, _)| v).max_by(sort_order).unwrap_or(Value::Null)),
            F::StringAgg => {
                values.sort_by(|(_, a), (_, b)| super::run::compare_keys(a, b, |at| self.order[at].1));
                let separator = match &self.separator {
                    Some(separator) => env.eval(separator)?,
                    None => Value::Null,
                };
                let separator = if let Value::Text(text) = &separator { text.to_string() } else { String::new() };
                if values.is_empty() {
                    return Ok(Value::Null);
                }
                let conversion = env.engine.conversion();
                let parts = values.iter().map(|(value, _)| conversion.print(value, self.argument_type));
                Ok(Value::text(parts.collect::<SqlResult<Vec<_>>>()?.join(&separator)))
            }
            F::Sum | F::Avg => self.sum(&values.into_iter().map(|(v, _)| v).collect::<Vec<_>>()),
            F::StDev | F::StDevP | F::Var | F::VarP => {
                Ok(self.spread(&values.iter().filter_map(|(v, _)| float(v)).collect::<Vec<_>>()))
            }
        }
    }

    fn count(&self, count: usize) -> SqlResult<Value> {
        Ok(Value::Int(in_range(i64::try_from(count).ok(), self.ty)?))
    }

    fn sum(&self, values: &[Value]) -> SqlResult<Value> {
        if values.is_empty() {
            return Ok(Value::Null);
        }
        let average = self.function == AggregateFunction::Avg;
        let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
        let overflow = || SqlError::overflow(self.ty.family());
        match self.ty.class() {
            Class::Float => {
                let sum: f64 = values.iter().filter_map(float).sum();
                #[expect(clippy::cast_precision_loss, reason = "an average of floats")]
                Ok(Value::Float(if average { sum / count as f64 } else { sum }))
            }
            Class::Decimal => {
                let (precision, scale) = self.ty.digits();
                let mut sum = Numeric::from(0);
                for value in values.iter().filter_map(numeric) {
                    sum = sum.add(value, scale).ok_or_else(overflow)?;
                }
                let result = if average { sum.divide(Numeric::from(count), scale) } else { sum.round_to(scale) };
                result.filter(|n| n.fits(precision)).map(Value::Numeric).ok_or_else(overflow)
            }
            _ => {
                let mut sum = 0i64;
                for value in values {
                    if let Value::Int(n) = value {
                        sum = sum.checked_add(*n).ok_or_else(overflow)?;
                    }
                }
                let sum = in_range(Some(sum), self.ty)?;
                Ok(Value::Int(if average { sum / count } else { sum }))
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "statistics are floats in T-SQL too")]
    fn spread(&self, values: &[f64]) -> Value {
        use AggregateFunction as F;
        let population = matches!(self.function, F::StDevP | F::VarP);
        let divisor = values.len() as f64 - if population { 0.0 } else { 1.0 };
        if divisor <= 0.0 {
            return Value::Null;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / divisor;
        Value::Float(if matches!(self.function, F::Var | F::VarP) { variance } else { variance.sqrt() })
    }
}
