//! `tidewaiter check`: everything that is wrong with a file, before it is used.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::output::hint;
use super::{FINDINGS, Output, registry};
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
        examine(path, config.map_err(Into::into).and_then(|config| opens(&config)).map(|()| "ok".to_owned()));
    }
    for path in &rules {
        let rules = LendingRules::load(path).map_err(Into::into);
        examine(path, rules.map(|rules| format!("ok, fingerprint {}", rules.fingerprint)));
    }
    output.finish()?;
    match unreadable {
        Some(error) => Err(error),
        None if findings => Ok(ExitCode::from(FINDINGS)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Whether what a valid configuration names is there: secrets, certificates.
fn opens(config: &DaemonConfig) -> anyhow::Result<()> {
    config.source.registry.as_ref().map_or(Ok(()), |registry| registry::of_daemon(registry).map(drop))
}

/// Writes what is wrong with a file, or that nothing is; gives which of the two. What cannot be read is an error.
fn report(output: &mut Output, path: &Path, checked: anyhow::Result<String>) -> anyhow::Result<bool> {
    match checked {
        Ok(praise) => {
            writeln!(output, "{}: {praise}", path.display())?;
            Ok(true)
        }
        Err(error) => {
            if let Some(LoadError::Invalid(errors)) = error.downcast_ref() {
                writeln!(output, "{errors}")?;
            } else if error.chain().any(<dyn Error>::is::<io::Error>) {
                return Err(error);
            } else {
                let hint = hint(&error).map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
                writeln!(output, "{}: {error:#}{hint}", path.display())?;
            }
            Ok(false)
        }
    }
}
