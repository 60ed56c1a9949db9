//! Signals of the daemon.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::reload::{Reloader, Trigger};
use crate::engine::pipeline::Until;

fn listen(kind: SignalKind, name: &str) -> anyhow::Result<Signal> {
    signal(kind).with_context(|| format!("cannot listen to {name}"))
}

/// The first SIGTERM or SIGINT lets the batch in flight finish; the second ends the process at once, and loses nothing:
/// what is not committed is read again.
pub(super) fn until_told() -> anyhow::Result<watch::Receiver<Until>> {
    let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
    let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
    let (until, receiver) = watch::channel(Until::Told);
    tokio::spawn(async move {
        for shutdown in [false, true] {
            let code = tokio::select! {
                _ = terminate.recv() => 143,
                _ = interrupt.recv() => 130,
            };
            if shutdown {
                std::process::exit(code);
            }
            tracing::info!("shutting down");
            until.send_replace(Until::Now);
        }
    });
    Ok(receiver)
}

/// SIGHUP, and a look at the files every other second.
pub(super) fn reloads_rules(reloader: &Arc<Reloader>) -> anyhow::Result<()> {
    let mut hang_up = listen(SignalKind::hangup(), "SIGHUP")?;
    let by_signal = Arc::clone(reloader);
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            let reloader = Arc::clone(&by_signal);
            // what became of it stands in the log
            let _ = tokio::task::spawn_blocking(move || reloader.reload(Trigger::Signal)).await;
        }
    });
    let by_change = Arc::clone(reloader);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Reloader::PERIOD).await;
            let reloader = Arc::clone(&by_change);
            let _ = tokio::task::spawn_blocking(move || reloader.look()).await;
        }
    });
    Ok(())
}
