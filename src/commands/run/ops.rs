//! The ops endpoint of the daemon.

use std::io::ErrorKind;
use std::sync::Arc;

use anyhow::Context as _;
use metrics::gauge;
use tokio::net::TcpListener;

use super::reload::Reloader;
use crate::commands::advise;
use crate::config::DaemonConfig;
use crate::config::daemon::{Listen, Ops};
use crate::domains::lending::judge::Judgement;
use crate::domains::lending::window::AgreementWindow;
use crate::domains::lending::{Lending, normal_number};
use crate::io::kafka::KafkaSource;
use crate::ops::{Endpoint, Monitor, Token, View, Watched, watch};
use crate::telemetry::{self, BUILD};
use crate::time::SystemClock;

/// Reads the token, so that one that is missing is told at the start.
pub(super) fn token(ops: &Ops) -> anyhow::Result<Option<Token>> {
    let Some(secret) = &ops.token else { return Ok(None) };
    match secret.read() {
        Ok(token) => Ok(Some(Token::new(token.trim()))),
        Err(error) => {
            let hint = error.hint();
            let error = anyhow::Error::new(error).context("ops.token");
            Err(match hint {
                Some(hint) => advise(error, hint),
                None => error,
            })
        }
    }
}

/// Serves from now on; what is given looks on as the pipeline works.
pub(super) async fn start(
    config: &DaemonConfig,
    token: Option<Token>,
    source: &KafkaSource,
    reloader: Arc<Reloader>,
) -> anyhow::Result<Monitor<Lending>> {
    let key_case = config.source.formats.key_case;
    let view = View {
        key: Box::new(move |text| normal_number(text, key_case)),
        judged: |judgement: &Judgement| &judgement.agreement,
        window: AgreementWindow::view,
        open: AgreementWindow::count,
    };
    let watched = Watched::new(view, source.standings(), config.ops.stalled_after, token.is_some(), Arc::new(SystemClock));
    let monitor = watched.monitor();
    let Some(listener) = listener(config.ops.listen).await? else { return Ok(monitor) };
    if let Some(recorder) = telemetry::recorder() {
        gauge!(BUILD.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        reloader.tell_fingerprint();
        let upkeep = recorder.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(telemetry::UPKEEP).await;
                upkeep.run_upkeep();
            }
        });
        let endpoint =
            Endpoint { watched: Arc::clone(&watched), control: reloader, metrics: Box::new(move || recorder.render()), token };
        tokio::spawn(async move {
            if let Err(error) = endpoint.serve(listener).await {
                tracing::error!(%error, "the ops endpoint ended");
            }
        });
        tokio::spawn(watch(watched));
    }
    Ok(monitor)
}

/// Where nobody chose the address, a second member on the same machine goes on without.
async fn listener(listen: Listen) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = listen.address() else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let address = listener.local_addr().context("cannot read the address of the ops endpoint")?;
            tracing::info!(%address, "ops endpoint listens");
            Ok(Some(listener))
        }
        Err(error) if listen == Listen::Default && error.kind() == ErrorKind::AddrInUse => {
            tracing::warn!(%address, hint = "give each process its own ops.listen, or \"off\"", "no ops endpoint: its address is taken");
            Ok(None)
        }
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("cannot listen at {address}"));
            Err(advise(error, "change ops.listen in the configuration; \"off\" is possible too"))
        }
    }
}
