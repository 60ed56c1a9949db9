//! A small deterministic workload: what a loan book's two tables put on Kafka. Shared by the benches and by the test that
//! counts allocations.
//!
//! Every change is a commit of its own, as Sentinel writes them; a payment is an insert and, 40 ms later, the update of the
//! balance. Business events come every 30 ms, so that about 2,000 windows are open at the usual wait of 30 s.

#![allow(dead_code, unused_imports, reason = "nobody who shares this file uses all of it")]
#![expect(clippy::unwrap_used, reason = "writing to a string does not fail")]

pub(crate) mod book;
pub(crate) mod drive;
pub(crate) mod genuine;
pub(crate) mod message;
pub(crate) mod payments;

use std::collections::VecDeque;

pub(crate) use message::{Agreement, Form, Messages, Place, Transaction};
use tidewaiter::event::{Header, Origin, Record, Topic};

/// How often what happens, in a thousand business events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    edit: u64,
    overpayment: u64,
    refund: u64,
    opening: u64,
    settlement: u64,
    /// A write-off, say: matched, and of no rule's concern.
    ignored: u64,
    /// A movement without an update of the balance, and the other way round.
    movement_alone: u64,
    balance_alone: u64,
}

impl Rates {
    /// As on most days: an alert in about 200 changes.
    pub(crate) const ORDINARY: Self = Self {
        edit: 45,
        overpayment: 3,
        refund: 3,
        opening: 2,
        settlement: 1,
        ignored: 10,
        movement_alone: 10,
        balance_alone: 10,
    };
    /// An alert in about five changes.
    pub(crate) const BUSY: Self = Self {
        edit: 100,
        overpayment: 150,
        refund: 100,
        opening: 60,
        settlement: 60,
        ignored: 20,
        movement_alone: 50,
        balance_alone: 50,
    };
    /// Nothing but edits, which open no window.
    pub(crate) const EDITS: Self = Self {
        edit: 1000,
        overpayment: 0,
        refund: 0,
        opening: 0,
        settlement: 0,
        ignored: 0,
        movement_alone: 0,
        balance_alone: 0,
    };
    /// Nothing but movements without an update of the balance.
    pub(crate) const MOVEMENTS: Self = Self {
        edit: 0,
        overpayment: 0,
        refund: 0,
        opening: 0,
        settlement: 0,
        ignored: 0,
        movement_alone: 1000,
        balance_alone: 0,
    };
    /// Nothing but payments that are matched.
    pub(crate) const PAYMENTS: Self =
        Self { edit: 0, overpayment: 0, refund: 0, opening: 0, settlement: 0, ignored: 0, movement_alone: 0, balance_alone: 0 };
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) rates: Rates,
    pub(crate) form: Form,
    pub(crate) changes: usize,
    pub(crate) agreements: u32,
    /// Of dbo.Agreement: at least 21.
    pub(crate) columns: usize,
    /// Of each topic; both are keyed by the agreement.
    pub(crate) partitions: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            rates: Rates::ORDINARY,
            form: Form::SchemalessString,
            changes: 20_000,
            agreements: 20_000,
            columns: 21,
            partitions: 3,
        }
    }
}

/// A record that owns its bytes.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    pub(crate) origin: Origin,
    pub(crate) at_ms: u64,
    pub(crate) key: String,
    pub(crate) value: String,
}

/// What Debezium puts beside every record.
const HEADERS: [Header<'_>; 4] = [
    Header { name: "__debezium.context.connectorLogicalName", value: Some(b"sentinel") },
    Header { name: "__debezium.context.taskId", value: Some(b"0") },
    Header { name: "__debezium.context.connectorName", value: Some(b"sqlserver") },
    Header { name: "__debezium.context.runId", value: Some(b"019bb0c2-8a40-7d2a-9f41-3c5e8a7b1d20") },
];

impl OwnedRecord {
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            origin: self.origin,
            timestamp_ms: i64::try_from(self.at_ms).ok(),
            key: Some(self.key.as_bytes()),
            value: Some(self.value.as_bytes()),
            headers: &HEADERS,
        }
    }
}

pub(crate) fn bytes(records: &[OwnedRecord]) -> u64 {
    records.iter().map(|record| record.value.len() as u64).sum()
}

const START_MS: u64 = 1_768_206_600_000;
const EVERY_MS: u64 = 30;
const BALANCE_AFTER_MS: u64 = 40;
pub(crate) const BALANCE: u64 = 3_600_000;

/// An agreement whose balance falls to nothing is settled.
fn paid(row: Agreement, change: i64) -> Agreement {
    let balance = row.balance.saturating_add_signed(change);
    Agreement { balance, settled: balance == 0, ..row }
}

/// Makes records without end, in commit order.
#[derive(Debug)]
pub(crate) struct Workload {
    mix: Mix,
    messages: Messages,
    topics: [Topic; 2],
    random: u64,
    now_ms: u64,
    commits: u64,
    counter: u64,
    next_number: u32,
    book: Vec<Agreement>,
    offsets: [Vec<i64>; 2],
    /// Balances to be updated, by time: of the agreement at this place, by so many pence.
    due: VecDeque<(u64, usize, i64)>,
}

impl Workload {
    pub(crate) fn new(mix: Mix) -> Self {
        let book = (1..=mix.agreements).map(|number| Agreement { number, balance: BALANCE, settled: false, due_day: 11 });
        Self {
            mix,
            messages: Messages::new(mix.form, mix.columns),
            topics: ["Transaction", "Agreement"].map(|table| Topic::intern(&format!("sentinel.SentinelMock.dbo.{table}"))),
            random: 7,
            now_ms: START_MS,
            commits: 1,
            counter: 880_100,
            next_number: mix.agreements + 1,
            book: book.collect(),
            offsets: [(); 2].map(|()| vec![0; mix.partitions as usize]),
            due: VecDeque::new(),
        }
    }

    /// As many changes as the mix says.
    pub(crate) fn records(mix: Mix) -> Vec<OwnedRecord> {
        Self::new(mix).take(mix.changes)
    }

    /// The next changes, at least so many: an event is not taken apart.
    pub(crate) fn take(&mut self, changes: usize) -> Vec<OwnedRecord> {
        let mut records = Vec::with_capacity(changes + 8);
        while records.len() < changes {
            self.step(&mut records);
        }
        records
    }

    /// Adds the next business event, and the updates that are due before it.
    fn step(&mut self, out: &mut Vec<OwnedRecord>) {
        self.now_ms += EVERY_MS;
        while self.due.front().is_some_and(|(at_ms, ..)| *at_ms <= self.now_ms) {
            let (at_ms, place, change) = self.due.pop_front().unwrap();
            self.update(at_ms, place, |row| paid(row, change), out);
        }
        let place = usize::try_from(self.below(u64::from(self.mix.agreements))).unwrap();
        let agreement = self.book[place];
        let (number, instalment) = (agreement.number, agreement.instalment().cast_signed());
        let mut dice = self.below(1000);
        let mut happens = |rate: u64| dice.checked_sub(rate).map(|rest| dice = rest).is_none();
        let rates = self.mix.rates;
        if happens(rates.edit) {
            self.update(self.now_ms, place, |row| Agreement { due_day: row.due_day % 28 + 1, ..row }, out);
        } else if happens(rates.overpayment) {
            self.movement(place, 12, -3 * instalment, out);
        } else if happens(rates.refund) {
            self.movement(place, 3, instalment, out);
        } else if happens(rates.opening) {
            self.open(place, out);
        } else if happens(rates.settlement) {
            self.movement(place, 12, -agreement.balance.cast_signed(), out);
        } else if happens(rates.ignored) {
            self.movement(place, 50, -instalment, out);
        } else if happens(rates.movement_alone) {
            self.insert(number, 12, instalment.unsigned_abs(), out);
        } else if happens(rates.balance_alone) {
            self.update(self.now_ms, place, |row| paid(row, -instalment), out);
        } else {
            self.movement(place, 12, -instalment, out);
        }
    }

    fn movement(&mut self, place: usize, type_id: u32, change: i64, out: &mut Vec<OwnedRecord>) {
        self.insert(self.book[place].number, type_id, change.unsigned_abs(), out);
        self.due.push_back((self.now_ms + BALANCE_AFTER_MS, place, change));
    }

    fn insert(&mut self, agreement: u32, type_id: u32, amount: u64, out: &mut Vec<OwnedRecord>) {
        self.counter += 1;
        let row = Transaction { counter: self.counter, agreement, type_id, amount };
        let place = self.place(self.now_ms);
        let value = self.messages.transaction(&row, place);
        self.push(0, agreement, self.now_ms, format!("{{\"TransCounter\":{}}}", row.counter), value, out);
    }

    fn update(&mut self, at_ms: u64, place: usize, change: impl Fn(Agreement) -> Agreement, out: &mut Vec<OwnedRecord>) {
        let before = self.book[place];
        let after = change(before);
        let written = self.place(at_ms);
        let value = self.messages.agreement(Some(&before), &after, written);
        self.push(1, after.number, at_ms, format!("{{\"AgreementNumber\":\"FRH{:07}\"}}", after.number), value, out);
        // one that is paid off, or nearly, is lent its money again, so that the workload never ends
        let is_over = after.settled || after.balance < after.instalment() * 8;
        self.book[place] = if is_over { Agreement { balance: BALANCE, settled: false, ..after } } else { after };
    }

    fn open(&mut self, place: usize, out: &mut Vec<OwnedRecord>) {
        let after = Agreement { number: self.next_number, balance: BALANCE, settled: false, due_day: 11 };
        self.next_number += 1;
        let written = self.place(self.now_ms);
        let value = self.messages.agreement(None, &after, written);
        self.push(1, after.number, self.now_ms, format!("{{\"AgreementNumber\":\"FRH{:07}\"}}", after.number), value, out);
        self.book[place] = after;
    }

    fn place(&mut self, at_ms: u64) -> Place {
        self.commits += 1;
        Place { commit: self.commits, at_ms }
    }

    fn push(&mut self, table: usize, agreement: u32, at_ms: u64, key: String, value: String, out: &mut Vec<OwnedRecord>) {
        let partition = agreement % self.mix.partitions;
        let offset = &mut self.offsets[table][partition as usize];
        let origin = Origin { topic: self.topics[table], partition: i32::try_from(partition).unwrap(), offset: *offset };
        *offset += 1;
        out.push(OwnedRecord { origin, at_ms, key, value });
    }

    /// Below `bound`, each alike for what a workload needs: splitmix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
