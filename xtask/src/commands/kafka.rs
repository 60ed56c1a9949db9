//! `cargo xtask kafka`: a cluster by hand.

use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use xtask::advise;
use xtask::kafka::{BrokerState, Cluster, ClusterState};

#[derive(Debug, Subcommand)]
pub(crate) enum Kafka {
    /// Start an empty cluster on free ports and wait until it is ready; says its bootstrap servers on stdout.
    Up(Up),
    /// Stop a cluster. Its data goes, its logs stay.
    Down(Down),
    /// Say which clusters there are. Exit code 1 if one that is asked for does not run.
    Status(Status),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    name: Name,
    /// 1, or 3 of which each keeps every record.
    #[arg(long, default_value = "1", value_parser = brokers)]
    brokers: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    #[command(flatten)]
    name: Name,
    /// Every cluster.
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this cluster.
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct Name {
    /// Which cluster: several can run side by side.
    #[arg(long, default_value = "default")]
    name: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn brokers(text: &str) -> Result<usize, &'static str> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 or 3"),
    }
}

pub(crate) fn kafka(command: Kafka) -> anyhow::Result<ExitCode> {
    match command {
        Kafka::Up(up) => self::up(&up),
        Kafka::Down(down) => self::down(&down),
        Kafka::Status(status) => self::status(&status),
    }
}

fn up(up: &Up) -> anyhow::Result<ExitCode> {
    let name = &up.name.name;
    match ClusterState::load(name)? {
        Some(state) if state.is_running() && state.brokers.len() == up.brokers => {
            eprintln!("cluster {name} is up already");
            println!("{}", state.bootstrap_servers);
            return Ok(ExitCode::SUCCESS);
        }
        Some(state) if state.is_running() => {
            let message = format!("cluster {name} is up with another number of brokers: {}", state.brokers.len());
            return Err(advise(message, format!("cargo xtask kafka down --name {name}, or another --name")));
        }
        Some(_) => eprintln!("cluster {name} was left behind and does not run: starting anew"),
        None => {}
    }
    let start = Instant::now();
    let state = Cluster::start_detached(up.brokers, name)?;
    let ClusterState { version, java, .. } = &state;
    let (took, folder) = (start.elapsed().as_secs_f32(), state.folder.display());
    eprintln!("Apache Kafka {version} on Java {java} is ready after {took:.1} s, logs in {folder}");
    println!("{}", state.bootstrap_servers);
    Ok(ExitCode::SUCCESS)
}

fn down(down: &Down) -> anyhow::Result<ExitCode> {
    let names = if down.all {
        ClusterState::all()?.into_iter().map(|cluster| cluster.name).collect()
    } else {
        vec![down.name.name.clone()]
    };
    for name in names {
        let was_there = Cluster::stop(&name)?;
        eprintln!("cluster {name} {}", if was_there { "stopped" } else { "is not up" });
    }
    Ok(ExitCode::SUCCESS)
}

fn status(status: &Status) -> anyhow::Result<ExitCode> {
    let clusters = match &status.name {
        Some(name) => ClusterState::load(name)?.into_iter().collect(),
        None => ClusterState::all()?,
    };
    match status.format {
        Format::Json => println!("{:#}", clusters.iter().map(json).collect::<Value>()),
        Format::Text if clusters.is_empty() => eprintln!("no cluster is up"),
        Format::Text => clusters.iter().for_each(print),
    }
    let found = status.name.is_none() || clusters.iter().any(ClusterState::is_running);
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(cluster: &ClusterState) {
    let running = cluster.brokers.iter().filter(|broker| broker.is_running()).count();
    let stale = if running == 0 { " (left behind: cargo xtask kafka down forgets it)" } else { "" };
    println!("{}  {}  {running} of {} brokers run{stale}", cluster.name, cluster.bootstrap_servers, cluster.brokers.len());
}

fn json(cluster: &ClusterState) -> Value {
    let broker = |broker: &BrokerState| {
        let pid = broker.pid.filter(|_| broker.is_running());
        json!({"id": broker.id, "running": pid.is_some(), "pid": pid, "port": broker.port, "log": broker.log})
    };
    json!({
        "name": cluster.name,
        "version": cluster.version,
        "java": cluster.java,
        "running": cluster.is_running(),
        "bootstrap_servers": cluster.bootstrap_servers,
        "folder": cluster.folder,
        "brokers": cluster.brokers.iter().map(broker).collect::<Value>(),
    })
}
