//! A client of Confluent's schema registry: schemas by id, each fetched once.
//!
//! A batch command waits for a schema ([`Registry::new`]), and for a registry that is away a while longer
//! ([`Registry::retrying`]). A daemon must not: its decoding answers to rebalances and shutdowns, so there a thread of its
//! own fetches, and whoever asks meanwhile is told to come back ([`Registry::in_background`]).

mod config;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine;
use serde::Deserialize;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

pub use config::{Credentials, RegistryConfig, RegistryConfigError, RegistryUrl, RegistryUrlError};

/// There is no usable answer. Nothing is wrong with the message: it is decoded again later.
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
    /// Nothing is known to be wrong.
    #[error("the schema registry was asked for schema {id}")]
    Pending { id: u32 },
}

impl RegistryError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some("is the URL right, does the registry run, and is its certificate trusted?"),
            Self::Unauthorized { .. } => Some("the user and password must be ones that the registry lets read schemas"),
            Self::Status { status: 404, .. } | Self::Malformed { .. } => {
                Some("the URL must be the registry's own: URL/schemas/ids/1 gives a schema there")
            }
            Self::Status { .. } | Self::Pending { .. } => None,
        }
    }

    /// Whether the same request may well succeed in a moment.
    fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::Unauthorized { .. } | Self::Malformed { .. } | Self::Pending { .. } => false,
        }
    }
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

/// One serves any number of threads.
pub struct Registry {
    client: Arc<Client>,
    manner: Manner,
    missing_for: Duration,
    /// While blocking, held until the schema is there, so that many threads that meet a new id ask for it once.
    known: Mutex<HashMap<u32, Known>>,
    /// The last to wait for it, waited in vain.
    was_away: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Blocking { retries: u32 },
    Background,
}

#[derive(Debug)]
enum Known {
    Schema(Arc<RegisteredSchema>),
    /// The registry knew no such schema then.
    Missing(Instant),
    /// In the background only.
    Asked(JoinHandle<Result<Lookup, RegistryError>>),
}

struct Client {
    agent: ureq::Agent,
    urls: Vec<RegistryUrl>,
    authorization: Option<String>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("urls", &self.client.urls).field("manner", &self.manner).finish_non_exhaustive()
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

/// Before the first retry; each pause after that is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

impl Registry {
    /// Whoever asks for a schema waits until it is fetched, for at most the time-out times the number of URLs.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryConfigError> {
        let client = Arc::new(Client::new(config)?);
        let (manner, missing_for) = (Manner::Blocking { retries: 0 }, config.missing_for);
        Ok(Self { client, manner, missing_for, known: Mutex::default(), was_away: AtomicBool::new(false) })
    }

    /// Asks a registry that is away again, so many times, after pauses that double from a fifth of a second.
    #[must_use]
    pub fn retrying(self, retries: u32) -> Self {
        Self { manner: Manner::Blocking { retries }, ..self }
    }

    /// Nobody waits: a schema that is not there yet is [`RegistryError::Pending`], and fetched on a thread of its own. A
    /// registry that is away is asked again whenever it is asked for.
    #[must_use]
    pub fn in_background(self) -> Self {
        Self { manner: Manner::Background, ..self }
    }

    pub(crate) fn schema(&self, id: u32) -> Result<Lookup, RegistryError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&id) {
            Some(Known::Schema(schema)) => return Ok(Lookup::Found(Arc::clone(schema))),
            Some(Known::Missing(since)) if since.elapsed() < self.missing_for => return Ok(Lookup::NotFound),
            Some(Known::Missing(_)) => drop(known.remove(&id)),
            Some(Known::Asked(_)) | None => {}
        }
        let answer = match self.manner {
            Manner::Blocking { retries } => {
                // it was waited for once; who asks meanwhile need not wait as long again
                let retries = if self.was_away.load(Ordering::Relaxed) { 0 } else { retries };
                let answer = self.client.schema_retrying(id, retries);
                self.was_away.store(answer.is_err(), Ordering::Relaxed);
                answer
            }
            Manner::Background => self.answered(id, &mut known),
        };
        match &answer {
            Ok(Lookup::Found(schema)) => drop(known.insert(id, Known::Schema(Arc::clone(schema)))),
            Ok(Lookup::NotFound) => drop(known.insert(id, Known::Missing(Instant::now()))),
            Err(_) => {}
        }
        answer
    }

    /// What has come of asking so far. Where it came to nothing, the next request is under way when this returns, so that
    /// who asks again finds its outcome.
    fn answered(&self, id: u32, known: &mut HashMap<u32, Known>) -> Result<Lookup, RegistryError> {
        let answer = match known.remove(&id) {
            Some(Known::Asked(asked)) if asked.is_finished() => asked.join().unwrap_or_else(|_| {
                tracing::error!(id, "the thread that fetches a schema panicked");
                Err(RegistryError::Pending { id })
            }),
            Some(asked) => {
                known.insert(id, asked);
                return Err(RegistryError::Pending { id });
            }
            None => Err(RegistryError::Pending { id }),
        };
        if answer.is_err() {
            let client = Arc::clone(&self.client);
            let thread = thread::Builder::new().name("schema-registry".to_owned());
            match thread.spawn(move || client.schema(id)) {
                Ok(asked) => drop(known.insert(id, Known::Asked(asked))),
                Err(error) => tracing::error!(id, %error, "no thread to fetch a schema with; the next to ask tries again"),
            }
        }
        answer
    }
}

impl Client {
    fn new(config: &RegistryConfig) -> Result<Self, RegistryConfigError> {
        if config.urls.is_empty() {
            return Err(RegistryConfigError::NoUrl);
        }
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(config.connect_timeout))
            .timeout_global(Some(config.timeout))
            .http_status_as_error(false);
        let agent = match &config.ca_file {
            Some(path) => agent.tls_config(TlsConfig::builder().root_certs(authorities(path)?).build()),
            None => agent,
        };
        let authorization = config.credentials.as_ref().map(|credentials| {
            let pair = format!("{}:{}", credentials.user, credentials.password);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        Ok(Self { agent: agent.build().new_agent(), urls: config.urls.clone(), authorization })
    }

    fn schema_retrying(&self, id: u32, retries: u32) -> Result<Lookup, RegistryError> {
        let mut pause = PAUSE;
        for _ in 0..retries {
            match self.schema(id) {
                Err(error) if error.passes() => thread::sleep(pause),
                answer => return answer,
            }
            pause = pause.saturating_mul(2);
        }
        self.schema(id)
    }

    fn schema(&self, id: u32) -> Result<Lookup, RegistryError> {
        let Some(answer) = self.get(&format!("/schemas/ids/{id}"))? else { return Ok(Lookup::NotFound) };
        let Some(references) = self.references(answer.references)? else { return Ok(Lookup::NotFound) };
        let kind = answer.kind.unwrap_or_else(|| "AVRO".to_owned());
        Ok(Lookup::Found(Arc::new(RegisteredSchema { kind, text: answer.schema, references })))
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
            match self.get_from(url.as_ref(), path) {
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

fn authorities(path: &Path) -> Result<RootCerts, RegistryConfigError> {
    let pem = std::fs::read(path).map_err(|source| RegistryConfigError::CaFile { path: path.to_owned(), source })?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(RegistryConfigError::NoCertificate { path: path.to_owned() });
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
