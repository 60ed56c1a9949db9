//! Queries and expressions with their names resolved and their types known, and how they are run.
//!
//! ```text
//! syntax tree ─► bind (names, types, conversions) ─► push conditions down ─► run: from, where, group, window, select, order
//! ```
//!
//! A plan lives for one run of one statement.

mod aggregate;
mod bind;
mod changes;
mod eval;
mod expr;
mod form;
mod from;
mod join;
mod json;
mod operators;
mod pushdown;
mod query;
mod reshape;
mod run;
mod source;
mod window;

pub(crate) use bind::{Binder, Scope, ScopeColumn};
pub(crate) use eval::Env;
pub(crate) use expr::{Bound, UserFunction};
pub(crate) use from::{FromPlan, Source, table_leaf};
pub(crate) use operators::arithmetic;
pub(crate) use query::OutputColumn;
