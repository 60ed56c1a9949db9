//! The whole book: for the cache at the start, and as a profile file.

use std::collections::HashMap;

use super::read::{AGREEMENT, Building, CUSTOM_PROFILE, PAYMENT_PROFILE, Source};
use super::{BookError, ServerBook};
use crate::domains::lending::expected::{AgreementRow, Answer, Question};
use crate::domains::lending::normal_number;
use crate::domains::lending::profiles::{ProfileWriter, WriteError};
use crate::engine::Key;
use crate::io::sqlserver::{Row, Unreadable};
use crate::time::Month;

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<crate::io::sqlserver::SqlServerError> for ExportError {
    fn from(error: crate::io::sqlserver::SqlServerError) -> Self {
        Self::Book(error.into())
    }
}

/// How an export goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Of all three tables.
    pub rows: u64,
    pub total: u64,
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    pub rows: u64,
    /// All of one moment; otherwise each table of its own, since the database does not allow SNAPSHOT isolation.
    pub is_snapshot: bool,
}

/// How often an export tells how it goes on, in rows.
const TOLD_EVERY: u64 = 1_000;

impl ServerBook {
    /// Reads what is expected of every agreement in a month, in one query, and hands it out when all of it is there.
    pub async fn whole_month(&self, month: Month, mut each: impl FnMut(Question, Answer)) -> Result<(), BookError> {
        let (shape, _) = self.shape().await?;
        let mut session = self.server.session().await?;
        let mut book: HashMap<Key, Building> = HashMap::new();
        let mut done = false;
        let server = self.server.name();
        let first = month.first().format("%Y-%m-%d").to_string();
        let (sql, parameters) = (self.tables.whole_month(&shape), [Some(first.as_str())]);
        let results = session.stream(&sql, &parameters, |result, row| {
            let mut take = |source: &'static Source, take: fn(&mut Building, &Key, &str, &Row) -> Result<(), Unreadable>| {
                let cell = |unreadable| source.cell(&server, unreadable);
                let Some(number) = row.text(1).map_err(cell)? else { return Ok(()) };
                let key = normal_number(number, self.case);
                let building = book.entry(key.clone()).or_insert_with(|| Building::of(month));
                take(building, &key, number.trim_end_matches(' '), &row).map_err(cell)
            };
            match result {
                0 => take(&AGREEMENT, Building::agreement),
                1 => take(&CUSTOM_PROFILE, Building::custom),
                2 => take(&PAYMENT_PROFILE, |building, _, _, row| building.payment(row)),
                _ => {
                    done = true;
                    Ok::<(), BookError>(())
                }
            }
        });
        if results.await? != 4 || !done {
            return Err(BookError::incomplete(&server));
        }
        for (agreement, building) in book {
            let answer = building.finish(&server)?;
            each(Question { agreement, month }, answer);
        }
        Ok(())
    }

    /// Copies the three tables, as far as they are read, to a profile file.
    pub async fn export(&self, writer: &mut ProfileWriter, mut tell: impl FnMut(Progress)) -> Result<Exported, ExportError> {
        let (shape, _) = self.shape().await?;
        let mut session = self.server.session().await.map_err(BookError::from)?;
        let allowed = session.ask(self.tables.snapshot_allowed(), &[]).await?;
        let state = allowed.first().and_then(|set| set.rows.first()).and_then(|row| row.integer(0).ok().flatten());
        let is_snapshot = state == Some(1);
        if is_snapshot {
            session.ask(self.tables.begin_snapshot(), &[]).await?;
        }
        let server = self.server.name();
        let counted = session.ask(&self.tables.count(), &[]).await?;
        let total = counted.first().and_then(|set| set.rows.first()).and_then(|row| row.integer(0).ok().flatten());
        let total = total.and_then(|total| u64::try_from(total).ok()).unwrap_or_default();
        let (mut rows, mut done) = (0, false);
        tell(Progress { rows, total });
        let sql = self.tables.copy(&shape);
        let results = session.stream(&sql, &[], |result, row| {
            match result {
                0 => copy(&AGREEMENT, &server, &row, |number| {
                    let found = AgreementRow {
                        customer_number: row.text(2)?.map(Into::into),
                        borrowers: row.text(3)?.map(Into::into),
                        agreement_type: row.integer(4)?,
                    };
                    let opened = row.date(5)?;
                    Ok(writer.agreement(number, &found, opened))
                })?,
                1 => copy(&CUSTOM_PROFILE, &server, &row, |number| {
                    let (amount, on_going, deleted) = (row.decimal(2)?, row.bit(3)?, row.bit(4)?);
                    Ok(writer.custom_profile(number, amount, on_going, deleted))
                })?,
                2 => copy(&PAYMENT_PROFILE, &server, &row, |number| {
                    let (date, fallen_due) = (row.date(2)?, row.bit(3)?);
                    let (kind, amount) = (row.text(4)?, row.decimal(5)?);
                    Ok(writer.payment(number, date, amount, kind, fallen_due))
                })?,
                _ => done = true,
            }
            rows += u64::from(!done);
            if rows.is_multiple_of(TOLD_EVERY) {
                tell(Progress { rows, total });
            }
            Ok::<(), ExportError>(())
        });
        if results.await? != 4 || !done {
            return Err(BookError::incomplete(&server).into());
        }
        tell(Progress { rows, total: rows });
        Ok(Exported { rows, is_snapshot })
    }
}

/// A row whose number is null belongs to no agreement.
fn copy(
    source: &'static Source,
    server: &str,
    row: &Row,
    write: impl FnOnce(&str) -> Result<Result<(), WriteError>, Unreadable>,
) -> Result<(), ExportError> {
    let cell = |unreadable| source.cell(server, unreadable);
    let Some(number) = row.text(1).map_err(cell)? else { return Ok(()) };
    Ok(write(number).map_err(cell)??)
}
