//! `tidewaiter run`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::book::Book;
use super::{advise, registry};
use crate::cli;
use crate::config::{self, DaemonConfig};
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::settings::LendingRules;
use crate::engine::pipeline::{Pipeline, PipelineError, PipelineSettings, Until};
use crate::engine::ports::SourceError;
use crate::io::kafka::{self, Connection, Membership, Outputs, Start, Subscription};
use crate::telemetry;
use crate::time::SystemClock;

pub(crate) fn run(args: &cli::Run) -> anyhow::Result<ExitCode> {
    let config = DaemonConfig::load(&args.config, &kafka::RESERVED)?;
    let rules = match &config.rules {
        Some(path) => LendingRules::load(path)?,
        None => LendingRules::shipped(),
    };
    let mut formats = config.source.formats.clone();
    formats.registry = config.source.registry.as_ref().map(registry::of_daemon).transpose()?;
    let book = Book::open(config.profiles.as_deref(), formats.key_case)?;
    let lending = Arc::new(Lending::new(Decoder::new(&formats)));
    telemetry::log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(daemon(config, lending, rules, book))
}

async fn daemon(config: DaemonConfig, lending: Arc<Lending>, rules: LendingRules, book: Book) -> anyhow::Result<ExitCode> {
    let until = until_signalled()?;
    let ports = kafka::ports(&connection(&config.kafka), subscription(&config.source), outputs(&config), book).map_err(start)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        topics = ?config.source.topics,
        group = config.kafka.group_id,
        rules = rules.fingerprint,
        "started"
    );
    // nothing reloads the rules yet, but a batch asks for them anew
    let (_rules, current) = watch::channel(Arc::new(rules));
    let pipeline = Pipeline::new(lending, settings(&config), ports, Arc::new(SystemClock), current);
    pipeline.run(until).await.map_err(stopped)?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn connection(kafka: &config::daemon::Kafka) -> Connection {
    Connection {
        bootstrap_servers: kafka.bootstrap_servers.clone(),
        group_id: kafka.group_id.clone(),
        instance_id: kafka.instance_id.clone(),
        properties: kafka.properties.clone(),
    }
}

fn subscription(source: &config::daemon::Source) -> Subscription {
    Subscription {
        topics: source.topics.clone(),
        heartbeat_topic: source.heartbeat_topic.clone(),
        start: if source.from_latest { Start::Latest } else { Start::Earliest },
        membership: Membership::Group,
    }
}

fn outputs(config: &DaemonConfig) -> Outputs {
    Outputs {
        alerts: config.alerts_topic.clone(),
        dead_letters: config.dead_letters_topic.clone(),
        changelog: config.changelog_topic.clone(),
        create: config.kafka.create_topics,
    }
}

fn settings(config: &DaemonConfig) -> PipelineSettings<Lending> {
    let engine = config.engine;
    PipelineSettings {
        max_records: engine.batch_records,
        max_changes: engine.batch_records,
        max_age: engine.batch_age,
        max_idle: engine.max_idle,
        max_buffered_bytes: engine.buffer_bytes,
        heartbeats: config.source.heartbeat_topic.is_some(),
        accept_rebuilt_source: config.source.accept_rebuilt_source,
        ..PipelineSettings::new(max_silence)
    }
}

/// How long silence lasts before it closes what is open.
pub(crate) fn max_silence(rules: &LendingRules) -> Duration {
    Duration::from_millis(u64::try_from(rules.window.max_silence_ms).unwrap_or_default())
}

/// The first SIGTERM or SIGINT lets the batch in flight finish; the second ends the process at once, and loses nothing:
/// what is not committed is read again.
fn until_signalled() -> anyhow::Result<watch::Receiver<Until>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let (until, receiver) = watch::channel(Until::Told);
    tokio::spawn(async move {
        for shutdown in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if shutdown {
                std::process::exit(130);
            }
            tracing::info!("shutting down");
            until.send_replace(Until::Now);
        }
    });
    Ok(receiver)
}

fn start(error: SourceError) -> anyhow::Error {
    stopped(error.into())
}

fn stopped(error: PipelineError) -> anyhow::Error {
    match error.hint().map(str::to_owned) {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
