//! Expected payments from a profile file: of distinct agreements, read from the system's page cache and answered from
//! timelines that are kept.
//!
//! `PROFILES=FILE cargo bench --bench stages -- lookup` measures another file; its numbers must read FRH0000001 and up.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::LazyLock;

use chrono::NaiveDate;
use criterion::{BatchSize, Throughput};
use futures::executor::block_on;
use tidewaiter::domains::lending::expected::Question;
use tidewaiter::domains::lending::profiles::{Profiles, Timelines};
use tidewaiter::engine::lookup::Lookup;
use tidewaiter::event::KeyCase;
use tidewaiter::time::Month;

use super::cpu_time::CpuCriterion;
use super::workload::book::{Book, write};

const AGREEMENTS: usize = 200_000;
const ASKED: usize = 6_000;

pub(crate) fn files(criterion: &mut CpuCriterion) {
    let folder = tempfile::tempdir().unwrap();
    // not before a case is measured: it takes a while
    let file = LazyLock::new(|| {
        let file = std::env::var_os("PROFILES").map_or_else(|| folder.path().join("profiles.sqlite"), PathBuf::from);
        if !file.exists() {
            write(&file, AGREEMENTS);
        }
        file
    });
    let timelines = |bytes| Timelines::open(&file, KeyCase::Insensitive, bytes).unwrap();
    let month = Month::of(NaiveDate::from_ymd_opt(2026, 1, 31).unwrap());
    // A stride over the whole file, a different set each time.
    let stride = AGREEMENTS / ASKED;
    let mut start = 0;
    let mut questions = || {
        start = (start + 1) % stride;
        (0..ASKED).map(|n| Question { agreement: format!("FRH{:07}", 1 + start + n * stride).into(), month }).collect::<Vec<_>>()
    };

    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(ASKED as u64));
    group.bench_function("profile file, 6000 distinct agreements", |bench| {
        let profiles = Profiles::open(&file, KeyCase::Insensitive).unwrap();
        let lookup = |questions: Vec<Question>| black_box(block_on(profiles.lookup(&questions)).unwrap());
        bench.iter_batched(&mut questions, lookup, BatchSize::LargeInput);
    });
    group.bench_function("timelines, 6000 distinct agreements, each read", |bench| {
        let unkept = timelines(0);
        let lookup = |questions: Vec<Question>| black_box(block_on(unkept.lookup(&questions)).unwrap());
        bench.iter_batched(&mut questions, lookup, BatchSize::LargeInput);
    });
    group.bench_function("timelines, 6000 distinct agreements of 200000 that are kept", |bench| {
        let kept = timelines(256 << 20);
        for _ in 0..stride {
            block_on(kept.lookup(&questions())).unwrap();
        }
        let lookup = |questions: Vec<Question>| black_box(block_on(kept.lookup(&questions)).unwrap());
        bench.iter_batched(&mut questions, lookup, BatchSize::LargeInput);
    });
    group.finish();
}

/// The daemon's cache, in front of a book that answers at once.
pub(crate) fn cache(criterion: &mut CpuCriterion) {
    let month = Month::of(NaiveDate::from_ymd_opt(2026, 1, 12).unwrap());
    let question = |n: usize| Question { agreement: format!("FRH{:07}", 1 + n).into(), month };
    let questions: Vec<Question> = (0..ASKED).map(question).collect();
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(ASKED as u64));
    let cached = Book::cached();
    block_on(cached.lookup(&questions)).unwrap();
    group.bench_function("cache, 6000 agreements that are kept", |bench| {
        bench.iter(|| block_on(cached.lookup(black_box(&questions))).unwrap());
    });
    group.bench_function("cache, 6000 agreements that are not", |bench| {
        bench.iter_batched(Book::cached, |cached| block_on(cached.lookup(&questions)).unwrap(), BatchSize::LargeInput);
    });
    group.finish();
}
