//! `tidewaiter backtest` as a user meets it, through the real binary: where its output goes, and what it says of what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Stdio;

use common::{Input, VOLATILE, json_lines, normalised, root, run};
use serde_json::Value;

/// A case that raises several alerts.
fn case() -> Input {
    Input::of_folder(&root().join("tests/data/cases/split-and-late"))
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let values = std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap());
    values.map(|alert| normalised(alert, VOLATILE)).collect()
}

/// The alerts as a file holds them.
fn alerts() -> Vec<Value> {
    case().alerts().into_iter().map(|alert| normalised(alert, VOLATILE)).collect()
}

/// How many files and folders a folder holds.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_dash_is_standard_output_which_then_holds_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(case().command().current_dir(folder.path()).args(["--alerts", "-"]), 0);
    assert_eq!(lines(&output.stdout), alerts());
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.starts_with("records ") && summary.contains("records a second"), "{summary}");
    assert_eq!(count(folder.path()), 0, "no file is named -");

    let output = run(case().command().args(["--format", "json", "--verdicts", "-"]), 0);
    let verdicts = lines(&output.stdout);
    assert!(verdicts.len() > 5 && verdicts.iter().all(|line| line.get("verdicts").is_some()), "{verdicts:#?}");
    let summary: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(summary["records"].as_u64() > Some(0));

    let bad = Input::of_folder(&root().join("tests/data/cases/bad-messages"));
    let alerts = folder.path().join("alerts.jsonl");
    let output = run(bad.command().args(["--dead-letters", "-", "--alerts"]).arg(&alerts), 0);
    let letters = lines(&output.stdout);
    assert!(letters.len() > 5 && letters.iter().all(|line| line.get("reason").is_some()), "{letters:#?}");
    assert!(!json_lines(&alerts).is_empty(), "the other outputs are files as ever");
}

#[test]
fn a_file_named_dash_is_written_where_its_path_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(case().command().current_dir(folder.path()).args(["--alerts", "./-"]), 0);
    assert!(output.stdout.starts_with(b"records "), "the summary is where it is without a dash");
    assert_eq!(lines(&fs::read(folder.path().join("-")).unwrap()), alerts());
}

#[test]
fn only_one_output_can_be_standard_output() {
    for [one, other] in [["--alerts", "--verdicts"], ["--verdicts", "--dead-letters"], ["--alerts", "--dead-letters"]] {
        let output = run(case().command().args([one, "-", other, "-"]), 2);
        let told = String::from_utf8(output.stderr).unwrap();
        let expected = "error: several outputs would be mixed on standard output\nhint: at most one of --alerts, --verdicts and \
                        --dead-letters can be -\n";
        assert_eq!((told.as_str(), output.stdout.as_slice()), (expected, &b""[..]));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error_and_the_other_outputs_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = folder.path().join("verdicts.jsonl");
    let mut command = case().command();
    command.args(["--alerts", "-", "--verdicts"]).arg(&verdicts);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("records ") && !told.contains("error"), "{told}");
    assert!(json_lines(&verdicts).len() > 5);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_an_error_and_no_other_output_appears() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = case().command();
    command.args(["--alerts", "-", "--verdicts"]).arg(folder.path().join("verdicts.jsonl"));
    let output = run(command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap()), 2);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: cannot write to standard output: No space left on device"), "{told}");
    assert_eq!(count(folder.path()), 0);
}
