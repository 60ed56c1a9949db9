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
mod show;
mod stage;
mod table;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use chrono::NaiveDateTime;

use super::{FINDINGS, Output, advise};
use crate::cli::{self, Target};
use crate::domains::lending::settings::LendingRules;
use crate::io::output::OutputFile;
use crate::io::sentinel::{CapturedTransaction, Observer, ReplayClock, Script as Parsed, Sentinel};
use crate::time::{Clock, SystemClock};
use report::{HEADER, Outcome};
use scripts::{Plan, Script};
use show::Show;
use stage::Stage;

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
    let mut show = Show::new(stage, database, output, file, args.real_time);
    let mut ends = Vec::new();
    for script in &parsed {
        show.script(&mut sentinel, script)?;
        ends.push(show.last_commit().to_owned());
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

/// Says what each script raised, and whether that is what it must raise.
fn conclude(plan: &Plan, show: Show, ends: &[String]) -> anyhow::Result<ExitCode> {
    let (mut output, alerts) = show.end()?;
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
