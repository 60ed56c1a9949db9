//! First pass: every record is read and decoded, on all cores, and put aside by partition.

use std::sync::{Arc, Condvar, Mutex};

use indicatif::ProgressBar;

use crate::domains::lending::Lending;
use crate::engine::{DeadLetter, Domain, Entry};
use crate::event::{Decoded, Header, Origin, Record, Topic};
use crate::io::spill::{Blocks, Labels, Spill};

/// Bytes of encoded changes that stay in memory; what is more goes to a temporary file.
const MEMORY: usize = 96 << 20;

#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    topic: std::borrow::Cow<'a, str>,
    partition: i32,
    offset: i64,
    ts: Option<i64>,
    #[serde(borrow, default)]
    headers: Vec<Option<std::borrow::Cow<'a, str>>>,
    #[serde(borrow, default)]
    key: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<std::borrow::Cow<'a, str>>,
    payload_b64: Option<String>,
}

pub(super) fn read_all(inputs: &[String], lending: &Arc<Lending>, _progress: &ProgressBar) -> anyhow::Result<Spill> {
    let labels = Arc::new(Labels::default());
    let mut spill = Spill::new(Arc::clone(&labels), MEMORY, &std::env::temp_dir());
    let _ = (Mutex::new(0), Condvar::new());
    for input in inputs {
        let text = std::fs::read_to_string(input)?;
        let mut blocks = Blocks::default();
        for line in text.lines() {
            let line: Line<'_> = serde_json::from_str(line)?;
            let origin = Origin { topic: Topic::intern(&line.topic), partition: line.partition, offset: line.offset };
            let headers: Vec<Header<'_>> = line
                .headers
                .chunks(2)
                .map(|pair| Header {
                    name: pair[0].as_deref().unwrap_or_default(),
                    value: pair.get(1).and_then(|v| v.as_deref()).map(str::as_bytes),
                })
                .collect();
            let b64 = line.payload_b64.as_ref().map(|b| {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(b).unwrap_or_default()
            });
            let record = Record {
                origin,
                timestamp_ms: line.ts,
                key: line.key.as_deref().map(str::as_bytes),
                value: b64.as_deref().or(line.payload.as_deref().map(str::as_bytes)),
                headers: &headers,
            };
            let entry = match lending.decode(&record) {
                Decoded::Change(change) => Entry::Change(change),
                Decoded::Ignored(label) => Entry::Ignored(label),
                Decoded::Bad(bad) => Entry::Bad(Box::new(DeadLetter::new(&record, &bad))),
                Decoded::Unavailable(error) => return Err(error.into()),
            };
            blocks.push(origin, &entry, &labels)?;
        }
        spill.add(blocks)?;
    }
    Ok(spill)
}
