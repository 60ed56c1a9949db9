//! `tidewaiter replay`: SQL scripts in, alerts out.
//!
//! ```text
//! scripts ─► embedded Sentinel ─► captured changes ─► Debezium records ─► Stage: broker, engine ─► alerts
//! ```
//!
//! At every GO and WAITFOR the engine catches up before the script goes on, so what a lookup sees does not hang on who was
//! faster: a profile that is inserted in a later batch is not known to what was judged before.

mod book;
mod report;
mod scripts;
mod stage;
mod watch;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDateTime;

use super::{FINDINGS, Output, advise};
use crate::cli::{self, Target};
use crate::domains::lending::expected::{Answer, Question};
use crate::domains::lending::settings::LendingRules;
use crate::event::{Header, Origin, Record, Topic};
use crate::io::output::OutputFile;
use crate::io::sentinel::{CapturedTransaction, Debezium, Keying, Observer, ReplayClock, Script as Parsed, Sentinel, Tables};
use crate::time::{Clock, SystemClock};
use report::{HEADER, Outcome, Shown};
use scripts::{Plan, Script};
use stage::{Audience, Stage};

/// Debezium's `topic.prefix`.
const PREFIX: &str = "sentinel";

pub(crate) fn run(args: &cli::Replay) -> anyhow::Result<ExitCode> {
    if args.target == Target::Stack {
        let hint = "it runs the scripts on a real SQL Server; until then use the embedded target";
        return Err(advise(anyhow::anyhow!("--target stack is not built yet"), hint));
    }
    if args.watch {
        return watch::run(args);
    }
    play(args, &Plan::new(&args.scripts, &args.setup)?)
}

/// Runs everything once.
fn play(args: &cli::Replay, plan: &Plan) -> anyhow::Result<ExitCode> {
    let rules = match &args.rules {
        Some(path) => LendingRules::load(path)?,
        None => LendingRules::shipped(),
    };
    let mut output = Output::stdout();
    let file = args.alerts.as_deref().map(OutputFile::create).transpose().map_err(|error| match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    })?;

    let mut sentinel = Sentinel::new(ReplayClock::new(args.at.unwrap_or_else(now)))?;
    for script in &plan.setup {
        let parsed = parse(&sentinel, std::slice::from_ref(script))?.remove(0);
        sentinel.run(&parsed, &mut SetUp).map_err(failed)?;
    }
    // all scripts are understood before the first one runs
    let parsed = parse(&sentinel, &plan.scripts)?;

    let (database, topics) = captured(&sentinel)?;
    let stage = Stage::start(&topics, rules)?;
    writeln!(output, "{HEADER}")?;
    let mut show = Show {
        stage: Some(stage),
        debezium: Debezium::new(PREFIX, Keying::AgreementNumber),
        database,
        real_time: args.real_time,
        output,
        file,
        alerts: Vec::new(),
        last_commit: String::new(),
        script: String::new(),
        failed: None,
    };
    let mut ends = Vec::new();
    for script in &parsed {
        show.script(&mut sentinel, script)?;
        ends.push(show.last_commit.clone());
    }
    show.finish(&mut sentinel)?;
    conclude(plan, show, &ends)
}

fn now() -> NaiveDateTime {
    chrono::DateTime::from_timestamp_millis(SystemClock.now().as_ms()).map(|now| now.naive_utc()).unwrap_or_default()
}

/// Understands scripts that run one after the other, or says what is wrong with any of them.
fn parse(sentinel: &Sentinel, scripts: &[Script]) -> anyhow::Result<Vec<Parsed>> {
    let mut parsed = Vec::new();
    let mut wrong = Vec::new();
    for script in scripts {
        match sentinel.parse_after(&parsed, &script.name, &script.text) {
            Ok(understood) => parsed.push(understood),
            Err(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                wrong.push(format!("{} cannot be run as it is:\n{}", script.name, all.join("\n")));
            }
        }
    }
    if wrong.is_empty() { Ok(parsed) } else { Err(anyhow::anyhow!(wrong.join("\n"))) }
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// The database that is captured, and the topics of its tables.
fn captured(sentinel: &Sentinel) -> anyhow::Result<(String, Vec<String>)> {
    let tables = sentinel.captured_tables();
    let (database, ..) = tables.first().ok_or_else(|| {
        let hint = "the set-up must call sys.sp_cdc_enable_db and, for Transaction and Agreement, sys.sp_cdc_enable_table";
        advise(anyhow::anyhow!("the set-up enables change data capture on no table"), hint)
    })?;
    let topics = tables.iter().map(|(database, schema, table)| format!("{PREFIX}.{database}.{schema}.{table}")).collect();
    Ok((database.clone(), topics))
}

/// The set-up is history: what it writes was there before anybody watched.
struct SetUp;

impl Observer for SetUp {
    fn committed(&mut self, _transaction: CapturedTransaction) {}
}

/// What was raised, and by which commit.
struct Raised {
    name: String,
    commit_lsn: String,
}

/// The running scripts' observer, and the engine's audience.
struct Show {
    /// `None` once it is over.
    stage: Option<Stage>,
    debezium: Debezium,
    database: String,
    real_time: bool,
    output: Output,
    file: Option<OutputFile>,
    alerts: Vec<Raised>,
    last_commit: String,
    /// The script that runs, for notes on it.
    script: String,
    /// An observer cannot fail, so the first failure waits here for its script to end.
    failed: Option<anyhow::Error>,
}

impl Show {
    fn script(&mut self, sentinel: &mut Sentinel, script: &Parsed) -> anyhow::Result<()> {
        script.name().clone_into(&mut self.script);
        let ran = sentinel.run(script, self);
        self.take_failure()?;
        ran.map_err(failed)
    }

    /// Closes what is open. A script of nothing lends the tables for the last answers.
    fn finish(&mut self, sentinel: &mut Sentinel) -> anyhow::Result<()> {
        struct Last<'a>(&'a mut Show);
        impl Observer for Last<'_> {
            fn committed(&mut self, _transaction: CapturedTransaction) {}
            fn settled(&mut self, tables: &Tables<'_>) {
                self.0.with_stage(*tables, |stage, audience| stage.finish(audience).map(|()| None));
            }
        }
        let nothing = Script { name: "the end".to_owned(), text: "PRINT ''".to_owned() };
        let nothing = parse(sentinel, &[nothing])?.remove(0);
        sentinel.run(&nothing, &mut Last(self)).map_err(failed)?;
        self.take_failure()
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
        let mut seats =
            Seats { tables, database: &self.database, output: &mut self.output, file: &mut self.file, alerts: &mut self.alerts };
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
        // the scripts' own words are talk, not data; nobody may be listening
        writeln!(std::io::stderr(), "{text}").ok();
    }

    fn noted(&mut self, line: u32, text: &str) {
        // as above
        writeln!(std::io::stderr(), "note: {}:{line}: {text}", self.script).ok();
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
    output: &'a mut Output,
    file: &'a mut Option<OutputFile>,
    alerts: &'a mut Vec<Raised>,
}

impl Audience for Seats<'_> {
    fn answer(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Answer>> {
        book::answers(self.tables, self.database, questions)
    }

    fn alert(&mut self, alert: &[u8]) -> anyhow::Result<()> {
        let shown: Shown = serde_json::from_slice(alert).context("an alert does not read")?;
        writeln!(self.output, "{}", shown.row())?;
        self.output.flush()?;
        if let Some(file) = self.file {
            file.write(alert)?;
            file.write(b"\n")?;
        }
        self.alerts.push(Raised { name: shown.name(), commit_lsn: shown.trigger.commit_lsn });
        Ok(())
    }

    fn bad(&mut self, message: &str) {
        // told like the scripts' own words; nobody may be listening
        writeln!(std::io::stderr(), "note: a message went to the dead letters: {message}").ok();
    }
}

/// Says what each script raised, and whether that is what it must raise.
fn conclude(plan: &Plan, show: Show, ends: &[String]) -> anyhow::Result<ExitCode> {
    let Show { mut output, file, alerts, .. } = show;
    if let Some(file) = file {
        file.commit()?;
    }
    let mut after = "";
    let mut outcomes = Vec::new();
    for (script, end) in plan.scripts.iter().zip(ends) {
        // positions are fixed-width hexadecimal, so their texts sort as they do
        let own = alerts.iter().filter(|alert| after < alert.commit_lsn.as_str() && alert.commit_lsn.as_str() <= end.as_str());
        let mut raised: Vec<String> = own.map(|alert| alert.name.clone()).collect();
        raised.sort();
        outcomes.push(Outcome { script: &script.name, raised, expected: plan.expected.get(&script.name) });
        after = end;
    }
    write!(output, "\n{}", report::outcomes(&outcomes))?;
    output.finish()?;
    let differ = outcomes.iter().filter(|outcome| outcome.differs()).count();
    Ok(if differ == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}
