//! The alerts do not change when the same history is ordered, partitioned, keyed, encoded or delivered otherwise.
//!
//! Each test transforms generated histories and runs the real binary on both. What a failure prints, seed included,
//! repeats it.

#![allow(clippy::unwrap_used, reason = "a test panics")]

#[path = "../common/mod.rs"]
mod common;

mod capture;
mod delivery;
mod encoding;
mod files;
mod json;
mod noise;
mod placement;
mod random;
mod schema;
mod workload;

use common::{OPEN_IN_CASES, assert_same_alerts, normalised};

#[test]
fn the_alerts_are_those_of_an_independent_implementation() {
    for workload in workload::all() {
        assert!(workload.expected.len() > 150, "{}: only {} alerts", workload.name, workload.expected.len());
        let of = |alerts: &[serde_json::Value]| {
            alerts.iter().map(|alert| normalised(alert.clone(), OPEN_IN_CASES)).collect::<Vec<_>>()
        };
        assert_same_alerts(workload.name, &of(&workload.expected), &of(&workload.alerts));
    }
}
