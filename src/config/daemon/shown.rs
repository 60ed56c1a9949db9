//! The configuration as it may be shown: secrets by where they are kept, doubtful values not at all.

use serde_json::{Map, Value, json};

use super::{Book, Cache, DaemonConfig, Engine, Expected, Kafka, Login, Property, Source, SqlServer, TlsMode, Trust};
use crate::config::{SchemaRegistry, Secret};
use crate::event::{DecimalForm, KeyCase};

const MASKED: &str = "(not shown)";

/// Properties whose values are words of librdkafka's, never secrets.
const OPEN: [&str; 6] =
    ["security.protocol", "sasl.mechanism", "sasl.mechanisms", "client.id", "compression.type", "sasl.oauthbearer.method"];

impl DaemonConfig {
    /// As JSON, with defaults filled in and without any secret.
    #[must_use]
    pub fn shown(&self) -> Value {
        let Self { source, kafka, alerts_topic, dead_letters_topic, changelog_topic, expected, engine, ops, rules } = self;
        json!({
            "rules": rules,
            "source": shown_source(source),
            "kafka": shown_kafka(kafka),
            "alerts": {"topic": alerts_topic},
            "dead_letters": {"topic": dead_letters_topic},
            "changelog": {"topic": changelog_topic},
            "expected": shown_expected(expected),
            "engine": shown_engine(*engine),
            "merge": {"max_idle": duration(engine.max_idle)},
            "ops": {
                "listen": ops.listen.address().map(|address| address.to_string()),
                "token": ops.token.as_ref().map(shown_secret),
                "stalled_after": duration(ops.stalled_after),
            },
        })
    }
}

fn shown_source(source: &Source) -> Value {
    let (decimals, scale) = match source.formats.decimals {
        DecimalForm::Precise { scale } => ("precise", scale),
        DecimalForm::String => ("string", None),
        DecimalForm::Number => ("number", None),
    };
    json!({
        "topics": source.topics,
        "database": source.formats.database,
        "decimals": decimals,
        "scale": scale,
        "key_case": match source.formats.key_case { KeyCase::Insensitive => "insensitive", KeyCase::Sensitive => "sensitive" },
        "heartbeat_topic": source.heartbeat_topic,
        "start": if source.from_latest { "latest" } else { "earliest" },
        "accept_rebuilt_source": source.accept_rebuilt_source,
        "registry": source.registry.as_ref().map(shown_registry),
    })
}

fn shown_registry(registry: &SchemaRegistry) -> Value {
    json!({
        "urls": registry.urls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "username": registry.user.as_ref().map(|(user, _)| user),
        "password": registry.user.as_ref().map(|(_, password)| shown_secret(password)),
        "ca_file": registry.ca_file,
        "connect_timeout": duration(registry.connect_timeout),
        "timeout": duration(registry.timeout),
    })
}

fn shown_kafka(kafka: &Kafka) -> Value {
    let properties: Map<String, Value> = kafka
        .properties
        .iter()
        .map(|(key, value)| {
            let shown = match value {
                Property::Plain(value) => shown_property(key, value).into(),
                Property::Secret(secret) => shown_secret(secret),
            };
            (key.clone(), shown)
        })
        .collect();
    let instance = kafka.instance_id.as_ref().map(|instance| match instance {
        Property::Plain(name) => name.as_str().into(),
        Property::Secret(secret) => shown_secret(secret),
    });
    json!({
        "bootstrap_servers": kafka.bootstrap_servers,
        "group_id": kafka.group_id,
        "instance_id": instance,
        "create_topics": kafka.create_topics,
        "properties": properties,
    })
}

/// A number may be a password, so the name must be innocent too.
fn shown_property<'a>(key: &str, value: &'a str) -> &'a str {
    let suspicious = ["password", "secret", "token", "key", "pem", "username", "config"].iter().any(|part| key.contains(part));
    let plain = value.parse::<i64>().is_ok() || matches!(value, "true" | "false");
    if OPEN.contains(&key) || (plain && !suspicious) { value } else { MASKED }
}

fn shown_expected(expected: &Expected) -> Value {
    let Cache { found, missing, max_bytes, warm_up } = expected.cache;
    let (profiles, server) = match &expected.book {
        Book::None => (None, None),
        Book::File(file) => (Some(file), None),
        Book::SqlServer(server) => (None, Some(shown_server(server))),
    };
    json!({
        "profiles": profiles,
        "sqlserver": server,
        "cache": {
            "found": duration(found),
            "missing": duration(missing),
            "max_mib": max_bytes / (1024 * 1024),
            "warm_up": warm_up,
        },
    })
}

fn shown_server(server: &SqlServer) -> Value {
    let (user, password, token) = match &server.login {
        Login::Sql { user, password } => (Some(user), Some(shown_secret(password)), None),
        Login::Token(token) => (None, None, Some(shown_secret(token))),
    };
    let (ca_file, anybody) = match &server.tls.trust {
        Trust::Authorities(file) => (file.as_ref(), false),
        Trust::Anybody => (None, true),
    };
    let names = &server.names;
    json!({
        "host": server.host,
        "port": server.port,
        "database": server.database,
        "user": user,
        "password": password,
        "token": token,
        "encrypt": match server.tls.mode { TlsMode::Required => "required", TlsMode::Strict => "strict" },
        "ca_file": ca_file,
        "certificate_name": server.tls.certificate_name,
        "danger_trust_any_certificate": anybody,
        "read_only": server.read_only,
        "connections": server.connections,
        "connect_timeout": duration(server.connect_timeout),
        "query_timeout": duration(server.query_timeout),
        "deadline": duration(server.deadline),
        "batch": server.batch,
        "names": {
            "schema": names.schema,
            "agreement": names.agreement,
            "payment_profile": names.payment_profile,
            "custom_profile": names.custom_profile,
            "columns": names.renamed().collect::<Map<_, _>>(),
        },
    })
}

fn shown_engine(engine: Engine) -> Value {
    json!({
        "batch_records": engine.batch_records,
        "batch_age": duration(engine.batch_age),
        "buffer_mib": engine.buffer_bytes / super::MIB,
    })
}

fn shown_secret(secret: &Secret) -> Value {
    match secret {
        Secret::Env(name) => json!({"env": name}),
        Secret::File(path) => json!({"file": path}),
    }
}

fn duration(duration: std::time::Duration) -> String {
    format!("{duration:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_cannot_be_secrets_are_shown() {
        for (key, value) in [("linger.ms", "5"), ("security.protocol", "sasl_ssl"), ("socket.keepalive.enable", "true")] {
            assert_eq!(shown_property(key, value), value, "{key}");
        }
        for (key, value) in [("sasl.password", "12345"), ("ssl.key.pem", "7"), ("sasl.username", "5"), ("plugin.x", "hunter2")] {
            assert_eq!(shown_property(key, value), MASKED, "{key}");
        }
    }
}
