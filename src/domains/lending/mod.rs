//! The lending catalogue: Sentinel's transactions and agreements, and the rules R1 to R5.

pub mod case;
pub mod event;
pub mod expected;
pub mod settings;
