//! Correlation: what is open for one agreement, and how its changes find each other.

mod few;
mod matched;
mod view;

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use self::few::Few;
use self::matched::{Matched, MatchedWith, Whole};
use super::case::{BalanceChange, Case, Correlation, FinalPayment, Movement, MovementCase, OpeningCase, SettlementCase};
use super::event::{
    AgreementImage, AgreementInsert, AgreementUpdate, ChangeKind, ChangeRef, LendingChange, TransactionInsert, is_settlement,
};
use super::settings::Class;
use super::{Lending, label};
use crate::engine::{Context, Sequence};
use crate::event::ChangeEvent;
use crate::event::money::Exact;
use crate::time::Timestamp;

/// What is open for one agreement.
///
/// An agreement can have thousands of movements in one commit, so what is done for each of them is not done to all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementWindow {
    /// Neither matched nor expired. In merged order.
    pending: Few<Movement>,
    /// The last payment among those that were matched, until its deadline: a settlement may name it as its final payment. One
    /// that came before it never is.
    last_matched: Option<Box<Matched>>,
    /// Balance changes that wait for their movement. In merged order.
    waiting: Few<Arc<BalanceChange>>,
    /// Settlements that are not judged yet. In merged order.
    settlements: Few<OpenSettlement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenSettlement {
    change: ChangeRef,
    sequence: Sequence,
    stamp: Timestamp,
    occurred_at: Timestamp,
    after: Arc<AgreementImage>,
    /// The final payment, by its place in merged order, once it is known. It is pending: a settlement whose payment is not is
    /// judged.
    payment: Option<Sequence>,
}

type LendingContext<'a> = Context<'a, Lending>;

impl Movement {
    /// Whether a balance change of `change` is what this movement leads one to expect.
    fn explains(&self, change: Exact) -> bool {
        let amount = Exact::from(self.amount);
        match self.class {
            Class::Payment => change == -amount,
            Class::Refund => change == amount,
            Class::Ignored => change == amount || change == -amount,
        }
    }

    /// The expected balance change of a class that has one.
    fn expected_change(&self) -> Option<Exact> {
        match self.class {
            Class::Payment => Some(-Exact::from(self.amount)),
            Class::Refund => Some(Exact::from(self.amount)),
            Class::Ignored => None,
        }
    }

    /// Whether it can be a settlement's final payment.
    fn can_settle(&self) -> bool {
        self.class == Class::Payment && self.amount > Decimal::ZERO
    }
}

impl BalanceChange {
    fn difference(&self) -> Exact {
        Exact::from(self.after.balance) - Exact::from(self.balance_before)
    }
}

impl AgreementWindow {
    pub(super) fn is_closed(&self) -> bool {
        self.pending.is_empty() && self.last_matched.is_none() && self.waiting.is_empty() && self.settlements.is_empty()
    }

    /// How many movements, balance changes and settlements are open.
    #[must_use]
    pub fn open(&self) -> (usize, usize, usize) {
        (self.pending.len(), self.waiting.len(), self.settlements.len())
    }

    pub(super) fn deadlines(&self, deadline: &mut dyn FnMut(Timestamp, Sequence)) {
        self.pending.iter().for_each(|movement| deadline(movement.stamp, movement.sequence));
        self.last_matched.iter().for_each(|matched| deadline(matched.stamp, matched.sequence));
        self.waiting.iter().for_each(|change| deadline(change.stamp, change.sequence));
        self.settlements.iter().for_each(|settlement| deadline(settlement.stamp, settlement.sequence));
    }

    pub(super) fn apply(&mut self, event: ChangeEvent<LendingChange>, context: &mut LendingContext<'_>) {
        let change = ChangeRef::of(&event);
        match event.body.kind {
            ChangeKind::TransactionInsert(insert) => self.apply_movement(change, event.event_time, &insert, context),
            ChangeKind::AgreementUpdate(update) => self.apply_update(change, event.event_time, update, context),
            ChangeKind::AgreementInsert(AgreementInsert { after, .. }) => {
                context.count(label::OPENING);
                context.judge(Case::Opening(OpeningCase { change, occurred_at: event.event_time, after: Arc::from(after) }));
            }
            _ => {}
        }
    }

    fn apply_movement(
        &mut self,
        change: ChangeRef,
        occurred_at: Timestamp,
        insert: &TransactionInsert,
        context: &mut LendingContext<'_>,
    ) {
        let class = context.rules.types.class(insert.type_id);
        let (sequence, stamp) = (context.sequence, context.stamp);
        let movement = Movement {
            change,
            sequence,
            stamp,
            occurred_at,
            amount: insert.amount,
            type_id: insert.type_id,
            class,
            date: insert.date,
        };
        if movement.amount.is_zero() {
            return judge_movement(movement, Correlation::Matched, None, None, context);
        }
        let can_settle = movement.can_settle();
        if can_settle {
            self.settlements.iter_mut().for_each(|settlement| settlement.payment = settlement.payment.or(Some(sequence)));
        }
        match self.waiting.iter().position(|waiting| movement.explains(waiting.difference())) {
            Some(index) => {
                let balance = self.waiting.remove(index).expect("the position was just found");
                if can_settle {
                    // it was never pending, so nothing else sets its deadline
                    context.keep_open();
                }
                judge_movement(movement.clone(), Correlation::Matched, Some(Arc::clone(&balance)), None, context);
                self.settle(movement, &balance, context);
            }
            None => {
                self.pending.push(movement);
                context.keep_open();
            }
        }
    }

    fn apply_update(
        &mut self,
        change: ChangeRef,
        occurred_at: Timestamp,
        update: AgreementUpdate,
        context: &mut LendingContext<'_>,
    ) {
        let after: Arc<AgreementImage> = Arc::from(update.after);
        let settles = is_settlement([update.settled_before, after.settled]);
        let (sequence, stamp) = (context.sequence, context.stamp);
        if update.balance_before != after.balance {
            let balance_before = update.balance_before;
            self.apply_balance(BalanceChange { change, sequence, stamp, balance_before, after: Arc::clone(&after) }, context);
        }
        if settles {
            let pending = self.pending.iter().rfind(|movement| movement.can_settle()).map(|movement| movement.sequence);
            let mut settlement = OpenSettlement { change, sequence, stamp, occurred_at, after, payment: pending };
            match &self.last_matched {
                Some(matched) if pending.is_none_or(|pending| pending < matched.sequence) => {
                    settlement.payment = Some(matched.sequence);
                    let Whole { movement, with } = matched.whole();
                    judge_settlement(settlement, Some((&movement, Some(&with))), context);
                }
                _ => {
                    self.settlements.push(settlement);
                    context.keep_open();
                }
            }
        }
    }

    fn apply_balance(&mut self, balance: BalanceChange, context: &mut LendingContext<'_>) {
        let balance = Arc::new(balance);
        let Some((partners, correlation)) = self.take_partners(&balance, context) else {
            self.waiting.push(balance);
            return context.keep_open();
        };
        let together = (partners.len() > 1).then(|| partners.iter().map(|movement| movement.change).collect::<Arc<[_]>>());
        for movement in &partners {
            judge_movement(movement.clone(), correlation, Some(Arc::clone(&balance)), together.clone(), context);
        }
        // all were matched at one moment: the movements first, then what waited for one of them
        for movement in partners {
            self.settle(movement, &balance, context);
        }
    }

    /// Takes out the pending movements that explain a balance change.
    fn take_partners(&mut self, balance: &BalanceChange, context: &LendingContext<'_>) -> Option<(Vec<Movement>, Correlation)> {
        let difference = balance.difference();
        if let Some(index) = self.pending.iter().position(|movement| movement.explains(difference)) {
            return Some((self.pending.remove(index).into_iter().collect(), Correlation::Matched));
        }
        let expected = self.pending.iter().filter_map(Movement::expected_change);
        let (count, sum) = expected.fold((0, Exact::ZERO), |(count, sum), change| (count + 1, sum + change));
        if count >= 2 && sum == difference {
            let together = self.pending.take(|movement| movement.expected_change().is_some());
            return Some((together, Correlation::Aggregated));
        }
        if balance.after.balance.is_zero() && difference.is_negative() {
            let index = self.pending.iter().rposition(|movement| movement.class == Class::Payment)?;
            let off_by = (Exact::from(self.pending[index].amount) + difference).abs();
            if off_by <= Exact::from(context.rules.window.closing_tolerance) {
                return Some((self.pending.remove(index).into_iter().collect(), Correlation::Closing));
            }
        }
        None
    }

    /// What follows from a movement's match, once it is judged: settlements that waited for it are judged, and those to come
    /// may name it.
    fn settle(&mut self, movement: Movement, balance: &BalanceChange, context: &mut LendingContext<'_>) {
        if !movement.can_settle() {
            return;
        }
        let with = MatchedWith::of(balance);
        for settlement in self.settlements.take(|settlement| settlement.payment == Some(movement.sequence)) {
            judge_settlement(settlement, Some((&movement, Some(&with))), context);
        }
        if self.last_matched.as_ref().is_none_or(|last| last.sequence < movement.sequence) {
            self.last_matched = Some(Box::new(Whole { movement, with }.into()));
        }
    }

    /// Closes what the change with this sequence left open.
    pub(super) fn expire(&mut self, opened: Sequence, context: &mut LendingContext<'_>) {
        if let Some(movement) = self.pending_at(opened).and_then(|index| self.pending.remove(index)) {
            judge_movement(movement.clone(), Correlation::Unmatched, None, None, context);
            for settlement in self.settlements.take(|settlement| settlement.payment == Some(opened)) {
                judge_settlement(settlement, Some((&movement, None)), context);
            }
        }
        self.last_matched.take_if(|last| last.sequence == opened);
        if let Ok(index) = self.waiting.binary_search_by_key(&opened, |balance| balance.sequence) {
            self.waiting.remove(index);
            context.count(label::UNEXPLAINED);
        }
        for settlement in self.settlements.take(|settlement| settlement.sequence == opened) {
            let payment = settlement.payment.and_then(|payment| self.pending_at(payment)).map(|index| &self.pending[index]);
            judge_settlement(settlement, payment.map(|movement| (movement, None)), context);
        }
    }

    fn pending_at(&self, sequence: Sequence) -> Option<usize> {
        self.pending.binary_search_by_key(&sequence, |movement| movement.sequence).ok()
    }
}

fn judge_movement(
    movement: Movement,
    correlation: Correlation,
    matched: Option<Arc<BalanceChange>>,
    together: Option<Arc<[ChangeRef]>>,
    context: &mut LendingContext<'_>,
) {
    context.count(match correlation {
        Correlation::Matched => label::MATCHED,
        Correlation::Aggregated => label::AGGREGATED,
        Correlation::Closing => label::CLOSING,
        Correlation::Unmatched => label::UNMATCHED,
    });
    let agreement = context.key.clone();
    context.judge(Case::Movement(MovementCase { agreement, movement, correlation, matched, together }));
}

/// `payment` comes with what it was matched with, if it was.
fn judge_settlement(
    settlement: OpenSettlement,
    payment: Option<(&Movement, Option<&MatchedWith>)>,
    context: &mut LendingContext<'_>,
) {
    context.count(label::SETTLEMENT);
    let mut related = Vec::new();
    let final_payment = payment.map(|(movement, matched)| {
        related.push((movement.sequence, movement.change));
        related.extend(
            matched.filter(|matched| matched.sequence != settlement.sequence).map(|matched| (matched.sequence, matched.change)),
        );
        FinalPayment {
            movement: movement.clone(),
            balances: matched.map(|matched| (matched.balance_before, matched.balance_after)),
        }
    });
    related.sort_unstable_by_key(|(sequence, _)| *sequence);
    context.judge(Case::Settlement(SettlementCase {
        change: settlement.change,
        occurred_at: settlement.occurred_at,
        after: settlement.after,
        final_payment,
        related: related.into_iter().map(|(_, change)| change).collect(),
    }));
}
