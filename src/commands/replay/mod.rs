//! `tidewaiter replay`: SQL scripts in, alerts out.
//!
//! ```text
//! scripts ─► embedded Sentinel ─► captured changes ─► Debezium records ─► Stage: broker, engine ─► alerts
//! scripts ─► stack: SQL Server ─► Debezium ─► Kafka ─► the daemon ─► its alerts topic ─► alerts
//! ```
//!
//! On the embedded target, at every GO and WAITFOR the engine catches up before the script goes on, so what a lookup sees does not hang on who was
//! faster: a profile that is inserted in a later batch is not known to what was judged before.

mod book;
mod report;
mod screen;
mod scripts;
mod show;
mod stack;
mod stage;
mod table;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use chrono::NaiveDateTime;

use super::output::is_stdout;
use super::{FINDINGS, Output, advise};
use crate::cli::{self, Target};
use crate::domains::lending::settings::LendingRules;
use crate::io::output::OutputFile;
use crate::io::sentinel::{CapturedTransaction, Observer, OnError, ReplayClock, Script as Parsed, ScriptError, Sentinel};
use crate::time::{Clock, SystemClock};
use report::{HEADER, Outcome};
use screen::{Raised, Screen};
use scripts::{Disk, Plan, Script};
use show::Show;
use stage::Stage;

/// Debezium's `topic.prefix`.
const PREFIX: &str = "sentinel";

pub(crate) fn run(args: &cli::Replay) -> anyhow::Result<ExitCode> {
    if args.alerts.as_deref().is_some_and(is_stdout) {
        let refused = anyhow::anyhow!("--alerts - would mix with what a replay shows on standard output");
        return Err(advise(refused, "name a file (a pipe or /dev/stderr will do)"));
    }
    match (args.target, &args.stack.config) {
        (Target::Stack, Some(config)) => return stack::run(args, config),
        (Target::Embedded, None) => {}
        // the command line asks for the one with the other
        _ => return Err(advise(anyhow::anyhow!("--config is for --target stack"), "add --target stack, or leave it out")),
    }
    if args.watch {
        return watch::run(args);
    }
    play(args, &Plan::new(&args.scripts, &args.setup)?, &Disk::default())
}

/// Runs everything once.
fn play(args: &cli::Replay, plan: &Plan, disk: &Disk) -> anyhow::Result<ExitCode> {
    let rules = match &args.rules {
        Some(path) => LendingRules::load(path)?,
        None => LendingRules::shipped(),
    };
    let mut screen = Screen::new(Output::stdout(), alerts_file(args)?);

    let mut sentinel = Sentinel::new(ReplayClock::new(args.at.unwrap_or_else(now)))?;
    // as sqlcmd has it; a script may ask for the other by `:on error exit`
    sentinel.on_error(OnError::Continue);
    let mut set_up = SetUp::default();
    for script in &plan.setup {
        let parsed = parse(&sentinel, std::slice::from_ref(script), disk)?.remove(0);
        sentinel.run(&parsed, &mut set_up).map_err(|error| stopped(&parsed, &error))?;
    }
    // all scripts are understood before the first one runs
    let parsed = parse(&sentinel, &plan.scripts, disk)?;

    let (database, topics) = captured(&sentinel)?;
    let stage = Stage::start(&topics, rules)?;
    screen.line(HEADER)?;
    let mut show = Show::new(stage, database, screen, args.real_time);
    let mut runs = Vec::new();
    for script in &parsed {
        runs.push(show.script(&mut sentinel, script)?);
    }
    show.finish(&mut sentinel)?;
    conclude(plan, show.end(), "", &runs, set_up.failures)
}

fn alerts_file(args: &cli::Replay) -> anyhow::Result<Option<OutputFile>> {
    args.alerts.as_deref().map(OutputFile::create).transpose().map_err(|error| match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    })
}

/// How a script ran.
struct Ran {
    /// The last commit up to its end; empty before the first of all.
    last_commit: String,
    /// How many of its statements failed.
    failures: usize,
}

fn now() -> NaiveDateTime {
    chrono::DateTime::from_timestamp_millis(SystemClock.now().as_ms()).map(|now| now.naive_utc()).unwrap_or_default()
}

/// Understands scripts that run one after the other, or says what is wrong with any of them.
fn parse(sentinel: &Sentinel, scripts: &[Script], disk: &Disk) -> anyhow::Result<Vec<Parsed>> {
    let mut parsed = Vec::new();
    let mut wrong = Vec::new();
    for script in scripts {
        match sentinel.parse_after(&parsed, &script.name, &script.text, disk) {
            Ok(understood) => parsed.push(understood),
            Err(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                wrong.push(format!("{} cannot be run as it is:\n{}", script.name, all.join("\n")));
            }
        }
    }
    if wrong.is_empty() { Ok(parsed) } else { Err(anyhow::anyhow!(wrong.join("\n"))) }
}

/// A script ended before its end; which error it was, was told when it came.
fn stopped(script: &Parsed, error: &ScriptError) -> anyhow::Error {
    let place =
        if error.file == script.name() { format!("line {}", error.line) } else { format!("{}:{}", error.file, error.line) };
    anyhow::anyhow!("{} stopped at {place}", script.name())
}

/// Tells of a statement that failed, up to a number of them.
fn tell_failure(failures: &mut usize, error: &ScriptError) {
    const MOST: usize = 20;
    *failures += 1;
    // nobody may be listening
    match *failures {
        ..=MOST => writeln!(std::io::stderr(), "error: {error}").ok(),
        more if more == MOST + 1 => {
            writeln!(std::io::stderr(), "error: more statements failed; they are counted at the end").ok()
        }
        _ => None,
    };
}

fn tell_note(file: &str, line: u32, text: &str) {
    // nobody may be listening
    writeln!(std::io::stderr(), "note: {file}:{line}: {text}").ok();
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
#[derive(Default)]
struct SetUp {
    failures: usize,
}

impl Observer for SetUp {
    fn committed(&mut self, _transaction: CapturedTransaction) {}

    fn failed(&mut self, error: &ScriptError) {
        tell_failure(&mut self.failures, error);
    }
}

/// What each script raised, by the commits that stand between the end of the one before it, or `start`, and its own.
fn outcomes<'p>(plan: &'p Plan, alerts: &[Raised], start: &str, runs: &[Ran]) -> Vec<Outcome<'p>> {
    let mut after = start;
    let mut outcomes = Vec::new();
    for (script, ran) in plan.scripts.iter().zip(runs) {
        // commits are texts that sort as they do: positions of fixed width in hexadecimal, or times
        let own = |commit: &str| after < commit && commit <= ran.last_commit.as_str();
        let own = alerts.iter().filter(|alert| own(&alert.commit));
        let mut raised: Vec<String> = own.map(|alert| alert.name.clone()).collect();
        raised.sort();
        let expected = plan.expected.get(&script.name);
        outcomes.push(Outcome { script: &script.name, raised, expected, failures: ran.failures });
        after = &ran.last_commit;
    }
    outcomes
}

/// Says what each script raised, and whether that is what it must raise.
fn conclude(plan: &Plan, screen: Screen, start: &str, runs: &[Ran], failed_before: usize) -> anyhow::Result<ExitCode> {
    let (mut output, alerts) = screen.end()?;
    let outcomes = outcomes(plan, &alerts, start, runs);
    write!(output, "\n{}", report::outcomes(&outcomes))?;
    output.finish()?;
    let failures = failed_before + runs.iter().map(|ran| ran.failures).sum::<usize>();
    if failures > 0 {
        let were = if failures == 1 { "1 statement".to_owned() } else { format!("{failures} statements") };
        let hint = "the scripts went on behind them, as sqlcmd does; `:on error exit` at the head of a script stops it instead";
        return Err(advise(anyhow::anyhow!("{were} failed"), hint));
    }
    let differ = outcomes.iter().filter(|outcome| outcome.differs()).count();
    Ok(if differ == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}
