//! The loan book on a SQL Server: over real TDS connections, with TLS, to a server that runs our very T-SQL, and through a proxy
//! that delays, cuts and swallows.
//!
//! ```text
//! lookup ─► tiberius ─► TLS in TDS ─► proxy ─► server, the T-SQL on the embedded Sentinel
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod answers;
mod book;
mod connections;
#[path = "../pipeline_support/memory.rs"]
#[allow(dead_code, unreachable_pub, missing_debug_implementations, reason = "the pipeline's own tests use the rest")]
mod memory;
mod outages;
mod pipeline;
mod proxy;
mod server;
mod stack;
mod tds;
mod tls;
mod whole;
