//! Whether other members read other partitions of the same input, and what the partitions say about that.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::consumer::BaseConsumer;

use super::begin::NotBegun;
use super::client::Connection;
use super::probe::Probe;
use super::source::Context;
use super::topics;
use crate::engine::Partition;
use crate::engine::ports::{OwnedRecord, SharedInput};

/// How many of a partition's last offsets are looked at.
const SAMPLE: i64 = 20;

/// `None` for a member that has every partition: nobody else can have records of its keys.
pub(super) fn look(
    consumer: &BaseConsumer<Context>,
    connection: &Connection,
    topics: &[String],
    assigned: &BTreeMap<Partition, Option<i64>>,
) -> Result<Option<SharedInput>, NotBegun> {
    let mut counts = BTreeMap::new();
    for topic in topics {
        let count = topics::count(consumer, topic);
        let count = count.map_err(|error| NotBegun::of(&format!("cannot read the partitions of {topic}"), &error))?;
        // one that is not there yet says nothing
        counts.extend(count.map(|count| (topic.as_str(), count)));
    }
    let all: i32 = counts.values().sum();
    if assigned.len() >= usize::try_from(all).unwrap_or_default() {
        return Ok(None);
    }
    let scattered = scattered(&counts, assigned.keys());
    let mut sample = Vec::new();
    if scattered.is_none() {
        let probe = Probe::new(connection).map_err(NotBegun::Stop)?;
        for topic in counts.keys() {
            let take = |record: OwnedRecord| sample.push(record);
            // what has a hint needs a person
            probe.read(topic, Some(SAMPLE), take).map_err(|error| match error.hint {
                Some(_) => NotBegun::Stop(error),
                None => NotBegun::Later(error.detail),
            })?;
        }
    }
    Ok(Some(SharedInput { scattered, sample }))
}

/// Why equal keys come to different members, if they do whatever the keys are.
fn scattered<'a>(counts: &BTreeMap<&str, i32>, assigned: impl Iterator<Item = &'a Partition>) -> Option<String> {
    let distinct: BTreeSet<_> = counts.values().collect();
    if distinct.len() > 1 {
        let counts: Vec<_> = counts.iter().map(|(topic, count)| format!("{topic} has {count}")).collect();
        return Some(format!("the input topics differ in their partition counts: {}", counts.join(", ")));
    }
    let mut numbers: BTreeMap<&str, BTreeSet<i32>> = counts.keys().map(|topic| (*topic, BTreeSet::new())).collect();
    for partition in assigned {
        numbers.entry(partition.topic.name()).or_default().insert(partition.partition);
    }
    let distinct: BTreeSet<_> = numbers.values().collect();
    (distinct.len() > 1).then(|| {
        let numbers: Vec<_> = numbers.iter().map(|(topic, numbers)| format!("{numbers:?} of {topic}")).collect();
        format!("this member was given unlike partitions: {}; every member has to read the same topics", numbers.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Topic;

    fn told(counts: [i32; 2], assigned: [&[i32]; 2]) -> Option<String> {
        let names = ["sharing.a", "sharing.b"];
        let partitions: Vec<_> = std::iter::zip(names, assigned)
            .flat_map(|(name, numbers)| numbers.iter().map(|number| Partition { topic: Topic::intern(name), partition: *number }))
            .collect();
        scattered(&std::iter::zip(names, counts).collect(), partitions.iter())
    }

    #[test]
    fn equal_counts_and_equal_numbers_are_co_partitioned() {
        assert_eq!(told([3, 3], [&[0, 2], &[0, 2]]), None);
    }

    #[test]
    fn counts_that_differ_are_told_with_their_topics() {
        let told = told([3, 2], [&[0], &[0]]).unwrap();
        assert!(told.contains("sharing.a has 3, sharing.b has 2"), "{told}");
    }

    #[test]
    fn numbers_that_differ_are_told() {
        let told = told([2, 2], [&[0], &[1]]).unwrap();
        assert!(told.contains("{0} of sharing.a, {1} of sharing.b"), "{told}");
    }
}
