//! `tidewaiter health`: what the daemon says of itself, as an exit code. Images have no curl.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::{FINDINGS, Output, advise};
use crate::cli;

/// Shorter than any orchestrator's patience; the endpoint answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// As much as is shown: the body is a line for each objection.
const MOST: u64 = 64 * 1024;

/// Well if the daemon says so; a finding if it says otherwise, or nothing.
pub(crate) fn run(args: &cli::Health) -> anyhow::Result<ExitCode> {
    let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).proxy(None).build();
    let mut output = Output::stdout();
    let answered = ureq::Agent::from(agent).get(&args.url).call();
    let healthy = match answered {
        Ok(mut response) => {
            let said = response.body_mut().with_config().limit(MOST).read_to_string().context("cannot read the answer")?;
            output.write_all(said.as_bytes())?;
            response.status().is_success()
        }
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
            let error = anyhow::Error::new(error).context(format!("--url {} is no address", args.url));
            return Err(advise(error, "write it as http://127.0.0.1:9464/readyz"));
        }
        Err(error) => {
            writeln!(output, "{} does not answer: {error}", args.url)?;
            false
        }
    };
    output.finish()?;
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}
