//! One broker: its settings, its storage, its process.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};

use super::distribution::{Classes, Distribution};
use super::process::Process;
use super::state::{BrokerState, ClusterState, PASSWORD, USER};

/// The same for every test cluster: it never meets another.
const CLUSTER_ID: &str = "dGlkZXdhaXRlcnRlc3QxMg";

/// Fast starts on few cores; a test's load is small.
const JVM: [&str; 4] = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Who may end the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// They go on when whoever started them ends, and Ctrl-C at the terminal is not for them.
    Detached,
    /// Ctrl-C ends them with the test that started them.
    Attached,
}

/// Writes its settings and formats its storage.
pub(super) fn prepare(
    distribution: &Distribution,
    cluster: &ClusterState,
    broker: &BrokerState,
    life: Life,
) -> anyhow::Result<()> {
    fs::write(&broker.settings, settings(cluster, broker, life)).with_context(|| broker.settings.display().to_string())?;
    let output = java(distribution)
        .arg("kafka.tools.StorageTool")
        .args(["format", "--cluster-id", CLUSTER_ID, "--config"])
        .arg(&broker.settings)
        .args(["--add-scram", &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]")])
        .output()
        .context("cannot run Kafka's StorageTool")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        bail!("Kafka's StorageTool cannot format the storage of broker {}: {}", broker.id, told.trim());
    }
    Ok(())
}

/// Starts its process and gives its id. What the broker says is added to its log.
pub(super) fn launch(
    distribution: &Distribution,
    cluster: &ClusterState,
    broker: &BrokerState,
    life: Life,
) -> anyhow::Result<u32> {
    let log = OpenOptions::new().create(true).append(true).open(&broker.log);
    let log = log.with_context(|| format!("cannot write {}", broker.log.display()))?;
    let mut command = java(distribution);
    if let Classes::Record(archive) = &distribution.classes {
        command.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
    }
    command.arg("kafka.Kafka").arg(&broker.settings).current_dir(&cluster.folder);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    if life == Life::Detached {
        command.process_group(0);
    }
    let mut child = command.spawn().context("cannot start java")?;
    let process = Process::of(&mut child, &broker.marker()).context("cannot watch java")?;
    // waited for, so that it does not stay as a zombie
    thread::spawn(move || child.wait());
    Ok(process.pid)
}

fn java(distribution: &Distribution) -> Command {
    let mut command = Command::new(&distribution.java.command);
    command.args(JVM).arg(format!("-Dlog4j2.configurationFile={}", distribution.logging.display()));
    if let Classes::Use(archive) = &distribution.classes {
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    command.arg("-cp").arg(distribution.class_path());
    command
}

fn settings(cluster: &ClusterState, broker: &BrokerState, life: Life) -> String {
    let count = cluster.brokers.len();
    let voters: Vec<String> =
        cluster.brokers.iter().map(|broker| format!("{}@127.0.0.1:{}", broker.id, broker.controller_port)).collect();
    format!(
        "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},GATEWAY://127.0.0.1:{exit},GUARDED://127.0.0.1:{guarded}
advertised.listeners=CLIENT://127.0.0.1:{port},GATEWAY://127.0.0.1:{entrance},GUARDED://127.0.0.1:{guarded}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,GATEWAY:PLAINTEXT,GUARDED:SASL_PLAINTEXT
inter.broker.listener.name=CLIENT
listener.name.guarded.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
listener.name.guarded.plain.sasl.jaas.config={security}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.guarded.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule required;
listener.name.guarded.oauthbearer.sasl.jaas.config={security}.oauthbearer.OAuthBearerLoginModule required \
    unsecuredLoginStringClaim_sub=\"broker\";
log.dirs={data}

# for a person it is handy; for a test a topic that is missing is an error, not a topic with other settings
auto.create.topics.enable={auto_create}
default.replication.factor={count}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={count}
offsets.topic.num.partitions=5
transaction.state.log.replication.factor={count}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor={count}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=5

# captured records keep their own time, which may be long past or, by this machine's clock, still to come
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807

# tests do not wait for what production waits for
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
# a broker that is gone is missed after 6 s, not 9; on a busy machine less than that would miss one that is only slow
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=6000

# a broker that is back leads again soon
leader.imbalance.check.interval.seconds=5

# a small machine, shared by three of them
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
",
        id = broker.id,
        voters = voters.join(","),
        port = broker.port,
        controller_port = broker.controller_port,
        exit = broker.gateway.exit,
        entrance = broker.gateway.entrance,
        guarded = broker.guarded_port,
        security = "org.apache.kafka.common.security",
        data = cluster.data(broker.id).display(),
        in_sync = count.min(2),
        auto_create = life == Life::Detached,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn cluster(ports: &[[u16; 5]]) -> ClusterState {
        ClusterState::new("t", "17", Path::new("/run/t"), ports)
    }

    #[test]
    fn one_broker_is_content_with_itself_and_three_need_two_in_sync() {
        let one = cluster(&[[20_001, 21_001, 22_001, 23_001, 24_001]]);
        let settings_of_one = settings(&one, &one.brokers[0], Life::Attached);
        assert!(settings_of_one.contains("transaction.state.log.min.isr=1\n"));
        assert!(settings_of_one.contains("auto.create.topics.enable=false\n"));
        assert!(settings_of_one.contains("offsets.topic.replication.factor=1\n"));
        let three = cluster(&[1, 2, 3].map(|id| [20_000 + id, 21_000 + id, 22_000 + id, 23_000 + id, 24_000 + id]));
        let settings = settings(&three, &three.brokers[1], Life::Detached);
        assert!(settings.contains("auto.create.topics.enable=true\n"));
        assert!(settings.contains("node.id=2\n"));
        assert!(settings.contains("controller.quorum.voters=1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003\n"));
        let listeners = "\nlisteners=CLIENT://127.0.0.1:20002,CONTROLLER://127.0.0.1:21002,\
            GATEWAY://127.0.0.1:23002,GUARDED://127.0.0.1:24002\n";
        assert!(settings.contains(listeners));
        let advertised = "\nadvertised.listeners=CLIENT://127.0.0.1:20002,GATEWAY://127.0.0.1:22002,GUARDED://127.0.0.1:24002\n";
        assert!(settings.contains(advertised));
        assert!(settings.contains("log.dirs=/run/t/data-2\n"));
        for setting in ["min.insync.replicas=2", "transaction.state.log.min.isr=2", "transaction.state.log.replication.factor=3"]
        {
            assert!(settings.contains(&format!("{setting}\n")), "{setting}");
        }
    }
}
