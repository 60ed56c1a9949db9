//! How alerts and verdict lines write the parts they share. Field order is part of the form.

use std::fmt;

use serde::{Serialize, Serializer};

use super::event::ChangeRef;
use crate::event::Lsn;

/// Anything as its text.
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A change as an alert names it.
#[derive(Serialize)]
pub(super) struct WrittenChange {
    topic: &'static str,
    partition: i32,
    offset: i64,
    table: &'static str,
    op: &'static str,
    commit_lsn: Lsn,
    change_lsn: Option<Lsn>,
    event_serial_no: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trans_counter: Option<i64>,
}

impl From<&ChangeRef> for WrittenChange {
    fn from(change: &ChangeRef) -> Self {
        let topic = change.origin.topic;
        Self {
            topic: topic.name(),
            partition: change.origin.partition,
            offset: change.origin.offset,
            table: topic.table(),
            op: change.op.code(),
            commit_lsn: change.commit,
            change_lsn: change.change_lsn,
            event_serial_no: change.event_serial_no,
            trans_counter: change.trans_counter,
        }
    }
}

pub(super) struct Changes<'a>(pub(super) &'a [ChangeRef]);

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(WrittenChange::from))
    }
}
