//! One file a command.

mod bench;
mod faults;
mod kafka;
mod test;

pub(crate) use bench::{Bench, bench};
pub(crate) use faults::{Faults, faults};
pub(crate) use kafka::{Kafka, kafka};
pub(crate) use test::{Test, test};
