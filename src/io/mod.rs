//! Files, databases and brokers: everything that can wait or fail.

pub mod capture;
pub mod kafka;
pub mod output;
pub mod sentinel;
pub mod spill;
pub mod sqlite;
pub mod sqlserver;
