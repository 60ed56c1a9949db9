//! The embedded Sentinel as its users see it: scripts go in; rows, messages, captured changes and errors come out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod capture;
mod change_tables;
mod counting;
mod definitions;
mod errors;
mod flow;
mod foreign_habits;
mod functions;
mod going_on;
mod objects;
mod others_scripts;
mod queries;
mod reshaping;
mod routines;
mod support;
mod transactions;
mod triggers;
mod typing;
mod writing;
