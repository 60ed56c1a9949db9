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
            for change in changes {
                feed.push(change);
            }
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

/// Buffers grow once a batch, whatever the number of changes.
const BATCHES: u64 = 12 * 32;

#[test]
fn a_change_that_opens_no_window_allocates_nothing() {
    let Counted { decoding, applying, changes } = counted(Rates::EDITS);
    assert_eq!(decoding.count_total, 0, "for {changes} changes");
    assert!(applying.count_total <= BATCHES, "{} for {changes} changes", applying.count_total);
}

#[test]
fn a_transaction_is_decoded_without_allocating() {
    let Counted { decoding, changes, .. } = counted(Rates::PAYMENTS);
    // every other change is an update of the balance, which has an image
    assert!(decoding.count_total <= changes / 2 + 1, "{} for {changes} changes", decoding.count_total);
}

/// So many windows are opened, one a payment.
const OPEN: u64 = 100_000;

/// Bytes that are kept for each window, with the room that tables and queues have for more.
fn kept_per_window(mut payments: Payments) -> u64 {
    let bench = Bench::new(Form::SchemalessString, Book);
    let mut feed = Feed::new(&bench.lending, payments.partitions());
    let kept = measure(|| {
        for _ in 0..OPEN.div_ceil(1_000) {
            payments.take(1_000).into_iter().for_each(|change| feed.push(change));
            feed.advance(&bench.rules);
        }
    });
    let windows = feed.engine.store().len() as u64;
    assert!(windows > OPEN * 9 / 10, "{windows} windows are open");
    kept.bytes_current.unsigned_abs() / windows
}

/// A matched payment is kept with what it was matched with, for the settlement that may name both.
const PENDING: u64 = 300;
const MATCHED: u64 = 300;

#[test]
fn an_open_window_takes_a_bounded_number_of_bytes_whether_or_not_its_payment_is_matched() {
    let payments = || Payments::new(OPEN * 2, 30_000_000 / OPEN);
    let pending = kept_per_window(payments().unmatched());
    assert!(pending <= PENDING, "{pending} bytes for a window whose payment is pending");
    let matched = kept_per_window(payments());
    assert!(matched <= MATCHED, "{matched} bytes for a window whose payment is matched");
}
