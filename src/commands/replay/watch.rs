//! `replay --watch`: runs again whenever a script, a part of the set-up or the rules change.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::scripts::Plan;
use crate::cli;
use crate::commands::output;

/// Looking at a handful of files costs nothing, and works on any file system.
const LOOK: Duration = Duration::from_millis(300);

/// Runs for ever: an error is told, and the next change tried.
pub(super) fn run(args: &cli::Replay) -> anyhow::Result<ExitCode> {
    loop {
        let plan = Plan::new(&args.scripts, &args.setup);
        let mut files: Vec<PathBuf> = match &plan {
            Ok(plan) => plan.watched.clone(),
            Err(_) => args.scripts.iter().chain(&args.setup).cloned().collect(),
        };
        files.extend(args.rules.clone());
        if files.is_empty() {
            return Err(super::advise(
                anyhow::anyhow!("nothing to watch"),
                "name scripts, a --setup or --rules; the built-in ones do not change",
            ));
        }
        let before = states(&files);
        if let Err(error) = plan.and_then(|plan| super::play(args, &plan)) {
            let hint = output::hint(&error).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            writeln!(std::io::stderr(), "error: {error:#}{hint}")?;
        }
        writeln!(std::io::stderr(), "\nwatching {} files; Ctrl-C ends", files.len())?;
        while states(&files) == before {
            sleep(LOOK);
        }
    }
}

type State = Option<(SystemTime, u64)>;

/// A file that is away has no state; it may be in the middle of being saved.
fn states(files: &[PathBuf]) -> BTreeMap<&Path, State> {
    let state = |file: &Path| {
        let metadata = file.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(|file| (file.as_path(), state(file))).collect()
}
