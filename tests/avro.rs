//! Messages in Confluent's Avro form, through the real binary: `backtest` and `run` ask a schema registry.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "support/corpus.rs"]
#[expect(dead_code, reason = "shared with the corpus test, which reads more")]
mod corpus;
#[path = "support/registry.rs"]
#[expect(dead_code, reason = "shared with the registry test, which does more")]
mod registry;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::{VOLATILE, json_lines, normalised, run, tidewaiter};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use registry::{Reply, Server, after_failures, answers};
use serde_json::Value;
use tidewaiter::event::{Origin, Record, Topic};
use tidewaiter::io::kafka::EmbeddedBroker;

const PASSWORD: &str = "TIDEWAITER_REGISTRY_PASSWORD";

fn schemas() -> PathBuf {
    corpus::corpus().join("i_avro_confluent_precise.schemas.json")
}

/// A corpus file as a capture.
fn capture(folder: &Path, variant: &str) -> PathBuf {
    let mut text = String::new();
    for (_, record) in corpus::lines(variant) {
        let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
        let headers: Vec<&str> =
            record.headers.iter().flat_map(|(name, value)| [name.as_str(), std::str::from_utf8(value).unwrap()]).collect();
        let line = serde_json::json!({
            "topic": record.origin.topic.name(),
            "partition": record.origin.partition,
            "offset": record.origin.offset,
            "headers": headers,
            "key_b64": base64(&record.key),
            "payload_b64": base64(&record.value),
        });
        writeln!(text, "{line}").unwrap();
    }
    let path = folder.join(format!("{variant}.jsonl"));
    fs::write(&path, text).unwrap();
    path
}

fn backtest(input: &Path, alerts: &Path) -> Command {
    let mut command = tidewaiter();
    command.env_remove(PASSWORD).args(["backtest", "--format", "json", "--input"]).arg(input).arg("--alerts").arg(alerts);
    command
}

fn alerts_of(command: &mut Command, alerts: &Path) -> Vec<Value> {
    run(command, 0);
    json_lines(alerts).into_iter().map(|alert| normalised(alert, VOLATILE)).collect()
}

fn told(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_backtest_of_avro_gives_the_alerts_of_the_same_changes_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let (alerts, rules) = (folder.path().join("alerts.jsonl"), folder.path().join("rules.toml"));
    // so that the payment of the corpus raises something, too
    fs::write(&rules, "[rules.R2]\nmax_amount = \"100.00\"\n").unwrap();
    let backtest = |input: &Path, alerts: &Path| {
        let mut command = backtest(input, alerts);
        command.arg("--rules").arg(&rules);
        command
    };
    let of_json = alerts_of(&mut backtest(&capture(folder.path(), "a"), &alerts), &alerts);
    let rules_of = |alerts: &[Value]| alerts.iter().map(|alert| alert["rule"].clone()).collect::<Vec<_>>();
    assert!(rules_of(&of_json).contains(&"R2".into()) && rules_of(&of_json).contains(&"R4".into()), "{of_json:?}");

    let avro = capture(folder.path(), "i");
    let server = Server::start(answers(&schemas()));
    let of_avro = alerts_of(backtest(&avro, &alerts).args(["--registry", &server.url()]), &alerts);
    assert_eq!(of_avro, of_json);

    let server = after_failures(2, answers(&schemas()));
    let of_avro = alerts_of(backtest(&avro, &alerts).args(["--registry", &server.url()]), &alerts);
    assert_eq!(of_avro, of_json, "a registry that is away for a moment is waited for");
}

#[test]
fn without_a_registry_avro_messages_are_dead_letters_with_the_hint_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let (avro, alerts, letters) = (capture(folder.path(), "i"), folder.path().join("alerts"), folder.path().join("letters"));
    let output = run(backtest(&avro, &alerts).arg("--dead-letters").arg(&letters), 0);
    assert_eq!(json_lines(&alerts), Vec::<Value>::new());
    let letters = json_lines(&letters);
    assert!(letters.len() > 5 && letters.iter().all(|letter| letter["hint"].as_str().unwrap().contains("--registry URL")));
    assert!(told(&output).contains("configure a schema registry"), "{}", told(&output));
}

#[test]
fn a_registry_that_stays_away_stops_a_backtest_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = tempfile::tempdir().unwrap();
    let (avro, alerts) = (capture(input.path(), "i"), folder.path().join("alerts.jsonl"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(backtest(&avro, &alerts).args(["--registry", &format!("http://{closed}")]), 2);
    let told = told(&output);
    assert!(told.starts_with(&format!("error: schema registry http://{closed} cannot be reached: ")), "{told}");
    assert!(told.contains("\nhint: "), "{told}");
    assert_eq!((output.stdout.as_slice(), fs::read_dir(folder.path()).unwrap().count()), (&b""[..], 0));
}

#[test]
fn credentials_come_from_the_environment_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (avro, alerts) = (capture(folder.path(), "i"), folder.path().join("alerts.jsonl"));
    let server = Server::start(answers(&schemas()));
    let with_user = || {
        let mut command = backtest(&avro, &alerts);
        command.args(["--registry", &server.url(), "--registry-user", "tide"]);
        command
    };
    let output = run(&mut with_user(), 2);
    assert!(told(&output).contains(PASSWORD) && told(&output).contains("\nhint: "), "{}", told(&output));
    assert_eq!(server.request_count(), 0);

    run(with_user().env(PASSWORD, "hunter2"), 0);
    let basic = format!("Basic {}", BASE64_STANDARD.encode("tide:hunter2"));
    assert!(server.requests.lock().unwrap().iter().all(|(_, authorization)| authorization.as_ref() == Some(&basic)));

    let refusing = Server::start(|_| Reply::Answer(401, String::new()));
    let mut command = backtest(&avro, &alerts);
    command.args(["--registry", &refusing.url(), "--registry-user", "tide"]).env(PASSWORD, "hunter2");
    let output = run(&mut command, 2);
    assert!(told(&output).contains("refuses the credentials") && !told(&output).contains("hunter2"), "{}", told(&output));
    assert_eq!(refusing.request_count(), 1, "a password does not become right by asking again");
}

#[test]
fn what_is_wrong_with_the_options_is_told_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, alerts) = (folder.path().join("nowhere.jsonl"), folder.path().join("alerts.jsonl"));
    for (args, part) in [
        (&["--registry", "http://tide:hunter2@a"][..], "holds no credentials\nhint: "),
        (&["--registry", "a:8081"], "begins with http:// or https://"),
        (&["--registry", "https://a", "--registry-ca", "/nowhere.pem"], "cannot read the schema registry's certificate"),
        (&["--registry-user", "tide"], "--registry <URL>"),
    ] {
        let output = run(backtest(&nowhere, &alerts).args(args), 2);
        assert!(told(&output).contains(part) && !told(&output).contains("hunter2"), "{args:?}: {}", told(&output));
    }
}

/// The first `count` records of the topic's only partition.
fn records(broker: &EmbeddedBroker, topic: &str, count: usize) -> Vec<Value> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers()).set("group.id", "test").set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.set("isolation.level", "read_committed").create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let next = || consumer.poll(Duration::from_secs(20)).expect("within twenty seconds").unwrap();
    (0..count).map(|_| serde_json::from_slice(next().payload().unwrap()).unwrap()).collect()
}

#[test]
fn the_daemon_waits_for_a_registry_that_is_away_and_then_reads_avro() {
    let topics = ["Transaction", "Agreement"].map(|table| format!("sentinel.SentinelMock.dbo.{table}"));
    let outputs = ["tidewaiter.alerts", "tidewaiter.dead-letters", "tidewaiter.changelog"];
    let all: Vec<_> = topics.iter().map(String::as_str).chain(outputs).map(|topic| (topic, 1)).collect();
    let broker = EmbeddedBroker::start(&all).unwrap();
    let (_, opening) = corpus::lines("i").into_iter().find(|(line, _)| line.note == "insert Agreement").unwrap();
    let origin = Origin { topic: Topic::intern(&topics[1]), partition: 0, offset: 0 };
    let value = opening.value.as_deref();
    broker.produce(&Record { origin, timestamp_ms: None, key: None, value, headers: &[] }).unwrap();
    broker.flush().unwrap();

    let server = after_failures(2, answers(&schemas()));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    let config = folder.path().join("daemon.toml");
    let text = format!(
        "[source]\nprefix = \"sentinel\"\ndatabase = \"SentinelMock\"\n\
         registry = {{ url = \"{}\", username = \"tide\", password = {{ file = \"password\" }} }}\n\
         [kafka]\nbootstrap_servers = \"{}\"\n",
        server.url(),
        broker.bootstrap_servers()
    );
    fs::write(&config, text).unwrap();
    let mut command = tidewaiter();
    command.args(["run", "--config"]).arg(&config).env("TIDEWAITER_LOG", "debug,librdkafka=warn").stderr(Stdio::piped());
    let mut daemon = command.spawn().unwrap();
    let alert = records(&broker, "tidewaiter.alerts", 1).remove(0);
    daemon.kill().unwrap();
    let log = String::from_utf8(daemon.wait_with_output().unwrap().stderr).unwrap();

    assert_eq!((&alert["rule"], &alert["trigger"]["topic"]), (&"R4".into(), &topics[1].clone().into()));
    let waits = log.lines().filter(|line| line.contains("answers with status 503")).count();
    assert_eq!(waits, 2, "each failure is told once: {log}");
    assert!(!log.contains("hunter2") && !log.contains(&BASE64_STANDARD.encode("tide:hunter2")), "{log}");
    assert_eq!(server.request_count(), 3);
    let basic = format!("Basic {}", BASE64_STANDARD.encode("tide:hunter2"));
    assert!(server.requests.lock().unwrap().iter().all(|(_, authorization)| authorization.as_ref() == Some(&basic)));
}

#[test]
fn check_finds_a_registry_that_the_daemon_could_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("daemon.toml");
    let check = |registry: &str, code: i32| {
        let text =
            format!("[source]\nprefix = \"a\"\ndatabase = \"b\"\nregistry = {registry}\n[kafka]\nbootstrap_servers = \"b:1\"\n");
        fs::write(&config, text).unwrap();
        let output = run(tidewaiter().env_remove(PASSWORD).args(["check", "--config"]).arg(&config), code);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert!(check("{ url = \"https://a\" }", 0).ends_with("daemon.toml: ok\n"));
    let unset = check(&format!("{{ url = \"https://a\", username = \"u\", password = {{ env = \"{PASSWORD}\" }} }}"), 1);
    assert!(unset.contains("daemon.toml: the schema registry's password: ") && unset.contains("\n  hint: "), "{unset}");
    fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    assert!(check("{ url = \"https://a\", ca_file = \"ca.pem\" }", 1).contains("no PEM certificate in "));
    assert!(
        check("{ url = \"https://a\", ca_file = \"nowhere.pem\" }", 2).contains("cannot read the schema registry's certificate")
    );
    let inline = check("{ url = \"https://a\", username = \"u\", password = \"hunter2\" }", 1);
    assert!(inline.contains("does not stand in the file") && !inline.contains("hunter2"), "{inline}");
}
