//! Transactions: begin, commit, roll back, and what is committed by itself.

use super::super::engine::{Engine, Frame};
use super::super::error::{SqlError, SqlResult};
use super::super::store::quote;
use super::{Context, Observer};

impl Engine {
    pub(super) fn begin_transaction(&mut self) -> SqlResult<()> {
        if self.session.transactions == 0 {
            self.open()?;
        }
        self.session.transactions += 1;
        Ok(())
    }

    fn open(&mut self) -> SqlResult<()> {
        self.store().execute("BEGIN")?;
        self.session.undo = Some(self.definitions());
        Ok(())
    }

    fn close(&mut self, observer: &mut dyn Observer) -> SqlResult<()> {
        let captured = self.take_captured()?;
        self.store().execute("COMMIT")?;
        self.session.undo = None;
        self.session.savepoints.clear();
        if let Some(captured) = captured {
            observer.committed(captured);
        }
        Ok(())
    }

    fn undo(&mut self) -> SqlResult<()> {
        self.session.savepoints.clear();
        self.session.doomed = false;
        self.store().execute("ROLLBACK")?;
        self.store().forget_indexes();
        if let Some(undo) = self.session.undo.take() {
            self.catalog = undo.catalog;
            self.session.temporary = undo.temporary;
        }
        Ok(())
    }

    pub(super) fn commit_transaction(&mut self, observer: &mut dyn Observer) -> SqlResult<()> {
        match self.session.transactions {
            0 => Err(SqlError::new(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")),
            _ if self.session.doomed => Err(SqlError::new(
                3930,
                "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
            )),
            1 => {
                self.close(observer)?;
                self.session.transactions = 0;
                Ok(())
            }
            _ => {
                self.session.transactions -= 1;
                Ok(())
            }
        }
    }

    pub(super) fn rollback_transaction(&mut self, name: Option<&str>) -> SqlResult<()> {
        if self.session.transactions == 0 {
            return Err(SqlError::new(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."));
        }
        let lower = name.map(str::to_lowercase);
        let savepoint = self.session.savepoints.iter().rposition(|(saved, _)| Some(saved) == lower.as_ref());
        if let (Some(at), false) = (savepoint, self.session.doomed) {
            let (saved, definitions) = self.session.savepoints[at].clone();
            self.store().execute(&format!("ROLLBACK TO {}", quote(&format!("user {saved}"))))?;
            self.store().forget_indexes();
            self.session.savepoints.truncate(at + 1);
            self.catalog = definitions.catalog;
            self.session.temporary = definitions.temporary;
            return Ok(());
        }
        self.undo()?;
        self.session.transactions = 0;
        Ok(())
    }

    pub(super) fn save_transaction(&mut self, name: &str) -> SqlResult<()> {
        if self.session.transactions == 0 {
            return Err(SqlError::new(628, "Cannot issue SAVE TRANSACTION when there is no active transaction."));
        }
        let name = name.to_lowercase();
        self.store().execute(&format!("SAVEPOINT {}", quote(&format!("user {name}"))))?;
        let definitions = self.definitions();
        self.session.savepoints.push((name, definitions));
        Ok(())
    }

    /// Rolls back whatever is open, as the end of a connection or XACT_ABORT does.
    pub(super) fn abandon_transaction(&mut self) {
        if self.session.transactions > 0 {
            // The error that led here is the one to report.
            let _ = self.undo();
            self.session.transactions = 0;
        }
    }

    pub(super) fn close_connection(&mut self) -> SqlResult<()> {
        if self.session.transactions > 0 {
            self.undo()?;
            self.session.transactions = 0;
        }
        self.drop_table_variables()?;
        for table in std::mem::take(&mut self.session.temporary).into_values() {
            self.store().drop_table(&table)?;
        }
        self.session.cursors.clear();
        Ok(())
    }

    pub(super) fn drop_table_variables(&mut self) -> SqlResult<()> {
        let frames = std::mem::take(&mut self.session.frames);
        for table in frames.into_iter().flat_map(Frame::into_tables) {
            self.store().drop_table(&table)?;
        }
        Ok(())
    }

    /// Runs a writing statement: as a whole or not at all, and as a transaction of its own when none is open.
    pub(super) fn autocommit(
        &mut self,
        context: &mut Context<'_>,
        run: impl FnOnce(&mut Self, &mut Context<'_>) -> SqlResult<()>,
    ) -> SqlResult<()> {
        if self.session.doomed {
            return Err(SqlError::new(
                3930,
                "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
            ));
        }
        if self.session.transactions == 0 {
            self.open()?;
            return match run(self, context) {
                Ok(()) => self.close(context.observer),
                // a trigger may have rolled back already
                Err(error) => {
                    if self.session.undo.is_some() {
                        self.undo()?;
                    }
                    Err(error)
                }
            };
        }
        self.store().execute("SAVEPOINT statement")?;
        let before = self.definitions();
        match run(self, context) {
            Ok(()) => self.store().execute("RELEASE statement"),
            // The statement may have ended the transaction itself, by INSERT … EXEC.
            Err(error) if self.session.transactions == 0 => Err(error),
            Err(error) => {
                self.store().execute("ROLLBACK TO statement")?;
                self.store().execute("RELEASE statement")?;
                self.store().forget_indexes();
                self.catalog = before.catalog;
                self.session.temporary = before.temporary;
                Err(error)
            }
        }
    }
}
