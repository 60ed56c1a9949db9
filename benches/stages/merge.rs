//! Dedupe and merge alone: a domain for which no change is of any consequence.

use std::sync::Arc;

use criterion::{BatchSize, Throughput};
use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::case::Case;
use tidewaiter::domains::lending::event::LendingChange;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::judge::Judgement;
use tidewaiter::domains::lending::settings::LendingRules;
use tidewaiter::domains::lending::window::AgreementWindow;
use tidewaiter::engine::{Context, Domain, Sequence, Target};
use tidewaiter::event::{ChangeEvent, Decoded, Record};
use tidewaiter::time::Timestamp;

use super::cpu_time::CpuCriterion;
use super::workload::drive::{BATCH, Feed, decoded, lending};
use super::workload::{Mix, Workload};

/// Lending, but for what changes do.
struct Indifferent(Arc<Lending>);

impl Domain for Indifferent {
    type Change = LendingChange;
    type Window = AgreementWindow;
    type Case = Case;
    type Rules = LendingRules;
    type Question = Question;
    type Answer = Answer;
    type Judgement = Judgement;

    fn decode(&self, record: &Record<'_>) -> Decoded<LendingChange> {
        self.0.decode(record)
    }

    fn order(&self, commit: &mut Vec<ChangeEvent<LendingChange>>) {
        self.0.order(commit);
    }

    fn max_wait_ms(&self, rules: &LendingRules) -> i64 {
        self.0.max_wait_ms(rules)
    }

    fn target(&self, _change: &LendingChange) -> Target {
        Target::Nothing("nothing")
    }

    fn apply(&self, _: ChangeEvent<LendingChange>, _: &mut AgreementWindow, _: &mut Context<'_, Self>) {}

    fn expire(&self, _: Sequence, _: &mut AgreementWindow, _: &mut Context<'_, Self>) {}

    fn is_closed(&self, _: &AgreementWindow) -> bool {
        true
    }

    fn deadlines(&self, _: &AgreementWindow, _: &mut dyn FnMut(Timestamp, Sequence)) {}

    fn question(&self, case: &Case, rules: &LendingRules) -> Option<Question> {
        self.0.question(case, rules)
    }

    fn judge(&self, case: Case, answer: Option<&Answer>, rules: &LendingRules) -> Judgement {
        self.0.judge(case, answer, rules)
    }
}

/// Of two topics, each with so many partitions.
pub(crate) fn merge(criterion: &mut CpuCriterion) {
    let mut group = criterion.benchmark_group("merge");
    let rules = LendingRules::shipped();
    for partitions in [1, 3, 12] {
        let mix = Mix { partitions, ..Mix::default() };
        let (records, lending) = (Workload::records(mix), lending(mix.form));
        let changes: Vec<_> = records.iter().map(|record| decoded(&lending, record)).collect();
        let domain = Arc::new(Indifferent(lending));
        group.throughput(Throughput::Elements(changes.len() as u64));
        group.bench_function(format!("{}_partitions", 2 * partitions), |bencher| {
            let fresh = || (changes.clone(), Feed::new(&domain, records.iter().map(|record| record.origin.into())));
            let run = |(changes, mut feed): (Vec<_>, Feed<Indifferent>)| {
                let mut changes = changes.into_iter();
                while changes.len() > 0 {
                    changes.by_ref().take(BATCH).for_each(|change| feed.push(change));
                    feed.advance(&rules);
                }
                feed
            };
            bencher.iter_batched(fresh, run, BatchSize::LargeInput);
        });
    }
    group.finish();
}
