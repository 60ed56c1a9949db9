//! `tidewaiter replay`.

use std::process::ExitCode;

use crate::cli;

pub(crate) fn run(_args: cli::Replay) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`tidewaiter replay` is not built yet")
}
