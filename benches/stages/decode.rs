//! Decoding of one record: every value form, genuine records of either table, and a row as wide as production's. Beside it what
//! typed decoding alone takes, and what it takes to look at the bytes at all.

use std::hint::black_box;

use criterion::BenchmarkGroup;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{DecimalForm, Decoded, Formats, Origin, Record, Topic};

use super::cpu_time::{CpuCriterion, CpuTime};
use super::one;
use super::typed::{PARSERS, Scratch};
use super::workload::genuine::{Genuine, folder, genuine, records};
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
            let formats = Formats { decimals, registry: Some(registry.clone()), ..Formats::default() };
            ours(&mut group, case, &formats, &genuine.topic, &first(Topic::intern(&genuine.topic).table()), &[genuine.bytes()]);
        }
        let genuine = genuine(FILES[0].1, note);
        typed(&mut group, Topic::intern(&genuine.topic).table(), &[genuine.bytes()]);
        group.finish();
    }
}

type KeyAndValue = (Vec<u8>, Vec<u8>);

/// Different records that are read in turn: as many as the caches near the core hold.
const IN_TURN: u32 = 32;

/// Updates of agreements with 269 columns, before and after.
pub(crate) fn wide(criterion: &mut CpuCriterion) {
    let mut group = criterion.benchmark_group("decode/agreement_update_269_columns");
    let topic = "sentinel.SentinelMock.dbo.Agreement";
    let update = |messages: &Messages, n: u32| {
        let before =
            Agreement { number: 291 + n * 17, balance: BALANCE - u64::from(n) * 12_345, settled: false, due_day: n % 28 + 1 };
        let after = Agreement { balance: before.balance - before.instalment(), ..before };
        let place = Place { commit: 7 + u64::from(n) * 977, at_ms: 1_768_206_667_390 + u64::from(n) * 12_345_678 };
        let key = format!(r#"{{"AgreementNumber":"FRH{:07}"}}"#, before.number);
        (key.into_bytes(), messages.agreement(Some(&before), &after, place).into_bytes())
    };
    let updates = |form, varied| {
        let messages = Messages::varied(form, 269, varied);
        let mut updates: Vec<_> = (0..=IN_TURN).map(|n| update(&messages, n)).collect();
        let first = updates.pop().expect("there is one more");
        (first, updates)
    };
    let (text, precise) = (Form::SchemalessString, Form::SchemalessPrecise);
    for (case, form, varied) in [
        ("schemaless_string", text, 50),
        ("schemaless_string/other_columns_alike", text, 0),
        ("schemaless_string/other_columns_all_differ", text, 100),
        ("schemaless_precise", precise, 50),
    ] {
        let (first, updates) = updates(form, varied);
        ours(&mut group, case, &form.formats(), topic, &first, &updates);
    }
    let (_, updates) = updates(Form::SchemalessString, 50);
    typed(&mut group, "Agreement", &updates);
    let mut baseline = |name: &str, look: fn(&[u8]) -> u64| {
        let mut values = updates.iter().map(|(_, value)| value).cycle();
        group.bench_function(format!("baseline/{name}"), |bench| bench.iter(|| look(black_box(next(&mut values)))));
    };
    baseline("sum_of_bytes", |value| value.iter().map(|byte| u64::from(*byte)).sum());
    baseline("memchr_of_a_byte_that_is_not_there", |value| memchr::memchr(0, value).is_some().into());
    baseline("count_of_quotes", |value| memchr::memchr_iter(b'"', value).count() as u64);
    baseline("every_quote_visited", |value| memchr::memchr_iter(b'"', value).fold(0, |all, at| all ^ at as u64));
    baseline("utf8_check", |value| simdutf8::basic::from_utf8(value).is_ok().into());
    group.finish();
}

fn next<T>(endless: &mut impl Iterator<Item = T>) -> T {
    endless.next().expect("a cycle of some has no end")
}

/// A record of the same table, of the connector's snapshot: rows of their own, in the form of the first file.
fn first(table: &str) -> KeyAndValue {
    let of_table = |record: &Genuine| Topic::intern(&record.topic).table() == table;
    records(FILES[0].1).find(of_table).expect("the snapshot has rows of both tables").bytes()
}

/// Our decoder on records that must read as changes, when it has read another one before.
fn ours(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    case: &str,
    formats: &Formats,
    topic: &str,
    first: &KeyAndValue,
    records: &[KeyAndValue],
) {
    fn record(origin: Origin, (key, value): &KeyAndValue) -> Record<'_> {
        Record { origin, timestamp_ms: None, key: Some(key), value: Some(value), headers: &[] }
    }
    let decoder = Decoder::new(formats);
    let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
    // whatever it means in this form: its columns are compared with
    drop(decoder.decode(&record(origin, first)));
    for other in records {
        assert!(other.1 != first.1, "{case}: a record would be compared with itself");
        let read = decoder.decode(&record(origin, other));
        assert!(matches!(read, Decoded::Change(_)), "{case}: {read:?}");
    }
    group.throughput(one(records[0].1.len()));
    let mut records = records.iter().cycle();
    group.bench_function(case, |bench| bench.iter(|| decoder.decode(black_box(&record(origin, next(&mut records))))));
}

/// Typed decoding alone of the same records, by every parser.
fn typed(group: &mut BenchmarkGroup<'_, CpuTime>, table: &str, records: &[KeyAndValue]) {
    group.throughput(one(records[0].1.len()));
    for (name, parser) in PARSERS {
        let mut scratch = Scratch::default();
        assert!(records.iter().all(|(_, value)| parser.read(table, value, &mut scratch)), "{name}");
        let mut values = records.iter().map(|(_, value)| value).cycle();
        group.bench_function(format!("baseline/{name}"), |bench| {
            bench.iter(|| parser.read(table, black_box(next(&mut values)), &mut scratch));
        });
    }
}
