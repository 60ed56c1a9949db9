//! A script on a connection of its own, as under sqlcmd.

use std::cell::RefCell;

use super::super::screen::Screen;
use super::super::table::Grid;
use super::super::tell_note;
use super::{tell_failure, told};
use crate::config::daemon;
use crate::io::sentinel::{Batch, OnError, ScriptError};
use crate::io::sqlserver::{BatchError, Console, Said};

/// Runs the batches of a script; gives how many of its statements failed.
pub(super) async fn run(
    server: &daemon::SqlServer,
    name: &str,
    batches: &[Batch],
    screen: &RefCell<Screen>,
) -> anyhow::Result<usize> {
    let mut console = Console::open(server).await.map_err(told)?;
    if !console.is_audible() {
        tell_note(name, 1, "what this script prints cannot be shown: the driver does not tell it");
    }
    let mut failures = 0;
    for batch in batches {
        for _ in 0..batch.repeat {
            let mut showing = Showing { screen, grid: None, failed: None };
            let ended = console.batch(&batch.text, |said| showing.hear(said)).await;
            showing.end()?;
            let stopped = |(file, line): (String, u32)| {
                let place = if file == name { format!("line {line}") } else { format!("{file}:{line}") };
                anyhow::anyhow!("{name} stopped at {place}")
            };
            let errors = ended.map_err(|error| told(error).context(stopped(batch.head())))?;
            let mut first = None;
            for error in errors {
                let error = placed(batch, error);
                tell_failure(&mut failures, &error);
                first.get_or_insert((error.file, error.line));
            }
            if let Some(place) = first
                && (batch.on_error == Some(OnError::Stop) || console.is_broken())
            {
                return Err(stopped(place));
            }
        }
    }
    note_open_transaction(&mut console, name, batches.last()).await;
    Ok(failures)
}

/// An error with its place in the file.
fn placed(batch: &Batch, error: BatchError) -> ScriptError {
    let BatchError { number, message, line, procedure } = error;
    let ((file, at), message) = match (line, procedure) {
        (Some(line), Some(procedure)) => (batch.head(), format!("in procedure {procedure}, its line {line}: {message}")),
        (Some(line), None) => (batch.place(line), message),
        (None, _) => (batch.head(), format!("somewhere in this batch: {message}")),
    };
    ScriptError { file, line: at, statement: String::new(), number: i32::try_from(number).ok(), message, hint: None }
}

/// Tells of what the end of the connection takes back.
async fn note_open_transaction(console: &mut Console, name: &str, last: Option<&Batch>) {
    let mut open = false;
    let asked = console.batch("SELECT @@TRANCOUNT", |said| open |= matches!(said, Said::Row(row) if row != ["0"])).await;
    // whoever cannot even be asked has told of it
    if let (Ok(_), true, Some(last)) = (asked, open, last) {
        let (file, line) = last.head();
        let file = if file.is_empty() { name } else { &file };
        tell_note(file, line, "a transaction was still open at the end and is rolled back");
    }
}

/// What a batch says, on the screen.
struct Showing<'s> {
    screen: &'s RefCell<Screen>,
    /// A result whose rows still come.
    grid: Option<Grid>,
    /// The first failure to show something.
    failed: Option<std::io::Error>,
}

impl Showing<'_> {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Columns(columns) => {
                self.flush();
                self.grid = Some(Grid { columns, rows: Vec::new() });
            }
            Said::Row(row) => self.grid.get_or_insert_default().rows.push(row),
            Said::Printed(text) => {
                self.flush();
                self.keep(self.screen.borrow_mut().line(&text));
            }
        }
    }

    fn flush(&mut self) {
        if let Some(grid) = self.grid.take() {
            let mut screen = self.screen.borrow_mut();
            let shown = screen.grid(&grid).and_then(|()| screen.affected(grid.rows.len()));
            drop(screen);
            self.keep(shown);
        }
    }

    fn keep(&mut self, shown: std::io::Result<()>) {
        if let (Err(error), None) = (shown, &self.failed) {
            self.failed = Some(error);
        }
    }

    fn end(mut self) -> std::io::Result<()> {
        self.flush();
        self.failed.map_or(Ok(()), Err)
    }
}
