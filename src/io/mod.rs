//! Files, databases and brokers: everything that can wait or fail.

pub mod kafka;
pub mod spill;
