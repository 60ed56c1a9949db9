//! Judging a case by every rule, and encoding the alerts that come of it.

use std::hint::black_box;

use criterion::BatchSize;
use tidewaiter::domains::lending::case::Case;
use tidewaiter::domains::lending::judge::{Judgement, Kind, judge as judge_case, question};
use tidewaiter::engine::alert::Judged;
use tidewaiter::time::Timestamp;

use super::cpu_time::CpuCriterion;
use super::one;
use super::workload::book::Book;
use super::workload::drive::{BATCH, Bench, decoded};
use super::workload::{Mix, Rates, Workload};

/// The first case of each name that the workload brings.
fn cases(bench: &Bench<Book>) -> Vec<(&'static str, Case)> {
    let records = Workload::records(Mix { rates: Rates::BUSY, changes: 2 * BATCH, ..Mix::default() });
    let mut feed = bench.feed(&records);
    for record in &records {
        feed.push(decoded(&bench.lending, record));
    }
    let mut output = feed.advance(&bench.rules);
    output.cases.append(&mut feed.finish(&bench.rules).cases);
    let mut named: Vec<(&'static str, Case)> = Vec::new();
    for case in output.cases {
        let judgement = judged(bench, case.clone());
        let name = match (judgement.subject.kind, judgement.alerts.len()) {
            (Kind::Payment, 0) => "payment_as_expected",
            (Kind::Payment, _) => "overpayment",
            (Kind::Refund, _) => "refund",
            (Kind::Ignored, _) => "ignored_movement",
            (Kind::Settlement, _) => "settlement",
            (Kind::Opening, _) => "opening",
        };
        if named.iter().all(|(known, _)| *known != name) {
            named.push((name, case));
        }
    }
    assert_eq!(named.len(), 6, "the workload brings every kind");
    named.sort_unstable_by_key(|(name, _)| *name);
    named
}

fn judged(bench: &Bench<Book>, case: Case) -> Judgement {
    let answer = question(&case, &bench.rules).map(|question| Book::answer(&question));
    judge_case(case, answer.as_ref(), &bench.rules)
}

pub(crate) fn judge(criterion: &mut CpuCriterion) {
    let bench = Bench::new(Mix::default().form, Book);
    let mut group = criterion.benchmark_group("judge");
    for (name, case) in cases(&bench) {
        let answer = question(&case, &bench.rules).map(|question| Book::answer(&question));
        group.bench_function(name, |bencher| {
            let judge = |case| judge_case(case, black_box(answer.as_ref()), &bench.rules);
            bencher.iter_batched(|| case.clone(), judge, BatchSize::SmallInput);
        });
    }
    group.finish();
}

pub(crate) fn encode(criterion: &mut CpuCriterion) {
    let bench = Bench::new(Mix::default().form, Book);
    let detected_at = Timestamp::from_ms(1_768_206_600_000).expect("it is this year");
    let mut group = criterion.benchmark_group("alert");
    for (name, case) in cases(&bench) {
        let judgement = judged(&bench, case);
        let mut out = Vec::new();
        let mut encode = || {
            out.clear();
            black_box(&judgement).publish(detected_at, &mut |message| out.extend_from_slice(message.body));
            out.len()
        };
        let bytes = encode();
        if bytes == 0 {
            continue;
        }
        group.throughput(one(bytes));
        group.bench_function(name, |bencher| bencher.iter(&mut encode));
    }
    group.finish();
}
