//! What the connector wrote: some hundred windows open at any moment, on co-partitioned topics, keyed by agreement number.
//!
//! Event times rise with commits, so that the alerts do not hang on which partitions are read together: any number of members
//! must tell what one backtest of all tells.

use std::collections::BTreeMap;

use super::random::Random;

/// From this a workload follows entirely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    /// At least so many.
    pub(crate) changes: usize,
    pub(crate) partitions: i32,
    /// From the middle on there are so many; nothing is delivered again then, since keys move.
    pub(crate) grown: Option<i32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) table: &'static str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) is_bad: bool,
}

pub(crate) const TABLES: [&str; 2] = ["Transaction", "Agreement"];
const START_MS: u64 = 1_768_208_400_000;
/// Windows are open for 3000 commits.
const COMMIT_MS: u64 = 10;
const BOOK: usize = 3000;

#[derive(Clone, Copy)]
enum Action {
    Pay { agreement: usize, kind: u32, cents: i64 },
    Refund { agreement: usize, cents: i64 },
    Balance { agreement: usize, by: i64 },
    Close { agreement: usize },
    Settle { agreement: usize },
    Open,
}

struct Agreement {
    number: String,
    cents: i64,
    settled: bool,
}

struct Simulation {
    random: Random,
    partitions: i32,
    commit: u64,
    in_commit: u64,
    counter: u64,
    book: Vec<Agreement>,
    due: BTreeMap<u64, Vec<Action>>,
    written: Vec<Written>,
}

/// Everything that was written, in its order, and where the partitions became more.
pub(crate) fn written(shape: Shape) -> (Vec<Written>, usize) {
    let agreement = |n| Agreement { number: format!("FRH{n:07}"), cents: 2_000_000, settled: false };
    let mut simulation = Simulation {
        random: Random::new(shape.seed),
        partitions: shape.partitions,
        commit: 0,
        in_commit: 0,
        counter: 0,
        book: (0..BOOK).map(agreement).collect(),
        due: BTreeMap::new(),
        written: Vec::new(),
    };
    let mut grown_at = None;
    while simulation.written.len() < shape.changes {
        if let Some(grown) = shape.grown.filter(|_| grown_at.is_none() && simulation.written.len() > shape.changes / 2) {
            grown_at = Some(simulation.written.len());
            simulation.partitions = grown;
        }
        simulation.commit();
        if grown_at.is_none() && simulation.random.one_in(1500) {
            simulation.deliver_again();
        }
    }
    simulation.sweep();
    let mut offsets = BTreeMap::new();
    for written in &mut simulation.written {
        let offset = offsets.entry((written.table, written.partition)).or_insert(0);
        written.offset = *offset;
        *offset += 1;
    }
    let whole = simulation.written.len();
    (simulation.written, grown_at.unwrap_or(whole))
}

impl Simulation {
    fn commit(&mut self) {
        self.commit += 1;
        self.in_commit = 0;
        let mut actions = self.due.remove(&self.commit).unwrap_or_default();
        if actions.is_empty() || self.random.one_in(3) {
            actions.extend(self.scenario());
        }
        for action in actions {
            self.write(action);
        }
        if self.random.one_in(400) {
            self.write_nonsense();
        }
    }

    /// How many commits later the other half of an event comes; `None` if it never does.
    fn later(&mut self) -> Option<u64> {
        let most = *self.random.pick(&[5, 5, 20, 20, 20, 400, 400, 400, 2800, 0]);
        (most > 0).then(|| 1 + self.random.below(most) as u64)
    }

    fn put_off(&mut self, action: Action) {
        if let Some(later) = self.later() {
            self.due.entry(self.commit + later).or_default().push(action);
        }
    }

    fn scenario(&mut self) -> Option<Action> {
        if self.random.one_in(8) {
            return Some(Action::Open);
        }
        let agreement = self.random.below(self.book.len());
        if self.book[agreement].settled {
            return None;
        }
        let cents = 5_000 + i64::try_from(self.random.below(40_000)).unwrap();
        match self.random.below(10) {
            0 => {
                self.put_off(Action::Balance { agreement, by: cents });
                Some(Action::Refund { agreement, cents })
            }
            1 => {
                self.book[agreement].settled = true;
                self.put_off(Action::Close { agreement });
                Some(Action::Pay { agreement, kind: 12, cents })
            }
            2 => {
                self.put_off(Action::Balance { agreement, by: -10 * cents });
                Some(Action::Pay { agreement, kind: 7, cents: 10 * cents })
            }
            _ => {
                self.put_off(Action::Balance { agreement, by: -cents });
                Some(Action::Pay { agreement, kind: 12, cents })
            }
        }
    }

    fn write(&mut self, action: Action) {
        match action {
            Action::Pay { agreement, kind, cents } => self.write_movement(agreement, kind, cents),
            Action::Refund { agreement, cents } => self.write_movement(agreement, 3, cents),
            Action::Balance { agreement, by } => {
                let before = self.image(agreement, false);
                self.book[agreement].cents += by;
                let after = self.image(agreement, false);
                self.write_agreement(agreement, "u", &before, &after);
            }
            Action::Close { agreement } => {
                let before = self.image(agreement, false);
                self.book[agreement].cents = 0;
                let after = self.image(agreement, false);
                self.write_agreement(agreement, "u", &before, &after);
                self.put_off(Action::Settle { agreement });
            }
            Action::Settle { agreement } => {
                let (before, after) = (self.image(agreement, false), self.image(agreement, true));
                self.write_agreement(agreement, "u", &before, &after);
            }
            Action::Open => {
                let number = format!("FRH{:07}", self.book.len());
                self.open(number);
            }
        }
    }

    fn open(&mut self, number: String) {
        self.book.push(Agreement { number, cents: 1_500_000, settled: false });
        let agreement = self.book.len() - 1;
        let after = self.image(agreement, false);
        self.write_agreement(agreement, "c", "null", &after);
    }

    fn image(&self, agreement: usize, settled: bool) -> String {
        let Agreement { number, cents, .. } = &self.book[agreement];
        format!(
            r#"{{"AgreementNumber":"{number}","AgreementCustomerNumber":"C{agreement}","AgreementAgreementTypeID":113,"AgreementCurrentBalanceNET":"{}","AgreementSettledFlag":{settled}}}"#,
            amount(*cents)
        )
    }

    fn write_agreement(&mut self, agreement: usize, op: &str, before: &str, after: &str) {
        let number = self.book[agreement].number.clone();
        self.envelope("Agreement", number, op, before, after);
    }

    fn write_movement(&mut self, agreement: usize, kind: u32, cents: i64) {
        self.counter += 1;
        let number = self.book[agreement].number.clone();
        let after = format!(
            r#"{{"TransCounter":{},"TransAgreementNumber":"{number}","TransDate":20465,"TransTypeID":{kind},"TransNetPayment":"{}"}}"#,
            self.counter,
            amount(cents)
        );
        self.envelope("Transaction", number, "c", "null", &after);
    }

    fn envelope(&mut self, table: &'static str, number: String, op: &str, before: &str, after: &str) {
        self.in_commit += 1;
        let (commit, n, at) = (self.commit, self.in_commit, START_MS + self.commit * COMMIT_MS);
        let value = format!(
            r#"{{"before":{before},"after":{after},"source":{{"ts_ms":{at},"snapshot":"false","db":"SentinelMock","schema":"dbo","table":"{table}","change_lsn":"0000002b:{commit:08x}:{n:04x}","commit_lsn":"0000002b:{commit:08x}:ffff","event_serial_no":{n}}},"op":"{op}","ts_ms":{at}}}"#
        );
        self.append(table, number, value, false);
    }

    fn append(&mut self, table: &'static str, key: String, value: String, is_bad: bool) {
        let partition = partition(&key, self.partitions);
        self.written.push(Written { table, partition, offset: 0, key, value, is_bad });
    }

    fn write_nonsense(&mut self) {
        let table = *self.random.pick(&TABLES);
        let number = format!("FRH{:07}", self.random.below(BOOK));
        let value = r#"{"before":null,"after":{},"source":{"ts_ms":1768208400000},"op":"c"}"#.to_owned();
        self.append(table, number, value, true);
    }

    /// The connector began again from an old position.
    fn deliver_again(&mut self) {
        let length = self.random.below(400).min(self.written.len());
        self.written.extend_from_within(self.written.len() - length..);
    }

    /// Much later, one change in each partition, so that everything before it is closed.
    fn sweep(&mut self) {
        self.commit += 3_600_000 / COMMIT_MS;
        for wanted in 0..self.partitions {
            self.commit += 1;
            self.in_commit = 0;
            let number = (0..10_000).map(|n| format!("SWEEP{n}")).find(|number| partition(number, self.partitions) == wanted);
            self.open(number.unwrap());
        }
    }
}

fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// As Kafka's default partitioner (murmur2) has it.
fn partition(key: &str, partitions: i32) -> i32 {
    const M: u32 = 0x5BD1_E995;
    let data = key.as_bytes();
    let mut hash = 0x9747_B28C ^ u32::try_from(data.len()).unwrap();
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    for (place, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^= hash >> 15;
    i32::try_from(hash & 0x7FFF_FFFF).unwrap() % partitions
}
