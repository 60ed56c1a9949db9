use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use tidewaiter::cli::Cli;
use tidewaiter::commands;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
