//! The embedded replay while it runs: the scripts that write, the engine that reads, and the screen that shows both.

use std::io::Write;
use std::time::Duration;

use super::screen::{self, Screen};
use super::scripts::{Disk, Script};
use super::stage::{Audience, Stage};
use super::{PREFIX, Ran, book, parse, stopped, tell_failure, tell_note};
use crate::domains::lending::expected::{Answer, Question};
use crate::event::{Header, Origin, Record, Topic};
use crate::io::sentinel::{
    CapturedTransaction, Debezium, Keying, Observer, ResultSet, Script as Parsed, ScriptError, Sentinel, Tables,
};

/// The running scripts' observer, and the engine's audience.
pub(super) struct Show {
    /// `None` once it is over.
    stage: Option<Stage>,
    debezium: Debezium,
    database: String,
    real_time: bool,
    screen: Screen,
    /// Rows were shown, and how many there are is still to be said.
    counting: bool,
    last_commit: String,
    /// Statements of the running script that failed.
    failures: usize,
    /// An observer cannot fail, so the first failure waits here for its script to end.
    failed: Option<anyhow::Error>,
}

impl Show {
    pub(super) fn new(stage: Stage, database: String, screen: Screen, real_time: bool) -> Self {
        Self {
            stage: Some(stage),
            debezium: Debezium::new(PREFIX, Keying::AgreementNumber),
            database,
            real_time,
            screen,
            counting: false,
            last_commit: String::new(),
            failures: 0,
            failed: None,
        }
    }

    pub(super) fn end(self) -> Screen {
        self.screen
    }

    pub(super) fn script(&mut self, sentinel: &mut Sentinel, script: &Parsed) -> anyhow::Result<Ran> {
        self.failures = 0;
        let ran = sentinel.run(script, self);
        self.take_failure()?;
        ran.map_err(|error| stopped(script, &error))?;
        Ok(Ran { last_commit: self.last_commit.clone(), failures: self.failures })
    }

    /// Closes what is open. A script of nothing lends the tables for the last answers.
    pub(super) fn finish(&mut self, sentinel: &mut Sentinel) -> anyhow::Result<()> {
        struct Last<'a>(&'a mut Show);
        impl Observer for Last<'_> {
            fn committed(&mut self, _transaction: CapturedTransaction) {}
            fn settled(&mut self, tables: &Tables<'_>) {
                self.0.with_stage(*tables, |stage, audience| stage.finish(audience).map(|()| None));
            }
        }
        let nothing = Script { name: "the end".to_owned(), text: "PRINT ''".to_owned() };
        let nothing = parse(sentinel, &[nothing], &Disk::default())?.remove(0);
        sentinel.run(&nothing, &mut Last(self)).map_err(|error| stopped(&nothing, &error))?;
        self.take_failure()
    }

    fn say(&mut self, say: impl FnOnce(&mut Screen) -> std::io::Result<()>) {
        self.counting = false;
        if let (Err(error), None) = (say(&mut self.screen), &self.failed) {
            self.failed = Some(error.into());
        }
    }

    fn take_failure(&mut self) -> anyhow::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Lets the engine work with the tables as they are.
    fn with_stage(&mut self, tables: Tables<'_>, work: impl FnOnce(Stage, &mut Seats<'_>) -> anyhow::Result<Option<Stage>>) {
        if self.failed.is_some() {
            return;
        }
        let Some(stage) = self.stage.take() else { return };
        let mut seats = Seats { tables, database: &self.database, screen: &mut self.screen };
        match work(stage, &mut seats) {
            Ok(stage) => self.stage = stage,
            Err(error) => self.failed = Some(error),
        }
    }

    fn publish(&mut self, transaction: &CapturedTransaction) -> anyhow::Result<()> {
        let Some(stage) = &mut self.stage else { return Ok(()) };
        for record in self.debezium.records(transaction) {
            let headers: Vec<Header<'_>> =
                record.headers.iter().map(|(name, value)| Header { name, value: Some(value) }).collect();
            stage.publish(&Record {
                // the key chooses the partition, the broker the offset
                origin: Origin { topic: Topic::intern(&record.topic), partition: -1, offset: 0 },
                timestamp_ms: Some(record.timestamp_ms),
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &headers,
            })?;
        }
        self.last_commit.clone_from(&transaction.commit_lsn);
        Ok(())
    }
}

impl Observer for Show {
    fn printed(&mut self, text: &str) {
        self.say(|screen| screen.line(text));
    }

    fn rows(&mut self, rows: &ResultSet) {
        self.say(|screen| screen.grid(&rows.into()));
        self.counting = true;
    }

    fn affected(&mut self, rows: usize) {
        if std::mem::take(&mut self.counting) {
            self.say(|screen| screen.affected(rows));
        }
    }

    fn failed(&mut self, error: &ScriptError) {
        tell_failure(&mut self.failures, error);
    }

    fn noted(&mut self, file: &str, line: u32, text: &str) {
        tell_note(file, line, text);
    }

    fn committed(&mut self, transaction: CapturedTransaction) {
        if self.failed.is_none()
            && let Err(error) = self.publish(&transaction)
        {
            self.failed = Some(error);
        }
    }

    fn delayed(&mut self, millis: u64) {
        if self.real_time {
            std::thread::sleep(Duration::from_millis(millis));
        }
    }

    fn settled(&mut self, tables: &Tables<'_>) {
        self.with_stage(*tables, |mut stage, audience| stage.catch_up(audience).map(|()| Some(stage)));
    }
}

/// Answers from the tables, shows and keeps what comes.
struct Seats<'a> {
    tables: Tables<'a>,
    database: &'a str,
    screen: &'a mut Screen,
}

impl Audience for Seats<'_> {
    fn answer(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Answer>> {
        book::answers(self.tables, self.database, questions)
    }

    fn alert(&mut self, alert: &[u8]) -> anyhow::Result<()> {
        let shown = screen::read(alert)?;
        self.screen.alert(alert, &shown, shown.trigger.commit_lsn.clone())
    }

    fn bad(&mut self, message: &str) {
        // told like the scripts' own words; nobody may be listening
        writeln!(std::io::stderr(), "note: a message went to the dead letters: {message}").ok();
    }
}
