//! Merging and correlating, by how many windows are open: as many open as close.

use criterion::{BatchSize, Throughput};

use super::cpu_time::CpuCriterion;
use super::workload::Form;
use super::workload::book::Book;
use super::workload::drive::{Bench, Feed};
use super::workload::payments::{Changes, Payments};

/// Payments at a time.
const PAYMENTS: u64 = 1_000;
/// How long a window stays open, by the shipped rules.
const WAIT_US: u64 = 30_000_000;

pub(crate) fn process(criterion: &mut CpuCriterion) {
    let bench = Bench::new(Form::SchemalessString, Book);
    let mut group = criterion.benchmark_group("process");
    group.throughput(Throughput::Elements(PAYMENTS * 2));
    for open in [1, 10_000, 1_000_000] {
        group.bench_function(format!("{open}_open_windows"), |bencher| {
            let mut payments = Payments::new(open * 2, WAIT_US / open + 1_000 / open);
            let mut feed = Feed::new(&bench.lending, payments.partitions());
            let mut apply = |changes: Changes| {
                for change in changes {
                    feed.push(change);
                }
                feed.advance(&bench.rules)
            };
            for _ in 0..open.div_ceil(PAYMENTS) * 2 {
                apply(payments.take(PAYMENTS));
            }
            bencher.iter_batched(|| payments.take(PAYMENTS), apply, BatchSize::LargeInput);
        });
    }
    group.finish();
}
