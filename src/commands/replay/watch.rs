//! `replay --watch`: runs again whenever a script, a part of the set-up or the rules change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::scripts::{Disk, Plan, is_read};
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
        let mut before = states(files.clone());
        let disk = Disk::default();
        if let Err(error) = plan.and_then(|plan| super::play(args, &plan, &disk)) {
            let hint = output::hint(&error).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            writeln!(std::io::stderr(), "error: {error:#}{hint}")?;
        }
        // what the scripts read in is known only now
        files.extend(disk.into_read());
        for (file, state) in states(files.clone()) {
            before.entry(file).or_insert(state);
        }
        writeln!(std::io::stderr(), "\nwatching {} files; Ctrl-C ends", before.len())?;
        while states(files.clone()) == before {
            sleep(LOOK);
        }
    }
}

#[derive(PartialEq, Eq)]
enum State {
    File(SystemTime, u64),
    /// What of it a replay reads; the alerts that it writes may lie there too.
    Folder(BTreeSet<PathBuf>),
}

/// A file that is away has no state; it may be in the middle of being saved.
fn states(files: Vec<PathBuf>) -> BTreeMap<PathBuf, Option<State>> {
    files.into_iter().map(|file| (file.clone(), state(&file))).collect()
}

fn state(path: &Path) -> Option<State> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_dir() {
        return Some(State::File(metadata.modified().ok()?, metadata.len()));
    }
    let entries = path.read_dir().ok()?.filter_map(Result::ok).map(|entry| entry.path());
    Some(State::Folder(entries.filter(|file| is_read(file)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_changes_with_its_scripts_and_not_with_what_is_written_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let watched = vec![folder.path().to_owned()];
        let before = states(watched.clone());
        std::fs::write(folder.path().join("alerts.jsonl"), "{}").unwrap();
        assert!(states(watched.clone()) == before);
        for name in ["new.sql", "expected.toml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert!(states(watched.clone()) != before, "{name}");
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
        assert!(states(watched.clone()) == before);
    }
}
