//! A cluster: started, hurt, healed, stopped.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::broker::{self, Life};
use super::distribution::{Classes, Distribution, remove};
use super::metadata::{self, Topics};
use super::ports;
use super::state::{BrokerState, ClusterState, Gateway, PORTS, folder};
use crate::hint::advise;

/// How long a cluster may take to be ready: a machine that compiles meanwhile is slow.
const READY: Duration = Duration::from_mins(5);
/// How long a broker may take to hand over what it leads before it is killed.
const GRACE: Duration = Duration::from_secs(20);
/// Ports that were free when they were looked for may be taken when the broker binds them.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// A cluster of one or three brokers that this process has started. It is killed when this is dropped.
///
/// Brokers are numbered from 1, as by their `node.id`. Everything may be called from several threads.
#[derive(Debug)]
pub struct Cluster {
    distribution: Distribution,
    life: Life,
    /// Not killed when this is dropped.
    stays: bool,
    bootstrap: String,
    state: Mutex<ClusterState>,
    /// Held by nobody else meanwhile. The system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Cluster {
    /// Starts an empty cluster and waits until it is ready. Clusters of different names do not touch each other. One of
    /// this name that an earlier process left behind is killed; one that another process is using is waited for.
    ///
    /// # Errors
    /// Java or Maven is missing, the jars cannot be had, or the cluster does not come up; says where its logs are.
    pub fn start(brokers: usize, name: &str) -> anyhow::Result<Self> {
        Self::start_as(brokers, name, Life::Attached)
    }

    /// Starts a cluster that outlives this process; [`Cluster::stop`] ends it.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_detached(brokers: usize, name: &str) -> anyhow::Result<ClusterState> {
        let mut cluster = Self::start_as(brokers, name, Life::Detached)?;
        cluster.stays = true;
        let state = cluster.state().clone();
        Ok(state)
    }

    /// Stops a cluster that was started detached, or left behind; false if there is none of that name.
    ///
    /// # Errors
    /// Another process is using it, or a broker does not end.
    pub fn stop(name: &str) -> anyhow::Result<bool> {
        let Some(state) = ClusterState::load(name)? else { return Ok(false) };
        let lock = open_lock(&state.folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let hint = "it is stopped when the tests that use it end";
                return Err(advise(format!("cluster {name} belongs to a process that runs"), hint));
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock cluster {name}")),
        }
        end(&state, GRACE)?;
        Ok(true)
    }

    fn start_as(brokers: usize, name: &str, life: Life) -> anyhow::Result<Self> {
        ensure!(brokers == 1 || brokers == 3, "a cluster has 1 or 3 brokers, not {brokers}");
        ensure!(is_name(name), "`{name}` is not a cluster's name: letters, digits, `-` and `_` make one");
        let mut distribution = Distribution::obtain()?;
        if let Classes::Load = distribution.classes {
            let recording = distribution.recording();
            Self::start_with(&recording, 1, "recording", Life::Attached)?.stop_broker(1)?;
            distribution.use_recorded(&recording);
        }
        Self::start_with(&distribution, brokers, name, life)
    }

    fn start_with(distribution: &Distribution, brokers: usize, name: &str, life: Life) -> anyhow::Result<Self> {
        let folder = folder(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let lock = wait_for_lock(&folder, name)?;
        if let Some(left) = ClusterState::load(name)? {
            end(&left, Duration::ZERO)?;
        }
        let mut attempt = 1;
        loop {
            clear(&folder)?;
            let state = ClusterState::new(name, &distribution.java.version, &folder, ports::free(PORTS * brokers)?.as_chunks().0);
            let lock = lock.try_clone().with_context(|| format!("cannot keep the lock of cluster {name}"))?;
            let cluster = Self {
                distribution: distribution.clone(),
                life,
                stays: false,
                bootstrap: state.bootstrap_servers.clone(),
                state: Mutex::new(state),
                _lock: lock,
            };
            match cluster.launch_all() {
                Ok(()) => return Ok(cluster),
                Err(error) if attempt < ATTEMPTS && cluster.has_lost_a_port() => {
                    eprintln!("a port was taken meanwhile, trying others: {error:#}");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What clients need: every broker, comma-separated.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The ways to the brokers that a proxy can stand in, in their order.
    #[must_use]
    pub fn gateways(&self) -> Vec<Gateway> {
        self.state().brokers.iter().map(|broker| broker.gateway).collect()
    }

    /// Where brokers listen for clients that say who they are, comma-separated.
    #[must_use]
    pub fn guarded_bootstrap(&self) -> String {
        let servers: Vec<_> = self.state().brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.guarded_port)).collect();
        servers.join(",")
    }

    /// Ends a broker as a power cut would.
    ///
    /// # Errors
    /// There is no such broker, or it does not end.
    pub fn kill_broker(&self, id: usize) -> anyhow::Result<()> {
        self.end_broker(id, Duration::ZERO)
    }

    /// Has a broker hand over what it leads, and end.
    ///
    /// # Errors
    /// There is no such broker, or it does not end.
    pub fn stop_broker(&self, id: usize) -> anyhow::Result<()> {
        self.end_broker(id, GRACE)
    }

    /// Starts a broker again, with its data and on its ports, and waits until it and the others that run know each other.
    /// One that runs is stopped first.
    ///
    /// # Errors
    /// There is no such broker, or it does not come up; says where its log is.
    pub fn restart_broker(&self, id: usize) -> anyhow::Result<()> {
        self.stop_broker(id)?;
        self.launch(id)?;
        self.wait_until_ready()
    }

    /// Waits until every partition has a leader and all of its replicas are in sync: the next broker may go.
    ///
    /// # Errors
    /// That does not come, or a broker has ended by itself.
    pub fn wait_until_in_sync(&self) -> anyhow::Result<()> {
        self.wait("in sync", |brokers| {
            for broker in brokers {
                let known = metadata::ask(broker.port, Topics::All)?;
                if let Some(behind) = known.partitions.iter().find(|partition| !partition.is_in_sync()) {
                    bail!("broker {} knows {behind:?}", broker.id);
                }
            }
            Ok(())
        })
    }

    fn state(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }

    fn broker(&self, id: usize) -> anyhow::Result<BrokerState> {
        let state = self.state();
        let found = state.brokers.iter().find(|broker| broker.id == id);
        found.cloned().with_context(|| format!("cluster {} has brokers 1 to {}, not {id}", state.name, state.brokers.len()))
    }

    fn launch_all(&self) -> anyhow::Result<()> {
        let state = self.state().clone();
        thread::scope(|scope| {
            let (distribution, state) = (&self.distribution, &state);
            let prepare = |broker| scope.spawn(move || broker::prepare(distribution, state, broker, self.life));
            let threads: Vec<_> = state.brokers.iter().map(prepare).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
        })?;
        for broker in &state.brokers {
            self.launch(broker.id)?;
        }
        self.wait_until_ready()
    }

    fn launch(&self, id: usize) -> anyhow::Result<()> {
        let broker = self.broker(id)?;
        let mut state = self.state();
        let pid = broker::launch(&self.distribution, &state, &broker, self.life)?;
        Self::set_pid(&mut state, id, Some(pid))
    }

    fn end_broker(&self, id: usize, grace: Duration) -> anyhow::Result<()> {
        let broker = self.broker(id)?;
        // before it ends, so that nobody who waits meanwhile thinks that it ended by itself
        Self::set_pid(&mut self.state(), id, None)?;
        end_process(&broker, grace)
    }

    fn set_pid(state: &mut ClusterState, id: usize, pid: Option<u32>) -> anyhow::Result<()> {
        state.brokers[id - 1].pid = pid;
        state.save()
    }

    /// Waits until every broker that shall run answers, and knows all the others.
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        self.wait("ready", |brokers| {
            for broker in brokers {
                let known = metadata::ask(broker.port, Topics::None)?.brokers;
                let is_known = |other: &BrokerState| known.iter().any(|id| usize::try_from(*id) == Ok(other.id));
                if let Some(unknown) = brokers.iter().find(|other| !is_known(other)) {
                    bail!("broker {} does not know broker {}", broker.id, unknown.id);
                }
            }
            Ok(())
        })
    }

    fn wait(&self, what: &str, is_so: impl Fn(&[BrokerState]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let state = self.state().clone();
            let brokers: Vec<BrokerState> = state.brokers.into_iter().filter(|broker| broker.pid.is_some()).collect();
            if let Some(broker) = brokers.iter().find(|broker| !broker.is_running()) {
                let log = broker.log.display();
                bail!(
                    "broker {} of cluster {} has ended; its log {log} ends with\n{}",
                    broker.id,
                    state.name,
                    last_lines(&broker.log)
                );
            }
            match is_so(&brokers) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > READY => {
                    let folder = state.folder.display();
                    return Err(error)
                        .with_context(|| format!("cluster {} is not {what} after {READY:?}; its logs: {folder}", state.name));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn has_lost_a_port(&self) -> bool {
        let is_told = |broker: &BrokerState| fs::read_to_string(&broker.log).is_ok_and(|log| log.contains("BindException"));
        self.state().brokers.iter().any(is_told)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let state = self.state().clone();
        if let Err(error) = end(&state, Duration::ZERO) {
            eprintln!("cluster {} is not stopped: {error:#}", state.name);
        }
    }
}

/// Ends all brokers, at the same time, and forgets the cluster and its data. Settings and logs stay.
fn end(cluster: &ClusterState, grace: Duration) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let end = |broker| scope.spawn(move || end_process(broker, grace));
        let threads: Vec<_> = cluster.brokers.iter().map(end).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    for broker in &cluster.brokers {
        remove(&cluster.data(broker.id))?;
    }
    ClusterState::forget(&cluster.folder)
}

fn end_process(broker: &BrokerState, grace: Duration) -> anyhow::Result<()> {
    let Some(process) = broker.process() else { return Ok(()) };
    let ended = if grace.is_zero() { process.kill() } else { process.stop(grace) };
    ended.with_context(|| format!("cannot end broker {}", broker.id))
}

const LOCK: &str = "lock";

fn open_lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    File::create(&path).with_context(|| format!("cannot create {}", path.display()))
}

fn wait_for_lock(folder: &Path, name: &str) -> anyhow::Result<File> {
    let file = open_lock(folder)?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        eprintln!("cluster {name} belongs to another process, waiting for it to end");
    }
    file.lock().with_context(|| format!("cannot lock cluster {name}"))?;
    Ok(file)
}

/// Removes what an earlier cluster of this name left.
fn clear(folder: &Path) -> anyhow::Result<()> {
    let unreadable = || format!("cannot clear {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let path = entry.path();
        if entry.file_type().with_context(unreadable)?.is_dir() {
            remove(&path)?;
        } else if entry.file_name() != LOCK {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// It becomes a folder's.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("(cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST)..].join("\n")
}

/// So many lines of a log hold an exception and what led to it.
const LAST: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert!(["default", "a-1", "A_b"].into_iter().all(is_name));
        assert!(!["", "..", "a/b", "a b", "ä"].into_iter().any(is_name));
    }

    #[test]
    fn numbers_of_brokers_that_make_no_sense_are_refused_before_anything_starts() {
        for brokers in [0, 2, 4] {
            let error = Cluster::start(brokers, "unit").unwrap_err();
            assert!(error.to_string().contains("1 or 3 brokers"), "{error}");
        }
    }

    #[test]
    fn what_an_earlier_cluster_left_is_cleared_but_for_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data-1/topic-0")).unwrap();
        fs::write(folder.path().join("broker-1.log"), "").unwrap();
        let lock = wait_for_lock(folder.path(), "t").unwrap();
        clear(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
        drop(lock);
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n")).unwrap();
        let shown = last_lines(&log);
        assert!(shown.starts_with("line 75\n") && shown.ends_with("line 99"), "{shown}");
        assert!(last_lines(&folder.path().join("none")).contains("cannot be read"));
    }
}
