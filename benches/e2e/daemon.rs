//! The daemon, as a process of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use xtask::kafka::Cluster;

use super::PARTITIONS;
use super::latency::now;
use super::topics::{Rate, TABLES, config, name};

pub(crate) const GROUP: &str = "tidewaiter";
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) struct Daemon {
    process: Child,
    log: PathBuf,
    started: Instant,
    ready: String,
    /// Asks for the group's offsets; is no member of it.
    onlooker: BaseConsumer,
}

impl Daemon {
    /// With the rules of this file, or the shipped ones.
    pub(crate) fn start(cluster: &Cluster, folder: &Path, book: &Path, rules: Option<&Path>) -> Self {
        let path = folder.join("tidewaiter.toml");
        let ops = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let rules = rules.map(|rules| format!("rules = \"{}\"\n", rules.display())).unwrap_or_default();
        let text = format!(
            "{rules}[source]\nprefix = \"sentinel\"\ndatabase = \"SentinelMock\"\n[kafka]\nbootstrap_servers = \"{}\"\ngroup_id = \"{GROUP}\"\n\
             [expected]\nprofiles = \"{}\"\n[ops]\nlisten = \"{ops}\"\n",
            cluster.bootstrap(),
            book.display()
        );
        fs::write(&path, text).unwrap();
        let log = folder.join("daemon.log");
        let started = now();
        let process = Command::new(env!("CARGO_BIN_EXE_tidewaiter"))
            .args(["run", "--config"])
            .arg(&path)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let ready = format!("http://{ops}/readyz");
        Self { process, log, started, ready, onlooker: config(cluster.bootstrap()).set("group.id", GROUP).create().unwrap() }
    }

    /// Waits until it says that it is ready; how long that took from its start.
    pub(crate) fn is_ready_after(&self) -> Duration {
        while ureq::get(&self.ready).call().is_err() {
            assert!(now() - self.started < PATIENCE, "not ready after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        now() - self.started
    }

    /// Waits until so many records are committed. The rate is from the first commit that is seen, so that the start of the process
    /// is no part of it.
    pub(crate) fn catch_up(&self, records: u64) -> Rate {
        let asked = now();
        let mut first = None;
        loop {
            let committed = self.committed();
            if committed > 0 {
                let (started, before, cpu) = *first.get_or_insert_with(|| (now(), committed, self.cpu()));
                if committed >= records {
                    return Rate { records: records - before, took: now() - started, cpu: self.cpu().saturating_sub(cpu) };
                }
            }
            assert!(now() - asked < PATIENCE, "{committed} of {records} records after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn committed(&self) -> u64 {
        let mut partitions = TopicPartitionList::new();
        for table in TABLES {
            partitions.add_partition_range(&name(table), 0, PARTITIONS.cast_signed() - 1);
        }
        // a group that is new has its coordinator only after a moment
        let Ok(committed) = self.onlooker.committed_offsets(partitions, Duration::from_secs(10)) else { return 0 };
        let offsets = committed.elements().into_iter().filter_map(|element| element.offset().to_raw());
        offsets.filter_map(|offset| u64::try_from(offset).ok()).sum()
    }

    /// What the process has spent on cores, to a hundredth of a second.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // behind the name, which may hold anything
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// The most that was resident, as the kernel spells it.
    pub(crate) fn most_memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most.expect("every process has one").trim().to_owned()
    }

    pub(crate) fn stop(mut self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        assert!(self.process.wait().unwrap().success(), "the daemon ends well");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // it has ended, unless something else went wrong
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
