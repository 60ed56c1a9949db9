//! In which partition, and under which key, a record lies.

use super::capture::{Record, agreement_of, commit_of, renumber};
use super::json::Json;
use super::random::Random;
use super::workload::{But, Workload, all, tidy};

#[test]
fn the_number_of_partitions_does_not_matter() {
    for workload in tidy() {
        for partitions in [1, 2, 7, 13] {
            for seed in [1, 2] {
                let records = repartitioned(workload, partitions, seed);
                workload.same(&format!("{partitions} partitions, seed {seed}"), But::Places, &records);
            }
        }
    }
}

/// The connector's own order, and another partition for every agreement. Both tables choose by themselves: the engine must not
/// rely on an agreement's transactions lying in a partition of the same number.
fn repartitioned(workload: &Workload, partitions: usize, seed: u64) -> Vec<Record> {
    let mut records = in_commit_order(workload);
    for record in &mut records {
        let Some(number) = record.envelope().as_ref().and_then(agreement_of) else { continue };
        let mut random = Random::of(seed, &format!("{} {number}", record.topic));
        record.partition = random.below(partitions).try_into().unwrap();
    }
    // tombstones and the like stay where they are, if that partition is left
    for record in &mut records {
        record.partition %= i32::try_from(partitions).unwrap();
    }
    renumber(&mut records);
    records
}

/// An order in which the connector could have written: commits by position, each old partition's records as they were.
fn in_commit_order(workload: &Workload) -> Vec<Record> {
    let mut partitions = std::collections::BTreeMap::<_, Vec<(String, Record)>>::new();
    for record in &workload.records {
        let records = partitions.entry((record.topic.clone(), record.partition)).or_default();
        // what has no position goes with what came before it in its partition
        let before = records.last().map_or(String::new(), |(commit, _)| commit.clone());
        let commit = record.envelope().as_ref().and_then(commit_of).map_or(before, str::to_owned);
        records.push((commit, record.clone()));
    }
    let mut records: Vec<(String, Record)> = partitions.into_values().flatten().collect();
    records.sort_by(|(one, _), (other, _)| one.cmp(other));
    records.into_iter().map(|(_, record)| record).collect()
}

#[test]
fn the_form_of_the_keys_does_not_matter() {
    type Key = fn(&Json, &str) -> Option<String>;
    let primary: Key = |row, _| {
        let column = ["TransCounter", "AgreementNumber"].into_iter().find(|column| row.get(column).is_some())?;
        Some(Json::object([(column, row.get(column)?.clone())]).compact())
    };
    let number: Key = |_, number| Some(number.to_owned());
    let object: Key = |_, number| Some(Json::object([("AgreementNumber", Json::text(number))]).compact());
    let nothing: Key = |_, _| None;
    for workload in all() {
        let forms = [
            ("primary keys", primary),
            ("plain agreement numbers", number),
            ("objects of agreement numbers", object),
            ("no keys", nothing),
        ];
        for (what, form) in forms {
            let mut records = workload.records.clone();
            for record in &mut records {
                let Some(envelope) = record.envelope() else { continue };
                let row = ["after", "before"]
                    .into_iter()
                    .filter_map(|image| envelope.get(image))
                    .find(|image| !image.fields().is_empty());
                if let (Some(row), Some(number)) = (row, agreement_of(&envelope)) {
                    record.key = form(row, &number);
                }
            }
            workload.same(what, But::Nothing, &records);
        }
    }
}
