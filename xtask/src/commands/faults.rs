//! `cargo xtask faults`: the daemon killed, stopped and cut off, on a real Kafka.

use std::process::ExitCode;

use clap::Args;
use xtask::advise;
use xtask::kafka::missing;

use super::test::{FAIL_POINTS, cargo_test};

#[derive(Debug, Args)]
pub(crate) struct Faults {
    /// As often as CONTRIBUTING.md tells, which takes hours; otherwise in the small form of `cargo xtask test`.
    #[arg(long)]
    full: bool,
    /// This often each, instead.
    #[arg(long, conflicts_with = "full")]
    times: Option<u32>,
    /// What a failure printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Only tests whose names contain this, such as `kills`.
    filter: Option<String>,
}

pub(crate) fn faults(faults: &Faults) -> anyhow::Result<ExitCode> {
    if let Some(missing) = missing() {
        return Err(advise(format!("the faults need a real Kafka: {missing}"), missing.hint().unwrap_or_default()));
    }
    let times = if faults.full { Some("full".to_owned()) } else { faults.times.map(|times| times.to_string()) };
    let seed = faults.seed.map(|seed| seed.to_string());
    let variables: Vec<_> = [("TIDEWAITER_FAULTS", times), ("TIDEWAITER_SEED", seed)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let filter = format!("faults::{}", faults.filter.as_deref().unwrap_or_default());
    // one at a time: each of them keeps two cores busy
    let run = ["--test", "kafka", FAIL_POINTS[0], FAIL_POINTS[1], "--", "--ignored", "--nocapture", "--test-threads=1", &filter];
    Ok(if cargo_test(&[], &run, &variables)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
