//! A client of Confluent's schema registry: schemas by id, each fetched once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use serde::Deserialize;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Where the registry is and how to reach it.
#[derive(Clone)]
pub struct RegistryConfig {
    /// Tried in order until one answers: `https://registry:8081`, with a path if it has one, without credentials.
    pub urls: Vec<String>,
    pub credentials: Option<Credentials>,
    /// Certificate authorities in PEM, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// For one request to one URL, from the name's resolution to the last byte.
    pub timeout: Duration,
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

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs are shown once they are known to hold no credentials.
        f.debug_struct("RegistryConfig")
            .field("urls", &self.urls.len())
            .field("credentials", &self.credentials)
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Found at start-up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryConfigError {
    #[error("no schema registry URL")]
    NoUrl,
    #[error("schema registry URL {number} does not begin with http:// or https://")]
    Scheme { number: usize },
    #[error("schema registry URL {number} holds credentials, which belong in the user and password settings")]
    Credentials { number: usize },
    #[error("schema registry URL {number} has a query or a fragment")]
    Query { number: usize },
    #[error("cannot read the schema registry's certificate authorities in {}", path.display())]
    CaFile { path: PathBuf, source: std::io::Error },
    #[error("no PEM certificate in {}", path.display())]
    NoCertificate { path: PathBuf },
}

/// The registry gave no usable answer. Nothing is wrong with the message: it is decoded again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    #[error("schema registry {url} cannot be reached: {detail}")]
    Unreachable { url: String, detail: String },
    #[error("schema registry {url} refuses the credentials (status {status})")]
    Unauthorized { url: String, status: u16 },
    #[error("schema registry {url} answers with status {status}")]
    Status { url: String, status: u16 },
    #[error("schema registry {url} answers with something other than a schema")]
    Malformed { url: String },
}

/// What the registry says of an id. Every error of the registry itself is a [`RegistryError`].
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    Found(Arc<RegisteredSchema>),
    /// The registry answers and knows no such schema.
    NotFound,
}

/// A schema as it was registered.
#[derive(Debug)]
pub(crate) struct RegisteredSchema {
    /// `AVRO`, `JSON`, `PROTOBUF`.
    pub kind: String,
    pub text: String,
    /// The texts of the schemas that it refers to, by name.
    pub references: BTreeMap<String, String>,
}

/// One client serves any number of threads. Its calls block.
pub struct Registry {
    agent: ureq::Agent,
    urls: Vec<String>,
    authorization: Option<String>,
    /// Held while a schema is fetched, so that many threads that meet a new id ask for it once.
    known: Mutex<HashMap<u32, Arc<RegisteredSchema>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// The registry's answer, of an id or of a version.
#[derive(Deserialize)]
struct Answer {
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: u64,
}

/// The registry's own code for a 404 that is about the schema; a proxy's 404 has none of them.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
}

/// Subject, version and schema not found.
const NOT_FOUND: [u32; 3] = [40_401, 40_402, 40_403];
/// References of one schema, all levels together; a registry allows no cycles, a broken one might.
const MAX_REFERENCES: usize = 64;

impl Registry {
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryConfigError> {
        if config.urls.is_empty() {
            return Err(RegistryConfigError::NoUrl);
        }
        let mut urls = Vec::with_capacity(config.urls.len());
        for (url, number) in config.urls.iter().zip(1..) {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let rest = rest.ok_or(RegistryConfigError::Scheme { number })?;
            if rest.contains('@') {
                return Err(RegistryConfigError::Credentials { number });
            }
            if rest.contains(['?', '#']) {
                return Err(RegistryConfigError::Query { number });
            }
            urls.push(url.trim_end_matches('/').to_owned());
        }
        let mut agent = ureq::Agent::config_builder().timeout_global(Some(config.timeout)).http_status_as_error(false);
        if let Some(path) = &config.ca_file {
            agent = agent.tls_config(TlsConfig::builder().root_certs(authorities(path)?).build());
        }
        let authorization = config.credentials.as_ref().map(|credentials| {
            let pair = format!("{}:{}", credentials.user, credentials.password);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        Ok(Self { agent: agent.build().new_agent(), urls, authorization, known: Mutex::default() })
    }

    /// Blocks for at most the time-out times the number of URLs, for each schema that must be fetched. An id that the
    /// registry does not know is asked for again each time: it may be registered later.
    pub(crate) fn schema(&self, id: u32) -> Result<Lookup, RegistryError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&id) {
            return Ok(Lookup::Found(Arc::clone(schema)));
        }
        let Some(answer) = self.get(&format!("/schemas/ids/{id}"))? else { return Ok(Lookup::NotFound) };
        let Some(references) = self.references(answer.references)? else { return Ok(Lookup::NotFound) };
        let kind = answer.kind.unwrap_or_else(|| "AVRO".to_owned());
        let schema = Arc::new(RegisteredSchema { kind, text: answer.schema, references });
        known.insert(id, Arc::clone(&schema));
        Ok(Lookup::Found(schema))
    }

    /// All that is referred to, also from other references; `None` if one of them is not there.
    fn references(&self, mut open: Vec<Reference>) -> Result<Option<BTreeMap<String, String>>, RegistryError> {
        let mut texts = BTreeMap::new();
        while let Some(reference) = open.pop() {
            if texts.contains_key(&reference.name) {
                continue;
            }
            if texts.len() == MAX_REFERENCES {
                return Ok(None);
            }
            let path = format!("/subjects/{}/versions/{}", percent_encoded(&reference.subject), reference.version);
            let Some(answer) = self.get(&path)? else { return Ok(None) };
            open.extend(answer.references);
            texts.insert(reference.name, answer.schema);
        }
        Ok(Some(texts))
    }

    /// Asks one URL after the other until one answers; `None` if the answer is that there is no such thing. The error is
    /// the last URL's.
    fn get(&self, path: &str) -> Result<Option<Answer>, RegistryError> {
        let mut last = None;
        for url in &self.urls {
            match self.get_from(url, path) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("a registry is made with at least one URL"))
    }

    fn get_from(&self, url: &str, path: &str) -> Result<Option<Answer>, RegistryError> {
        let unreachable = |error: ureq::Error| RegistryError::Unreachable { url: url.to_owned(), detail: error.to_string() };
        let mut request = self.agent.get(format!("{url}{path}")).header("accept", "application/vnd.schemaregistry.v1+json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.call().map_err(unreachable)?;
        let status = response.status().as_u16();
        // Read whole in any case: a connection that was read to its end is used again.
        let body = response.body_mut().read_to_string().map_err(unreachable)?;
        let url = url.to_owned();
        match status {
            200 => serde_json::from_str(&body).map(Some).map_err(|_| RegistryError::Malformed { url }),
            404 if serde_json::from_str(&body).is_ok_and(|refusal: Refusal| NOT_FOUND.contains(&refusal.error_code)) => Ok(None),
            401 | 403 => Err(RegistryError::Unauthorized { url, status }),
            _ => Err(RegistryError::Status { url, status }),
        }
    }
}

fn authorities(path: &PathBuf) -> Result<RootCerts, RegistryConfigError> {
    let pem = std::fs::read(path).map_err(|source| RegistryConfigError::CaFile { path: path.clone(), source })?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(RegistryConfigError::NoCertificate { path: path.clone() });
    }
    Ok(RootCerts::from(certificates))
}

/// For a segment of a path: all but RFC 3986's unreserved characters.
fn percent_encoded(segment: &str) -> String {
    use fmt::Write;
    segment.bytes().fold(String::with_capacity(segment.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String does not fail");
        }
        encoded
    })
}
