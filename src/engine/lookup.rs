//! What judging needs to know from outside: asked once a batch, all questions together.

use std::borrow::Cow;
use std::error::Error;
use std::future::Future;

use super::Key;

/// Answers questions of one kind, wherever the answers lie.
pub trait Lookup<Q, A>: Send + Sync {
    /// One answer per question, in the order of the questions. They are best distinct; no question asked twice is an error.
    fn lookup(&self, questions: &[Q]) -> impl Future<Output = Result<Vec<A>, LookupError>> + Send;

    /// Forgets what it may have kept about these keys.
    fn outdated(&self, _keys: &[Key]) {}
}

impl<Q: Sync, A, L: Lookup<Q, A>> Lookup<Q, A> for std::sync::Arc<L> {
    fn lookup(&self, questions: &[Q]) -> impl Future<Output = Result<Vec<A>, LookupError>> + Send {
        (**self).lookup(questions)
    }

    fn outdated(&self, keys: &[Key]) {
        (**self).outdated(keys);
    }
}

/// What becomes of a batch whose questions were not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The source is out of reach or busy: nothing is judged and nothing lost, and the same questions are asked again.
    Retry,
    /// Asking again cannot help: a table is missing, a row does not read.
    Stop,
}

/// Why questions were not answered.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct LookupError {
    pub fate: Fate,
    /// Names the source, and where in it; holds no value of a row, since rows hold personal data.
    pub detail: String,
    /// What an operator can do about it.
    pub hint: Option<Cow<'static, str>>,
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl LookupError {
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { fate: Fate::Retry, detail: detail.into(), hint: None, cause: None }
    }

    #[must_use]
    pub fn broken(detail: impl Into<String>) -> Self {
        Self { fate: Fate::Stop, detail: detail.into(), hint: None, cause: None }
    }

    #[must_use]
    pub fn with_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    #[must_use]
    pub fn caused_by(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Box::new(cause)), ..self }
    }
}
