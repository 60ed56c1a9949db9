//! The commands: each takes its arguments, does its work, and gives an exit code. Only they use anyhow.

mod backtest;
mod book;
mod check;
mod dead_letters;
mod health;
mod interrupt;
mod output;
mod profiles;
mod registry;
mod replay;
mod run;

use std::io::Write;
use std::process::ExitCode;

pub(crate) use output::{Output, advise};

use crate::cli::{Cli, Command};

/// Something was found: a check or a comparison failed.
const FINDINGS: u8 = 1;
const ERROR: u8 = 2;

/// Runs the command. An error is told on stderr, with its causes and the hint it carries.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => interrupt::cleans_up().and_then(|()| replay::run(&args)),
        Command::Backtest(args) => interrupt::cleans_up().and_then(|()| backtest::run(&args)),
        Command::Check(args) => check::run(&args),
        Command::DeadLetters(args) => interrupt::cleans_up().and_then(|()| dead_letters::run(&args)),
        Command::Health(args) => health::run(&args),
        Command::Profiles(args) => interrupt::cleans_up().and_then(|()| profiles::run(&args)),
    };
    result.unwrap_or_else(|error| {
        let hint = output::hint(&error).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        // nobody is left to tell if stderr is closed; the exit code still says it
        let _ = writeln!(std::io::stderr(), "error: {error:#}{hint}");
        ExitCode::from(ERROR)
    })
}
