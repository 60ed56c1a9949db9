//! Configuration files: TOML in, values out, and everything that is wrong with a file at once.
//!
//! ```text
//! text ─► toml, spans kept, reading on past syntax errors ─► Section: what is asked for, what is left over
//!                                                              │
//!                                  a valid value  ◄────────────┴────────────►  ConfigErrors, by line
//! ```
//!
//! A reader walks the file through [`Section`]s and says what it wants. What is missing is its own business (mostly a
//! default), what does not read is reported at its line and column, and a key that nobody asked for is an unknown key.
//! So a reader needs no error handling of its own, and none of the errors hides another.
//!
//! This module knows no catalogue and no command; it stands left of `domains` in the import order.

pub mod daemon;
mod errors;
mod registry;
mod secret;
mod section;
#[cfg(test)]
mod tests;
mod value;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use daemon::DaemonConfig;
pub use errors::{ConfigErrors, Finding, Problem};
pub use registry::SchemaRegistry;
pub use secret::{Secret, SecretError};
pub use section::{Item, Section};
pub use value::{Value, amount, boolean, choice, duration, duration_of, integer, percentage, text};

/// Why a configuration file gives no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Invalid(#[from] ConfigErrors),
}

/// Reads a file's text and hands it to `parse` together with the name that its errors shall give.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or does not parse.
pub fn load<T>(path: &Path, parse: impl FnOnce(&str, &str) -> Result<T, ConfigErrors>) -> Result<T, LoadError> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(parse(&name, &text)?),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let problem = Problem::new("not UTF-8").hint("save the file as UTF-8");
            Err(ConfigErrors::new(&name, &text, vec![(valid, problem)]).into())
        }
    }
}

/// Parses a TOML text. `read` takes what it wants from the root; whatever it finds wrong, or leaves over, is an error.
///
/// # Errors
/// Everything that is wrong with the text, by line.
pub fn parse<T>(file: &str, text: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> Result<T, ConfigErrors> {
    section::parse(file, text, read)
}
