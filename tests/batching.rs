//! However the records are cut into batches, and however many changes are applied at a time, the engine hands over the same cases.

#![allow(clippy::unwrap_used, reason = "a test panics")]

mod common;

#[path = "metamorphic/capture.rs"]
#[allow(dead_code, reason = "the metamorphic tests use the rest")]
mod capture;
#[path = "metamorphic/json.rs"]
#[allow(dead_code, reason = "the metamorphic tests use the rest")]
mod json;
#[path = "metamorphic/random.rs"]
#[allow(dead_code, reason = "the metamorphic tests use the rest")]
mod random;

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::LendingChange;
use tidewaiter::domains::lending::settings::LendingRules;
use tidewaiter::engine::{Counts, DeadLetter, Domain, Engine, Entry, Options, Partition, Progress, Slot};
use tidewaiter::event::{self, Decoded, Formats, Header, Origin, Topic};

use capture::{Record, Value, by_partition};
use random::Random;

/// A partition's records, decoded, in the order of their offsets.
type Decoding = (Partition, Vec<(i64, Entry<LendingChange>)>);

/// What an engine made of its input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// In order, in full.
    cases: Vec<String>,
    /// Of each partition in order; between partitions the merge may let them pass sooner or later.
    dead_letters: Vec<DeadLetter>,
    records: u64,
    changes: u64,
    counts: Counts,
    consumed: Vec<(Partition, i64)>,
}

impl Outcome {
    fn take(&mut self, engine: &mut Engine<Lending>) {
        let output = engine.take_output();
        self.cases.extend(output.cases.iter().map(|case| format!("{case:?}")));
        self.dead_letters.extend(output.dead_letters);
        self.records += output.records;
        self.changes += output.changes;
        self.counts.add_all(&output.counts);
    }

    fn finished(mut self, engine: &mut Engine<Lending>, rules: &LendingRules) -> Self {
        engine.close_all(rules);
        assert!(engine.store().is_empty(), "nothing stays open");
        self.take(engine);
        self.dead_letters.sort_by_key(|letter| (Partition::from(letter.origin), letter.origin.offset));
        self.consumed = engine.consumed().collect();
        self
    }
}

struct Workload {
    name: &'static str,
    lending: Arc<Lending>,
    rules: LendingRules,
    partitions: Vec<Decoding>,
}

impl Workload {
    fn load(name: &'static str) -> Self {
        let folder = common::root().join("tests/data/workloads").join(name);
        let mut text = String::new();
        let file = std::fs::File::open(folder.join("events.jsonl.gz")).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let records: Vec<Record> = text.lines().map(Record::parse).collect();
        let lending = Arc::new(Lending::new(Decoder::new(&Formats::default())));
        let partitions = by_partition(&records).iter().map(|records| decoded(&lending, records)).collect();
        Self { name, lending, rules: LendingRules::load(&folder.join("rules.toml")).unwrap(), partitions }
    }

    fn engine(&self) -> (Engine<Lending>, Vec<Slot>) {
        let mut engine = Engine::new(Arc::clone(&self.lending), Options::default());
        let slots = self.partitions.iter().map(|(partition, _)| engine.assign(*partition)).collect();
        (engine, slots)
    }

    fn at_once(&self) -> Outcome {
        let (mut engine, slots) = self.engine();
        for (&slot, (_, records)) in slots.iter().zip(&self.partitions) {
            for (offset, entry) in records {
                engine.push(slot, *offset, entry.clone());
            }
            engine.end(slot);
        }
        assert_eq!(engine.advance(&self.rules, usize::MAX), Progress::Drained);
        Outcome::default().finished(&mut engine, &self.rules)
    }

    fn in_batches(&self, random: &mut Random) -> Outcome {
        let (mut engine, slots) = self.engine();
        let mut left: Vec<(Slot, VecDeque<_>)> =
            slots.into_iter().zip(&self.partitions).map(|(slot, (_, records))| (slot, records.iter().collect())).collect();
        let mut outcome = Outcome::default();
        while !left.is_empty() {
            let chosen = random.below(left.len());
            let (slot, records) = &mut left[chosen];
            let portion = random.below(60).min(records.len());
            for (offset, entry) in records.drain(..portion) {
                engine.push(*slot, *offset, entry.clone());
            }
            if records.is_empty() {
                engine.end(*slot);
                left.swap_remove(chosen);
            }
            while random.one_in(2) {
                if engine.advance(&self.rules, 1 + random.below(20)) != Progress::Busy {
                    break;
                }
            }
            if random.one_in(3) {
                outcome.take(&mut engine);
            }
        }
        while engine.advance(&self.rules, 1 + random.below(200)) == Progress::Busy {
            outcome.take(&mut engine);
        }
        outcome.finished(&mut engine, &self.rules)
    }
}

fn decoded(lending: &Lending, records: &[Record]) -> Decoding {
    let topic = Topic::intern(&records[0].topic);
    let partition = Partition { topic, partition: records[0].partition };
    let entry = |record: &Record| {
        let origin = Origin { topic, partition: record.partition, offset: record.offset };
        let names = record.headers.iter().step_by(2).filter_map(json::Json::as_text);
        let headers: Vec<Header<'_>> = names.map(|name| Header { name, value: None }).collect();
        let value = match &record.value {
            Value::Tombstone => None,
            Value::Text(text) => Some(text.as_bytes()),
            Value::Binary(bytes) => Some(bytes.as_slice()),
        };
        let key = record.key.as_deref().map(str::as_bytes);
        let record = event::Record { origin, timestamp_ms: Some(record.ts), key, value, headers: &headers };
        match lending.decode(&record) {
            Decoded::Change(change) => Entry::Change(change),
            Decoded::Ignored(label) => Entry::Ignored(label),
            Decoded::Bad(bad) => Entry::Bad(Box::new(DeadLetter::new(&record, &bad))),
            Decoded::Unavailable(error) => panic!("no registry is asked: {error}"),
        }
    };
    (partition, records.iter().map(|record| (record.offset, entry(record))).collect())
}

#[test]
fn batches_of_any_size_give_the_same_cases_in_the_same_order() {
    for name in ["none-default", "none-random", "mild-default", "mild-random", "wild-default", "wild-random"] {
        let workload = Workload::load(name);
        let expected = workload.at_once();
        assert!(expected.cases.len() > 900, "{name}: {} cases", expected.cases.len());
        assert_eq!(expected.dead_letters.is_empty(), !name.starts_with("wild"), "{name}");
        for seed in 0..12 {
            let actual = workload.in_batches(&mut Random::new(seed));
            let place = expected.cases.iter().zip(&actual.cases).position(|(one, other)| one != other);
            let differing = place.map(|place| (&expected.cases[place], &actual.cases[place]));
            assert_eq!(differing, None, "{}, seed {seed}: case {place:?}", workload.name);
            assert!(expected == actual, "{}, seed {seed}: dead letters, counts or positions differ", workload.name);
        }
    }
}
