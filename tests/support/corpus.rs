//! Records of the connector corpus and of capture files.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tidewaiter::event::{Header, Origin, Record, Topic};

/// The complete corpus or cases beside the repository, where they are.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared", "../../shared"].iter().map(|shared| repository.join(shared).join(part)).find(|path| path.is_dir())
}

pub(crate) fn corpus() -> PathBuf {
    shared("corpus/debezium-3.6.3")
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/debezium-3.6.3"))
}

/// A line of the corpus.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) scenario: String,
    pub(crate) note: String,
    topic: String,
    key: Option<String>,
    key_b64: Option<String>,
    value: Option<String>,
    value_b64: Option<String>,
    headers: BTreeMap<String, String>,
}

/// A record that owns its bytes.
pub(crate) struct OwnedRecord {
    pub(crate) origin: Origin,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl OwnedRecord {
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Record<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| Header { name, value: Some(value) }).collect();
        read(&Record {
            origin: self.origin,
            timestamp_ms: None,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        })
    }

    pub(crate) fn table(&self) -> &'static str {
        self.origin.topic.table()
    }
}

fn bytes(text: Option<String>, base64: Option<String>) -> Option<Vec<u8>> {
    text.map(String::into_bytes).or_else(|| base64.map(|base64| STANDARD.decode(base64).unwrap()))
}

/// All lines of the corpus file whose name begins with `variant` and an underscore.
pub(crate) fn lines(variant: &str) -> Vec<(Line, OwnedRecord)> {
    let prefix = format!("{variant}_");
    let file = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension().is_some_and(|e| e == "jsonl") && path.file_name().unwrap().to_string_lossy().starts_with(&prefix)
        })
        .unwrap_or_else(|| panic!("no corpus file {variant}_*.jsonl"));
    let lines = std::fs::read_to_string(file).unwrap();
    lines
        .lines()
        .zip(0..)
        .map(|(json, offset)| {
            let mut line: Line = serde_json::from_str(json).unwrap();
            let record = OwnedRecord {
                origin: Origin { topic: Topic::intern(&line.topic), partition: 0, offset },
                key: bytes(line.key.take(), line.key_b64.take()),
                value: bytes(line.value.take(), line.value_b64.take()),
                headers: line.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
            };
            (line, record)
        })
        .collect()
}

/// A line of a capture file, as `kcat -C -J` prints it.
#[derive(Deserialize)]
struct Capture {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default)]
    headers: Vec<String>,
    key: Option<String>,
    key_b64: Option<String>,
    payload: Option<String>,
    payload_b64: Option<String>,
}

#[allow(dead_code, reason = "not every test that shares this file reads captures")]
pub(crate) fn capture(path: &Path) -> Vec<OwnedRecord> {
    let lines = std::fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|json| {
            let line: Capture = serde_json::from_str(json).unwrap();
            OwnedRecord {
                origin: Origin { topic: Topic::intern(&line.topic), partition: line.partition, offset: line.offset },
                key: bytes(line.key, line.key_b64),
                value: bytes(line.payload, line.payload_b64),
                headers: line.headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone().into_bytes())).collect(),
            }
        })
        .collect()
}
