//! Small histories made by hand, each with the alerts that the specification asks for: what generated workloads seldom hold.

#![allow(clippy::unwrap_used, reason = "a test panics")]

#[path = "../common/mod.rs"]
mod common;

mod history;

mod corrections;
mod expected;
mod matching;
mod order;
mod settlements;
