//! One file a command.

mod kafka;

pub(crate) use kafka::{Kafka, kafka};
