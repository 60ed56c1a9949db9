//! `cdc.fn_cdc_get_all_changes_<instance>` and `cdc.fn_cdc_get_net_changes_<instance>`.

use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::history::Instance;
use super::super::lsn::Lsn;
use super::super::store::Row;
use super::super::syntax::ast::{Expr, ObjectName};
use super::super::value::Value;
use super::bind::{Binder, Scope, ScopeColumn};
use super::eval::Env;
use super::expr::Bound;
use super::from::{FromPlan, Source};

const ALL: &str = "fn_cdc_get_all_changes_";
const NET: &str = "fn_cdc_get_net_changes_";

/// The changes of an instance between two positions.
#[derive(Debug)]
pub(crate) struct Changes {
    database: String,
    instance: String,
    net: bool,
    /// From, to, and which rows.
    arguments: Vec<Bound>,
}

/// Whether a function is one of those that change data capture makes.
pub(crate) fn is_of_capture(name: &ObjectName) -> bool {
    split(name).is_some()
}

/// The instance's name, and whether its net changes are meant.
fn split(name: &ObjectName) -> Option<(String, bool)> {
    let lower = name.name.to_lowercase();
    let of_capture = name.schema.as_ref().is_some_and(|schema| schema.eq_ignore_ascii_case("cdc"));
    let all = lower.strip_prefix(ALL).map(|instance| (instance.to_owned(), false));
    all.or_else(|| lower.strip_prefix(NET).map(|instance| (instance.to_owned(), true))).filter(|_| of_capture)
}

impl Binder<'_> {
    pub(super) fn changes(
        &mut self,
        name: &ObjectName,
        arguments: &[Option<Expr>],
        alias: Option<&str>,
    ) -> SqlResult<(FromPlan, Scope)> {
        let (instance, net) = split(name).ok_or_else(|| SqlError::unknown_object(name))?;
        let database = name.database.clone().unwrap_or_else(|| self.database.clone());
        let found = self.engine.instance(&database, &instance).ok_or_else(|| SqlError::unknown_object(name))?;
        let [Some(_), Some(_), Some(_)] = arguments else {
            let message = format!("An insufficient number of arguments were supplied for the procedure or function {name}.");
            return Err(SqlError::new(313, message));
        };
        let arguments = arguments.iter().flatten().map(|argument| Ok(self.expr(argument)?.0)).collect::<SqlResult<_>>()?;
        let qualifier = alias.unwrap_or(&name.name);
        let column = |(name, ty)| ScopeColumn { qualifier: qualifier.to_owned(), name, ty, hidden: false };
        let scope = Scope { columns: Engine::changes_columns(&found, net).into_iter().map(column).collect() };
        let width = scope.columns.len();
        let source = Changes { database, instance, net, arguments };
        Ok((FromPlan::leaf(Source::Changes(Box::new(source)), width), scope))
    }
}

impl Changes {
    pub(super) fn run(&self, env: &Env<'_>) -> SqlResult<Vec<Row>> {
        let Some(instance) = env.engine.instance(&self.database, &self.instance) else { return Ok(Vec::new()) };
        let values = self.arguments.iter().map(|argument| env.eval(argument)).collect::<SqlResult<Vec<_>>>()?;
        let (Some(from), Some(to)) = (values.first().and_then(Lsn::of), values.get(1).and_then(Lsn::of)) else {
            return Err(range(&instance));
        };
        if from < instance.start || to < from || env.engine.history.last().is_none_or(|last| to > last) {
            return Err(range(&instance));
        }
        if self.net {
            return Ok(env.engine.net_changes(&instance, from, to));
        }
        let old = matches!(values.get(2), Some(Value::Text(text)) if text.trim().eq_ignore_ascii_case("all update old"));
        Ok(env.engine.all_changes(&instance, from, to, old))
    }
}

/// SQL Server says so of positions outside of what is kept.
fn range(instance: &Instance) -> SqlError {
    let message =
        "An insufficient number of arguments were supplied for the procedure or function cdc.fn_cdc_get_all_changes_ ... .";
    SqlError::new(313, message).with_hint(format!(
        "the positions must lie between sys.fn_cdc_get_min_lsn and sys.fn_cdc_get_max_lsn; {} has changed nothing in between",
        instance.table.display()
    ))
}
