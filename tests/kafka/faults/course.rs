//! A group of daemons on topics of its own, and what it has told held against the undisturbed run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Origin, Topic};

use super::random::Random;
use super::workload::{Shape, TABLES, Written};
use super::yardstick::{Follower, Yardstick};
use crate::common::tidewaiter;
use crate::stage::Stage;

/// For anything that has to happen at all: nothing is concluded from its having taken long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// A place in the group. Members of even places keep their names over restarts, the others are new ones each time.
pub(crate) type Place = usize;

pub(crate) struct Course {
    pub(crate) stage: Stage,
    pub(crate) yardstick: Arc<Yardstick>,
    pub(crate) random: Random,
    pub(crate) follower: Follower,
    pub(crate) members: BTreeMap<Place, Member>,
    /// Where the members connect to.
    pub(crate) bootstrap: String,
    /// Further properties of the members' clients.
    pub(crate) properties: BTreeMap<&'static str, String>,
    /// The instances' names where they are others than their places'.
    pub(crate) names: BTreeMap<Place, &'static str>,
    /// How long the members wait for a partition that has nothing to offer.
    pub(crate) max_idle: &'static str,
    /// Where their ops endpoints listen.
    pub(crate) ops: String,
    folder: TempDir,
    progress: BaseConsumer,
    /// By table and partition: where it ends.
    ends: BTreeMap<(&'static str, i32), i64>,
    produced: usize,
    last: i64,
}

pub(crate) struct Member {
    process: Child,
    log: PathBuf,
}

impl Course {
    pub(crate) fn new(stage: Stage, shape: Shape) -> Self {
        let yardstick = Yardstick::of(shape);
        for table in TABLES {
            stage.topic(&format!("db.dbo.{table}"), shape.partitions);
        }
        let (alerts, dead_letters) = (stage.topic("alerts", 3), stage.topic("dead-letters", 1));
        let follower = Follower::new(Arc::clone(&yardstick), &stage, [(&alerts, 3), (&dead_letters, 1)]);
        let mut config = stage.config();
        // what is committed, whether or not a transaction is under way
        config.set("group.id", stage.name("group")).set("isolation.level", "read_uncommitted");
        let properties = BTreeMap::from([
            // a member that is gone without a word is missed soon, and so is its transaction
            ("session.timeout.ms", "3000".to_owned()),
            ("heartbeat.interval.ms", "500".to_owned()),
            ("transaction.timeout.ms", "4000".to_owned()),
        ]);
        Self {
            bootstrap: stage.bootstrap().to_owned(),
            random: Random::new(shape.seed),
            members: BTreeMap::new(),
            properties,
            names: BTreeMap::new(),
            max_idle: "500ms",
            ops: "off".to_owned(),
            folder: tempfile::tempdir().unwrap(),
            progress: config.create().unwrap(),
            ends: BTreeMap::new(),
            produced: 0,
            last: 0,
            stage,
            yardstick,
            follower,
        }
    }

    /// Appends what the connector wrote, up to here.
    pub(crate) fn produce(&mut self, until: usize) {
        let record = |written: &Written| OwnedRecord {
            origin: Origin { topic: self.topic(written.table), partition: written.partition, offset: written.offset },
            timestamp_ms: None,
            key: Some(written.key.clone().into_bytes()),
            value: Some(written.value.clone().into_bytes()),
            headers: [].into(),
        };
        let written = &self.yardstick.written[self.produced..until];
        for some in written.chunks(20_000) {
            self.stage.produce(&some.iter().map(record).collect::<Vec<_>>());
        }
        for written in written {
            self.ends.insert((written.table, written.partition), written.offset + 1);
        }
        self.produced = until;
    }

    pub(crate) fn produce_all(&mut self) {
        self.produce(self.yardstick.written.len());
    }

    pub(crate) fn topic(&self, table: &str) -> Topic {
        Topic::intern(&self.stage.name(&format!("db.dbo.{table}")))
    }

    fn config(&self, place: Place) -> String {
        let [transactions, agreements] = TABLES.map(|table| self.topic(table).name().to_owned());
        let name = |name| self.stage.name(name);
        // a batch is small, so that there is always one under way
        let mut config = format!(
            "rules = {:?}\n[source]\ntopics = [{transactions:?}, {agreements:?}]\n[alerts]\ntopic = {:?}\n[dead_letters]\ntopic = {:?}\n\
             [expected]\nprofiles = {:?}\n[expected.cache]\nmax_mib = 8\n[engine]\nbatch_records = 10\nbatch_age = \"5ms\"\n[ops]\nlisten = {:?}\n\
             [merge]\nmax_idle = {:?}\n[kafka]\nbootstrap_servers = {:?}\ngroup_id = {:?}\n",
            self.yardstick.rules.to_str().unwrap(),
            name("alerts"),
            name("dead-letters"),
            self.yardstick.profiles.to_str().unwrap(),
            self.ops,
            self.max_idle,
            self.bootstrap,
            name("group"),
        );
        if let Some(name) = self.names.get(&place) {
            writeln!(config, "instance_id = {name:?}").unwrap();
        } else if place.is_multiple_of(2) {
            writeln!(config, "instance_id = \"place-{place}\"").unwrap();
        }
        writeln!(config, "[kafka.properties]").unwrap();
        for (key, value) in &self.properties {
            writeln!(config, "{key:?} = {value:?}").unwrap();
        }
        config
    }

    pub(crate) fn start(&mut self, place: Place) {
        self.start_with(place, None);
    }

    /// Starts a member that dies at a fail point.
    pub(crate) fn start_with(&mut self, place: Place, failpoint: Option<&str>) {
        let path = |end| self.folder.path().join(format!("{place}.{end}"));
        let (config, log) = (path("toml"), path("log"));
        fs::write(&config, self.config(place)).unwrap();
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = tidewaiter();
        if let Some(failpoint) = failpoint {
            command.env("TIDEWAITER_FAILPOINT", failpoint);
        }
        command.env("TIDEWAITER_LOG", "info,tidewaiter=debug");
        let process = command.args(["run", "--config"]).arg(&config).stderr(file).spawn().unwrap();
        let before = self.members.insert(place, Member { process, log });
        assert!(before.is_none(), "place {place} was taken");
    }

    pub(crate) fn process_id(&self, place: Place) -> u32 {
        self.members[&place].process.id()
    }

    pub(crate) fn signal(&self, place: Place, signal: &str) {
        let id = self.members[&place].process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self, place: Place) {
        let mut member = self.members.remove(&place).unwrap();
        member.process.kill().unwrap();
        let status = member.process.wait().unwrap();
        // one that had ended by itself has something to say
        assert!(status.code().is_none(), "it was not there to be killed: {status}\n{}", member.says());
    }

    /// Has a member end well.
    pub(crate) fn stop(&mut self, place: Place) {
        self.signal(place, "-TERM");
        let status = self.ends(place);
        assert!(status.success(), "{status}");
    }

    /// Waits until a member has ended, and takes it from the group.
    pub(crate) fn ends(&mut self, place: Place) -> ExitStatus {
        self.ends_saying(place).0
    }

    /// Also gives what it said last.
    pub(crate) fn ends_saying(&mut self, place: Place) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.members.get_mut(&place).unwrap().process.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the member in place {place} does not end");
            self.follower.look();
        };
        let member = self.members.remove(&place).unwrap();
        (status, member.says())
    }

    /// Waits until one of the members has ended.
    pub(crate) fn first_to_end(&mut self) -> Place {
        let start = Instant::now();
        loop {
            for (place, member) in &mut self.members {
                if member.process.try_wait().unwrap().is_some() {
                    return *place;
                }
            }
            assert!(start.elapsed() < PATIENCE, "no member ends");
            self.follower.look();
        }
    }

    /// Waits until so much is committed, or a member that is to die has died.
    pub(crate) fn works_or_ends(&mut self, place: Place, to: i64) {
        let start = Instant::now();
        while self.members.get_mut(&place).unwrap().process.try_wait().unwrap().is_none() && self.progress() < to {
            assert!(start.elapsed() < PATIENCE, "the member in place {place} neither works nor ends");
            self.follower.look();
        }
    }

    /// All that the members of a place have said.
    pub(crate) fn log(&self, place: Place) -> String {
        fs::read_to_string(self.folder.path().join(format!("{place}.log"))).unwrap_or_default()
    }

    /// Records whose effects are committed; as last heard where the coordinator is away.
    pub(crate) fn progress(&mut self) -> i64 {
        let mut list = TopicPartitionList::new();
        for (table, partition) in self.ends.keys() {
            list.add_partition(self.topic(table).name(), *partition);
        }
        if let Ok(committed) = self.progress.committed_offsets(list, Duration::from_secs(2)) {
            let offsets = committed.elements().into_iter().filter_map(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            });
            self.last = offsets.sum();
        }
        self.last
    }

    pub(crate) fn total(&self) -> i64 {
        self.ends.values().sum()
    }

    /// Nobody ends without being told to.
    pub(crate) fn look(&mut self) {
        self.follower.look();
        for (place, member) in &mut self.members {
            if let Some(status) = member.process.try_wait().unwrap() {
                panic!("the member in place {place} ended by itself: {status}");
            }
        }
    }

    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        let mut progress = (Instant::now(), 0);
        while !is_so(self) {
            self.look();
            // as long as it goes on, however slowly, it is waited for
            let now = self.last;
            if now != progress.1 {
                progress = (Instant::now(), now);
            }
            assert!(progress.0.elapsed() < PATIENCE, "not {what} after {:?}, at {now} of {}", start.elapsed(), self.total());
        }
    }

    pub(crate) fn wait_for_progress(&mut self, to: i64) {
        let to = to.min(self.total());
        self.wait_until(&format!("at {to}"), |course| course.progress() >= to);
    }

    /// Waits for everything to be committed and told, and has the members end.
    pub(crate) fn finish(mut self) {
        let total = self.total();
        self.wait_for_progress(total);
        for place in self.members.keys().copied().collect::<Vec<_>>() {
            self.stop(place);
        }
        let start = Instant::now();
        while self.follower.missing() > 0 {
            let missing = self.follower.missing();
            assert!(start.elapsed() < Duration::from_mins(1), "LOST: {missing} are not told: {}", self.follower.first_missing());
            self.follower.look();
        }
        // all read once more, from the beginning to the end: nothing was told twice behind the follower's back
        let all = self.stage.read(&self.stage.name("alerts"), crate::stage::Isolation::Committed).len();
        assert_eq!(all, self.yardstick.alerts_in_all(), "alerts on the topic");
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        for (place, member) in &mut self.members {
            // it may have ended, and it may be stopped: both do with this
            let _ = member.process.kill();
            let _ = member.process.wait();
            if std::thread::panicking() {
                eprintln!("the member in place {place} says last:\n{}", member.says());
            }
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("tidewaiter-faults-{}", self.stage.name("logs")));
            let _ = fs::remove_dir_all(&kept);
            let _ = Command::new("cp").arg("-r").args([self.folder.path(), &kept]).status();
            eprintln!("all logs: {}", kept.display());
        }
    }
}

impl Member {
    pub(crate) fn says(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}
