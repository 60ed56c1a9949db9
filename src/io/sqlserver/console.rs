//! A connection that runs scripts: all that a server says to a batch, as sqlcmd would tell it.

use futures::TryStreamExt as _;
use tiberius::error::Error;
use tiberius::{ColumnType, QueryItem};
use tokio::time::timeout;
use tracing::instrument::WithSubscriber as _;

use super::connector::{Connection, Connector};
use super::error::{Class, SqlServerError};
use super::heard::{Listener, Message};
use super::shown::shown;
use crate::config::daemon;

/// How long a server may say nothing while it runs a batch: scripts wait for minutes on purpose.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(15);

/// What a console may do that a look-up may not: wait for locks, and win against other scripts of its kind.
const SETTINGS: &str = "SET DEADLOCK_PRIORITY NORMAL; SET LOCK_TIMEOUT -1; SET NOCOUNT OFF;";

const HEARD: &str = "tidewaiter listens";

/// From this class on the server has closed the connection.
const FATAL: u8 = 20;

/// One of sqlcmd's connections. Unlike [`super::Session`] it outlives the server's errors, as scripts go on behind them; after
/// any other failure it is of no more use.
pub struct Console {
    connection: Connection,
    name: String,
    listener: Listener,
    is_audible: bool,
    is_broken: bool,
}

/// A part of what a server says to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// PRINT, or RAISERROR of a severity that is no error.
    Printed(String),
    /// A result begins: its columns' names, and whether they hold numbers.
    Columns(Vec<(String, bool)>),
    /// Of the result that began last: its values as text.
    Row(Vec<String>),
}

/// An error of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError {
    pub number: u32,
    pub message: String,
    /// From 1, in the batch, or in the procedure if it is one's. Known of a batch's first error only: the driver keeps no other.
    pub line: Option<u32>,
    pub procedure: Option<String>,
}

impl Console {
    /// Connects and logs in, to be ready for a script.
    pub async fn open(config: &daemon::SqlServer) -> Result<Self, SqlServerError> {
        let connection = Box::pin(Connector::new(config.clone()).connect()).await?;
        let (name, listener) = (super::name(config), Listener::new());
        let mut console = Self { connection, name, listener, is_audible: false, is_broken: false };
        console.batch(&format!("PRINT N'{HEARD}'; {SETTINGS}"), |_| {}).await?;
        Ok(console)
    }

    /// Whether it hears what scripts print; the driver may have changed where it tells it.
    #[must_use]
    pub fn is_audible(&self) -> bool {
        self.is_audible
    }

    /// Whether the server, or what lies between, has ended the connection.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Runs a batch and reads all that comes of it; gives its errors, in order.
    pub async fn batch(&mut self, text: &str, mut say: impl FnMut(Said)) -> Result<Vec<BatchError>, SqlServerError> {
        if self.is_broken {
            return Err(SqlServerError::new(&self.name, Class::Away, "the connection broke before"));
        }
        // until it ends well
        self.is_broken = true;
        let (listener, dispatch) = (self.listener.clone(), self.listener.dispatch.clone());
        let mut errors = Vec::new();
        let mut hear = |say: &mut dyn FnMut(Said)| {
            for message in listener.take() {
                match message {
                    Message::Info(text) if is_noise(&text) => {}
                    Message::Info(text) => say(Said::Printed(text)),
                    Message::Error { number, text } => {
                        errors.push(BatchError { number, message: text, line: None, procedure: None });
                    }
                }
            }
        };
        let read = async {
            let late = || SqlServerError::late(&self.name, "go on with a batch");
            let mut stream = match timeout(PATIENCE, self.connection.query(text, &[])).await.map_err(|_| late())? {
                Ok(stream) => stream,
                Err(error) => return Ok(Err(error)),
            };
            loop {
                let item = timeout(PATIENCE, stream.try_next()).await.map_err(|_| late())?;
                if self.is_audible {
                    // said before what comes now
                    hear(&mut say);
                }
                match item {
                    Ok(None) => return Ok(Ok(())),
                    Ok(Some(QueryItem::Metadata(metadata))) => say(Said::Columns(columns(metadata.columns()))),
                    Ok(Some(QueryItem::Row(row))) => {
                        say(Said::Row(row.cells().map(|(column, value)| shown(value, column.column_type())).collect()));
                    }
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        let ended: Result<(), Error> = read.with_subscriber(dispatch).await?;
        if self.is_audible {
            hear(&mut say);
        } else {
            self.is_audible = self.listener.learn(HEARD);
        }
        match ended {
            Ok(()) => self.is_broken = false,
            // comes when all was read, so the connection can be used again
            Err(Error::Server(error)) => {
                self.is_broken = error.class() >= FATAL;
                let procedure = Some(error.procedure().to_owned()).filter(|procedure| !procedure.is_empty());
                let message = error.message().to_owned();
                let first = BatchError { number: error.code(), message, line: Some(error.line()), procedure };
                match errors.first_mut() {
                    Some(heard) if heard.number == first.number => *heard = first,
                    _ => errors.insert(0, first),
                }
            }
            Err(error) => return Err(SqlServerError::of(&self.name, error)),
        }
        Ok(errors)
    }
}

/// What sqlcmd's users learn to overlook: told at every USE, and behind every error.
fn is_noise(text: &str) -> bool {
    text.starts_with("Changed database context to '") || text == "The statement has been terminated."
}

fn columns(columns: &[tiberius::Column]) -> Vec<(String, bool)> {
    let is_number = |column: &tiberius::Column| {
        matches!(
            column.column_type(),
            ColumnType::Int1
                | ColumnType::Int2
                | ColumnType::Int4
                | ColumnType::Int8
                | ColumnType::Intn
                | ColumnType::Float4
                | ColumnType::Float8
                | ColumnType::Floatn
                | ColumnType::Money
                | ColumnType::Money4
                | ColumnType::Decimaln
                | ColumnType::Numericn
        )
    };
    columns.iter().map(|column| (column.name().to_owned(), is_number(column))).collect()
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("server", &self.name).field("is_broken", &self.is_broken).finish_non_exhaustive()
    }
}
