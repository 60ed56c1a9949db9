//! What an undisturbed run tells, and how what was told is held against it while it is being told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Headers as _;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::workload::{Shape, Written, written};
use crate::common::{Input, VOLATILE, normalised, root};
use crate::stage::Stage;

pub(crate) type Place = (String, i32, i64);

/// Made once for each shape.
pub(crate) struct Yardstick {
    pub(crate) written: Vec<Written>,
    /// Where the partitions became more.
    pub(crate) grown_at: usize,
    /// By agreement, in their order.
    alerts: BTreeMap<String, Vec<String>>,
    /// Table, partition and offset.
    bad: BTreeSet<Place>,
    pub(crate) profiles: PathBuf,
    pub(crate) rules: PathBuf,
    _folder: TempDir,
}

const PROFILES: &str = "
    CREATE TABLE Agreement (AgreementNumber TEXT PRIMARY KEY, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT);
    CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT NOT NULL, PayProDate TEXT NOT NULL,
        PayProNetAmount TEXT, PayProType TEXT NOT NULL, PayProFallenDue INTEGER NOT NULL);
    CREATE TABLE CustomProfile (CPAgreement TEXT PRIMARY KEY, CPAmount TEXT, CPOnGoing INTEGER NOT NULL, CPDeleted INTEGER NOT NULL);
    WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 2 FROM n WHERE n < 3000)
    INSERT INTO CustomProfile SELECT printf('FRH%07d', n), '150.00', 1, 0 FROM n;";

impl Yardstick {
    pub(crate) fn of(shape: Shape) -> Arc<Self> {
        static MADE: Mutex<BTreeMap<Shape, Arc<Yardstick>>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(shape).or_insert_with(|| Arc::new(Self::make(shape))))
    }

    fn make(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (events, profiles, rules) = (path("events.jsonl"), path("profiles.sqlite"), path("rules.toml"));
        let (written, grown_at) = written(shape);
        let mut file = BufWriter::new(File::create(&events).unwrap());
        for Written { table, partition, offset, key, value, .. } in &written {
            let topic = format!("db.dbo.{table}");
            let line = json!({"topic": topic, "partition": partition, "offset": offset, "tstype": "create", "ts": 0, "key": key,
                "payload": value});
            writeln!(file, "{line}").unwrap();
        }
        file.flush().unwrap();
        rusqlite::Connection::open(&profiles).unwrap().execute_batch(PROFILES).unwrap();
        let shipped = std::fs::read_to_string(root().join("rules/lending.toml")).unwrap();
        // however long a fault takes, it is not silence
        std::fs::write(&rules, shipped.replace("max_silence = \"60s\"", "max_silence = \"10h\"")).unwrap();
        let input = Input { events: vec![events.clone()], profiles: profiles.clone(), rules: rules.clone(), args: Vec::new() };
        let mut alerts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for alert in input.alerts() {
            let number = alert["agreement_number"].as_str().unwrap().to_owned();
            alerts.entry(number).or_default().push(normalised(alert, VOLATILE).to_string());
        }
        std::fs::remove_file(events).unwrap();
        let place = |written: &Written| (written.table.to_owned(), written.partition, written.offset);
        let bad = written.iter().filter(|written| written.is_bad).map(place).collect();
        let yardstick = Self { written, grown_at, alerts, bad, profiles, rules, _folder: folder };
        assert!(yardstick.alerts_in_all() > yardstick.written.len() / 20, "too few alerts to show anything");
        yardstick
    }

    pub(crate) fn alerts_in_all(&self) -> usize {
        self.alerts.values().map(Vec::len).sum()
    }
}

/// Reads what is committed, as it comes. What is told twice, in another order or otherwise fails the test at once; what is
/// lost, when the next of its agreement comes or at the end.
pub(crate) struct Follower {
    yardstick: Arc<Yardstick>,
    consumer: BaseConsumer,
    /// What topics begin with here, and not in the undisturbed run.
    prefix: String,
    dead_letters: String,
    told: BTreeMap<String, usize>,
    letters: BTreeSet<Place>,
}

impl Follower {
    pub(crate) fn new(yardstick: Arc<Yardstick>, stage: &Stage, topics: [(&str, i32); 2]) -> Self {
        let [_, (dead_letters, _)] = topics;
        let mut config = stage.config();
        // it leaves nothing out without a word
        config.set("group.id", "follower").set("enable.auto.commit", "false").set("auto.offset.reset", "error");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..partitions {
                assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&assignment).unwrap();
        let dead_letters = dead_letters.to_owned();
        let prefix = stage.name("db.dbo.");
        Self { yardstick, consumer, prefix, dead_letters, told: BTreeMap::new(), letters: BTreeSet::new() }
    }

    /// Takes what has come; waits for a moment if nothing has.
    pub(crate) fn look(&mut self) {
        let mut wait = Duration::from_millis(10);
        while let Some(message) = self.consumer.poll(wait) {
            wait = Duration::ZERO;
            match message {
                Ok(message) if message.topic() == self.dead_letters => {
                    let headers = message.headers().unwrap();
                    let header = |name: &str| {
                        let header = headers.iter().find(|header| header.key == name).unwrap();
                        String::from_utf8(header.value.unwrap().to_vec()).unwrap()
                    };
                    let topic = header("__connect.errors.topic");
                    let table = topic.rsplit('.').next().unwrap().to_owned();
                    let number = |name| header(name).parse::<i64>().unwrap();
                    let partition = i32::try_from(number("__connect.errors.partition")).unwrap();
                    let place = (table, partition, number("__connect.errors.offset"));
                    assert!(self.yardstick.bad.contains(&place), "{place:?} is not bad");
                    assert!(self.letters.insert(place.clone()), "TWICE: the dead letter {place:?}");
                }
                Ok(message) => {
                    let alert: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
                    let at = format!("alerts/{}/{}", message.partition(), message.offset());
                    let number = alert["agreement_number"].as_str().unwrap().to_owned();
                    assert_eq!(message.key(), Some(number.as_bytes()));
                    let alert = normalised(alert, VOLATILE).to_string().replace(&self.prefix, "db.dbo.");
                    take(&self.yardstick.alerts, &mut self.told, number, &alert, &at);
                }
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => panic!("{error}"),
                // a broker that is away for a moment comes back
                Err(KafkaError::MessageConsumption(_)) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What is still to be told.
    pub(crate) fn missing(&self) -> usize {
        let told: usize = self.told.values().sum();
        self.yardstick.alerts_in_all() - told + self.yardstick.bad.len() - self.letters.len()
    }

    pub(crate) fn first_missing(&self) -> String {
        let told = |number: &String| self.told.get(number).copied().unwrap_or_default();
        let alert = self.yardstick.alerts.iter().find_map(|(number, alerts)| alerts.get(told(number)));
        let letter = self.yardstick.bad.difference(&self.letters).next();
        format!("alert {alert:?}, dead letter {letter:?}")
    }
}

fn take(expected: &BTreeMap<String, Vec<String>>, told: &mut BTreeMap<String, usize>, number: String, alert: &String, at: &str) {
    let expected = expected.get(&number).map_or(&[][..], Vec::as_slice);
    let told = told.entry(number).or_default();
    if expected.get(*told) == Some(alert) {
        *told += 1;
        return;
    }
    let what = match expected.iter().position(|other| other == alert) {
        Some(place) if place < *told => "TWICE",
        Some(_) => "LOST before it, or another ORDER",
        None => "not of the undisturbed run",
    };
    panic!("{what}: {at}: {alert}\nexpected here: {:?}", expected.get(*told));
}
