//! `tidewaiter backtest`: the engine on captured records.
//!
//! ```text
//! capture files ─► decode, on all cores ─► put aside by partition ─► merge, correlate ─► judge ─► files, summary
//! ```
//!
//! Two passes, because nothing can be merged before it is known which partitions there are, and any of them may begin at
//! the very end of the input. What is put aside between them is a tenth of the input's size, and lies on disk when it is
//! large; so memory does not grow with the file.

mod files;
mod judge;
mod read;
mod summary;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::book::Book;
use super::{Output, advise, registry};
use crate::cli::{self, Decimals, Format, KeyCase};
use crate::config::daemon::Cache;
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::settings::LendingRules;
use crate::engine::Options;
use crate::event::{self, DecimalForm, Formats, FormatsError};
use crate::io::capture::Captures;
use files::Files;
use summary::Summary;

pub(crate) fn run(args: &cli::Backtest) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let rules = match &args.rules {
        Some(path) => LendingRules::load(path)?,
        None => LendingRules::shipped(),
    };
    let formats = formats(args)?;
    if args.scale.is_some() && args.decimals != Decimals::Precise {
        // nobody may be listening
        writeln!(std::io::stderr(), "note: --scale is for --decimals precise; text and numbers carry their own decimals").ok();
    }
    let book = Book::open(args.profiles.as_deref(), Cache::default(), formats.key_case)?;
    let lending = Arc::new(Lending::new(Decoder::new(&formats)));
    let captures = Captures::open(&args.input).map_err(|error| match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    })?;
    // all that can be wrong with the outputs is found before the work is done
    let outputs = [args.alerts.as_deref(), args.verdicts.as_deref(), args.dead_letters.as_deref()];
    files::check_distinct(outputs, captures.paths().chain(args.profiles.as_deref()).chain(args.rules.as_deref()))?;
    let mut files = Files::create(outputs)?;

    let reading = captures.total_bytes().map_or_else(ProgressBar::no_length, ProgressBar::new);
    let reading = reading.with_style(ProgressStyle::with_template("reading {wide_bar} {bytes} of {total_bytes}, {eta} left")?);
    let spill = read::read_all(captures, &lending, &std::env::temp_dir(), &reading)?;
    reading.finish_and_clear();

    let judging = ProgressBar::new(spill.entries());
    let judging = judging.with_style(ProgressStyle::with_template("judging {wide_bar} {human_pos} of {human_len}, {eta} left")?);
    let options = Options { accept_rebuilt_source: args.accept_rebuilt_source };
    let tally = judge::judge(&lending, options, spill, &book, &rules, &mut files, &judging)?;
    judging.finish_and_clear();
    let stdout_is_taken = files.takes_stdout();
    files.commit()?;

    let summary = Summary::new(&tally, started.elapsed());
    let summary = match args.format {
        Format::Table => summary.table(),
        Format::Json => serde_json::to_string_pretty(&summary)? + "\n",
    };
    if stdout_is_taken {
        // nobody may be listening; the data is where it was asked for
        std::io::stderr().write_all(summary.as_bytes()).ok();
    } else {
        let mut output = Output::stdout();
        output.write_all(summary.as_bytes())?;
        output.finish()?;
    }
    if let Some(bad) = &tally.first_bad {
        // nobody may be listening; the summary counts them
        writeln!(std::io::stderr(), "note: the first message that could not be read: {bad}").ok();
    }
    Ok(ExitCode::SUCCESS)
}

fn formats(args: &cli::Backtest) -> anyhow::Result<Formats> {
    let formats = Formats {
        decimals: match args.decimals {
            Decimals::Precise => DecimalForm::Precise { scale: args.scale },
            Decimals::String => DecimalForm::String,
            Decimals::Number => DecimalForm::Number,
        },
        key_case: match args.key_case {
            KeyCase::Insensitive => event::KeyCase::Insensitive,
            KeyCase::Sensitive => event::KeyCase::Sensitive,
        },
        database: args.database.clone(),
        registry: registry::of_arguments(&args.registry)?,
    };
    // Precise without a scale reads no message: one that carries its schema says its own form and scale.
    formats.validate_schemaless().map_err(|error| match error {
        FormatsError::ScaleMissing => advise(
            anyhow::Error::new(error).context("--decimals precise"),
            "add --scale 2 for decimal(18,2), --scale 4 for money; messages that carry their schema need neither option",
        ),
        _ => error.into(),
    })?;
    Ok(formats)
}
