//! What is told of a pipeline to who looks on.

use std::sync::Arc;

use crate::engine::ports::Batch;
use crate::engine::{Counts, Domain, StateStore};
use crate::time::Timestamp;

/// Looks on.
pub trait Observer<D: Domain>: Send {
    /// A batch is durable.
    fn committed(&mut self, _batch: &Committed<'_, D>) {}

    /// The pipeline does, or waits for, something else than before.
    fn condition(&mut self, _condition: &Condition) {}
}

/// Sees nothing.
impl<D: Domain> Observer<D> for () {}

/// A batch that is durable, and what it was made of.
#[derive(Debug)]
pub struct Committed<'a, D: Domain> {
    pub batch: &'a Batch,
    /// In the order in which they were judged.
    pub judgements: &'a [D::Judgement],
    pub counts: &'a Counts,
    /// Input records of every kind.
    pub records: u64,
    pub stream_time: Option<Timestamp>,
    /// Open windows as they are now. Another one after each assignment.
    pub store: &'a Arc<StateStore<D::Window>>,
}

/// What the pipeline is doing. All but `Running` mean: not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No partition was assigned yet.
    Unassigned,
    /// Nothing is read until what was open is back. In offsets of the changelog.
    Restoring {
        read: u64,
        total: u64,
    },
    Running,
    /// Nothing is read until the source answers, with partitions or with what was open.
    SourceUnavailable(String),
    /// Nothing is read until the schema registry answers.
    RegistryUnavailable(String),
    /// Nothing is judged until the lookup answers.
    LookupUnavailable(String),
    /// Nothing is committed until the sink takes it.
    SinkUnavailable(String),
    /// Stands before a rebuilt source.
    RebuiltSource(String),
    /// Other members read other partitions, although records of one key may be in several.
    Scattered(String),
}
