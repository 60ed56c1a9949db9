//! FOR XML PATH and FOR JSON: all rows of a query as one text.

use super::super::engine::Engine;
use super::super::error::SqlResult;
use super::super::function::json;
use super::super::store::Row;
use super::super::syntax::ast::{Body, Expr, Form, Query, SelectItem};
use super::super::value::convert::Conversion;
use super::super::value::ty::Class;
use super::super::value::{Type, Value};
use super::query::{OutputColumn, QueryPlan};

#[derive(Debug)]
pub(crate) struct FormPlan {
    form: Form,
    columns: Vec<OutputColumn>,
    /// The columns whose text is JSON already.
    json: Vec<bool>,
}

impl QueryPlan {
    /// The same query, giving one text.
    pub(super) fn formed(mut self, form: Form, query: &Query) -> Self {
        let is_json = |item: &SelectItem| match item {
            SelectItem::Value { value: Expr::Subquery(inner), .. } => matches!(inner.form, Some(Form::Json { .. })),
            SelectItem::Value { value: Expr::Call { name, .. }, .. } => name == "JSON_QUERY",
            _ => false,
        };
        let json = match &query.body {
            Body::Select(select) if select.items.len() == self.columns.len() => select.items.iter().map(is_json).collect(),
            _ => vec![false; self.columns.len()],
        };
        let name = match form {
            Form::Xml { .. } => "XML_F52E2B61-18A1-11d1-B105-00805F49916B",
            Form::Json { .. } => "JSON_F52E2B61-18A1-11d1-B105-00805F49916B",
        };
        let text = vec![OutputColumn { name: name.to_owned(), ty: Type::NVarChar(None) }];
        let columns = std::mem::replace(&mut self.columns, text);
        self.form = Some(FormPlan { form, columns, json });
        self
    }
}

impl FormPlan {
    /// One row with the text, or none where there is nothing to write.
    pub(super) fn write(&self, engine: &Engine, rows: &[Row]) -> SqlResult<Vec<Row>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let conversion = engine.conversion();
        let text = match &self.form {
            Form::Xml { row, root, plain } => self.xml(conversion, rows, row, root.as_deref(), *plain)?,
            Form::Json { root, nulls, wrapped } => self.json(conversion, rows, root.as_deref(), *nulls, *wrapped)?,
        };
        Ok(vec![vec![Value::text(text)]])
    }

    fn xml(&self, conversion: Conversion, rows: &[Row], row: &str, root: Option<&str>, plain: bool) -> SqlResult<String> {
        let within = |name: &str, inner: String| {
            if name.is_empty() || plain { inner } else { format!("<{name}>{inner}</{name}>") }
        };
        let mut text = String::new();
        for values in rows {
            let mut inner = String::new();
            for (value, column) in values.iter().zip(&self.columns).filter(|(value, _)| !value.is_null()) {
                let bare = matches!(column.name.as_str(), "" | "*" | "text()" | "data()" | "node()");
                let shown = Conversion { style: iso(value), ..conversion }.print(value, column.ty)?;
                let shown = if plain { shown } else { escaped(&shown) };
                inner.push_str(&within(if bare { "" } else { &column.name }, shown));
            }
            text.push_str(&within(row, inner));
        }
        Ok(within(root.unwrap_or_default(), text))
    }

    fn json(&self, conversion: Conversion, rows: &[Row], root: Option<&str>, nulls: bool, wrapped: bool) -> SqlResult<String> {
        let mut objects = Vec::with_capacity(rows.len());
        for values in rows {
            let mut object = Node::Object(Vec::new());
            for (at, (value, column)) in values.iter().zip(&self.columns).enumerate() {
                if value.is_null() && !nulls {
                    continue;
                }
                let text = match (value, column.ty.class()) {
                    (Value::Null, _) => "null".to_owned(),
                    (Value::Bit(bit), _) => bit.to_string(),
                    (Value::Text(text), _) if self.json[at] => text.to_string(),
                    (Value::Numeric(number), _) => number.to_string(),
                    (value, Class::Integer | Class::Decimal | Class::Float) => conversion.print(value, column.ty)?,
                    (value, _) => json::quoted(&Conversion { style: iso(value), ..conversion }.print(value, column.ty)?),
                };
                object.put(&column.name, text);
            }
            let mut text = String::new();
            object.write(&mut text);
            objects.push(text);
        }
        let all = objects.join(",");
        let all = if wrapped { format!("[{all}]") } else { all };
        Ok(match root {
            Some(root) => format!("{{{}:{all}}}", json::quoted(root)),
            None => all,
        })
    }
}

/// Moments in ISO form.
fn iso(value: &Value) -> Option<i64> {
    matches!(value, Value::DateTime(_)).then_some(126)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An object on its way to text; names with points nest.
enum Node {
    Text(String),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn put(&mut self, path: &str, text: String) {
        let Self::Object(members) = self else { return };
        let Some((first, rest)) = path.split_once('.') else {
            members.push((path.to_owned(), Self::Text(text)));
            return;
        };
        if !matches!(members.last(), Some((name, Self::Object(_))) if name == first) {
            members.push((first.to_owned(), Self::Object(Vec::new())));
        }
        if let Some((_, inner)) = members.last_mut() {
            inner.put(rest, text);
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Text(own) => text.push_str(own),
            Self::Object(members) => {
                text.push('{');
                for (at, (name, member)) in members.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    text.push_str(&json::quoted(name));
                    text.push(':');
                    member.write(text);
                }
                text.push('}');
            }
        }
    }
}
