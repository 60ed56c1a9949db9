//! First pass: every record is read and decoded, on all cores, and put aside by partition.

use std::io;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use anyhow::Context as _;
use indicatif::ProgressBar;

use super::super::advise;
use crate::domains::lending::Lending;
use crate::engine::{DeadLetter, Domain, Entry};
use crate::event::{self, Record, RegistryError};
use crate::io::capture::{CaptureError, Captures, Chunk, Scratch};
use crate::io::spill::{Blocks, Labels, Spill, SpillError};

/// Bytes of encoded changes that stay in memory; what is more goes to a temporary file.
const MEMORY: usize = 64 << 20;

/// Reads all captures. `lending` decodes, `folder` takes what does not fit into memory.
pub(super) fn read_all(captures: Captures, lending: &Lending, folder: &Path, progress: &ProgressBar) -> anyhow::Result<Spill> {
    let labels = Arc::new(Labels::default());
    let spill = Spill::new(Arc::clone(&labels), MEMORY, folder);
    let captures = Mutex::new(captures);
    let turn =
        Turn { state: Mutex::new(State { next: 0, spill, lines: 0, file: Arc::from(""), failed: None }), moved: Condvar::new() };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            let worker = thread::Builder::new().name("decode".to_owned());
            worker.spawn_scoped(scope, || {
                let _guard = OnPanic(&turn);
                let mut worker = Worker { lending, labels: &labels, scratch: Scratch::default(), decoded: Decoded::default() };
                while let Some((number, decoded)) = worker.next(&captures, progress) {
                    if !turn.take(number, decoded.map(|()| &mut worker.decoded)) {
                        break;
                    }
                }
            })?;
        }
        io::Result::Ok(())
    })
    .context("cannot start a thread")?;
    let state = turn.state.into_inner().expect("no worker panics while it has its turn");
    match state.failed {
        None => Ok(state.spill),
        Some(failure) => Err(failure.into_error()),
    }
}

/// Decodes chunks. Its buffers are used from one to the next.
struct Worker<'a> {
    lending: &'a Lending,
    labels: &'a Labels,
    scratch: Scratch,
    decoded: Decoded,
}

/// A chunk, decoded.
#[derive(Default)]
struct Decoded {
    file: Arc<str>,
    lines: u64,
    blocks: Blocks,
}

impl Worker<'_> {
    /// Decodes the next chunk; `None` at the end. An error takes its turn like a chunk, so that the first one is reported.
    fn next(&mut self, captures: &Mutex<Captures>, progress: &ProgressBar) -> Option<(u64, Result<(), Failure>)> {
        let chunk = {
            let mut captures = captures.lock().expect("no worker panics while it reads");
            let chunk = captures.next_chunk();
            progress.set_position(captures.consumed_bytes());
            match chunk {
                Ok(chunk) => chunk?,
                Err(error) => return Some((captures.give_up(), Err(error.into()))),
            }
        };
        let decoded = self.decode(&chunk);
        let number = chunk.number;
        captures.lock().expect("no worker panics while it reads").recycle(chunk);
        Some((number, decoded))
    }

    fn decode(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        let Self { lending, labels, scratch, decoded } = self;
        decoded.file = Arc::clone(&chunk.name);
        decoded.lines = 0;
        for line in chunk.lines() {
            decoded.lines += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let read = scratch.read_quoted(
                line,
                |record, value| lending.decode_quoted(record, value).map(|decoded| (record.origin, entry(record, decoded))),
                |record| (record.origin, entry(record, lending.decode(record))),
            );
            let (origin, entry) =
                read.map_err(|source| CaptureError::Line { name: chunk.name.to_string(), line: decoded.lines, source })?;
            decoded.blocks.push(origin, &entry?, labels).map_err(Failure::Spill)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Failure {
    Capture(CaptureError),
    Registry(RegistryError),
    Spill(SpillError),
    /// The panic itself goes on when the threads are joined.
    Panicked,
}

fn entry<C>(record: &Record<'_>, decoded: event::Decoded<C>) -> Result<Entry<C>, Failure> {
    Ok(match decoded {
        event::Decoded::Change(change) => Entry::Change(change),
        event::Decoded::Ignored(label) => Entry::Ignored(label),
        event::Decoded::Bad(bad) => Entry::Bad(Box::new(DeadLetter::new(record, &bad))),
        event::Decoded::Unavailable(error) => return Err(Failure::Registry(error)),
    })
}

/// Lets the workers in one after the other, in the order of the input.
struct Turn {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    next: u64,
    spill: Spill,
    /// Lines of the current file that came before.
    lines: u64,
    file: Arc<str>,
    failed: Option<Failure>,
}

impl Turn {
    /// Waits for the chunk's turn and puts it aside. Gives whether to go on.
    fn take(&self, number: u64, decoded: Result<&mut Decoded, Failure>) -> bool {
        let lock = || self.state.lock().expect("no worker panics while it has its turn");
        let waiting = |state: &mut State| state.next != number && state.failed.is_none();
        let mut state: MutexGuard<'_, State> =
            self.moved.wait_while(lock(), waiting).expect("no worker panics while it has its turn");
        if state.failed.is_none() {
            state.next += 1;
            if let Err(failure) = state.add(decoded) {
                state.failed = Some(failure);
            }
            self.moved.notify_all();
        }
        state.failed.is_none()
    }
}

/// A worker that panics would leave the others waiting for its turn.
struct OnPanic<'a>(&'a Turn);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Ok(mut state) = self.0.state.lock() {
                state.failed = Some(Failure::Panicked);
            }
            self.0.moved.notify_all();
        }
    }
}

impl State {
    fn add(&mut self, decoded: Result<&mut Decoded, Failure>) -> Result<(), Failure> {
        let Decoded { file, lines, blocks } = match decoded {
            Ok(decoded) => decoded,
            // the worker counted from the beginning of its chunk
            Err(Failure::Capture(CaptureError::Line { name, line, source })) => {
                let before = if *self.file == *name { self.lines } else { 0 };
                return Err(Failure::Capture(CaptureError::Line { name, line: before + line, source }));
            }
            Err(failure) => return Err(failure),
        };
        if !Arc::ptr_eq(&self.file, file) {
            self.lines = 0;
            self.file = Arc::clone(file);
        }
        self.lines += *lines;
        self.spill.add(blocks).map_err(Failure::Spill)
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

impl Failure {
    fn into_error(self) -> anyhow::Error {
        match self {
            Self::Capture(error) => match error.hint() {
                Some(hint) => advise(error, hint),
                None => error.into(),
            },
            Self::Registry(error) => match error.hint() {
                Some(hint) => advise(error, hint),
                None => error.into(),
            },
            Self::Panicked => anyhow::anyhow!("a decoding thread panicked"),
            Self::Spill(error) => {
                let hint = error.hint();
                advise(error, hint)
            }
        }
    }
}
