use std::process::ExitCode;

use clap::Parser;
use tidewaiter::cli::Cli;
use tidewaiter::commands;

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
