//! `tidewaiter dead-letters`, the real binary on real topics.

use std::fs;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Origin, Topic};

use crate::common::{VOLATILE, normalised, tidewaiter};
use crate::daemon::Daemon;
use crate::stage::{Isolation, Stage};

/// Topics whose records are old: their timestamps are, too.
const FOR_EVER: &[(&str, &str)] = &[("retention.ms", "-1")];

struct Scene {
    stage: Stage,
    transactions: String,
    agreements: String,
    dead_letters: String,
    folder: TempDir,
}

impl Scene {
    fn new(name: &'static str) -> Self {
        let stage = Stage::new(name);
        let topic = |name: &str| stage.topic_with(name, 1, FOR_EVER);
        let (transactions, agreements) = (topic("db.dbo.Transaction"), topic("db.dbo.Agreement"));
        let dead_letters = topic("dead-letters");
        Self { transactions, agreements, dead_letters, folder: tempfile::tempdir().unwrap(), stage }
    }

    /// A member's configuration; the topic of its alerts is made.
    fn config(&self, group: &str, alerts: &str, decimals: &str) -> String {
        let Self { stage, transactions, agreements, dead_letters, .. } = self;
        let rules = self.folder.path().join("rules.toml");
        fs::write(&rules, "[window]\nmax_silence = \"1s\"\n").unwrap();
        format!(
            "rules = {:?}\n[source]\ntopics = [{transactions:?}, {agreements:?}]\ndecimals = {decimals:?}\n\
             [alerts]\ntopic = {:?}\n[dead_letters]\ntopic = {:?}\n\
             [kafka]\nbootstrap_servers = {:?}\ngroup_id = {:?}\n",
            rules.to_str().unwrap(),
            stage.name(alerts),
            if alerts == "alerts" { dead_letters.clone() } else { stage.name("other-dead-letters") },
            stage.bootstrap(),
            stage.name(group),
        )
    }

    fn record(topic: &str, second: i64, before: &str, after: &str, op: &str) -> OwnedRecord {
        let table = topic.rsplit('.').next().unwrap();
        let ms = 1_768_208_400_000 + second * 1000;
        let value = format!(
            r#"{{"before":{before},"after":{after},"source":{{"db":"SentinelMock","schema":"dbo","table":"{table}","ts_ms":{ms},
            "commit_lsn":"0000002b:{second:08x}:0002","change_lsn":"0000002b:{second:08x}:0001","event_serial_no":1}},"op":"{op}"}}"#
        );
        let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
        OwnedRecord { origin, timestamp_ms: Some(ms), key: None, value: Some(value.into_bytes()), headers: [].into() }
    }

    /// Amounts as they are written: text with quotes, numbers without.
    fn payment(&self, second: i64, number: &str, amount: &str) -> OwnedRecord {
        let after = format!(
            r#"{{"TransCounter":{second},"TransAgreementNumber":"{number}","TransDate":"2026-01-12","TransTypeID":7,
            "TransNetPayment":{amount}}}"#
        );
        Self::record(&self.transactions, second, "null", &after, "c")
    }

    fn agreement(number: &str, balance: &str) -> String {
        format!(r#"{{"AgreementNumber":"{number}","AgreementCurrentBalanceNET":{balance},"AgreementSettledFlag":false}}"#)
    }

    fn opening(&self, second: i64, number: &str, balance: &str) -> OwnedRecord {
        Self::record(&self.agreements, second, "null", &Self::agreement(number, balance), "c")
    }

    fn balance(&self, second: i64, number: &str, before: &str, after: &str) -> OwnedRecord {
        let (before, after) = (Self::agreement(number, before), Self::agreement(number, after));
        Self::record(&self.agreements, second, &before, &after, "u")
    }

    fn command(&self, args: &[&str], config: &str) -> Output {
        let path = self.folder.path().join("letters.toml");
        fs::write(&path, config).unwrap();
        tidewaiter().arg("dead-letters").args(args).arg("--config").arg(&path).output().unwrap()
    }

    fn alerts(&self, topic: &str, count: usize) -> Vec<Value> {
        let records = self.stage.read_at_least(&self.stage.name(topic), count);
        let mut alerts: Vec<Value> =
            records.iter().map(|record| serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()).collect();
        alerts.sort_by_key(|alert| alert["alert_id"].to_string());
        alerts.into_iter().map(|alert| normalised(alert, VOLATILE)).collect()
    }
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn once_they_can_be_read_the_alerts_that_were_missed_are_written_once_as_they_would_have_been() {
    let scene = Scene::new("letters");
    let (wrong, mended) = (scene.config("group", "alerts", "string"), scene.config("group", "alerts", "number"));
    for topic in ["alerts", "undisturbed"] {
        scene.stage.topic_with(topic, 1, FOR_EVER);
    }
    let daemon = Daemon::start(scene.folder.path(), &wrong);
    scene.stage.produce(&[
        scene.opening(1, "FRH0000001", "\"1000.00\""),
        scene.payment(10, "FRH0000002", "5000.00"),
        scene.balance(11, "FRH0000002", "9000.00", "4000.00"),
        scene.opening(12, "FRH0000003", "2000.00"),
        scene.opening(200, "FRH0000004", "\"3000.00\""),
        Scene::record(&scene.agreements, 300, "null", "\"not a row\"", "c"),
    ]);
    assert_eq!(scene.alerts("alerts", 2).len(), 2);
    scene.stage.read_at_least(&scene.dead_letters, 4);

    let listed = told(&scene.command(&["list"], &wrong));
    assert!(listed.contains("4 dead letters on ") && listed.contains("0 of them replayed"), "{listed}");
    assert!(!listed.contains("FRH0000002") && !listed.contains("5000"), "no values: {listed}");
    let lines = told(&scene.command(&["list", "--format", "json"], &wrong));
    assert_eq!(lines.lines().count(), 4);
    assert!(!lines.contains("FRH0000002"), "no values: {lines}");
    let lines = told(&scene.command(&["list", "--format", "json", "--values"], &wrong));
    assert!(lines.contains("FRH0000002"), "{lines}");

    // nothing is mended yet
    let stays = told(&scene.command(&["replay"], &wrong));
    assert!(stays.contains("stays: ") && stays.contains("nothing to replay"), "{stays}");

    let would = told(&scene.command(&["replay", "--dry-run"], &mended));
    assert!(would.contains("3 dead letters would be replayed, and 2 missed alerts written"), "{would}");
    assert_eq!(scene.stage.read(&scene.stage.name("alerts"), Isolation::Committed).len(), 2);

    // two at the same time: one of them may be told that the other took its place
    std::thread::scope(|scope| {
        let replay = || scene.command(&["replay"], &mended);
        let both = [scope.spawn(replay), scope.spawn(replay)].map(|thread| thread.join().unwrap());
        assert!(both.iter().any(|output| output.status.success()), "{both:?}");
    });
    let again = told(&scene.command(&["replay"], &mended));
    assert!(again.contains("1 of them not replayed yet") && again.contains("nothing to replay"), "{again}");
    let listed = told(&scene.command(&["list"], &mended));
    assert!(listed.contains("4 dead letters on ") && listed.contains("3 of them replayed"), "{listed}");
    let alerts = scene.alerts("alerts", 4);
    assert_eq!(alerts.len(), 4);
    daemon.stop();

    // as a daemon that could read them from the beginning judges them
    let undisturbed = Daemon::start(scene.folder.path(), &scene.config("undisturbed", "undisturbed", "number"));
    let expected = scene.alerts("undisturbed", 2);
    undisturbed.stop();
    let rules: Vec<_> = expected.iter().map(|alert| (&alert["rule"], &alert["correlation"])).collect();
    assert!(
        rules.contains(&(&"R2".into(), &"matched".into())) && rules.contains(&(&"R4".into(), &"not_needed".into())),
        "{rules:?}"
    );
    for alert in expected {
        assert!(alerts.contains(&alert), "{alert} in {alerts:?}");
    }
}
