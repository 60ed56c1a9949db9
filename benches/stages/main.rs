//! The stages of the hot path, each alone and all together. `cargo bench --bench stages -- FILTER` runs some.
//!
//! Measured is the time that the thread spends on a core ([`cpu_time`]). One binary, since each is linked whole, and with the daemon's allocator. What is measured beside our own code to have
//! something to hold it against (`baseline/…`) runs in the same group, so that ratios come from one run.

mod capture;
mod cpu_time;
mod decode;
mod hot_path;
mod judge;
mod lookup;
mod merge;
mod money;
mod process;
mod scaling;
mod typed;
#[path = "../workload/mod.rs"]
mod workload;

use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of one record with so many bytes.
fn one(bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes { elements: 1, bytes: bytes as u64 }
}

/// Of a whole workload.
fn all(records: &[workload::OwnedRecord]) -> Throughput {
    Throughput::ElementsAndBytes { elements: records.len() as u64, bytes: workload::bytes(records) }
}

criterion_group!(
    name = stages;
    config = Criterion::default().with_measurement(CpuTime);
    targets =
    capture::read,
    decode::decode,
    decode::wide,
    merge::merge,
    process::process,
    judge::judge,
    judge::encode,
    money::money,
    lookup::files,
    lookup::cache,
    hot_path::hot_path,
    hot_path::batches,
    scaling::book,
    scaling::history,
);
criterion_main!(stages);
