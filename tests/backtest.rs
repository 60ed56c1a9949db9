//! `tidewaiter backtest` as a user meets it, through the real binary: where its output goes, and what it says of what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, File, OpenOptions};
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

/// Runs what must fail and gives what it says; nothing may be left in the folder of its outputs.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = common::tidewaiter();
    command.current_dir(root()).arg("backtest").args(args);
    for output in ["alerts", "verdicts", "dead-letters"] {
        command.arg(format!("--{output}")).arg(folder.path().join(output));
    }
    let output = run(&mut command, 2);
    assert_eq!((output.stdout.as_slice(), count(folder.path())), (&b""[..], 0), "{args:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: ") && !told.contains("panicked") && !told.contains(".partial"), "{told}");
    told
}

const EVENTS: &str = "tests/data/cases/split-and-late/events.jsonl";

#[test]
fn inputs_that_cannot_be_read_are_told_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let zstd = zstd::encode_all(File::open(root().join(EVENTS)).unwrap(), 3).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::copy(&mut File::open(root().join(EVENTS)).unwrap(), &mut gzip).unwrap();
    let gzip = gzip.finish().unwrap();
    let damaged = |bytes: &[u8]| {
        let middle = bytes.len() / 2;
        let flipped = |(at, byte): (usize, &u8)| if (middle..middle + 40).contains(&at) { !byte } else { *byte };
        bytes.iter().enumerate().map(flipped).collect::<Vec<u8>>()
    };
    for (input, said, hint) in [
        ("nowhere.jsonl".to_owned(), "cannot read nowhere.jsonl: No such file", "check the path"),
        ("nowhere/*.jsonl".to_owned(), "no file matches `nowhere/*.jsonl`", "a pattern counts from"),
        ("[".to_owned(), "`[` is not a valid pattern", "write [[]"),
        ("tests".to_owned(), "cannot read tests: Is a directory", "this is a folder: name the files"),
        (file("cut.gz", &gzip[..gzip.len() / 2]), "cut.gz: incomplete", "the compressed file is cut off"),
        (file("cut.zst", &zstd[..zstd.len() / 2]), "cut.zst: incomplete", "the compressed file is cut off"),
        (file("damaged.gz", &damaged(&gzip)), "damaged.gz: ", "is the compressed file damaged?"),
        (file("damaged.zst", &damaged(&zstd)), "damaged.zst: ", "is the compressed file damaged?"),
        (file("no.gz", b"this is no gzip file"), "no.gz:1: not a line of a capture file", "a capture file is what `kcat"),
        ("README.md".to_owned(), "README.md:1: not a line of a capture file", "a capture file is what `kcat"),
    ] {
        let told = refused(&["--input", EVENTS, "--input", &input]);
        assert!(told.contains(said) && told.contains(&format!("\nhint: {hint}")), "{input}: {told}");
    }
}

#[test]
fn profiles_and_rules_that_cannot_be_used_are_told_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let database = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = database("missing.sqlite", "CREATE TABLE Agreement (AgreementNumber TEXT)");
    let narrow = database(
        "narrow.sqlite",
        "CREATE TABLE Agreement (AgreementNumber TEXT); CREATE TABLE PaymentProfile (PayProID INTEGER);
         CREATE TABLE CustomProfile (CPAgreement TEXT)",
    );
    for (option, file, said, hint) in [
        ("--profiles", "nowhere.sqlite", "cannot open nowhere.sqlite: No such file", "hint: check the path"),
        ("--profiles", "tests", "cannot open tests: Is a directory", "hint: this is a folder"),
        ("--profiles", EVENTS, "is not an SQLite database", "hint: it must be a database of SQLite 3"),
        ("--profiles", &missing, "has no table CustomProfile", "hint: the database has Agreement"),
        ("--profiles", &narrow, "lacks CP", "hint: columns have the names"),
        ("--rules", "nowhere.toml", "cannot read nowhere.toml: No such file", "hint: check the path"),
        ("--rules", "tests", "cannot read tests: Is a directory", "hint: this is a folder"),
        ("--rules", "tests/data/rules/broken/durations.toml", "durations.toml:2:12: ", "  hint: "),
        ("--rules", EVENTS, "events.jsonl:1:1: ", "\n"),
    ] {
        let told = refused(&["--input", EVENTS, option, file]);
        assert!(told.contains(said) && told.contains(hint), "{option} {file}: {told}");
    }
}

#[test]
fn outputs_that_cannot_be_written_are_told_with_a_hint_before_anything_is_read() {
    for (output, said, hint) in [
        ("nowhere/alerts.jsonl", "cannot write nowhere/alerts.jsonl: No such file", "the folder must exist"),
        ("tests", "cannot write tests: Is a directory", "this is a folder"),
    ] {
        let mut command = common::tidewaiter();
        command.current_dir(root()).args(["backtest", "--input", "README.md", "--alerts", output]);
        let told = String::from_utf8(run(&mut command, 2).stderr).unwrap();
        assert!(told.contains(said) && told.contains(&format!("\nhint: {hint}")), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_at_the_end_is_told_without_a_temporary_name() {
    let mut command = case().command();
    let told = String::from_utf8(run(command.args(["--verdicts", "/dev/full"]), 2).stderr).unwrap();
    let expected = "error: cannot write /dev/full: No space left on device (os error 28)\nhint: the disk is full; ";
    assert!(told.starts_with(expected), "{told}");
}
