//! Makes connections: TCP, TLS, login, where the server routes them to, and the settings that answers hang on.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::error::{Class, SqlServerError};
use super::row::{ResultSet, Row};
use crate::config::daemon::{self, Login, TlsMode, Trust};

/// Azure's gateway routes once; more is a circle.
const MAX_HOPS: usize = 4;

/// Idle for longer, a firewall may have forgotten the connection, and the next to use it would wait for nothing.
const MAX_IDLE: Duration = Duration::from_mins(1);

/// Older ones are made anew, so that what changes on the way (addresses, certificates, passwords, who is primary) is found out
/// in peace.
const MAX_AGE: Duration = Duration::from_mins(15);

/// What every connection begins with.
///
/// - The ANSI settings are what drivers of Microsoft's set; with ANSI_WARNINGS and ARITHABORT an overflow is an error and never
///   a null.
/// - READ COMMITTED, not READ UNCOMMITTED or NOLOCK: those may give a row twice, not at all, or as it never was. Where the
///   database has READ_COMMITTED_SNAPSHOT on, as it should, no lock is taken; where not, one row at a time is locked while it is
///   read.
/// - If a lock of ours stands in a deadlock, it is ours that is given up, not the loan system's transaction.
/// - A lock of somebody else's is waited for a while, and then asked again.
const SETTINGS: &str = "
SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER, NOCOUNT ON;
SET NUMERIC_ROUNDABORT, IMPLICIT_TRANSACTIONS OFF;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET DEADLOCK_PRIORITY LOW;
SET LOCK_TIMEOUT 5000;";

/// An open connection, logged in.
pub(super) struct Connection {
    pub(super) client: Client<Compat<TcpStream>>,
    born: Instant,
    used: Instant,
}

impl Connection {
    /// One round trip, read to its end.
    pub(super) async fn ask(&mut self, sql: &str, parameters: &[Option<&str>]) -> Result<Vec<ResultSet>, Error> {
        let mut sets: Vec<ResultSet> = Vec::new();
        let mut stream = self.query(sql, parameters).await?;
        while let Some(item) = futures::TryStreamExt::try_next(&mut stream).await? {
            match item {
                QueryItem::Metadata(columns) => sets.push(ResultSet::new(columns.columns())),
                QueryItem::Row(row) => {
                    let set = sets.last_mut().ok_or(Error::Protocol("a row before its columns".into()))?;
                    set.rows.push(Row::new(row));
                }
            }
        }
        drop(stream);
        self.used = Instant::now();
        Ok(sets)
    }

    pub(super) async fn query<'c>(
        &'c mut self,
        sql: &str,
        parameters: &[Option<&str>],
    ) -> Result<tiberius::QueryStream<'c>, Error> {
        if parameters.is_empty() {
            // a batch, whose settings outlive it
            return self.client.simple_query(sql).await;
        }
        let mut query = tiberius::Query::new(sql);
        for parameter in parameters {
            query.bind(*parameter);
        }
        query.query(&mut self.client).await
    }
}

#[derive(Debug)]
pub(super) struct Connector {
    config: daemon::SqlServer,
}

impl Connector {
    pub(super) fn new(config: daemon::SqlServer) -> Self {
        Self { config }
    }

    /// A connection that is ready for questions.
    pub(super) async fn connect(&self) -> Result<Connection, SqlServerError> {
        let name = super::name(&self.config);
        match timeout(self.config.connect_timeout, self.routed(&name)).await {
            Ok(connected) => connected,
            Err(_) => Err(SqlServerError::late(&name, "let a connection in")),
        }
    }

    async fn routed(&self, name: &str) -> Result<Connection, SqlServerError> {
        let (mut host, mut port) = (self.config.host.clone(), self.config.port);
        for hop in 1.. {
            let (config, address) = self.settings(&host, port)?;
            let connected = open(config, address).await;
            match connected {
                Ok(client) => {
                    let now = Instant::now();
                    let mut connection = Connection { client, born: now, used: now };
                    connection.ask(SETTINGS, &[]).await.map_err(|error| SqlServerError::of(name, error))?;
                    return Ok(connection);
                }
                Err(Error::Routing { host: next, port: at }) if hop < MAX_HOPS => {
                    tracing::debug!(host = next, port = at, "routed to another server");
                    // Azure may name an instance, which its port stands for already
                    (host, port) = (next.split('\\').next().unwrap_or_default().to_owned(), at);
                }
                Err(error) => return Err(SqlServerError::of(name, error)),
            }
        }
        unreachable!("the last hop returns")
    }

    /// What the driver is told, with the secret read anew, and where to connect to.
    fn settings(&self, host: &str, port: u16) -> Result<(Config, (String, u16)), SqlServerError> {
        let daemon::SqlServer { database, login, tls, read_only, connect_timeout, .. } = &self.config;
        let secret = |secret: &crate::config::Secret| {
            // one that is just being written anew is there at the next attempt
            secret.read().map_err(|error| SqlServerError::new(&super::name(&self.config), Class::Refused, error.to_string()))
        };
        let mut config = Config::new();
        config.host(host);
        config.port(port);
        config.database(database);
        config.application_name("tidewaiter");
        config.authentication(match login {
            Login::Sql { user, password } => AuthMethod::sql_server(user, secret(password)?),
            Login::Token(token) => AuthMethod::aad_token(secret(token)?.trim()),
        });
        config.encryption(match tls.mode {
            TlsMode::Required => EncryptionLevel::Required,
            TlsMode::Strict => EncryptionLevel::Strict,
        });
        match &tls.trust {
            Trust::Authorities(Some(file)) => config.trust_cert_ca(file.display()),
            Trust::Authorities(None) => {}
            Trust::Anybody => config.trust_cert(),
        }
        if let Some(name) = &tls.certificate_name {
            config.hostname_in_certificate(name);
        }
        config.readonly(*read_only);
        config.handshake_timeout(Some(*connect_timeout));
        // ours are tighter, and a stream of the whole book has no end to set beforehand
        config.command_timeout(None);
        Ok((config, (host.to_owned(), port)))
    }
}

async fn open(config: Config, address: (String, u16)) -> Result<Client<Compat<TcpStream>>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Client::connect(config, stream.compat_write()).await
}

impl Manager for Connector {
    type Type = Connection;
    type Error = SqlServerError;

    async fn create(&self) -> Result<Connection, SqlServerError> {
        self.connect().await
    }

    /// Only connections whose last round trip ended well come here.
    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<SqlServerError> {
        let now = Instant::now();
        if now - connection.used > MAX_IDLE || now - connection.born > MAX_AGE {
            return Err(RecycleError::message("old"));
        }
        Ok(())
    }
}
