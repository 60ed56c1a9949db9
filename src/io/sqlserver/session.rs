//! A connection of one's own.

use futures::TryStreamExt as _;
use tiberius::QueryItem;
use tokio::time::timeout;

use super::connector::Connection;
use super::error::{Class, SqlServerError};
use super::row::{ResultSet, Row};
use crate::config::daemon;

/// A connection that nobody else uses, closed when it is dropped. After an error it is of no more use.
pub struct Session {
    connection: Connection,
    config: daemon::SqlServer,
    broken: bool,
}

impl Session {
    pub(super) fn new(connection: Connection, config: daemon::SqlServer) -> Self {
        Self { connection, config, broken: false }
    }

    fn name(&self) -> String {
        super::name(&self.config)
    }

    /// One round trip, within the query time-out.
    pub async fn ask(&mut self, sql: &str, parameters: &[Option<&str>]) -> Result<Vec<ResultSet>, SqlServerError> {
        self.begin()?;
        let name = self.name();
        let asked = timeout(self.config.query_timeout, self.connection.ask(sql, parameters)).await;
        let sets = asked.map_err(|_| SqlServerError::late(&name, "answer"))?.map_err(|error| SqlServerError::of(&name, error))?;
        self.broken = false;
        Ok(sets)
    }

    /// Hands out rows as they come, each with the number of its result, from 0. The query time-out is for each row, since
    /// nobody knows how many there are; what was handed out before an error is not the whole. Gives the number of results.
    pub async fn stream<E: From<SqlServerError>>(
        &mut self,
        sql: &str,
        parameters: &[Option<&str>],
        mut each: impl FnMut(usize, Row) -> Result<(), E>,
    ) -> Result<usize, E> {
        self.begin()?;
        let name = self.name();
        let patience = self.config.query_timeout;
        let late = || SqlServerError::late(&name, "go on with its answer");
        let failed = |error| SqlServerError::of(&name, error);
        let mut stream = timeout(patience, self.connection.query(sql, parameters)).await.map_err(|_| late())?.map_err(failed)?;
        let mut results = 0_usize;
        while let Some(item) = timeout(patience, stream.try_next()).await.map_err(|_| late())?.map_err(failed)? {
            match item {
                QueryItem::Metadata(_) => results += 1,
                QueryItem::Row(row) => each(results.saturating_sub(1), Row::new(row))?,
            }
        }
        drop(stream);
        self.broken = false;
        Ok(results)
    }

    /// Until it ends well, nothing is known of the connection.
    fn begin(&mut self) -> Result<(), SqlServerError> {
        if self.broken {
            return Err(SqlServerError::new(&self.name(), Class::Away, "the connection broke before"));
        }
        self.broken = true;
        Ok(())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("server", &self.name()).field("broken", &self.broken).finish_non_exhaustive()
    }
}
