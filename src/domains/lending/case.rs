//! What is judged: a movement, a settlement or an opening, complete but for what must be looked up.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::event::{AgreementImage, ChangeRef};
use super::settings::Class;
use crate::engine::{Key, Sequence};
use crate::event::money;
use crate::time::{Timestamp, day};

#[derive(Clone, Debug)]
pub enum Case {
    Movement(MovementCase),
    Settlement(SettlementCase),
    Opening(OpeningCase),
}

impl Case {
    #[must_use]
    pub fn agreement(&self) -> &Key {
        match self {
            Self::Movement(case) => &case.agreement,
            Self::Settlement(case) => &case.after.number,
            Self::Opening(case) => &case.after.number,
        }
    }
}

/// A Transaction insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub change: ChangeRef,
    pub sequence: Sequence,
    /// Stream time at which it was applied; its deadline counts from here.
    pub stamp: Timestamp,
    pub occurred_at: Timestamp,
    #[serde(with = "money::compact")]
    pub amount: Decimal,
    pub type_id: i64,
    pub class: Class,
    #[serde(with = "day")]
    pub date: NaiveDate,
}

/// An Agreement update that changes the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceChange {
    pub change: ChangeRef,
    pub sequence: Sequence,
    pub stamp: Timestamp,
    #[serde(with = "money::compact")]
    pub balance_before: Decimal,
    pub after: Arc<AgreementImage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Correlation {
    Matched,
    Aggregated,
    Closing,
    Unmatched,
}

/// A movement that was matched or has expired.
#[derive(Clone, Debug)]
pub struct MovementCase {
    pub agreement: Key,
    pub movement: Movement,
    pub correlation: Correlation,
    /// The balance change it was matched with; `None` if unmatched, or if the amount is zero.
    pub matched: Option<Arc<BalanceChange>>,
    /// All movements that the balance change was matched with, in merged order; `None` if it was this one alone. Shared: a copy
    /// for each would take room by the square of their number.
    pub together: Option<Arc<[ChangeRef]>>,
}

impl MovementCase {
    /// The other changes used, in merged order: a balance change that several movements explain came after them.
    pub fn related(&self) -> impl Iterator<Item = ChangeRef> + '_ {
        let others = self.together.iter().flat_map(|together| together.iter()).filter(|change| **change != self.movement.change);
        others.copied().chain(self.matched.iter().map(|balance| balance.change))
    }
}

#[derive(Clone, Debug)]
pub struct SettlementCase {
    pub change: ChangeRef,
    pub occurred_at: Timestamp,
    pub after: Arc<AgreementImage>,
    pub final_payment: Option<FinalPayment>,
    /// The other changes used, in merged order.
    pub related: Vec<ChangeRef>,
}

#[derive(Clone, Debug)]
pub struct FinalPayment {
    pub movement: Movement,
    /// Balances before and after, of the change it was matched with.
    pub balances: Option<(Decimal, Decimal)>,
}

#[derive(Clone, Debug)]
pub struct OpeningCase {
    pub change: ChangeRef,
    pub occurred_at: Timestamp,
    pub after: Arc<AgreementImage>,
}
