//! The catalogue of event catalogues: one line per domain.

pub mod lending;
