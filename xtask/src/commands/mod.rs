//! One file a command.

mod faults;
mod kafka;
mod test;

pub(crate) use faults::{Faults, faults};
pub(crate) use kafka::{Kafka, kafka};
pub(crate) use test::{Test, test};
