//! Output files that appear whole or not at all.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempPath;

/// Temporary names in use: a signal ends the process without dropping anything.
static INCOMPLETE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes what is not complete. For the end of a process that is interrupted.
pub fn discard_incomplete() {
    for path in &*INCOMPLETE.lock().unwrap_or_else(PoisonError::into_inner) {
        // the process ends; there is nobody to tell
        std::fs::remove_file(path).ok();
    }
}

/// A file under a temporary name in its own folder, renamed when it is complete; dropped before that, it is gone.
/// What is not a regular file (a pipe, a terminal, `/dev/stdout`) is written as it comes.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// File and path apart: what tempfile does itself names the temporary file in its errors.
    Temporary(BufWriter<File>, TempPath),
    Direct(BufWriter<File>),
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct OutputError {
    path: PathBuf,
    source: io::Error,
}

impl OutputError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.source.kind() {
            io::ErrorKind::NotFound => Some("the folder must exist"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Some("the disk is full; nothing half-written was left behind")
            }
            io::ErrorKind::BrokenPipe => Some("whatever read this was closed"),
            _ => None,
        }
    }
}

const BUFFER: usize = 1 << 18;

impl OutputFile {
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let failed = |source| OutputError { path: path.to_owned(), source };
        let exists_otherwise = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        let target = if exists_otherwise {
            Target::Direct(BufWriter::with_capacity(BUFFER, OpenOptions::new().write(true).open(path).map_err(failed)?))
        } else {
            // a link is followed, so that what it names is replaced and not the link
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let name = path.file_name().unwrap_or_default();
            // a folder that is missing is told by this error, without the temporary name
            folder.metadata().map_err(failed)?;
            let file = tempfile::Builder::new().prefix(name).suffix(".partial").permissions(permissions()).tempfile_in(folder);
            let (file, temporary) = file.map_err(|error| failed(error.kind().into()))?.into_parts();
            INCOMPLETE.lock().unwrap_or_else(PoisonError::into_inner).insert(temporary.to_path_buf());
            Target::Temporary(BufWriter::with_capacity(BUFFER, file), temporary)
        };
        Ok(Self { path: path.to_owned(), target })
    }

    /// Where it is until it is complete, for what writes to a file by its name; none for what is not a regular file.
    #[must_use]
    pub fn temporary(&self) -> Option<&Path> {
        match &self.target {
            Target::Temporary(_, temporary) => Some(temporary),
            Target::Direct(_) => None,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let written = match &mut self.target {
            Target::Temporary(file, _) | Target::Direct(file) => file.write_all(bytes),
        };
        written.map_err(|source| OutputError { path: self.path.clone(), source })
    }

    /// Writes out what is left, without giving the file its name.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let flushed = match &mut self.target {
            Target::Temporary(file, _) | Target::Direct(file) => file.flush(),
        };
        flushed.map_err(|source| OutputError { path: self.path.clone(), source })
    }

    /// Writes out what is left and gives the file its name.
    pub fn commit(self) -> Result<(), OutputError> {
        let path = self.path;
        let done = match self.target {
            Target::Direct(mut file) => file.flush(),
            Target::Temporary(mut file, temporary) => file.flush().and_then(|()| {
                let target = path.canonicalize().unwrap_or_else(|_| path.clone());
                let name = temporary.to_path_buf();
                temporary.persist(target).map_err(|error| error.error)?;
                INCOMPLETE.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                Ok(())
            }),
        };
        done.map_err(|source| OutputError { path, source })
    }
}

/// As a plain `create` would ask for; the umask takes its part.
fn permissions() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete_and_leaves_nothing_behind_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        std::fs::write(&path, "old").unwrap();
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut file = OutputFile::create(&path).unwrap();
        file.write(b"half").unwrap();
        drop(file);
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names()), ("old", 1));
        let mut file = OutputFile::create(&path).unwrap();
        file.write(b"whole").unwrap();
        assert_eq!(names(), 2);
        file.commit().unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names()), ("whole", 1));
    }

    #[test]
    fn a_missing_folder_and_a_full_disk_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = OutputFile::create(&folder.path().join("no/alerts.jsonl")).unwrap_err();
        assert_eq!(error.hint(), Some("the folder must exist"));
        let mut full = OutputFile::create(Path::new("/dev/full")).unwrap();
        full.write(b"x").unwrap();
        assert!(full.commit().unwrap_err().hint().unwrap().contains("disk is full"));
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = OutputFile::create(&link).unwrap();
        file.write(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert!(link.is_symlink());
    }
}
