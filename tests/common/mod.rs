//! What the black-box tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders below `tests/data/cases` and, where this checkout lies beside it, `../shared/cases`.
pub(crate) fn case_folders() -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    for cases in [root().join("../shared/cases"), root().join("tests/data/cases")] {
        let Ok(entries) = std::fs::read_dir(&cases) else { continue };
        for folder in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            found.insert(folder.file_name().unwrap().to_owned(), folder);
        }
    }
    found.into_values().collect()
}

/// A command of the real binary.
pub(crate) fn tidewaiter() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tidewaiter"));
    command.env_remove("RUST_LOG");
    command
}

/// Runs a command that must exit with `code`; shows what it said otherwise.
#[track_caller]
pub(crate) fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}\nstdout:\n{out}\nstderr:\n{err}");
    output
}

/// A case's or workload's input, profiles and rules.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) events: Vec<PathBuf>,
    pub(crate) profiles: PathBuf,
    pub(crate) rules: PathBuf,
    pub(crate) args: Vec<String>,
}

impl Input {
    pub(crate) fn of_folder(folder: &Path) -> Self {
        let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
        Self {
            events: vec![folder.join("events.jsonl")],
            profiles: folder.join("profiles.sqlite"),
            rules: folder.join("rules.toml"),
            args: args.split_whitespace().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn with_events(&self, events: Vec<PathBuf>) -> Self {
        Self { events, ..self.clone() }
    }

    /// Runs `backtest` and gives the alerts as they were written.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let alerts = folder.path().join("alerts.jsonl");
        run(self.command().arg("--alerts").arg(&alerts), 0);
        json_lines(&alerts)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = tidewaiter();
        command.arg("backtest");
        for events in &self.events {
            command.arg("--input").arg(events);
        }
        command.arg("--profiles").arg(&self.profiles).arg("--rules").arg(&self.rules).args(&self.args);
        command
    }
}

pub(crate) fn json_lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Which fields two runs may differ in.
pub(crate) const VOLATILE: &[&str] = &["detected_at"];
/// Which fields the cases leave open.
pub(crate) const OPEN_IN_CASES: &[&str] = &["detected_at", "explanation", "rules_fingerprint"];

/// Takes away fields, and trailing zeros of amounts (more decimals than the source's are right too).
pub(crate) fn normalised(mut alert: Value, without: &[&str]) -> Value {
    for field in without {
        alert.as_object_mut().unwrap().remove(*field);
    }
    for (object, fields) in AMOUNTS {
        for field in *fields {
            if let Some(Value::String(amount)) = alert.get_mut(object).and_then(|object| object.get_mut(field))
                && amount.contains('.')
            {
                *amount = amount.trim_end_matches('0').trim_end_matches('.').to_owned();
            }
        }
    }
    alert
}

const AMOUNTS: &[(&str, &[&str])] = &[
    ("movement", &["amount", "balance_before", "balance_after"]),
    ("expected", &["amount"]),
    ("threshold", &["max_percent_over", "min_excess", "max_amount"]),
    ("settlement", &["balance"]),
    ("opening", &["principal"]),
];

/// Compares alerts: as a whole without order, and per agreement in order.
#[track_caller]
pub(crate) fn assert_same_alerts(what: &str, expected: &[Value], actual: &[Value]) {
    let by_agreement = |alerts: &[Value]| {
        let mut agreements: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for alert in alerts {
            agreements.entry(alert["agreement_number"].as_str().unwrap().to_owned()).or_default().push(alert.to_string());
        }
        agreements
    };
    let (expected, actual) = (by_agreement(expected), by_agreement(actual));
    let numbers: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    let differing: Vec<_> = numbers.into_iter().filter(|number| expected.get(*number) != actual.get(*number)).collect();
    let show = |alerts: Option<&Vec<String>>| alerts.map_or("none".to_owned(), |alerts| alerts.join("\n  "));
    if let Some(number) = differing.first() {
        panic!(
            "{what}: alerts of {} agreements differ, first {number}\nexpected:\n  {}\nactual:\n  {}",
            differing.len(),
            show(expected.get(*number)),
            show(actual.get(*number))
        );
    }
}

/// Compares alerts that may come in any order, as those of a case's `expected.jsonl`.
#[track_caller]
pub(crate) fn assert_same_set(what: &str, expected: &[Value], actual: &[Value]) {
    let sorted = |alerts: &[Value]| {
        let mut alerts = alerts.to_vec();
        alerts.sort_by_key(|alert| (alert["agreement_number"].to_string(), alert["alert_id"].to_string()));
        alerts
    };
    assert_same_alerts(what, &sorted(expected), &sorted(actual));
}
