//! Errors that say what to do.

use std::fmt;

/// An error with a hint on a line of its own.
#[derive(Debug)]
struct Advised {
    message: String,
    hint: String,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Advised {}

/// An error, and what its reader can do about it.
#[must_use]
pub fn advise(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Advised { message: message.into(), hint: hint.into() })
}

/// The hint that an error carries.
#[must_use]
pub fn hint(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| cause.downcast_ref::<Advised>()).map(|advised| advised.hint.as_str())
}
