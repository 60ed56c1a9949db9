//! `tidewaiter run`.

use std::process::ExitCode;

use crate::cli;

pub(crate) fn run(_args: cli::Run) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`tidewaiter run` is not built yet")
}
