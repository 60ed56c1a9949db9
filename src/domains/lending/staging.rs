//! One whole commit, put into the order in which it is applied.
//!
//! SQL Server and Debezium can write an update as a delete and an insert, sometimes of another key. Here, where all
//! changes of a commit lie side by side, such pairs become what they are: an update, a rename, a correction.

use std::collections::{HashMap, HashSet};

use compact_str::CompactString;

use super::event::{AgreementDelete, AgreementInsert, AgreementUpdate, ChangeKind, LendingChange, is_money};
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
            | ChangeKind::AgreementEdit { .. }
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
    /// Which agreement numbers were deleted of a customer: the first, and another one if there is any.
    by_customer: HashMap<CompactString, (Key, Option<Key>)>,
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
                        let (first, other) =
                            deletes.by_customer.entry(customer.clone()).or_insert_with(|| (delete.number.clone(), None));
                        if *first != delete.number {
                            other.get_or_insert_with(|| delete.number.clone());
                        }
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
        let last = deletes.last().filter(|(other, ..)| *other != partition);
        // none lies in a later partition, so the last of those before the insert is the last of all
        let before = || &deletes[..deletes.partition_point(|(other, at, _)| (*other, *at) < (partition, offset))];
        last.or_else(|| before().last()).map(|(.., delete)| delete)
    }

    /// Whether another agreement of the same customer was deleted.
    fn renamed_from(&self, customer: Option<&CompactString>, number: &Key) -> bool {
        customer
            .and_then(|customer| self.by_customer.get(customer))
            .is_some_and(|(first, other)| first != number || other.is_some())
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
                    let (balance, settled) = (delete.balance_before, delete.settled_before);
                    change.body.kind = if is_money([balance, after.balance], [settled, after.settled]) {
                        let (balance_before, settled_before, after) = (balance, settled, after.clone());
                        ChangeKind::AgreementUpdate(AgreementUpdate { balance_before, settled_before, after, from_insert: true })
                    } else {
                        ChangeKind::AgreementEdit { number: after.number.clone() }
                    };
                } else if *key_changed || deletes.renamed_from(after.customer_number.as_ref(), &after.number) {
                    change.body.kind = ChangeKind::Rename { number: after.number.clone() };
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Topic;
    use rust_decimal::Decimal;

    fn delete(number: &str, customer: Option<&str>, balance: i64) -> AgreementDelete {
        AgreementDelete {
            number: number.into(),
            customer_number: customer.map(Into::into),
            balance_before: Decimal::from(balance),
            settled_before: false,
        }
    }

    proptest! {
        #[test]
        fn the_delete_of_an_insert_is_the_last_of_those_that_count(
            places in proptest::collection::btree_set((0..3_i32, 0..6_i64), 0..8), partition in 0..3_i32, offset in 0..6_i64,
        ) {
            let topic = Topic::intern("staging.test");
            let lies = |partition, offset, nth: usize| {
                let nth = i64::try_from(nth).unwrap();
                (Partition { topic, partition }, offset, delete("A", None, nth))
            };
            let all: Vec<_> = places.into_iter().enumerate().map(|(nth, (partition, offset))| lies(partition, offset, nth)).collect();
            let own = Partition { topic, partition };
            let wanted = all.iter().rfind(|(other, at, _)| *other != own || *at < offset).map(|(.., delete)| delete.clone());
            let deletes = Deletes { by_number: HashMap::from([("A".into(), all)]), ..Deletes::default() };
            prop_assert_eq!(deletes.of_same_row(&"A".into(), own, offset), wanted.as_ref());
        }
    }
}
