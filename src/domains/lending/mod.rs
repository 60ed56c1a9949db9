//! The lending catalogue: Sentinel's transactions and agreements, and the rules R1 to R5.
//!
//! ```text
//! decode ─► staging (one commit) ─► window (correlation) ─► case ─► expected payment ─► rules ─► alerts
//! ```

pub mod alert;
pub mod case;
pub mod decode;
pub mod event;
pub mod expected;
mod explanation;
mod json;
pub mod judge;
mod keying;
pub mod profiles;
mod rows;
pub mod rules;
mod schedules;
pub mod settings;
pub mod sqlserver;
mod staging;
#[cfg(test)]
mod testing;
pub mod window;

pub(crate) use keying::KEYING;
pub(crate) use rows::normal_number;

use crate::engine::{Context, Domain, Key, Sequence, Target};
use crate::event::{ChangeEvent, Decoded, Record};
use crate::time::Timestamp;
use case::Case;
use decode::Decoder;
use event::{AgreementDelete, ChangeKind, LendingChange, is_settlement};
use expected::{Answer, Question};
use judge::Judgement;
use settings::LendingRules;
use window::AgreementWindow;

/// The lending catalogue.
#[derive(Debug)]
pub struct Lending {
    decoder: Decoder,
}

impl Lending {
    #[must_use]
    pub fn new(decoder: Decoder) -> Self {
        Self { decoder }
    }

    /// See [`Decoder::decode_quoted`].
    #[must_use]
    pub fn decode_quoted(&self, record: &Record<'_>, value: &str) -> Option<Decoded<LendingChange>> {
        self.decoder.decode_quoted(record, value)
    }
}

/// Labels under which outcomes are counted.
pub mod label {
    pub const MATCHED: &str = "matched";
    pub const AGGREGATED: &str = "aggregated";
    pub const CLOSING: &str = "closing";
    pub const UNMATCHED: &str = "unmatched";
    /// Balance changes that no movement explained.
    pub const UNEXPLAINED: &str = "unexplained";
    pub const SETTLEMENT: &str = "settlement";
    pub const OPENING: &str = "opening";

    /// Agreement updates that change neither the balance nor the settled flag.
    pub const EDIT: &str = "edit";
    pub const AGREEMENT_DELETE: &str = "agreement_delete";
    pub const RENAME: &str = "rename";
    pub const TRANSACTION_UPDATE: &str = "transaction_update";
    pub const TRANSACTION_DELETE: &str = "transaction_delete";
    pub const CORRECTION: &str = "correction";
}

impl Domain for Lending {
    type Change = LendingChange;
    type Window = AgreementWindow;
    type Case = Case;
    type Rules = LendingRules;
    type Question = Question;
    type Answer = Answer;
    type Judgement = Judgement;

    const MISPLACED: &str = keying::MISPLACED;
    const KEYING: &str = keying::KEYING;

    fn decode(&self, record: &Record<'_>) -> Decoded<LendingChange> {
        self.decoder.decode(record)
    }

    fn order(&self, commit: &mut Vec<ChangeEvent<LendingChange>>) {
        staging::order(commit);
    }

    fn max_wait_ms(&self, rules: &LendingRules) -> i64 {
        rules.window.max_wait_ms
    }

    fn target(&self, change: &LendingChange) -> Target {
        Target::Nothing(match &change.kind {
            ChangeKind::TransactionInsert(insert) => return Target::Window(insert.agreement.clone()),
            ChangeKind::AgreementInsert(insert) => return Target::Window(insert.after.number.clone()),
            ChangeKind::AgreementUpdate(update) => return Target::Window(update.after.number.clone()),
            ChangeKind::AgreementEdit { .. } => label::EDIT,
            ChangeKind::AgreementDelete(_) => label::AGREEMENT_DELETE,
            ChangeKind::Rename { .. } => label::RENAME,
            ChangeKind::TransactionUpdate { .. } => label::TRANSACTION_UPDATE,
            ChangeKind::TransactionDelete { .. } => label::TRANSACTION_DELETE,
            ChangeKind::Correction { .. } => label::CORRECTION,
        })
    }

    fn is_keyed(&self, change: &LendingChange, record_key: Option<&[u8]>) -> Option<bool> {
        keying::is_keyed(change, record_key, self.decoder.key_case())
    }

    /// Whatever happens to an agreement's row, but for the fall of its balance by a payment, which says nothing about what
    /// is expected next: forgetting at each payment would make every answer a new one.
    fn outdates(&self, change: &LendingChange) -> Option<Key> {
        match &change.kind {
            ChangeKind::AgreementInsert(insert) => Some(insert.after.number.clone()),
            ChangeKind::AgreementUpdate(update) if is_settlement([update.settled_before, update.after.settled]) => {
                Some(update.after.number.clone())
            }
            ChangeKind::AgreementEdit { number }
            | ChangeKind::AgreementDelete(AgreementDelete { number, .. })
            | ChangeKind::Rename { number } => Some(number.clone()),
            _ => None,
        }
    }

    fn apply(&self, change: ChangeEvent<LendingChange>, window: &mut AgreementWindow, context: &mut Context<'_, Self>) {
        window.apply(change, context);
    }

    fn expire(&self, opened: Sequence, window: &mut AgreementWindow, context: &mut Context<'_, Self>) {
        window.expire(opened, context);
    }

    fn is_closed(&self, window: &AgreementWindow) -> bool {
        window.is_closed()
    }

    fn deadlines(&self, window: &AgreementWindow, deadline: &mut dyn FnMut(Timestamp, Sequence)) {
        window.deadlines(deadline);
    }

    fn question(&self, case: &Case, rules: &LendingRules) -> Option<Question> {
        judge::question(case, rules)
    }

    fn judge(&self, case: Case, answer: Option<&Answer>, rules: &LendingRules) -> Judgement {
        judge::judge(case, answer, rules)
    }
}
