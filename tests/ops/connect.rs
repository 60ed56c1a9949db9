//! `check --connect`: what the daemon would meet.

use std::fs;
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use tidewaiter::event::{Origin, Record, Topic};
use tidewaiter::io::kafka::EmbeddedBroker;

use super::daemon::{AGREEMENT, TRANSACTION, opening, payment};

/// Exit code and what is told.
fn check(bootstrap_servers: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("daemon.toml");
    let config = format!(
        "[source]\nprefix = \"ops\"\ndatabase = \"SentinelMock\"\n[kafka]\nbootstrap_servers = \"{bootstrap_servers}\"\n[ops]\nlisten = \"off\"\n"
    );
    fs::write(&path, config).unwrap();
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    let output = command.args(["check", "--connect", "--config", path.to_str().unwrap()]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

fn produce(broker: &EmbeddedBroker, topic: &str, key: &str, value: &str) {
    let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
    let record = Record { origin, timestamp_ms: None, key: Some(key.as_bytes()), value: Some(value.as_bytes()), headers: &[] };
    broker.produce(&record).unwrap();
    broker.flush().unwrap();
}

#[test]
fn it_tells_partition_counts_keys_and_messages_that_cannot_be_read() {
    let topics =
        [(AGREEMENT, 1), (TRANSACTION, 2), ("tidewaiter.alerts", 1), ("tidewaiter.dead-letters", 1), ("tidewaiter.changelog", 2)];
    let broker = EmbeddedBroker::start(&topics).unwrap();
    produce(&broker, AGREEMENT, "frh0000400", &opening("FRH0000400", 1));
    produce(&broker, TRANSACTION, "{\"TransCounter\":2}", &payment("FRH0000401", 2));
    let (code, told) = check(broker.bootstrap_servers());
    assert_eq!(code, Some(0), "notes are no findings: {told}");
    for line in [
        format!("ok: {AGREEMENT}: 1 partition\n"),
        format!("ok: {TRANSACTION}: 2 partitions\n"),
        format!("ok: {AGREEMENT}: keyed by the agreement number\n"),
        format!("note: {TRANSACTION}: not keyed by the agreement number"),
        "ok: the offsets of the group tidewaiter can be read".to_owned(),
        "ok: transactions can be used under ids that begin with tidewaiter-".to_owned(),
        "note: the input topics differ in their partition counts".to_owned(),
        "hint: run one member, or have the connector key both topics".to_owned(),
    ] {
        assert!(told.contains(&line), "{line} in {told}");
    }
    assert_eq!(told.matches("hint: run one member").count(), 1, "two findings have this hint: {told}");
    produce(&broker, AGREEMENT, "k", "{\"flattened\":true}");
    let (code, told) = check(broker.bootstrap_servers());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("problem: ") && told.contains("1 of its last 2 records cannot be read"), "{told}");
}

#[test]
fn a_broker_that_cannot_be_reached_is_a_finding_with_a_hint() {
    let (code, told) = check("127.0.0.1:1");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("problem: ") && told.contains("hint: check kafka.bootstrap_servers"), "{told}");
}
