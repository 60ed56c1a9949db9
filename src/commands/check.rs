//! `tidewaiter check`: everything that is wrong with a file, before it is used.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{FINDINGS, Output};
use crate::cli;
use crate::config::{DaemonConfig, LoadError};
use crate::domains::lending::settings::LendingRules;
use crate::io::kafka::RESERVED;

pub(crate) fn run(args: &cli::Check) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout();
    let mut findings = false;
    let mut unreadable = None;
    let mut examine = |path: &Path, checked| match report(&mut output, path, checked) {
        Ok(ok) => findings |= !ok,
        // the other files are checked all the same
        Err(error) => unreadable = unreadable.take().or(Some(error)),
    };
    let mut rules = args.rules.clone();
    for path in &args.config {
        let config = DaemonConfig::load(path, &RESERVED);
        // what the daemon would read is checked with it
        rules.extend(config.as_ref().ok().and_then(|config| config.rules.clone()));
        examine(path, config.map(|_| "ok".to_owned()));
    }
    for path in &rules {
        examine(path, LendingRules::load(path).map(|rules| format!("ok, fingerprint {}", rules.fingerprint)));
    }
    output.finish()?;
    match unreadable {
        Some(error) => Err(error),
        None if findings => Ok(ExitCode::from(FINDINGS)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Writes what is wrong with a file, or that nothing is; gives which of the two.
fn report(output: &mut Output, path: &Path, checked: Result<String, LoadError>) -> anyhow::Result<bool> {
    match checked {
        Ok(praise) => {
            writeln!(output, "{}: {praise}", path.display())?;
            Ok(true)
        }
        Err(LoadError::Invalid(errors)) => {
            writeln!(output, "{errors}")?;
            Ok(false)
        }
        Err(error @ LoadError::Unreadable { .. }) => Err(error.into()),
    }
}
