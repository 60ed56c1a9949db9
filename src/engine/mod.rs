//! The engine: what happens between records and alerts, whatever they are about.

pub mod alert;
pub mod domain;
pub mod verdict;

use std::collections::BTreeMap;

pub use domain::{Context, Domain, Key, Sequence};

/// Counts by label. Ordered, so that what is printed hangs on no hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, label: &'static str, n: u64) {
        *self.0.entry(label).or_default() += n;
    }

    #[must_use]
    pub fn get(&self, label: &str) -> u64 {
        self.0.get(label).copied().unwrap_or(0)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(label, n)| (*label, *n))
    }
}
