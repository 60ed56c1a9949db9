//! `tidewaiter dead-letters`: what could not be used, and what was missed because of it.

mod list;
mod replay;

use std::process::ExitCode;

use super::advise;
use crate::cli::DeadLetters;
use crate::engine::ports::SourceError;
use crate::io::kafka::letters::Letters;
use crate::io::kafka::{Connection, Probe};

pub(crate) fn run(args: &DeadLetters) -> anyhow::Result<ExitCode> {
    match args {
        DeadLetters::List(args) => list::run(args),
        DeadLetters::Replay(args) => replay::run(args),
    }
}

fn read(connection: &Connection, topic: &str) -> anyhow::Result<Letters> {
    let probe = Probe::new(connection).map_err(told)?;
    let mut letters = Letters::default();
    if probe.partitions(topic).map_err(told)?.is_none() {
        let missing = anyhow::anyhow!("there is no topic {topic}");
        return Err(advise(missing, "the daemon creates it when it starts; check [dead_letters] topic"));
    }
    probe.read(topic, None, |record| letters.take(record)).map_err(told)?;
    Ok(letters)
}

fn told(error: SourceError) -> anyhow::Error {
    match error.hint.clone() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
