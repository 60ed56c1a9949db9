//! Binding expressions: which column a name means, which type an expression has, where a conversion is needed.

use std::cell::OnceCell;
use std::rc::Rc;

use super::super::catalog::same;
use super::super::deeper;
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::function;
use super::super::syntax::ast::{Arithmetic, Expr, Query};
use super::super::value::numeric::MAX_PRECISION;
use super::super::value::ty::Class;
use super::super::value::{Type, Value};
use super::aggregate::AggregatePlan;
use super::expr::{Bound, SubPlan};
use super::query::CteScope;
use super::window::WindowPlan;

/// The columns that names can mean in one query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<ScopeColumn>,
}

#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// The table's alias, or its name.
    pub(crate) qualifier: String,
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// SQLite's row id: no name means it.
    pub(crate) hidden: bool,
}

/// What is collected while the parts of one SELECT are bound.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) aggregates: Vec<AggregatePlan>,
    pub(crate) windows: Vec<WindowPlan>,
}

pub(crate) struct Binder<'e> {
    pub(crate) engine: &'e Engine,
    /// The database that names without one are in.
    pub(crate) database: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) ctes: Vec<CteScope>,
    /// One for each SELECT being bound; expressions elsewhere have no aggregates.
    pub(crate) collected: Vec<Collected>,
    /// The outermost scope that a column was found in since this was last reset.
    pub(crate) lowest: usize,
    /// Views inside views.
    pub(crate) depth: usize,
    /// The next SELECT puts the row id of its first table in front of its columns.
    pub(crate) expose_row: bool,
}

impl<'e> Binder<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            database: engine.current_database().to_owned(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            collected: Vec::new(),
            lowest: usize::MAX,
            depth: 0,
            expose_row: false,
        }
    }

    /// An expression that reads no columns.
    pub(crate) fn constant(engine: &'e Engine, expr: &Expr) -> SqlResult<(Bound, Type)> {
        Self::new(engine).expr(expr)
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> SqlResult<(Bound, Type)> {
        deeper(|| self.bind(expr))
    }

    fn bind(&mut self, expr: &Expr) -> SqlResult<(Bound, Type)> {
        Ok(match expr {
            Expr::Literal(value, ty) => (Bound::Constant(value.clone()), *ty),
            Expr::Column(parts) => self.column(parts)?,
            Expr::Quoted(name) => match self.column(std::slice::from_ref(name)) {
                Err(error) if error.number == 207 => {
                    let length = u32::try_from(name.chars().count().max(1)).ok();
                    (Bound::Constant(Value::text(name.as_str())), Type::VarChar(length))
                }
                column => column?,
            },
            Expr::Variable(name) => (Bound::Variable(name.clone()), self.engine.variable_type(name)?),
            Expr::Global(name) => (Bound::Global(name.clone()), Engine::global_type(name)),
            Expr::Negate(value) => {
                let (bound, ty) = self.expr(value)?;
                let to = if ty.is_text() { Type::Float } else { ty };
                (Bound::Negate(Box::new(convert(bound, ty, to)), to), to)
            }
            Expr::BitNot(value) => {
                let (bound, ty) = self.expr(value)?;
                (Bound::BitNot(Box::new(bound)), ty)
            }
            Expr::Arithmetic(operator, left, right) => {
                let left = self.expr(left)?;
                let right = self.expr(right)?;
                arithmetic(*operator, left, right)?
            }
            Expr::Compare(comparison, left, right) => {
                let (left, left_type) = self.expr(left)?;
                let (right, right_type) = self.expr(right)?;
                let pair = comparable(left, left_type, right, right_type)?;
                (Bound::Compare(*comparison, Box::new(pair)), Type::Bit)
            }
            Expr::And(parts) => (Bound::And(self.conditions(parts)?), Type::Bit),
            Expr::Or(parts) => (Bound::Or(self.conditions(parts)?), Type::Bit),
            Expr::Not(value) => (Bound::Not(Box::new(self.expr(value)?.0)), Type::Bit),
            Expr::IsNull { value, negated } => (Bound::IsNull(Box::new(self.expr(value)?.0), *negated), Type::Bit),
            Expr::Like { value, pattern, escape, negated } => {
                let value = Box::new(self.as_text(value)?);
                let pattern = Box::new(self.as_text(pattern)?);
                let escape = match escape {
                    Some(escape) => Some(Box::new(self.as_text(escape)?)),
                    None => None,
                };
                (Bound::Like { value, pattern, escape, negated: *negated }, Type::Bit)
            }
            Expr::InList { value, list, negated } => {
                let (value, mut ty) = self.expr(value)?;
                let from = ty;
                let items: Vec<(Bound, Type)> = list.iter().map(|item| self.expr(item)).collect::<SqlResult<_>>()?;
                for (_, item) in &items {
                    ty = ty.common(*item);
                }
                let value = Box::new(for_comparison(value, from, ty));
                let list = items.into_iter().map(|(item, from)| for_comparison(item, from, ty)).collect();
                (Bound::InList { value, list, negated: *negated }, Type::Bit)
            }
            Expr::InQuery { value, query, negated } => {
                let (value, from) = self.expr(value)?;
                let (query, element) = self.single_column(query)?;
                let common = from.common(element);
                let value = Box::new(for_comparison(value, from, common));
                (Bound::InQuery { value, query, element, common, negated: *negated }, Type::Bit)
            }
            Expr::CompareQuery { comparison, all, left, query } => {
                let (left, from) = self.expr(left)?;
                let (query, element) = self.single_column(query)?;
                let common = from.common(element);
                let left = Box::new(for_comparison(left, from, common));
                let compared = Bound::CompareQuery { comparison: *comparison, all: *all, left, query, element, common };
                (compared, Type::Bit)
            }
            Expr::Between { value, low, high, negated } => {
                use super::super::syntax::ast::Comparison::{GreaterOrEqual, LessOrEqual};
                let (value, ty) = self.expr(value)?;
                let (low, low_type) = self.expr(low)?;
                let (high, high_type) = self.expr(high)?;
                let from = Bound::Compare(GreaterOrEqual, Box::new(comparable(value.clone(), ty, low, low_type)?));
                let to = Bound::Compare(LessOrEqual, Box::new(comparable(value, ty, high, high_type)?));
                let both = Bound::And(vec![from, to]);
                (if *negated { Bound::Not(Box::new(both)) } else { both }, Type::Bit)
            }
            Expr::Exists(query) => (Bound::Exists(self.subquery(query)?), Type::Bit),
            Expr::Subquery(query) => {
                let (query, ty) = self.single_column(query)?;
                (Bound::Scalar(query), ty)
            }
            Expr::Case { operand, branches, otherwise } => self.case(operand.as_deref(), branches, otherwise.as_deref())?,
            Expr::Cast { value, ty, style, forgiving } => {
                let (value, from) = self.expr(value)?;
                let style = match style {
                    Some(style) => Some(Box::new(self.expr(style)?.0)),
                    None => None,
                };
                let value = Box::new(value);
                (Bound::Convert { value, from, to: *ty, style, explicit: true, forgiving: *forgiving }, *ty)
            }
            Expr::Call { name, arguments } => self.call(name, arguments)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Window(window) => self.window(window)?,
        })
    }

    fn conditions(&mut self, parts: &[Expr]) -> SqlResult<Vec<Bound>> {
        parts.iter().map(|part| Ok(self.expr(part)?.0)).collect()
    }

    pub(crate) fn condition(&mut self, expr: &Expr) -> SqlResult<Bound> {
        Ok(self.expr(expr)?.0)
    }

    pub(crate) fn as_text(&mut self, expr: &Expr) -> SqlResult<Bound> {
        let (bound, ty) = self.expr(expr)?;
        Ok(convert(bound, ty, if ty.is_text() { ty } else { Type::VarChar(None) }))
    }

    fn column(&mut self, parts: &[String]) -> SqlResult<(Bound, Type)> {
        let name = parts.last().map_or("", String::as_str);
        let qualifier = parts.len().checked_sub(2).and_then(|at| parts.get(at)).filter(|q| !q.is_empty());
        for (depth, scope) in self.scopes.iter().rev().enumerate() {
            let means = |column: &ScopeColumn| {
                !column.hidden && same(&column.name, name) && qualifier.is_none_or(|qualifier| same(&column.qualifier, qualifier))
            };
            let mut found = scope.columns.iter().enumerate().filter(|(_, column)| means(column));
            let Some((index, column)) = found.next() else { continue };
            if found.next().is_some() {
                return Err(SqlError::new(209, format!("Ambiguous column name '{name}'.")));
            }
            self.lowest = self.lowest.min(self.scopes.len() - 1 - depth);
            return Ok((Bound::Column { depth, index }, column.ty));
        }
        if qualifier.is_some() {
            let full = parts.join(".");
            return Err(SqlError::new(4104, format!("The multi-part identifier \"{full}\" could not be bound.")));
        }
        let mut error = SqlError::unknown_column(name);
        if self.scopes.is_empty() {
            error = error.with_hint("text stands in single quotes");
        }
        Err(error)
    }

    /// A query inside an expression.
    pub(crate) fn subquery(&mut self, query: &Query) -> SqlResult<Rc<SubPlan>> {
        let outside = std::mem::replace(&mut self.lowest, usize::MAX);
        let level = self.scopes.len();
        let plan = self.query(query)?;
        let correlated = self.lowest < level;
        self.lowest = self.lowest.min(outside);
        Ok(Rc::new(SubPlan { plan, correlated, rows: OnceCell::new(), keys: OnceCell::new() }))
    }

    fn single_column(&mut self, query: &Query) -> SqlResult<(Rc<SubPlan>, Type)> {
        let plan = self.subquery(query)?;
        match plan.plan.columns.as_slice() {
            [column] => {
                let ty = column.ty;
                Ok((plan, ty))
            }
            _ => Err(SqlError::new(
                116,
                "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
            )),
        }
    }

    fn case(&mut self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> SqlResult<(Bound, Type)> {
        let mut ty = Type::Null;
        let mut bound = Vec::new();
        for (when, then) in branches {
            let when = match operand {
                Some(operand) => {
                    let (left, left_type) = self.expr(operand)?;
                    let (right, right_type) = self.expr(when)?;
                    let pair = comparable(left, left_type, right, right_type)?;
                    Bound::Compare(super::super::syntax::ast::Comparison::Equal, Box::new(pair))
                }
                None => self.condition(when)?,
            };
            let (then, then_type) = self.expr(then)?;
            ty = ty.common(then_type);
            bound.push((when, then, then_type));
        }
        let otherwise = match otherwise {
            Some(otherwise) => {
                let (otherwise, from) = self.expr(otherwise)?;
                ty = ty.common(from);
                Some((otherwise, from))
            }
            None => None,
        };
        let branches = bound.into_iter().map(|(when, then, from)| (when, convert(then, from, ty))).collect();
        let otherwise = otherwise.map(|(otherwise, from)| Box::new(convert(otherwise, from, ty)));
        Ok((Bound::Case { branches, otherwise }, ty))
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> SqlResult<(Bound, Type)> {
        let bound: Vec<(Bound, Type)> = arguments.iter().map(|a| self.expr(a)).collect::<SqlResult<_>>()?;
        match name {
            "COALESCE" => {
                let ty = bound.iter().fold(Type::Null, |ty, (_, other)| ty.common(*other));
                let list = bound.into_iter().map(|(item, from)| convert(item, from, ty)).collect();
                return Ok((Bound::Coalesce(list), ty));
            }
            "ISNULL" => {
                let ty = if bound[0].1 == Type::Null { bound[1].1 } else { bound[0].1 };
                // The replacement takes the first argument's type, length included.
                let list = bound.into_iter().map(|(item, from)| cast(item, from, ty)).collect();
                return Ok((Bound::Coalesce(list), ty));
            }
            "NULLIF" => {
                let mut bound = bound.into_iter();
                if let (Some((left, ty)), Some((right, right_type))) = (bound.next(), bound.next()) {
                    let pair = comparable(left.clone(), ty, right, right_type)?;
                    let equal = Bound::Compare(super::super::syntax::ast::Comparison::Equal, Box::new(pair));
                    return Ok((Bound::NullIf(Box::new(left), Box::new(equal)), ty));
                }
            }
            "CHOOSE" => {
                let mut bound = bound.into_iter();
                if let Some((index, from)) = bound.next() {
                    let items: Vec<(Bound, Type)> = bound.collect();
                    let ty = items.iter().fold(Type::Null, |ty, (_, other)| ty.common(*other));
                    let list = items.into_iter().map(|(item, from)| convert(item, from, ty)).collect();
                    return Ok((Bound::Choose(Box::new(cast(index, from, Type::Int)), list), ty));
                }
            }
            _ => {
                if let Some(function) = function::find(name) {
                    let (arguments, types): (Vec<Bound>, Vec<Type>) = bound.into_iter().unzip();
                    let ty = (function.result)(&types);
                    return Ok((Bound::Call { function, arguments, types }, ty));
                }
            }
        }
        Err(SqlError::unsupported(format!("the function {name}")))
    }
}

/// The value in another type, where that makes a difference.
pub(crate) fn convert(value: Bound, from: Type, to: Type) -> Bound {
    let needless = from == to
        || to == Type::Null
        || from.is_text() && to.is_text()
        || from.class() == Class::Integer && to.class() == Class::Integer && from != Type::Bit && to != Type::Bit;
    if needless {
        return value;
    }
    Bound::Convert { value: Box::new(value), from, to, style: None, explicit: false, forgiving: false }
}

/// The value in exactly this type, cut to its length.
pub(crate) fn cast(value: Bound, from: Type, to: Type) -> Bound {
    if from == to || to == Type::Null {
        return value;
    }
    Bound::Convert { value: Box::new(value), from, to, style: None, explicit: true, forgiving: false }
}

/// Both sides such that they can be compared. Exact numbers, and text with text, need no conversion, which leaves
/// columns bare for look-ups.
fn comparable(left: Bound, left_type: Type, right: Bound, right_type: Type) -> SqlResult<(Bound, Bound)> {
    let common = left_type.common(right_type);
    if left_type != Type::Null && right_type != Type::Null {
        let clash = (left_type.class() == Class::Date || matches!(left_type, Type::Time(_))) && right_type.is_number()
            || (right_type.class() == Class::Date || matches!(right_type, Type::Time(_))) && left_type.is_number();
        if clash {
            let (a, b) = (left_type.family(), right_type.family());
            return Err(SqlError::new(206, format!("Operand type clash: {a} is incompatible with {b}")));
        }
    }
    Ok((for_comparison(left, left_type, common), for_comparison(right, right_type, common)))
}

fn for_comparison(value: Bound, from: Type, common: Type) -> Bound {
    let exact = |ty: Type| matches!(ty.class(), Class::Integer | Class::Decimal);
    if exact(from) && exact(common) || from.class() == common.class() {
        return value;
    }
    // Text is compared as the other side's type, but a decimal keeps all its digits.
    let to = match common {
        Type::Decimal { .. } if from.is_text() => Type::decimal(MAX_PRECISION, common.digits().1),
        other => other,
    };
    convert(value, from, to)
}

/// The digits that an operand takes: a whole-number constant only as many as it has.
fn operand_digits(value: &Bound, ty: Type) -> (u8, u8) {
    match value {
        Bound::Constant(Value::Int(n)) => {
            let digits = n.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
            (u8::try_from(digits).unwrap_or(19), 0)
        }
        _ => ty.digits(),
    }
}

pub(crate) fn arithmetic(operator: Arithmetic, left: (Bound, Type), right: (Bound, Type)) -> SqlResult<(Bound, Type)> {
    let ((left, left_type), (right, right_type)) = (left, right);
    let common = left_type.common(right_type);
    let ty = match common.class() {
        Class::Null => Type::Null,
        Class::Text if operator == Arithmetic::Add => {
            let length = left_type.text_length().zip(right_type.text_length()).map(|(a, b)| a.saturating_add(b));
            match common {
                Type::NChar(_) | Type::NVarChar(_) => Type::NVarChar(length.filter(|n| *n <= 4000)),
                _ => Type::VarChar(length.filter(|n| *n <= 8000)),
            }
        }
        Class::Decimal if common.is_money() => Type::Money,
        Class::Decimal => {
            let (a, b) = (operand_digits(&left, left_type), operand_digits(&right, right_type));
            // Text counts as the other side's type.
            let a = if left_type.is_text() { b } else { a };
            let b = if right_type.is_text() { a } else { b };
            decimal_result(operator, a, b)
        }
        Class::Integer if common == Type::Bit => Type::Int,
        Class::Integer | Class::Float | Class::Binary => common,
        Class::DateTime if matches!(common, Type::DateTime | Type::SmallDateTime) => Type::DateTime,
        _ => {
            let (a, b) = (left_type.family(), right_type.family());
            let error = if common.is_text() {
                let word = format!("{operator:?}").to_lowercase();
                SqlError::new(402, format!("The data types {a} and {b} are incompatible in the {word} operator."))
            } else {
                SqlError::new(206, format!("Operand type clash: {a} is incompatible with {b}"))
            };
            return Err(error.with_hint("DATEADD moves dates; CAST makes numbers of text"));
        }
    };
    if common.class() == Class::Null {
        return Ok((Bound::Constant(Value::Null), Type::Int));
    }
    let operand = |value: Bound, from: Type| match ty.class() {
        // A number added to a DATETIME counts days.
        Class::DateTime if from.is_number() => value,
        Class::Decimal if from.is_text() => convert(value, from, if ty.is_money() { ty } else { common }),
        Class::Decimal | Class::Integer if from.class() <= Class::Decimal && !from.is_text() => value,
        _ => convert(value, from, ty),
    };
    let pair = (operand(left, left_type), operand(right, right_type));
    Ok((Bound::Arithmetic(operator, Box::new(pair), ty, (left_type, right_type)), ty))
}

/// Precision and scale of a decimal result, by SQL Server's rules.
fn decimal_result(operator: Arithmetic, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Type {
    let [p1, s1, p2, s2] = [p1, s1, p2, s2].map(i32::from);
    let most = i32::from(MAX_PRECISION);
    let (precision, scale) = match operator {
        Arithmetic::Multiply => (p1 + p2 + 1, s1 + s2),
        Arithmetic::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Arithmetic::Modulo => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let scale = if precision <= most {
        scale
    } else if matches!(operator, Arithmetic::Multiply | Arithmetic::Divide) {
        let whole = precision - scale;
        scale.min((most - whole).max(6))
    } else {
        scale.min((most - (p1 - s1).max(p2 - s2)).max(0))
    };
    let digit = |n: i32| u8::try_from(n.clamp(0, most)).unwrap_or(MAX_PRECISION);
    Type::decimal(digit(precision).max(1), digit(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_results_have_the_documented_digits() {
        for (operator, a, b, expected) in [
            (Arithmetic::Add, (18, 2), (18, 2), (19, 2)),
            (Arithmetic::Multiply, (18, 2), (5, 4), (24, 6)),
            (Arithmetic::Divide, (18, 2), (3, 0), (22, 6)),
            (Arithmetic::Divide, (18, 2), (10, 0), (29, 13)),
            (Arithmetic::Divide, (38, 10), (38, 10), (38, 6)),
            (Arithmetic::Multiply, (38, 10), (38, 10), (38, 6)),
            (Arithmetic::Modulo, (5, 2), (3, 0), (5, 2)),
        ] {
            let (precision, scale) = expected;
            assert_eq!(decimal_result(operator, a, b), Type::decimal(precision, scale), "{operator:?} {a:?} {b:?}");
        }
    }
}
