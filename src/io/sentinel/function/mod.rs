//! The built-in functions: one table, found by name.

mod cdc;
mod date;
mod format;
pub(crate) mod json;
mod math;
mod system;
mod text;
mod zone;

use super::engine::Engine;
use super::error::SqlResult;
use super::value::convert::Conversion;
use super::value::{Type, Value};

pub(crate) use date::add_days;
pub(crate) use date::is_date_part;
pub(crate) use zone::is_zone;

/// One built-in function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// Whether the result is NULL as soon as one argument is.
    pub(crate) strict: bool,
    pub(crate) result: fn(&[Type]) -> Type,
    pub(crate) call: fn(&Call<'_>) -> SqlResult<Value>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A function's arguments, and the server it is called on.
pub(crate) struct Call<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) values: &'a [Value],
    pub(crate) types: &'a [Type],
}

impl Call<'_> {
    fn has(&self, at: usize) -> bool {
        at < self.values.len()
    }

    fn is_null(&self, at: usize) -> bool {
        self.values.get(at).is_none_or(Value::is_null)
    }

    /// The argument as another type; NULL when it is missing.
    fn get(&self, at: usize, ty: Type) -> SqlResult<Value> {
        let Some(value) = self.values.get(at) else { return Ok(Value::Null) };
        Conversion { explicit: true, ..self.engine.conversion() }.convert(value, self.types[at], ty)
    }

    /// The argument as text; empty when it is NULL or missing.
    fn text(&self, at: usize) -> SqlResult<String> {
        match self.values.get(at) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::Text(text)) => Ok(text.to_string()),
            Some(other) => self.engine.conversion().print(other, self.types[at]),
        }
    }

    /// The argument as a whole number; 0 when it is NULL or missing.
    fn int(&self, at: usize) -> SqlResult<i64> {
        match self.get(at, Type::BigInt)? {
            Value::Int(n) => Ok(n),
            _ => Ok(0),
        }
    }

    fn float(&self, at: usize) -> SqlResult<f64> {
        match self.get(at, Type::Float)? {
            Value::Float(f) => Ok(f),
            _ => Ok(0.0),
        }
    }
}

/// Functions that take part in typing or evaluate only some of their arguments; the binder knows them.
const SPECIAL: [(&str, usize, usize); 6] =
    [("ISNULL", 2, 2), ("COALESCE", 1, 64), ("NULLIF", 2, 2), ("CHOOSE", 2, 64), ("GREATEST", 1, 254), ("LEAST", 1, 254)];

fn tables() -> impl Iterator<Item = &'static Function> {
    [
        text::FUNCTIONS,
        date::FUNCTIONS,
        math::FUNCTIONS,
        system::FUNCTIONS,
        format::FUNCTIONS,
        zone::FUNCTIONS,
        json::FUNCTIONS,
        cdc::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    tables().find(|function| function.name == name)
}

/// How many arguments a function takes, at least and at most.
pub(crate) fn arity(name: &str) -> Option<(usize, usize)> {
    let special = SPECIAL.iter().find(|(special, ..)| *special == name).map(|(_, least, most)| (*least, *most));
    special.or_else(|| find(name).map(|function| (function.least, function.most)))
}

/// The function whose name is least different.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let names = tables().map(|function| function.name).chain(SPECIAL.iter().map(|(name, ..)| *name));
    let scored = names.map(|known| (distance(known, name), known));
    scored.min().filter(|(distance, _)| *distance <= 2 && distance * 2 < name.len()).map(|(_, known)| known)
}

/// The edit distance between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<u8> = b.bytes().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

pub(crate) fn is_global(name: &str) -> bool {
    matches!(
        name,
        "ROWCOUNT"
            | "ERROR"
            | "IDENTITY"
            | "TRANCOUNT"
            | "FETCH_STATUS"
            | "SERVERNAME"
            | "SPID"
            | "VERSION"
            | "NESTLEVEL"
            | "DATEFIRST"
            | "PROCID"
            | "LANGUAGE"
            | "SERVICENAME"
            | "MAX_PRECISION"
            | "CURSOR_ROWS"
    )
}

/// Text that is as long as the first argument, Unicode.
fn like_first(types: &[Type]) -> Type {
    match types.first() {
        Some(ty) if ty.is_text() => match *ty {
            Type::Char(n) | Type::VarChar(Some(n)) => Type::VarChar(Some(n)),
            Type::NChar(n) | Type::NVarChar(Some(n)) => Type::NVarChar(Some(n)),
            other => other,
        },
        _ => Type::VarChar(Some(8000)),
    }
}

fn long_text(_: &[Type]) -> Type {
    Type::NVarChar(Some(4000))
}

fn int(_: &[Type]) -> Type {
    Type::Int
}

fn float(_: &[Type]) -> Type {
    Type::Float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_upper_case() {
        let mut names: Vec<_> = tables().map(|function| function.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(names.iter().all(|name| name.to_ascii_uppercase() == **name));
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(nearest("GETDATES"), Some("GETDATE"));
        assert_eq!(nearest("CRYPT_GEN_RANDOM"), None);
    }
}
