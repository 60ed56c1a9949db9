//! `[expected.sqlserver]`: the loan book where it lives, and `[expected.cache]`: how long what it said is believed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bounded;
use crate::config::secret::secret;
use crate::config::{Problem, Secret, Section, Value, boolean, choice, duration, text};

/// How the loan book's server is reached, as whom, and what its tables are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlServer {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub login: Login,
    pub tls: Tls,
    /// Asks an availability group's listener for a readable secondary, which may be seconds behind.
    pub read_only: bool,
    /// At most so many at a time.
    pub connections: usize,
    /// From the first packet to the end of the login.
    pub connect_timeout: Duration,
    /// Of one round trip.
    pub query_timeout: Duration,
    /// Of all that is done for one look-up, repetitions included.
    pub deadline: Duration,
    /// Agreements asked for in one round trip.
    pub batch: usize,
    pub names: Names,
}

/// The secrets are read anew for every connection, so one that is changed on both sides needs no restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// SQL Server's own.
    Sql { user: String, password: Secret },
    /// An access token of Entra ID (Azure AD), kept fresh by somebody else.
    Token(Secret),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    pub trust: Trust,
    /// What the certificate must be made out to, where that is not the host.
    pub certificate_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// TLS within TDS, as every SQL Server speaks it. A server that will not encrypt is refused.
    Required,
    /// TLS before anything else: TDS 8.0, from SQL Server 2022 on.
    Strict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's authorities, and those of the file if there is one.
    Authorities(Option<PathBuf>),
    /// Whoever answers.
    Anybody,
}

/// Sentinel's tables and columns by the names that they have here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub schema: String,
    pub agreement: String,
    pub payment_profile: String,
    pub custom_profile: String,
    /// From Sentinel's name to the one here, where they differ.
    columns: BTreeMap<String, String>,
}

/// Those that are read; others are nobody's business here.
const COLUMNS: [&str; 14] = [
    "AgreementNumber",
    "AgreementCustomerNumber",
    "AgreementBorrowers",
    "AgreementAgreementTypeID",
    "AgreementAgreementDate",
    "PayProAgreementNumber",
    "PayProDate",
    "PayProNetAmount",
    "PayProType",
    "PayProFallenDue",
    "CPAgreement",
    "CPAmount",
    "CPOnGoing",
    "CPDeleted",
];

/// SQL Server's limit for a name.
const MAX_NAME: usize = 128;

impl Names {
    /// The name here of one of Sentinel's columns.
    #[must_use]
    pub fn column<'n>(&'n self, sentinel: &'n str) -> &'n str {
        self.columns.get(sentinel).map_or(sentinel, String::as_str)
    }

    /// Sentinel's names and those here, where they differ.
    pub(super) fn renamed(&self) -> impl Iterator<Item = (String, serde_json::Value)> {
        self.columns.iter().map(|(sentinel, here)| (sentinel.clone(), here.as_str().into()))
    }
}

impl Default for Names {
    fn default() -> Self {
        Self {
            schema: "dbo".to_owned(),
            agreement: "Agreement".to_owned(),
            payment_profile: "PaymentProfile".to_owned(),
            custom_profile: "CustomProfile".to_owned(),
            columns: BTreeMap::new(),
        }
    }
}

impl SqlServer {
    /// With defaults, for a server of this name.
    #[must_use]
    pub fn at(host: &str, database: &str, login: Login) -> Self {
        Self {
            host: host.to_owned(),
            port: 1433,
            database: database.to_owned(),
            login,
            tls: Tls { mode: TlsMode::Required, trust: Trust::Authorities(None), certificate_name: None },
            read_only: false,
            // a look-up of a full batch takes some twenty round trips; four at a time leave the server to those it is for
            connections: 4,
            // across a continent, with TLS, on a busy day
            connect_timeout: Duration::from_secs(10),
            // a batch takes milliseconds; one that takes this long has hit a lock or a lost connection
            query_timeout: Duration::from_secs(15),
            // room for one repetition after a time-out, and still within Kafka's transaction time-out of a minute
            deadline: Duration::from_secs(40),
            // the answer fits a few packets; ten times as many gain nothing and hold the server longer
            batch: 500,
            names: Names::default(),
        }
    }
}

/// How long answers are believed, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Of an answer with a profile.
    pub found: Duration,
    /// Of an answer without one, and of one about an agreement that is new: the profile may come any second.
    pub missing: Duration,
    /// All answers together, about.
    pub max_bytes: u64,
    /// Whether the month of the whole book is read at the start.
    pub warm_up: bool,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            // profiles that are there change by the month, or when somebody arranges something: that late is soon enough
            found: Duration::from_mins(5),
            // a custom profile is written seconds after the agreement it is for
            missing: Duration::from_secs(5),
            // a book of 200,000 agreements
            max_bytes: 128 * 1024 * 1024,
            warm_up: false,
        }
    }
}

pub(super) fn cache(section: &mut Section<'_>) -> Cache {
    const MIB: u64 = 1024 * 1024;
    let default = Cache::default();
    Cache {
        found: section.optional("found", duration).unwrap_or(default.found),
        missing: section.optional("missing", duration).unwrap_or(default.missing),
        max_bytes: section
            .optional("max_mib", |value| bounded(value, 1, 65_536))
            .map_or(default.max_bytes, |mib| mib as u64 * MIB),
        warm_up: section.optional("warm_up", boolean).unwrap_or(default.warm_up),
    }
}

/// The section, where there is one.
pub(super) fn sqlserver(expected: &mut Section<'_>, folder: &Path) -> Option<SqlServer> {
    let given = expected.has("sqlserver");
    expected.table("sqlserver", |section| given.then(|| server(section, folder)))
}

fn server(section: &mut Section<'_>, folder: &Path) -> SqlServer {
    let host = section.required("host", host).unwrap_or_default();
    let database = section.required("database", name).unwrap_or_default();
    let default = SqlServer::at(&host, &database, login(section, folder));
    let server = SqlServer {
        port: section.optional("port", port).unwrap_or(default.port),
        tls: tls(section, folder),
        read_only: section.optional("read_only", boolean).unwrap_or(default.read_only),
        connections: section.optional("connections", |value| bounded(value, 1, 64)).unwrap_or(default.connections),
        connect_timeout: section.optional("connect_timeout", timeout).unwrap_or(default.connect_timeout),
        query_timeout: section.optional("query_timeout", timeout).unwrap_or(default.query_timeout),
        deadline: section.optional("deadline", timeout).unwrap_or(default.deadline),
        // two parameters an agreement, of SQL Server's 2,100
        batch: section.optional("batch", |value| bounded(value, 1, 1_000)).unwrap_or(default.batch),
        names: section.table("names", names),
        ..default
    };
    if server.deadline < server.query_timeout {
        let problem = Problem::new(format!("`{}` is shorter than query_timeout", section.name("deadline")));
        section.problem_with("deadline", problem.hint("it bounds all round trips of a look-up together"));
    }
    server
}

fn login(section: &mut Section<'_>, folder: &Path) -> Login {
    let user = section.optional("user", text);
    let (password, token) = (secret(section, "password", folder), secret(section, "token", folder));
    if section.has("token") && (section.has("user") || section.has("password")) {
        let problem = Problem::new(format!("`{}` has both a token and a user", section.path()));
        section.problem(problem.hint("an access token says who it is for: keep one of them"));
    } else if !(section.has("token") || (section.has("user") && section.has("password"))) {
        let problem = Problem::new(format!("`{}` does not say as whom", section.path()));
        section.problem(problem.hint("give it user and password = { env = \"NAME\" }, or token for Entra ID"));
    }
    match token {
        Some(token) => Login::Token(token),
        // where one is missing, the configuration is not valid
        None => Login::Sql { user: user.unwrap_or_default(), password: password.unwrap_or(Secret::Env(String::new())) },
    }
}

fn tls(section: &mut Section<'_>, folder: &Path) -> Tls {
    let mode = section.optional("encrypt", choice(&[("required", TlsMode::Required), ("strict", TlsMode::Strict)]));
    let ca_file = section.optional("ca_file", text).map(|file| folder.join(file));
    let certificate_name = section.optional("certificate_name", text);
    let anybody = section.optional("danger_trust_any_certificate", boolean).unwrap_or(false);
    if anybody && (ca_file.is_some() || certificate_name.is_some()) {
        let key = "danger_trust_any_certificate";
        let problem = Problem::new(format!("`{}` makes ca_file and certificate_name worthless", section.name(key)));
        section.problem_with(key, problem.hint("whoever answers is trusted with it: remove it"));
    }
    let trust = if anybody { Trust::Anybody } else { Trust::Authorities(ca_file) };
    Tls { mode: mode.unwrap_or(TlsMode::Required), trust, certificate_name }
}

fn names(section: &mut Section<'_>) -> Names {
    let default = Names::default();
    Names {
        schema: section.optional("schema", name).unwrap_or(default.schema),
        agreement: section.optional("agreement", name).unwrap_or(default.agreement),
        payment_profile: section.optional("payment_profile", name).unwrap_or(default.payment_profile),
        custom_profile: section.optional("custom_profile", name).unwrap_or(default.custom_profile),
        columns: section.table("columns", |columns| {
            let mut read = BTreeMap::new();
            for column in COLUMNS {
                read.extend(columns.optional(column, name).map(|here| (column.to_owned(), here)));
            }
            read
        }),
    }
}

/// A name of SQL Server's, without the brackets it may be written in: they are put around it here.
fn name(value: Value<'_>) -> Result<String, Problem> {
    let name = text(value)?;
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::new(format!("expected a name of at most {MAX_NAME} characters, none of them a control character")));
    }
    if name.starts_with('[') && name.ends_with(']') {
        return Err(Problem::new("expected a bare name, found one in brackets").hint("leave the brackets out; any name will do"));
    }
    Ok(name)
}

/// The port stands by itself, and a named instance is found by its port.
fn host(value: Value<'_>) -> Result<String, Problem> {
    let host = text(value)?;
    if host.contains('\\') {
        let hint = "give the port that the instance listens on; SQL Server's browser service is not asked";
        return Err(Problem::new("expected a host, found an instance's name").hint(hint));
    }
    if host.contains(',') || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(Problem::new("expected a host without a port").hint("the port has a key of its own: port = 1433"));
    }
    Ok(host)
}

fn port(value: Value<'_>) -> Result<u16, Problem> {
    bounded(value, 1, usize::from(u16::MAX)).map(|port| u16::try_from(port).unwrap_or_default())
}

fn timeout(value: Value<'_>) -> Result<Duration, Problem> {
    let timeout = duration(value)?;
    if timeout < Duration::from_millis(100) {
        return Err(Problem::new("no server answers so soon").hint("at least \"100ms\"; leave it out for the default"));
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read(toml: &str) -> Result<Option<SqlServer>, String> {
        parse("t.toml", toml, |root| sqlserver(root, Path::new("/etc"))).map_err(|errors| errors.to_string())
    }

    const SMALLEST: &str = "[sqlserver]\nhost = \"sql\"\ndatabase = \"Sentinel\"\nuser = \"tide\"\npassword = { env = \"P\" }\n";

    fn login() -> Login {
        Login::Sql { user: "tide".to_owned(), password: Secret::Env("P".to_owned()) }
    }

    #[test]
    fn a_host_a_database_and_a_login_are_enough_and_encrypt() {
        assert_eq!(read(""), Ok(None));
        let server = read(SMALLEST).unwrap().unwrap();
        assert_eq!(server, SqlServer::at("sql", "Sentinel", login()));
        assert_eq!(server.tls, Tls { mode: TlsMode::Required, trust: Trust::Authorities(None), certificate_name: None });
    }

    #[test]
    fn every_key_is_read() {
        let server = read(&format!(
            "{SMALLEST}port = 14330\nencrypt = \"strict\"\nca_file = \"ca.pem\"\ncertificate_name = \"sql.bank\"\n\
             read_only = true\nconnections = 2\nconnect_timeout = \"1s\"\nquery_timeout = \"2s\"\ndeadline = \"3s\"\nbatch = 7\n\
             [sqlserver.names]\nschema = \"loans\"\nagreement = \"A\"\npayment_profile = \"P\"\ncustom_profile = \"C\"\n\
             [sqlserver.names.columns]\nPayProDate = \"Due ]date\"\n"
        ))
        .unwrap()
        .unwrap();
        let trust = Trust::Authorities(Some("/etc/ca.pem".into()));
        let names = Names {
            schema: "loans".into(),
            agreement: "A".into(),
            payment_profile: "P".into(),
            custom_profile: "C".into(),
            columns: [("PayProDate".to_owned(), "Due ]date".to_owned())].into(),
        };
        assert_eq!((names.column("PayProDate"), names.column("PayProType")), ("Due ]date", "PayProType"));
        let expected = SqlServer {
            port: 14330,
            tls: Tls { mode: TlsMode::Strict, trust, certificate_name: Some("sql.bank".into()) },
            read_only: true,
            connections: 2,
            connect_timeout: Duration::from_secs(1),
            query_timeout: Duration::from_secs(2),
            deadline: Duration::from_secs(3),
            batch: 7,
            names,
            ..SqlServer::at("sql", "Sentinel", login())
        };
        assert_eq!(server, expected);
    }

    #[test]
    fn a_token_is_a_login_of_its_own() {
        let token = SMALLEST.replace("user = \"tide\"\npassword", "token");
        assert_eq!(read(&token).unwrap().unwrap().login, Login::Token(Secret::Env("P".to_owned())));
        assert!(read(&format!("{SMALLEST}token = {{ env = \"T\" }}")).unwrap_err().contains("both a token and a user"));
        for (without, part) in [("user = \"tide\"\n", "as whom"), ("password = { env = \"P\" }\n", "as whom")] {
            assert!(read(&SMALLEST.replace(without, "")).unwrap_err().contains(part), "{without}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_no_secret_is_quoted() {
        let errors = read(
            "[sqlserver]\nhost = \"sql:1433\"\nuser = \"a\"\npassword = \"hunter2\"\ndanger_trust_any_certificate = true\n\
             ca_file = \"ca.pem\"\nquery_timeout = \"30s\"\ndeadline = \"20s\"\nbatch = 1001\nport = 65536\nencrypt = \"no\"\n\
             [sqlserver.names]\nschema = \"[dbo]\"\nagrement = \"x\"\n",
        )
        .unwrap_err();
        for part in [
            "without a port",
            "does not stand in the file",
            "makes ca_file",
            "shorter than query_timeout",
            "1 to 1000",
            "1 to 65535",
            "`sqlserver.database`",
            "`sqlserver.encrypt`",
            "in brackets",
            "did you mean `agreement`?",
        ] {
            assert!(errors.contains(part), "{part} in {errors}");
        }
        assert!(!errors.contains("hunter2"), "{errors}");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in ["sql", "sql.bank.example", "10.0.0.7", "fe80::1"] {
            assert_eq!(read(&SMALLEST.replace("\"sql\"", &format!("{host:?}"))).unwrap().unwrap().host, host);
        }
        for host in ["sql\\INSTANCE", "sql,1433", "tcp:sql"] {
            assert!(read(&SMALLEST.replace("\"sql\"", &format!("{host:?}"))).is_err(), "{host}");
        }
    }

    #[test]
    fn a_cache_has_its_defaults_and_every_key_is_read() {
        let read = |toml: &str| parse("t.toml", toml, cache).map_err(|errors| errors.to_string());
        assert_eq!(read(""), Ok(Cache::default()));
        let all = "found = \"1m\"\nmissing = \"1s\"\nmax_mib = 2\nwarm_up = true";
        let (found, missing) = (Duration::from_mins(1), Duration::from_secs(1));
        assert_eq!(read(all), Ok(Cache { found, missing, max_bytes: 2 * 1024 * 1024, warm_up: true }));
        assert!(read("max_mib = 0").unwrap_err().contains("1 to 65536"));
    }
}
