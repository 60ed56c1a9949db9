//! A payment that was matched, as it waits for a settlement that may name it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::super::case::{BalanceChange, Movement};
use super::super::event::ChangeRef;
use crate::engine::Sequence;
use crate::event::Topic;
use crate::time::Timestamp;

/// The payment and what it was matched with, in a hundred and fifty bytes instead of 240: nearly every payment is kept so for
/// half a minute, and hardly any is asked for.
///
/// Its bytes are never input: they are made here of a [`Whole`], and one that comes from the changelog was decoded and checked as
/// such before it is encoded again. Every value of a `Whole` can be encoded and comes back, which the tests try at the limits of
/// its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Whole", into = "Whole")]
pub(super) struct Matched {
    pub(super) sequence: Sequence,
    pub(super) stamp: Timestamp,
    /// Of the movement and of the balance change.
    topics: [Topic; 2],
    /// All else.
    encoded: Box<[u8]>,
}

/// The same as it is used.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Whole {
    pub(super) movement: Movement,
    pub(super) with: MatchedWith,
}

/// What a settlement needs to know of the balance change that a payment was matched with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MatchedWith {
    pub(super) change: ChangeRef,
    pub(super) sequence: Sequence,
    #[serde(with = "crate::event::money::compact")]
    pub(super) balance_before: Decimal,
    #[serde(with = "crate::event::money::compact")]
    pub(super) balance_after: Decimal,
}

impl MatchedWith {
    pub(super) fn of(balance: &BalanceChange) -> Self {
        Self {
            change: balance.change,
            sequence: balance.sequence,
            balance_before: balance.balance_before,
            balance_after: balance.after.balance,
        }
    }
}

impl Matched {
    pub(super) fn whole(&self) -> Whole {
        let mut whole: Whole = postcard::from_bytes(&self.encoded).expect("the bytes were made of a Whole, here");
        let Whole { movement, with } = &mut whole;
        (movement.sequence, movement.stamp) = (self.sequence, self.stamp);
        [movement.change.origin.topic, with.change.origin.topic] = self.topics;
        whole
    }
}

impl From<Whole> for Matched {
    fn from(mut whole: Whole) -> Self {
        let Whole { movement, with } = &mut whole;
        let (sequence, stamp) = (movement.sequence, movement.stamp);
        let topics = [movement.change.origin.topic, with.change.origin.topic];
        // a topic is encoded by its name, which is longer than all else together
        let nameless = Topic::intern("");
        (movement.change.origin.topic, with.change.origin.topic) = (nameless, nameless);
        let encoded = postcard::to_stdvec(&whole).expect("all parts of a Whole are of known length");
        Self { sequence, stamp, topics, encoded: encoded.into() }
    }
}

impl From<Matched> for Whole {
    fn from(matched: Matched) -> Self {
        matched.whole()
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::domains::lending::event::Op;
    use crate::domains::lending::settings::Class;
    use crate::event::{Lsn, Origin};

    #[test]
    fn it_comes_back_whole_and_is_small() {
        let change = |topic: &str, op, trans_counter| ChangeRef {
            origin: Origin { topic: Topic::intern(topic), partition: 2, offset: 1_234_567 },
            op,
            commit: Lsn::from_sequence(7),
            change_lsn: Some(Lsn::from_sequence(8)),
            event_serial_no: Some(1),
            trans_counter,
        };
        let at = |ms| Timestamp::from_ms(ms).unwrap();
        let movement = Movement {
            change: change("matched.Transaction", Op::Create, Some(9_876_543)),
            sequence: 5_000_000,
            stamp: at(1_768_206_667_390),
            occurred_at: at(1_768_206_667_380),
            amount: Decimal::new(-15_050, 2),
            type_id: 100,
            class: Class::Payment,
            date: NaiveDate::from_ymd_opt(2026, 1, 12).unwrap(),
        };
        let with = MatchedWith {
            change: change("matched.Agreement", Op::Update, None),
            sequence: 5_000_001,
            balance_before: Decimal::new(3_600_000, 2),
            balance_after: Decimal::new(35_849_500, 3),
        };
        let matched = Matched::from(Whole { movement: movement.clone(), with: with.clone() });
        let whole = matched.whole();
        assert_eq!((whole.movement, whole.with), (movement, with));
        assert_eq!(matched.whole().with.balance_after.scale(), 3, "amounts keep their scale");
        let bytes = size_of::<Matched>() + matched.encoded.len();
        assert!(bytes <= 160, "{bytes} bytes");
    }

    #[test]
    fn it_comes_back_whole_at_the_limits_of_its_parts() {
        let at = |ms| Timestamp::from_ms(ms).unwrap();
        let (first, last) = (at(-62_135_596_800_000), at(253_402_300_799_999));
        let smallest = Decimal::from_i128_with_scale(1, 28);
        let change = |n: i64, op, is_there: bool| ChangeRef {
            origin: Origin { topic: Topic::intern("matched.limits"), partition: i32::MIN, offset: n },
            op,
            commit: Lsn::from_bytes([u8::MAX; 10]),
            change_lsn: is_there.then_some(Lsn::from_bytes([0; 10])),
            event_serial_no: is_there.then_some(n),
            trans_counter: is_there.then_some(n),
        };
        for (n, amount, class, time, date) in [
            (i64::MIN, Decimal::MIN, Class::Refund, first, NaiveDate::MIN),
            (i64::MAX, Decimal::MAX, Class::Ignored, last, NaiveDate::MAX),
            (0, smallest, Class::Payment, at(0), NaiveDate::default()),
        ] {
            for is_there in [true, false] {
                let change = |op| change(n, op, is_there);
                let sequence = n.unsigned_abs();
                let (stamp, occurred_at) = (time, time);
                let movement =
                    Movement { change: change(Op::Create), sequence, stamp, occurred_at, amount, type_id: n, class, date };
                let with = MatchedWith { change: change(Op::Update), sequence, balance_before: amount, balance_after: -amount };
                let whole = Matched::from(Whole { movement: movement.clone(), with: with.clone() }).whole();
                assert_eq!((whole.movement, whole.with), (movement, with));
            }
        }
    }
}
