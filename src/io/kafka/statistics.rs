//! Where a partition ends, out of librdkafka's statistics.
//!
//! The event that says so carries the partition's number but, in this binding, not its topic, and there are two topics.
//! The statistics name both, and whether the broker was heard of lately.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::engine::Partition;
use crate::event::Topic;

/// A broker that was silent for so long may have more than it told: a fetch returns at least every `fetch.wait.max.ms`.
const SILENT_US: i64 = 10_000_000;

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: HashMap<String, Broker>,
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct Broker {
    nodeid: i32,
    state: String,
    /// µs since something was received.
    #[serde(default)]
    rxidle: i64,
    /// How often its thread went round.
    #[serde(default)]
    wakeups: u64,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    partition: i32,
    /// The broker that is fetched from.
    broker: i32,
    #[serde(default)]
    fetch_state: String,
    next_offset: i64,
    /// The last stable offset: where a reader of committed records ends.
    ls_offset: i64,
}

/// What is known of a partition's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// If it was fetched up to its end from a broker that lives.
    pub(super) fetched: Option<i64>,
    /// As the broker last said, whether or not all before it was fetched.
    pub(super) high: Option<i64>,
    /// While it is fetched: how often its broker's thread has gone round, so that one statistic is told from the next.
    pub(super) round: Option<u64>,
}

/// The ends of all partitions.
pub(super) fn ends(json: &[u8]) -> Result<BTreeMap<Partition, End>, serde_json::Error> {
    let statistics: Statistics = serde_json::from_slice(json)?;
    let broker = |node: i32| statistics.brokers.values().find(|broker| broker.nodeid == node);
    let lives = |broker: &&Broker| broker.state == "UP" && broker.rxidle < SILENT_US;
    let mut ends = BTreeMap::new();
    for (name, topic) in &statistics.topics {
        let name = Topic::intern(name);
        // the entry -1 stands for messages without a partition
        for partition in topic.partitions.values().filter(|partition| partition.partition >= 0) {
            let fetched = partition.ls_offset >= 0 && partition.next_offset >= partition.ls_offset;
            let key = Partition { topic: name, partition: partition.partition };
            let broker = broker(partition.broker);
            ends.insert(
                key,
                End {
                    fetched: broker.filter(|broker| fetched && lives(broker)).map(|_| partition.next_offset),
                    high: Some(partition.ls_offset).filter(|high| *high >= 0),
                    round: broker.filter(|_| partition.fetch_state == "active").map(|broker| broker.wakeups),
                },
            );
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(state: &str, rxidle: i64, next_offset: i64, ls_offset: i64) -> Option<i64> {
        let json = serde_json::json!({
            "brokers": {"b:1/1": {"nodeid": 1, "state": state, "rxidle": rxidle, "more": 1}},
            "topics": {"stats.t": {"partitions": {
                "0": {"partition": 0, "broker": 1, "next_offset": next_offset, "ls_offset": ls_offset},
                "-1": {"partition": -1, "broker": 1, "next_offset": 0, "ls_offset": 0},
            }}},
        });
        let ends = ends(json.to_string().as_bytes()).unwrap();
        assert_eq!(ends.len(), 1);
        let End { fetched, high, .. } = ends[&Partition { topic: Topic::intern("stats.t"), partition: 0 }];
        assert_eq!(high, Some(ls_offset).filter(|high| *high >= 0));
        fetched
    }

    #[test]
    fn a_partition_is_at_its_end_when_all_was_fetched_from_a_broker_that_lives() {
        assert_eq!(end("UP", 0, 7, 7), Some(7));
        assert_eq!(end("UP", 0, 0, 0), Some(0), "empty");
        assert_eq!(end("UP", 0, 6, 7), None, "one more");
        assert_eq!(end("UP", 0, -1001, -1001), None, "not fetched yet");
        assert_eq!(end("DOWN", 0, 7, 7), None);
        assert_eq!(end("UP", SILENT_US, 7, 7), None);
        assert_eq!(end("UP", SILENT_US - 1, 7, 7), Some(7));
    }
}
