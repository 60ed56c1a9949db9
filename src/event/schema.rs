//! Kafka Connect's schemas inside JSON messages, and remembering those that were seen.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::money::AmountForm;
use super::temporal::DateForm;

/// The columns of a row image, as a schema describes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowSchema(pub(crate) BTreeMap<String, ColumnSchema>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnSchema {
    pub amount: AmountForm,
    pub date: DateForm,
}

impl RowSchema {
    /// A column that the schema does not know cannot be read: its form would be a guess.
    pub(crate) fn amount(&self, column: &str) -> AmountForm {
        self.0.get(column).map_or(AmountForm::NotAnAmount, |schema| schema.amount)
    }

    pub(crate) fn date(&self, column: &str) -> DateForm {
        self.0.get(column).map_or(DateForm::NotADate, |schema| schema.date)
    }
}

/// Row schemas of an envelope's before and after. What is no schema of an envelope has empty ones.
#[derive(Debug, Default)]
pub(crate) struct EnvelopeSchema {
    pub before: RowSchema,
    pub after: RowSchema,
}

/// `{"type":"struct","fields":[…]}` and whatever stands in it.
#[derive(Deserialize)]
struct ConnectSchema {
    #[serde(rename = "type")]
    kind: String,
    field: Option<String>,
    name: Option<String>,
    parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    fields: Vec<Self>,
}

impl EnvelopeSchema {
    /// From the JSON of a schema part; `None` if that is not a Connect schema.
    pub(crate) fn of_connect(json: &str) -> Option<Self> {
        let envelope: ConnectSchema = serde_json::from_str(json).ok()?;
        let row = |part: &str| {
            let fields =
                envelope.fields.iter().filter(|field| field.field.as_deref() == Some(part)).flat_map(|part| &part.fields);
            let named = fields.filter_map(|field| Some((field.field.clone()?, field.column())));
            RowSchema(named.collect())
        };
        Some(Self { before: row("before"), after: row("after") })
    }
}

impl ConnectSchema {
    fn column(&self) -> ColumnSchema {
        let scale = || self.parameters.as_ref()?.get("scale")?.parse().ok();
        let name = self.name.as_deref();
        ColumnSchema { amount: amount_form(&self.kind, name, scale), date: DateForm::of(&self.kind, name) }
    }
}

/// By type and name, of a Connect schema or of Avro (whose types are called long, int and boolean).
pub(crate) fn amount_form(kind: &str, name: Option<&str>, scale: impl FnOnce() -> Option<i32>) -> AmountForm {
    match (kind, name) {
        ("bytes" | "fixed", Some("org.apache.kafka.connect.data.Decimal")) => {
            scale().map_or(AmountForm::ScaleUnknown, |scale| AmountForm::Decimal { scale })
        }
        ("string", None) => AmountForm::Text,
        ("double" | "float" | "int8" | "int16" | "int32" | "int64" | "int" | "long", None) => AmountForm::Number,
        _ => AmountForm::NotAnAmount,
    }
}

/// What was made of the schemas seen so far, found again by their complete bytes.
///
/// Readers take no lock. Slots are never freed: an upstream that sends a new schema with every message costs a parse each
/// once they are full, not memory.
#[derive(Debug)]
pub(crate) struct Seen<K, V> {
    slots: [OnceLock<(K, V)>; 64],
}

impl<K, V> Default for Seen<K, V> {
    fn default() -> Self {
        Self { slots: [const { OnceLock::new() }; 64] }
    }
}

impl<K, V: Clone> Seen<K, V> {
    /// The first that `is` says yes to.
    pub(crate) fn find<T>(&self, mut is: impl FnMut(&K) -> Option<T>) -> Option<(T, V)> {
        self.slots.iter().map_while(OnceLock::get).find_map(|(key, value)| Some((is(key)?, value.clone())))
    }

    /// Two threads that remember the same at once take two slots; no harm is done.
    pub(crate) fn remember(&self, key: K, value: V) {
        let mut entry = (key, value);
        for slot in &self.slots {
            match slot.set(entry) {
                Ok(()) => return,
                Err(back) => entry = back,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_form_and_scale() {
        let decimal = r#""name":"org.apache.kafka.connect.data.Decimal","version":1"#;
        let json = format!(
            r#"{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[
                {{"type":"bytes",{decimal},"parameters":{{"scale":"4"}},"field":"precise","default":"AA=="}},
                {{"type":"bytes",{decimal},"parameters":{{"scale":"-2"}},"field":"negative"}},
                {{"type":"bytes",{decimal},"field":"scaleless"}},
                {{"type":"string","field":"text","optional":true}},
                {{"type":"double","field":"double"}},
                {{"type":"struct","name":"io.debezium.data.VariableScaleDecimal","field":"struct","fields":[]}},
                {{"type":"int32","name":"io.debezium.time.Date","field":"date"}}]}}]}}"#
        );
        let schema = EnvelopeSchema::of_connect(&json).unwrap();
        assert_eq!(schema.after.amount("precise"), AmountForm::Decimal { scale: 4 });
        assert_eq!(schema.after.amount("negative"), AmountForm::Decimal { scale: -2 });
        assert_eq!(schema.after.amount("scaleless"), AmountForm::ScaleUnknown);
        assert_eq!(schema.after.amount("text"), AmountForm::Text);
        assert_eq!(schema.after.amount("double"), AmountForm::Number);
        assert_eq!(schema.after.amount("struct"), AmountForm::NotAnAmount);
        assert_eq!(schema.after.amount("absent"), AmountForm::NotAnAmount);
        assert_eq!(schema.after.amount("date"), AmountForm::NotAnAmount);
        assert_eq!(schema.after.date("date"), DateForm::Days);
        assert_eq!(schema.before.amount("precise"), AmountForm::NotAnAmount);
    }

    #[test]
    fn what_is_no_schema_is_none() {
        for json in ["1", "[]", "{}", r#"{"type":1}"#, r#"{"type":"struct","fields":[1]}"#] {
            assert!(EnvelopeSchema::of_connect(json).is_none(), "{json}");
        }
        assert!(EnvelopeSchema::of_connect(&r#"{"type":"struct","fields":["#.repeat(10_000)).is_none());
    }

    #[test]
    fn what_was_seen_is_found_until_the_slots_are_full() {
        let seen = Seen::<u32, u32>::default();
        let find = |key| seen.find(|known| (*known == key).then_some(())).map(|((), value)| value);
        assert_eq!(find(0), None);
        for key in 0..100 {
            seen.remember(key, key + 1000);
        }
        assert_eq!(find(0), Some(1000));
        assert_eq!(find(63), Some(1063));
        assert_eq!(find(64), None);
    }
}
