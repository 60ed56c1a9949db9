//! Triggers: they run behind the statement that writes, inside its transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::catalog::{Defined, Object, Table, Trigger};
use super::super::engine::{Engine, Frame, RunningTrigger};
use super::super::error::{SqlError, SqlResult};
use super::super::store::Row;
use super::super::syntax::ast::{ObjectName, TriggerEvents};
use super::Context;
use super::flow::MAX_NESTING;
use super::output::Written;

/// Whether a trigger fires after one kind of event.
type Wanted = fn(TriggerEvents) -> bool;

/// What a statement wrote, for the triggers of one kind of event.
struct Fired {
    deleted: Vec<Row>,
    inserted: Vec<Row>,
    /// The columns that are set; `None` is all.
    set: Option<Vec<String>>,
}

impl Engine {
    /// The triggers that fire after any of these events, and what they are to see.
    pub(super) fn fire(
        &mut self,
        table: &Arc<Table>,
        events: TriggerEvents,
        written: &[Written],
        set: &[usize],
        context: &mut Context<'_>,
    ) -> SqlResult<()> {
        let kinds: [(&str, bool, Wanted); 3] = [
            ("INSERT", events.insert, |events| events.insert),
            ("UPDATE", events.update, |events| events.update),
            ("DELETE", events.delete, |events| events.delete),
        ];
        for (action, happens, wanted) in kinds {
            let triggers = if happens { self.triggers(table, wanted) } else { Vec::new() };
            if triggers.is_empty() {
                continue;
            }
            let rows = |image: fn(&Written) -> Option<&Row>| {
                written.iter().filter(|one| one.action == action).filter_map(image).cloned().collect::<Vec<Row>>()
            };
            let names = || -> Vec<String> { set.iter().map(|at| table.columns[*at].name.clone()).collect() };
            let fired = Fired {
                deleted: rows(|one| one.old.as_ref()),
                inserted: rows(|one| one.new.as_ref()),
                set: match action {
                    "INSERT" => None,
                    "UPDATE" => Some(names()),
                    _ => Some(Vec::new()),
                },
            };
            for trigger in triggers {
                self.run_trigger(table, &trigger, &fired, context)?;
            }
        }
        Ok(())
    }

    pub(super) fn has_trigger(&self, table: &Table) -> bool {
        let of_table = |object: &Object| matches!(object, Object::Trigger(trigger) if trigger.definition.table == table.id);
        self.catalog.database(&table.database).is_some_and(|database| database.objects.values().any(of_table))
    }

    /// The enabled triggers of a table, the oldest first; not the one that runs, for triggers do not fire themselves.
    fn triggers(&self, table: &Table, wanted: Wanted) -> Vec<Arc<Defined<Trigger>>> {
        let Some(database) = self.catalog.database(&table.database) else { return Vec::new() };
        let running = self.session.frames.iter().rev().find_map(|frame| frame.trigger.as_ref()).map(|trigger| trigger.id);
        let fires = |trigger: &Defined<Trigger>| {
            let definition = &trigger.definition;
            definition.table == table.id && definition.enabled && wanted(definition.events) && running != Some(trigger.id)
        };
        let mut triggers: Vec<_> = database
            .objects
            .values()
            .filter_map(|object| match object {
                Object::Trigger(trigger) if fires(trigger) => Some(Arc::clone(trigger)),
                _ => None,
            })
            .collect();
        triggers.sort_by_key(|trigger| trigger.id);
        triggers
    }

    fn run_trigger(
        &mut self,
        table: &Arc<Table>,
        trigger: &Defined<Trigger>,
        fired: &Fired,
        context: &mut Context<'_>,
    ) -> SqlResult<()> {
        if self.session.frames.len() > MAX_NESTING {
            let message = "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
            return Err(SqlError::new(217, message));
        }
        let mut frame = Frame { procedure: Some(trigger.name.clone()), ..Frame::default() };
        frame.trigger = Some(RunningTrigger { id: trigger.id, set: fired.set.clone() });
        for (name, rows) in [("inserted", &fired.inserted), ("deleted", &fired.deleted)] {
            frame.tables.insert(name.to_owned(), self.image_table(table, name, rows)?);
        }
        // The statement is a transaction of its own, which the trigger runs inside.
        let alone = self.session.transactions == 0;
        if alone {
            self.session.transactions = 1;
        }
        let (options, row_count) = (self.session.options, self.session.row_count);
        let database = std::mem::replace(&mut self.session.database, trigger.database.clone());
        let temporary: BTreeSet<String> = self.session.temporary.keys().cloned().collect();
        let depth = self.session.frames.len();
        self.session.options.xact_abort = true;
        self.session.frames.push(frame);
        let flow = self.run_list(&trigger.definition.body.body, context);
        let mut tables: Vec<Arc<Table>> = self.session.frames.drain(depth..).flat_map(Frame::into_tables).collect();
        let own: Vec<String> = self.session.temporary.keys().filter(|name| !temporary.contains(*name)).cloned().collect();
        tables.extend(own.iter().filter_map(|name| self.session.temporary.remove(name)));
        (self.session.options, self.session.row_count) = (options, row_count);
        self.session.database = database;
        let rolled_back = self.session.transactions == 0;
        if alone {
            self.session.transactions = 0;
        }
        for table in tables {
            self.store().drop_table(&table)?;
        }
        if let Err(thrown) = flow {
            let place = format!("in the trigger {}, {}:{}", trigger.name, thrown.file, thrown.line);
            let hint = thrown.error.hint.as_ref().map_or_else(|| place.clone(), |hint| format!("{hint}; {place}"));
            return Err(SqlError { dooms: true, ..thrown.error.with_hint(hint) });
        }
        if rolled_back {
            let message = "The transaction ended in the trigger. The batch has been aborted.";
            return Err(SqlError::new(3609, message).with_hint(format!("the trigger {} rolls back", trigger.name)));
        }
        Ok(())
    }

    /// A table of the same columns, without any rules.
    fn image_table(&mut self, table: &Table, name: &str, rows: &[Row]) -> SqlResult<Arc<Table>> {
        let mut image = self.new_table(&ObjectName::bare(format!("@{name}")))?;
        image.columns.clone_from(&table.columns);
        for column in &mut image.columns {
            column.identity = None;
            column.default = None;
            column.computed = None;
            column.row_version = false;
        }
        self.store().create_table(&image)?;
        for row in rows {
            self.store().insert(&image, None, &row[1..])?;
        }
        Ok(Arc::new(image))
    }

    pub(crate) fn trigger_level(&self) -> i64 {
        let running = self.session.frames.iter().filter(|frame| frame.trigger.is_some()).count();
        i64::try_from(running).unwrap_or(i64::MAX)
    }
}
