//! Capture files: records as `kcat -C -J` prints them, one JSON object a line.
//!
//! ```text
//! files, globs, stdin ─► plain, gzip or zstd ─► chunks of whole lines ─► lines ─► Record
//! ```
//!
//! Chunks are large and independent, so that several threads can take them apart at once.

mod line;
mod write;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memrchr;

pub use line::{LineError, Scratch};
pub use write::{Parts, write_line};

/// Bytes that a chunk has at least, unless the file ends; a longer line makes a longer chunk.
const CHUNK: usize = 1 << 18;
/// Bytes that a line has at most: several times what a broker takes. A file of another kind may have no line end at all, and
/// must not fill the memory before it is refused.
const LONGEST_LINE: usize = 128 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("`{pattern}` is not a valid pattern")]
    Pattern { pattern: String, source: glob::PatternError },
    #[error("no file matches `{0}`")]
    NoMatch(String),
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    #[error("{name}: a line is longer than {} MiB", LONGEST_LINE >> 20)]
    LongLine { name: String },
    #[error("{name}:{line}: not a line of a capture file")]
    Line { name: String, line: u64, source: LineError },
}

impl CaptureError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Line { .. } | Self::LongLine { .. } => {
                Some("a capture file is what `kcat -C -J` prints: one JSON object a line")
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                Some("the compressed file is cut off: was it still being written?")
            }
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::IsADirectory => Some("this is a folder: name the files in it, such as \"FOLDER/*.jsonl\""),
                // what flate2 and zstd say of damaged data
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                    Some("is the compressed file damaged? `gzip -t` and `zstd -t` tell")
                }
                _ => None,
            },
            Self::NoMatch(_) => {
                Some("a pattern counts from the current folder; * stands for any part of a name, ** for any folders")
            }
            Self::Pattern { .. } => Some("write [[] for a bracket that is part of a name"),
        }
    }
}

/// The files of one run, read one after the other.
#[derive(Debug)]
pub struct Captures {
    files: std::vec::IntoIter<Input>,
    open: Option<Open>,
    next_chunk: u64,
    consumed: Arc<AtomicU64>,
    total: Option<u64>,
    /// Buffers of chunks that are done: warm memory, where new pages would have to be cleared first.
    spare: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Input {
    Stdin,
    File(PathBuf),
}

struct Open {
    name: Arc<str>,
    reader: Box<dyn Read + Send>,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    at_start: bool,
    /// Where the reader does not count for itself: a wrapper would clear each buffer before it is filled.
    consumed: Option<Arc<AtomicU64>>,
}

/// Some whole lines of one file.
#[derive(Debug)]
pub struct Chunk {
    /// From 0, in the order of reading.
    pub number: u64,
    /// The file, as messages name it.
    pub name: Arc<str>,
    pub bytes: Vec<u8>,
}

impl Captures {
    /// Paths, glob patterns and `-` for standard input, in this order; the files of a pattern in the order of their names.
    pub fn open(inputs: &[String]) -> Result<Self, CaptureError> {
        let mut files = Vec::new();
        for input in inputs {
            files.extend(resolve(input)?);
        }
        let sizes = files.iter().map(|file| match file {
            Input::Stdin => None,
            Input::File(path) => path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len()),
        });
        let total = sizes.sum();
        Ok(Self { files: files.into_iter(), open: None, next_chunk: 0, consumed: Arc::default(), total, spare: Vec::new() })
    }

    /// The files that are yet to be opened.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.as_slice().iter().filter_map(|input| match input {
            Input::Stdin => None,
            Input::File(path) => Some(path.as_path()),
        })
    }

    /// Bytes of all files as they lie on disk; `None` where that cannot be known.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }

    /// Bytes read so far, compressed ones where the file is.
    #[must_use]
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Reads nothing more; gives the number that the next chunk would have had.
    pub fn give_up(&mut self) -> u64 {
        self.open = None;
        self.files = Vec::new().into_iter();
        self.next_chunk
    }

    /// Takes back the buffer of a chunk that is done.
    pub fn recycle(&mut self, chunk: Chunk) {
        // a line that was longer than a chunk must not leave its room behind
        if chunk.bytes.capacity() <= 2 * CHUNK {
            self.spare.push(chunk.bytes);
        }
    }

    /// The next chunk; `None` at the end of the last file.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, CaptureError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                none => match self.files.next() {
                    None => return Ok(None),
                    Some(input) => none.insert(Open::new(&input, &self.consumed)?),
                },
            };
            match open.lines(self.spare.pop().unwrap_or_default())? {
                Some(bytes) => {
                    let number = self.next_chunk;
                    self.next_chunk += 1;
                    return Ok(Some(Chunk { number, name: Arc::clone(&open.name), bytes }));
                }
                None => self.open = None,
            }
        }
    }
}

impl Chunk {
    /// Its lines, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (line, next) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &[][..]),
            };
            rest = next;
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        })
    }
}

fn resolve(input: &str) -> Result<Vec<Input>, CaptureError> {
    if input == "-" {
        return Ok(vec![Input::Stdin]);
    }
    // a file of this very name goes before a pattern
    if Path::new(input).exists() || !input.contains(['*', '?', '[']) {
        return Ok(vec![Input::File(PathBuf::from(input))]);
    }
    let paths = glob::glob(input).map_err(|source| CaptureError::Pattern { pattern: input.to_owned(), source })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| CaptureError::Read { name: error.path().display().to_string(), source: error.into() })?;
        if !path.is_dir() {
            files.push(Input::File(path));
        }
    }
    if files.is_empty() { Err(CaptureError::NoMatch(input.to_owned())) } else { Ok(files) }
}

impl Open {
    fn new(input: &Input, consumed: &Arc<AtomicU64>) -> Result<Self, CaptureError> {
        let name: Arc<str> = match input {
            Input::Stdin => Arc::from("standard input"),
            Input::File(path) => Arc::from(path.display().to_string()),
        };
        let failed = |source| CaptureError::Read { name: name.to_string(), source };
        let raw: Box<dyn Read + Send> = match input {
            Input::Stdin => Box::new(io::stdin()),
            Input::File(path) => Box::new(File::open(path).map_err(failed)?),
        };
        let mut raw = raw;
        let mut magic = Vec::with_capacity(ZSTD.len());
        (&mut raw).take(ZSTD.len() as u64).read_to_end(&mut magic).map_err(failed)?;
        let compression = if magic.starts_with(GZIP) {
            Compression::Gzip
        } else if magic == ZSTD {
            Compression::Zstd
        } else {
            Compression::None
        };
        let whole = io::Cursor::new(magic).chain(raw);
        let counted = |raw| Counted { raw, consumed: Arc::clone(consumed) };
        let (reader, consumed): (Box<dyn Read + Send>, _) = match compression {
            Compression::Gzip => {
                let buffered = BufReader::with_capacity(1 << 18, counted(Box::new(whole)));
                (Box::new(flate2::read::MultiGzDecoder::new(buffered)), None)
            }
            Compression::Zstd => (Box::new(zstd::Decoder::new(counted(Box::new(whole))).map_err(failed)?), None),
            Compression::None => (Box::new(whole), Some(Arc::clone(consumed))),
        };
        Ok(Self { name, reader, rest: Vec::new(), at_start: true, consumed })
    }

    /// The next lines; `None` at the end.
    fn lines(&mut self, mut bytes: Vec<u8>) -> Result<Option<Vec<u8>>, CaptureError> {
        bytes.clear();
        bytes.append(&mut self.rest);
        bytes.reserve(CHUNK.saturating_sub(bytes.len()) + (64 << 10));
        let mut searched = 0;
        loop {
            let wanted = if bytes.len() < CHUNK { CHUNK - bytes.len() } else { CHUNK };
            let failed = |source| CaptureError::Read { name: self.name.to_string(), source };
            let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut bytes).map_err(failed)?;
            if let Some(consumed) = &self.consumed {
                consumed.fetch_add(read as u64, Ordering::Relaxed);
            }
            if self.at_start && bytes.len() >= BYTE_ORDER_MARK.len() {
                self.at_start = false;
                if bytes.starts_with(BYTE_ORDER_MARK) {
                    bytes.drain(..BYTE_ORDER_MARK.len());
                }
            }
            if read < wanted {
                // the end of the file; the last line may lack its line end
                return Ok((!bytes.is_empty()).then_some(bytes));
            }
            if let Some(end) = memrchr(b'\n', &bytes[searched..]) {
                self.rest.extend_from_slice(&bytes[searched + end + 1..]);
                bytes.truncate(searched + end + 1);
                return Ok(Some(bytes));
            }
            searched = bytes.len();
            if searched > LONGEST_LINE {
                return Err(CaptureError::LongLine { name: self.name.to_string() });
            }
        }
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("name", &self.name).finish_non_exhaustive()
    }
}

enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Counts what is read, for a progress bar.
struct Counted {
    raw: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(inputs: &[String]) -> Result<Vec<String>, CaptureError> {
        let mut captures = Captures::open(inputs)?;
        let mut lines = Vec::new();
        while let Some(chunk) = captures.next_chunk()? {
            lines.extend(chunk.lines().map(|line| String::from_utf8(line.to_vec()).unwrap()));
        }
        if let Some(total) = captures.total_bytes() {
            assert_eq!(captures.consumed_bytes(), total);
        }
        Ok(lines)
    }

    fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn lines_come_the_same_plain_compressed_and_whatever_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let two_members = [gzip(b"a\nb"), gzip(b"c\n")].concat();
        for (name, bytes, expected) in [
            ("plain", b"a\nbc\n".to_vec(), vec!["a", "bc"]),
            ("no end", b"a\nbc".to_vec(), vec!["a", "bc"]),
            ("crlf and mark", "\u{feff}a\r\n\r\nbc\r\n".into(), vec!["a", "", "bc"]),
            ("empty", vec![], vec![]),
            ("gzip", gzip(b"a\nbc\n"), vec!["a", "bc"]),
            ("two members", two_members, vec!["a", "bc"]),
            ("zstd", zstd::encode_all(&b"a\nbc\n"[..], 1).unwrap(), vec!["a", "bc"]),
        ] {
            assert_eq!(read(&[file(folder.path(), name, &bytes)]).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_line_longer_than_a_chunk_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(2 * CHUNK + 17);
        let text = format!("a\n{long}\nb\n{long}");
        assert_eq!(read(&[file(folder.path(), "long", text.as_bytes())]).unwrap(), ["a", &long, "b", &long]);
    }

    #[test]
    fn a_file_without_line_ends_is_refused_before_it_fills_the_memory() {
        let error = read(&["/dev/zero".to_owned()]).unwrap_err();
        assert!(matches!(&error, CaptureError::LongLine { name } if name == "/dev/zero"), "{error:?}");
    }

    #[test]
    fn chunks_are_numbered_and_cover_the_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("{}\n", "y".repeat(999));
        let text = line.repeat(CHUNK / 1000 * 3);
        let inputs = [file(folder.path(), "a", text.as_bytes()), file(folder.path(), "b", b"last\n")];
        let mut captures = Captures::open(&inputs).unwrap();
        let (mut numbers, mut lines) = (Vec::new(), 0);
        while let Some(chunk) = captures.next_chunk().unwrap() {
            numbers.push(chunk.number);
            lines += chunk.lines().count();
        }
        assert!(numbers.len() >= 4, "{numbers:?}");
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
        assert_eq!(lines, CHUNK / 1000 * 3 + 1);
    }

    #[test]
    fn a_pattern_gives_its_files_by_name_and_one_without_any_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "2.jsonl", b"two\n");
        file(folder.path(), "1.jsonl", b"one\n");
        file(folder.path(), "[x].jsonl", b"odd\n");
        let of = |name: &str| folder.path().join(name).display().to_string();
        assert_eq!(read(&[of("?.jsonl")]).unwrap(), ["one", "two"]);
        assert_eq!(read(&[of("[x].jsonl")]).unwrap(), ["odd"], "a file of that very name");
        assert!(matches!(read(&[of("*.gz")]), Err(CaptureError::NoMatch(_))));
        assert!(matches!(read(&[of("missing")]), Err(CaptureError::Read { .. })));
    }

    #[test]
    fn a_cut_off_compressed_file_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..5_000_u32).flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for (name, whole) in [("gz", gzip(&text)), ("zst", zstd::encode_all(&text[..], 1).unwrap())] {
            let cut = &whole[..whole.len() / 2];
            let error = read(&[file(folder.path(), name, cut)]).unwrap_err();
            assert!(error.hint().unwrap().contains("cut off"), "{name}: {error:?}");
        }
    }
}
