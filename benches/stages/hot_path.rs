//! The whole way on one core, from record bytes to encoded alerts, and typed decoding alone of the same bytes.

use std::hint::black_box;

use super::all;
use super::cpu_time::CpuCriterion;
use super::typed::{PARSERS, Scratch};
use super::workload::book::Book;
use super::workload::drive::{BATCH, Bench, decoded, lending};
use super::workload::{Form, Mix, Rates, Workload};

pub(crate) fn hot_path(criterion: &mut CpuCriterion) {
    let mixes = [
        ("ordinary", Mix::default()),
        ("ordinary_precise", Mix { form: Form::SchemalessPrecise, ..Mix::default() }),
        ("ordinary_schema_inside", Mix { form: Form::SchemaInside, ..Mix::default() }),
        ("busy", Mix { rates: Rates::BUSY, ..Mix::default() }),
        ("wide", Mix { columns: 269, changes: 5_000, ..Mix::default() }),
    ];
    let mut group = criterion.benchmark_group("hot_path");
    group.sample_size(20);
    for (case, mix) in mixes {
        let records = Workload::records(mix);
        group.throughput(all(&records));
        let bench = Bench::new(mix.form, Book::cached());
        let mut alerts = Vec::new();
        assert!(bench.run(&records, &mut alerts) > records.len() / 1_000, "{case} raises alerts");
        group.bench_function(case, |bencher| bencher.iter(|| bench.run(black_box(&records), &mut alerts)));
        let lending = lending(mix.form);
        group.bench_function(format!("{case}/decoding_only"), |bencher| {
            bencher.iter(|| records.iter().for_each(|record| drop(black_box(decoded(&lending, record)))));
        });
        if mix.form == Form::SchemaInside {
            continue;
        }
        let values: Vec<_> = records.iter().map(|record| (record.origin.topic.table(), record.value.as_bytes())).collect();
        for (name, parser) in PARSERS {
            let mut scratch = Scratch::default();
            let mut read = || values.iter().all(|(table, value)| parser.read(table, value, &mut scratch));
            assert!(read(), "{name} reads {case}");
            group.bench_function(format!("{case}/baseline/{name}"), |bencher| bencher.iter(&mut read));
        }
    }
    group.finish();
}

/// The whole way by how much is decoded before what it means is applied and judged.
pub(crate) fn batches(criterion: &mut CpuCriterion) {
    let records = Workload::records(Mix::default());
    let bench = Bench::new(Mix::default().form, Book::cached());
    let mut alerts = Vec::new();
    let mut group = criterion.benchmark_group("hot_path/batch");
    group.throughput(all(&records)).sample_size(20);
    for batch in [16, 128, 512, BATCH, 10_000] {
        group.bench_function(format!("{batch}_records"), |bencher| {
            bencher.iter(|| bench.run_in_batches(black_box(&records), batch, &mut alerts));
        });
    }
    group.finish();
}
