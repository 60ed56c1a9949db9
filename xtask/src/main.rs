//! `cargo xtask`: the project's own commands.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what takes more than one process; `cargo bench` measures the rest.
    #[command(subcommand)]
    Bench(commands::Bench),
    /// A real Apache Kafka without Docker: needs Java 17 or later, and, the first time, Maven and the network.
    #[command(subcommand)]
    Kafka(commands::Kafka),
    /// Kill, stop and cut off the daemon on a real Kafka, and compare what it tells with an undisturbed run.
    Faults(commands::Faults),
    /// Run every test: `cargo test`, then the tests against a real Kafka if Java and Maven are there.
    Test(commands::Test),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(command) => commands::bench(&command),
        Command::Kafka(command) => commands::kafka(command),
        Command::Faults(command) => commands::faults(&command),
        Command::Test(command) => commands::test(&command),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let hint = xtask::hint(&error).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            eprintln!("error: {error:#}{hint}");
            ExitCode::from(2)
        }
    }
}
