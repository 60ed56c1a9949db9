//! What stands in deploy/ agrees with the program: metrics, configurations, rules. The rest is linted by deploy/lint.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use tidewaiter::telemetry::{Kind, METRICS, Metric};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const DASHBOARD: &str = "deploy/grafana/dashboards/tidewaiter.json";
const ALERT_RULES: &str = "deploy/prometheus/tidewaiter.rules.yaml";
const RUNBOOK: &str = "deploy/RUNBOOK.md";
const CONNECTOR: &str = "deploy/connector/sentinel.json";
const CONFIGURATIONS: [&str; 4] = [
    "deploy/tidewaiter.toml",
    "deploy/stack/tidewaiter.toml",
    "deploy/kubernetes/base/config/tidewaiter.toml",
    "deploy/kubernetes/overlays/example/config/tidewaiter.toml",
];

/// The words of a text that can only be metrics of ours.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tidewaiter_") && !NOT_METRICS.contains(word)).collect()
}

/// A role of deploy/sql/access.sql.
const NOT_METRICS: [&str; 1] = ["tidewaiter_reader"];

/// As Prometheus knows it: a histogram is three series.
fn known(series: &str) -> Option<Metric> {
    METRICS.into_iter().find(|metric| {
        let part = series.strip_prefix(metric.name);
        match metric.kind {
            Kind::Histogram => part.is_some_and(|part| ["_bucket", "_sum", "_count"].contains(&part)),
            Kind::Counter | Kind::Gauge => part == Some(""),
        }
    })
}

/// Every query of the dashboard, those of its variables and annotations included.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(query) if ["expr", "query", "definition"].contains(&key.as_str()) => found.push(query.clone()),
                    value => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

fn dashboard_queries() -> String {
    let mut found = Vec::new();
    queries(&json(DASHBOARD), &mut found);
    assert!(found.len() > 20, "{found:?}");
    found.join("\n")
}

#[test]
fn dashboard_and_alert_rules_ask_only_for_metrics_that_exist() {
    for (file, text) in [(DASHBOARD, dashboard_queries()), (ALERT_RULES, text(ALERT_RULES))] {
        let unknown: Vec<_> = metrics_in(&text).into_iter().filter(|series| known(series).is_none()).collect();
        assert!(unknown.is_empty(), "{file} names what src/telemetry.rs does not: {unknown:?}");
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let queries = dashboard_queries();
    let shown: BTreeSet<_> = metrics_in(&queries).into_iter().filter_map(known).map(|metric| metric.name).collect();
    let missing: Vec<_> = METRICS.iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "{DASHBOARD} does not show {missing:?}");
}

/// In `by (…)` and `{…=`: a misspelt label gives an empty graph, and no error.
#[test]
fn dashboard_and_alert_rules_name_only_labels_that_exist() {
    let ours = METRICS.iter().flat_map(|metric| metric.labels).copied();
    let known: BTreeSet<&str> = ours.chain(["instance", "job", "le"]).collect();
    for (file, text) in [(DASHBOARD, dashboard_queries()), (ALERT_RULES, text(ALERT_RULES))] {
        let mut labels = BTreeSet::new();
        for grouped in text.split("by (").skip(1) {
            labels.extend(grouped.split(')').next().unwrap().split(',').map(str::trim));
        }
        for matched in text.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            for label in matched.split(',').filter_map(|part| part.split_once('=')) {
                labels.insert(label.0.trim_end_matches('!').trim());
            }
        }
        let unknown: Vec<_> = labels.difference(&known).collect();
        assert!(!labels.is_empty() && unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn the_runbook_explains_every_metric_and_every_alert_and_no_others() {
    let runbook = text(RUNBOOK);
    let explained: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("| `tidewaiter_")?.split('`').next()).collect();
    let exist: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.strip_prefix("tidewaiter_").unwrap()).collect();
    assert_eq!(explained, exist);

    let rules = text(ALERT_RULES);
    let raised: BTreeSet<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let answered: BTreeSet<_> = runbook.lines().filter_map(|line| line.strip_prefix("### Tidewaiter")).collect();
    let raised: BTreeSet<_> = raised.iter().map(|alert| alert.strip_prefix("Tidewaiter").unwrap()).collect();
    assert!(raised.len() > 10);
    assert_eq!(answered, raised);
}

#[test]
fn every_alert_rule_is_tested() {
    let (rules, tests) = (text(ALERT_RULES), text("deploy/prometheus/tidewaiter.rules.test.yaml"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("        alertname: {alert}\n        exp_alerts:")), "{alert} is never seen to fire");
    }
}

#[test]
fn every_configuration_loads() {
    for file in CONFIGURATIONS {
        let mut check = Command::cargo_bin("tidewaiter").unwrap();
        check.current_dir(root()).args(["check", "--config", file]);
        for variable in ["KAFKA_PASSWORD", "TIDEWAITER_OPS_TOKEN", "TIDEWAITER_DB_PASSWORD", "POD_NAME"] {
            check.env(variable, "of-a-test");
        }
        let Output { status, stdout, stderr } = check.output().unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        assert!(status.success() && said.contains(&format!("{file}: ok")), "{file}: {said}");
    }
}

/// In the order of sql/init, the scripts that may be run again a second time; and what they make raises what it must.
#[test]
fn the_stacks_database_is_made_by_scripts_that_run() {
    let init = text("deploy/sql/init");
    let scripts: Vec<_> = init.lines().filter_map(|line| line.trim().strip_prefix("run ")).collect();
    assert_eq!(scripts.first(), Some(&"schema.sql"));
    let again = scripts.iter().filter(|script| **script != "seed.sql");
    let mut replay = Command::cargo_bin("tidewaiter").unwrap();
    replay.current_dir(root()).arg("replay");
    for script in scripts.iter().chain(again) {
        replay.arg("--setup").arg(format!("deploy/sql/{script}"));
    }
    replay.args(["test-events/03-lump-sum.sql", "--at", "2026-03-15T09:00"]);
    replay.envs([("TIDEWAITER_DB_PASSWORD", "of-a-test"), ("DEBEZIUM_DB_PASSWORD", "of-a-test")]);
    let Output { status, stdout, stderr } = replay.output().unwrap();
    let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    assert!(status.success() && scripts.len() > 5, "{scripts:?}: {said}");
    assert!(said.contains("R1 FRM0001544, R2 FRM0001544"), "{said}");
}

/// kustomize reads no file from outside its folder.
#[test]
fn kubernetes_has_the_shipped_rules() {
    assert_eq!(text("deploy/kubernetes/base/rules/lending.toml"), text("rules/lending.toml"));
}

/// Each of its members needs a name of its own in the group: one that is lasting.
#[test]
fn kubernetes_gives_its_configurations_what_they_take_from_the_environment() {
    let pod = text("deploy/kubernetes/base/statefulset.yaml");
    for file in CONFIGURATIONS.into_iter().filter(|file| file.contains("kubernetes")) {
        let config = text(file);
        assert!(config.contains("\ninstance_id = { env = \"POD_NAME\" }\n"), "{file}");
        for variable in config.split("{ env = \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(pod.contains(&format!("            - name: {variable}\n              valueFrom:\n")), "{file}: {variable}");
        }
    }
    assert!(pod.contains("fieldPath: metadata.name"));
}

#[test]
fn the_stack_and_the_connector_agree_on_topics_and_partitions() {
    let connector = json(CONNECTOR);
    let of = |key: &str| connector[key].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
    let compose = text("deploy/compose.yaml");
    assert!(compose.contains(&format!("CHANGE_PARTITIONS: \"{}\"", of("topic.creation.changes.partitions"))));
    let stack = text("deploy/stack/tidewaiter.toml");
    assert!(stack.contains(&format!("prefix = \"{}\"", of("topic.prefix"))));
    assert!(stack.contains(&format!("database = \"{}\"", of("database.names"))));
    assert!(stack.contains(&format!("heartbeat_topic = \"__debezium-heartbeat.{}\"", of("topic.prefix"))));
    assert_eq!((of("decimal.handling.mode").as_str(), of("value.converter.decimal.format").as_str()), ("precise", "NUMERIC"));
    assert!(stack.contains("decimals = \"number\""));
    let topics = text("deploy/stack/topics");
    for table in of("table.include.list").split(',') {
        assert!(topics.contains(&format!("{}.{}.{table}", of("topic.prefix"), of("database.names"))), "{table}");
    }
}

#[test]
fn what_the_connector_asks_of_the_environment_is_given_to_it_and_may_be_read() {
    let (connector, compose) = (text(CONNECTOR), text("deploy/compose.yaml"));
    let service = compose.split("\n  connect:\n").nth(1).unwrap().split("\n  connector:\n").next().unwrap();
    let asked: BTreeSet<_> = connector.split("${env:").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert!(asked.len() > 5);
    for name in asked {
        assert!(service.contains(&format!("\n      {name}: ")), "{name} is not given");
        let allowed = ["SQLSERVER_", "DEBEZIUM_DB_", "KAFKA_BOOTSTRAP_"].iter().any(|prefix| name.starts_with(prefix));
        assert!(allowed && service.contains("(SQLSERVER|DEBEZIUM_DB|KAFKA_BOOTSTRAP)_.*"), "{name} may not be read");
    }
}

/// The image's version, the proof's and the manifests' are one.
#[test]
fn versions_that_stand_in_several_places_agree() {
    let (compose, pom) = (text("deploy/compose.yaml"), text("deploy/connector/pom.xml"));
    let image = compose.split("quay.io/debezium/connect:").nth(1).unwrap().lines().next().unwrap();
    assert!(pom.contains(&format!("<version>{image}</version>")), "{image}");
    for image in ["quay.io/debezium/connect:", "mcr.microsoft.com/mssql/server:", "apache/kafka:"] {
        let tags: BTreeSet<_> = compose.split(image).skip(1).map(|rest| rest.lines().next().unwrap()).collect();
        assert_eq!(tags.len(), 1, "{image}: {tags:?}");
    }
    assert!(compose.contains(&format!("apache/kafka:{}\n", xtask::kafka::VERSION)));
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(text("deploy/Dockerfile").contains(&format!("FROM rust:{rust}.")));
    for folder in ["base", "overlays/example"] {
        let file = PathBuf::from("deploy/kubernetes").join(folder).join("kustomization.yaml");
        assert!(text(file.to_str().unwrap()).contains(&format!("newTag: {}\n", env!("CARGO_PKG_VERSION"))), "{folder}");
    }
}
