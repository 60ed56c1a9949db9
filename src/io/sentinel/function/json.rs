//! JSON: ISJSON, JSON_VALUE, JSON_QUERY, and what OPENJSON needs. Numbers keep the digits that they are written with.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::error::{SqlError, SqlResult};
use super::super::value::{Type, Value};
use super::{Call, Function, int, long_text};

const fn strict(
    name: &'static str,
    least: usize,
    most: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least, most, strict: true, result, call }
}

pub(super) const FUNCTIONS: &[Function] = &[
    strict("ISJSON", 1, 1, int, |c| {
        let text = c.text(0)?;
        let is_json = Json::parse(&text).is_some_and(|json| json.kind() >= Kind::Array);
        Ok(Value::Int(i64::from(is_json)))
    }),
    strict("JSON_VALUE", 2, 2, long_text, |c| {
        let (text, path) = (c.text(0)?, c.text(1)?);
        Ok(found(&text, &path)?.map_or(Value::Null, Json::scalar))
    }),
    strict(
        "JSON_QUERY",
        1,
        2,
        |_| Type::NVarChar(None),
        |c| {
            let (text, path) = (c.text(0)?, if c.has(1) { c.text(1)? } else { "$".to_owned() });
            Ok(found(&text, &path)?.map_or(Value::Null, Json::structure))
        },
    ),
];

/// A text of JSON, a part of a larger one or a whole one.
#[derive(Clone, Copy)]
pub(crate) struct Json<'t>(&'t str);

/// As OPENJSON numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Null,
    Text,
    Number,
    Truth,
    Array,
    Object,
}

impl<'t> Json<'t> {
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self(raw.get()))
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0.bytes().next() {
            Some(b'n') => Kind::Null,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Truth,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The members of an object, or the elements of an array under their numbers; in the order of the text.
    pub(crate) fn children(self) -> Vec<(String, Json<'t>)> {
        let raw = match self.kind() {
            Kind::Object => serde_json::from_str::<Members<'t>>(self.0).map(|members| members.0).unwrap_or_default(),
            Kind::Array => {
                let elements = serde_json::from_str::<Elements<'t>>(self.0).map(|elements| elements.0).unwrap_or_default();
                elements.into_iter().enumerate().map(|(at, raw)| (at.to_string(), raw)).collect()
            }
            _ => Vec::new(),
        };
        raw.into_iter().map(|(name, raw)| (name, Json(raw.get()))).collect()
    }

    /// The part that a path leads to; `None` when there is none.
    fn follow(self, steps: &[String]) -> Option<Self> {
        let Some((first, rest)) = steps.split_first() else { return Some(self) };
        let child = self.children().into_iter().find(|(name, _)| name == first)?.1;
        child.follow(rest)
    }

    /// Its value as text: NULL for null, and for objects and arrays.
    pub(crate) fn scalar(self) -> Value {
        match self.kind() {
            Kind::Null | Kind::Array | Kind::Object => Value::Null,
            Kind::Text => serde_json::from_str::<String>(self.0).map_or(Value::Null, Value::text),
            Kind::Number | Kind::Truth => Value::text(self.0),
        }
    }

    /// An object or array as its text, else NULL.
    pub(crate) fn structure(self) -> Value {
        if self.kind() >= Kind::Array { Value::text(self.0) } else { Value::Null }
    }

    pub(crate) fn text(self) -> &'t str {
        self.0
    }
}

struct Members<'t>(Vec<(String, &'t RawValue)>);
struct Elements<'t>(Vec<&'t RawValue>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'t> Visitor<'t> for All {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl<'t> Deserialize<'t> for Elements<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'t> Visitor<'t> for All {
            type Value = Elements<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'t>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

/// The part of a text that a path leads to. A text that is no JSON is an error; a path that leads nowhere is only one
/// when it is strict.
pub(crate) fn found<'t>(text: &'t str, path: &str) -> SqlResult<Option<Json<'t>>> {
    let json = Json::parse(text).ok_or_else(|| {
        SqlError::new(13609, "JSON text is not properly formatted.")
            .with_hint(format!("the text begins with {}", text.chars().take(40).collect::<String>()))
    })?;
    let (strict, steps) = steps(path)?;
    match json.follow(&steps) {
        None if strict => {
            let message = "Property cannot be found on the specified JSON path.";
            Err(SqlError::new(13608, message).with_hint(format!("the path is {path}")))
        }
        found => Ok(found),
    }
}

/// `strict $.a[0]."b c"` in its steps, and whether it is strict.
fn steps(path: &str) -> SqlResult<(bool, Vec<String>)> {
    let wrong = || SqlError::new(13607, format!("JSON path '{path}' is not properly formatted."));
    let trimmed = path.trim();
    let (strict, rest) = match trimmed.split_once(char::is_whitespace) {
        Some(("strict", rest)) => (true, rest.trim()),
        Some(("lax", rest)) => (false, rest.trim()),
        _ => (false, trimmed),
    };
    let mut rest = rest.strip_prefix('$').ok_or_else(wrong)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (number, after) = inner.split_once(']').ok_or_else(wrong)?;
            steps.push(number.trim().parse::<usize>().map_err(|_| wrong())?.to_string());
            rest = after;
        } else if let Some(inner) = rest.strip_prefix(".\"") {
            let (name, after) = inner.split_once('"').ok_or_else(wrong)?;
            steps.push(name.to_owned());
            rest = after;
        } else {
            let inner = rest.strip_prefix('.').ok_or_else(wrong)?;
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            if end == 0 {
                return Err(wrong());
            }
            steps.push(inner[..end].trim().to_owned());
            rest = &inner[end..];
        }
    }
    Ok((strict, steps))
}

/// A text as JSON writes it.
pub(crate) fn quoted(text: &str) -> String {
    // every text has a form in JSON; SQL Server escapes the slash as well
    serde_json::to_string(text).unwrap_or_default().replace('/', "\\/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_parts_and_numbers_keep_their_digits() {
        let text = r#"{"a": [1, {"b c": 403.370}], "d": "x\u00e9", "e": null, "f": true}"#;
        let scalar = |path: &str| found(text, path).expect("a path").map_or(Value::Null, Json::scalar);
        for (path, expected) in [("$.a[0]", "1"), ("lax $.a[1].\"b c\"", "403.370"), ("$.d", "xé"), ("$.f", "true")] {
            assert_eq!(scalar(path), Value::text(expected), "{path}");
        }
        for path in ["$.a", "$.e", "$.A", "$.a[7]", "$.d.x"] {
            assert_eq!(scalar(path), Value::Null, "{path}");
        }
        for (path, number) in [("strict $.zz", 13608), ("a.b", 13607), ("$.", 13607), ("$[x]", 13607)] {
            assert_eq!(found(text, path).map(|_| ()).expect_err(path).number, number, "{path}");
        }
        assert_eq!(found("{a}", "$").map(|_| ()).expect_err("no JSON").number, 13609);
    }
}
