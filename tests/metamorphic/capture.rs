//! Capture files, read whole and written again.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::json::Json;

/// One record of a capture file.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// Kafka's; [`renumber`] sets it when records move.
    pub(crate) offset: i64,
    pub(crate) ts: i64,
    pub(crate) headers: Vec<Json>,
    pub(crate) key: Option<String>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Tombstone,
    Text(String),
    Binary(Vec<u8>),
}

impl Record {
    pub(crate) fn parse(line: &str) -> Self {
        let line = Json::parse(line).unwrap();
        let text = |name: &str| line.get(name).and_then(Json::as_text).map(str::to_owned);
        let value = match (text("payload"), text("payload_b64")) {
            (Some(text), None) => Value::Text(text),
            (None, Some(binary)) => {
                let bytes = BASE64_STANDARD.decode(binary).unwrap();
                String::from_utf8(bytes).map_or_else(|error| Value::Binary(error.into_bytes()), Value::Text)
            }
            _ => Value::Tombstone,
        };
        let headers = match line.get("headers") {
            Some(Json::List(headers)) => headers.clone(),
            _ => Vec::new(),
        };
        Self {
            topic: text("topic").unwrap(),
            partition: line.get("partition").and_then(Json::as_i64).unwrap().try_into().unwrap(),
            offset: line.get("offset").and_then(Json::as_i64).unwrap(),
            ts: line.get("ts").and_then(Json::as_i64).unwrap(),
            headers,
            key: text("key"),
            value,
        }
    }

    /// As kcat prints it.
    pub(crate) fn line(&self) -> String {
        let mut line = self.start();
        write!(line, r#","tstype":"create","ts":{},"broker":1"#, self.ts).unwrap();
        if !self.headers.is_empty() {
            write!(line, r#","headers":{}"#, Json::List(self.headers.clone()).compact()).unwrap();
        }
        line.push_str(r#","key":"#);
        line.push_str(&serde_json::to_string(&self.key).unwrap());
        match &self.value {
            Value::Tombstone => line.push_str(r#","payload":null}"#),
            Value::Text(text) => write!(line, r#","payload":{}}}"#, serde_json::to_string(text).unwrap()).unwrap(),
            Value::Binary(bytes) => write!(line, r#","payload_b64":"{}"}}"#, BASE64_STANDARD.encode(bytes)).unwrap(),
        }
        line
    }

    /// With no more than what the engine must be told; the fields in another order, key and value in base64.
    pub(crate) fn bare_line(&self) -> String {
        let mut line = "{".to_owned();
        match &self.value {
            Value::Tombstone => line.push_str(r#""payload":null"#),
            Value::Text(text) => write!(line, r#""payload_b64":"{}""#, BASE64_STANDARD.encode(text)).unwrap(),
            Value::Binary(bytes) => write!(line, r#""payload_b64":"{}""#, BASE64_STANDARD.encode(bytes)).unwrap(),
        }
        if let Some(key) = &self.key {
            write!(line, r#","key_b64":"{}""#, BASE64_STANDARD.encode(key)).unwrap();
        }
        if self.has_header("__debezium.oldkey") {
            write!(line, r#","headers":{}"#, Json::List(self.headers.clone()).compact()).unwrap();
        }
        write!(line, r#","offset":{},"partition":{},"topic":"{}"}}"#, self.offset, self.partition, self.topic).unwrap();
        line
    }

    fn start(&self) -> String {
        format!(r#"{{"topic":"{}","partition":{},"offset":{}"#, self.topic, self.partition, self.offset)
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().step_by(2).any(|header| header.as_text() == Some(name))
    }

    /// Which of the two tables it belongs to.
    pub(crate) fn table(&self) -> Option<&str> {
        let table = self.topic.rsplit('.').next().unwrap();
        ["Transaction", "Agreement"].contains(&table).then_some(table)
    }

    /// The envelope of a well-formed change or snapshot row; `None` for all else.
    pub(crate) fn envelope(&self) -> Option<Json> {
        self.table()?;
        let Value::Text(text) = &self.value else { return None };
        let envelope = Json::parse(text)?;
        envelope.get("op").and_then(Json::as_text)?;
        Some(envelope)
    }

    pub(crate) fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

/// `source.commit_lsn` of a change.
pub(crate) fn commit_of(envelope: &Json) -> Option<&str> {
    if !["c", "u", "d"].contains(&envelope.get("op")?.as_text()?) {
        return None;
    }
    envelope.get("source")?.get("commit_lsn")?.as_text()
}

/// The number of the agreement that a change belongs to, as SQL Server compares it.
pub(crate) fn agreement_of(envelope: &Json) -> Option<String> {
    ["after", "before"].into_iter().find_map(|image| {
        let image = envelope.get(image)?;
        let number = image.get("AgreementNumber").or_else(|| image.get("TransAgreementNumber"))?.as_text()?;
        Some(number.trim_end_matches(' ').to_ascii_uppercase())
    })
}

/// Gives the records of each partition offsets that rise with their place in the file.
pub(crate) fn renumber(records: &mut [Record]) {
    let mut next = std::collections::HashMap::new();
    for record in records {
        let offset = next.entry((record.topic.clone(), record.partition)).or_insert(1_000);
        record.offset = *offset;
        *offset += 1;
    }
}

/// The records of each partition, in their order; partitions by name and number.
pub(crate) fn by_partition(records: &[Record]) -> Vec<Vec<Record>> {
    let mut partitions = std::collections::BTreeMap::<_, Vec<Record>>::new();
    for record in records {
        partitions.entry(record.place()).or_default().push(record.clone());
    }
    partitions.into_values().collect()
}

pub(crate) fn text_of(records: &[Record]) -> String {
    records.iter().map(|record| record.line() + "\n").collect()
}
