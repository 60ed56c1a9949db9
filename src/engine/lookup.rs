//! What judging needs to know from outside: asked once a batch, all questions together.

use std::future::Future;

/// Answers questions, in their order.
pub trait Lookup<Q, A>: Send + Sync {
    /// One answer per question. The pipeline repeats the call until it is answered.
    fn lookup(&self, questions: &[Q]) -> impl Future<Output = Result<Vec<A>, LookupError>> + Send;
}

/// The source of answers is out of reach.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct LookupError {
    /// Names the source; no values of a row.
    pub detail: String,
}
