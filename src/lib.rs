//! Tidewaiter watches a lender's change stream and raises alerts.

pub mod cli;
pub mod commands;
pub mod config;
pub mod domains;
pub mod engine;
pub mod event;
pub mod io;
pub mod ops;
pub mod telemetry;
pub mod time;
