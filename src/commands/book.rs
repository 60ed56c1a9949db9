//! Where the commands look expected payments up.

use std::path::Path;
use std::sync::Arc;

use super::advise;
use crate::config::daemon::{self, Cache, Expected, Login};
use crate::domains::lending::expected::{self, Answer, Question};
use crate::domains::lending::profiles::Profiles;
use crate::domains::lending::sqlserver::ServerBook;
use crate::engine::Key;
use crate::engine::cache::Cached;
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;
use crate::io::sqlserver::SqlServer;
use crate::time::{Clock as _, Month, SystemClock};

/// A file holds an agreement's months side by side, so they are read together.
const MONTHS_AHEAD: usize = 2;

/// The loan book.
#[derive(Debug)]
pub(super) enum Book {
    File(Box<Cached<Profiles, Question, Answer>>),
    Server(Arc<Cached<ServerBook, Question, Answer>>),
    /// Without one no expected payment is known.
    None,
}

impl Book {
    /// Opens a file; a server is not asked anything yet, but its secret must be there.
    pub(super) fn of(expected: &Expected, key_case: KeyCase) -> anyhow::Result<Self> {
        match &expected.book {
            daemon::Book::None => Ok(Self::None),
            daemon::Book::File(file) => Self::open(Some(file), expected.cache, key_case),
            daemon::Book::SqlServer(server) => {
                let book = server_book(server, key_case)?;
                Ok(Self::Server(Arc::new(Cached::new(book, expected::policy(expected.cache), Arc::new(SystemClock)))))
            }
        }
    }

    pub(super) fn open(path: Option<&Path>, cache: Cache, key_case: KeyCase) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::None) };
        let profiles = Profiles::open(path, key_case).map_err(|error| match error.hint() {
            Some(hint) => advise(error, hint),
            None => error.into(),
        })?;
        let cached = Cached::new(profiles, expected::policy(cache), Arc::new(SystemClock));
        Ok(Self::File(Box::new(cached.ahead(MONTHS_AHEAD))))
    }
}

impl Book {
    /// Reads the current month of the whole book into the cache, while the daemon begins its work: a warm-up that fails costs
    /// nothing but its query.
    pub(super) fn warm_up(&self) {
        let Self::Server(cached) = self else { return };
        let cached = Arc::clone(cached);
        tokio::spawn(async move {
            let month = Month::of(SystemClock.now().date());
            let filling = cached.filling();
            let mut agreements = 0_usize;
            let read = cached.inner().whole_month(month, |question, answer| {
                cached.fill(&filling, &question, &answer);
                agreements += 1;
            });
            match read.await {
                Ok(()) => tracing::info!(agreements, %month, "the cache is warm"),
                Err(error) => tracing::warn!(%error, "the cache was not warmed up; answers are asked for as they are needed"),
            }
        });
    }
}

/// A server's book; that its secret is missing is told at the start, though it is read again for each connection.
pub(super) fn server_book(server: &daemon::SqlServer, key_case: KeyCase) -> anyhow::Result<ServerBook> {
    let (key, secret) = match &server.login {
        Login::Sql { password, .. } => ("expected.sqlserver.password", password),
        Login::Token(token) => ("expected.sqlserver.token", token),
    };
    if let Err(error) = secret.read() {
        let hint = error.hint();
        let error = anyhow::Error::new(error).context(key);
        return Err(match hint {
            Some(hint) => advise(error, hint),
            None => error,
        });
    }
    Ok(ServerBook::new(SqlServer::new(server.clone()), key_case))
}

impl Lookup<Question, Answer> for Book {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        match self {
            Self::File(cached) => cached.lookup(questions).await,
            Self::Server(cached) => cached.lookup(questions).await,
            Self::None => Ok(vec![Answer::default(); questions.len()]),
        }
    }

    fn outdated(&self, keys: &[Key]) {
        match self {
            Self::File(cached) => cached.outdated(keys),
            Self::Server(cached) => cached.outdated(keys),
            Self::None => {}
        }
    }
}
