//! `tidewaiter run`: the daemon.
//!
//! ```text
//!  signals ─► until ──────────────────────────────────────┐
//!  SIGHUP, the file, POST /reload ─► Reloader ─► rules ─► pipeline ─► Monitor ─► ops endpoint
//! ```

mod ops;
mod prepared;
mod reload;
mod signals;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::advise;
use crate::cli;
use crate::config::DaemonConfig;
use crate::domains::lending::Lending;
use crate::domains::lending::settings::LendingRules;
use crate::engine::pipeline::{Pipeline, PipelineError, PipelineSettings};
use crate::engine::ports::SourceError;
use crate::io::kafka;
use crate::telemetry;
use crate::time::SystemClock;

pub(super) use prepared::Prepared;

pub(crate) fn run(args: &cli::Run) -> anyhow::Result<ExitCode> {
    let prepared = Prepared::load(&args.config)?;
    telemetry::log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(daemon(prepared))
}

async fn daemon(prepared: Prepared) -> anyhow::Result<ExitCode> {
    let until = signals::until_told()?;
    let (subscription, outputs) = (prepared.subscription(), prepared.outputs());
    let Prepared { config, connection, lending, reloader, rules, book, token } = prepared;
    if config.expected.cache.warm_up {
        book.warm_up();
    }
    let ports = kafka::ports(&connection, subscription, outputs, book).map_err(start)?;
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
