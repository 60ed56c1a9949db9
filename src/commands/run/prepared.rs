//! Everything that a start needs, up to the first word with a broker: what `run` starts with and `check --connect` looks at.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::ops;
use super::reload::Reloader;
use crate::commands::book::Book;
use crate::commands::{advise, registry};
use crate::config::{DaemonConfig, SecretError};
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::settings::LendingRules;
use crate::io::kafka::{self, Connection, Membership, Outputs, Start, Subscription};
use crate::ops::Token;

/// A configuration whose files were opened and whose secrets were read.
pub(in crate::commands) struct Prepared {
    pub(in crate::commands) config: DaemonConfig,
    pub(in crate::commands) connection: Connection,
    pub(in crate::commands) lending: Arc<Lending>,
    pub(super) reloader: Arc<Reloader>,
    /// The rules in force.
    pub(in crate::commands) rules: watch::Receiver<Arc<LendingRules>>,
    pub(in crate::commands) book: Book,
    pub(super) token: Option<Token>,
}

impl Prepared {
    pub(in crate::commands) fn load(path: &Path) -> anyhow::Result<Self> {
        let config = DaemonConfig::load(path, &kafka::RESERVED)?;
        let (reloader, rules) = Reloader::load(path, &config)?;
        let mut formats = config.source.formats.clone();
        formats.registry = config.source.registry.as_ref().map(registry::of_daemon).transpose()?;
        let book = Book::of(&config.expected, formats.key_case)?;
        Ok(Self {
            connection: connection(&config.kafka)?,
            lending: Arc::new(Lending::new(Decoder::new(&formats))),
            token: ops::token(&config.ops)?,
            reloader,
            rules,
            book,
            config,
        })
    }

    pub(super) fn subscription(&self) -> Subscription {
        let source = &self.config.source;
        Subscription {
            topics: source.topics.clone(),
            heartbeat_topic: source.heartbeat_topic.clone(),
            start: if source.from_latest { Start::Latest } else { Start::Earliest },
            membership: Membership::Group,
        }
    }

    pub(super) fn outputs(&self) -> Outputs {
        let config = &self.config;
        Outputs {
            alerts: config.alerts_topic.clone(),
            dead_letters: config.dead_letters_topic.clone(),
            changelog: config.changelog_topic.clone(),
            create: config.kafka.create_topics,
        }
    }
}

/// With its secrets read.
fn connection(kafka: &crate::config::daemon::Kafka) -> anyhow::Result<Connection> {
    let unread = |key: String, error: SecretError| {
        let hint = error.hint();
        let error = anyhow::Error::new(error).context(key);
        match hint {
            Some(hint) => advise(error, hint),
            None => error,
        }
    };
    let properties = kafka.resolved().map_err(|(key, error)| unread(format!("kafka.properties.\"{key}\""), error))?;
    let instance_id = kafka.instance().map_err(|error| unread("kafka.instance_id".to_owned(), error))?;
    Ok(Connection {
        bootstrap_servers: kafka.bootstrap_servers.clone(),
        group_id: kafka.group_id.clone(),
        instance_id,
        properties,
    })
}
