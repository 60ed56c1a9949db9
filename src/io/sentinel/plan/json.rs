//! OPENJSON: rows out of a text.

use super::super::error::SqlResult;
use super::super::function::json::{Json, Kind, found};
use super::super::store::Row;
use super::super::syntax::ast::{Expr, JsonColumn};
use super::super::value::{Type, Value};
use super::bind::{Binder, Scope, ScopeColumn};
use super::eval::Env;
use super::expr::Bound;
use super::from::{FromPlan, Source};

/// OPENJSON with its text and path bound.
#[derive(Debug)]
pub(crate) struct OpenJson {
    json: Bound,
    path: Option<Bound>,
    /// Empty for key, value and type.
    columns: Vec<JsonColumn>,
}

impl Binder<'_> {
    pub(super) fn open_json(
        &mut self,
        json: &Expr,
        path: Option<&Expr>,
        columns: &[JsonColumn],
        alias: Option<&str>,
    ) -> SqlResult<(FromPlan, Scope)> {
        let json = self.as_text(json)?;
        let path = path.map(|path| self.as_text(path)).transpose()?;
        let fixed = [("key", Type::NVarChar(Some(4000))), ("value", Type::NVarChar(None)), ("type", Type::Int)];
        let named: Vec<(&str, Type)> = match columns {
            [] => fixed.to_vec(),
            columns => columns.iter().map(|column| (column.name.as_str(), column.ty)).collect(),
        };
        let qualifier = alias.unwrap_or("OPENJSON");
        let column =
            |(name, ty): (&str, Type)| ScopeColumn { qualifier: qualifier.to_owned(), name: name.to_owned(), ty, hidden: false };
        let scope = Scope { columns: named.into_iter().map(column).collect() };
        let width = scope.columns.len();
        let source = OpenJson { json, path, columns: columns.to_vec() };
        Ok((FromPlan::leaf(Source::Json(Box::new(source)), width), scope))
    }
}

impl OpenJson {
    pub(super) fn run(&self, env: &Env<'_>) -> SqlResult<Vec<Row>> {
        let Value::Text(text) = env.eval(&self.json)? else { return Ok(Vec::new()) };
        let path = self.path.as_ref().map(|path| env.eval(path)).transpose()?;
        let path = match &path {
            Some(Value::Text(path)) => path.as_ref(),
            Some(_) => return Ok(Vec::new()),
            None => "$",
        };
        let Some(json) = found(&text, path)? else { return Ok(Vec::new()) };
        if self.columns.is_empty() {
            return Ok(json.children().into_iter().map(|(key, child)| pair(key, child)).collect());
        }
        let objects = match json.kind() {
            Kind::Array => json.children().into_iter().map(|(_, child)| child).collect(),
            _ => vec![json],
        };
        objects.into_iter().map(|object| self.row(env, object)).collect()
    }

    fn row(&self, env: &Env<'_>, object: Json<'_>) -> SqlResult<Row> {
        let value = |column: &JsonColumn| {
            let part = match &column.path {
                Some(path) => found(object.text(), path)?,
                // a column's own name is a key, whatever characters it holds
                None => object.children().into_iter().find(|(name, _)| *name == column.name).map(|(_, child)| child),
            };
            let text = part.map_or(Value::Null, |part| if column.as_json { part.structure() } else { part.scalar() });
            let truth = match (&text, column.ty) {
                (Value::Text(text), Type::Bit) => text.parse::<bool>().ok().map(Value::Bit),
                _ => None,
            };
            match truth {
                Some(truth) => Ok(truth),
                None => env.engine.conversion().convert(&text, Type::NVarChar(None), column.ty),
            }
        };
        self.columns.iter().map(value).collect()
    }
}

/// Key, value and type.
fn pair(key: String, value: Json<'_>) -> Row {
    let kind = value.kind();
    let shown = if kind >= Kind::Array { value.structure() } else { value.scalar() };
    vec![Value::text(key), shown, Value::Int(kind as i64)]
}
