//! JSON as it was written: the order of fields and the text of numbers are kept, and the writer can vary both the
//! space between tokens and the escapes.

use std::fmt::Write;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::random::Random;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The literal.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How the writer varies what means the same.
#[derive(Debug, Default)]
pub(crate) struct Style {
    pub(crate) blanks: Option<Random>,
    pub(crate) escapes: Option<Random>,
}

impl Json {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn number<N: ToString + Copy>(number: N) -> Self {
        Self::Number(number.to_string())
    }

    pub(crate) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(crate) fn fields(&self) -> &[(String, Self)] {
        if let Self::Object(fields) = self { fields } else { &[] }
    }

    pub(crate) fn fields_mut(&mut self) -> Option<&mut Vec<(String, Self)>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.fields_mut()?.iter_mut().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        if let Self::Number(literal) = self { literal.parse().ok() } else { None }
    }

    /// As Kafka Connect writes it.
    pub(crate) fn compact(&self) -> String {
        self.written(&mut Style::default())
    }

    pub(crate) fn written(&self, style: &mut Style) -> String {
        let mut out = String::new();
        style.blank(&mut out);
        self.write(style, &mut out);
        style.blank(&mut out);
        out
    }

    fn write(&self, style: &mut Style, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => write!(out, "{value}").unwrap(),
            Self::Number(literal) => out.push_str(literal),
            Self::Text(text) => style.quote(text, out),
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    style.separate(n, out);
                    item.write(style, out);
                }
                style.blank(out);
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (n, (name, value)) in fields.iter().enumerate() {
                    style.separate(n, out);
                    style.quote(name, out);
                    style.blank(out);
                    out.push(':');
                    style.blank(out);
                    value.write(style, out);
                }
                style.blank(out);
                out.push('}');
            }
        }
    }
}

impl Style {
    fn blank(&mut self, out: &mut String) {
        if let Some(random) = &mut self.blanks {
            let blank: &&str = random.pick(&["", "", " ", "\n", "\t", "\r\n  "]);
            out.push_str(blank);
        }
    }

    fn separate(&mut self, n: usize, out: &mut String) {
        if n > 0 {
            self.blank(out);
            out.push(',');
        }
        self.blank(out);
    }

    fn quote(&mut self, text: &str, out: &mut String) {
        let Some(random) = &mut self.escapes else { return out.push_str(&serde_json::to_string(text).unwrap()) };
        out.push('"');
        for character in text.chars() {
            let needed = character < ' ' || character == '"' || character == '\\';
            if needed || random.one_in(4) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    if random.one_in(2) { write!(out, "\\u{unit:04x}").unwrap() } else { write!(out, "\\u{unit:04X}").unwrap() }
                }
            } else {
                out.push(character);
            }
        }
        out.push('"');
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::number(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::number(value))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Json, E> {
                // the inputs hold fractions in bad messages only, and those stay as they are
                Err(E::custom("a fraction's text is not kept"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = access.next_entry()? {
                    fields.push(field);
                }
                Ok(Json::Object(fields))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
