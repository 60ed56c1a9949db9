//! Stretches that come again, as after a restart of the connector.

use super::capture::{Record, Value, by_partition, renumber};
use super::random::Random;
use super::workload::{But, Workload, all};

#[test]
fn stretches_of_single_partitions_may_come_again() {
    for workload in all() {
        for seed in [1, 2] {
            let mut random = Random::new(seed);
            let mut records = Vec::new();
            for partition in by_partition(&workload.records) {
                let mut delivered: Vec<Record> = Vec::new();
                for record in partition {
                    delivered.push(record);
                    if random.one_in(60) {
                        // what a stretch repeats may itself be a repetition
                        again(&mut delivered, &mut random);
                    }
                }
                records.append(&mut delivered);
            }
            renumber(&mut records);
            workload.same(&format!("re-delivered stretches of single partitions, seed {seed}"), But::Offsets, &records);
        }
    }
}

#[test]
fn stretches_of_all_partitions_may_come_again() {
    for workload in all() {
        for seed in [1, 2] {
            let mut random = Random::new(seed);
            let mut records: Vec<Record> = Vec::new();
            for record in &workload.records {
                records.push(record.clone());
                if random.one_in(250) {
                    again(&mut records, &mut random);
                }
            }
            renumber(&mut records);
            workload.same(&format!("re-delivered stretches of all partitions, seed {seed}"), But::Offsets, &records);
        }
    }
}

#[test]
fn everything_may_come_twice() {
    for workload in all() {
        let mut records = workload.records.clone();
        records.extend(again_from(workload, 0));
        renumber(&mut records);
        workload.same("all of it twice", But::Offsets, &records);
        let mut records: Vec<Record> = workload.records.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
        renumber(&mut records);
        workload.same("every record twice", But::Offsets, &records);
    }
}

/// Delivers again what came last, up to where the partition stands.
fn again(delivered: &mut Vec<Record>, random: &mut Random) {
    let length = 1 + random.below(delivered.len().min(120));
    let stretch = delivered[delivered.len() - length..].iter().map(later).collect::<Vec<_>>();
    delivered.extend(stretch);
}

fn again_from(workload: &Workload, start: usize) -> impl Iterator<Item = Record> + '_ {
    workload.records[start..].iter().map(later)
}

/// The same change, sent later: another time of the connector's clock, the same of the source.
fn later(record: &Record) -> Record {
    let mut record = record.clone();
    record.ts += 30_000;
    if let (Some(mut envelope), Value::Text(_)) = (record.envelope(), &record.value) {
        for (time, unit) in [("ts_ms", 1), ("ts_us", 1_000), ("ts_ns", 1_000_000)] {
            if let Some(time) = envelope.get_mut(time) {
                *time = super::json::Json::number(time.as_i64().unwrap() + 30_000 * unit);
            }
        }
        record.value = Value::Text(envelope.compact());
    }
    record
}
