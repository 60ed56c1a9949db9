//! Records of no consequence between those that count.

use super::capture::{Record, Value, renumber};
use super::json::Json;
use super::random::Random;
use super::workload::{But, all};

#[test]
fn records_of_no_consequence_leave_no_trace() {
    for workload in all() {
        for seed in [1, 2] {
            let mut random = Random::new(seed);
            let mut records = Vec::new();
            for (n, record) in workload.records.iter().enumerate() {
                while random.one_in(3) {
                    records.push(noise(&workload.records[random.below(workload.records.len())], &mut random));
                }
                records.push(record.clone());
                if n == 0 {
                    records.extend(first(record));
                }
            }
            renumber(&mut records);
            workload.same(&format!("noise, seed {seed}"), But::Offsets, &records);
        }
    }
}

/// Partitions that hold nothing that counts.
fn first(like: &Record) -> Vec<Record> {
    let record = |topic: &str, partition, value: &str| {
        let (topic, value) = (topic.to_owned(), Value::Text(value.to_owned()));
        Record { topic, partition, offset: 0, ts: like.ts, headers: Vec::new(), key: None, value }
    };
    vec![
        record("__debezium-heartbeat.sentinel", 0, r#"{"ts_ms":1767596400000}"#),
        record("sentinel.transaction", 0, r#"{"status":"BEGIN","id":"0000002d:00000a50:0007","event_count":null}"#),
        record("sentinel.SentinelMock.dbo.TransactionType", 0, "{"),
        record("sentinel.SentinelMock.dbo.Agreement", 40, r#"{"op":"t","source":{}}"#),
        record("sentinel.SentinelMock.dbo.Transaction", 41, "not json"),
        record("sentinel.SentinelMock.dbo.Transaction", 42, r#"{"schema":{"type":"struct"},"payload":null}"#),
    ]
}

/// Something of no consequence that looks like a record of the workload.
fn noise(like: &Record, random: &mut Random) -> Record {
    let mut record = like.clone();
    let Some(envelope) = record.envelope().filter(is_whole) else { return record.with_value(Value::Tombstone) };
    let value = match random.below(8) {
        0 => Value::Tombstone,
        1 => Value::Text("null".to_owned()),
        2 => Value::Text(snapshot(envelope, random).compact()),
        3 => Value::Text(Json::object([("op", Json::text(*random.pick(&["t", "m"]))), ("source", Json::Null)]).compact()),
        4 => Value::Binary(vec![0xFF, 0xFE, 0x00]),
        5 => {
            let text = envelope.compact();
            let cut = (0..text.len()).rev().find(|&at| text.is_char_boundary(at) && at <= text.len() / 2).unwrap();
            Value::Text(text[..cut].to_owned())
        }
        6 => {
            record.topic =
                random.pick(&["sentinel", "__debezium-heartbeat.sentinel", "sentinel.SentinelMock.dbo.Other"]).to_string();
            Value::Text(envelope.compact())
        }
        _ => Value::Text(bad(envelope, random).compact()),
    };
    record.with_value(value)
}

impl Record {
    fn with_value(mut self, value: Value) -> Self {
        // the header of a key change belongs to the change
        self.headers.clear();
        self.value = value;
        self
    }
}

/// Whether nothing is missing that [`bad`] would take away.
fn is_whole(envelope: &Json) -> bool {
    let image = if envelope.get("op").and_then(Json::as_text) == Some("d") { "before" } else { "after" };
    let has = |part: &str, fields: &[&str]| {
        fields.iter().all(|field| envelope.get(part).and_then(|part| part.get(field)).is_some_and(|value| *value != Json::Null))
    };
    has("source", &["commit_lsn", "ts_ms"])
        && (has(image, &["AgreementNumber", "AgreementCurrentBalanceNET", "AgreementSettledFlag"])
            || has(image, &["TransCounter", "TransAgreementNumber", "TransDate", "TransTypeID", "TransNetPayment"]))
}

/// A row of a snapshot, far ahead in position and time.
fn snapshot(mut envelope: Json, random: &mut Random) -> Json {
    *envelope.get_mut("op").unwrap() = Json::text("r");
    if envelope.get("after") == Some(&Json::Null) {
        let before = envelope.get("before").unwrap().clone();
        *envelope.get_mut("after").unwrap() = before;
    }
    *envelope.get_mut("before").unwrap() = Json::Null;
    far_ahead(&mut envelope, random);
    envelope
}

/// A message that lacks something or says something impossible; were it not bad, its position and time would be noticed.
fn bad(mut envelope: Json, random: &mut Random) -> Json {
    far_ahead(&mut envelope, random);
    let op = envelope.get("op").unwrap().as_text().unwrap().to_owned();
    let image = if op == "d" { "before" } else { "after" };
    let needed = match envelope.get(image).unwrap().get("TransCounter") {
        None => *random.pick(&["AgreementNumber", "AgreementCurrentBalanceNET", "AgreementSettledFlag"]),
        Some(_) if op == "c" => {
            *random.pick(&["TransCounter", "TransAgreementNumber", "TransDate", "TransTypeID", "TransNetPayment"])
        }
        Some(_) => "TransCounter",
    };
    match random.below(6) {
        // a snapshot's row need not be complete
        _ if op == "r" => *envelope.get_mut("op").unwrap() = Json::text("R"),
        0 => *envelope.get_mut(image).unwrap().get_mut(needed).unwrap() = Json::Null,
        1 => envelope.get_mut(image).unwrap().fields_mut().unwrap().retain(|(column, _)| column != needed),
        2 => *envelope.get_mut(image).unwrap() = Json::Null,
        3 => *envelope.get_mut("op").unwrap() = Json::text(*random.pick(&["x", "", "C", "create"])),
        4 => *envelope.get_mut("source").unwrap().get_mut("commit_lsn").unwrap() = Json::text("ffffffff:ffffffff"),
        _ => *envelope.get_mut("source").unwrap().get_mut("ts_ms").unwrap() = Json::text("yesterday"),
    }
    envelope
}

fn far_ahead(envelope: &mut Json, random: &mut Random) {
    let source = envelope.get_mut("source").unwrap();
    *source.get_mut("commit_lsn").unwrap() = Json::text(*random.pick(&["ffffffff:ffffffff:ffff", "00000000:00000000:0001"]));
    *source.get_mut("ts_ms").unwrap() = Json::number(*random.pick(&[4_000_000_000_000_i64, 1]));
}
