//! One whole commit, put into the order in which it is applied.
//!
//! SQL Server and Debezium can write an update as a delete and an insert, sometimes of another key. Here, where all
//! changes of a commit lie side by side, such pairs become what they are: an update, a rename, a correction.

use std::collections::{HashMap, HashSet};

use compact_str::CompactString;

use super::event::{AgreementDelete, AgreementInsert, AgreementUpdate, ChangeKind, LendingChange};
use crate::engine::{Key, Partition};
use crate::event::ChangeEvent;

type Change = ChangeEvent<LendingChange>;

/// Transaction changes first, by counter; then Agreement changes as they come, partition by partition.
pub(super) fn order(commit: &mut [Change]) {
    fold(commit);
    if commit.len() > 1 {
        // stable: what ties keeps the order of partitions and offsets
        commit.sort_by_key(|change| match &change.body.kind {
            ChangeKind::TransactionInsert(insert) => (0, insert.counter),
            ChangeKind::Correction { counter }
            | ChangeKind::TransactionUpdate { counter }
            | ChangeKind::TransactionDelete { counter } => (0, *counter),
            ChangeKind::AgreementInsert(_)
            | ChangeKind::AgreementUpdate(_)
            | ChangeKind::AgreementDelete(_)
            | ChangeKind::Rename { .. } => (1, 0),
        });
    }
}

/// The deletes of one commit.
#[derive(Default)]
struct Deletes {
    counters: HashSet<i64>,
    /// In merged order, with where each lies.
    by_number: HashMap<Key, Vec<(Partition, i64, AgreementDelete)>>,
    /// Which agreement numbers were deleted of a customer.
    by_customer: HashMap<CompactString, Vec<Key>>,
}

impl Deletes {
    fn of(commit: &[Change]) -> Self {
        let mut deletes = Self::default();
        for change in commit {
            match &change.body.kind {
                ChangeKind::TransactionDelete { counter } => {
                    deletes.counters.insert(*counter);
                }
                ChangeKind::AgreementDelete(delete) => {
                    if let Some(customer) = &delete.customer_number {
                        deletes.by_customer.entry(customer.clone()).or_default().push(delete.number.clone());
                    }
                    let place = (Partition::from(change.origin), change.origin.offset, delete.clone());
                    deletes.by_number.entry(delete.number.clone()).or_default().push(place);
                }
                _ => {}
            }
        }
        deletes
    }

    /// The last delete of this number that comes before the insert in its own partition, or lies in another.
    fn of_same_row(&self, number: &Key, partition: Partition, offset: i64) -> Option<&AgreementDelete> {
        let deletes = self.by_number.get(number)?;
        deletes.iter().rev().find(|(other, at, _)| *other != partition || *at < offset).map(|(_, _, delete)| delete)
    }

    /// Whether another agreement of the same customer was deleted.
    fn renamed_from(&self, customer: Option<&CompactString>, number: &Key) -> bool {
        customer
            .and_then(|customer| self.by_customer.get(customer))
            .is_some_and(|numbers| numbers.iter().any(|other| other != number))
    }
}

fn fold(commit: &mut [Change]) {
    let concerned = commit.iter().any(|change| match &change.body.kind {
        ChangeKind::TransactionDelete { .. } | ChangeKind::AgreementDelete(_) => true,
        ChangeKind::TransactionInsert(insert) => insert.key_changed,
        ChangeKind::AgreementInsert(insert) => insert.key_changed,
        _ => false,
    });
    if !concerned {
        return;
    }
    let deletes = Deletes::of(commit);
    for change in commit {
        let (partition, offset) = (Partition::from(change.origin), change.origin.offset);
        match &mut change.body.kind {
            ChangeKind::TransactionInsert(insert) if insert.key_changed || deletes.counters.contains(&insert.counter) => {
                change.body.kind = ChangeKind::Correction { counter: insert.counter };
            }
            ChangeKind::AgreementInsert(AgreementInsert { after, key_changed }) => {
                if let Some(delete) = deletes.of_same_row(&after.number, partition, offset) {
                    change.body.kind = ChangeKind::AgreementUpdate(AgreementUpdate {
                        balance_before: delete.balance_before,
                        settled_before: delete.settled_before,
                        after: after.clone(),
                        from_insert: true,
                    });
                } else if *key_changed || deletes.renamed_from(after.customer_number.as_ref(), &after.number) {
                    change.body.kind = ChangeKind::Rename { number: after.number.clone() };
                }
            }
            _ => {}
        }
    }
}
