//! What a replay shows while it runs: what the scripts print and select, and the alerts, in the order in which they come.

use std::io::Write;

use anyhow::Context as _;

use super::report::Shown;
use super::table::{Grid, table};
use crate::commands::Output;
use crate::io::output::OutputFile;

/// What was raised, and when.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    pub(super) name: String,
    /// Of the commit that raised it: its position, or its time, as a text that sorts as it does.
    pub(super) commit: String,
}

pub(super) struct Screen {
    output: Output,
    /// Of the terminal, in columns.
    width: usize,
    file: Option<OutputFile>,
    alerts: Vec<Raised>,
}

impl Screen {
    pub(super) fn new(output: Output, file: Option<OutputFile>) -> Self {
        Self { output, width: width(), file, alerts: Vec::new() }
    }

    /// Shown at once, so that it stands between the alerts where it belongs.
    pub(super) fn line(&mut self, text: &str) -> std::io::Result<()> {
        writeln!(self.output, "{text}")?;
        self.output.flush()
    }

    pub(super) fn grid(&mut self, grid: &Grid) -> std::io::Result<()> {
        self.output.write_all(table(grid, self.width).as_bytes())?;
        self.output.flush()
    }

    pub(super) fn affected(&mut self, rows: usize) -> std::io::Result<()> {
        self.line(&format!("({rows} {} affected)", if rows == 1 { "row" } else { "rows" }))
    }

    /// Shows and keeps an alert, which is JSON.
    pub(super) fn alert(&mut self, alert: &[u8], shown: &Shown, commit: String) -> anyhow::Result<()> {
        self.output.write_all(shown.row(self.width).as_bytes())?;
        self.output.flush()?;
        if let Some(file) = &mut self.file {
            file.write(alert)?;
            file.write(b"\n")?;
        }
        self.alerts.push(Raised { name: shown.name(), commit });
        Ok(())
    }

    pub(super) fn alerts(&self) -> &[Raised] {
        &self.alerts
    }

    /// Writes the file of alerts; gives what was raised.
    pub(super) fn end(self) -> anyhow::Result<(Output, Vec<Raised>)> {
        if let Some(file) = self.file {
            file.commit()?;
        }
        Ok((self.output, self.alerts))
    }
}

pub(super) fn read(alert: &[u8]) -> anyhow::Result<Shown> {
    serde_json::from_slice(alert).context("an alert does not read")
}

/// As wide as the terminal; a file or a pipe is read on some terminal later.
fn width() -> usize {
    const USUAL: usize = 80;
    const LEAST: usize = 40;
    console::Term::stdout().size_checked().map_or(USUAL, |(_, columns)| usize::from(columns).max(LEAST))
}
