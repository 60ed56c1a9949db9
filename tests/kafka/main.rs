//! On a real Apache Kafka: what the mock cluster cannot show, which is isolation, committed offsets and fencing.
//!
//! These tests need Java and, the first time, Maven. So that `cargo test` works without, they are ignored there, and
//! `cargo xtask test` runs them. Being ignored rather than behind a feature, they are compiled and linted with all others.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod away;
mod brokers;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod faults;
mod letters;
mod memory;
#[path = "../pipeline_support/mod.rs"]
mod pipeline_support;
mod proxy;
mod sasl;
mod sharing;
mod shutdown;
mod stage;
mod transactions;
