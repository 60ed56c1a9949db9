//! Decoding of genuine records, next to what serde's derive makes of the same bytes.
//!
//! `plain_serde_json` reads the same columns, borrowed, as text and integers, and interprets none of them: the floor.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{DecimalForm, Decoded, Formats, Origin, Record, Topic};

/// Key and value of the record with this note, from the copy of the corpus in the repository.
fn record(file: &str, note: &str) -> (String, String, String) {
    #[derive(Deserialize)]
    struct Line {
        note: String,
        topic: String,
        key: Option<String>,
        value: Option<String>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/debezium-3.6.3").join(file);
    let lines = std::fs::read_to_string(path).expect("the repository holds this file");
    let lines = lines.lines().map(|line| serde_json::from_str::<Line>(line).expect("a line of the corpus is JSON"));
    let line = lines.into_iter().find(|line| line.note == note).expect("the corpus holds this note");
    (line.topic, line.key.unwrap_or_default(), line.value.unwrap_or_default())
}

const FILES: [(&str, &str, DecimalForm); 3] = [
    ("schemaless_string", "c_json_noschema_string.jsonl", DecimalForm::String),
    ("schemaless_precise", "b_json_noschema_precise.jsonl", DecimalForm::Precise { scale: Some(2) }),
    ("schema_inside", "a_json_schema_precise.jsonl", DecimalForm::String),
];

fn decode(criterion: &mut Criterion) {
    for (table, note) in [("transaction_insert", "insert Transaction"), ("agreement_update", "update Agreement balance")] {
        let mut group = criterion.benchmark_group(table);
        for (case, file, decimals) in FILES {
            let (topic, key, value) = record(file, note);
            let decoder = Decoder::new(&Formats { decimals, ..Formats::default() });
            let origin = Origin { topic: Topic::intern(&topic), partition: 0, offset: 0 };
            let record =
                Record { origin, timestamp_ms: None, key: Some(key.as_bytes()), value: Some(value.as_bytes()), headers: &[] };
            assert!(matches!(decoder.decode(&record), Decoded::Change(_)), "{table} {case}");
            group.throughput(Throughput::Bytes(value.len() as u64));
            group.bench_function(case, |bencher| bencher.iter(|| decoder.decode(black_box(&record))));
        }
        let (_, _, value) = record(FILES[0].1, note);
        group.throughput(Throughput::Bytes(value.len() as u64));
        group.bench_function("plain_serde_json", |bencher| {
            bencher.iter(|| serde_json::from_slice::<plain::Envelope<'_>>(black_box(value.as_bytes())).is_ok());
        });
        group.finish();
    }
}

/// What derive makes of the same columns.
mod plain {
    use std::borrow::Cow;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its being read is measured")]
    pub(super) struct Envelope<'a> {
        #[serde(borrow)]
        before: Option<Row<'a>>,
        #[serde(borrow)]
        after: Option<Row<'a>>,
        #[serde(borrow)]
        source: Source<'a>,
        #[serde(borrow)]
        op: Cow<'a, str>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its being read is measured")]
    struct Source<'a> {
        ts_ms: i64,
        #[serde(borrow)]
        commit_lsn: Option<Cow<'a, str>>,
        #[serde(borrow)]
        change_lsn: Option<Cow<'a, str>>,
        event_serial_no: Option<i64>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only its being read is measured")]
    struct Row<'a> {
        trans_counter: Option<i64>,
        #[serde(borrow)]
        trans_agreement_number: Option<Cow<'a, str>>,
        trans_date: Option<i32>,
        #[serde(rename = "TransTypeID")]
        trans_type_id: Option<i64>,
        #[serde(borrow)]
        trans_net_payment: Option<Cow<'a, str>>,
        #[serde(borrow)]
        agreement_number: Option<Cow<'a, str>>,
        #[serde(borrow)]
        agreement_customer_number: Option<Cow<'a, str>>,
        #[serde(borrow)]
        agreement_borrowers: Option<Cow<'a, str>>,
        #[serde(rename = "AgreementAgreementTypeID")]
        agreement_agreement_type_id: Option<i64>,
        #[serde(borrow, rename = "AgreementCurrentBalanceNET")]
        agreement_current_balance: Option<Cow<'a, str>>,
        agreement_settled_flag: Option<bool>,
        agreement_settled_date: Option<i32>,
        #[serde(borrow)]
        agreement_auto_status: Option<Cow<'a, str>>,
        agreement_agreement_date: Option<i32>,
        agreement_contract_end_date: Option<i32>,
        agreement_num_payments: Option<i64>,
        #[serde(borrow)]
        agreement_principal: Option<Cow<'a, str>>,
        agreement_first_payment_date: Option<i32>,
        agreement_due_day: Option<i64>,
        agreement_payment_method: Option<i64>,
        #[serde(borrow)]
        agreement_purpose: Option<Cow<'a, str>>,
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
