//! What the program tells about itself: metric names and labels, and the log.
//!
//! Names follow Prometheus: `tidewaiter_`, the thing, the unit, `_total` for counters. A label's values are few and known
//! beforehand; none of them comes from a row.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A metric, as it is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

pub const RECORDS: Metric = counter("tidewaiter_records_total", &[], "Input records whose effect is committed, of every kind.");
pub const OUTCOMES: Metric =
    counter("tidewaiter_outcomes_total", &["outcome"], "What became of records and movements: ignored, re-delivered, matched.");
pub const DEAD_LETTERS: Metric = counter("tidewaiter_dead_letters_total", &["reason"], "Records that could not be read.");
pub const VERDICTS: Metric = counter("tidewaiter_verdicts_total", &["rule", "outcome"], "Verdicts, fired or not.");
pub const ALERTS: Metric = counter("tidewaiter_alerts_total", &["rule"], "Alerts committed to the alerts topic.");
pub const STREAM_TIME: Metric =
    gauge("tidewaiter_stream_time_seconds", &[], "The largest event time applied so far, in seconds since 1970.");
pub const OPEN_WINDOWS: Metric = gauge("tidewaiter_open_windows", &[], "Keys with something open.");
pub const PARTITIONS: Metric = gauge("tidewaiter_partitions", &[], "Input partitions assigned to this member.");
pub const BUFFERED_BYTES: Metric =
    gauge("tidewaiter_buffered_bytes", &[], "Bytes of records that were read and wait for their place in commit order.");
pub const COMMIT_SECONDS: Metric = histogram("tidewaiter_commit_seconds", &[], "Duration of a batch's transaction.");
pub const BATCH_SECONDS: Metric = histogram(
    "tidewaiter_batch_seconds",
    &[],
    "Duration of a batch from its first judgement to its commit, repetitions included.",
);
pub const LOOKUP_SECONDS: Metric = histogram("tidewaiter_lookup_seconds", &["result"], "Duration of a batch's look-up.");
pub const LOOKUP_ANSWERS: Metric =
    counter("tidewaiter_lookup_answers_total", &["from"], "Questions of batches, answered from the cache or by the source.");
pub const LOOKUP_CACHED: Metric = gauge("tidewaiter_lookup_cached_keys", &[], "Keys whose answers the cache holds, about.");
pub const SQL_ROUND_TRIPS: Metric = counter(
    "tidewaiter_sqlserver_round_trips_total",
    &["result"],
    "Round trips to the SQL Server: answered, away, busy, refused, wrong.",
);
pub const SQL_CONNECTIONS: Metric = gauge("tidewaiter_sqlserver_connections", &[], "Open connections to the SQL Server.");
pub const SQL_BREAKER: Metric = gauge(
    "tidewaiter_sqlserver_breaker",
    &[],
    "Whether the SQL Server is left in peace after failures: 0 no, 1 yes, 0.5 while one question tries it.",
);
pub const REPEATED: Metric = counter("tidewaiter_batches_repeated_total", &[], "Transactions that failed and were repeated.");
pub const LAG: Metric =
    gauge("tidewaiter_lag_records", &["topic", "partition"], "Offsets between what is committed and the partition's end.");
pub const STREAM_TIME_BEHIND: Metric = gauge(
    "tidewaiter_stream_time_behind_seconds",
    &[],
    "Distance of stream time from the wall clock; it grows on a quiet night.",
);
pub const OPEN: Metric =
    gauge("tidewaiter_open", &["kind"], "What is open in all windows: movements, balance changes, settlements.");
pub const READY: Metric = gauge("tidewaiter_ready", &[], "Whether /readyz says ready: 1 or 0.");
pub const RELOADS: Metric =
    counter("tidewaiter_reloads_total", &["result"], "Reloads of the rules: applied, unchanged, rejected.");
pub const RULES: Metric = gauge("tidewaiter_rules_info", &["fingerprint"], "1 for the rules in force, 0 for earlier ones.");
pub const BUILD: Metric = gauge("tidewaiter_build_info", &["version"], "Always 1.");

/// All of them, in the order of the documentation.
pub const METRICS: [Metric; 25] = [
    RECORDS,
    OUTCOMES,
    DEAD_LETTERS,
    VERDICTS,
    ALERTS,
    STREAM_TIME,
    OPEN_WINDOWS,
    PARTITIONS,
    BUFFERED_BYTES,
    BATCH_SECONDS,
    COMMIT_SECONDS,
    LOOKUP_SECONDS,
    LOOKUP_ANSWERS,
    LOOKUP_CACHED,
    SQL_ROUND_TRIPS,
    SQL_CONNECTIONS,
    SQL_BREAKER,
    REPEATED,
    LAG,
    STREAM_TIME_BEHIND,
    OPEN,
    READY,
    RELOADS,
    RULES,
    BUILD,
];

/// Upper bounds of every histogram's buckets, in seconds: a commit takes milliseconds, one that repeats takes minutes.
pub const BUCKETS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];

/// How often the recorder tidies up what histograms gathered.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the process's recorder; what it gives renders all metrics in Prometheus' text form. `None` if one was installed
/// before.
#[must_use]
pub fn recorder() -> Option<metrics_exporter_prometheus::PrometheusHandle> {
    let builder = metrics_exporter_prometheus::PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?;
    let handle = builder.install_recorder().ok()?;
    describe();
    Some(handle)
}

/// Gives the installed recorder the help texts.
pub fn describe() {
    for Metric { name, kind, help, .. } in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

/// Names the variable that sets the log's level, in the syntax of tracing's `EnvFilter`.
pub const LOG_VARIABLE: &str = "TIDEWAITER_LOG";

/// Starts the log on standard error: for people on a terminal, JSON otherwise. Once per process; later calls change nothing.
pub fn log() {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let heard = heard(std::env::var(LOG_VARIABLE).ok().as_deref());
    let started = if io::stderr().is_terminal() {
        heard.with(layer).try_init()
    } else {
        heard.with(layer.json().flatten_event(true)).try_init()
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}

/// What is told unless somebody wishes otherwise.
const USUAL: &str = "info,librdkafka=warn";

/// Never told, whatever is wished for. The driver of SQL Server tells each error in the server's words, which may hold a row's
/// values (`Conversion failed when converting the varchar value …`); the Kafka binding tells what our own code gets as an error,
/// and handles.
const SILENT: [&str; 2] = ["tiberius", "rdkafka"];

/// What a log hears. A wish that does not read is none.
fn heard(wished: Option<&str>) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync {
    let wished = wished.and_then(|wished| EnvFilter::try_new(wished).ok()).unwrap_or_else(|| EnvFilter::new(USUAL));
    let is_silent = |target: &str| SILENT.iter().any(|silent| target.split("::").next() == Some(*silent));
    tracing_subscriber::registry().with(wished).with(filter_fn(move |metadata| !is_silent(metadata.target())))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a log with this wish tells of what two libraries and we say.
    fn told(wished: Option<&str>) -> String {
        #[derive(Clone, Default)]
        struct Paper(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Paper {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let paper = Paper::default();
        let written = paper.clone();
        let log = heard(wished).with(tracing_subscriber::fmt::layer().with_writer(move || paper.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::error!(target: "tiberius::tds::stream::token", "converting the varchar value 'Jane Roe'");
            tracing::error!(target: "rdkafka::consumer::base_consumer", "closing");
            tracing::warn!(target: "librdkafka", "broker away");
            tracing::debug!("ours");
        });
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn what_a_server_says_of_a_rows_values_is_not_told_whatever_is_wished_for() {
        for wished in [None, Some("trace"), Some("info,tiberius=trace"), Some("tiberius::tds::stream::token=trace,rdkafka=trace")]
        {
            let told = told(wished);
            assert!(!told.contains("Jane Roe") && !told.contains("closing"), "{wished:?}: {told}");
        }
        assert!(told(None).contains("broker away") && !told(None).contains("ours"));
        assert!(told(Some("debug")).contains("ours"));
        assert!(told(Some("=,=")).contains("broker away"), "not a filter");
    }

    #[test]
    fn metric_names_are_distinct_and_follow_the_naming_law() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for Metric { name, kind, help, .. } in METRICS {
            assert!(name.starts_with("tidewaiter_") && help.ends_with('.'), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
        }
    }
}
