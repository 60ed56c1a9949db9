//! `replay --target stack`: the scripts on a real SQL Server, the alerts from the daemon's topic.
//!
//! ```text
//! scripts ─► Console: SQL Server ─► its change tables ─► Debezium ─► Kafka ─► the daemon ─► alerts topic ─► Tail ─► screen
//!                                        └── Database: when was this commit? ◄──────────────────────────────────┘
//! ```
//!
//! Nothing here hastens the stack, so alerts come seconds after what raised them, and perhaps when another script runs by then.
//! Whose an alert is says the server's own log: the time at which the commit that triggered it was made, held against the times
//! between which the scripts ran, all by the server's clock. What was committed before the first statement is nobody's.

mod database;
mod script;
mod tail;

use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep_until};

use super::report::HEADER;
use super::screen::{self, Screen};
use super::scripts::{Disk, Plan};
use super::{Ran, alerts_file, conclude, outcomes, tell_failure};
use crate::cli;
use crate::commands::run::{Prepared, max_silence};
use crate::commands::{Output, advise};
use crate::config::Secret;
use crate::config::daemon::{self, Book, Login};
use crate::engine::ports::OwnedRecord;
use crate::io::sentinel::{Batch, batches};
use crate::io::sqlserver::SqlServerError;
use database::Database;
use tail::Tail;

/// Holds the password; a command line is for everybody on the machine to read.
const PASSWORD: &str = "TIDEWAITER_SQL_PASSWORD";

/// Of the way from a commit to the daemon: the capture job looks every five seconds.
const ON_THE_WAY: Duration = Duration::from_secs(15);

pub(super) fn run(args: &cli::Replay, config: &Path) -> anyhow::Result<ExitCode> {
    refuse(args)?;
    let prepared = Prepared::load(config)?;
    let server = server(&prepared, args, config)?;
    let plan = Plan::new(&args.scripts, &[])?;
    let scripts = cut(&plan)?;
    // all that can be wrong here is found before the first statement
    let screen = Screen::new(Output::stdout(), alerts_file(args)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(play(args, &prepared, &server, &plan, &scripts, screen))
}

/// What a stack decides by itself.
fn refuse(args: &cli::Replay) -> anyhow::Result<()> {
    for (given, option, hint) in [
        (!args.setup.is_empty(), "--setup", "the database is there already; deploy/sql/init makes the stack's"),
        (args.at.is_some(), "--at", "a real server has a clock of its own"),
        (args.rules.is_some(), "--rules", "the daemon judges, by its own rules: change the file that it reads"),
        (args.watch, "--watch", "run it again by hand, or watch on the embedded target"),
    ] {
        if given {
            return Err(advise(anyhow::anyhow!("{option} is for the embedded target"), hint));
        }
    }
    Ok(())
}

/// The configuration's server, as whoever may write.
fn server(prepared: &Prepared, args: &cli::Replay, config: &Path) -> anyhow::Result<daemon::SqlServer> {
    let Book::SqlServer(server) = &prepared.config.expected.book else {
        let error = anyhow::anyhow!("{} has no [expected.sqlserver]", config.display());
        return Err(advise(error, "that is where the scripts run"));
    };
    let mut server = (**server).clone();
    // a secondary takes no INSERT
    server.read_only = false;
    if let Some(user) = &args.stack.sql_user {
        let password = Secret::Env(PASSWORD.to_owned());
        password.read().map_err(|error| advise(error, format!("it is the password of --sql-user {user}")))?;
        server.login = Login::Sql { user: user.clone(), password };
    }
    Ok(server)
}

/// All scripts are cut before the first one runs.
fn cut(plan: &Plan) -> anyhow::Result<Vec<Vec<Batch>>> {
    let (mut cut, mut wrong) = (Vec::new(), Vec::new());
    for script in &plan.scripts {
        match batches(&script.name, &script.text, &Disk::default()) {
            Ok(batches) => cut.push(batches),
            Err(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                wrong.push(format!("{} cannot be run as it is:\n{}", script.name, all.join("\n")));
            }
        }
    }
    if wrong.is_empty() { Ok(cut) } else { Err(anyhow::anyhow!(wrong.join("\n"))) }
}

async fn play(
    args: &cli::Replay,
    prepared: &Prepared,
    server: &daemon::SqlServer,
    plan: &Plan,
    scripts: &[Vec<Batch>],
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let database = Database::new(server.clone());
    // those that they change to, too
    let used = scripts.iter().flatten().flat_map(|batch| &batch.databases).chain([&server.database]);
    database.must_be_for_tests(&used.map(String::as_str).collect(), args.stack.any_database).await?;
    let mut tail = Tail::start(&prepared.connection, &prepared.config.alerts_topic)?;

    let watch = Watch { screen: RefCell::new(screen), start: database.now().await?, database, aside: RefCell::default() };
    watch.screen.borrow_mut().line(HEADER)?;
    let mut runs = Vec::new();
    for (script, batches) in plan.scripts.iter().zip(scripts) {
        let ran = script::run(server, &script.name, batches, &watch.screen);
        let failures = watch.meanwhile(&mut tail, ran).await??;
        runs.push(Ran { last_commit: watch.database.now().await?, failures });
    }
    let late = wait(args, prepared, &watch, &mut tail, plan, &runs).await?;
    watch.tell_aside();
    if !late.is_empty() {
        let hint = "is the connector running, and does /readyz of tidewaiter say \"ready\"? --timeout waits longer";
        let timeout = args.stack.timeout.as_secs();
        // nobody may be listening; the table says it too
        writeln!(std::io::stderr(), "note: did not come within {timeout} s: {}\nhint: {hint}", late.join(", ")).ok();
    }
    conclude(plan, watch.screen.into_inner(), &watch.start, &runs, 0)
}

/// Waits for alerts: for those that must come as long as that is worth it, for others a while. Gives what did not come.
async fn wait(
    args: &cli::Replay,
    prepared: &Prepared,
    watch: &Watch,
    tail: &mut Tail,
    plan: &Plan,
    runs: &[Ran],
) -> anyhow::Result<Vec<String>> {
    let end = Instant::now();
    let silence = max_silence(&prepared.rules.borrow());
    let settled = end + args.stack.settle.unwrap_or(silence + ON_THE_WAY);
    let given_up = settled.max(end + args.stack.timeout);
    loop {
        let mut late = Vec::new();
        for outcome in outcomes(plan, watch.screen.borrow().alerts(), &watch.start, runs) {
            late.extend(outcome.missing().into_iter().map(|alert| format!("{alert} ({})", outcome.script)));
        }
        tokio::select! {
            biased;
            alert = tail.next() => watch.take(&alert?).await?,
            () = sleep_until(if late.is_empty() { settled } else { given_up }) => return Ok(late),
        }
    }
}

fn told(error: SqlServerError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}

/// What is seen of the alerts topic, and whose it is.
struct Watch {
    screen: RefCell<Screen>,
    database: Database,
    /// By the server's clock, before the first statement.
    start: String,
    aside: RefCell<Aside>,
}

/// Alerts that no script raised.
#[derive(Default)]
struct Aside {
    earlier: usize,
    unknown: usize,
}

impl Watch {
    /// Takes alerts while something else is done.
    async fn meanwhile<T>(&self, tail: &mut Tail, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                alert = tail.next() => self.take(&alert?).await?,
            }
        }
    }

    async fn take(&self, record: &OwnedRecord) -> anyhow::Result<()> {
        let Some(alert) = &record.value else { return Ok(()) };
        let shown = screen::read(alert).with_context(|| record.origin.to_string())?;
        match self.database.committed_at(&shown.trigger.commit_lsn).await? {
            Some(at) if at > self.start => self.screen.borrow_mut().alert(alert, &shown, at)?,
            Some(_) => self.aside.borrow_mut().earlier += 1,
            None => self.aside.borrow_mut().unknown += 1,
        }
        Ok(())
    }

    fn tell_aside(&self) {
        let Aside { earlier, unknown } = *self.aside.borrow();
        // nobody may be listening
        if earlier > 0 {
            writeln!(std::io::stderr(), "note: {earlier} alerts of commits before the first statement were left aside").ok();
        }
        if unknown > 0 {
            let hint = "does the daemon read this very database? Else the login lacks rights to its change tables";
            let note = format!("{unknown} alerts of commits that the database does not know were left aside");
            writeln!(std::io::stderr(), "note: {note}\nhint: {hint}").ok();
        }
    }
}
