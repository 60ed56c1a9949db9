//! `cargo xtask test`: every test there is.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use xtask::advise;
use xtask::kafka::missing;

/// Tests that need a real broker are ignored unless asked for, and live in targets of these names.
const BROKER_TESTS: &str = "kafka*";
/// Places where they have the daemon die.
pub(super) const FAIL_POINTS: [&str; 2] = ["--features", "tidewaiter/failpoints"];

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Fail, rather than say so, if the tests against a real broker cannot be run. Also by CI=true in the environment.
    #[arg(long)]
    require_kafka: bool,
    /// Further arguments of `cargo test`, such as --locked.
    #[arg(last = true, value_name = "CARGO_ARGS")]
    cargo: Vec<OsString>,
}

pub(crate) fn test(test: &Test) -> anyhow::Result<ExitCode> {
    let missing = missing();
    if let Some(missing) = missing.as_ref().filter(|_| test.require_kafka || env::var_os("CI").is_some_and(|ci| ci == "true")) {
        let message = format!("the tests against a real Kafka cannot be run: {missing}");
        return Err(advise(message, missing.hint().unwrap_or_default()));
    }
    if !cargo_test(&test.cargo, &[], &[])? {
        return Ok(ExitCode::FAILURE);
    }
    if let Some(missing) = missing {
        let hint = missing.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        eprintln!("\nNOT RUN: the tests against a real Kafka: {missing}{hint}");
        return Ok(ExitCode::SUCCESS);
    }
    let run = ["--test", BROKER_TESTS, FAIL_POINTS[0], FAIL_POINTS[1], "--", "--ignored"];
    let passed = cargo_test(&test.cargo, &run, &[])?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn cargo_test(cargo_args: &[OsString], args: &[&str], variables: &[(&str, String)]) -> anyhow::Result<bool> {
    let args = [&["test".into(), "--workspace".into()], cargo_args].concat().into_iter().chain(args.iter().map(Into::into));
    run_cargo(args, variables)
}

/// Runs cargo; gives whether it went well.
pub(super) fn run_cargo(args: impl IntoIterator<Item = OsString>, variables: &[(&str, String)]) -> anyhow::Result<bool> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(args).envs(variables.iter().cloned());
    // `cargo run` tells a program of its package, and some build scripts would run again at each change of that
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let told: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    eprintln!("\n== cargo {}", told.join(" "));
    let status = command.status().with_context(|| format!("cannot run {}", cargo.display()))?;
    Ok(status.success())
}

fn is_of_the_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}
