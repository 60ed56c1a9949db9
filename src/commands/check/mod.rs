//! `tidewaiter check`: everything that is wrong with a file, before it is used; with `--connect`, with what it names too.

mod connect;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use self::connect::{Finding, Level};
use super::output::hint;
use super::run::Prepared;
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
    let mut connected = Vec::new();
    for path in &args.config {
        // what the daemon would read is checked with it, and told by its own name
        let config = DaemonConfig::load(path, &RESERVED);
        let named = config.as_ref().ok().and_then(|config| config.rules.clone());
        let named_well = named.as_deref().is_none_or(|rules| LendingRules::load(rules).is_ok());
        rules.extend(named);
        let prepared = match config {
            Ok(_) if named_well => Prepared::load(path).map(Some),
            Ok(_) => Ok(None),
            Err(error) => Err(error.into()),
        };
        match prepared {
            Ok(Some(prepared)) if args.connect => connected.push((path.clone(), prepared)),
            Ok(_) => examine(path, Ok("ok".to_owned())),
            Err(error) => examine(path, Err(error)),
        }
    }
    for path in &rules {
        let rules = LendingRules::load(path).map_err(Into::into);
        examine(path, rules.map(|rules| format!("ok, fingerprint {}", rules.fingerprint)));
    }
    for (path, prepared) in connected {
        findings |= meet(&mut output, &path, &prepared)?;
    }
    output.finish()?;
    match unreadable {
        Some(error) => Err(error),
        None if findings => Ok(ExitCode::from(FINDINGS)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Looks at what the daemon would meet, and says it; true if something is wrong.
fn meet(output: &mut Output, path: &Path, prepared: &Prepared) -> anyhow::Result<bool> {
    let mut wrong = false;
    // what several findings have in common is told with the first of them
    let mut told = BTreeSet::new();
    for Finding { level, text, hint } in connect::findings(prepared) {
        let word = match level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        };
        wrong |= level == Level::Problem;
        let hint = hint.filter(|hint| told.insert(hint.clone()));
        let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        writeln!(output, "{}: {word}: {text}{hint}", path.display())?;
    }
    Ok(wrong)
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
