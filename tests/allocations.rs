//! What the hot path allocates, counted: this binary's allocator counts per thread.
//!
//! Ceilings, not time: they hold on any machine. The workload is that of the benches.

#[path = "../benches/workload/mod.rs"]
mod workload;

use allocation_counter::{AllocationInfo, measure};
use workload::book::Book;
use workload::drive::{BATCH, Bench, Feed, decoded};
use workload::{Mix, OwnedRecord, Rates, Workload};

/// What decoding and applying allocates, by change; from when everything has grown to its size.
struct Counted {
    decoding: AllocationInfo,
    applying: AllocationInfo,
    changes: u64,
    open: usize,
}

fn counted(rates: Rates) -> Counted {
    let records = Workload::records(Mix { rates, changes: 20 * BATCH, agreements: 2_000, ..Mix::default() });
    let bench = Bench::new(Mix::default().form, Book);
    let mut feed = bench.feed(&records);
    let mut counted = Counted { decoding: AllocationInfo::default(), applying: AllocationInfo::default(), changes: 0, open: 0 };
    for (batch, number) in records.chunks(BATCH).zip(0..) {
        let mut changes = Vec::with_capacity(batch.len());
        let decoding = measure(|| changes.extend(batch.iter().map(|record| decoded(&bench.lending, record))));
        let applying = measure(|| {
            changes.into_iter().for_each(|change| feed.push(change));
            feed.advance(&bench.rules);
        });
        if number >= 8 {
            counted.decoding += decoding;
            counted.applying += applying;
            counted.changes += batch.len() as u64;
        }
    }
    counted.open = feed.engine.store().len();
    counted
}

#[test]
fn show() {
    for (name, rates) in [("edits", Rates::EDITS), ("payments", Rates::PAYMENTS), ("ordinary", Rates::ORDINARY)] {
        let Counted { decoding, applying, changes, open } = counted(rates);
        println!("{name}: {changes} changes, {open} open, decode {decoding:?}, apply {applying:?}");
    }
}
