//! From a record's bytes to a typed, positioned, timed change event.
//!
//! ```text
//! Record ─► envelope (JSON with or without schema, Confluent Avro) ─► row images: money, dates, bits ─► Decoded
//! ```
//!
//! This module knows Debezium's envelope and the forms in which Kafka Connect writes values. Which columns matter
//! is the domain's business.

pub(crate) mod avro;
mod avro_schema;
pub(crate) mod bad;
pub(crate) mod cell;
pub(crate) mod envelope;
mod express;
pub(crate) mod formats;
pub(crate) mod identity;
pub mod lsn;
pub(crate) mod marks;
pub mod money;
pub(crate) mod object;
pub mod record;
mod registry;
pub(crate) mod schema;
pub(crate) mod table;
mod template;
pub(crate) mod temporal;

pub use bad::BadMessage;
pub use formats::{DecimalForm, Formats, FormatsError, KeyCase};
pub use lsn::Lsn;
pub use record::{Header, Origin, Record, Topic};
pub use registry::{Credentials, Registry, RegistryConfig, RegistryConfigError, RegistryError, RegistryUrl, RegistryUrlError};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A change that takes part in the merge: positioned, timed, and told apart from its own re-delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent<C> {
    /// Position of the commit that wrote it. Rises within an input partition.
    pub commit: Lsn,
    /// The source's time, not Kafka's and not the connector's.
    pub event_time: Timestamp,
    /// Equal for two deliveries of one change, different for two changes of one commit in one partition.
    pub identity: Identity,
    pub origin: Origin,
    pub body: C,
}

/// A 128-bit hash of what tells a change from the others of its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity(pub u128);

/// What decoding makes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<C> {
    Change(ChangeEvent<C>),
    /// Legitimate, but of no consequence; the label is counted.
    Ignored(&'static str),
    Bad(BadMessage),
    /// Cannot be decoded now, nothing is wrong with it: the schema registry does not answer. The reader waits and retries.
    Unavailable(RegistryError),
}
