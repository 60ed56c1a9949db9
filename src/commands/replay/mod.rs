//! `tidewaiter replay`
mod report;
mod scripts;
mod stage;
use crate::cli;
use std::process::ExitCode;
pub(crate) fn run(_args: &cli::Replay) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
