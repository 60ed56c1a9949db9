//! Confluent's framing: a zero byte, the schema's id in the registry, an Avro datum.

use std::io::{self, Read};
use std::marker::PhantomData;
use std::sync::{Arc, Once};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use super::avro_schema::prepare;
use super::bad::BadMessage;
use super::cell::Cell;
use super::envelope::Envelope;
use super::object::{Columns, Object, Shape};
use super::registry::{Lookup, Registry};
use super::schema::Seen;
use super::table::{ImageForms, Images, Opened, Table};

/// A schema that was made ready.
#[derive(Debug)]
struct Known<F> {
    schema: Schema,
    forms: ImageForms<F>,
}

/// A decoded datum that is a record.
#[derive(Debug)]
pub(crate) struct Datum(Vec<(String, Value)>);

/// Reads the Avro values of one table.
#[derive(Debug)]
pub(crate) struct Reader<T: Table> {
    registry: Arc<Registry>,
    schemas: Seen<u32, Arc<Known<T::Forms>>>,
    table: PhantomData<T>,
}

/// More than any message that a broker takes; a length in a broken message may claim anything.
const MAX_ALLOCATION: usize = 64 << 20;

impl<T: Table> Reader<T> {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        static LIMIT: Once = Once::new();
        LIMIT.call_once(|| {
            apache_avro::util::max_allocation_bytes(MAX_ALLOCATION);
        });
        Self { registry, schemas: Seen::default(), table: PhantomData }
    }

    pub(crate) fn open<O>(
        &self,
        value: &[u8],
        read: impl FnOnce(&Envelope<'_, T::Row<'_>>, &ImageForms<T::Forms>, Images<'_>) -> Result<O, BadMessage>,
    ) -> Opened<O> {
        let (id, bytes) = match value {
            [0, a, b, c, d, bytes @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), bytes),
            _ => return Opened::Bad(BadMessage::new("avro", "the value ends within its schema id")),
        };
        let known = match self.known(id) {
            Ok(known) => known,
            Err(opened) => return opened,
        };
        let datum = match datum(&known.schema, bytes, id) {
            Ok(datum) => datum,
            Err(bad) => return Opened::Bad(bad),
        };
        match read(&datum.envelope(), &known.forms, Images::Avro(&datum)) {
            Ok(opened) => Opened::Read(opened),
            Err(bad) => Opened::Bad(bad),
        }
    }

    fn known<O>(&self, id: u32) -> Result<Arc<Known<T::Forms>>, Opened<O>> {
        if let Some(((), known)) = self.schemas.find(|seen| (*seen == id).then_some(())) {
            return Ok(known);
        }
        let bad = |what: &str| {
            Opened::Bad(BadMessage::new("schema", format_args!("the registry's schema {id} cannot be used: {what}")))
        };
        let registered = match self.registry.schema(id) {
            Ok(Lookup::Found(schema)) => schema,
            Ok(Lookup::NotFound) => {
                return Err(Opened::Bad(BadMessage::new("schema", format_args!("the registry knows no schema {id}"))));
            }
            Err(error) => return Err(Opened::Unavailable(error)),
        };
        if registered.kind != "AVRO" {
            return Err(bad("it is not Avro"));
        }
        let prepared = prepare(&registered.text, &registered.references).map_err(|unusable| bad(unusable.0))?;
        let schema = Schema::parse(&prepared.json).map_err(|_| bad("it is not an Avro schema"))?;
        let known = Arc::new(Known { schema, forms: ImageForms::stated::<T>(&prepared.envelope) });
        self.schemas.remember(id, Arc::clone(&known));
        Ok(known)
    }
}

fn datum(schema: &Schema, bytes: &[u8], id: u32) -> Result<Datum, BadMessage> {
    let mut bytes = Whole { left: bytes, ended: false };
    // The library's errors are not quoted: they can hold values.
    let value = GenericDatumReader::builder(schema)
        .build()
        .and_then(|reader| reader.read_value(&mut bytes))
        .ok()
        .filter(|_| !bytes.ended)
        .ok_or_else(|| BadMessage::new("avro", format_args!("the value is not Avro of the registry's schema {id}")))?;
    let left = bytes.left.len();
    if left != 0 {
        return Err(BadMessage::new("avro", format_args!("{left} bytes follow the value of the registry's schema {id}")));
    }
    match value {
        Value::Record(fields) => Ok(Datum(fields)),
        _ => Err(BadMessage::new("not_an_envelope", "the value is not a record")),
    }
}

/// Remembers whether more was asked for than there was: apache-avro reads strings, booleans and unions that are cut off as
/// null, so a truncated message would pass as one with nulls.
struct Whole<'a> {
    left: &'a [u8],
    ended: bool,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ended |= buffer.len() > self.left.len();
        self.left.read(buffer)
    }
}

impl Datum {
    fn envelope<'a, R: Columns<'a>>(&'a self) -> Envelope<'a, R> {
        let mut envelope = Envelope::default();
        for (name, value) in &self.0 {
            match &**name {
                "before" => fill(&mut envelope.before, value),
                "after" => fill(&mut envelope.after, value),
                "source" => fill(&mut envelope.source, value),
                "op" => envelope.op = cell(value),
                _ => {}
            }
        }
        envelope
    }

    /// The images in a form that is the same for two deliveries.
    pub(crate) fn images(&self) -> [String; 2] {
        ["before", "after"].map(|part| {
            let image = self.0.iter().find(|(name, _)| name == part).map(|(_, value)| value.clone());
            image.and_then(|image| serde_json::Value::try_from(image).ok()).map_or(String::new(), |json| json.to_string())
        })
    }
}

fn fill<'a, R: Columns<'a>>(object: &mut Object<R>, value: &'a Value) {
    match in_union(value) {
        Value::Null => {}
        Value::Record(fields) => {
            object.shape = Shape::Object;
            for (name, value) in fields {
                if let Some((_, slot)) = object.row.slot(name) {
                    *slot = cell(value);
                }
            }
        }
        _ => object.shape = Shape::NotAnObject,
    }
}

fn in_union(value: &Value) -> &Value {
    match value {
        Value::Union(_, value) => value,
        value => value,
    }
}

/// Logical types were taken out of the schema, so these are all that can occur.
fn cell(value: &Value) -> Cell<'_> {
    match in_union(value) {
        Value::Null => Cell::Null,
        Value::Boolean(bit) => Cell::Bool(*bit),
        Value::Int(integer) => Cell::Integer(i64::from(*integer)),
        Value::Long(integer) => Cell::Integer(*integer),
        Value::Double(double) => Cell::Double(*double),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Cell::Bytes(bytes),
        Value::String(text) | Value::Enum(_, text) => Cell::Text(text),
        _ => Cell::Nested,
    }
}
