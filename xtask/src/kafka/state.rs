//! What is known of a cluster from one call to the next: `target/kafka/run/NAME/cluster.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::distribution::VERSION;
use super::process::Process;
use super::runs;

/// How many ports a broker takes.
pub(super) const PORTS: usize = 5;

/// Whom the guarded listeners let in.
pub const USER: &str = "tester";
pub const PASSWORD: &str = "tester-secret";

/// A cluster that was started and not stopped; its processes may be gone all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterState {
    pub name: String,
    /// Of Apache Kafka.
    pub version: String,
    /// The version of Java that it runs on.
    pub java: String,
    /// For clients: every broker, comma-separated.
    pub bootstrap_servers: String,
    /// Holds logs, settings and data.
    pub folder: PathBuf,
    pub brokers: Vec<BrokerState>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrokerState {
    /// Its `node.id`, from 1.
    pub id: usize,
    /// None while it was killed or stopped on purpose.
    pub pid: Option<u32>,
    /// For clients and the other brokers.
    pub port: u16,
    /// For the controllers' quorum.
    pub controller_port: u16,
    pub gateway: Gateway,
    /// For clients that say by SASL who they are: [`USER`], with [`PASSWORD`], or a token that nobody signed.
    #[serde(default)] // an earlier version had none
    pub guarded_port: u16,
    pub log: PathBuf,
    /// Its settings; the path is also by what its process is recognised.
    pub settings: PathBuf,
}

/// A second way to a broker, for a proxy of a test. Clients that come this way are told of no other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Gateway {
    /// What clients are told to connect to; nobody listens until the test does.
    pub entrance: u16,
    /// Where the broker listens for what comes through.
    pub exit: u16,
}

impl BrokerState {
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().is_some_and(|process| process.is_running())
    }

    pub(super) fn process(&self) -> Option<Process> {
        self.pid.map(|pid| Process { pid, marker: self.marker() })
    }

    /// By what the process is recognised.
    pub(super) fn marker(&self) -> String {
        self.settings.display().to_string()
    }
}

impl ClusterState {
    /// Whether all of its brokers run.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.brokers.iter().all(BrokerState::is_running)
    }

    /// A cluster that was not started yet, with so many ports for each broker.
    pub(super) fn new(name: &str, java: &str, folder: &Path, ports: &[[u16; PORTS]]) -> Self {
        let broker = |(&[port, controller_port, entrance, exit, guarded_port], id): (&[u16; PORTS], usize)| BrokerState {
            id,
            pid: None,
            port,
            controller_port,
            gateway: Gateway { entrance, exit },
            guarded_port,
            log: folder.join(format!("broker-{id}.log")),
            settings: folder.join(format!("broker-{id}.properties")),
        };
        let brokers: Vec<_> = ports.iter().zip(1..).map(broker).collect();
        let servers: Vec<_> = brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
        Self {
            name: name.to_owned(),
            version: VERSION.to_owned(),
            java: java.to_owned(),
            bootstrap_servers: servers.join(","),
            folder: folder.to_owned(),
            brokers,
        }
    }

    pub(super) fn data(&self, id: usize) -> PathBuf {
        self.folder.join(format!("data-{id}"))
    }

    /// The cluster of that name, if it was started and not stopped.
    pub fn load(name: &str) -> anyhow::Result<Option<Self>> {
        let path = file(&folder(name));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is not the state of a cluster", path.display()))
    }

    /// Every cluster that was started and not stopped, by name.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let runs = runs();
        let entries = match fs::read_dir(&runs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", runs.display()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let clusters: anyhow::Result<Vec<_>> = names.iter().map(|name| Self::load(name)).collect();
        Ok(clusters?.into_iter().flatten().collect())
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let path = file(&self.folder);
        let text = serde_json::to_string_pretty(self).expect("paths of ours are UTF-8");
        // whole or not at all: another process may read it now
        let written = path.with_extension("new");
        fs::write(&written, text)
            .and_then(|()| fs::rename(&written, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn forget(folder: &Path) -> anyhow::Result<()> {
        let path = file(folder);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// The folder of a cluster.
pub(super) fn folder(name: &str) -> PathBuf {
    runs().join(name)
}

fn file(folder: &Path) -> PathBuf {
    folder.join("cluster.json")
}
