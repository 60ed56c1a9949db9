//! Binding expressions: which column a name means, which type an expression has, where a conversion is needed.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::super::catalog::{Object, same};
use super::super::deeper;
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::function;
use super::super::syntax::ast::{Expr, FunctionBody, ObjectName, Query};
use super::super::value::{Type, Value};
use super::aggregate::AggregatePlan;
use super::expr::{Bound, SubPlan, UserFunction};
use super::operators::{arithmetic, cast, comparable, convert, for_comparison};
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

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of expression")]
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
            Expr::UserCall { name, arguments } => {
                let function = self.user_function(name)?;
                let arguments = self.user_arguments(&function, arguments)?;
                let FunctionBody::Scalar { ty, .. } = function.definition.body else { return Err(no_function(name)) };
                (Bound::UserCall { function, arguments }, ty)
            }
            Expr::NextValue(name) => match self.engine.find_object(&self.database, name)? {
                Some(Object::Sequence(sequence)) => (Bound::NextValue(Arc::clone(sequence)), sequence.definition.ty),
                _ => return Err(SqlError::unknown_object(name)),
            },
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

    pub(crate) fn user_function(&self, name: &ObjectName) -> SqlResult<UserFunction> {
        match self.engine.find_object(&self.database, name)? {
            Some(Object::Function(function)) => Ok(Arc::clone(function)),
            _ => Err(no_function(name)),
        }
    }

    /// The arguments of a user-defined function as its parameters take them.
    pub(crate) fn user_arguments(&mut self, function: &UserFunction, given: &[Option<Expr>]) -> SqlResult<Vec<Bound>> {
        let parameters = &function.definition.parameters;
        if parameters.len() != given.len() {
            let (number, few) =
                if given.len() < parameters.len() { (313, "An insufficient number of") } else { (8144, "Too many") };
            let message =
                format!("{few} arguments were supplied for the procedure or function {}.{}.", function.schema, function.name);
            return Err(SqlError::new(number, message));
        }
        let mut arguments = Vec::with_capacity(given.len());
        for (parameter, given) in parameters.iter().zip(given) {
            let (bound, from) = match given.as_ref().or(parameter.default.as_ref()) {
                Some(value) => self.expr(value)?,
                None => (Bound::Constant(Value::Null), Type::Null),
            };
            arguments.push(cast(bound, from, parameter.ty));
        }
        Ok(arguments)
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
            "GREATEST" | "LEAST" => {
                let ty = bound.iter().fold(Type::Null, |ty, (_, other)| ty.common(*other));
                let list = bound.into_iter().map(|(item, from)| convert(item, from, ty)).collect();
                return Ok((Bound::Extreme { list, greatest: name == "GREATEST" }, ty));
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

fn no_function(name: &ObjectName) -> SqlError {
    let message = format!(
        "Cannot find either column \"{}\" or the user-defined function or aggregate \"{name}\", or the name is ambiguous.",
        name.schema.as_deref().unwrap_or_default()
    );
    SqlError::new(4121, message)
}
