//! The pipeline's metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::Committed;
use crate::engine::Domain;
use crate::engine::alert::Judged;
use crate::telemetry::{
    ALERTS, BATCH_SECONDS, BUFFERED_BYTES, COMMIT_SECONDS, DEAD_LETTERS, LOOKUP_SECONDS, OPEN_WINDOWS, OUTCOMES, PARTITIONS,
    RECORDS, REPEATED, STREAM_TIME, VERDICTS,
};

pub(super) fn committed<D: Domain<Judgement: Judged>>(committed: &Committed<'_, D>) {
    counter!(RECORDS.name).increment(committed.records);
    for (outcome, n) in committed.counts.sorted() {
        counter!(OUTCOMES.name, "outcome" => outcome).increment(n);
    }
    for letter in &committed.batch.dead_letters {
        counter!(DEAD_LETTERS.name, "reason" => letter.reason.clone()).increment(1);
    }
    // few kinds, and many of each: to find a counter takes longer than to count
    let mut verdicts = BTreeMap::<_, u64>::new();
    for verdict in committed.judgements.iter().flat_map(Judged::verdicts) {
        *verdicts.entry((verdict.rule, verdict.outcome.name())).or_default() += 1;
    }
    for ((rule, outcome), n) in verdicts {
        counter!(VERDICTS.name, "rule" => rule, "outcome" => outcome).increment(n);
    }
    for alert in &committed.batch.alerts {
        counter!(ALERTS.name, "rule" => alert.rule).increment(1);
    }
    if let Some(stream_time) = committed.stream_time {
        // below 2⁵³ by far
        #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "a gauge is a float by nature")]
        gauge!(STREAM_TIME.name).set(stream_time.as_ms() as f64 / 1000.0);
    }
}

/// Open windows, assigned partitions, bytes in buffers.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float by nature")]
pub(super) fn state(windows: usize, partitions: usize, bytes: usize) {
    gauge!(OPEN_WINDOWS.name).set(windows as f64);
    gauge!(PARTITIONS.name).set(partitions as f64);
    gauge!(BUFFERED_BYTES.name).set(bytes as f64);
}

pub(super) fn commit_took(duration: Duration) {
    histogram!(COMMIT_SECONDS.name).record(duration);
}

pub(super) fn batch_took(duration: Duration) {
    histogram!(BATCH_SECONDS.name).record(duration);
}

pub(super) fn lookup_took(duration: Duration, answered: bool) {
    histogram!(LOOKUP_SECONDS.name, "result" => if answered { "answered" } else { "failed" }).record(duration);
}

pub(super) fn repeated() {
    counter!(REPEATED.name).increment(1);
}
