//! Where a registry is and how to reach it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ureq::http::Uri;

/// Where the registry is and how to reach it.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Tried in order until one answers.
    pub urls: Vec<RegistryUrl>,
    pub credentials: Option<Credentials>,
    /// Certificate authorities in PEM, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// From the name's resolution to an open connection.
    pub connect_timeout: Duration,
    /// For one request to one URL, from the name's resolution to the last byte.
    pub timeout: Duration,
    /// For so long an id that the registry does not know is not asked for again. A stream of messages from elsewhere costs
    /// a request now and then; a schema that is registered late is found.
    pub missing_for: Duration,
}

impl RegistryConfig {
    /// A registry in the same network connects within milliseconds; a host that drops packets is not waited for.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// A schema is some hundred kilobytes at most.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Without credentials, with public authorities.
    #[must_use]
    pub fn new(urls: Vec<RegistryUrl>) -> Self {
        Self {
            urls,
            credentials: None,
            ca_file: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            timeout: Self::TIMEOUT,
            missing_for: Duration::from_secs(10),
        }
    }
}

/// For basic authentication.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// `https://registry:8081`, with a path if it has one. It holds no credentials, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUrl(String);

/// Why a text is no [`RegistryUrl`]. The text itself may hold a password and is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryUrlError {
    #[error("a schema registry's URL begins with http:// or https://")]
    Scheme,
    #[error("a schema registry's URL holds no credentials")]
    Credentials,
    #[error("a schema registry's URL has neither query nor fragment")]
    Query,
    #[error("not a URL such as https://registry:8081")]
    Malformed,
}

impl FromStr for RegistryUrl {
    type Err = RegistryUrlError;

    fn from_str(text: &str) -> Result<Self, RegistryUrlError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(RegistryUrlError::Scheme)?;
        if rest.contains('@') {
            return Err(RegistryUrlError::Credentials);
        }
        if rest.contains(['?', '#']) {
            return Err(RegistryUrlError::Query);
        }
        let uri: Uri = text.parse().map_err(|_| RegistryUrlError::Malformed)?;
        let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or(RegistryUrlError::Malformed)?;
        // what stands behind the host is a colon and a port
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(RegistryUrlError::Malformed);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RegistryUrl {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Found at start-up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryConfigError {
    #[error("no schema registry URL")]
    NoUrl,
    #[error("cannot read the schema registry's certificate authorities in {}", path.display())]
    CaFile { path: PathBuf, source: std::io::Error },
    #[error("no PEM certificate in {}", path.display())]
    NoCertificate { path: PathBuf },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_nothing_secret() {
        for (text, parsed) in [
            ("http://a", Ok("http://a")),
            ("https://registry.example:8081/", Ok("https://registry.example:8081")),
            ("https://gateway/schemas/", Ok("https://gateway/schemas")),
            ("http://[::1]:8081", Ok("http://[::1]:8081")),
            ("registry:8081", Err(RegistryUrlError::Scheme)),
            ("ftp://registry", Err(RegistryUrlError::Scheme)),
            ("http://user:hunter2@a", Err(RegistryUrlError::Credentials)),
            ("http://a?x", Err(RegistryUrlError::Query)),
            ("http://a#x", Err(RegistryUrlError::Query)),
            ("http://", Err(RegistryUrlError::Malformed)),
            ("http:///schemas", Err(RegistryUrlError::Malformed)),
            ("http://a b", Err(RegistryUrlError::Malformed)),
            ("http://a:port", Err(RegistryUrlError::Malformed)),
        ] {
            let url = text.parse::<RegistryUrl>();
            assert_eq!(url.as_ref().map(AsRef::as_ref), parsed.as_ref().copied(), "{text}");
            assert!(!format!("{url:?}").contains("hunter2"));
        }
    }
}
