//! What the connector wrote: some commits on two topics, with bad messages and re-deliveries among them.

use std::collections::BTreeMap;

use tidewaiter::engine::Partition;
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Origin, Topic};

/// SplitMix64: small, and the same on every machine.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5151_5151)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

pub(crate) const NUMBERS: i32 = 3;

#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) logs: BTreeMap<Partition, Vec<OwnedRecord>>,
}

fn place(topic: u64, number: u64) -> Partition {
    Partition {
        topic: Topic::intern(["sim.a", "sim.b"][usize::try_from(topic).unwrap()]),
        partition: i32::try_from(number).unwrap(),
    }
}

impl Input {
    fn empty() -> Self {
        let numbers = u64::try_from(NUMBERS).unwrap();
        let places = (0..2).flat_map(|topic| (0..numbers).map(move |number| place(topic, number)));
        Self { logs: places.map(|place| (place, Vec::new())).collect() }
    }

    fn append(&mut self, place: Partition, value: String, random: &mut Random) {
        let log = self.logs.get_mut(&place).unwrap();
        let record = |offset: usize, value: Vec<u8>| OwnedRecord {
            origin: Origin { topic: place.topic, partition: place.partition, offset: i64::try_from(offset).unwrap() },
            timestamp_ms: None,
            key: None,
            value: Some(value),
            headers: [].into(),
        };
        log.push(record(log.len(), value.into_bytes()));
        if random.one_in(25) {
            log.push(record(log.len(), b"bad".to_vec()));
        }
        if random.one_in(30) {
            // the connector was restarted, and begins again some way back
            let back = log.len() - usize::try_from(random.below(8)).unwrap().min(log.len());
            for again in back..log.len() {
                log.push(record(log.len(), log[again].value.clone().unwrap()));
            }
        }
    }

    /// Accounts that meet again and again, on any partition; event times that do not always rise.
    pub(crate) fn any_keying(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut input = Self::empty();
        let mut at = 100_000;
        for commit in 1..=60_u64 {
            at += random.below(12_000);
            for n in 0..=random.below(3) {
                let at = at - random.below(3) * random.below(2_000);
                let account = random.below(12);
                let value = format!(r#"{{"at":{at},"commit":{commit},"account":"K{account}","amount":{}}}"#, commit * 10 + n);
                let place = place(random.below(2), random.below(3));
                input.append(place, value, &mut random);
            }
        }
        input
    }

    /// Accounts of one or two records, both on the partition of the account's number, and so close together that no clock
    /// but their own decides whether they meet.
    pub(crate) fn co_partitioned(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut input = Self::empty();
        let mut records = Vec::new();
        for account in 0..40_u64 {
            let first = 100 + account * 7 + random.below(5);
            records.push((first, 0, account, account));
            if !random.one_in(4) {
                records.push((first + 1 + random.below(10), 1, account, 1000));
            }
        }
        records.sort_unstable();
        for (commit, topic, account, amount) in records {
            let at = commit * 1000;
            let value = format!(r#"{{"at":{at},"commit":{commit},"account":"A{account}","amount":{amount}}}"#);
            input.append(place(topic, account % 3), value, &mut random);
        }
        input
    }
}
