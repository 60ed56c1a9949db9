//! What change data capture keeps for those who ask: the change tables, and the times of commits.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::NaiveDateTime;

use super::capture::CapturedColumn;
use super::catalog::{Capture, Table, same};
use super::engine::Engine;
use super::lsn::Lsn;
use super::store::Row;
use super::value::compare::Key;
use super::value::{Type, Value};

/// Older changes are forgotten: a replay is not an archive.
const MOST_CHANGES: usize = 100_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    commits: VecDeque<(Lsn, NaiveDateTime)>,
}

/// One row of a change table.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The table's number.
    pub(crate) table: i64,
    pub(crate) start: Lsn,
    pub(crate) sequence: Lsn,
    /// 1 delete, 2 insert, 3 before and 4 after an update.
    pub(crate) operation: i64,
    pub(crate) columns: Arc<[CapturedColumn]>,
    pub(crate) values: Vec<Value>,
    /// Which of the columns an update changes.
    pub(crate) changed: Vec<bool>,
}

impl History {
    pub(crate) fn add(&mut self, commit: Lsn, at: NaiveDateTime, changes: Vec<Change>) {
        self.commits.push_back((commit, at));
        self.changes.extend(changes.into_iter().map(|change| Change { start: commit, ..change }));
        let over = self.changes.len().saturating_sub(MOST_CHANGES);
        self.changes.drain(..over);
        let over = self.commits.len().saturating_sub(MOST_CHANGES);
        self.commits.drain(..over);
    }

    pub(crate) fn last(&self) -> Option<Lsn> {
        self.commits.back().map(|(lsn, _)| *lsn)
    }

    /// The time of a commit.
    pub(crate) fn time_of(&self, lsn: Lsn) -> Option<NaiveDateTime> {
        self.commits.iter().find(|(commit, _)| *commit == lsn).map(|(_, at)| *at)
    }

    /// The commit next to a moment: `smallest` or `largest`, `greater` or `less` than, perhaps `or equal`.
    pub(crate) fn commit_near(&self, relation: &str, at: NaiveDateTime) -> Option<Lsn> {
        let relation = relation.to_lowercase();
        let or_equal = relation.contains("or equal");
        let fits = |commit: &NaiveDateTime| match commit.cmp(&at) {
            std::cmp::Ordering::Equal => or_equal,
            order => order.is_gt() == relation.contains("greater"),
        };
        let mut fitting = self.commits.iter().filter(|(_, commit)| fits(commit)).map(|(lsn, _)| *lsn);
        if relation.starts_with("smallest") { fitting.next() } else { fitting.next_back() }
    }
}

/// An instance of capture, found by its name.
pub(crate) struct Instance {
    pub(crate) table: Arc<Table>,
    pub(crate) columns: Vec<String>,
    pub(crate) start: Lsn,
}

const LSN: Type = Type::Binary(10);

impl Engine {
    pub(crate) fn instance(&self, database: &str, name: &str) -> Option<Instance> {
        let tables = self.catalog.tables().filter(|table| same(&table.database, database));
        tables.into_iter().find_map(|table| {
            let Capture { instance, columns, start, older, .. } = table.capture.as_ref()?;
            let (columns, start) = match older {
                _ if same(instance, name) => (columns, *start),
                Some(older) if same(&older.instance, name) => (&older.columns, older.start),
                _ => return None,
            };
            Some(Instance { table: Arc::clone(table), columns: columns.clone(), start })
        })
    }

    fn changes_of<'h>(&'h self, instance: &'h Instance) -> impl Iterator<Item = &'h Change> {
        let from = instance.start;
        self.history.changes.iter().filter(move |change| change.table == instance.table.id && change.start >= from)
    }

    /// A captured column's type in an instance.
    fn types(instance: &Instance) -> Vec<(String, Type)> {
        let of = |name: &String| instance.table.column(name).map_or(Type::NVarChar(None), |at| instance.table.columns[at].ty);
        instance.columns.iter().map(|name| (name.clone(), of(name))).collect()
    }

    /// `cdc.<instance>_CT`.
    pub(crate) fn change_table(&self, instance: &Instance) -> (Vec<(String, Type)>, Vec<Row>) {
        let mut columns = named(&[
            ("__$start_lsn", LSN),
            ("__$end_lsn", LSN),
            ("__$seqval", LSN),
            ("__$operation", Type::Int),
            ("__$update_mask", Type::VarBinary(Some(128))),
        ]);
        columns.extend(Self::types(instance));
        columns.push(("__$command_id".to_owned(), Type::Int));
        let row = |change: &Change| {
            let head = [change.start.to_value(), Value::Null, change.sequence.to_value(), Value::Int(change.operation)];
            let mut row: Row = head.into();
            row.push(change.mask(instance));
            row.extend(change.image(instance));
            row.push(Value::Int(1));
            row
        };
        (columns, self.changes_of(instance).map(row).collect())
    }

    /// The columns of `cdc.fn_cdc_get_all_changes_<instance>` and `cdc.fn_cdc_get_net_changes_<instance>`.
    pub(crate) fn changes_columns(instance: &Instance, net: bool) -> Vec<(String, Type)> {
        let mut columns = named(&[("__$start_lsn", LSN)]);
        if !net {
            columns.extend(named(&[("__$seqval", LSN)]));
        }
        columns.extend(named(&[("__$operation", Type::Int), ("__$update_mask", Type::VarBinary(Some(128)))]));
        columns.extend(Self::types(instance));
        columns
    }

    /// Every change between two positions, both included; the row before an update when `old`.
    pub(crate) fn all_changes(&self, instance: &Instance, from: Lsn, to: Lsn, old: bool) -> Vec<Row> {
        let wanted = |change: &&Change| from <= change.start && change.start <= to && (old || change.operation != 3);
        let row = |change: &Change| {
            let head = [change.start.to_value(), change.sequence.to_value(), Value::Int(change.operation), change.mask(instance)];
            let mut row: Row = head.into();
            row.extend(change.image(instance));
            row
        };
        self.changes_of(instance).filter(wanted).map(row).collect()
    }

    /// One row for each row that is different at the end.
    pub(crate) fn net_changes(&self, instance: &Instance, from: Lsn, to: Lsn) -> Vec<Row> {
        let key = instance.table.primary_key().map(|key| key.columns.clone()).unwrap_or_default();
        let key_of = |change: &Change| -> Vec<Key> {
            let names = key.iter().map(|at| &instance.table.columns[*at].name);
            names.map(|name| Key::of(&change.value(name))).collect()
        };
        let mut rows: Vec<(Vec<Key>, i64, &Change)> = Vec::new();
        let within = |change: &&Change| from <= change.start && change.start <= to && change.operation != 3;
        for change in self.changes_of(instance).filter(within) {
            let key = key_of(change);
            match rows.iter_mut().find(|(other, ..)| *other == key) {
                Some((_, _, last)) => *last = change,
                None => rows.push((key, change.operation, change)),
            }
        }
        let row = |(_, first, last): (Vec<Key>, i64, &Change)| {
            let operation = match (first, last.operation) {
                (2, 1) => return None,
                (_, 1) => 1,
                (2, _) => 2,
                _ => 4,
            };
            let mut row: Row = vec![last.start.to_value(), Value::Int(operation), Value::Null];
            row.extend(last.image(instance));
            Some(row)
        };
        rows.into_iter().filter_map(row).collect()
    }

    /// `cdc.lsn_time_mapping`.
    pub(crate) fn commit_times(&self) -> Vec<Row> {
        let row = |(lsn, at): &(Lsn, NaiveDateTime)| vec![lsn.to_value(), Value::DateTime(*at), Value::DateTime(*at)];
        self.history.commits.iter().map(row).collect()
    }
}

fn named(columns: &[(&str, Type)]) -> Vec<(String, Type)> {
    columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect()
}

impl Change {
    fn value(&self, column: &str) -> Value {
        let at = self.columns.iter().position(|c| same(&c.name, column));
        at.and_then(|at| self.values.get(at)).cloned().unwrap_or(Value::Null)
    }

    fn image(&self, instance: &Instance) -> Vec<Value> {
        instance.columns.iter().map(|name| self.value(name)).collect()
    }

    /// A bit for each captured column, the first in the last byte; all of an insert and a delete.
    fn mask(&self, instance: &Instance) -> Value {
        let mut bytes = vec![0_u8; instance.columns.len().div_ceil(8)];
        for (at, name) in instance.columns.iter().enumerate() {
            let place = self.columns.iter().position(|c| same(&c.name, name));
            let set = self.operation < 3 || place.and_then(|place| self.changed.get(place)).copied().unwrap_or(false);
            let byte = bytes.len() - 1 - at / 8;
            bytes[byte] |= u8::from(set) << (at % 8);
        }
        Value::Binary(bytes.into())
    }
}
