//! How long it takes from a record's being sent until the alert that it completes can be read as committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde::Deserialize;
use tidewaiter::event::Origin;

use super::topics::config;

const ALERTS: &str = "tidewaiter.alerts";

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When records were sent, by where they lie.
#[derive(Default)]
pub(crate) struct Sent {
    first: Option<Instant>,
    at: HashMap<Origin, Instant>,
}

impl Sent {
    pub(crate) fn note(&mut self, origin: Origin, at: Instant) {
        self.first.get_or_insert(at);
        self.at.insert(origin, at);
    }
}

/// What of an alert says which records it took.
#[derive(Deserialize)]
struct Alert {
    correlation: String,
    trigger: Change,
    related: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(flatten)]
    origin: Origin,
}

/// Alerts, each with when it was read.
type Read = Vec<(Instant, Vec<u8>)>;

/// Reads alerts as they are committed, from now on.
pub(crate) struct Reader {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Read>,
}

impl Reader {
    pub(crate) fn start(bootstrap: &str) -> Self {
        let consumer: BaseConsumer = config(bootstrap)
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "5")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(ALERTS), Duration::from_secs(30)).unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            assignment.add_partition_offset(ALERTS, partition.id(), Offset::End).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            let mut read = Read::new();
            while !stop.load(Ordering::Relaxed) {
                if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                    read.push((now(), message.unwrap().payload().unwrap_or_default().to_vec()));
                }
            }
            read
        });
        Self { stopped, thread }
    }

    pub(crate) fn stop_after(self, pause: Duration) -> Read {
        std::thread::sleep(pause);
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Sorted.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of alerts whose last record was sent after `settling`. One that says that something did not come is not among them: it
    /// waits for stream time, not for us.
    pub(crate) fn of(sent: &Sent, alerts: Read, settling: Duration) -> Self {
        let from = sent.first.expect("records were sent") + settling;
        let latency = |(read, body): (Instant, Vec<u8>)| {
            let alert: Alert = serde_json::from_slice(&body).unwrap();
            if matches!(alert.correlation.as_str(), "unmatched" | "without_payment") {
                return None;
            }
            let changes = std::iter::once(alert.trigger).chain(alert.related);
            let times = changes.map(|change| sent.at.get(&change.origin).copied());
            let last = times.collect::<Option<Vec<_>>>()?.into_iter().max()?;
            (last >= from).then(|| read - last)
        };
        let mut latencies: Vec<Duration> = alerts.into_iter().filter_map(latency).collect();
        latencies.sort_unstable();
        Self(latencies)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency that so many in a thousand do not exceed.
    pub(crate) fn ms(&self, per_mille: usize) -> u128 {
        let at = (self.0.len() * per_mille).div_ceil(1000).saturating_sub(1);
        self.0.get(at).map_or(0, Duration::as_millis)
    }
}
