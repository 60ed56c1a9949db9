//! What is open for an agreement, for people to look at.

use serde_json::{Value, json};

use super::{AgreementWindow, OpenSettlement};
use crate::domains::lending::case::{BalanceChange, Movement};
use crate::engine::alert::Amount;

impl AgreementWindow {
    /// As JSON: every movement, balance change and settlement that waits, since when, and where its record is.
    #[must_use]
    pub fn view(&self) -> Value {
        json!({
            "pending_movements": self.pending.iter().map(movement).collect::<Vec<_>>(),
            "waiting_balance_changes": self.waiting.iter().map(|change| balance_change(change)).collect::<Vec<_>>(),
            "open_settlements": self.settlements.iter().map(settlement).collect::<Vec<_>>(),
            "last_matched_payment": self.last_matched.as_ref().map(|matched| movement(&matched.whole().movement)),
        })
    }

    /// How much is open, kind by kind, always the same kinds: for metrics.
    pub fn count(&self, count: &mut dyn FnMut(&'static str, usize)) {
        let (movements, balance_changes, settlements) = self.open();
        count("movement", movements);
        count("balance_change", balance_changes);
        count("settlement", settlements);
    }
}

fn movement(movement: &Movement) -> Value {
    json!({
        "record": movement.change.origin.to_string(),
        "trans_counter": movement.change.trans_counter,
        "class": movement.class.name(),
        "type_id": movement.type_id,
        "amount": Amount(movement.amount).to_string(),
        "date": movement.date.to_string(),
        "since": movement.stamp.to_string(),
    })
}

fn balance_change(change: &BalanceChange) -> Value {
    json!({
        "record": change.change.origin.to_string(),
        "balance_before": Amount(change.balance_before).to_string(),
        "balance_after": Amount(change.after.balance).to_string(),
        "since": change.stamp.to_string(),
    })
}

fn settlement(settlement: &OpenSettlement) -> Value {
    json!({
        "record": settlement.change.origin.to_string(),
        "has_final_payment": settlement.payment.is_some(),
        "since": settlement.stamp.to_string(),
    })
}
