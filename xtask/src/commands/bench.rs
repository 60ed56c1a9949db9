//! `cargo xtask bench`: what takes more than one process.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use xtask::advise;
use xtask::kafka::missing;

use super::test::run_cargo;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The daemon on a real Kafka, beside a bare consumer that only counts the bytes of the same topics; then how long it takes
    /// from a record to the alert that it completes.
    E2e(E2e),
}

#[derive(Debug, Args)]
pub(crate) struct E2e {
    /// Records that wait for the consumers when they start: about 1.4 KB each, in the page cache.
    #[arg(long, default_value = "1000000")]
    records: u64,
    /// How long records are produced at 10 %, 50 % and 80 % of the highest rate.
    #[arg(long, default_value = "15")]
    seconds: u64,
    /// Measure instead how long a restart takes when so many movements wait for their balance change: about 330 bytes of the
    /// changelog each.
    #[arg(long)]
    movements: Option<u64>,
}

pub(crate) fn bench(bench: &Bench) -> anyhow::Result<ExitCode> {
    let Bench::E2e(E2e { records, seconds, movements }) = bench;
    if let Some(missing) = missing() {
        return Err(advise(format!("the daemon is measured on a real Kafka: {missing}"), missing.hint().unwrap_or_default()));
    }
    let (records, seconds) = (format!("--records={records}"), format!("--seconds={seconds}"));
    let movements = movements.map(|movements| format!("--movements={movements}"));
    let args = ["bench", "--bench", "e2e", "--", &records, &seconds].into_iter().chain(movements.as_deref());
    Ok(if run_cargo(args.map(Into::into), &[])? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
