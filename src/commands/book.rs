//! Where the commands look expected payments up.

use std::path::Path;
use std::sync::Arc;

use super::advise;
use crate::domains::lending::expected::{self, Answer, Question};
use crate::domains::lending::profiles::Profiles;
use crate::engine::Key;
use crate::engine::cache::Cached;
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;
use crate::time::SystemClock;

/// Of about half a kilobyte each.
const CACHED_AGREEMENTS: u64 = 210_000;
/// A file holds an agreement's months side by side, so they are read together.
const MONTHS_AHEAD: usize = 2;

/// The loan book.
#[derive(Debug)]
pub(super) enum Book {
    File(Box<Cached<Profiles, Question, Answer>>),
    /// Without one no expected payment is known.
    None,
}

impl Book {
    pub(super) fn open(path: Option<&Path>, key_case: KeyCase) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::None) };
        let profiles = Profiles::open(path, key_case).map_err(|error| match error.hint() {
            Some(hint) => advise(error, hint),
            None => error.into(),
        })?;
        let cached = Cached::new(profiles, CACHED_AGREEMENTS, expected::lives, Arc::new(SystemClock));
        Ok(Self::File(Box::new(cached.ahead(MONTHS_AHEAD))))
    }
}

impl Lookup<Question, Answer> for Book {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        match self {
            Self::File(cached) => cached.lookup(questions).await,
            Self::None => Ok(vec![Answer::default(); questions.len()]),
        }
    }

    fn outdated(&self, keys: &[Key]) {
        if let Self::File(cached) = self {
            cached.outdated(keys);
        }
    }
}
