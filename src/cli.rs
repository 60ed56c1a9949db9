//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::config;

/// Watches a lender's change stream and raises explainable financial-crime alerts.
///
/// Exit codes: 0 all is well, 1 something was found (a check or a comparison failed), 2 an error.
#[derive(Debug, Parser)]
#[command(name = "tidewaiter", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(Run),
    Replay(Replay),
    Backtest(Backtest),
    Check(Check),
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    Health(Health),
    Profiles(Profiles),
}

/// Run the daemon: read the change topics from Kafka, write alerts to Kafka.
#[derive(Debug, Args)]
pub struct Run {
    /// The daemon's configuration; `tidewaiter check --config FILE` says what is wrong with it.
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
}

/// Run SQL scripts on an embedded Sentinel, or on a real one, and show the alerts they cause.
///
/// Scripts are T-SQL as one writes it for sqlcmd, with GO between batches. Their changes travel as Debezium records
/// through the same code that runs in production. Without arguments: the repository's test-events/ on a built-in loan
/// book, and at the end a check of what each script must raise. With --target stack the scripts run on the SQL Server of
/// the daemon's configuration, and the alerts are those that the running daemon writes to its topic.
#[derive(Debug, Args)]
pub struct Replay {
    /// Scripts, or directories whose *.sql files run in the order of their names.
    #[arg(value_name = "SCRIPT_OR_DIR", value_hint = ValueHint::AnyPath)]
    pub scripts: Vec<PathBuf>,

    /// Schema and book, instead of the built-in ones; repeatable, run in the order given.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub setup: Vec<PathBuf>,

    /// The local time that GETDATE() reads when the first script starts [default: now].
    #[arg(long, value_name = "2026-03-15T09:00", value_parser = local_time)]
    pub at: Option<NaiveDateTime>,

    /// The rules [default: those of rules/lending.toml that this program was built with].
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub rules: Option<PathBuf>,

    /// Write the alerts here too, one JSON object a line.
    #[arg(long, value_name = "OUT.jsonl", value_hint = ValueHint::FilePath)]
    pub alerts: Option<PathBuf>,

    /// Sleep on WAITFOR DELAY, instead of moving the replay's clock.
    #[arg(long)]
    pub real_time: bool,

    /// Run again whenever a script, a set-up file or the rules change.
    #[arg(long)]
    pub watch: bool,

    /// Where the scripts run.
    #[arg(long, value_enum, default_value_t = Target::Embedded)]
    pub target: Target,

    #[command(flatten)]
    pub stack: Stack,
}

/// What `--target stack` needs to know.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "With --target stack")]
pub struct Stack {
    /// The daemon's configuration: its SQL Server, its brokers, its alerts topic.
    #[arg(long, value_name = "FILE.toml", required_if_eq("target", "stack"), value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// The login that runs the scripts, as the daemon's own may only read; its password is taken from the environment
    /// variable TIDEWAITER_SQL_PASSWORD [default: the configuration's].
    #[arg(long, value_name = "NAME")]
    pub sql_user: Option<String>,

    /// Run the scripts on databases that are not marked as test ones, too.
    #[arg(long)]
    pub any_database: bool,

    /// How long after the last statement is waited for alerts that must come.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration)]
    pub timeout: Duration,

    /// How long after the last statement is waited for alerts that must not come [default: window.max_silence of the rules,
    /// and 15s].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub settle: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// In this process: SQLite for SQL Server, librdkafka's mock cluster for Kafka.
    Embedded,
    /// On a real SQL Server, through Debezium and Kafka.
    Stack,
}

/// Run the engine over captured records: no broker, no SQL Server, the same alerts.
///
/// Reads what `kcat -C -J` prints, one record a line, plain or as .gz or .zst. The order in which topics and
/// partitions are interleaved in the files does not matter, and memory does not grow with them.
#[derive(Debug, Args)]
pub struct Backtest {
    /// Capture files, glob patterns, or - for standard input; repeatable.
    #[arg(long, value_name = "CAPTURE", required = true, num_args = 1.., value_hint = ValueHint::FilePath)]
    pub input: Vec<String>,

    /// SQLite file with the tables Agreement, PaymentProfile and CustomProfile; without it no expected payment is known.
    #[arg(long, value_name = "FILE.sqlite", value_hint = ValueHint::FilePath)]
    pub profiles: Option<PathBuf>,

    /// The rules [default: those of rules/lending.toml that this program was built with].
    #[arg(long, value_name = "RULES.toml", value_hint = ValueHint::FilePath)]
    pub rules: Option<PathBuf>,

    /// Write the alerts here, one JSON object a line. One of the outputs can be - for standard output; the summary then
    /// goes to standard error.
    #[arg(long, value_name = "OUT.jsonl", value_hint = ValueHint::FilePath)]
    pub alerts: Option<PathBuf>,

    /// Write the outcome of every rule on every case here, fired or not, one JSON object a line.
    #[arg(long, value_name = "OUT.jsonl", value_hint = ValueHint::FilePath)]
    pub verdicts: Option<PathBuf>,

    /// Write the messages that could not be read here, whole and with the reason, one JSON object a line.
    #[arg(long, value_name = "OUT.jsonl", value_hint = ValueHint::FilePath)]
    pub dead_letters: Option<PathBuf>,

    /// The form of amounts in messages that carry no schema; it is never guessed.
    #[arg(long, value_enum, default_value_t = Decimals::String, help_heading = MESSAGES)]
    pub decimals: Decimals,

    /// The decimals of amounts in `precise` form in messages that carry no schema: 2 for decimal(18,2), 4 for money.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=28), help_heading = MESSAGES)]
    pub scale: Option<u32>,

    /// How agreement numbers are compared. SQL Server's default collation is insensitive.
    #[arg(long, value_enum, default_value_t = KeyCase::Insensitive, help_heading = MESSAGES)]
    pub key_case: KeyCase,

    /// Take only topics of this database; needed when the capture holds several.
    #[arg(long, value_name = "NAME", help_heading = MESSAGES)]
    pub database: Option<String>,

    #[command(flatten)]
    pub registry: Registry,

    /// Go on where the capture shows that the database was restored or rebuilt, forgetting all state, instead of
    /// stopping there.
    #[arg(long)]
    pub accept_rebuilt_source: bool,

    /// The form of the summary.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

const MESSAGES: &str = "What the messages do not say";

/// The schema registry of messages in Confluent's Avro form. Basic authentication takes the password from the environment
/// variable `TIDEWAITER_REGISTRY_PASSWORD`.
#[derive(Clone, Debug, Default, Args)]
pub struct Registry {
    /// The schema registry of Avro messages, such as https://registry:8081; repeatable, asked in turn until one answers.
    #[arg(long = "registry", value_name = "URL", value_hint = ValueHint::Url, help_heading = MESSAGES)]
    pub urls: Vec<String>,

    /// The user to sign in to the schema registry with; the password is taken from the environment variable
    /// TIDEWAITER_REGISTRY_PASSWORD.
    #[arg(long = "registry-user", value_name = "NAME", requires = "urls", help_heading = MESSAGES)]
    pub user: Option<String>,

    /// Certificate authorities of the schema registry, in PEM, instead of the public ones.
    #[arg(long = "registry-ca", value_name = "FILE.pem", requires = "urls", value_hint = ValueHint::FilePath, help_heading = MESSAGES)]
    pub ca_file: Option<PathBuf>,
}

/// How Debezium writes decimals (`decimal.handling.mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decimals {
    /// Base64 of the unscaled integer; needs --scale.
    Precise,
    /// Text such as "154.11".
    String,
    /// JSON numbers, read from their text.
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyCase {
    /// frh0000291 is FRH0000291.
    Insensitive,
    /// They are two agreements.
    Sensitive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// Say everything that is wrong with a configuration or rules file, before it is used.
///
/// Findings go to standard output, one a line, as FILE:LINE:COLUMN: message, with a hint below where there is one.
/// Exits with 0 if there are none, with 1 if there are, with 2 if a file cannot be read.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("files").required(true).multiple(true))]
pub struct Check {
    /// Rules file, such as rules/lending.toml; repeatable.
    #[arg(long, value_name = "FILE.toml", group = "files", value_hint = ValueHint::FilePath)]
    pub rules: Vec<PathBuf>,

    /// The daemon's configuration; repeatable.
    #[arg(long, value_name = "FILE.toml", group = "files", value_hint = ValueHint::FilePath)]
    pub config: Vec<PathBuf>,

    /// Look at what the daemon would meet, too: brokers, topics, partition counts, message keys, schema registry.
    #[arg(long, requires = "config")]
    pub connect: bool,
}

/// Look at the messages that could not be used, and make up for them once they can be.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    List(ListLetters),
    Replay(ReplayLetters),
}

/// List the dead letters: where each came from, why, and what can be done.
#[derive(Debug, Args)]
pub struct ListLetters {
    /// The daemon's configuration.
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,

    /// A table for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Show the messages themselves, too, as lines of a capture file; they hold personal data. Needs --format json.
    #[arg(long)]
    pub values: bool,
}

/// Write the alerts that were missed because of dead letters which can be read now.
///
/// To be run after what was wrong was mended: the configuration, the schema registry, or tidewaiter itself. The input topics are
/// read as far as they are retained and judged twice by the engine, by the rules and the loan book as they are now: once
/// without the letters and once with them in their places. The alerts that only the second gives, and that are not on the
/// alerts topic yet, are written to it, with a mark for each letter, in one transaction: however often this is run, each is
/// written once. The daemon need not be stopped.
#[derive(Debug, Args)]
pub struct ReplayLetters {
    /// The daemon's configuration.
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,

    /// Say what would be written, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Ask a running daemon whether it is well, for health checks where there is no curl.
///
/// Shows what it answers. Exits with 0 if it says that it is, with 1 if it says otherwise or does not answer.
#[derive(Debug, Args)]
pub struct Health {
    /// Where to ask: /readyz for whether it does its work, /healthz for whether it runs.
    #[arg(long, default_value = "http://127.0.0.1:9464/readyz", value_hint = ValueHint::Url)]
    pub url: String,
}

/// Work with profile files: the loan book as backtests read it.
#[derive(Debug, Args)]
pub struct Profiles {
    #[command(subcommand)]
    pub command: ProfilesCommand,
}

#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    Export(Export),
}

/// Copy the loan book from its SQL Server to a profile file, for backtests.
///
/// Only the columns that expected payments and alerts need are copied: no names, no accounts. The file is of one moment if the
/// database allows SNAPSHOT isolation (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON); otherwise each table is of its own.
/// It gets its name when it is whole.
#[derive(Debug, Args)]
pub struct Export {
    /// The daemon's configuration, with [expected.sqlserver].
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,

    /// The profile file to make; one that is there is replaced.
    #[arg(long, value_name = "FILE.sqlite", value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    config::duration_of(text).map_err(|problem| problem.message().to_owned())
}

fn local_time(text: &str) -> Result<NaiveDateTime, String> {
    let midnight = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(chrono::NaiveTime::MIN));
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(midnight)
        .ok_or_else(|| "expected a local time such as 2026-03-15T09:00".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_local_time_needs_no_seconds_and_no_time_of_day() {
        let at = |text| local_time(text).map(|time| time.to_string());
        assert_eq!(at("2026-03-15T09:00").as_deref(), Ok("2026-03-15 09:00:00"));
        assert_eq!(at("2026-03-15T09:00:01").as_deref(), Ok("2026-03-15 09:00:01"));
        assert_eq!(at("2026-03-15").as_deref(), Ok("2026-03-15 00:00:00"));
        assert_eq!(at("2026-03-15 09:00").as_deref(), Ok("2026-03-15 09:00:00"));
        for text in ["", "2026-02-30T09:00", "2026-03-15T09:00Z", "2026-03-15T24:00"] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stack_is_found_by_the_daemons_configuration() {
        let replay = |more: &[&str]| Cli::try_parse_from(["tidewaiter", "replay"].iter().chain(more));
        assert!(replay(&["--target", "stack"]).is_err());
        assert!(replay(&["--target", "stack", "--config", "c", "--settle", "2s"]).is_ok());
        assert!(replay(&["--target", "stack", "--config", "c", "--timeout", "2"]).is_err());
    }

    #[test]
    fn check_needs_a_file() {
        assert!(Cli::try_parse_from(["tidewaiter", "check"]).is_err());
        assert!(Cli::try_parse_from(["tidewaiter", "check", "--rules", "a", "--rules", "b", "--config", "c"]).is_ok());
    }
}
