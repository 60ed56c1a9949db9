//! A SQL Server as far as our driver and our T-SQL can tell: one that can be told to misbehave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use tidewaiter::io::sentinel::{CapturedTransaction, Observer, ReplayClock, ResultSet, ScriptError, Sentinel};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_native_tls::TlsAcceptor;

use crate::tds::{self, BATCH, CALL, HEADER, LOGIN, PRELOGIN};
use crate::tls;

pub(crate) const USER: &str = "tidewaiter";
pub(crate) const PASSWORD: &str = "tide & time";

/// Runs on a thread of its own until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The authority that its certificate comes from, in PEM.
    pub(crate) authority: String,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    sentinel: Mutex<Sentinel>,
    behaviour: Mutex<Behaviour>,
    /// What was asked, login by login and statement by statement.
    seen: Mutex<Vec<Seen>>,
    /// What its statements committed since somebody looked.
    commits: Mutex<Vec<CapturedTransaction>>,
    /// When each commit was, by its position.
    times: Mutex<BTreeMap<String, i64>>,
    /// Where logins begin.
    database: String,
    tls: TlsAcceptor,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Login {
        encrypted: bool,
    },
    Settings,
    Shape,
    /// With the number of parameters.
    Expected(usize),
    Other(String),
}

/// What it does other than it should.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    /// Answers the next so many statements with this error, and its class.
    pub(crate) errors: Vec<(u32, u8)>,
    /// Answers logins with this error.
    pub(crate) login_error: Option<u32>,
    /// Sends who logs in elsewhere.
    pub(crate) route: Option<(String, u16)>,
    pub(crate) refuses_to_encrypt: bool,
    /// Its databases are marked as ones for tests.
    pub(crate) is_for_tests: bool,
    /// Waits before each answer.
    pub(crate) delay: Duration,
    /// What sys.databases says instead of 160.
    pub(crate) compatibility_level: Option<u16>,
    /// Closes the connection after so many bytes of the next answer to a statement.
    pub(crate) cut_after: Option<usize>,
    /// The same of the next copy of the whole book.
    pub(crate) cut_export_after: Option<usize>,
}

/// A certificate for `localhost`, and its authority.
struct Identity {
    authority: String,
    identity: native_tls::Identity,
}

fn identity() -> Identity {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // of the same name as the leaf, the leaf would seem to have signed itself
    authority.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let identity = native_tls::Identity::from_pkcs8(leaf.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    Identity { authority: authority_pem, identity }
}

impl Server {
    /// With these statements run on an empty database `Book`.
    pub(crate) fn start(setup: &str) -> Self {
        Self::of("Book", &["CREATE DATABASE Book;", "USE Book;", setup].join("\nGO\n"))
    }

    /// With whatever these statements make.
    pub(crate) fn of(database: &str, setup: &str) -> Self {
        let Identity { authority, identity } = identity();
        // as SQL Server has it within TDS: later versions go on shaking hands when they are done
        let tls = native_tls::TlsAcceptor::builder(identity).max_protocol_version(Some(native_tls::Protocol::Tlsv12)).build();
        let tls = tls.unwrap().into();
        let now = NaiveDate::from_ymd_opt(2026, 3, 15).unwrap().and_hms_opt(9, 0, 0).unwrap();
        let mut sentinel = Sentinel::new(ReplayClock::new(now)).unwrap();
        run(&mut sentinel, setup).unwrap();
        sentinel.start_in(Some(database));
        let shared = Arc::new(Shared {
            sentinel: Mutex::new(sentinel),
            behaviour: Mutex::default(),
            seen: Mutex::default(),
            commits: Mutex::default(),
            times: Mutex::default(),
            database: database.to_owned(),
            tls,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move {
                    // whoever leaves early is no concern of the server's
                    let _ended = shared.serve(stream).await;
                });
            }
        });
        Self { address, authority, shared, runtime: Some(runtime) }
    }

    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// Runs statements as somebody else does.
    pub(crate) fn run(&self, sql: &str) {
        let heard = run(&mut self.shared.sentinel.lock().unwrap(), sql).unwrap();
        self.shared.remember(heard);
    }

    /// What was committed since it was last asked.
    pub(crate) fn take_commits(&self) -> Vec<CapturedTransaction> {
        std::mem::take(&mut *self.shared.commits.lock().unwrap())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.seen().iter().filter(|seen| matches!(seen, Seen::Login { .. })).count()
    }

    pub(crate) fn lookups(&self) -> usize {
        self.seen().iter().filter(|seen| matches!(seen, Seen::Expected(_))).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Shared {
    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap().clone()
    }

    fn saw(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (kind, _) = message(&mut stream).await?;
        assert_eq!(kind, PRELOGIN);
        let encrypts = !self.behaviour().refuses_to_encrypt;
        stream.write_all(&tds::prelogin(encrypts)).await?;
        if !encrypts {
            return self.session(stream, false).await;
        }
        self.session(tls::accept(&self.tls, stream).await?, true).await
    }

    async fn session(&self, mut stream: impl Stream, encrypted: bool) -> std::io::Result<()> {
        let (kind, login) = message(&mut stream).await?;
        assert_eq!(kind, LOGIN);
        self.saw(Seen::Login { encrypted });
        let Behaviour { login_error, route, .. } = self.behaviour();
        if let Some((host, port)) = route {
            return send(&mut stream, &tds::route(&host, port)).await;
        }
        let known = tds::credentials(&login) == (USER.to_owned(), PASSWORD.to_owned());
        if let Some(number) = login_error.or((!known).then_some(18456)) {
            let message = format!("Login failed for user '{}'.", tds::credentials(&login).0);
            return send(&mut stream, &tds::error(number, 14, &message)).await;
        }
        send(&mut stream, &tds::welcome()).await?;
        // the connection's, as USE changes it
        let mut database = self.database.clone();
        loop {
            let (kind, body) = message(&mut stream).await?;
            let call = match kind {
                BATCH => tds::batch(&body),
                CALL => tds::call(&body),
                other => panic!("a message of type {other:#x}"),
            };
            self.saw(seen(&call));
            let Behaviour { delay, compatibility_level, .. } = self.behaviour();
            tokio::time::sleep(delay).await;
            let is_settings = is_settings(&call.statement);
            let planned = if is_settings { None } else { self.behaviour.lock().unwrap().errors.pop() };
            let answer = match planned {
                Some((number, class)) => tds::error(number, class, "row value FRH0000291"),
                None if is_settings => {
                    let mut answer = Vec::new();
                    tds::done(0, &mut answer);
                    answer
                }
                // which takes long: others can log in meanwhile
                None => tokio::task::block_in_place(|| self.answer(&call, &mut database, compatibility_level)),
            };
            let is_copy = call.statement.contains("SELECT 1 AS done");
            let cut = match &mut *self.behaviour.lock().unwrap() {
                _ if is_settings => None,
                behaviour if is_copy => behaviour.cut_export_after.take(),
                behaviour => behaviour.cut_after.take(),
            };
            match cut {
                Some(bytes) => {
                    let packets = tds::packets(&answer);
                    stream.write_all(&packets[..bytes.min(packets.len() - 1)]).await?;
                    return stream.shutdown().await;
                }
                None => send(&mut stream, &answer).await?,
            }
        }
    }

    fn answer(&self, call: &tds::Call, database: &mut String, compatibility_level: Option<u16>) -> Vec<u8> {
        if let Some(text) = self.known(&call.statement) {
            let text = text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
            let statement = format!("SELECT CAST({text} AS varchar(23));");
            return self.answer(&tds::Call { statement, parameters: Vec::new() }, database, compatibility_level);
        }
        let mut sql = String::new();
        for (name, value) in &call.parameters {
            let value = value.as_ref().map_or("NULL".to_owned(), |value| format!("N'{}'", value.replace('\'', "''")));
            writeln!(sql, "DECLARE {name} nvarchar(max) = {value};").unwrap();
        }
        sql.push_str(&call.statement);
        for (asked, told) in NOT_KNOWN {
            sql = sql.replace(asked, told);
        }
        if let Some(level) = compatibility_level {
            sql = sql.replace("CAST(d.compatibility_level AS int)", &level.to_string());
            assert!(level >= 130 || !sql.contains("OPENJSON"), "an old server knows no OPENJSON");
        }
        let mut answer = Vec::new();
        let used = sql.lines().filter_map(|line| line.trim().strip_prefix("USE ")).next_back();
        if let Some(used) = used {
            used.trim_end_matches(';').clone_into(database);
            tds::database_changed(database, &mut answer);
        }
        let mut sentinel = self.sentinel.lock().unwrap();
        sentinel.start_in(Some(database));
        let heard = heard(&mut sentinel, &sql);
        drop(sentinel);
        for told in &heard.told {
            match told {
                Told::Printed(text) => tds::printed(text, &mut answer),
                Told::Rows(set) => tds::result(set, true, &mut answer),
                Told::Failed(error) => {
                    let number = error.number.and_then(|number| u32::try_from(number).ok()).unwrap_or(102);
                    tds::failure(number, 16, &error.message, error.line, &mut answer);
                }
            }
        }
        tds::done(0, &mut answer);
        self.remember(heard);
        answer
    }

    /// Answers what the embedded Sentinel does not know.
    fn known(&self, statement: &str) -> Option<Option<String>> {
        if statement.starts_with("/* tidewaiter: test database */") {
            return Some(Some(u8::from(self.behaviour().is_for_tests).to_string()));
        }
        let lsn = statement.strip_prefix("/* tidewaiter: commit */")?.split("0x").nth(1)?.split(')').next()?;
        let lsn = format!("{}:{}:{}", &lsn[..8], &lsn[8..16], &lsn[16..]);
        let time = self.times.lock().unwrap().get(&lsn).copied().and_then(DateTime::from_timestamp_millis);
        Some(time.map(|time| time.format("%Y-%m-%d %H:%M:%S%.3f").to_string()))
    }

    fn remember(&self, heard: Heard) {
        let times = heard.commits.iter().map(|commit| (commit.commit_lsn.clone(), commit.commit_time_ms));
        self.times.lock().unwrap().extend(times);
        self.commits.lock().unwrap().extend(heard.commits);
    }
}

/// What the embedded Sentinel's system views do not tell, with what SQL Server says of our tables.
const NOT_KNOWN: [(&str, &str); 2] =
    [("TYPE_NAME(c.system_type_id)", "N'varchar'"), ("c.collation_name", "N'SQL_Latin1_General_CP1_CI_AS'")];

/// What every connection of ours begins with.
fn is_settings(statement: &str) -> bool {
    statement.trim_start().starts_with("SET ANSI_NULLS, ")
}

fn seen(call: &tds::Call) -> Seen {
    let statement = &call.statement;
    if statement.starts_with("/* tidewaiter: expected payments */") {
        Seen::Expected(call.parameters.len())
    } else if statement.starts_with("/* tidewaiter: shape */") {
        Seen::Shape
    } else if is_settings(statement) {
        Seen::Settings
    } else {
        Seen::Other(statement.clone())
    }
}

/// What a batch says, in order.
enum Told {
    Printed(String),
    Rows(ResultSet),
    Failed(ScriptError),
}

#[derive(Default)]
struct Heard {
    told: Vec<Told>,
    commits: Vec<CapturedTransaction>,
}

impl Observer for Heard {
    fn printed(&mut self, text: &str) {
        self.told.push(Told::Printed(text.to_owned()));
    }

    fn rows(&mut self, rows: &ResultSet) {
        self.told.push(Told::Rows(rows.clone()));
    }

    fn failed(&mut self, error: &ScriptError) {
        self.told.push(Told::Failed(error.clone()));
    }

    fn committed(&mut self, transaction: CapturedTransaction) {
        self.commits.push(transaction);
    }
}

fn heard(sentinel: &mut Sentinel, sql: &str) -> Heard {
    let mut heard = Heard::default();
    match sentinel.parse("batch", sql) {
        // its errors were told
        Ok(script) => drop(sentinel.run(&script, &mut heard)),
        Err(errors) => heard.told.extend(errors.into_iter().take(1).map(Told::Failed)),
    }
    heard
}

fn run(sentinel: &mut Sentinel, sql: &str) -> Result<Heard, ScriptError> {
    let heard = heard(sentinel, sql);
    match heard.told.iter().find_map(|told| if let Told::Failed(error) = told { Some(error) } else { None }) {
        Some(error) => Err(error.clone()),
        None => Ok(heard),
    }
}

/// The next message, its packets put together.
async fn message(stream: &mut impl Stream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) - HEADER;
        let begun = body.len();
        body.resize(begun + length, 0);
        stream.read_exact(&mut body[begun..]).await?;
        if header[1] & 1 == 1 {
            return Ok((header[0], body));
        }
    }
}

async fn send(stream: &mut impl Stream, tokens: &[u8]) -> std::io::Result<()> {
    stream.write_all(&tds::packets(tokens)).await?;
    stream.flush().await
}
