//! The project's own tools, `cargo xtask`, and the Kafka cluster that integration tests start for themselves.

mod hint;
pub mod kafka;

pub use hint::{advise, hint};
