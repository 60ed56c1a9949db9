//! A toy domain and in-memory ports for tests of the pipeline.
#![allow(dead_code, unreachable_pub, missing_debug_implementations, reason = "each test binary uses its own part")]

pub mod memory;
pub mod toy;
