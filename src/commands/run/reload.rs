//! New rules for a running daemon: read, validated, and only then in force, from the next batch on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use metrics::{counter, gauge};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::commands::output::hint;
use crate::config::DaemonConfig;
use crate::domains::lending::settings::LendingRules;
use crate::ops::Control;
use crate::telemetry::{RELOADS, RULES};
use crate::time::{Clock, SystemClock};

/// Holds the rules in force.
#[derive(Debug)]
pub(super) struct Reloader {
    config_file: PathBuf,
    /// The running configuration, for showing.
    config: Value,
    rules_file: Option<PathBuf>,
    rules: watch::Sender<Arc<LendingRules>>,
    started: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Content,
    config: Content,
    /// When the rules in force came into force.
    since: String,
    /// What became of the last reload.
    last: Option<Value>,
}

/// Why the rules are read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Signal,
    FileChange,
    Request,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::FileChange => "file change",
            Self::Request => "POST /reload",
        }
    }
}

/// A file as it was looked at last.
#[derive(Debug, Default)]
struct Content {
    /// What was acted upon.
    known: Option<[u8; 32]>,
    /// What was there at the last look: an editor's file that is half written is another one at the next look.
    seen: Option<[u8; 32]>,
}

impl Content {
    fn of(path: &Path) -> Self {
        let known = digest(path);
        Self { known, seen: known }
    }

    /// Whether there is something new that has stayed for two looks. Said once. A file that is gone is no news: it is on its
    /// way, or the operator will hear of it when he asks for a reload.
    fn changed(&mut self, path: &Path) -> bool {
        let now = digest(path);
        let stays = now.is_some() && now == self.seen;
        self.seen = now;
        let changed = stays && now != self.known;
        if changed {
            self.known = now;
        }
        changed
    }
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

impl Reloader {
    /// How often the files are looked at. They are small: reading them costs less than asking how they changed, and sees
    /// what a time stamp of whole seconds does not.
    pub(super) const PERIOD: Duration = Duration::from_secs(2);

    /// Reads the rules for the first time.
    pub(super) fn load(
        config_file: &Path,
        config: &DaemonConfig,
    ) -> anyhow::Result<(Arc<Self>, watch::Receiver<Arc<LendingRules>>)> {
        // before the file is read: a change in between is news then
        let content = config.rules.as_deref().map(Content::of).unwrap_or_default();
        let rules = match &config.rules {
            Some(path) => LendingRules::load(path)?,
            None => LendingRules::shipped(),
        };
        let (rules, receiver) = watch::channel(Arc::new(rules));
        let now = SystemClock.now().to_string();
        let reloader = Self {
            config_file: config_file.to_owned(),
            config: config.shown(),
            rules_file: config.rules.clone(),
            rules,
            started: now.clone(),
            state: Mutex::new(State { rules: content, config: Content::of(config_file), since: now, last: None }),
        };
        Ok((Arc::new(reloader), receiver))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }

    /// Acts upon files that have changed.
    pub(super) fn look(&self) {
        let (rules, config) = {
            let mut state = self.state();
            let rules = self.rules_file.as_ref().is_some_and(|path| state.rules.changed(path));
            (rules, state.config.changed(&self.config_file))
        };
        if config {
            let file = self.config_file.display();
            tracing::warn!(%file, "the configuration file has changed: that needs a restart");
        }
        if rules {
            // what became of it stands in the log
            let _ = self.reload(Trigger::FileChange);
        }
    }

    /// Reads and validates the rules. Rejected ones change nothing.
    pub(super) fn reload(&self, trigger: Trigger) -> Result<Value, Value> {
        let mut state = self.state();
        let before = self.rules.borrow().fingerprint.clone();
        let now = SystemClock.now().to_string();
        let trigger = trigger.name();
        let restart = self.needs_restart();
        let mut told = json!({"at": now, "trigger": trigger});
        if let Some(restart) = &restart {
            told["restart_needed"] = json!(restart);
            tracing::warn!(trigger, "{restart}");
        }
        let (result, done) = match self.read() {
            Ok(rules) if rules.fingerprint == before => {
                tracing::info!(trigger, fingerprint = before, "rules reloaded: nothing in them has changed");
                ("unchanged", true)
            }
            Ok(rules) => {
                tracing::info!(
                    trigger,
                    before,
                    fingerprint = rules.fingerprint,
                    "rules reloaded: in force from the next batch on"
                );
                state.since = now;
                self.rules.send_replace(Arc::new(rules));
                gauge!(RULES.name, "fingerprint" => before).set(0.0);
                self.tell_fingerprint();
                ("applied", true)
            }
            Err(error) => {
                let hint = hint(&error).map(str::to_owned);
                tracing::error!(
                    trigger,
                    error = format!("{error:#}"),
                    hint,
                    kept = before,
                    "rules rejected: the old ones stay in force"
                );
                told["error"] = json!(format!("{error:#}"));
                told["hint"] = json!(hint);
                ("rejected", false)
            }
        };
        counter!(RELOADS.name, "result" => result).increment(1);
        told["result"] = json!(result);
        told["fingerprint"] = json!(self.rules.borrow().fingerprint);
        state.last = Some(told.clone());
        if done { Ok(told) } else { Err(told) }
    }

    fn read(&self) -> anyhow::Result<LendingRules> {
        match &self.rules_file {
            Some(path) => Ok(LendingRules::load(path)?),
            None => Err(crate::commands::advise(
                anyhow::anyhow!("the configuration names no rules file; those that the program was built with are in force"),
                "set rules = \"FILE.toml\" in the configuration and restart",
            )),
        }
    }

    /// What of the daemon's own configuration is not in force.
    fn needs_restart(&self) -> Option<String> {
        let file = self.config_file.display();
        match DaemonConfig::load(&self.config_file, &crate::io::kafka::RESERVED) {
            Ok(config) if config.shown() == self.config => None,
            Ok(_) => Some(format!("{file} differs from the running configuration: that needs a restart")),
            Err(error) => Some(format!("{file} would not start as it is now: {error}")),
        }
    }

    /// Says in the metrics which rules are in force.
    pub(super) fn tell_fingerprint(&self) {
        gauge!(RULES.name, "fingerprint" => self.rules.borrow().fingerprint.clone()).set(1.0);
    }
}

impl Control for Reloader {
    fn config(&self) -> Value {
        let rules = Arc::clone(&self.rules.borrow());
        let state = self.state();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started,
            "config_file": self.config_file,
            "config": self.config,
            "restart_needed": self.needs_restart(),
            "rules": {
                "file": self.rules_file,
                "fingerprint": rules.fingerprint,
                "since": state.since,
                "effective": rules.canonical().lines().collect::<Vec<_>>(),
                "last_reload": state.last,
            },
        })
    }

    fn reload(&self) -> Result<Value, Value> {
        Self::reload(self, Trigger::Request)
    }
}
