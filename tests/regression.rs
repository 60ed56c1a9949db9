//! What went wrong once, through the real binary.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{json_lines, run, tidewaiter};

/// A payment of 5000.00, which R2 reports.
fn payment(counter: u32, commit: u32, offset: i64) -> String {
    let value = serde_json::json!({
        "op": "c",
        "before": null,
        "after": {
            "TransCounter": counter, "TransAgreementNumber": "A1", "TransDate": "2026-01-12", "TransTypeID": 7,
            "TransNetPayment": "5000.00",
        },
        "source": {"ts_ms": 1_768_208_400_000_i64, "commit_lsn": format!("0000002b:{commit:08x}:0001"), "change_lsn": null},
    });
    let topic = "sentinel.SentinelMock.dbo.Transaction";
    serde_json::json!({"topic": topic, "partition": 0, "offset": offset, "key": null, "payload": value.to_string()}).to_string()
}

fn capture(folder: &Path, lines: impl IntoIterator<Item = String>) -> std::path::PathBuf {
    let path = folder.join("events.jsonl");
    let text = lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    });
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn an_output_never_takes_the_place_of_an_input_or_of_another_output() {
    let folder = tempfile::tempdir().unwrap();
    let input = capture(folder.path(), [payment(1, 1, 0)]);
    let before = std::fs::read(&input).unwrap();
    let link = folder.path().join("link.jsonl");
    std::os::unix::fs::symlink(&input, &link).unwrap();
    for output in [input.clone(), folder.path().join("./events.jsonl"), link] {
        let output = run(tidewaiter().args(["backtest", "--input"]).arg(&input).arg("--alerts").arg(output), 2);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("would be written over") && told.contains("hint: "), "{told}");
    }
    assert_eq!(std::fs::read(&input).unwrap(), before);

    let same = folder.path().join("out.jsonl");
    run(tidewaiter().args(["backtest", "--input"]).arg(&input).arg("--alerts").arg(&same).arg("--verdicts").arg(&same), 2);
    assert!(!same.exists());
    run(tidewaiter().args(["backtest", "--input"]).arg(&input).args(["--alerts", "/dev/null", "--verdicts", "/dev/null"]), 0);
}

#[test]
fn the_highest_offset_does_not_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (input, alerts) = (capture(folder.path(), [payment(1, 1, i64::MAX)]), folder.path().join("alerts.jsonl"));
    run(tidewaiter().args(["backtest", "--input"]).arg(&input).arg("--alerts").arg(&alerts), 0);
    assert_eq!(json_lines(&alerts).len(), 1);
}

#[test]
fn records_that_share_an_offset_are_told_apart_by_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [payment(1, 1, 0), payment(2, 2, 0), payment(2, 2, 0)];
    let (input, alerts) = (capture(folder.path(), lines), folder.path().join("alerts.jsonl"));
    let output = run(tidewaiter().args(["backtest", "--format", "json", "--input"]).arg(&input).arg("--alerts").arg(&alerts), 0);
    assert_eq!(json_lines(&alerts).len(), 2);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["records"], &summary["redelivered"]), (&3.into(), &1.into()));
}

#[test]
fn bad_messages_behind_the_last_change_are_written_and_counted_all() {
    const BAD: usize = 3_000;
    let folder = tempfile::tempdir().unwrap();
    let bad = (1..=BAD).map(|offset| payment(1, 1, i64::try_from(offset).unwrap()).replace("5000.00", "5,000.00"));
    let input = capture(folder.path(), std::iter::once(payment(1, 1, 0)).chain(bad));
    let (alerts, letters) = (folder.path().join("alerts.jsonl"), folder.path().join("dead.jsonl"));
    let mut command = tidewaiter();
    command.args(["backtest", "--format", "json", "--input"]).arg(&input);
    let output = run(command.arg("--alerts").arg(&alerts).arg("--dead-letters").arg(&letters), 0);
    let offsets: Vec<_> = json_lines(&letters).iter().map(|letter| letter["offset"].as_u64().unwrap()).collect();
    assert!(offsets.iter().copied().eq(1..=BAD as u64), "all, in their order");
    assert_eq!(json_lines(&alerts).len(), 1);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["records"], BAD + 1);
    assert_eq!(summary["bad_messages"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>(), BAD as u64);
}

#[test]
fn several_captures_may_follow_one_input_as_a_shell_expands_them() {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in [("a.jsonl", [payment(1, 1, 0)]), ("b.jsonl", [payment(2, 2, 1)])] {
        std::fs::rename(capture(folder.path(), lines), folder.path().join(name)).unwrap();
    }
    let mut command = tidewaiter();
    command.current_dir(folder.path()).args(["backtest", "--input", "b.jsonl", "a.jsonl", "--alerts", "alerts.out"]);
    run(&mut command, 0);
    assert_eq!(json_lines(&folder.path().join("alerts.out")).len(), 2);
}

#[test]
fn messages_that_cannot_be_read_are_told_with_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let input = capture(folder.path(), [payment(1, 1, 0), payment(2, 2, 1)]);
    let output = run(tidewaiter().args(["backtest", "--decimals", "number", "--input"]).arg(input), 0);
    let said = String::from_utf8(output.stderr).unwrap();
    let first =
        "note: the first message that could not be read: sentinel.SentinelMock.dbo.Transaction/0/0: after.TransNetPayment";
    assert!(said.starts_with(first) && said.contains("hint: "), "{said}");
}

#[test]
fn precise_amounts_without_a_scale_are_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, alerts) = (folder.path().join("nowhere.jsonl"), folder.path().join("alerts.jsonl"));
    let mut command = tidewaiter();
    command.args(["backtest", "--decimals", "precise", "--input"]).arg(nowhere).arg("--alerts").arg(&alerts);
    let said = String::from_utf8(run(&mut command, 2).stderr).unwrap();
    assert!(said.starts_with("error: --decimals precise: ") && said.contains("\nhint: add --scale 2 "), "{said}");
    assert!(!alerts.exists());
}
