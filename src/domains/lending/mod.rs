//! The lending catalogue: Sentinel's transactions and agreements, and the rules R1 to R5.

pub mod case;
pub mod decode;
pub mod event;
pub mod expected;
mod rows;
pub mod settings;
