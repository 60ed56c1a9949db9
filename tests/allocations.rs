//! What the hot path allocates, counted: this binary's allocator counts, per thread. Ceilings, not time: they hold on any machine.
//! The workload is that of the benches.

#[path = "../benches/workload/mod.rs"]
mod workload;

use allocation_counter::{AllocationInfo, measure};
use workload::book::Book;
use workload::drive::{BATCH, Bench, Feed, decoded};
use workload::payments::Payments;
use workload::{Form, Mix, Rates, Workload};

/// What is allocated by all changes of some batches.
struct Counted {
    decoding: AllocationInfo,
    applying: AllocationInfo,
    changes: u64,
}

/// Counts from when buffers have grown to their size.
fn counted(rates: Rates) -> Counted {
    let records = Workload::records(Mix { rates, changes: 20 * BATCH, agreements: 2_000, ..Mix::default() });
    let bench = Bench::new(Mix::default().form, Book);
    let mut feed = bench.feed(&records);
    let mut counted = Counted { decoding: AllocationInfo::default(), applying: AllocationInfo::default(), changes: 0 };
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
    counted
}

#[test]
fn show() {
    for (name, rates) in [("edits", Rates::EDITS), ("payments", Rates::PAYMENTS), ("ordinary", Rates::ORDINARY)] {
        let Counted { decoding, applying, changes } = counted(rates);
        println!("{name}: {changes} changes, decode {decoding:?}, apply {applying:?}");
    }
    for matched in [true, false] {
        const OPEN: u64 = 100_000;
        let bench = Bench::new(Form::SchemalessString, Book);
        let mut payments = Payments::new(OPEN * 2, 30_000_000 / OPEN);
        if !matched {
            payments = payments.unmatched();
        }
        let mut feed = Feed::new(&bench.lending, payments.partitions());
        let kept = measure(|| {
            for _ in 0..OPEN.div_ceil(1_000) {
                payments.take(1_000).into_iter().for_each(|change| feed.push(change));
                feed.advance(&bench.rules);
            }
        });
        println!(
            "{matched}: {} windows, {} bytes each",
            feed.engine.store().len(),
            kept.bytes_current / feed.engine.store().len() as i64
        );
    }
}
