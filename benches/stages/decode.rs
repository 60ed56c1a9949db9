//! Decoding of one record: every value form, genuine records of either table, and a row as wide as production's. Beside it what
//! typed decoding alone takes, and what it takes to look at the bytes at all.

use std::hint::black_box;

use criterion::BenchmarkGroup;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{DecimalForm, Decoded, Formats, Origin, Record, Topic};

use super::cpu_time::{CpuCriterion, CpuTime};
use super::one;
use super::typed::{PARSERS, Scratch};
use super::workload::genuine::{folder, genuine};
use super::workload::message::{Agreement, Messages, Place};
use super::workload::{BALANCE, Form};

#[path = "../../tests/support/registry.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with tests, which do more")]
mod registry;

const FILES: [(&str, &str, DecimalForm); 4] = [
    ("schemaless_string", "c_json_noschema_string.jsonl", DecimalForm::String),
    ("schemaless_precise", "b_json_noschema_precise.jsonl", DecimalForm::Precise { scale: Some(2) }),
    ("schema_inside", "a_json_schema_precise.jsonl", DecimalForm::String),
    ("avro", "i_avro_confluent_precise.jsonl", DecimalForm::String),
];

pub(crate) fn decode(criterion: &mut CpuCriterion) {
    let server = registry::Server::start(registry::answers(&folder().join("i_avro_confluent_precise.schemas.json")));
    let registry = registry::client(&[server.url()]);
    for (table, note) in [("transaction_insert", "insert Transaction"), ("agreement_update", "update Agreement balance")] {
        let mut group = criterion.benchmark_group(format!("decode/{table}"));
        for (case, file, decimals) in FILES {
            let genuine = genuine(file, note);
            let (key, value) = genuine.bytes();
            let formats = Formats { decimals, registry: Some(registry.clone()), ..Formats::default() };
            ours(&mut group, case, &formats, &genuine.topic, &key, &value);
        }
        let genuine = genuine(FILES[0].1, note);
        typed(&mut group, Topic::intern(&genuine.topic).table(), &genuine.bytes().1);
        group.finish();
    }
}

/// An update of an agreement with 269 columns, before and after.
pub(crate) fn wide(criterion: &mut CpuCriterion) {
    let mut group = criterion.benchmark_group("decode/agreement_update_269_columns");
    let (topic, key) = ("sentinel.SentinelMock.dbo.Agreement", br#"{"AgreementNumber":"FRH0000291"}"#);
    let before = Agreement { number: 291, balance: BALANCE, settled: false, due_day: 11 };
    let after = Agreement { balance: BALANCE - before.instalment(), ..before };
    let place = Place { commit: 7, at_ms: 1_768_206_667_390 };
    let value = |form| Messages::new(form, 269).agreement(Some(&before), &after, place);
    for (case, form) in [("schemaless_string", Form::SchemalessString), ("schemaless_precise", Form::SchemalessPrecise)] {
        ours(&mut group, case, &form.formats(), topic, key, value(form).as_bytes());
    }
    let value = value(Form::SchemalessString).into_bytes();
    typed(&mut group, "Agreement", &value);
    group.bench_function("baseline/sum_of_bytes", |bench| {
        bench.iter(|| black_box(&value).iter().map(|byte| u64::from(*byte)).sum::<u64>());
    });
    group.bench_function("baseline/memchr_of_a_byte_that_is_not_there", |bench| {
        bench.iter(|| memchr::memchr(0, black_box(&value)));
    });
    group.bench_function("baseline/count_of_quotes", |bench| {
        bench.iter(|| memchr::memchr_iter(b'"', black_box(&value)).count());
    });
    group.bench_function("baseline/every_quote_visited", |bench| {
        bench.iter(|| memchr::memchr_iter(b'"', black_box(&value)).fold(0, |all, at| all ^ at));
    });
    group.bench_function("baseline/utf8_check", |bench| {
        bench.iter(|| simdutf8::basic::from_utf8(black_box(&value)).is_ok());
    });
    group.finish();
}

/// Our decoder on one record, which must read as a change.
fn ours(group: &mut BenchmarkGroup<'_, CpuTime>, case: &str, formats: &Formats, topic: &str, key: &[u8], value: &[u8]) {
    let decoder = Decoder::new(formats);
    let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
    let record = Record { origin, timestamp_ms: None, key: Some(key), value: Some(value), headers: &[] };
    let read = decoder.decode(&record);
    assert!(matches!(read, Decoded::Change(_)), "{case}: {read:?}");
    group.throughput(one(value.len()));
    group.bench_function(case, |bench| bench.iter(|| decoder.decode(black_box(&record))));
}

/// Typed decoding alone of the same record, by every parser.
fn typed(group: &mut BenchmarkGroup<'_, CpuTime>, table: &str, value: &[u8]) {
    group.throughput(one(value.len()));
    for (name, parser) in PARSERS {
        let mut scratch = Scratch::default();
        assert!(parser.read(table, value, &mut scratch), "{name}");
        group.bench_function(format!("baseline/{name}"), |bench| {
            bench.iter(|| parser.read(table, black_box(value), &mut scratch));
        });
    }
}
