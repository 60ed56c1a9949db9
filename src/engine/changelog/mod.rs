//! The changelog: state as it outlives the process.
//!
//! ```text
//!  a batch ─► touched windows, moved positions, clock ─► records, in the batch's transaction
//!  an assignment ─► records, the last of each key ─► Restored ─► Engine
//! ```
//!
//! A partition of the changelog holds what belongs to the input partitions of its number:
//!
//! | key | value |
//! |---|---|
//! | `window/<key>` | what is open for the key, in the domain's form |
//! | `position/<topic>` | how far the topic's partition was consumed, and what was seen of its highest commit |
//! | `seen/<topic>/<n>` | more of what was seen, where a commit is large |
//! | `clock` | stream time and sequence of the engine that wrote last |
//!
//! A value is a byte that tells the version, then postcard.

mod restore;

pub(super) use restore::{BEGIN_ANEW, Rebuild, Restored};
pub use restore::{ChangelogError, ChangelogRecord};

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;

use super::Key;
use super::clock::ClockRecord;
use super::domain::Domain;
use super::merge::Partition;
use super::ports::StateChange;
use super::position::PositionChange;
use super::store::StateStore;

/// Of positions and clocks; windows have the domain's.
const VERSION: u8 = 1;

const CLOCK: &str = "clock";
const POSITION: &str = "position/";
const SEEN: &str = "seen/";
const WINDOW: &str = "window/";

/// Writes down what changed: in the order of partitions, then keys.
pub(super) fn changes<D: Domain>(
    touched: Vec<(Key, Option<i32>)>,
    store: &StateStore<D::Window>,
    positions: Vec<(Partition, PositionChange)>,
    clock: Option<ClockRecord>,
) -> Result<Vec<StateChange>, ChangelogError> {
    let mut changes = Vec::new();
    for (key, before) in touched {
        let record_key = format!("{WINDOW}{key}");
        let now = store.with(&key, |window, home| encode(D::WINDOW_VERSION, window, &record_key).map(|value| (home, value)));
        let now = now.transpose()?;
        if let Some(before) = before
            && now.as_ref().is_none_or(|(home, _)| *home != before)
        {
            changes.push(StateChange { partition: before, key: record_key.clone(), value: None });
        }
        // what opened and closed since the last batch writes nothing
        changes.extend(now.map(|(partition, value)| StateChange { partition, key: record_key, value: Some(value) }));
    }
    for (Partition { topic, partition }, change) in positions {
        let key = format!("{POSITION}{topic}");
        let value = Some(encode(VERSION, &change.record, &key)?);
        changes.push(StateChange { partition, key, value });
        for (page, record) in change.pages {
            let key = format!("{SEEN}{topic}/{page}");
            let value = record.map(|record| encode(VERSION, &record, &key)).transpose()?;
            changes.push(StateChange { partition, key, value });
        }
    }
    if let Some(clock) = clock {
        let partitions: BTreeSet<i32> = changes.iter().map(|change| change.partition).collect();
        for partition in partitions {
            changes.push(StateChange { partition, key: CLOCK.to_owned(), value: Some(encode(VERSION, &clock, CLOCK)?) });
        }
    }
    changes.sort_by(|a, b| (a.partition, &a.key).cmp(&(b.partition, &b.key)));
    Ok(changes)
}

fn encode<T: Serialize>(version: u8, value: &T, key: &str) -> Result<Vec<u8>, ChangelogError> {
    postcard::to_extend(value, vec![version]).map_err(|error| {
        // a window's key names an agreement
        let kind: Cow<'_, str> = if key.starts_with(WINDOW) { "a window".into() } else { key.to_owned().into() };
        ChangelogError::new(format!("{kind} cannot be written to the changelog: {error}"), None)
    })
}
