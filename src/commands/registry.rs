//! The schema registry of the commands that read messages.

use std::sync::Arc;

use super::advise;
use crate::cli;
use crate::config::{SchemaRegistry, Secret};
use crate::event::{Registry, RegistryUrl, RegistryUrlError};

/// Holds the password; a command line is for everybody on the machine to read.
const PASSWORD: &str = "TIDEWAITER_REGISTRY_PASSWORD";

/// With pauses that double from a fifth of a second, these make six seconds: enough for a registry that starts anew, and
/// soon enough to be told of a wrong address.
const RETRIES: u32 = 5;

/// For a command that reads files and can wait for a schema.
pub(super) fn of_arguments(args: &cli::Registry) -> anyhow::Result<Option<Arc<Registry>>> {
    if args.urls.is_empty() {
        return Ok(None);
    }
    let urls = args.urls.iter().map(|url| parsed(url)).collect::<anyhow::Result<_>>()?;
    let config = SchemaRegistry {
        user: args.user.clone().map(|user| (user, Secret::Env(PASSWORD.to_owned()))),
        ca_file: args.ca_file.clone(),
        ..SchemaRegistry::at(urls)
    };
    Ok(Some(Arc::new(open(&config)?.retrying(RETRIES))))
}

/// The text is not quoted: it may hold a password.
fn parsed(url: &str) -> anyhow::Result<RegistryUrl> {
    url.parse().map_err(|error: RegistryUrlError| {
        let told = anyhow::Error::new(error).context("--registry");
        match error {
            RegistryUrlError::Credentials => {
                advise(told, format!("give --registry-user NAME, and the password in the environment variable {PASSWORD}"))
            }
            _ => told,
        }
    })
}

/// For the daemon, whose decoding must not wait.
pub(super) fn of_daemon(config: &SchemaRegistry) -> anyhow::Result<Arc<Registry>> {
    Ok(Arc::new(open(config)?.in_background()))
}

/// For a command that has the daemon's configuration and can wait for a schema.
pub(super) fn of_command(config: &SchemaRegistry) -> anyhow::Result<Arc<Registry>> {
    Ok(Arc::new(open(config)?.retrying(RETRIES)))
}

/// Whether it can be asked at all; that it knows no schema of this number is an answer.
pub(super) fn answers(config: &SchemaRegistry) -> anyhow::Result<()> {
    open(config)?.schema(1)?;
    Ok(())
}

fn open(config: &SchemaRegistry) -> anyhow::Result<Registry> {
    let config = config.with_password().map_err(|error| match error.hint() {
        Some(hint) => advise(anyhow::Error::new(error).context("the schema registry's password"), hint),
        None => anyhow::Error::new(error).context("the schema registry's password"),
    })?;
    Ok(Registry::new(&config)?)
}
