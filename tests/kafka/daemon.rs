//! `tidewaiter run`, the real binary, on real topics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Origin, Topic};
use tidewaiter::io::capture::Scratch;

use crate::common::{Input, VOLATILE, assert_same_alerts, case_folders, normalised, tidewaiter};
use crate::stage::{PATIENCE, Stage};

/// A daemon's process and its files.
pub(crate) struct Daemon {
    process: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with a configuration; its log goes beside it.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let (path, log) = (folder.join("daemon.toml"), folder.join("daemon.log"));
        fs::write(&path, config).unwrap();
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let process = tidewaiter().args(["run", "--config"]).arg(&path).stderr(file).spawn().unwrap();
        Self { process, log }
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success());
    }

    /// Has it end well.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        let asked = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(asked.elapsed() < PATIENCE, "it does not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// The most that was ever resident, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Waits until it ends by itself, and gives its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            match self.process.try_wait().unwrap() {
                Some(status) => return status.code(),
                None => assert!(start.elapsed() < PATIENCE, "it does not end\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits until it has said something.
    pub(crate) fn says(&self, part: &str) {
        let start = Instant::now();
        while !self.log().contains(part) {
            assert!(start.elapsed() < PATIENCE, "{part} in {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Daemon {
    /// When a test fails.
    fn drop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

/// A case's input with the topics of a test, so that cases do not meet, and a silence that is short.
struct Case {
    input: Input,
    records: Vec<OwnedRecord>,
    /// Partitions of every topic.
    topics: BTreeMap<String, i32>,
    folder: TempDir,
}

impl Case {
    fn load(folder: &Path, prefix: &str) -> Self {
        let original = Input::of_folder(folder);
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::default();
        let (mut lines, mut records, mut topics) = (String::new(), Vec::new(), BTreeMap::new());
        // a capture begins anywhere; what is produced anew begins at zero, and alerts name offsets
        let mut offsets: BTreeMap<(String, i64), i64> = BTreeMap::new();
        for line in fs::read_to_string(&original.events[0]).unwrap().lines() {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line["topic"] = format!("{prefix}.{}", line["topic"].as_str().unwrap()).into();
            let partition = (line["topic"].to_string(), line["partition"].as_i64().unwrap());
            let offset = offsets.entry(partition).or_default();
            line["offset"] = (*offset).into();
            *offset += 1;
            writeln!(lines, "{line}").unwrap();
            let record = scratch.read(line.to_string().as_bytes(), |record| OwnedRecord {
                origin: record.origin,
                timestamp_ms: record.timestamp_ms,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
            });
            let record = record.unwrap();
            let partitions = topics.entry(record.origin.topic.name().to_owned()).or_insert(0);
            *partitions = record.origin.partition.max(*partitions - 1) + 1;
            records.push(record);
        }
        // both topics have as many, as the daemon's members need it
        for table in ["Transaction", "Agreement"] {
            topics.entry(format!("{prefix}.sentinel.SentinelMock.dbo.{table}")).or_insert(1);
        }
        let mut rules: toml::Table = toml::from_str(&fs::read_to_string(&original.rules).unwrap()).unwrap();
        let window = rules.entry("window").or_insert_with(|| toml::Table::new().into());
        window.as_table_mut().unwrap().insert("max_silence".to_owned(), "1s".into());
        let (events_path, rules_path) = (folder.path().join("events.jsonl"), folder.path().join("rules.toml"));
        fs::write(&events_path, lines).unwrap();
        fs::write(&rules_path, rules.to_string()).unwrap();
        let input = Input { events: vec![events_path], rules: rules_path, ..original };
        Self { input, records, topics, folder }
    }

    /// The daemon's configuration: what the case's arguments say to the backtest, too.
    fn config(&self, stage: &Stage, group: &str, alerts: &str, dead_letters: &str) -> String {
        let is_data = |topic: &&String| topic.ends_with(".dbo.Transaction") || topic.ends_with(".dbo.Agreement");
        let topics: Vec<&String> = self.topics.keys().filter(is_data).collect();
        let (rules, profiles) = (self.input.rules.to_str().unwrap(), self.input.profiles.to_str().unwrap());
        let mut config = format!("rules = {rules:?}\n[expected]\nprofiles = {profiles:?}\n[source]\ntopics = {topics:?}\n");
        for pair in self.input.args.chunks(2) {
            match pair {
                [name, value] if name == "--scale" => writeln!(config, "scale = {value}").unwrap(),
                [name, value] if name == "--decimals" => writeln!(config, "decimals = {value:?}").unwrap(),
                other => panic!("the daemon's configuration does not know {other:?}"),
            }
        }
        let (bootstrap, group) = (stage.bootstrap(), stage.name(group));
        writeln!(config, "[kafka]\nbootstrap_servers = {bootstrap:?}\ngroup_id = {group:?}").unwrap();
        writeln!(config, "[alerts]\ntopic = {alerts:?}\n[dead_letters]\ntopic = {dead_letters:?}").unwrap();
        config
    }
}

fn alerts(records: &[OwnedRecord]) -> Vec<Value> {
    let alert = |record: &OwnedRecord| {
        let alert: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
        assert_eq!(alert["agreement_number"].as_str().unwrap().as_bytes(), record.key.as_ref().unwrap());
        normalised(alert, VOLATILE)
    };
    records.iter().map(alert).collect()
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn the_daemon_commits_exactly_the_alerts_of_the_backtest_on_the_same_records() {
    let stage = Stage::new("cases");
    let folders = case_folders();
    assert!(folders.len() >= 10, "the cases are missing: {folders:?}");
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let case = Case::load(&folder, &stage.name(name));
        let expected: Vec<Value> = case.input.alerts().into_iter().map(|alert| normalised(alert, VOLATILE)).collect();
        for (topic, partitions) in &case.topics {
            stage.topic(topic.strip_prefix("cases.").unwrap(), *partitions);
        }
        let alerts_topic = stage.topic(&format!("{name}.alerts"), 3);
        let dead_letters = stage.topic(&format!("{name}.dead-letters"), 1);
        stage.produce(&case.records);
        let daemon = Daemon::start(case.folder.path(), &case.config(&stage, name, &alerts_topic, &dead_letters));
        stage.read_at_least(&alerts_topic, expected.len());
        daemon.stop();
        let actual = alerts(&stage.read_at_least(&alerts_topic, expected.len()));
        assert_same_alerts(name, &expected, &actual);
    }
}

/// Topics of openings, each of which is one alert, whatever came before.
pub(crate) struct Openings {
    pub(crate) stage: Stage,
    pub(crate) agreements: String,
    alerts: String,
    pub(crate) config: String,
    pub(crate) folder: TempDir,
}

impl Openings {
    pub(crate) fn on(stage: Stage) -> Self {
        let agreements = stage.topic("db.dbo.Agreement", 2);
        let transactions = stage.topic("db.dbo.Transaction", 2);
        let (alerts, dead_letters) = (stage.topic("alerts", 2), stage.topic("dead-letters", 1));
        let config = format!(
            "[source]\ntopics = [{transactions:?}, {agreements:?}]\n[alerts]\ntopic = {alerts:?}\n\
             [dead_letters]\ntopic = {dead_letters:?}\n[kafka]\nbootstrap_servers = {:?}\ngroup_id = {:?}\n\
             properties = {{ \"session.timeout.ms\" = 6000 }}\n",
            stage.bootstrap(),
            stage.name("group"),
        );
        Self { stage, agreements, alerts, config, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn daemon(&self) -> Daemon {
        Daemon::start(self.folder.path(), &self.config)
    }

    pub(crate) fn open(&self, numbers: Range<i64>) {
        self.stage.produce(&numbers.map(|number| opening(&self.agreements, number)).collect::<Vec<_>>());
    }

    /// Each with its agreement number as its key.
    pub(crate) fn open_keyed(&self, numbers: Range<i64>) {
        let keyed = |number| OwnedRecord { key: Some(format!("FRH{number:07}").into()), ..opening(&self.agreements, number) };
        self.stage.produce(&numbers.map(keyed).collect::<Vec<_>>());
    }

    /// Waits until all of those before were told, and each once.
    pub(crate) fn were_told_once(&self, numbers: i64) {
        let records = self.stage.read_at_least(&self.alerts, usize::try_from(numbers).unwrap());
        let mut told: Vec<_> = records.iter().map(|record| String::from_utf8(record.key.clone().unwrap()).unwrap()).collect();
        told.sort();
        assert_eq!(told, (0..numbers).map(|number| format!("FRH{number:07}")).collect::<Vec<_>>());
    }
}

fn opening(topic: &str, number: i64) -> OwnedRecord {
    let value = format!(
        r#"{{"before":null,"after":{{"AgreementNumber":"FRH{number:07}","AgreementCurrentBalanceNET":"1000.00",
        "AgreementSettledFlag":false}},"source":{{"db":"SentinelMock","schema":"dbo","table":"Agreement","ts_ms":{},
        "commit_lsn":"0000002b:{number:08x}:0002","change_lsn":"0000002b:{number:08x}:0001","event_serial_no":1}},"op":"c"}}"#,
        1_768_208_400_000 + number
    );
    let origin = Origin { topic: Topic::intern(topic), partition: i32::try_from(number % 2).unwrap(), offset: 0 };
    OwnedRecord { origin, timestamp_ms: None, key: None, value: Some(value.into_bytes()), headers: [].into() }
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_daemon_that_was_stopped_or_killed_goes_on_where_its_last_commit_was() {
    let openings = Openings::on(Stage::new("resume"));
    for round in 0..4 {
        openings.open(round * 20..(round + 1) * 20);
        let daemon = openings.daemon();
        openings.were_told_once((round + 1) * 20);
        if round % 2 == 0 { daemon.kill() } else { daemon.stop() }
    }
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn who_begins_at_the_latest_leaves_out_what_was_there_and_nothing_that_comes_later() {
    let mut openings = Openings::on(Stage::new("latest"));
    openings.config = openings.config.replace("[source]\n", "[source]\nstart = \"latest\"\n");
    // history, on both partitions
    openings.open(1000..1010);
    let daemon = openings.daemon();
    let start = Instant::now();
    while openings.stage.committed("group", &openings.agreements).len() < 2 {
        assert!(start.elapsed() < PATIENCE, "where it begins is not committed\n{}", daemon.log());
    }
    daemon.kill();
    // nobody reads, and neither partition has had anything since the beginning
    openings.open(0..10);
    let daemon = openings.daemon();
    openings.were_told_once(10);
    daemon.kill();
    // a partition that nobody has read, with records of before the group began, and of since
    openings.stage.grow(&openings.agreements, 3);
    let added = |number, timestamp_ms| {
        let record = opening(&openings.agreements, number);
        OwnedRecord { origin: Origin { partition: 2, ..record.origin }, timestamp_ms, ..record }
    };
    let (before, since) = ((2000..2010).map(|n| added(n, Some(1_768_208_400_000))), (10..20).map(|n| added(n, None)));
    openings.stage.produce(&before.chain(since).collect::<Vec<_>>());
    let daemon = openings.daemon();
    openings.were_told_once(20);
    daemon.stop();
}
