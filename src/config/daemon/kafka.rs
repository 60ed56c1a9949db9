//! `[kafka]`: how brokers are reached, and as whom.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::config::secret::secret_value;
use crate::config::{Problem, Secret, SecretError, Section, Value, boolean, integer, text};

#[derive(Clone)]
pub struct Kafka {
    pub bootstrap_servers: String,
    pub group_id: String,
    /// Not a secret, but like one it may be kept elsewhere: members that share a file each have their own.
    pub instance_id: Option<Property>,
    /// Whether output topics that are missing may be created.
    pub create_topics: bool,
    pub properties: BTreeMap<String, Property>,
}

/// The value of one of librdkafka's properties.
#[derive(Clone, PartialEq, Eq)]
pub enum Property {
    Plain(String),
    Secret(Secret),
}

/// Properties that are secrets: they do not stand in the file itself.
const SECRETS: [&str; 6] = [
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
];

impl Kafka {
    /// This member's name, read at start-up.
    pub fn instance(&self) -> Result<Option<String>, SecretError> {
        self.instance_id.as_ref().map(Property::read).transpose()
    }

    /// The properties with their secrets read, at start-up; or the first that has none, and why.
    pub fn resolved(&self) -> Result<BTreeMap<String, String>, (String, SecretError)> {
        let value =
            |(key, property): (&String, &Property)| Ok((key.clone(), property.read().map_err(|error| (key.clone(), error))?));
        self.properties.iter().map(value).collect()
    }
}

impl Property {
    fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Plain(value) => Ok(value.clone()),
            Self::Secret(secret) => secret.read(),
        }
    }
}

pub(super) fn kafka(section: &mut Section<'_>, reserved: &[(&str, &str)], folder: &Path) -> Kafka {
    Kafka {
        bootstrap_servers: section.required("bootstrap_servers", text).unwrap_or_default(),
        group_id: section.optional("group_id", text).unwrap_or_else(|| "tidewaiter".to_owned()),
        instance_id: section.optional("instance_id", |value| name(value, folder)),
        create_topics: section.optional("create_topics", boolean).unwrap_or(true),
        properties: section.table("properties", |properties| {
            let key = |key: &str| match reserved.iter().find(|(name, _)| *name == key) {
                Some((_, instead)) => Err(Problem::new(format!("{key} is not for a configuration to set")).hint(*instead)),
                None => Ok(key.to_owned()),
            };
            // whether it had to be a secret shows only together with its key
            let entries = properties.entries(key, |value| property(value, folder));
            for (key, value) in &entries {
                if SECRETS.contains(&key.value.as_str()) && matches!(value, Property::Plain(_)) {
                    let problem = Problem::new(format!("{} is a secret and does not stand in the file itself", key.value));
                    properties.problem_at(key.offset, problem.hint("write { env = \"NAME\" } or { file = \"PATH\" }"));
                }
            }
            entries.into_iter().map(|(key, value)| (key.value, value)).collect()
        }),
    }
}

/// Text, or where it is to be found.
fn name(value: Value<'_>, folder: &Path) -> Result<Property, Problem> {
    if value.is_table() { secret_value(value, folder).map(Property::Secret) } else { text(value).map(Property::Plain) }
}

/// librdkafka takes text; numbers and booleans may stand without quotes.
fn property(value: Value<'_>, folder: &Path) -> Result<Property, Problem> {
    let plain = text(value)
        .or_else(|problem| integer(value).map(|number| number.to_string()).map_err(|_| problem))
        .or_else(|problem| boolean(value).map(|boolean| boolean.to_string()).map_err(|_| problem));
    if value.is_table() { secret_value(value, folder).map(Property::Secret) } else { plain.map(Property::Plain) }
}

impl fmt::Debug for Kafka {
    /// Without the values of properties: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("group_id", &self.group_id)
            .field("instance_id", &self.instance_id)
            .field("create_topics", &self.create_topics)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain"),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read(properties: &str) -> Result<Kafka, String> {
        let toml = format!("bootstrap_servers = \"b:1\"\n[properties]\n{properties}\n");
        parse("t.toml", &toml, |root| kafka(root, &[], Path::new("/etc"))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_property_may_be_text_a_number_a_boolean_or_a_secret_kept_elsewhere() {
        let kafka = read("\"linger.ms\" = 5\n\"sasl.password\" = { env = \"PATH\" }\n\"x\" = { file = \"secret\" }").unwrap();
        assert!(kafka.properties["linger.ms"] == Property::Plain("5".to_owned()));
        assert!(kafka.properties["x"] == Property::Secret(Secret::File("/etc/secret".into())));
        let (key, error) = kafka.resolved().unwrap_err();
        assert!(key == "x" && error.to_string().contains("/etc/secret"), "{error}");
        let resolved = read("\"sasl.password\" = { env = \"PATH\" }").unwrap().resolved().unwrap();
        assert_eq!(Some(resolved["sasl.password"].as_str()), std::env::var("PATH").ok().as_deref());
    }

    #[test]
    fn a_members_name_may_stand_in_the_file_or_in_the_environment() {
        let named = |instance: &str| {
            let toml = format!("bootstrap_servers = \"b:1\"\n{instance}");
            let kafka =
                parse("t.toml", &toml, |root| kafka(root, &[], Path::new("/etc"))).map_err(|errors| errors.to_string())?;
            kafka.instance().map_err(|error| error.to_string())
        };
        assert_eq!(named(""), Ok(None));
        assert_eq!(named("instance_id = \"a\""), Ok(Some("a".to_owned())));
        assert_eq!(named("instance_id = { env = \"PATH\" }"), Ok(std::env::var("PATH").ok()));
        let unset = named("instance_id = { env = \"TIDEWAITER_TEST_NOWHERE\" }").unwrap_err();
        assert_eq!(unset, "the environment variable TIDEWAITER_TEST_NOWHERE is not set");
        assert!(named("instance_id = { envv = \"A\" }").unwrap_err().contains("either env or file"));
        assert!(named("instance_id = 1").unwrap_err().contains("instance_id"));
    }

    #[test]
    fn a_secret_in_the_file_itself_is_refused_and_not_quoted() {
        let errors = read("\"sasl.password\" = \"hunter2\"").unwrap_err();
        assert!(errors.contains("t.toml:3:") && errors.contains("env = ") && !errors.contains("hunter2"), "{errors}");
        for wrong in ["{}", "{ env = \"A\", file = \"b\" }", "{ envv = \"A\" }", "[1]"] {
            assert!(read(&format!("\"x\" = {wrong}")).is_err(), "{wrong}");
        }
    }
}
