//! What commands say: data on stdout, advice with errors.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::path::Path;

/// Standard output, for data. A reader that closes the pipe early (`| head`) has seen enough: what follows is dropped, the
/// work is done to its end, and its exit code stands. Any other failure, such as a full disk, is an error.
///
/// End with [`Output::finish`]: what was not flushed is lost without a word.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    closed: bool,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self { stdout: BufWriter::new(io::stdout()), closed: false }
    }

    /// Writes out what is left.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        Ok(self.flush()?)
    }

    fn unless_closed<T>(&mut self, done: T, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<T>) -> io::Result<T> {
        if self.closed {
            return Ok(done);
        }
        match write(&mut self.stdout) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(done)
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))),
            done => done,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(bytes.len(), |stdout| stdout.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), Write::flush)
    }
}

/// How standard output is named, as `-` names standard input among the captures. A file of that name is `./-`.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Gives an error a hint: what the reader can do about it.
pub(crate) fn advise(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Advised { error: error.into(), hint: hint.into() })
}

/// The outermost hint; where nobody gave one, what an operating system's error calls for.
pub(super) fn hint(error: &anyhow::Error) -> Option<&str> {
    let advised = error.chain().find_map(|cause| cause.downcast_ref::<Advised>()).map(|advised| advised.hint.as_str());
    advised.or_else(|| error.chain().find_map(|cause| of_kind(cause.downcast_ref::<io::Error>()?.kind())))
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("check the path; a relative one counts from the current folder"),
        ErrorKind::IsADirectory => Some("this is a folder: name a file"),
        ErrorKind::PermissionDenied => Some("the user that runs this needs access to the file and to its folder"),
        ErrorKind::ReadOnlyFilesystem => Some("nothing can be written there: name another folder"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("the disk is full"),
        _ => None,
    }
}

#[derive(Debug)]
struct Advised {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Advised {
    /// The text is the error's own, so its causes follow, not the error again.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn advice_changes_nothing_about_the_error_and_is_found_under_any_context() {
        let error = advise(anyhow!("refused").context("cannot connect"), "is it running?").context("start");
        assert_eq!(format!("{error:#}"), "start: cannot connect: refused");
        assert_eq!(hint(&error), Some("is it running?"));
        assert_eq!(hint(&anyhow!("no advice")), None);
    }

    #[test]
    fn an_error_of_the_system_has_a_hint_unless_a_better_one_was_given() {
        let missing = || anyhow::Error::new(io::Error::from(ErrorKind::NotFound)).context("cannot read rules.toml");
        assert!(hint(&missing()).unwrap().starts_with("check the path"));
        assert_eq!(hint(&advise(missing(), "the folder must exist")), Some("the folder must exist"));
        assert_eq!(hint(&io::Error::from(ErrorKind::TimedOut).into()), None);
    }
}
