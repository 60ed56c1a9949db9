//! Payments as decoded changes, without end: an insert and its update, each a commit of its own, of any number of agreements.

use tidewaiter::domains::lending::event::{ChangeKind, LendingChange};
use tidewaiter::engine::Partition;
use tidewaiter::event::{ChangeEvent, Identity, Lsn};
use tidewaiter::time::Timestamp;

use super::drive::{decoded, lending};
use super::{Form, Mix, Rates, START_MS, Workload};

/// A payment's changes.
pub(crate) type Changes = Vec<ChangeEvent<LendingChange>>;

/// A prime, so that every agreement has its turn before the first has another.
const STRIDE: u64 = 2_654_435_761;

#[derive(Debug)]
pub(crate) struct Payments {
    insert: ChangeEvent<LendingChange>,
    update: ChangeEvent<LendingChange>,
    agreements: u64,
    /// Between two payments, in microseconds.
    every_us: u64,
    /// Whether the balance follows.
    is_matched: bool,
    made: u64,
}

impl Payments {
    pub(crate) fn new(agreements: u64, every_us: u64) -> Self {
        let mix = Mix { rates: Rates::PAYMENTS, partitions: 1, changes: 10, ..Mix::default() };
        let (records, lending) = (Workload::records(mix), lending(Form::SchemalessString));
        let mut templates = records.iter().map(|record| decoded(&lending, record));
        let mut find = |is_insert: bool| {
            let wanted =
                |change: &ChangeEvent<LendingChange>| matches!(change.body.kind, ChangeKind::TransactionInsert(_)) == is_insert;
            templates.find(wanted).expect("a payment has both changes")
        };
        let (insert, mut update) = (find(true), find(false));
        if let (ChangeKind::TransactionInsert(insert), ChangeKind::AgreementUpdate(update)) =
            (&insert.body.kind, &mut update.body.kind)
        {
            update.after.balance = update.balance_before - insert.amount;
        }
        Self { insert, update, agreements, every_us, is_matched: true, made: 0 }
    }

    /// The same, but none of them is matched.
    pub(crate) fn unmatched(self) -> Self {
        Self { is_matched: false, ..self }
    }

    /// Of both topics; of one if nothing comes on the other, so that the merge does not wait for it.
    pub(crate) fn partitions(&self) -> Vec<Partition> {
        let update = self.is_matched.then_some(self.update.origin);
        std::iter::once(self.insert.origin).chain(update).map(Partition::from).collect()
    }

    /// The changes of so many payments more.
    pub(crate) fn take(&mut self, payments: u64) -> Changes {
        let mut changes = Vec::with_capacity(usize::try_from(payments).expect("it fits into memory") * 2);
        for _ in 0..payments {
            self.made += 1;
            // every agreement in turn, neighbours far apart
            let number = self.made * STRIDE % self.agreements + 1;
            let key = format!("FRH{number:07}");
            let mut insert = self.insert.clone();
            if let ChangeKind::TransactionInsert(insert) = &mut insert.body.kind {
                insert.agreement = key.as_str().into();
                insert.counter = self.made.cast_signed();
            }
            changes.push(self.placed(insert, 1));
            if self.is_matched {
                let mut update = self.update.clone();
                if let ChangeKind::AgreementUpdate(update) = &mut update.body.kind {
                    update.after.number = key.as_str().into();
                }
                changes.push(self.placed(update, 2));
            }
        }
        changes
    }

    fn placed(&self, mut change: ChangeEvent<LendingChange>, of_two: u64) -> ChangeEvent<LendingChange> {
        let at_ms = START_MS + self.made * self.every_us / 1_000;
        change.commit = Lsn::from_sequence(self.made * 2 + of_two);
        change.identity = Identity(u128::from(self.made * 2 + of_two));
        change.event_time = Timestamp::from_ms(at_ms.cast_signed()).expect("it is no thousand years");
        change.origin.offset = self.made.cast_signed();
        change
    }
}
