//! `tidewaiter backtest`.

use std::process::ExitCode;

use crate::cli;

pub(crate) fn run(_args: cli::Backtest) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`tidewaiter backtest` is not built yet")
}
