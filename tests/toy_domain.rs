//! A complete event catalogue outside `src/`, on the engine's public API: a shop's orders, as plain JSON business events.
//!
//! It proves that the engine knows no domain: no CDC envelope, no log sequence numbers, other windows, other rules.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidewaiter::engine::alert::{Judged, Message};
use tidewaiter::engine::verdict::Verdict;
use tidewaiter::engine::{Context, Domain, Engine, Entry, Key, Options, Partition, Progress, Sequence, Target};
use tidewaiter::event::{BadMessage, ChangeEvent, Decoded, Identity, Lsn, Origin, Record, Topic};
use tidewaiter::time::Timestamp;
use uuid::Uuid;

/// `{"n": 17, "at": 1000, "order": "A1", "event": "placed"}`; `n` numbers the shop's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OrderEvent {
    n: u64,
    at: i64,
    order: String,
    event: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Placed,
    Paid,
    Shipped,
    Viewed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OrderWindow {
    placed: Option<(Timestamp, Sequence)>,
    paid: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OrderCase {
    Shipped { order: Key, paid: bool },
    Abandoned { order: Key, paid: bool },
}

#[derive(Debug)]
struct OrderRules {
    max_wait_ms: i64,
}

#[derive(Debug)]
struct Orders;

impl Domain for Orders {
    type Change = OrderEvent;
    type Window = OrderWindow;
    type Case = OrderCase;
    type Rules = OrderRules;
    type Question = Key;
    type Answer = bool;
    type Judgement = OrderJudgement;

    fn decode(&self, record: &Record<'_>) -> Decoded<OrderEvent> {
        let bad = |reason, detail: String| Decoded::Bad(BadMessage { reason, detail, hint: None });
        let Some(value) = record.value else { return Decoded::Ignored("tombstone") };
        let event: OrderEvent = match serde_json::from_slice(value) {
            Ok(event) => event,
            Err(error) => return bad("not_an_order_event", error.to_string()),
        };
        let Some(event_time) = Timestamp::from_ms(event.at) else { return bad("time", "`at` is out of range".to_owned()) };
        if event.event == Step::Viewed {
            return Decoded::Ignored("viewed");
        }
        let (commit, identity) = (Lsn::from_sequence(event.n), Identity(event.n.into()));
        Decoded::Change(ChangeEvent { commit, event_time, identity, origin: record.origin, body: event })
    }

    fn order(&self, _commit: &mut Vec<ChangeEvent<OrderEvent>>) {}

    fn max_wait_ms(&self, rules: &OrderRules) -> i64 {
        rules.max_wait_ms
    }

    fn target(&self, event: &OrderEvent) -> Target {
        Target::Window(event.order.as_str().into())
    }

    fn apply(&self, event: ChangeEvent<OrderEvent>, window: &mut OrderWindow, context: &mut Context<'_, Self>) {
        match event.body.event {
            Step::Placed => {
                window.placed = Some((context.stamp, context.sequence));
                context.keep_open();
            }
            Step::Paid => window.paid = true,
            Step::Shipped => {
                let order = context.key.clone();
                context.judge(OrderCase::Shipped { order, paid: window.paid });
                *window = OrderWindow::default();
            }
            Step::Viewed => context.count("viewed"),
        }
    }

    fn expire(&self, opened: Sequence, window: &mut OrderWindow, context: &mut Context<'_, Self>) {
        if window.placed.is_some_and(|(_, sequence)| sequence == opened) {
            context.judge(OrderCase::Abandoned { order: context.key.clone(), paid: window.paid });
            *window = OrderWindow::default();
        }
    }

    fn is_closed(&self, window: &OrderWindow) -> bool {
        *window == OrderWindow::default()
    }

    fn deadlines(&self, window: &OrderWindow, deadline: &mut dyn FnMut(Timestamp, Sequence)) {
        if let Some((stamp, sequence)) = window.placed {
            deadline(stamp, sequence);
        }
    }

    fn question(&self, case: &OrderCase, _rules: &OrderRules) -> Option<Key> {
        match case {
            OrderCase::Shipped { order, paid: false } => Some(order.clone()),
            _ => None,
        }
    }

    /// Goods that left unpaid, unless the customer has credit; and paid orders that nobody ships.
    fn judge(&self, case: OrderCase, has_credit: Option<&bool>, _rules: &OrderRules) -> OrderJudgement {
        let (order, alert) = match case {
            OrderCase::Shipped { order, paid } => {
                let alert = (!paid && has_credit != Some(&true)).then(|| format!("{order} shipped unpaid"));
                (order, alert)
            }
            OrderCase::Abandoned { order, paid } => {
                let alert = paid.then(|| format!("{order} paid, not shipped"));
                (order, alert)
            }
        };
        OrderJudgement { order, alert }
    }
}

/// At most one alert.
#[derive(Debug)]
struct OrderJudgement {
    order: Key,
    alert: Option<String>,
}

impl Judged for OrderJudgement {
    fn verdicts(&self) -> &[Verdict] {
        &[]
    }

    fn publish(&self, _detected_at: Timestamp, sink: &mut dyn FnMut(Message<'_>)) {
        if let Some(alert) = &self.alert {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, alert.as_bytes());
            sink(Message { rule: "shop", id, key: &self.order, body: alert.as_bytes() });
        }
    }

    fn write_verdicts(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.alert.as_deref().unwrap_or("none").as_bytes());
    }
}

/// Runs the shop's events, spread over two partitions, and judges what comes out.
fn alerts(events: &[(i32, &str)]) -> Vec<String> {
    let shop = Arc::new(Orders);
    let rules = OrderRules { max_wait_ms: 1_000 };
    let mut engine = Engine::new(Arc::clone(&shop), Options::default());
    let topic = Topic::intern("shop.orders");
    let slots = [0, 1].map(|partition| engine.assign(Partition { topic, partition }));
    for (offset, (partition, event)) in (0..).zip(events) {
        let origin = Origin { topic, partition: *partition, offset };
        let record = Record { origin, timestamp_ms: None, key: None, value: Some(event.as_bytes()), headers: &[] };
        let entry = match shop.decode(&record) {
            Decoded::Change(change) => Entry::Change(change),
            Decoded::Ignored(label) => Entry::Ignored(label),
            other => panic!("the toy's events are good: {other:?}"),
        };
        engine.push(slots[usize::try_from(*partition).unwrap()], offset, entry);
    }
    for slot in slots {
        engine.end(slot);
    }
    assert_eq!(engine.advance(&rules, usize::MAX), Progress::Drained);
    engine.close_all(&rules);
    assert!(engine.store().is_empty(), "a closed window is not kept");
    let credit = |question: Key| question == "A9";
    let mut alerts = Vec::new();
    for case in engine.take_output().cases {
        let answer = shop.question(&case, &rules).map(credit);
        let judgement = shop.judge(case, answer.as_ref(), &rules);
        judgement.publish(Timestamp::from_ms(0).unwrap(), &mut |message| {
            alerts.push(String::from_utf8(message.body.to_vec()).unwrap());
        });
    }
    alerts
}

#[test]
fn orders_are_judged_in_the_order_of_the_shop_whatever_the_partitions() {
    let expected = ["A2 shipped unpaid", "A1 paid, not shipped"];
    let events = [
        r#"{"n": 1, "at": 0, "order": "A1", "event": "placed"}"#,
        r#"{"n": 2, "at": 10, "order": "A2", "event": "placed"}"#,
        r#"{"n": 3, "at": 500, "order": "A1", "event": "paid"}"#,
        r#"{"n": 3, "at": 500, "order": "A1", "event": "paid"}"#,
        r#"{"n": 4, "at": 1000, "order": "A2", "event": "shipped"}"#,
        r#"{"n": 5, "at": 1001, "order": "A3", "event": "placed"}"#,
        r#"{"n": 6, "at": 1002, "order": "A3", "event": "paid"}"#,
        r#"{"n": 7, "at": 1003, "order": "A3", "event": "shipped"}"#,
        r#"{"n": 8, "at": 1004, "order": "A9", "event": "placed"}"#,
        r#"{"n": 9, "at": 1005, "order": "A9", "event": "shipped"}"#,
    ];
    for split in 0..=events.len() {
        // the first `split` events in partition 1, the rest in partition 0
        let placed: Vec<(i32, &str)> = events.iter().enumerate().map(|(n, event)| (i32::from(n < split), *event)).collect();
        // a re-delivery is judged within its partition
        if split == 3 {
            continue;
        }
        assert_eq!(alerts(&placed), expected, "split at {split}");
    }
}

#[test]
fn a_deadline_is_kept_to_the_millisecond() {
    let placed = r#"{"n": 1, "at": 0, "order": "A1", "event": "placed"}"#;
    let paid = r#"{"n": 2, "at": 1, "order": "A1", "event": "paid"}"#;
    let at_deadline = r#"{"n": 3, "at": 1000, "order": "A1", "event": "shipped"}"#;
    let after_it = r#"{"n": 3, "at": 1001, "order": "A1", "event": "shipped"}"#;
    assert_eq!(alerts(&[(0, placed), (0, paid), (0, at_deadline)]), Vec::<String>::new());
    assert_eq!(alerts(&[(0, placed), (0, paid), (0, after_it)]), ["A1 paid, not shipped", "A1 shipped unpaid"]);
}
