//! What a change costs, from decoded change to verdict, as the book grows and as history does. The rate of payments is the same,
//! so about as many windows are open.
//!
//! `TIDEWAITER_BENCH=large` adds the largest cases, which take a minute and some gigabytes.

use std::env;

use criterion::{BatchSize, BenchmarkGroup, Throughput};
use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::engine::lookup::Lookup;

use super::cpu_time::{CpuCriterion, CpuTime};
use super::workload::Form;
use super::workload::book::Book;
use super::workload::drive::{Bench, Feed};
use super::workload::payments::{Changes, Payments};

/// Payments at a time: what the daemon has in a batch.
const PAYMENTS: u64 = 1_024;
/// Between two payments: 300 windows are open.
const EVERY_US: u64 = 100_000;

type Group<'a> = BenchmarkGroup<'a, CpuTime>;

pub(crate) fn book(criterion: &mut CpuCriterion) {
    let sizes = sizes(&[1_000, 10_000, 100_000, 1_000_000], 10_000_000);
    // every agreement pays once before, so a cache has seen all of them
    let mut group = begin(criterion, "scaling/book");
    for &agreements in &sizes {
        // what the engine itself does about an agreement
        payments(&mut group, &format!("{agreements}_agreements"), || Book, agreements, agreements);
    }
    group.finish();
    let mut group = begin(criterion, "scaling/book_cached");
    for &agreements in &sizes {
        payments(&mut group, &format!("{agreements}_agreements"), Book::cached, agreements, agreements);
    }
    group.finish();
}

pub(crate) fn history(criterion: &mut CpuCriterion) {
    let mut group = begin(criterion, "scaling/history");
    // what is measured is history, too: up to a million payments
    payments(&mut group, "from_the_beginning", Book::cached, 10_000, 0);
    for before in sizes(&[3_000_000], 10_000_000) {
        payments(&mut group, &format!("after_{before}_payments"), Book::cached, 10_000, before);
    }
    group.finish();
}

fn begin<'a>(criterion: &'a mut CpuCriterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(PAYMENTS * 2)).sample_size(30);
    group
}

fn sizes(usual: &[u64], large: u64) -> Vec<u64> {
    let with_large = env::var("TIDEWAITER_BENCH").is_ok_and(|which| which == "large");
    usual.iter().copied().chain(with_large.then_some(large)).collect()
}

/// Measures payments of so many agreements, after so many that went before.
fn payments<L: Lookup<Question, Answer>>(
    group: &mut Group<'_>,
    name: &str,
    lookup: impl Fn() -> L,
    agreements: u64,
    before: u64,
) {
    // criterion asks for a case several times, and what went before takes long; a case that is left out takes none of it
    let mut running = None;
    group.bench_function(name, |bencher| {
        let Running { bench, payments, feed, alerts } = running.get_or_insert_with(|| {
            let bench = Bench::new(Form::SchemalessString, lookup());
            let payments = Payments::new(agreements, EVERY_US);
            let feed = Feed::new(&bench.lending, payments.partitions());
            let mut running = Running { bench, payments, feed, alerts: Vec::new() };
            for _ in 0..before.div_ceil(PAYMENTS) {
                let changes = running.payments.take(PAYMENTS);
                apply(&running.bench, &mut running.feed, &mut running.alerts, changes);
            }
            running
        });
        bencher.iter_batched(|| payments.take(PAYMENTS), |changes| apply(bench, feed, alerts, changes), BatchSize::LargeInput);
    });
}

/// An engine with a past.
struct Running<L> {
    bench: Bench<L>,
    payments: Payments,
    feed: Feed<Lending>,
    alerts: Vec<u8>,
}

fn apply<L: Lookup<Question, Answer>>(
    bench: &Bench<L>,
    feed: &mut Feed<Lending>,
    alerts: &mut Vec<u8>,
    changes: Changes,
) -> usize {
    for change in changes {
        feed.push(change);
    }
    let output = feed.advance(&bench.rules);
    alerts.clear();
    bench.judge(output, alerts)
}
