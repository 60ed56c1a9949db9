//! `replay --target stack`, the real binary: scripts on a server, by TDS; the alerts of a real daemon, by way of Kafka's protocol. The
//! connector is played: what the server captured is written to the topics as Debezium writes it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tidewaiter::event::{Header, Origin, Record, Topic};
use tidewaiter::io::kafka::EmbeddedBroker;
use tidewaiter::io::sentinel::{Debezium, Keying};

use crate::server::{PASSWORD, Server, USER};

const ALERTS: &str = "tidewaiter.alerts";

struct Stack {
    server: Server,
    broker: EmbeddedBroker,
    folder: TempDir,
}

impl Stack {
    /// The repository's own schema and book, marked as one for tests.
    fn start() -> Self {
        let sql = |name: &str| fs::read_to_string(format!("{}/deploy/sql/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let server = Server::of("SentinelMock", &(sql("schema.sql") + "\nGO\n" + &sql("seed.sql")));
        server.behave(|behaviour| behaviour.is_for_tests = true);
        let table = |table| format!("stack.SentinelMock.dbo.{table}");
        let (transactions, agreements) = (table("Transaction"), table("Agreement"));
        let outputs = [(ALERTS, 2), ("tidewaiter.dead-letters", 1), ("tidewaiter.changelog", 1)];
        let topics = [(transactions.as_str(), 1), (agreements.as_str(), 1)].into_iter().chain(outputs);
        let broker = EmbeddedBroker::start(&topics.collect::<Vec<_>>()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "rules = \"rules.toml\"\n[source]\nprefix = \"stack\"\ndatabase = \"SentinelMock\"\n\
             [kafka]\nbootstrap_servers = {:?}\nproperties = {{ \"fetch.wait.max.ms\" = 20 }}\n[ops]\nlisten = \"off\"\n\
             [expected.sqlserver]\nhost = \"localhost\"\nport = {}\ndatabase = \"SentinelMock\"\nuser = {USER:?}\n\
             password = {{ file = \"password\" }}\nca_file = \"ca.pem\"\n",
            broker.bootstrap_servers(),
            server.address.port(),
        );
        let authority = server.authority.clone();
        let stack = Self { server, broker, folder };
        stack.write("rules.toml", "[window]\nmax_silence = \"1s\"\n");
        stack.write("password", PASSWORD);
        stack.write("ca.pem", &authority);
        stack.write("stack.toml", &config);
        stack
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewaiter"));
        command.args(args).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn replay(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["replay", "--target", "stack", "--config", "stack.toml"]);
        command.args(args);
        command
    }

    #[track_caller]
    fn says(&self, args: &[&str], code: i32) -> (String, String) {
        ended(self.replay(args).spawn().unwrap(), code)
    }

    /// Writes what the server captured to the topics, until it is told to stop.
    fn connector(&self, stop: &AtomicBool) {
        let debezium = Debezium::new("stack", Keying::AgreementNumber);
        while !stop.load(Ordering::Relaxed) {
            for record in self.server.take_commits().iter().flat_map(|commit| debezium.records(commit)) {
                let headers: Vec<_> = record.headers.iter().map(|(name, value)| Header { name, value: Some(value) }).collect();
                let record = Record {
                    origin: Origin { topic: Topic::intern(&record.topic), partition: -1, offset: 0 },
                    timestamp_ms: Some(record.timestamp_ms),
                    key: record.key.as_deref(),
                    value: record.value.as_deref(),
                    headers: &headers,
                };
                self.broker.produce(&record).unwrap();
            }
            self.broker.flush().unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs with the connector and the daemon around it.
    fn running<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Stop<'a>(&'a AtomicBool, Child);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
                // it may have ended
                let _ = self.1.kill();
                let _ = self.1.wait();
            }
        }
        let stop = AtomicBool::new(false);
        let log = fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        let daemon = self.command(&["run", "--config", "stack.toml"]).stderr(log).spawn().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| self.connector(&stop));
            let stopped = Stop(&stop, daemon);
            let done = work();
            drop(stopped);
            done
        })
    }

    /// Puts an alert on the topic, as of a commit.
    fn alert(&self, agreement: &str, commit_lsn: &str) {
        let alert = serde_json::json!({
            "rule": "R2", "rule_name": "lump_sum", "severity": "high", "agreement_number": agreement,
            "occurred_at": "2026-03-15T09:00:00.000Z", "explanation": "why", "trigger": {"commit_lsn": commit_lsn},
        });
        let origin = Origin { topic: Topic::intern(ALERTS), partition: 0, offset: 0 };
        let value = alert.to_string();
        let record = Record { origin, timestamp_ms: None, key: None, value: Some(value.as_bytes()), headers: &[] };
        self.broker.produce(&record).unwrap();
        self.broker.flush().unwrap();
    }
}

#[track_caller]
fn ended(child: Child, code: i32) -> (String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// What ends soon: nobody else is there to write alerts.
const AT_ONCE: [&str; 4] = ["--timeout", "0s", "--settle", "0s"];

#[test]
fn what_the_scripts_raise_by_way_of_the_daemon_is_shown_kept_and_held_against_what_they_must_raise() {
    let stack = Stack::start();
    let events = format!("{}/test-events", env!("CARGO_MANIFEST_DIR"));
    for name in ["01-direct-debit-as-expected.sql", "03-lump-sum.sql", "07-settlement-in-one-update.sql"] {
        stack.write(&format!("events/{name}"), &fs::read_to_string(format!("{events}/{name}")).unwrap());
    }
    // the same agreement and rule again: only the time of the commit tells whose alert it is
    let again = fs::read_to_string(format!("{events}/03-lump-sum.sql")).unwrap();
    stack.write("events/09-again.sql", &format!("PRINT 'again';\nGO\n{again}"));
    stack.write(
        "events/expected.toml",
        "[[script]]\nname = \"01-direct-debit-as-expected.sql\"\nraises = []\n\
         [[script]]\nname = \"03-lump-sum.sql\"\nraises = [\"R1 FRM0001544\", \"R2 FRM0001544\"]\n\
         [[script]]\nname = \"07-settlement-in-one-update.sql\"\nraises = [\"R3 FRM0000777\"]\n\
         [[script]]\nname = \"09-again.sql\"\nraises = [\"R1 FRM0001544\", \"R2 FRM0001544\"]\n",
    );
    let (out, err) =
        stack.running(|| stack.says(&["events", "--alerts", "alerts.jsonl", "--settle", "2s", "--timeout", "5m"], 0));
    let (shown, outcomes) = out.rsplit_once("\n\n").unwrap();
    assert_eq!(outcomes.lines().filter(|line| line.starts_with("ok ")).count(), 4, "{out}");
    assert!(shown.contains("\nagain\n") && shown.matches("R2 lump sum").count() == 2, "{out}");
    assert!(!shown.contains("Changed database context"), "{out}");
    assert_eq!(fs::read_to_string(stack.folder.path().join("alerts.jsonl")).unwrap().lines().count(), 5);
    assert_eq!(err, "");
}

#[test]
fn what_does_not_come_in_time_is_named() {
    let stack = Stack::start();
    stack.write("events/a.sql", "PRINT 'done'\n");
    stack.write("events/expected.toml", "[[script]]\nname = \"a.sql\"\nraises = [\"R5 FRH0000310\"]\n");
    let (out, err) = stack.says(&["events", "--timeout", "1s", "--settle", "0s"], 1);
    assert!(out.contains("DIFFERS  events/a.sql  nothing\n") && out.contains("expected: R5 FRH0000310\n"), "{out}");
    assert!(err.contains("note: did not come within 1 s: R5 FRH0000310 (events/a.sql)\nhint: is the connector running"), "{err}");
}

#[test]
fn what_a_script_prints_and_selects_is_shown_in_order_and_errors_have_their_place_in_the_file() {
    let stack = Stack::start();
    stack.write(
        "a.sql",
        "USE SentinelMock\nGO\n-- a remark\nPRINT N'first: é';\nSELECT AgreementNumber, AgreementCurrentBalanceNET AS balance FROM dbo.Agreement \
         WHERE AgreementNumber = 'FRM0001544';\nPRINT 'second';\nSELECT TOP 0 1 AS none;\nGO\n\nPRINT 'third';\n\
         INSERT INTO dbo.TransactionType VALUES (3, 1, 'again');\nPRINT 'fourth';\n\
         INSERT INTO dbo.TransactionType VALUES (7, 1, 'again');\nGO\nPRINT 'fifth';\n",
    );
    let mut args = vec!["a.sql"];
    args.extend(AT_ONCE);
    let (out, err) = stack.says(&args, 2);
    let lines: Vec<&str> = out.lines().skip(1).collect();
    assert_eq!(
        lines[..13],
        [
            "first: é",
            "AgreementNumber   balance",
            "---------------  --------",
            "FRM0001544       10250.00",
            "(1 row affected)",
            "second",
            "none",
            "----",
            "(0 rows affected)",
            "third",
            "fourth",
            "fifth",
            "",
        ]
    );
    assert!(lines[13].starts_with("FAILED"), "{out}");
    assert!(err.contains("error: a.sql:11: Violation of PRIMARY KEY constraint"), "{err}");
    // the driver keeps the line of a batch's first error only
    assert!(err.contains("error: a.sql:10: somewhere in this batch: Violation of PRIMARY KEY constraint"), "{err}");
    assert!(err.contains("error: 2 statements failed\nhint: "), "{err}");
}

#[test]
fn a_script_that_asks_for_it_stops_at_its_error() {
    let stack = Stack::start();
    stack.write("a.sql", ":on error exit\nPRINT 'before'\nGO\nSELECT *\nFROM dbo.Nothing\nGO\nPRINT 'never'\n");
    let (out, err) = stack.says(&["a.sql", "--alerts", "alerts.jsonl"], 2);
    assert!(out.contains("before\n") && !out.contains("never"), "{out}");
    assert!(err.contains("error: a.sql:") && err.contains("Nothing") && err.contains("error: a.sql stopped at line "), "{err}");
    assert!(!stack.folder.path().join("alerts.jsonl").exists());
}

#[test]
fn a_database_that_is_not_marked_is_refused_before_the_first_statement_unless_any_will_do() {
    let stack = Stack::start();
    stack.server.behave(|behaviour| behaviour.is_for_tests = false);
    stack.write("a.sql", "PRINT 'it runs'\n");
    let mut args = vec!["a.sql"];
    args.extend(AT_ONCE);
    let (out, err) = stack.says(&args, 2);
    assert_eq!(out, "");
    assert!(err.starts_with("error: the database SentinelMock is not marked as one for tests\nhint: mark it"), "{err}");
    args.push("--any-database");
    let (out, _) = stack.says(&args, 0);
    assert!(out.contains("it runs\n"), "{out}");
}

#[test]
fn alerts_of_commits_before_the_first_statement_and_of_unknown_ones_are_left_aside() {
    let stack = Stack::start();
    let pay = "UPDATE dbo.Agreement SET AgreementCurrentBalanceNET -= 1 WHERE AgreementNumber = 'FRM0001544';";
    stack.server.run(pay);
    let earlier = stack.server.take_commits().remove(0).commit_lsn;
    stack.write("a.sql", &format!("{pay}\nGO\nPRINT 'written';\n"));
    let mut child = stack.replay(&["a.sql", "--settle", "3s", "--timeout", "0s"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "written"));
    let own = stack.server.take_commits().remove(0).commit_lsn;
    for (agreement, lsn) in [("EARLIER", earlier.as_str()), ("UNKNOWN", "ffffffff:00000001:0001"), ("OWN", own.as_str())] {
        stack.alert(agreement, lsn);
    }
    let rest: Vec<String> = lines.collect();
    let (_, err) = ended(child, 0);
    assert!(rest.last().unwrap().ends_with("a.sql  R2 OWN"), "{rest:?}");
    assert!(err.contains("note: 1 alerts of commits before the first statement were left aside\n"), "{err}");
    assert!(err.contains("note: 1 alerts of commits that the database does not know were left aside\nhint: "), "{err}");
}

#[test]
fn scripts_run_as_somebody_who_may_write_if_asked_to() {
    let stack = Stack::start();
    stack.write("a.sql", "PRINT 'it runs'\n");
    let mut args = vec!["a.sql", "--sql-user", "writer"];
    args.extend(AT_ONCE);
    let (_, err) = stack.says(&args, 2);
    assert!(
        err.contains("the environment variable TIDEWAITER_SQL_PASSWORD is not set\nhint: it is the password of --sql-user"),
        "{err}"
    );
    let child = stack.replay(&args).env("TIDEWAITER_SQL_PASSWORD", "wrong").spawn().unwrap();
    let (out, err) = ended(child, 2);
    assert!(out.is_empty() && err.contains("Login failed for user 'writer'"), "{err}");
    args[2] = USER;
    let child = stack.replay(&args).env("TIDEWAITER_SQL_PASSWORD", PASSWORD).spawn().unwrap();
    assert!(ended(child, 0).0.contains("it runs\n"));
}
