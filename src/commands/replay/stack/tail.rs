//! The alerts topic from its end on, read on a thread of its own: librdkafka blocks.

use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::commands::advise;
use crate::engine::ports::{OwnedRecord, SourceError};
use crate::io::kafka::{Connection, Probe};

/// How soon the thread sees that nobody listens any more.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Tail {
    alerts: mpsc::UnboundedReceiver<Result<OwnedRecord, SourceError>>,
}

impl Tail {
    /// What is committed to the topic from now on.
    pub(super) fn start(connection: &Connection, topic: &str) -> anyhow::Result<Self> {
        let probe = Probe::new(connection).map_err(told)?;
        if !probe.follow(topic).map_err(told)? {
            let missing = anyhow::anyhow!("there is no topic {topic}");
            return Err(advise(missing, "the daemon creates it when it starts: is it running, with this configuration?"));
        }
        let (tell, alerts) = mpsc::unbounded_channel();
        thread::spawn(move || {
            while !tell.is_closed() {
                let next = probe.next(LOOK);
                let failed = next.is_err();
                // whoever listened may be gone
                if next.transpose().is_some_and(|next| tell.send(next).is_err()) || failed {
                    return;
                }
            }
        });
        Ok(Self { alerts })
    }

    /// Can be given up at any time: nothing is lost by it.
    pub(super) async fn next(&mut self) -> anyhow::Result<OwnedRecord> {
        self.alerts.recv().await.context("the thread that reads alerts is gone")?.map_err(told)
    }
}

fn told(error: SourceError) -> anyhow::Error {
    match error.hint.clone() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
