//! The daemon as its operators meet it: `tidewaiter run`, through the real binary, on the embedded broker.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod connect;
mod daemon;
mod endpoint;
mod reload;
