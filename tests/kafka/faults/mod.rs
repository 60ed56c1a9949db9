//! The daemon through every fault: killed, stopped, cut off, on brokers that come and go. Nothing is lost, nothing told twice,
//! and the alerts of an agreement keep their order: those of a backtest of the same records are the yardstick.
//!
//! `cargo xtask test` runs a small form; `cargo xtask faults --full` as often as the issue asks. `TIDEWAITER_SEED` repeats
//! what a failure prints; the moments at which things happen are the machine's, so that it may take some attempts.

mod bounces;
mod course;
mod kills;
mod points;
#[allow(dead_code, reason = "another test binary uses the rest")]
#[path = "../../metamorphic/random.rs"]
mod random;
mod rivals;
mod soak;
mod storms;
mod wire;
mod workload;
mod yardstick;
mod zombies;

use std::hash::{BuildHasher as _, RandomState};

use workload::Shape;

/// How often: in the form that fits into CI, and in full.
fn times(small: usize, full: usize) -> usize {
    match std::env::var("TIDEWAITER_FAULTS") {
        Ok(times) if times == "full" => full,
        Ok(times) => times.parse().unwrap_or_else(|_| panic!("TIDEWAITER_FAULTS is `full` or a number, not {times}")),
        Err(_) => small,
    }
}

fn seed() -> u64 {
    let seed = match std::env::var("TIDEWAITER_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().hash_one("seed") % 1_000_000,
    };
    eprintln!("TIDEWAITER_SEED={seed}");
    seed
}

fn shape(changes: usize) -> Shape {
    Shape { seed: seed(), changes, partitions: 4, grown: None }
}
