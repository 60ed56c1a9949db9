//! A running daemon, its files, its broker and its ops endpoint.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use tempfile::TempDir;
use tidewaiter::event::{Origin, Record, Topic};
use tidewaiter::io::kafka::EmbeddedBroker;

pub(crate) const AGREEMENT: &str = "ops.SentinelMock.dbo.Agreement";
pub(crate) const TRANSACTION: &str = "ops.SentinelMock.dbo.Transaction";
pub(crate) const TOKEN: &str = "a-token-for-tests";

const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Daemon {
    pub(crate) broker: EmbeddedBroker,
    pub(crate) folder: TempDir,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    address: String,
}

/// A payment of 5,000.00, which waits for its balance change.
pub(crate) fn payment(agreement: &str, counter: u32) -> String {
    format!(
        r#"{{"before":null,"after":{{"TransCounter":{counter},"TransAgreementNumber":"{agreement}","TransDate":"2026-01-12",
        "TransTypeID":7,"TransNetPayment":"5000.00"}},"source":{{"db":"SentinelMock","schema":"dbo","table":"Transaction",
        "ts_ms":1768208400007,"commit_lsn":"0000002b:00000e10:{counter:04x}","change_lsn":"0000002b:00000e10:0001",
        "event_serial_no":1}},"op":"c"}}"#
    )
}

/// A new agreement.
pub(crate) fn opening(agreement: &str, commit: u32) -> String {
    format!(
        r#"{{"before":null,"after":{{"AgreementNumber":"{agreement}","AgreementCurrentBalanceNET":"1000.00",
        "AgreementSettledFlag":false}},"source":{{"db":"SentinelMock","schema":"dbo","table":"Agreement",
        "ts_ms":1768208400007,"commit_lsn":"0000002b:00000e10:{commit:04x}","change_lsn":"0000002b:00000e10:0001",
        "event_serial_no":1}},"op":"c"}}"#
    )
}

impl Daemon {
    /// With these lines at the end of its configuration, and these rules.
    pub(crate) fn start(more: &str, rules: &str) -> Self {
        let topics = [
            (AGREEMENT, 1),
            (TRANSACTION, 1),
            ("tidewaiter.alerts", 1),
            ("tidewaiter.dead-letters", 1),
            ("tidewaiter.changelog", 2),
        ];
        let broker = EmbeddedBroker::start(&topics).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rules.toml"), rules).unwrap();
        let config = format!(
            "rules = \"rules.toml\"\n[source]\nprefix = \"ops\"\ndatabase = \"SentinelMock\"\n[kafka]\nbootstrap_servers = \"{}\"\n\
             properties = {{ \"sasl.password\" = {{ env = \"KAFKA_SECRET\" }}, \"fetch.wait.max.ms\" = 20 }}\n\
             [ops]\nlisten = \"127.0.0.1:0\"\n{more}\n",
            broker.bootstrap_servers()
        );
        let path = folder.path().join("daemon.toml");
        fs::write(&path, config).unwrap();
        let mut command = Command::cargo_bin("tidewaiter").unwrap();
        command
            .args(["run", "--config", path.to_str().unwrap()])
            .env("TIDEWAITER_LOG", "info")
            .env("OPS_TOKEN", TOKEN)
            .env("KAFKA_SECRET", "hunter2");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut daemon = Self { broker, folder, child, log, address: String::new() };
        let line = daemon.logged("ops endpoint listens");
        line["address"].as_str().unwrap().clone_into(&mut daemon.address);
        daemon
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn produce(&self, topic: &str, value: &str) {
        let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
        let record = Record { origin, timestamp_ms: None, key: None, value: Some(value.as_bytes()), headers: &[] };
        self.broker.produce(&record).unwrap();
        self.broker.flush().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Waits for a line with this message.
    pub(crate) fn logged(&self, message: &str) -> Value {
        self.eventually(&format!("log line {message:?}"), || {
            let log = self.log.lock().unwrap();
            let mut lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"].as_str().is_some_and(|told| told.starts_with(message)))
        })
    }

    pub(crate) fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "no {what}; the log says:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, None)
    }

    /// Status and body.
    pub(crate) fn request(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{token}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn json(&self, method: &str, path: &str) -> (u16, Value) {
        let (status, body) = self.request(method, path, Some(TOKEN));
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    pub(crate) fn ready(&self) {
        self.eventually("readiness", || (self.get("/readyz").0 == 200).then_some(()));
    }

    /// The shell's own kill: a bare Debian has no program of that name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
