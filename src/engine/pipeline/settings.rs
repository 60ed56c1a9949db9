//! How the pipeline batches and waits.

use std::fmt;

use tokio::time::Duration;

use crate::engine::Domain;

/// How the pipeline batches and waits.
pub struct PipelineSettings<D: Domain> {
    /// A batch is cut when so many records were gathered.
    pub max_records: usize,
    /// Or when its first record has waited so long.
    pub max_age: Duration,
    /// Changes applied in one transaction, or a few more: a commit is never divided.
    pub max_changes: usize,
    /// How long a commit waits for partitions that have nothing to offer.
    pub max_idle: Duration,
    /// Per partition: beyond so many bytes read and not applied, its records stay with the source.
    pub max_buffered_bytes: usize,
    /// After so long without data everything open is closed.
    pub max_silence: fn(&D::Rules) -> Duration,
    /// Whether silence counts only while heartbeats come.
    pub heartbeats: bool,
    pub accept_rebuilt_source: bool,
}

impl<D: Domain> PipelineSettings<D> {
    /// Defaults for what has one; how long silence may last is for the rules to say.
    #[must_use]
    pub fn new(max_silence: fn(&D::Rules) -> Duration) -> Self {
        Self {
            // a few milliseconds of work, small enough that a repeated batch costs little
            max_records: 10_000,
            // a transaction costs some milliseconds, so waiting a little saves many of them
            max_age: Duration::from_millis(20),
            max_changes: 10_000,
            max_idle: Duration::from_millis(500),
            max_buffered_bytes: 32 * 1024 * 1024,
            max_silence,
            heartbeats: false,
            accept_rebuilt_source: false,
        }
    }
}

impl<D: Domain> Clone for PipelineSettings<D> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<D: Domain> fmt::Debug for PipelineSettings<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineSettings")
            .field("max_records", &self.max_records)
            .field("max_age", &self.max_age)
            .field("max_changes", &self.max_changes)
            .field("max_idle", &self.max_idle)
            .field("max_buffered_bytes", &self.max_buffered_bytes)
            .field("heartbeats", &self.heartbeats)
            .field("accept_rebuilt_source", &self.accept_rebuilt_source)
            .finish_non_exhaustive()
    }
}

/// How long the pipeline runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Until told otherwise.
    #[default]
    Told,
    /// Until every partition is at its end and applied; what is open then is closed. For a source to which nothing is added
    /// any more.
    Drained,
    /// The batch in flight is finished if that takes no longer than a moment.
    Now,
}

/// Pauses between attempts: doubling, up to five seconds.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (self.0 * 2).min(Duration::from_secs(5));
        pause
    }
}
