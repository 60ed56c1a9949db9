//! Avro schemas as the registry holds them, made ready for decoding.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::schema::{ColumnSchema, EnvelopeSchema, RowSchema, amount_form};
use super::temporal::DateForm;

/// A schema without references and logical types, and what it says of the rows in it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub json: Json,
    pub envelope: EnvelopeSchema,
}

/// Why a schema cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable(pub &'static str);

/// Takes logical types out, so that decimals stay bytes and dates integers: their meaning is read from here, once, and not
/// from every value. Puts referenced schemas in where they are first named. Refuses records that hold themselves: their
/// values could be nested without end.
pub(crate) fn prepare(text: &str, references: &BTreeMap<String, String>) -> Result<Prepared, Unusable> {
    let parse = |text: &str| serde_json::from_str::<Json>(text).map_err(|_| Unusable("it is not JSON"));
    let mut json = parse(text)?;
    let references = references.iter().map(|(name, text)| Ok((name.clone(), parse(text)?))).collect::<Result<_, Unusable>>()?;
    let mut walk = Walk { references, rows: BTreeMap::new(), defined: BTreeSet::new(), open: Vec::new(), depth: 0 };
    walk.visit(&mut json, "")?;

    let fields = json.get("fields").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |part: &str| {
        let field = fields.iter().find(|field| field.get("name").and_then(Json::as_str) == Some(part));
        let namespace = json.get("name").and_then(Json::as_str).map(|name| namespace_of(name, own_namespace(&json)));
        let name = field.and_then(|field| named(field.get("type")?, namespace.as_deref().unwrap_or_default()));
        name.and_then(|name| walk.rows.get(&name).cloned()).unwrap_or_default()
    };
    let envelope = EnvelopeSchema { before: row("before"), after: row("after") };
    Ok(Prepared { json, envelope })
}

struct Walk {
    references: BTreeMap<String, Json>,
    /// Of every record, by full name.
    rows: BTreeMap<String, RowSchema>,
    /// Records, enums and fixed types that were written out so far.
    defined: BTreeSet<String>,
    /// Records that are being walked.
    open: Vec<String>,
    depth: usize,
}

const PRIMITIVE: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
/// Parsing limits the depth of each text, but references are put in where they are named.
const MAX_DEPTH: usize = 64;

impl Walk {
    fn visit(&mut self, schema: &mut Json, namespace: &str) -> Result<(), Unusable> {
        if self.depth == MAX_DEPTH {
            return Err(Unusable("it is nested too deep"));
        }
        self.depth += 1;
        let visited = self.visit_type(schema, namespace);
        self.depth -= 1;
        visited
    }

    fn visit_type(&mut self, schema: &mut Json, namespace: &str) -> Result<(), Unusable> {
        match schema {
            Json::String(name) if PRIMITIVE.contains(&&**name) => Ok(()),
            Json::String(name) => {
                let name = full_name(name, namespace);
                if self.open.contains(&name) {
                    return Err(Unusable("a record holds itself"));
                }
                if self.defined.contains(&name) {
                    return Ok(());
                }
                let mut referenced = self.references.remove(&name).ok_or(Unusable("it names a type that it does not define"))?;
                self.visit(&mut referenced, "")?;
                *schema = referenced;
                Ok(())
            }
            Json::Array(branches) => branches.iter_mut().try_for_each(|branch| self.visit(branch, namespace)),
            Json::Object(object) => self.visit_object(object, namespace),
            _ => Err(Unusable("it is not an Avro schema")),
        }
    }

    fn visit_object(&mut self, object: &mut Map<String, Json>, namespace: &str) -> Result<(), Unusable> {
        object.remove("logicalType");
        let kind = object.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        let inner = match &*kind {
            "record" | "error" => return self.visit_record(object, namespace),
            "enum" | "fixed" => {
                let name = defined_name(object, namespace)?;
                self.defined.insert(name);
                return Ok(());
            }
            "array" => "items",
            "map" => "values",
            _ => "type",
        };
        self.visit(object.get_mut(inner).ok_or(Unusable("it is not an Avro schema"))?, namespace)
    }

    fn visit_record(&mut self, object: &mut Map<String, Json>, namespace: &str) -> Result<(), Unusable> {
        let name = defined_name(object, namespace)?;
        let namespace = name.rsplit_once('.').map_or(String::new(), |(namespace, _)| namespace.to_owned());
        let fields = object.get_mut("fields").and_then(Json::as_array_mut).ok_or(Unusable("a record has no fields"))?;
        self.open.push(name.clone());
        let mut row = BTreeMap::new();
        for field in fields {
            let field = field.as_object_mut().ok_or(Unusable("a field is not an object"))?;
            // Defaults are for readers of other schemas, and need not fit once logical types are gone.
            field.remove("default");
            let column = field.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            let kind = field.get_mut("type").ok_or(Unusable("a field has no type"))?;
            row.insert(column, column_schema(kind));
            self.visit(kind, &namespace)?;
        }
        self.open.pop();
        self.rows.insert(name.clone(), RowSchema(row));
        self.defined.insert(name);
        Ok(())
    }
}

/// The form of a column: of the type itself, or of the one type in a union with null, whichever comes first there.
fn column_schema(kind: &Json) -> ColumnSchema {
    let kind = not_null(kind);
    let (kind, attributes) = match kind {
        Json::Object(object) => (object.get("type").and_then(Json::as_str).unwrap_or_default(), Some(object)),
        _ => (kind.as_str().unwrap_or_default(), None),
    };
    let attribute = |name: &str| attributes.and_then(|object| object.get(name));
    let logical = attribute("logicalType").and_then(Json::as_str);
    // Connect's name is the finer one: Debezium's own temporal types have no logical type.
    let name = attribute("connect.name").and_then(Json::as_str).or(match logical {
        None => None,
        Some("decimal") => Some("org.apache.kafka.connect.data.Decimal"),
        Some("date") => Some("org.apache.kafka.connect.data.Date"),
        Some("timestamp-millis" | "local-timestamp-millis") => Some("org.apache.kafka.connect.data.Timestamp"),
        Some("timestamp-micros" | "local-timestamp-micros") => Some("io.debezium.time.MicroTimestamp"),
        Some("timestamp-nanos" | "local-timestamp-nanos") => Some("io.debezium.time.NanoTimestamp"),
        other => other,
    });
    let scale = || {
        let stated = match attribute("scale") {
            Some(scale) => scale.as_i64().and_then(|scale| i32::try_from(scale).ok()),
            None => attribute("connect.parameters").and_then(|all| all.get("scale")?.as_str()?.parse().ok()),
        };
        // Avro's own default, which holds for Avro's own decimal only.
        stated.or((logical == Some("decimal") && attribute("scale").is_none()).then_some(0))
    };
    ColumnSchema { amount: amount_form(kind, name, scale), date: DateForm::of(kind, name) }
}

fn not_null(kind: &Json) -> &Json {
    match kind {
        Json::Array(branches) => match &branches[..] {
            [null, other] | [other, null] if null == "null" => other,
            _ => kind,
        },
        _ => kind,
    }
}

/// The full name of the record that a field's type is or names.
fn named(kind: &Json, namespace: &str) -> Option<String> {
    match not_null(kind) {
        Json::String(name) => Some(full_name(name, namespace)),
        Json::Object(object) => defined_name(object, namespace).ok(),
        _ => None,
    }
}

fn own_namespace(schema: &Json) -> &str {
    schema.get("namespace").and_then(Json::as_str).unwrap_or_default()
}

fn namespace_of(name: &str, namespace: &str) -> String {
    name.rsplit_once('.').map_or(namespace, |(namespace, _)| namespace).to_owned()
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn defined_name(object: &Map<String, Json>, namespace: &str) -> Result<String, Unusable> {
    let name = object.get("name").and_then(Json::as_str).ok_or(Unusable("a type has no name"))?;
    let namespace = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
    Ok(full_name(name, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::money::AmountForm;

    fn prepared(text: &str) -> Result<Prepared, Unusable> {
        prepare(text, &BTreeMap::new())
    }

    /// An envelope whose after has one column of the given type.
    fn column(kind: &str) -> (AmountForm, DateForm) {
        let text = format!(
            r#"{{"type":"record","name":"Envelope","namespace":"a.b","fields":[
                {{"name":"before","type":["null",{{"type":"record","name":"Value","fields":[{{"name":"Column","type":{kind}}}]}}],"default":null}},
                {{"name":"after","type":["null","Value"],"default":null}}]}}"#
        );
        let prepared = prepared(&text).unwrap();
        apache_avro::Schema::parse(&prepared.json).unwrap();
        assert_eq!(prepared.envelope.before.amount("Column"), prepared.envelope.after.amount("Column"));
        (prepared.envelope.after.amount("Column"), prepared.envelope.after.date("Column"))
    }

    #[test]
    fn forms_are_read_through_unions_and_names() {
        let connect = r#"{"type":"bytes","scale":4,"precision":19,"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#;
        assert_eq!(column(connect).0, AmountForm::Decimal { scale: 4 });
        assert_eq!(column(&format!(r#"["null",{connect}]"#)).0, AmountForm::Decimal { scale: 4 });
        assert_eq!(column(&format!(r#"[{connect},"null"]"#)).0, AmountForm::Decimal { scale: 4 });
        let parameters =
            r#"{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal","connect.parameters":{"scale":"3"}}"#;
        assert_eq!(column(parameters).0, AmountForm::Decimal { scale: 3 });
        assert_eq!(column(r#"{"type":"bytes","logicalType":"decimal","precision":9}"#).0, AmountForm::Decimal { scale: 0 });
        assert_eq!(
            column(r#"{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal"}"#).0,
            AmountForm::ScaleUnknown
        );
        assert_eq!(column(r#""bytes""#).0, AmountForm::NotAnAmount);
        assert_eq!(column(r#"["null","string"]"#).0, AmountForm::Text);
        assert_eq!(column(r#""double""#).0, AmountForm::Number);
        assert_eq!(column(r#"{"type":"int","connect.name":"io.debezium.time.Date"}"#).1, DateForm::Days);
        assert_eq!(column(r#"{"type":"long","logicalType":"timestamp-millis"}"#).1, DateForm::Millis);
        assert_eq!(column(r#"["null",{"type":"string","connect.name":"io.debezium.time.IsoDate"}]"#).1, DateForm::Iso);
        assert_eq!(column(r#"["null","int","string"]"#), (AmountForm::NotAnAmount, DateForm::NotADate));
    }

    #[test]
    fn referenced_schemas_are_put_in_where_they_are_first_named() {
        let references = BTreeMap::from([(
            "x.Value".to_owned(),
            r#"{"type":"record","name":"Value","namespace":"x","fields":[{"name":"Column","type":"double"}]}"#.to_owned(),
        )]);
        let text = r#"{"type":"record","name":"Envelope","namespace":"a","fields":[
            {"name":"before","type":["null","x.Value"]},{"name":"after","type":["null","x.Value"]}]}"#;
        let prepared = prepare(text, &references).unwrap();
        apache_avro::Schema::parse(&prepared.json).unwrap();
        assert_eq!(prepared.envelope.before.amount("Column"), AmountForm::Number);
        assert_eq!(prepared.envelope.after.amount("Column"), AmountForm::Number);
    }

    #[test]
    fn schemas_that_could_nest_values_without_end_are_refused() {
        let itself = r#"{"type":"record","name":"A","fields":[{"name":"next","type":["null","A"]}]}"#;
        assert_eq!(prepared(itself).unwrap_err(), Unusable("a record holds itself"));
        let each_other =
            BTreeMap::from([("B".to_owned(), r#"{"type":"record","name":"B","fields":[{"name":"a","type":"A"}]}"#.to_owned())]);
        let text = r#"{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]}"#;
        assert_eq!(prepare(text, &each_other).unwrap_err(), Unusable("a record holds itself"));
        let arrays = |n| format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(n), "}".repeat(n));
        assert!(prepared(&arrays(MAX_DEPTH - 1)).is_ok());
        assert_eq!(prepared(&arrays(MAX_DEPTH)).unwrap_err(), Unusable("it is nested too deep"));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for text in ["", "1", "{}", r#"{"type":"record"}"#, r#"{"type":"record","name":"A","fields":[1]}"#, r#""Unknown""#] {
            assert!(prepared(text).is_err(), "{text}");
        }
    }
}
