//! The engine: what happens between records and alerts, whatever they are about.
//!
//! ```text
//! Decoded ─► dedupe ─► merge: one whole commit ─► processor ─► cases to judge
//! ```

pub mod alert;
pub mod cache;
pub mod changelog;
mod clock;
pub mod core;
pub mod counts;
pub mod dead_letter;
pub mod dedupe;
pub mod domain;
pub mod judging;
pub mod lookup;
pub mod merge;
pub mod pipeline;
pub mod ports;
mod position;
mod processor;
pub mod store;
pub mod verdict;

pub use self::core::{Engine, Options, Output, Progress};
pub use counts::Counts;
pub use dead_letter::DeadLetter;
pub use domain::{Context, Domain, Key, Sequence, Target};
pub use merge::{Entry, Partition, RebuiltSource, Slot};
pub use store::StateStore;
