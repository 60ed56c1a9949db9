//! `tidewaiter check`: everything that is wrong with a file, before it is used.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{FINDINGS, Output, advise};
use crate::cli;
use crate::config::LoadError;
use crate::domains::lending::settings::LendingRules;

pub(crate) fn run(args: &cli::Check) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout();
    let mut findings = false;
    let mut unreadable = None;
    for path in &args.rules {
        let checked = LendingRules::load(path).map(|rules| format!("ok, fingerprint {}", rules.fingerprint));
        match report(&mut output, path, checked) {
            Ok(ok) => findings |= !ok,
            // the other files are checked all the same
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    output.finish()?;
    if let Some(error) = unreadable {
        return Err(error);
    }
    if !args.config.is_empty() {
        return Err(advise(anyhow::anyhow!("`check --config` is not built yet"), "check the rules with --rules FILE"));
    }
    Ok(if findings { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
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
