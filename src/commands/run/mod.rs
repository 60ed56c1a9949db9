//! `tidewaiter run`: the daemon.
//!
//! ```text
//!  signals ─► until ─────────────┐
//!  SIGHUP, the file, POST /reload ─► Reloader ─► rules ─► pipeline ─► Monitor ─► ops endpoint
//! ```

mod ops;
mod reload;
mod signals;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use super::book::Book;
use super::{advise, registry};
use crate::cli;
use crate::config::{self, DaemonConfig};
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::settings::LendingRules;
use crate::engine::pipeline::{Pipeline, PipelineError, PipelineSettings};
use crate::engine::ports::SourceError;
use crate::io::kafka::{self, Connection, Membership, Outputs, Start, Subscription};
use crate::ops::Token;
use crate::telemetry;
use crate::time::SystemClock;

pub(crate) fn run(args: &cli::Run) -> anyhow::Result<ExitCode> {
    let config = DaemonConfig::load(&args.config, &kafka::RESERVED)?;
    let (reloader, rules) = reload::Reloader::load(&args.config, &config)?;
    let token = ops::token(&config.ops)?;
    let mut formats = config.source.formats.clone();
    formats.registry = config.source.registry.as_ref().map(registry::of_daemon).transpose()?;
    let book = Book::open(config.profiles.as_deref(), formats.key_case)?;
    let lending = Arc::new(Lending::new(Decoder::new(&formats)));
    telemetry::log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(daemon(config, lending, Rules { reloader, rules }, book, token))
}

/// The rules in force, and who changes them.
struct Rules {
    reloader: Arc<reload::Reloader>,
    rules: watch::Receiver<Arc<LendingRules>>,
}

async fn daemon(
    config: DaemonConfig,
    lending: Arc<Lending>,
    Rules { reloader, rules }: Rules,
    book: Book,
    token: Option<Token>,
) -> anyhow::Result<ExitCode> {
    let until = signals::until_told()?;
    let ports = kafka::ports(&connection(&config.kafka), subscription(&config.source), outputs(&config), book).map_err(start)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        topics = ?config.source.topics,
        group = config.kafka.group_id,
        rules = rules.borrow().fingerprint,
        "started"
    );
    signals::reloads_rules(&reloader)?;
    let monitor = ops::start(&config, token, &ports.source, reloader).await?;
    let pipeline = Pipeline::new(lending, settings(&config), ports, Arc::new(SystemClock), rules).observed_by(monitor);
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
    Outputs { alerts: config.alerts_topic.clone(), dead_letters: config.dead_letters_topic.clone() }
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

fn start(error: SourceError) -> anyhow::Error {
    stopped(error.into())
}

fn stopped(error: PipelineError) -> anyhow::Error {
    match error.hint().map(str::to_owned) {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
