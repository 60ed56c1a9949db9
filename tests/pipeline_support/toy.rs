//! A toy: `{"at":…,"commit":…,"account":…,"amount":…}` opens something for the account; a second one of the same account
//! closes it and is judged; alone, it is judged when it expires. The lookup knows a limit for every account.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tidewaiter::engine::alert::{Judged, Message};
use tidewaiter::engine::lookup::{Lookup, LookupError};
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::engine::verdict::Verdict;
use tidewaiter::engine::{Context, Domain, Key, Partition, Sequence, Target};
use tidewaiter::event::{BadMessage, ChangeEvent, Decoded, Identity, Lsn, Origin, Record, RegistryError};
use tidewaiter::time::Timestamp;
use uuid::Uuid;

#[derive(Debug, Default)]
pub struct Toy {
    pub registry_is_away: AtomicBool,
    /// Every record finds its schema under way at first; those that have asked.
    pub schemas_come_late: Mutex<Option<Vec<Origin>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    pub at: i64,
    pub commit: u64,
    pub account: String,
    pub amount: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    open: Option<(Timestamp, Sequence, i64)>,
}

#[derive(Debug)]
pub struct Case {
    account: String,
    amounts: Vec<i64>,
}

#[derive(Debug)]
pub struct Judgement {
    account: String,
    text: String,
}

/// The rules are a name that stands in every alert.
pub type Rules = &'static str;

impl Domain for Toy {
    type Change = Change;
    type Window = Window;
    type Case = Case;
    type Rules = Rules;
    type Question = String;
    type Answer = i64;
    type Judgement = Judgement;

    fn decode(&self, record: &Record<'_>) -> Decoded<Change> {
        let Some(value) = record.value else { return Decoded::Ignored("tombstone") };
        if self.registry_is_away.load(Ordering::Relaxed) {
            return Decoded::Unavailable(RegistryError::Malformed { url: "http://registry".to_owned() });
        }
        if let Some(asked) = &mut *self.schemas_come_late.lock().unwrap()
            && !asked.contains(&record.origin)
        {
            asked.push(record.origin);
            return Decoded::Unavailable(RegistryError::Pending { id: 1 });
        }
        match serde_json::from_slice::<Change>(value) {
            Ok(body) => Decoded::Change(ChangeEvent {
                commit: Lsn::from_sequence(body.commit),
                event_time: Timestamp::from_ms(body.at).unwrap(),
                identity: Identity(twox_hash::XxHash3_128::oneshot(value)),
                origin: record.origin,
                body,
            }),
            Err(error) => Decoded::Bad(BadMessage { reason: "not_toy", detail: error.to_string(), hint: None }),
        }
    }

    fn order(&self, _commit: &mut Vec<ChangeEvent<Change>>) {}

    fn max_wait_ms(&self, _rules: &Rules) -> i64 {
        30_000
    }

    fn target(&self, change: &Change) -> Target {
        Target::Window(Key::from(&change.account))
    }

    fn apply(&self, change: ChangeEvent<Change>, window: &mut Window, context: &mut Context<'_, Self>) {
        match window.open.take() {
            Some((_, _, first)) => context.judge(Case { account: change.body.account, amounts: vec![first, change.body.amount] }),
            None => {
                window.open = Some((context.stamp, context.sequence, change.body.amount));
                context.keep_open();
            }
        }
    }

    fn expire(&self, opened: Sequence, window: &mut Window, context: &mut Context<'_, Self>) {
        if window.open.is_some_and(|(_, sequence, _)| sequence == opened) {
            let (_, _, amount) = window.open.take().unwrap();
            context.judge(Case { account: context.key.to_string(), amounts: vec![amount] });
        }
    }

    fn is_closed(&self, window: &Window) -> bool {
        window.open.is_none()
    }

    fn deadlines(&self, window: &Window, deadline: &mut dyn FnMut(Timestamp, Sequence)) {
        if let Some((stamp, sequence, _)) = window.open {
            deadline(stamp, sequence);
        }
    }

    fn question(&self, case: &Case, _rules: &Rules) -> Option<String> {
        Some(case.account.clone())
    }

    fn judge(&self, case: Case, answer: Option<&i64>, rules: &Rules) -> Judgement {
        let amounts: Vec<_> = case.amounts.iter().map(ToString::to_string).collect();
        let limit = answer.map_or("?".to_owned(), ToString::to_string);
        Judgement { text: format!("{rules}:{}:{}:{limit}", case.account, amounts.join("+")), account: case.account }
    }
}

impl Judged for Judgement {
    fn verdicts(&self) -> &[Verdict] {
        &[]
    }

    fn publish(&self, _detected_at: Timestamp, sink: &mut dyn FnMut(Message<'_>)) {
        sink(Message { rule: "T1", id: Uuid::nil(), key: &self.account, body: self.text.as_bytes() });
    }

    fn write_verdicts(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// A record of the toy; the event time is the commit's number in seconds.
pub fn record(partition: Partition, offset: i64, commit: u64, account: &str, amount: i64) -> OwnedRecord {
    let at = i64::try_from(commit).unwrap() * 1000;
    let change = Change { at, commit, account: account.to_owned(), amount };
    OwnedRecord {
        origin: Origin { topic: partition.topic, partition: partition.partition, offset },
        timestamp_ms: Some(at),
        key: Some(account.into()),
        value: Some(serde_json::to_vec(&change).unwrap()),
        headers: [("trace".to_owned(), Some(vec![0, 255]))].into(),
    }
}

/// Answers 100 for every account, unless it is away; remembers what it was asked.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub away: Arc<Mutex<bool>>,
    /// No answer comes, good or bad.
    pub hang: Arc<Mutex<bool>>,
    pub asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Lookup<String, i64> for Limits {
    async fn lookup(&self, questions: &[String]) -> Result<Vec<i64>, LookupError> {
        self.asked.lock().unwrap().push(questions.to_vec());
        if *self.hang.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        if *self.away.lock().unwrap() {
            return Err(LookupError::unavailable("limits are away"));
        }
        Ok(vec![100; questions.len()])
    }
}
