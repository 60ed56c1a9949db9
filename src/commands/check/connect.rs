//! What the daemon would meet: brokers, topics, keys, schema registry, the loan book's server.

use crate::commands::book::Book;
use crate::commands::registry;
use crate::commands::run::Prepared;
use crate::domains::lending::KEYING;
use crate::domains::lending::sqlserver::Meeting;
use crate::engine::Domain;
use crate::engine::ports::{OwnedRecord, SourceError};
use crate::event::{Decoded, KeyCase};
use crate::io::kafka::{self, Probe};

/// How many of a partition's last records are looked at.
const SAMPLE: i64 = 20;

const CREATE: &str = "create it, or correct its name; Kafka's own auto.create.topics.enable may also do it at the first write";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// The daemon works, within what this says.
    Note,
    /// The daemon would stop, wait, or put messages aside.
    Problem,
}

#[derive(Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn of(error: SourceError) -> Self {
        Self { level: Level::Problem, text: error.detail, hint: error.hint }
    }
}

/// Everything that was found, good or bad.
pub(super) fn findings(prepared: &Prepared) -> Vec<Finding> {
    let config = &prepared.config;
    let mut findings = Vec::new();
    if let Some(registry) = &config.source.registry {
        findings.push(match registry::answers(registry) {
            Ok(()) => Finding::new(Level::Ok, "the schema registry answers"),
            Err(error) => {
                let text = format!("the schema registry does not answer: {error:#}");
                Finding::new(Level::Problem, text).hint("check source.registry; the daemon would wait for it")
            }
        });
    }
    findings.extend(meet_book(prepared));
    let probe = match Probe::new(&prepared.connection) {
        Ok(probe) => probe,
        Err(error) => {
            findings.push(Finding::of(error));
            return findings;
        }
    };
    let mut counts = Vec::new();
    for topic in config.source.topics.iter().chain(&config.source.heartbeat_topic) {
        match probe.partitions(topic) {
            Ok(Some(partitions)) => {
                findings.push(Finding::new(Level::Ok, format!("{topic}: {}", counted(partitions))));
                if Some(topic) != config.source.heartbeat_topic.as_ref() {
                    counts.push((topic, partitions));
                }
            }
            Ok(None) => {
                let hint = "the connector makes it with its first record: check source.prefix, source.database or source.topics";
                findings.push(Finding::new(Level::Problem, format!("{topic}: there is no such topic")).hint(hint));
            }
            Err(error) => {
                // whoever cannot be reached for one topic cannot be for the next
                let unreached = error.hint.is_none();
                findings.push(match Finding::of(error) {
                    finding if finding.hint.is_none() => {
                        finding.hint("check kafka.bootstrap_servers, and security.protocol under [kafka.properties]")
                    }
                    finding => finding,
                });
                if unreached {
                    return findings;
                }
            }
        }
    }
    if counts.windows(2).any(|pair| pair[0].1 != pair[1].1) {
        findings
            .push(Finding::new(Level::Note, "the input topics differ in their partition counts: one member only").hint(KEYING));
    }
    for topic in [&config.alerts_topic, &config.dead_letters_topic, &config.changelog_topic] {
        findings.push(match probe.partitions(topic) {
            Ok(Some(partitions)) => Finding::new(Level::Ok, format!("{topic}: {}", counted(partitions))),
            Ok(None) if config.kafka.create_topics => Finding::new(Level::Note, format!("{topic}: will be created")),
            Ok(None) => Finding::new(Level::Problem, format!("{topic}: there is no such topic")).hint(CREATE),
            Err(error) => Finding::of(error),
        });
    }
    if let Some((topic, _)) = counts.first() {
        findings.extend(rights(prepared, topic));
    }
    for (topic, _) in counts {
        let mut sample = Sample::default();
        match probe.read(topic, Some(SAMPLE), |record| sample.take(prepared, &record)) {
            Ok(()) => findings.extend(sample.findings(topic)),
            Err(error) => findings.push(Finding::of(error)),
        }
    }
    findings
}

/// To the group and to transactions, as far as they show without doing what only a daemon may.
fn rights(prepared: &Prepared, topic: &str) -> [Finding; 2] {
    let group = &prepared.config.kafka.group_id;
    let offsets = match kafka::may_use_group(&prepared.connection, topic) {
        Ok(()) => Finding::new(Level::Ok, format!("the offsets of the group {group} can be read")),
        Err(error) => Finding::of(error),
    };
    let transactions = match kafka::may_use_transactions(&prepared.connection) {
        Some(Ok(())) => Finding::new(Level::Ok, format!("transactions can be used under ids that begin with {group}-")),
        Some(Err(error)) => Finding::of(error),
        None => {
            Finding::new(Level::Note, "rights to the transactional id are not looked at: that would fence a daemon that runs")
        }
    };
    [offsets, transactions]
}

/// What asking the loan book's server would meet.
fn meet_book(prepared: &Prepared) -> Vec<Finding> {
    let Book::Server(book) = &prepared.book else { return Vec::new() };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::new(Level::Problem, format!("cannot start the runtime: {error}"))],
    };
    let Meeting { server, collation, is_old } = match runtime.block_on(book.inner().meet()) {
        Ok(meeting) => meeting,
        Err(error) => {
            let finding = Finding::new(Level::Problem, error.to_string());
            return vec![match error.hint() {
                Some(hint) => finding.hint(hint),
                None => finding.hint("check expected.sqlserver; the daemon would wait for it"),
            }];
        }
    };
    let mut findings = vec![Finding::new(Level::Ok, format!("SQL Server {server}: all columns can be read"))];
    if is_old {
        let text = format!("SQL Server {server}: compatibility level below 130, so each agreement is a parameter of its own");
        findings.push(Finding::new(Level::Note, text));
    }
    // as SQL Server's names of collations have it
    let is_sensitive = collation.as_ref().map(|name| ["_CS_", "_BIN"].iter().any(|part| name.contains(part)));
    let key_case = prepared.config.source.formats.key_case;
    if is_sensitive.is_some_and(|sensitive| sensitive != (key_case == KeyCase::Sensitive)) {
        let name = collation.unwrap_or_default();
        let text = format!("SQL Server {server}: its agreement numbers compare by {name}, and source.key_case says otherwise");
        findings.push(Finding::new(Level::Note, text).hint("set source.key_case to what the collation does"));
    }
    findings
}

fn counted(partitions: i32) -> String {
    if partitions == 1 { "1 partition".to_owned() } else { format!("{partitions} partitions") }
}

/// What the last records of a topic are like.
#[derive(Default)]
struct Sample {
    records: usize,
    keyed: usize,
    keyed_otherwise: usize,
    bad: usize,
    /// Of the first bad one.
    why: Option<(String, Option<&'static str>)>,
}

impl Sample {
    fn take(&mut self, prepared: &Prepared, record: &OwnedRecord) {
        self.records += 1;
        match record.with(|record| prepared.lending.decode(record)) {
            Decoded::Change(change) => match prepared.lending.is_keyed(&change.body, record.key.as_deref()) {
                Some(true) => self.keyed += 1,
                Some(false) => self.keyed_otherwise += 1,
                None => {}
            },
            Decoded::Bad(bad) => {
                self.bad += 1;
                self.why.get_or_insert_with(|| (format!("{}: {}", record.origin, bad.detail), bad.hint));
            }
            Decoded::Ignored(_) | Decoded::Unavailable(_) => {}
        }
    }

    fn findings(self, topic: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.records == 0 {
            findings.push(Finding::new(Level::Note, format!("{topic}: empty, so its keys and formats are not known")));
        }
        if self.keyed_otherwise > 0 {
            let text = format!("{topic}: not keyed by the agreement number, so only one member can work");
            findings.push(Finding::new(Level::Note, text).hint(KEYING));
        } else if self.keyed > 0 {
            findings.push(Finding::new(Level::Ok, format!("{topic}: keyed by the agreement number")));
        }
        if let Some((why, hint)) = self.why {
            let text = format!("{topic}: {} of its last {} records cannot be read, such as {why}", self.bad, self.records);
            findings.push(Finding { hint: hint.map(str::to_owned), ..Finding::new(Level::Problem, text) });
        }
        findings
    }
}
