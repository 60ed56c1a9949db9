//! Opening a record: from its bytes to an envelope with row images, and the forms in which their values stand.

use std::fmt::Debug;
use std::sync::Arc;

use super::avro;
use super::bad::BadMessage;
use super::envelope::{self, Envelope};
use super::express::Express;
use super::formats::Formats;
use super::object::Columns;
use super::record::Record;
use super::registry::{Registry, RegistryError};
use super::schema::{EnvelopeSchema, RowSchema, Seen};

/// A captured table: which columns are read of it, and the forms of those that have more than one.
pub(crate) trait Table: Debug + 'static {
    type Row<'a>: Columns<'a>;
    type Forms: Copy + Debug + Send + Sync + 'static;

    /// The forms of messages without a schema.
    fn configured(formats: &Formats) -> Self::Forms;

    /// The forms that a schema states.
    fn stated(schema: &RowSchema) -> Self::Forms;
}

/// The forms of both images of an envelope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageForms<F> {
    pub before: F,
    pub after: F,
}

impl<F> ImageForms<F> {
    pub(crate) fn stated<T: Table<Forms = F>>(schema: &EnvelopeSchema) -> Self {
        Self { before: T::stated(&schema.before), after: T::stated(&schema.after) }
    }
}

/// What a record turned out to be.
pub(crate) enum Opened<O> {
    Read(O),
    /// There is no envelope, and nothing is wrong.
    Ignored(&'static str),
    Bad(BadMessage),
    Unavailable(RegistryError),
}

/// The images, for an identity that has nothing better.
pub(crate) enum Images<'a> {
    Json(&'a str),
    Avro(&'a avro::Datum),
}

impl Images<'_> {
    /// Their bytes: equal for two deliveries of a change.
    pub(crate) fn with_bytes<T>(&self, read: impl FnOnce([&[u8]; 2]) -> T) -> T {
        match self {
            Self::Json(text) => read(envelope::raw_images(text)),
            Self::Avro(datum) => {
                let images = datum.images();
                read([images[0].as_bytes(), images[1].as_bytes()])
            }
        }
    }
}

/// Opens the records of one table. Shared by all threads that decode.
#[derive(Debug)]
pub(crate) struct TableReader<T: Table> {
    configured: ImageForms<T::Forms>,
    schemas: Seen<Box<str>, ImageForms<T::Forms>>,
    express: Express,
    avro: Option<avro::Reader<T>>,
}

impl<T: Table> TableReader<T> {
    pub(crate) fn new(formats: &Formats) -> Self {
        let forms = T::configured(formats);
        Self {
            configured: ImageForms { before: forms, after: forms },
            schemas: Seen::default(),
            express: Express::default(),
            avro: formats.registry.clone().map(|registry: Arc<Registry>| avro::Reader::new(registry)),
        }
    }

    /// Hands the envelope to `read`, which it is borrowed for.
    pub(crate) fn open<O>(
        &self,
        record: &Record<'_>,
        read: impl FnOnce(&Envelope<'_, T::Row<'_>>, &ImageForms<T::Forms>, Images<'_>) -> Result<O, BadMessage>,
    ) -> Opened<O> {
        let Some(value) = record.value else { return Opened::Ignored("tombstone") };
        if let Some(avro) = &self.avro {
            // Before the first byte is looked at: such a value has no framing, and can begin with anything.
            if record.has_header(SCHEMA_ID) {
                return Opened::Bad(schema_in_header());
            }
            if value.first() == Some(&0) {
                return avro.open(value, read);
            }
        }
        match self.json(value) {
            Ok(Some((envelope, forms, text))) => match read(&envelope, &forms, Images::Json(text)) {
                Ok(opened) => Opened::Read(opened),
                Err(bad) => Opened::Bad(bad),
            },
            Ok(None) => Opened::Ignored("null_payload"),
            Err(bad) => Opened::Bad(self.hint(bad, record)),
        }
    }

    /// The same for a value that is still the inside of a JSON string, if it is as usual and without a schema. `None` sends
    /// the record through [`TableReader::open`], with its value as it is meant.
    pub(crate) fn open_quoted<O>(
        &self,
        record: &Record<'_>,
        value: &str,
        read: impl FnOnce(&Envelope<'_, T::Row<'_>>, &ImageForms<T::Forms>, Images<'_>) -> Result<O, BadMessage>,
    ) -> Option<O> {
        if self.avro.is_some() && record.has_header(SCHEMA_ID) {
            return None;
        }
        let envelope = self.express.quoted_envelope(value)?;
        // its identity has something better than images
        read(&envelope, &self.configured, Images::Json("")).ok()
    }

    /// `None` for a null payload.
    #[expect(clippy::type_complexity, reason = "three parts, taken apart at once by the one caller")]
    fn json<'a>(&self, value: &'a [u8]) -> Result<Option<(Envelope<'a, T::Row<'a>>, ImageForms<T::Forms>, &'a str)>, BadMessage> {
        // All of it, once: serde_json does not look into the strings that it skips.
        let text = simdutf8::basic::from_utf8(value).map_err(|_| BadMessage::new("not_json", "the value is not UTF-8"))?;
        if let Some((payload, forms)) = self.known_schema(text) {
            // Else it is a null payload, or only looked like a payload: it is read again with care.
            if let Ok(envelope) = Envelope::from_json(payload, &self.express) {
                return Ok(Some((envelope, forms, payload)));
            }
        }
        match text.trim_matches([' ', '\t', '\n', '\r']) {
            "" => return Err(BadMessage::new("empty", "the value is empty")),
            "null" => return Ok(None),
            _ => {}
        }
        let envelope = Envelope::from_json(text, &self.express)?;
        let Some((schema, payload)) = envelope.wrapped() else { return Ok(Some((envelope, self.configured, text))) };
        if let Some(twice @ ("schema" | "payload")) = envelope.duplicate {
            return Err(BadMessage::new("malformed", format_args!("{twice} stands there twice")));
        }
        if payload.get() == "null" {
            return Ok(None);
        }
        let forms = self.forms(schema.get())?;
        Ok(Some((Envelope::from_json(payload.get(), &self.express)?, forms, payload.get())))
    }

    /// The payload of a message that begins with a schema that was seen before, byte for byte: the schema, which is most
    /// of the message, is compared instead of parsed. What is left over is one JSON value exactly if the message is one.
    fn known_schema<'a>(&self, text: &'a str) -> Option<(&'a str, ImageForms<T::Forms>)> {
        let rest = text.strip_prefix(r#"{"schema":"#)?;
        let (rest, forms) = self.schemas.find(|schema| rest.strip_prefix(&**schema))?;
        Some((rest.strip_prefix(r#","payload":"#)?.strip_suffix('}')?, forms))
    }

    fn forms(&self, schema: &str) -> Result<ImageForms<T::Forms>, BadMessage> {
        // A converter with schemas enabled writes a null schema for a value that has none.
        if schema == "null" {
            return Ok(self.configured);
        }
        if let Some(((), forms)) = self.schemas.find(|known| (**known == *schema).then_some(())) {
            return Ok(forms);
        }
        let parsed = EnvelopeSchema::of_connect(schema)
            .ok_or_else(|| BadMessage::new("schema", "the schema inside the message is not a Kafka Connect schema"))?;
        let forms = ImageForms::stated::<T>(&parsed);
        self.schemas.remember(schema.into(), forms);
        Ok(forms)
    }

    /// Advice for bytes that are no JSON, where they look like Avro.
    #[cold]
    fn hint(&self, bad: BadMessage, record: &Record<'_>) -> BadMessage {
        match (&self.avro, record.value.and_then(<[u8]>::first)) {
            (None, Some(0)) => bad.with_hint(
                "the value begins like Avro in Confluent's framing: configure a schema registry (--registry URL, for the daemon \
                 [source.registry])",
            ),
            _ if record.has_header(SCHEMA_ID) => schema_in_header(),
            _ => bad,
        }
    }
}

/// Newer serializers can put the schema's id here instead of before the value.
const SCHEMA_ID: &str = "__value_schema_id";

#[cold]
fn schema_in_header() -> BadMessage {
    BadMessage::new("schema", "the schema's id stands in the header __value_schema_id, which is not supported").with_hint(
        "let the connector's converter put the id before the value: value.converter.value.schema.id.serializer = \
         io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer",
    )
}
