//! What a change costs, from decoded change to verdict, as the book grows and as history does. The rate of payments is the same,
//! so about as many windows are open.
//!
//! `TIDEWAITER_BENCH=large` adds the largest cases, which take a minute and some gigabytes.

use std::env;

use criterion::{BatchSize, Bencher, Throughput};

use super::cpu_time::{CpuCriterion, CpuTime};
use super::workload::Form;
use super::workload::book::Book;
use super::workload::drive::{Bench, Feed};
use super::workload::payments::{Changes, Payments};

/// Payments at a time: what the daemon has in a batch.
const PAYMENTS: u64 = 1_024;
/// Between two payments: 300 windows are open.
const EVERY_US: u64 = 100_000;

pub(crate) fn book(criterion: &mut CpuCriterion) {
    let mut group = criterion.benchmark_group("scaling/book");
    group.throughput(Throughput::Elements(PAYMENTS * 2)).sample_size(30);
    for agreements in sizes(&[1_000, 10_000, 100_000, 1_000_000], 10_000_000) {
        // every agreement pays once before, so the cache has seen all of them
        group.bench_function(format!("{agreements}_agreements"), |bencher| payments(bencher, agreements, agreements));
    }
    group.finish();
}

pub(crate) fn history(criterion: &mut CpuCriterion) {
    let mut group = criterion.benchmark_group("scaling/history");
    group.throughput(Throughput::Elements(PAYMENTS * 2)).sample_size(30);
    for before in sizes(&[10_000, 100_000, 1_000_000], 10_000_000) {
        group.bench_function(format!("after_{before}_payments"), |bencher| payments(bencher, 10_000, before));
    }
    group.finish();
}

fn sizes(usual: &[u64], large: u64) -> Vec<u64> {
    let with_large = env::var("TIDEWAITER_BENCH").is_ok_and(|which| which == "large");
    usual.iter().copied().chain(with_large.then_some(large)).collect()
}

/// Measures payments of so many agreements, after so many that went before.
fn payments(bencher: &mut Bencher<'_, CpuTime>, agreements: u64, before: u64) {
    let bench = Bench::new(Form::SchemalessString, Book::cached());
    let mut payments = Payments::new(agreements, EVERY_US);
    let mut feed = Feed::new(&bench.lending, payments.partitions());
    let mut alerts = Vec::new();
    let mut apply = |changes: Changes| {
        for change in changes {
            feed.push(change);
        }
        let output = feed.advance(&bench.rules);
        alerts.clear();
        bench.judge(output, &mut alerts)
    };
    for _ in 0..before.div_ceil(PAYMENTS) {
        apply(payments.take(PAYMENTS));
    }
    bencher.iter_batched(|| payments.take(PAYMENTS), apply, BatchSize::LargeInput);
}
