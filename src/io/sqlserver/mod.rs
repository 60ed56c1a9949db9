//! SQL Server: queries on a few pooled connections, each with an end to its patience.
//!
//! ```text
//! ask ─► breaker ─► pool ─► connection: TCP, TLS, login, routing ─► one round trip, within its time ─► rows, whole
//!   ▲        │ open: refused at once                                        │ error, time-out: the connection is thrown away
//!   └────────┴────────── again, after a pause ◄── the kind that passes ◄────┘
//! ```
//!
//! - Rows are given out only when the server has said that there are no more: an answer that is cut off is no answer.
//! - A connection is used again only after a round trip that ended well. Whatever else happened to it, a time-out, an error, a
//!   future that was dropped, it is closed: what is left of an old answer is never read as a new one.
//! - Every error is of a [`Class`], which decides what becomes of whoever asked.
//! - What the server says about a row's value is not told: rows hold personal data.
//!
//! Nothing here knows what is asked.

mod breaker;
mod connector;
mod console;
mod error;
mod heard;
mod row;
mod session;
mod shown;

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType, Timeouts};
use metrics::{counter, gauge};
use tokio::time::{Instant, sleep, timeout_at};

use self::breaker::Breaker;
use self::connector::{Connection, Connector};
pub use self::console::{BatchError, Console, Said};
pub use self::error::{Class, SqlServerError};
pub use self::row::{Column, ResultSet, Row, Unreadable};
pub use self::session::Session;
use crate::config::daemon;
use crate::telemetry::{SQL_CONNECTIONS, SQL_ROUND_TRIPS};

/// How often something is tried within one call. What lasts longer is for the caller's own pauses, in which other things
/// can happen.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; doubles. A deadlock has passed by then.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One server's database.
pub struct SqlServer {
    pool: Pool<Connector>,
    breaker: Breaker,
    config: daemon::SqlServer,
}

impl SqlServer {
    /// Makes no connection yet.
    #[must_use]
    pub fn new(config: daemon::SqlServer) -> Self {
        let pool = Pool::builder(Connector::new(config.clone()))
            .max_size(config.connections)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have time-outs");
        Self { pool, breaker: Breaker::default(), config }
    }

    #[must_use]
    pub fn config(&self) -> &daemon::SqlServer {
        &self.config
    }

    /// How errors name it.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.config)
    }

    /// Whether the last that was heard of the server was good. If not, one question is better asked before many are.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.breaker.is_closed()
    }

    /// Runs a batch with its parameters, which are texts or null: `@P1`, `@P2` and so on, as nvarchar. What passes is tried again; the
    /// batch must not change anything.
    pub async fn ask(&self, sql: &str, parameters: &[Option<&str>]) -> Result<Vec<ResultSet>, SqlServerError> {
        let deadline = Instant::now() + self.config.deadline;
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let permit = self.breaker.admit()?;
            let asked = timeout_at(deadline, self.attempt(sql, parameters, deadline)).await;
            let error = match asked.unwrap_or_else(|_| Err(SqlServerError::late(&self.name(), "answer"))) {
                Ok(sets) => {
                    permit.succeeded();
                    return Ok(sets);
                }
                Err(error) => error,
            };
            permit.failed(&error);
            if error.class() == Class::Away {
                // what hung on the same network, or the same server, is not worth another wait
                self.pool.retain(|_, _| false);
            }
            let passes = matches!(error.class(), Class::Away | Class::Busy) && self.breaker.is_closed();
            if !passes || attempt >= ATTEMPTS || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "asking the SQL Server again");
            sleep(jittered(pause)).await;
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn attempt(&self, sql: &str, parameters: &[Option<&str>], deadline: Instant) -> Result<Vec<ResultSet>, SqlServerError> {
        let mut lease = self.lease(deadline).await?;
        let until = deadline.min(Instant::now() + self.config.query_timeout);
        let answered = self.within(until, "answer", lease.connection().ask(sql, parameters)).await;
        let result = match &answered {
            Ok(_) => "answered",
            Err(error) => error.class().name(),
        };
        counter!(SQL_ROUND_TRIPS.name, "result" => result).increment(1);
        if answered.is_ok() {
            lease.give_back();
        }
        answered
    }

    async fn lease(&self, deadline: Instant) -> Result<Lease, SqlServerError> {
        let timeouts = Timeouts {
            wait: Some(deadline.saturating_duration_since(Instant::now())),
            // the connector has a time-out of its own
            create: None,
            recycle: None,
        };
        // on the heap: making a connection, TLS and all, is a future of 24 KB
        let object = Box::pin(self.pool.timeout_get(&timeouts)).await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => SqlServerError::late(&self.name(), "spare a connection"),
            error => SqlServerError::late(&self.name(), &format!("give a connection ({error})")),
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a handful of connections")]
        gauge!(SQL_CONNECTIONS.name).set(self.pool.status().size as f64);
        Ok(Lease(Some(object)))
    }

    /// A connection of one's own, for statements that belong together or last long.
    pub async fn session(&self) -> Result<Session, SqlServerError> {
        let connection = Box::pin(Connector::new(self.config.clone()).connect()).await?;
        Ok(Session::new(connection, self.config.clone()))
    }

    async fn within<T>(
        &self,
        until: Instant,
        what: &str,
        work: impl Future<Output = Result<T, tiberius::error::Error>>,
    ) -> Result<T, SqlServerError> {
        match timeout_at(until, work).await {
            Ok(done) => done.map_err(|error| SqlServerError::of(&self.name(), error)),
            Err(_) => Err(SqlServerError::late(&self.name(), what)),
        }
    }
}

fn name(config: &daemon::SqlServer) -> String {
    format!("{}:{}", config.host, config.port)
}

/// Between half of it and all of it, so that members that were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    // the standard library's only source of chance
    let chance = u32::try_from(RandomState::new().hash_one(()) % 1024).unwrap_or_default();
    pause / 2 + pause / 2 * chance / 1024
}

/// A connection on loan. It goes back to the pool only if all is well with it; a future that is dropped half-way says nothing,
/// so its connection is closed.
struct Lease(Option<Object<Connector>>);

impl Lease {
    fn connection(&mut self) -> &mut Connection {
        self.0.as_mut().expect("a lease holds its connection until it ends")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl fmt::Debug for SqlServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlServer").field("name", &self.name()).field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_never_longer_than_asked_for_nor_shorter_than_its_half() {
        let pause = Duration::from_millis(200);
        let pauses: Vec<Duration> = (0..100).map(|_| jittered(pause)).collect();
        assert!(pauses.iter().all(|jittered| (pause / 2..=pause).contains(jittered)), "{pauses:?}");
        assert!(pauses.iter().any(|jittered| *jittered != pauses[0]), "some chance is in it");
    }
}
