//! One file a command.

mod kafka;
mod test;

pub(crate) use kafka::{Kafka, kafka};
pub(crate) use test::{Test, test};
