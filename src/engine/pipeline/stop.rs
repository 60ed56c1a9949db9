//! When to stop, as the pipeline asks it at its various waits.

use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

use super::Until;

/// For how long a shutdown lets lookups and commits in flight go on.
pub(super) const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Stop {
    until: watch::Receiver<Until>,
    /// What the pipeline has last acted on. A look in the middle of a batch is no act: it must not hide the change.
    known: Until,
    /// When a wait first saw that the pipeline shall stop.
    seen: Option<Instant>,
}

impl Stop {
    pub(super) fn new(until: watch::Receiver<Until>) -> Self {
        let known = *until.borrow();
        Self { until, known, seen: None }
    }

    pub(super) fn until(&self) -> Until {
        *self.until.borrow()
    }

    /// As [`Self::until`], to be acted on at once.
    pub(super) fn act(&mut self) -> Until {
        self.known = self.until();
        self.known
    }

    /// Something else is wanted than what was last acted on.
    pub(super) async fn changed(&mut self) {
        let known = self.known;
        self.wait_for(|until| until != known).await;
    }

    /// The pipeline shall stop now.
    pub(super) async fn wanted(&mut self) {
        self.wait_for(|until| until == Until::Now).await;
    }

    /// The pipeline was to stop a moment ago.
    pub(super) async fn overdue(&mut self) {
        self.wanted().await;
        let seen = *self.seen.get_or_insert_with(Instant::now);
        sleep_until(seen + GRACE).await;
    }

    async fn wait_for(&mut self, mut is_met: impl FnMut(Until) -> bool) {
        if self.until.wait_for(|until| is_met(*until)).await.is_err() {
            // nobody is left who could say anything else
            std::future::pending::<()>().await;
        }
    }
}
