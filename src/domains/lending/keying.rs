//! How records are keyed where several members share the topics: all of an agreement come to one of them.

use super::event::{AgreementDelete, ChangeKind, LendingChange};
use super::normal_number;
use crate::engine::Key;
use crate::event::KeyCase;

pub(super) const MISPLACED: &str = "does not carry the plain agreement number as its key";

/// For a person who sets up the connector.
pub(crate) const KEYING: &str = "run one member, or have the connector key both topics by the agreement number, give both equally many \
     partitions, and let one member read what was keyed otherwise; on the connector:\n  \
     message.key.columns=(.*).dbo.Transaction:TransAgreementNumber;(.*).dbo.Agreement:AgreementNumber\n  \
     key.converter=org.apache.kafka.connect.storage.StringConverter\n  \
     tombstones.on.delete=false\n  \
     transforms=keyTransaction,keyAgreement\n  \
     transforms.keyTransaction.type=org.apache.kafka.connect.transforms.ExtractField$Key\n  \
     transforms.keyTransaction.field=TransAgreementNumber\n  \
     transforms.keyTransaction.predicate=isTransaction\n  \
     transforms.keyAgreement.type=org.apache.kafka.connect.transforms.ExtractField$Key\n  \
     transforms.keyAgreement.field=AgreementNumber\n  \
     transforms.keyAgreement.predicate=isAgreement\n  \
     predicates=isTransaction,isAgreement\n  \
     predicates.isTransaction.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches\n  \
     predicates.isTransaction.pattern=.*\\.dbo\\.Transaction\n  \
     predicates.isAgreement.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches\n  \
     predicates.isAgreement.pattern=.*\\.dbo\\.Agreement";

/// Whether the key is the change's agreement number as the engine spells it; `None` where the change does not say whose it is.
pub(super) fn is_keyed(change: &LendingChange, record_key: Option<&[u8]>, case: KeyCase) -> Option<bool> {
    let number = agreement(change)?;
    let key = record_key.and_then(|key| std::str::from_utf8(key).ok());
    Some(key.is_some_and(|key| normal_number(key, case) == *number))
}

fn agreement(change: &LendingChange) -> Option<&Key> {
    match &change.kind {
        ChangeKind::TransactionInsert(insert) => Some(&insert.agreement),
        ChangeKind::AgreementInsert(insert) => Some(&insert.after.number),
        ChangeKind::AgreementUpdate(update) => Some(&update.after.number),
        ChangeKind::AgreementEdit { number }
        | ChangeKind::AgreementDelete(AgreementDelete { number, .. })
        | ChangeKind::Rename { number } => Some(number),
        ChangeKind::TransactionUpdate { .. } | ChangeKind::TransactionDelete { .. } | ChangeKind::Correction { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::lending::event::Position;

    fn keyed(key: Option<&str>, case: KeyCase) -> Option<bool> {
        let position = Position { change_lsn: None, event_serial_no: None };
        let change = LendingChange { position, kind: ChangeKind::Rename { number: Key::from("FRH0000400") } };
        is_keyed(&change, key.map(str::as_bytes), case)
    }

    #[test]
    fn the_key_is_the_number_as_text_however_it_is_spelt() {
        assert_eq!(keyed(Some("FRH0000400"), KeyCase::Insensitive), Some(true));
        assert_eq!(keyed(Some("frh0000400  "), KeyCase::Insensitive), Some(true));
        assert_eq!(keyed(Some("frh0000400"), KeyCase::Sensitive), Some(false));
    }

    #[test]
    fn no_key_a_structure_or_another_number_is_none() {
        for key in [None, Some(""), Some("FRH0000401"), Some("\"FRH0000400\""), Some("{\"AgreementNumber\":\"FRH0000400\"}")] {
            assert_eq!(keyed(key, KeyCase::Insensitive), Some(false), "{key:?}");
        }
    }
}
