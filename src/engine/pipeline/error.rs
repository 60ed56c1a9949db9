//! Why a pipeline ends.

use super::sharing::Scattered;
use crate::engine::RebuiltSource;
use crate::engine::changelog::ChangelogError;
use crate::engine::lookup::LookupError;
use crate::engine::ports::{CommitError, SourceError};

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Sink(#[from] CommitError),
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Rebuilt(#[from] RebuiltSource),
    #[error(transparent)]
    Scattered(#[from] Scattered),
    #[error(transparent)]
    Changelog(#[from] ChangelogError),
}

impl PipelineError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Source(error) => error.hint.as_deref(),
            Self::Sink(CommitError::Stop { hint, .. }) => hint.as_deref(),
            Self::Sink(_) => None,
            Self::Lookup(error) => error.hint.as_deref(),
            Self::Rebuilt(_) => Some(RebuiltSource::HINT),
            Self::Scattered(error) => Some(error.hint),
            Self::Changelog(error) => error.hint.as_deref(),
        }
    }
}
