//! Where the commands look expected payments up.

use std::path::Path;

use super::advise;
use crate::domains::lending::expected::{Answer, Question};
use crate::domains::lending::profiles::Profiles;
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;

/// The loan book.
#[derive(Debug)]
pub(super) enum Book {
    File(Profiles),
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
        Ok(Self::File(profiles))
    }
}

impl Lookup<Question, Answer> for Book {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        match self {
            Self::File(profiles) => profiles.lookup(questions).await,
            Self::None => Ok(vec![Answer::default(); questions.len()]),
        }
    }
}
