//! Genuine records: the copy of the connector corpus that is in the repository.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// A record of the corpus.
#[derive(Deserialize)]
pub(crate) struct Genuine {
    note: String,
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) key_b64: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) value_b64: Option<String>,
}

pub(crate) fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/debezium-3.6.3")
}

/// The first record with this note.
pub(crate) fn genuine(file: &str, note: &str) -> Genuine {
    records(file).find(|record| record.note == note).expect("the corpus holds this note")
}

/// All of a file.
pub(crate) fn records(file: &str) -> impl Iterator<Item = Genuine> {
    let lines = std::fs::read_to_string(folder().join(file)).expect("the repository holds this file");
    let records: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Genuine>(line).expect("a line of the corpus is JSON")).collect();
    records.into_iter()
}

impl Genuine {
    /// Key and value as Kafka has them.
    pub(crate) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let bytes = |text: &Option<String>, base64: &Option<String>| match (text, base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(base64)) => BASE64_STANDARD.decode(base64).expect("the corpus holds base64"),
            (None, None) => Vec::new(),
        };
        (bytes(&self.key, &self.key_b64), bytes(&self.value, &self.value_b64))
    }
}

/// The schema that such a record carries, with all that stands before its payload.
pub(crate) fn schema(note: &str) -> String {
    let value = genuine("a_json_schema_precise.jsonl", note).value.expect("it is text");
    let payload = r#""payload":"#;
    let end = value.find(payload).expect("a record with a schema has a payload") + payload.len();
    value[..end].to_owned()
}
