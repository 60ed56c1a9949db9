//! `tidewaiter profiles export`: the loan book as a profile file.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::book::server_book;
use super::{Output, advise};
use crate::cli::{self, Export, ProfilesCommand};
use crate::config::DaemonConfig;
use crate::config::daemon::Book;
use crate::domains::lending::profiles::{ProfileWriter, WriteError};
use crate::domains::lending::sqlserver::ExportError;
use crate::io::kafka::RESERVED;

pub(crate) fn run(args: &cli::Profiles) -> anyhow::Result<ExitCode> {
    match &args.command {
        ProfilesCommand::Export(args) => export(args),
    }
}

fn export(args: &Export) -> anyhow::Result<ExitCode> {
    let config = DaemonConfig::load(&args.config, &RESERVED)?;
    let Book::SqlServer(server) = &config.expected.book else {
        let error = anyhow::anyhow!("{} has no [expected.sqlserver]", args.config.display());
        return Err(advise(error, "that is where the loan book is copied from"));
    };
    let book = server_book(server, config.source.formats.key_case)?;
    // all that can be wrong with the output is found before the server is asked
    let mut writer = ProfileWriter::create(&args.out).map_err(unwritten)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let bar = ProgressBar::new(0);
    let bar = bar.with_style(ProgressStyle::with_template("copying {wide_bar} {human_pos} of {human_len} rows, {eta} left")?);
    let exported = runtime.block_on(book.export(&mut writer, |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.rows);
    }));
    bar.finish_and_clear();
    let exported = exported.map_err(|error| match error {
        ExportError::Write(error) => unwritten(error),
        ExportError::Book(error) => match error.hint() {
            Some(hint) => advise(error, hint),
            None => error.into(),
        },
    })?;
    writer.finish().map_err(unwritten)?;
    let mut output = Output::stdout();
    let moment = if exported.is_snapshot { "of one moment" } else { "each table of its own moment" };
    writeln!(output, "{}: {} rows, {moment}", args.out.display(), exported.rows)?;
    output.finish()?;
    if !exported.is_snapshot {
        // nobody may be listening; the summary says it too
        let hint = "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON makes the copy one of a moment";
        writeln!(std::io::stderr(), "note: the database allows no SNAPSHOT isolation\n  hint: {hint}").ok();
    }
    Ok(ExitCode::SUCCESS)
}

fn unwritten(error: WriteError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
