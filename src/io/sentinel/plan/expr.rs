//! Bound expressions.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::super::catalog::Defined;
use super::super::function::Function;
use super::super::syntax::ast::{self, Arithmetic, Comparison, Sequence};
use super::super::value::compare::Key;
use super::super::value::{Type, Value};
use super::query::QueryPlan;

#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Constant(Value),
    /// A column of the row at hand, or of the row `depth` queries outward.
    Column {
        depth: usize,
        index: usize,
    },
    /// The nth aggregate of this grouped query.
    Aggregate(usize),
    /// The nth window function of this query.
    Window(usize),
    Variable(String),
    Global(String),
    Negate(Box<Bound>, Type),
    BitNot(Box<Bound>),
    /// Operator, operands, the result's type, and the operands' types.
    Arithmetic(Arithmetic, Box<(Bound, Bound)>, Type, (Type, Type)),
    Compare(Comparison, Box<(Bound, Bound)>),
    And(Vec<Bound>),
    Or(Vec<Bound>),
    Not(Box<Bound>),
    IsNull(Box<Bound>, bool),
    Like {
        value: Box<Bound>,
        pattern: Box<Bound>,
        escape: Option<Box<Bound>>,
        negated: bool,
    },
    InList {
        value: Box<Bound>,
        list: Vec<Bound>,
        negated: bool,
    },
    InQuery {
        value: Box<Bound>,
        query: Rc<SubPlan>,
        element: Type,
        common: Type,
        negated: bool,
    },
    CompareQuery {
        comparison: Comparison,
        all: bool,
        left: Box<Bound>,
        query: Rc<SubPlan>,
        element: Type,
        common: Type,
    },
    Exists(Rc<SubPlan>),
    Scalar(Rc<SubPlan>),
    Case {
        branches: Vec<(Bound, Bound)>,
        otherwise: Option<Box<Bound>>,
    },
    Coalesce(Vec<Bound>),
    Extreme {
        list: Vec<Bound>,
        greatest: bool,
    },
    NullIf(Box<Bound>, Box<Bound>),
    Choose(Box<Bound>, Vec<Bound>),
    Convert {
        value: Box<Bound>,
        from: Type,
        to: Type,
        style: Option<Box<Bound>>,
        explicit: bool,
        forgiving: bool,
    },
    Call {
        function: &'static Function,
        arguments: Vec<Bound>,
        types: Vec<Type>,
    },
    UserCall {
        function: UserFunction,
        arguments: Vec<Bound>,
    },
    NextValue(Arc<Defined<Sequence>>),
}

/// A function that a script has made.
pub(crate) type UserFunction = Arc<Defined<Arc<ast::Function>>>;

/// A query inside an expression. Its rows are kept when they do not hang on the row outside.
#[derive(Debug)]
pub(crate) struct SubPlan {
    pub(crate) plan: QueryPlan,
    pub(crate) correlated: bool,
    pub(crate) rows: OnceCell<Rc<Vec<Vec<Value>>>>,
    /// The first column's values, for IN.
    pub(crate) keys: OnceCell<HashSet<Key>>,
}

impl Bound {
    /// Calls `visit` on this and all expressions inside; subqueries are not entered.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Bound)) {
        visit(self);
        match self {
            Self::Constant(_)
            | Self::Column { .. }
            | Self::Aggregate(_)
            | Self::Window(_)
            | Self::Variable(_)
            | Self::Global(_)
            | Self::NextValue(_)
            | Self::Exists(_)
            | Self::Scalar(_) => {}
            Self::Negate(a, _) | Self::BitNot(a) | Self::Not(a) | Self::IsNull(a, _) => a.walk(visit),
            Self::Arithmetic(_, pair, ..) | Self::Compare(_, pair) => {
                pair.0.walk(visit);
                pair.1.walk(visit);
            }
            Self::And(list) | Self::Or(list) | Self::Coalesce(list) | Self::Extreme { list, .. } => {
                for item in list {
                    item.walk(visit);
                }
            }
            Self::Like { value, pattern, escape, .. } => {
                value.walk(visit);
                pattern.walk(visit);
                if let Some(escape) = escape {
                    escape.walk(visit);
                }
            }
            Self::InList { value, list, .. } | Self::Choose(value, list) => {
                value.walk(visit);
                for item in list {
                    item.walk(visit);
                }
            }
            Self::InQuery { value, .. } | Self::CompareQuery { left: value, .. } => value.walk(visit),
            Self::Case { branches, otherwise } => {
                for (when, then) in branches {
                    when.walk(visit);
                    then.walk(visit);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.walk(visit);
                }
            }
            Self::NullIf(a, b) => {
                a.walk(visit);
                b.walk(visit);
            }
            Self::Convert { value, style, .. } => {
                value.walk(visit);
                if let Some(style) = style {
                    style.walk(visit);
                }
            }
            Self::Call { arguments, .. } | Self::UserCall { arguments, .. } => arguments.iter().for_each(|b| b.walk(visit)),
        }
    }

    fn walk_mut(&mut self, visit: &mut dyn FnMut(&mut Bound)) {
        visit(self);
        match self {
            Self::Negate(a, _) | Self::BitNot(a) | Self::Not(a) | Self::IsNull(a, _) => a.walk_mut(visit),
            Self::Arithmetic(_, pair, ..) | Self::Compare(_, pair) => {
                pair.0.walk_mut(visit);
                pair.1.walk_mut(visit);
            }
            Self::And(list) | Self::Or(list) | Self::Coalesce(list) => list.iter_mut().for_each(|b| b.walk_mut(visit)),
            Self::Like { value, pattern, escape, .. } => {
                value.walk_mut(visit);
                pattern.walk_mut(visit);
                if let Some(escape) = escape {
                    escape.walk_mut(visit);
                }
            }
            Self::InList { value, list, .. } | Self::Choose(value, list) => {
                value.walk_mut(visit);
                for item in list {
                    item.walk_mut(visit);
                }
            }
            Self::Case { branches, otherwise } => {
                for (when, then) in branches {
                    when.walk_mut(visit);
                    then.walk_mut(visit);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.walk_mut(visit);
                }
            }
            Self::NullIf(a, b) => {
                a.walk_mut(visit);
                b.walk_mut(visit);
            }
            Self::Convert { value, style, .. } => {
                value.walk_mut(visit);
                if let Some(style) = style {
                    style.walk_mut(visit);
                }
            }
            Self::Call { arguments, .. } | Self::UserCall { arguments, .. } => {
                for argument in arguments {
                    argument.walk_mut(visit);
                }
            }
            // Subqueries count columns from another row: expressions with one are never moved.
            _ => {}
        }
    }

    /// The lowest and highest column of the row at hand that it reads; `Err` when a subquery may read any.
    pub(crate) fn columns(&self) -> Result<Option<(usize, usize)>, ()> {
        let mut range: Option<(usize, usize)> = None;
        let mut opaque = false;
        self.walk(&mut |bound| match bound {
            Self::Column { depth: 0, index } => {
                range = Some(range.map_or((*index, *index), |(low, high)| (low.min(*index), high.max(*index))));
            }
            Self::Exists(_)
            | Self::Scalar(_)
            | Self::InQuery { .. }
            | Self::CompareQuery { .. }
            | Self::Aggregate(_)
            | Self::Window(_) => opaque = true,
            _ => {}
        });
        if opaque { Err(()) } else { Ok(range) }
    }

    /// The same expression on a row that lacks the first `by` columns.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.walk_mut(&mut |bound| {
            if let Self::Column { depth: 0, index } = bound {
                *index -= by;
            }
        });
        self
    }

    /// The parts of a conjunction.
    pub(crate) fn conjuncts(self) -> Vec<Self> {
        match self {
            Self::And(parts) => parts.into_iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }
}
