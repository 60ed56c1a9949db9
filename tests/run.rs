//! `tidewaiter run`, through the real binary, on the embedded broker.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tidewaiter::event::{Origin, Record, Topic};
use tidewaiter::io::kafka::EmbeddedBroker;

const AGREEMENT: &str = "run.SentinelMock.dbo.Agreement";
const OPENING: &str = r#"{"before":null,"after":{"AgreementNumber":"FRH0000400","AgreementCurrentBalanceNET":"1000.00",
    "AgreementSettledFlag":false},"source":{"db":"SentinelMock","schema":"dbo","table":"Agreement","ts_ms":1768208400007,
    "commit_lsn":"0000002b:00000e10:0002","change_lsn":"0000002b:00000e10:0001","event_serial_no":1},"op":"c"}"#;

fn tidewaiter(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.args(args).env("TIDEWAITER_LOG", "info");
    command
}

/// The first record of the topic's only partition.
fn first(broker: &EmbeddedBroker, topic: &str) -> Option<(String, String)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers()).set("group.id", "test").set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.set("isolation.level", "read_committed").create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let message = consumer.poll(Duration::from_secs(20))?.unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    Some((text(message.key()), text(message.payload())))
}

#[test]
fn the_daemon_turns_a_record_into_an_alert_and_leaves_within_five_seconds_of_sigterm() {
    let broker = EmbeddedBroker::start(&[
        (AGREEMENT, 1),
        ("run.SentinelMock.dbo.Transaction", 1),
        ("tidewaiter.alerts", 1),
        ("tidewaiter.dead-letters", 1),
        ("tidewaiter.changelog", 1),
    ])
    .unwrap();
    let origin = Origin { topic: Topic::intern(AGREEMENT), partition: 0, offset: 0 };
    let record = Record { origin, timestamp_ms: None, key: None, value: Some(OPENING.as_bytes()), headers: &[] };
    broker.produce(&record).unwrap();
    broker.flush().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("daemon.toml");
    let smallest = format!(
        "[source]\nprefix = \"run\"\ndatabase = \"SentinelMock\"\n[kafka]\nbootstrap_servers = \"{}\"\n",
        broker.bootstrap_servers()
    );
    fs::write(&config, smallest).unwrap();

    let path = config.to_str().unwrap();
    let mut daemon = tidewaiter(&["run", "--config", path]).stderr(Stdio::piped()).spawn().unwrap();
    let alert = first(&broker, "tidewaiter.alerts");
    // the shell's own: a bare Debian has no program of that name
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", daemon.id())]).status().unwrap().success());
    let asked = Instant::now();
    while daemon.try_wait().unwrap().is_none() && asked.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = asked.elapsed();
    if daemon.try_wait().unwrap().is_none() {
        daemon.kill().unwrap();
    }
    let output = daemon.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let (key, value) = alert.unwrap_or_else(|| panic!("no alert; the log says: {log}"));
    assert_eq!(key, "FRH0000400");
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    assert_eq!((&value["rule"], &value["trigger"]["topic"]), (&"R4".into(), &AGREEMENT.into()));
    assert!(output.status.success(), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    // not on a terminal, so each line is JSON
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "started"), "{log}");
    assert!(!log.contains("FRH0000400"), "no row's value is logged");
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_place_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("daemon.toml");
    fs::write(&config, "[kafka]\nbootstrap_server = \"b:1\"\n").unwrap();
    let output = tidewaiter(&["run", "--config", config.to_str().unwrap()]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("daemon.toml:2:") && told.contains("did you mean `bootstrap_servers`?"), "{told}");

    let checked = tidewaiter(&["check", "--config", config.to_str().unwrap()]).output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8(checked.stdout).unwrap().contains("did you mean `bootstrap_servers`?"));
}
