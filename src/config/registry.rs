//! `[source.registry]`: the schema registry of messages in Confluent's Avro form.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::secret::secret;
use super::{Problem, Secret, SecretError, Section, Value, duration, text};
use crate::event::{Credentials, RegistryConfig, RegistryUrl, RegistryUrlError};

/// A registry as it is configured; the password stays where it is until it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRegistry {
    /// Never empty in a valid configuration.
    pub urls: Vec<RegistryUrl>,
    /// For basic authentication.
    pub user: Option<(String, Secret)>,
    pub ca_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

impl SchemaRegistry {
    /// Without a user, with public authorities.
    #[must_use]
    pub fn at(urls: Vec<RegistryUrl>) -> Self {
        let RegistryConfig { urls, connect_timeout, timeout, .. } = RegistryConfig::new(urls);
        Self { urls, user: None, ca_file: None, connect_timeout, timeout }
    }

    /// With the password read.
    pub fn with_password(&self) -> Result<RegistryConfig, SecretError> {
        let credentials = match &self.user {
            Some((user, password)) => Some(Credentials { user: user.clone(), password: password.read()? }),
            None => None,
        };
        Ok(RegistryConfig {
            credentials,
            ca_file: self.ca_file.clone(),
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            ..RegistryConfig::new(self.urls.clone())
        })
    }
}

/// The section, where there is one.
pub(super) fn schema_registry(source: &mut Section<'_>, folder: &Path) -> Option<SchemaRegistry> {
    let given = source.has("registry");
    source.table("registry", |section| given.then(|| registry(section, folder)))
}

fn registry(section: &mut Section<'_>, folder: &Path) -> SchemaRegistry {
    let urls = match (section.has("url"), section.has("urls")) {
        (true, true) => {
            section.problem(Problem::new(format!("`{}` has both url and urls", section.path())).hint("keep one of them"));
            Vec::new()
        }
        (false, true) => {
            if section.is_empty_list("urls") {
                section.problem_with("urls", Problem::new(format!("`{}` is empty", section.name("urls"))));
            }
            section.list("urls", url).into_iter().flatten().map(|url| url.value).collect()
        }
        _ => section.required("url", url).into_iter().collect(),
    };
    let username = section.optional("username", username);
    let password = secret(section, "password", folder);
    if section.has("username") != section.has("password") {
        let problem = Problem::new(format!("`{}` has only one of username and password", section.path()));
        section.problem(problem.hint("basic authentication needs both"));
    }
    let default = SchemaRegistry::at(urls);
    SchemaRegistry {
        user: username.zip(password),
        ca_file: section.optional("ca_file", text).map(|file| folder.join(file)),
        connect_timeout: section.optional("connect_timeout", timeout).unwrap_or(default.connect_timeout),
        timeout: section.optional("timeout", timeout).unwrap_or(default.timeout),
        ..default
    }
}

/// The text is not quoted: it may hold a password.
fn url(value: Value<'_>) -> Result<RegistryUrl, Problem> {
    text(value)?.parse().map_err(|error: RegistryUrlError| {
        let problem = Problem::new(error.to_string());
        match error {
            RegistryUrlError::Credentials => problem.hint("set username and password instead"),
            _ => problem,
        }
    })
}

fn username(value: Value<'_>) -> Result<String, Problem> {
    let name = text(value)?;
    if name.contains(':') { Err(Problem::new("the name of a user holds no colon in basic authentication")) } else { Ok(name) }
}

fn timeout(value: Value<'_>) -> Result<Duration, Problem> {
    let timeout = duration(value)?;
    if timeout.is_zero() {
        Err(Problem::new("nothing answers within no time").hint("leave it out for the default"))
    } else {
        Ok(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(toml: &str) -> Result<Option<SchemaRegistry>, String> {
        parse("t.toml", toml, |root| schema_registry(root, Path::new("/etc"))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn without_the_section_there_is_no_registry() {
        assert_eq!(read(""), Ok(None));
        assert!(read("[registry]").unwrap_err().contains("missing key `registry.url`"));
    }

    #[test]
    fn a_url_is_enough_and_every_key_is_read() {
        let smallest = read("[registry]\nurl = \"http://a:8081/\"").unwrap().unwrap();
        let url = |text: &str| text.parse::<RegistryUrl>().unwrap();
        let (connect_timeout, timeout) = (Duration::from_secs(5), Duration::from_secs(10));
        let expected = SchemaRegistry { urls: vec![url("http://a:8081")], user: None, ca_file: None, connect_timeout, timeout };
        assert_eq!(smallest, expected);
        let full = read(
            "[registry]\nurls = [\"https://a\", \"https://b\"]\nusername = \"tide\"\npassword = { env = \"P\" }\n\
             ca_file = \"ca.pem\"\nconnect_timeout = \"1s\"\ntimeout = \"1500ms\"",
        );
        let expected = SchemaRegistry {
            urls: vec![url("https://a"), url("https://b")],
            user: Some(("tide".to_owned(), Secret::Env("P".to_owned()))),
            ca_file: Some("/etc/ca.pem".into()),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_millis(1500),
        };
        assert_eq!(full, Ok(Some(expected)));
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_no_secret_is_quoted() {
        let errors = read(
            "[registry]\nurl = \"https://tide:hunter2@a\"\nusername = \"a:b\"\npassword = \"hunter2\"\ntimeout = \"0s\"\ncafile = \"x\"",
        )
        .unwrap_err();
        for part in ["t.toml:2:7", "holds no credentials", "no colon", "does not stand in the file", "no time", "`ca_file`"] {
            assert!(errors.contains(part), "{part} in {errors}");
        }
        assert!(!errors.contains("hunter2"), "{errors}");
        for (toml, part) in [
            ("url = \"http://a\"\nurls = [\"http://b\"]", "both url and urls"),
            ("urls = []", "`registry.urls` is empty"),
            ("url = \"a:8081\"", "begins with http:// or https://"),
            ("url = \"http://a\"\nusername = \"x\"", "only one of username and password"),
            ("url = \"http://a\"\npassword = { env = \"P\" }", "only one of username and password"),
        ] {
            let errors = read(&format!("[registry]\n{toml}")).unwrap_err();
            assert!(errors.contains(part), "{part} in {errors}");
        }
    }
}
