//! Correlation: what is open for one agreement, and how its changes find each other.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::case::{BalanceChange, Case, Correlation, FinalPayment, Movement, MovementCase, OpeningCase, SettlementCase};
use super::event::{AgreementImage, AgreementInsert, AgreementUpdate, ChangeKind, ChangeRef, LendingChange, TransactionInsert};
use super::settings::Class;
use super::{Lending, label};
use crate::engine::{Context, Sequence};
use crate::event::ChangeEvent;
use crate::event::money::Exact;
use crate::time::Timestamp;

/// What is open for one agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementWindow {
    /// Pending movements, and payments that a settlement may still ask for. In merged order.
    movements: Vec<Tracked>,
    /// Balance changes that wait for their movement. In merged order.
    waiting: Vec<Arc<BalanceChange>>,
    /// Settlements that are not judged yet. In merged order.
    settlements: Vec<OpenSettlement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tracked {
    movement: Movement,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Pending,
    /// Judged; kept until its deadline, since a settlement may name it as its final payment.
    Matched(MatchedWith),
}

/// What a settlement needs to know of the balance change that a payment was matched with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MatchedWith {
    change: ChangeRef,
    sequence: Sequence,
    #[serde(with = "crate::event::money::compact")]
    balance_before: Decimal,
    #[serde(with = "crate::event::money::compact")]
    balance_after: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenSettlement {
    change: ChangeRef,
    sequence: Sequence,
    stamp: Timestamp,
    occurred_at: Timestamp,
    after: Arc<AgreementImage>,
    /// The final payment, by its place in merged order, once it is known.
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
        self.movements.is_empty() && self.waiting.is_empty() && self.settlements.is_empty()
    }

    /// How many movements, balance changes and settlements are open.
    #[must_use]
    pub fn open(&self) -> (usize, usize, usize) {
        let pending = self.movements.iter().filter(|tracked| tracked.state == State::Pending).count();
        (pending, self.waiting.len(), self.settlements.len())
    }

    pub(super) fn deadlines(&self, deadline: &mut dyn FnMut(Timestamp, Sequence)) {
        self.movements.iter().for_each(|tracked| deadline(tracked.movement.stamp, tracked.movement.sequence));
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
            return judge_movement(movement, Correlation::Matched, None, Vec::new(), context);
        }
        let partner = self.waiting.iter().position(|waiting| movement.explains(waiting.difference()));
        let can_settle = movement.can_settle();
        match partner {
            Some(index) => {
                let balance = self.waiting.remove(index);
                let related = vec![balance.change];
                if can_settle {
                    let state = State::Matched(MatchedWith::of(&balance));
                    self.track(movement.clone(), state, context);
                }
                judge_movement(movement, Correlation::Matched, Some(balance), related, context);
            }
            None => self.track(movement, State::Pending, context),
        }
        if can_settle {
            for settlement in self.settlements.iter_mut().filter(|settlement| settlement.payment.is_none()) {
                settlement.payment = Some(sequence);
            }
            self.judge_settlements_paid_by(sequence, context);
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
        let settles = !update.settled_before && after.settled;
        let (sequence, stamp) = (context.sequence, context.stamp);
        if update.balance_before != after.balance {
            let balance_before = update.balance_before;
            self.apply_balance(BalanceChange { change, sequence, stamp, balance_before, after: Arc::clone(&after) }, context);
        }
        if settles {
            let payment = self.movements.iter().rev().find(|tracked| tracked.movement.can_settle());
            let still_open = payment.is_none_or(|payment| payment.state == State::Pending);
            let payment = payment.map(|payment| payment.movement.sequence);
            let settlement = OpenSettlement { change, sequence, stamp, occurred_at, after, payment };
            if still_open {
                self.settlements.push(settlement);
                context.keep_open();
            } else {
                self.judge_settlement(settlement, context);
            }
        }
    }

    fn apply_balance(&mut self, balance: BalanceChange, context: &mut LendingContext<'_>) {
        let balance = Arc::new(balance);
        let Some((partners, correlation)) = self.partners(&balance, context) else {
            self.waiting.push(balance);
            return context.keep_open();
        };
        let mut matched = Vec::with_capacity(partners.len());
        for &index in &partners {
            let tracked = &mut self.movements[index];
            tracked.state = State::Matched(MatchedWith::of(&balance));
            matched.push(tracked.movement.clone());
        }
        self.movements.retain(|tracked| tracked.state == State::Pending || tracked.movement.can_settle());
        // all of them came before the balance change
        let changes: Vec<ChangeRef> = matched.iter().map(|movement| movement.change).chain([balance.change]).collect();
        let sequences: Vec<Sequence> = matched.iter().map(|movement| movement.sequence).collect();
        for (place, movement) in matched.into_iter().enumerate() {
            let related = changes.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, change)| *change).collect();
            judge_movement(movement, correlation, Some(Arc::clone(&balance)), related, context);
        }
        // all were matched at one moment: the movements first, then what waited for one of them
        for sequence in sequences {
            self.judge_settlements_paid_by(sequence, context);
        }
    }

    /// The pending movements that explain a balance change: by position, in merged order.
    fn partners(&self, balance: &BalanceChange, context: &LendingContext<'_>) -> Option<(Vec<usize>, Correlation)> {
        let difference = balance.difference();
        let pending = || self.movements.iter().enumerate().filter(|(_, tracked)| tracked.state == State::Pending);
        if let Some((index, _)) = pending().find(|(_, tracked)| tracked.movement.explains(difference)) {
            return Some((vec![index], Correlation::Matched));
        }
        let together: Vec<(usize, Exact)> =
            pending().filter_map(|(index, tracked)| Some((index, tracked.movement.expected_change()?))).collect();
        if together.len() >= 2 && together.iter().map(|(_, change)| *change).sum::<Exact>() == difference {
            return Some((together.into_iter().map(|(index, _)| index).collect(), Correlation::Aggregated));
        }
        if balance.after.balance.is_zero() && difference.is_negative() {
            let (index, last) = pending().rfind(|(_, tracked)| tracked.movement.class == Class::Payment)?;
            let off_by = (Exact::from(last.movement.amount) + difference).abs();
            if off_by <= Exact::from(context.rules.window.closing_tolerance) {
                return Some((vec![index], Correlation::Closing));
            }
        }
        None
    }

    fn track(&mut self, movement: Movement, state: State, context: &mut LendingContext<'_>) {
        self.movements.push(Tracked { movement, state });
        context.keep_open();
    }

    /// Closes what the change with this sequence left open.
    pub(super) fn expire(&mut self, opened: Sequence, context: &mut LendingContext<'_>) {
        if let Some(index) = self.movements.iter().position(|tracked| tracked.movement.sequence == opened) {
            let tracked = self.movements.remove(index);
            if tracked.state == State::Pending {
                let movement = tracked.movement.clone();
                judge_movement(movement, Correlation::Unmatched, None, Vec::new(), context);
                for settlement in self.take_settlements(|settlement| settlement.payment == Some(opened)) {
                    judge_settlement(settlement, Some(&tracked), context);
                }
            }
        }
        if let Some(index) = self.waiting.iter().position(|balance| balance.sequence == opened) {
            self.waiting.remove(index);
            context.count(label::UNEXPLAINED);
        }
        for settlement in self.take_settlements(|settlement| settlement.sequence == opened) {
            self.judge_settlement(settlement, context);
        }
    }

    /// Judges the settlements whose final payment this is, if it is no longer pending.
    fn judge_settlements_paid_by(&mut self, payment: Sequence, context: &mut LendingContext<'_>) {
        let pending = |tracked: &Tracked| tracked.movement.sequence == payment && tracked.state == State::Pending;
        if self.settlements.is_empty() || self.movements.iter().any(pending) {
            return;
        }
        for settlement in self.take_settlements(|settlement| settlement.payment == Some(payment)) {
            self.judge_settlement(settlement, context);
        }
    }

    fn take_settlements(&mut self, which: impl Fn(&OpenSettlement) -> bool) -> Vec<OpenSettlement> {
        self.settlements.extract_if(.., |settlement| which(settlement)).collect()
    }

    fn judge_settlement(&self, settlement: OpenSettlement, context: &mut LendingContext<'_>) {
        let payment =
            settlement.payment.and_then(|sequence| self.movements.iter().find(|tracked| tracked.movement.sequence == sequence));
        judge_settlement(settlement, payment, context);
    }
}

impl MatchedWith {
    fn of(balance: &BalanceChange) -> Self {
        Self {
            change: balance.change,
            sequence: balance.sequence,
            balance_before: balance.balance_before,
            balance_after: balance.after.balance,
        }
    }
}

fn judge_movement(
    movement: Movement,
    correlation: Correlation,
    matched: Option<Arc<BalanceChange>>,
    related: Vec<ChangeRef>,
    context: &mut LendingContext<'_>,
) {
    context.count(match correlation {
        Correlation::Matched => label::MATCHED,
        Correlation::Aggregated => label::AGGREGATED,
        Correlation::Closing => label::CLOSING,
        Correlation::Unmatched => label::UNMATCHED,
    });
    let agreement = context.key.clone();
    context.judge(Case::Movement(MovementCase { agreement, movement, correlation, matched, related }));
}

fn judge_settlement(settlement: OpenSettlement, payment: Option<&Tracked>, context: &mut LendingContext<'_>) {
    context.count(label::SETTLEMENT);
    let mut related = Vec::new();
    let final_payment = payment.map(|Tracked { movement, state }| {
        related.push((movement.sequence, movement.change));
        let balances = match state {
            State::Pending => None,
            State::Matched(matched) => {
                if matched.sequence != settlement.sequence {
                    related.push((matched.sequence, matched.change));
                }
                Some((matched.balance_before, matched.balance_after))
            }
        };
        FinalPayment { movement: movement.clone(), balances }
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
