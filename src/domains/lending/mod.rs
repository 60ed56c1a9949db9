//! The lending catalogue: Sentinel's transactions and agreements, and the rules R1 to R5.

pub mod alert;
pub mod case;
pub mod event;
pub mod expected;
mod explanation;
mod json;
pub mod judge;
pub mod rules;
pub mod settings;
#[cfg(test)]
mod testing;
