//! Reading a line of a capture file: finding its fields, unescaping key and value. Genuine records, as kcat prints them.
//!
//! `baseline/serde_json` reads the same fields into owned text: what a capture reader of a few lines would do.

use std::hint::black_box;

use serde::Deserialize;
use tidewaiter::io::capture::Scratch;

use super::cpu_time::CpuCriterion;
use super::one;
use super::workload::genuine::{Genuine, genuine};

/// The record's line, binary values as base64.
fn line(record: &Genuine) -> String {
    let json = |text: &String| serde_json::to_string(text).expect("text is JSON");
    let field = |name: &str, text: &Option<String>, base64: &Option<String>| match (text, base64) {
        (Some(text), _) => format!("\"{name}\":{}", json(text)),
        (None, Some(base64)) => format!("\"{name}_b64\":{}", json(base64)),
        (None, None) => format!("\"{name}\":null"),
    };
    format!(
        r#"{{"topic":"{}","partition":0,"offset":1234567,"tstype":"create","ts":1768208400007,"broker":1,{},{}}}"#,
        record.topic,
        field("key", &record.key, &record.key_b64),
        field("payload", &record.value, &record.value_b64)
    )
}

const FILES: [(&str, &str); 3] = [
    ("schemaless", "c_json_noschema_string.jsonl"),
    ("schema_inside", "a_json_schema_precise.jsonl"),
    ("avro_in_base64", "i_avro_confluent_precise.jsonl"),
];

pub(crate) fn read(criterion: &mut CpuCriterion) {
    for (table, note) in [("transaction_insert", "insert Transaction"), ("agreement_update", "update Agreement balance")] {
        let mut group = criterion.benchmark_group(format!("capture_line/{table}"));
        for (case, file) in FILES {
            let record = genuine(file, note);
            let line = line(&record);
            let mut scratch = Scratch::default();
            let mut length = |line: &str| scratch.read(line.as_bytes(), |record| record.value.map_or(0, <[u8]>::len));
            let whole = length(&line).expect("the line is one of a capture");
            assert!(whole > 0 && record.value.is_none_or(|value| value.len() == whole), "{table} {case}");
            group.throughput(one(line.len()));
            group.bench_function(case, |bencher| bencher.iter(|| length(black_box(&line)).is_ok()));
        }
        let line = line(&genuine(FILES[0].1, note));
        group.throughput(one(line.len()));
        group.bench_function("baseline/serde_json", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Plain>(black_box(line.as_bytes())).is_ok());
        });
        group.finish();
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its being read is measured")]
struct Plain {
    topic: String,
    partition: i32,
    offset: i64,
    ts: i64,
    key: Option<String>,
    payload: Option<String>,
}
