//! The generated workloads, and how their variants are run and compared.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::capture::{Record, text_of};
use super::common::{Input, assert_same_alerts, normalised, root};

#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Decimals of its amounts.
    pub(crate) scale: usize,
    pub(crate) records: Vec<Record>,
    /// What an independent implementation made of it.
    pub(crate) expected: Vec<Value>,
    /// Ours, of the records as they are.
    pub(crate) alerts: Vec<Value>,
    input: Input,
}

/// What may differ between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum But {
    /// Nothing: byte for byte the same file, but for `detected_at`.
    Nothing,
    /// Offsets, since records came between.
    Offsets,
    /// Partitions and offsets, and the order of alerts of different agreements.
    Places,
    /// As `Nothing`, but amounts compare as numbers, and sentences may show them otherwise.
    Decimals,
}

impl Workload {
    fn load(name: &'static str, scale: usize) -> Self {
        let folder = root().join("tests/data/workloads").join(name);
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("metamorphic-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let profiles = scratch.join("profiles.sqlite");
        std::fs::write(&profiles, unzipped(&folder.join("profiles.sqlite.gz"))).unwrap();
        let events = scratch.join("events.jsonl");
        std::fs::write(&events, unzipped(&folder.join("events.jsonl.gz"))).unwrap();
        let text = |file: &str| String::from_utf8(unzipped(&folder.join(file))).unwrap();
        let records: Vec<Record> = text("events.jsonl.gz").lines().map(Record::parse).collect();
        let expected = text("expected.jsonl.gz").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let input = Input { events: vec![events], profiles, rules: folder.join("rules.toml"), args: Vec::new() };
        let alerts = input.alerts();
        Self { name, scale, records, expected, alerts, input }
    }

    /// The alerts of other files and options.
    #[track_caller]
    pub(crate) fn alerts_of(&self, events: Vec<PathBuf>, args: &[&str]) -> Vec<Value> {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Input { args, ..self.input.with_events(events) }.alerts()
    }

    /// The command that reads `-`.
    pub(crate) fn command_on_stdin(&self) -> std::process::Command {
        self.input.with_events(vec!["-".into()]).command()
    }

    /// Runs these records instead of the workload's own, and expects the workload's alerts.
    #[track_caller]
    pub(crate) fn same(&self, what: &str, but: But, records: &[Record]) {
        self.same_with(what, but, &text_of(records), &[]);
    }

    /// Runs this capture file with these options, and expects the workload's alerts.
    #[track_caller]
    pub(crate) fn same_with(&self, what: &str, but: But, capture: &str, args: &[&str]) {
        self.same_files(what, but, &[("events.jsonl", capture.as_bytes())], args);
    }

    #[track_caller]
    pub(crate) fn same_files(&self, what: &str, but: But, files: &[(&str, &[u8])], args: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let write = |(name, bytes): &(&str, &[u8])| {
            let path = folder.path().join(name);
            std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
            path
        };
        let alerts = self.alerts_of(files.iter().map(write).collect(), args);
        self.compare(what, but, &alerts);
    }

    #[track_caller]
    pub(crate) fn compare(&self, what: &str, but: But, actual: &[Value]) {
        let what = format!("{}, {what}", self.name);
        let (expected, actual) = (but.apply(&self.alerts), but.apply(actual));
        assert_same_alerts(&what, &expected, &actual);
        if but != But::Places {
            assert!(expected == actual, "{what}: the alerts of each agreement are the same, but their order in the file is not");
        }
    }
}

impl But {
    fn apply(self, alerts: &[Value]) -> Vec<Value> {
        let without: &[&str] = if self == Self::Decimals { &["detected_at", "explanation"] } else { &["detected_at"] };
        alerts.iter().map(|alert| self.strip(alert.clone(), without)).collect()
    }

    fn strip(self, mut alert: Value, without: &[&str]) -> Value {
        let places: &[&str] = match self {
            Self::Nothing | Self::Decimals => &[],
            Self::Offsets => &["offset"],
            Self::Places => &["offset", "partition"],
        };
        let (mut trigger, mut related) = (alert["trigger"].take(), alert["related"].take());
        for change in related.as_array_mut().unwrap().iter_mut().chain([&mut trigger]) {
            for place in places {
                change.as_object_mut().unwrap().remove(*place).unwrap();
            }
        }
        (alert["trigger"], alert["related"]) = (trigger, related);
        if self == Self::Decimals {
            return normalised(alert, without);
        }
        for field in without {
            alert.as_object_mut().unwrap().remove(*field);
        }
        alert
    }
}

fn unzipped(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

static WORKLOADS: LazyLock<Vec<Workload>> = LazyLock::new(|| {
    [("none-default", 2), ("none-random", 4), ("mild-default", 4), ("mild-random", 2), ("wild-default", 2), ("wild-random", 4)]
        .into_iter()
        .map(|(name, scale)| Workload::load(name, scale))
        .collect()
});

pub(crate) fn all() -> &'static [Workload] {
    &WORKLOADS
}

/// Without re-deliveries and bad messages, so that the order in which the connector wrote is known.
pub(crate) fn tidy() -> &'static [Workload] {
    &WORKLOADS[..2]
}

/// Without bad messages, so that every amount has its form.
pub(crate) fn well_formed() -> &'static [Workload] {
    &WORKLOADS[..4]
}
