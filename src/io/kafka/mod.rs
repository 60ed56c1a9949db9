//! Kafka behind the ports of the pipeline, by librdkafka.
//!
//! ```text
//!  brokers ─► poll thread: BaseConsumer ─► shelf: bounded buffers by partition ─► KafkaSource (async)
//!                 │  rebalances: answered when the pipeline has let go               │ pipeline
//!                 ▼ group metadata, committed offsets                                ▼
//!  brokers ◄─ producer thread: one transaction a batch ◄───────────────────── KafkaSink (async)
//!  brokers ─► the same thread, after an assignment: the changelog, to its end ─► KafkaSink
//! ```
//!
//! librdkafka's calls block, so both clients have a thread of their own. What becomes of each class of error stands in one
//! table, in `fate.rs`.

mod begin;
mod changelog;
pub mod client;
mod deliveries;
mod failpoint;
mod fate;
mod gone;
pub mod letters;
mod member;
pub mod mock;
mod offsets;
mod patience;
mod probe;
mod sharing;
mod shelf;
pub mod sink;
pub mod source;
mod statistics;
mod topics;

pub use client::{Connection, RESERVED};
pub use mock::EmbeddedBroker;
pub use probe::{Probe, may_use_group, may_use_transactions};
pub use sink::{KafkaSink, Outputs};
pub use source::{KafkaSource, Membership, Start, Subscription};

use crate::engine::pipeline::Ports;
use crate::engine::ports::SourceError;

/// Both sides of a pipeline, as one member of the group.
pub fn ports<L>(
    connection: &Connection,
    subscription: Subscription,
    outputs: Outputs,
    lookup: L,
) -> Result<Ports<KafkaSource, KafkaSink, L>, SourceError> {
    let source = KafkaSource::start(connection, subscription)?;
    let sink = KafkaSink::start(connection, outputs, &source)?;
    Ok(Ports { source, sink, lookup })
}
