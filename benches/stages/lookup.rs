//! Expected payments from a profile file: of distinct agreements, read from the system's page cache and answered from
//! timelines that are kept.
//!
//! `PROFILES=FILE cargo bench --bench stages -- lookup` measures another file; its numbers must read FRH0000001 and up.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use criterion::{BatchSize, Criterion, Throughput};
use futures::executor::block_on;
use tidewaiter::domains::lending::expected::Question;
use tidewaiter::domains::lending::profiles::{Profiles, Timelines};
use tidewaiter::engine::lookup::Lookup;
use tidewaiter::event::KeyCase;
use tidewaiter::time::Month;

use super::workload::book::Book;

const AGREEMENTS: usize = 200_000;
const ASKED: usize = 6_000;

/// A book like the workload generator's: seven months of one payment and two fees, one custom profile in ten agreements.
fn write(path: &Path) {
    let book = rusqlite::Connection::open(path).unwrap();
    let columns = "AgreementNumber TEXT PRIMARY KEY, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT, AgreementBankAccountName TEXT";
    book.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
         CREATE TABLE Agreement ({columns});
         CREATE TABLE CustomProfile (CPAgreement TEXT PRIMARY KEY, CPAmount TEXT, CPOnGoing INTEGER, CPDeleted INTEGER);
         CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT, PayProDate TEXT, PayProNetAmount TEXT,
             PayProPrincipal TEXT, PayProInterest TEXT, PayProType TEXT, PayProFeeOrInsID INTEGER, PayProFallenDue INTEGER);"
    ))
    .unwrap();
    let mut agreement =
        book.prepare("INSERT INTO Agreement VALUES (?1, 'C100003', 'C635824 C635825', 113, '2024-01-12', 'X')").unwrap();
    let mut custom = book.prepare("INSERT INTO CustomProfile VALUES (?1, '310.00', 1, 0)").unwrap();
    let payment = "INSERT INTO PaymentProfile VALUES (NULL, ?1, ?2, ?3, '200.00', '85.50', ?4, ?5, ?6)";
    let mut payment = book.prepare(payment).unwrap();
    for n in 1..=AGREEMENTS {
        let number = format!("FRH{n:07}");
        agreement.execute([&number]).unwrap();
        if n % 10 == 0 {
            custom.execute([&number]).unwrap();
        }
        for month in 1..=7 {
            let date = format!("2026-{month:02}-12");
            for (fee, (kind, amount)) in [("Pay", "285.50"), ("Fee", "12.00"), ("Fee", "3.50")].into_iter().enumerate() {
                payment.execute(rusqlite::params![number, date, amount, kind, u8::try_from(fee).unwrap(), month < 3]).unwrap();
            }
        }
    }
    book.execute_batch("CREATE INDEX PaymentProfileByAgreement ON PaymentProfile (PayProAgreementNumber); COMMIT").unwrap();
}

pub(crate) fn files(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let file = std::env::var_os("PROFILES").map_or_else(|| folder.path().join("profiles.sqlite"), PathBuf::from);
    if !file.exists() {
        write(&file);
    }
    let profiles = Profiles::open(&file, KeyCase::Insensitive).unwrap();
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
        bench.iter_batched(
            &mut questions,
            |questions| black_box(block_on(profiles.lookup(&questions)).unwrap()),
            BatchSize::LargeInput,
        );
    });
    let unkept = timelines(0);
    group.bench_function("timelines, 6000 distinct agreements, each read", |bench| {
        bench.iter_batched(
            &mut questions,
            |questions| black_box(block_on(unkept.lookup(&questions)).unwrap()),
            BatchSize::LargeInput,
        );
    });
    let kept = timelines(256 << 20);
    for _ in 0..stride {
        block_on(kept.lookup(&questions())).unwrap();
    }
    group.bench_function("timelines, 6000 distinct agreements of 200000 that are kept", |bench| {
        bench.iter_batched(
            &mut questions,
            |questions| black_box(block_on(kept.lookup(&questions)).unwrap()),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The daemon's cache, in front of a book that answers at once.
pub(crate) fn cache(criterion: &mut Criterion) {
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
