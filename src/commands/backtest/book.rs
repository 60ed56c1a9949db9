//! Where a backtest looks expected payments up.

use std::path::Path;

use super::super::advise;
use crate::domains::lending::expected::{Answer, Question};
use crate::domains::lending::profiles::Timelines;
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;

/// Bytes of timelines that are kept, each of about 300: 400,000 agreements.
const KEPT: usize = 128 << 20;

/// The loan book.
#[derive(Debug)]
pub(super) enum Book {
    File(Box<Timelines>),
    /// Without one no expected payment is known.
    None,
}

impl Book {
    pub(super) fn open(path: Option<&Path>, key_case: KeyCase) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::None) };
        let timelines = Timelines::open(path, key_case, KEPT).map_err(|error| match error.hint() {
            Some(hint) => advise(error, hint),
            None => error.into(),
        })?;
        Ok(Self::File(Box::new(timelines)))
    }
}

impl Lookup<Question, Answer> for Book {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        match self {
            Self::File(timelines) => timelines.lookup(questions).await,
            Self::None => Ok(vec![Answer::default(); questions.len()]),
        }
    }
}
