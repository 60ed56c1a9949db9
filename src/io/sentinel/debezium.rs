//! Captured changes as the records that Debezium 3.6's SQL Server connector puts on Kafka, with
//! `decimal.handling.mode=string` and JSON converters without schemas.

use chrono::NaiveTime;
use std::fmt::Write as _;

use super::capture::{CapturedChange, CapturedRow, CapturedTransaction, Operation};
use super::value::convert::Conversion;
use super::value::{Type, Value};

/// How long after the commit the connector is said to have seen it.
const CONNECTOR_LAG_MS: i64 = 500;

/// What the records' keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keying {
    /// `{"TransCounter":1}`: the connector's default, with a tombstone after each delete.
    #[default]
    PrimaryKey,
    /// The plain agreement number on both topics, which are then partitioned alike; no tombstones.
    AgreementNumber,
}

/// A connector's configuration, as far as it shows in the records.
#[derive(Clone, Debug)]
pub struct Debezium {
    /// `topic.prefix`.
    pub prefix: String,
    pub keying: Keying,
}

/// A Kafka record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub timestamp_ms: i64,
}

impl Debezium {
    #[must_use]
    pub fn new(prefix: impl Into<String>, keying: Keying) -> Self {
        Self { prefix: prefix.into(), keying }
    }

    /// The records of a transaction, in the order in which the connector sends them.
    #[must_use]
    pub fn records(&self, transaction: &CapturedTransaction) -> Vec<Record> {
        transaction.changes.iter().flat_map(|change| self.change(transaction, change)).collect()
    }

    fn change(&self, transaction: &CapturedTransaction, change: &CapturedChange) -> Vec<Record> {
        let delete = |row| Image { operation: 'd', before: Some(row), after: None };
        let create = |row| Image { operation: 'c', before: None, after: Some(row) };
        match (change.operation, &change.before, &change.after) {
            (Operation::Update, Some(before), Some(after)) => {
                let (old, new) = (self.key(change, before), self.key(change, after));
                if old == new {
                    let image = Image { operation: 'u', before: Some(before), after: Some(after) };
                    return vec![self.record(transaction, change, &image, old, None)];
                }
                // An update that changes the message key.
                let struct_key = |row| key_struct(&self.key_columns(change), row);
                let newkey = ("__debezium.newkey".to_owned(), struct_key(after));
                let oldkey = ("__debezium.oldkey".to_owned(), struct_key(before));
                let mut records = vec![self.record(transaction, change, &delete(before), old, Some(newkey))];
                records.extend(self.tombstone(&records[0]));
                records.push(self.record(transaction, change, &create(after), new, Some(oldkey)));
                records
            }
            (Operation::Delete, Some(before), _) => {
                let mut records = vec![self.record(transaction, change, &delete(before), self.key(change, before), None)];
                records.extend(self.tombstone(&records[0]));
                records
            }
            (_, _, Some(after)) => {
                vec![self.record(transaction, change, &create(after), self.key(change, after), None)]
            }
            _ => Vec::new(),
        }
    }

    fn tombstone(&self, delete: &Record) -> Option<Record> {
        let wanted = self.keying == Keying::PrimaryKey && delete.key.is_some();
        wanted.then(|| Record { value: None, ..delete.clone() })
    }

    fn key_columns(&self, change: &CapturedChange) -> Vec<String> {
        let column = match change.table.to_ascii_lowercase().as_str() {
            "agreement" => "AgreementNumber",
            "transaction" => "TransAgreementNumber",
            _ => return change.key_columns.clone(),
        };
        let captured = change.after.as_ref().or(change.before.as_ref()).is_some_and(|row| row.get(column).is_some());
        match self.keying {
            Keying::AgreementNumber if captured => vec![column.to_owned()],
            _ => change.key_columns.clone(),
        }
    }

    fn key(&self, change: &CapturedChange, row: &CapturedRow) -> Option<Vec<u8>> {
        let columns = self.key_columns(change);
        match columns.as_slice() {
            [] => None,
            [column] if self.keying == Keying::AgreementNumber && *columns != change.key_columns || self.plain(change) => {
                match row.get(columns.first()?) {
                    Some(Value::Text(text)) => Some(text.as_bytes().to_vec()),
                    _ => Some(key_struct(std::slice::from_ref(column), row)),
                }
            }
            _ => Some(key_struct(&columns, row)),
        }
    }

    /// Whether the key is the agreement number itself, not a JSON object.
    fn plain(&self, change: &CapturedChange) -> bool {
        self.keying == Keying::AgreementNumber && change.table.eq_ignore_ascii_case("agreement")
    }

    fn record(
        &self,
        transaction: &CapturedTransaction,
        change: &CapturedChange,
        image: &Image<'_>,
        key: Option<Vec<u8>>,
        rekeyed: Option<(String, Vec<u8>)>,
    ) -> Record {
        let seen = transaction.commit_time_ms + CONNECTOR_LAG_MS;
        let mut json = String::from("{\"before\":");
        write_row(&mut json, image.before);
        json.push_str(",\"after\":");
        write_row(&mut json, image.after);
        let committed = transaction.commit_time_ms;
        json.push_str(",\"source\":{\"version\":\"3.6.3.Final\",\"connector\":\"sqlserver\",\"name\":");
        write_text(&mut json, &self.prefix);
        let _ = write!(json, ",\"ts_ms\":{committed},\"snapshot\":\"false\",\"db\":");
        write_text(&mut json, &change.database);
        let _ = write!(json, ",\"sequence\":null,\"ts_us\":{committed}000,\"ts_ns\":{committed}000000,\"schema\":");
        write_text(&mut json, &change.schema);
        json.push_str(",\"table\":");
        write_text(&mut json, &change.table);
        let _ = write!(
            json,
            ",\"change_lsn\":\"{}\",\"commit_lsn\":\"{}\",\"event_serial_no\":{}}}",
            change.change_lsn, transaction.commit_lsn, change.event_serial_no
        );
        let _ = write!(
            json,
            ",\"transaction\":null,\"op\":\"{}\",\"ts_ms\":{seen},\"ts_us\":{seen}000,\"ts_ns\":{seen}000000}}",
            image.operation
        );
        let mut headers = Vec::from_iter(rekeyed);
        for (name, value) in [
            ("connectorLogicalName", self.prefix.as_str()),
            ("taskId", "0"),
            ("connectorName", "sqlserver"),
            ("runId", "019bb0c2-8a40-7d2a-9f41-3c5e8a7b1d20"),
        ] {
            headers.push((format!("__debezium.context.{name}"), value.as_bytes().to_vec()));
        }
        let topic = format!("{}.{}.{}.{}", self.prefix, change.database, change.schema, change.table);
        Record { topic, key, value: Some(json.into_bytes()), headers, timestamp_ms: seen }
    }
}

struct Image<'r> {
    operation: char,
    before: Option<&'r CapturedRow>,
    after: Option<&'r CapturedRow>,
}

fn key_struct(columns: &[String], row: &CapturedRow) -> Vec<u8> {
    let mut json = String::from("{");
    for (at, name) in columns.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_text(&mut json, name);
        json.push(':');
        let place = row.columns.iter().position(|column| column.name == *name);
        match place.and_then(|place| Some((row.values.get(place)?, row.columns[place].ty))) {
            Some((value, ty)) => write_value(&mut json, value, ty),
            None => json.push_str("null"),
        }
    }
    json.push('}');
    json.into_bytes()
}

fn write_row(json: &mut String, row: Option<&CapturedRow>) {
    let Some(row) = row else {
        json.push_str("null");
        return;
    };
    json.push('{');
    for (at, (column, value)) in row.columns.iter().zip(&row.values).enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_text(json, &column.name);
        json.push(':');
        // The JSON converter puts the default in the place of NULL.
        match (value, &column.default) {
            (Value::Null, Some(default)) => write_value(json, &default.0, column.ty),
            _ => write_value(json, value, column.ty),
        }
    }
    json.push('}');
}

fn write_value(json: &mut String, value: &Value, ty: Type) {
    let scaled = |nanos: i128, digits: u8| match digits {
        0..=3 => nanos / 1_000_000,
        4..=6 => nanos / 1000,
        _ => nanos,
    };
    match value {
        Value::Null => json.push_str("null"),
        Value::Bit(bit) => json.push_str(if *bit { "true" } else { "false" }),
        Value::Int(n) => json.push_str(&n.to_string()),
        Value::Numeric(n) => write_text(json, &n.to_string()),
        Value::Float(f) => {
            let _ = write!(json, "{f:?}");
        }
        Value::Text(text) => write_text(json, text),
        Value::Date(date) => {
            let epoch = chrono::NaiveDate::default();
            json.push_str(&(*date - epoch).num_days().to_string());
        }
        Value::Time(time) => {
            let digits = if let Type::Time(digits) = ty { digits } else { 7 };
            let nanos = (*time - NaiveTime::MIN).num_nanoseconds().unwrap_or(0);
            json.push_str(&scaled(i128::from(nanos), digits).to_string());
        }
        Value::DateTime(time) => {
            let digits = if let Type::DateTime2(digits) = ty { digits } else { 3 };
            let time = time.and_utc();
            let nanos = i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos());
            json.push_str(&scaled(nanos, digits).to_string());
        }
        Value::DateTimeOffset(time, offset) => {
            let sign = if *offset < 0 { '-' } else { '+' };
            let zone = match offset {
                0 => "Z".to_owned(),
                _ => format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60),
            };
            write_text(json, &format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.f")));
        }
        Value::Guid(_) => {
            let text = Conversion::default().print(value, Type::UniqueIdentifier).unwrap_or_default();
            write_text(json, &text);
        }
        Value::Binary(bytes) => write_text(json, &base64(bytes)),
    }
}

/// A JSON string as Jackson writes it: characters outside the basic plane as escaped surrogate pairs.
fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            c if u32::from(c) < 0x20 || u32::from(c) > 0xffff => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(json, "\\u{unit:04X}");
                }
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            if at <= chunk.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_jackson_does() {
        let mut json = String::new();
        write_text(&mut json, "a\"b\\c\n\u{1}é🏦");
        assert_eq!(json, "\"a\\\"b\\\\c\\n\\u0001é\\uD83C\\uDFE6\"");
    }

    #[test]
    fn binary_is_base64() {
        assert_eq!(base64(&[0x02, 0x5d, 0x91]), "Al2R");
        assert_eq!(base64(&[0xff]), "/w==");
        assert_eq!(base64(&[1, 2]), "AQI=");
    }
}
