//! The way back: records of the changelog in, state out.

use std::collections::BTreeMap;

use foldhash::HashMap;
use serde::de::DeserializeOwned;

use super::{CLOCK, POSITION, SEEN, VERSION, WINDOW};
use crate::engine::clock::ClockRecord;
use crate::engine::dedupe::Dedupe;
use crate::engine::position::{PageRecord, Position, PositionRecord};
use crate::engine::{Domain, Key, Partition};
use crate::event::{Origin, Topic};

/// A record as it was read back.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangelogRecord {
    /// Its place in the changelog.
    pub origin: Origin,
    pub key: Option<Vec<u8>>,
    /// `None` where nothing is open any more.
    pub value: Option<Vec<u8>>,
}

impl std::fmt::Debug for ChangelogRecord {
    /// Where it lies and no more: windows hold personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChangelogRecord({})", self.origin)
    }
}

/// State that cannot be written down or read back.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ChangelogError {
    /// Names topic, partition and offset.
    pub detail: String,
    /// What an operator can do about it.
    pub hint: Option<String>,
}

impl ChangelogError {
    #[must_use]
    pub fn new(detail: impl Into<String>, hint: Option<&str>) -> Self {
        Self { detail: detail.into(), hint: hint.map(str::to_owned) }
    }
}

/// What to do when the state is not to be had any more.
pub(in crate::engine) const BEGIN_ANEW: &str = "to begin anew without what was open: stop every member, delete the changelog topic, and \
     delete the group's offsets (kafka-consumer-groups --delete); source.start then says where reading begins";

/// The last record of each key, as far as the changelog was read.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rebuild {
    /// By partition of the changelog, and key.
    latest: BTreeMap<i32, Latest>,
}

type Latest = HashMap<Vec<u8>, (Origin, Vec<u8>)>;

/// State as it was when the last batch was committed.
#[derive(Debug)]
pub(in crate::engine) struct Restored<D: Domain> {
    /// Each with its home.
    pub(in crate::engine) windows: Vec<(Key, i32, D::Window)>,
    pub(in crate::engine) positions: BTreeMap<Partition, (Position, Dedupe)>,
    /// By partition of the changelog.
    pub(in crate::engine) clocks: BTreeMap<i32, ClockRecord>,
}

impl<D: Domain> Default for Restored<D> {
    fn default() -> Self {
        Self { windows: Vec::new(), positions: BTreeMap::new(), clocks: BTreeMap::new() }
    }
}

impl Rebuild {
    pub(in crate::engine) fn take(&mut self, record: ChangelogRecord) {
        let ChangelogRecord { origin, key, value } = record;
        // no record of ours is without a key: one that stays is refused in the end, as any other foreign one
        let key = key.unwrap_or_default();
        let latest = self.latest.entry(origin.partition).or_default();
        match value {
            Some(value) => drop(latest.insert(key, (origin, value))),
            None => drop(latest.remove(&key)),
        }
    }

    pub(in crate::engine) fn finish<D: Domain>(self) -> Result<Restored<D>, ChangelogError> {
        let mut restored = Restored::default();
        let mut positions: BTreeMap<Partition, (Origin, PositionRecord)> = BTreeMap::new();
        let mut pages: BTreeMap<Partition, BTreeMap<u32, PageRecord>> = BTreeMap::new();
        let latest = self.latest.into_iter().flat_map(|(partition, latest)| {
            latest.into_iter().map(move |(key, (origin, value))| (partition, key, origin, value))
        });
        for (partition, key, origin, value) in latest {
            let key = std::str::from_utf8(&key).map_err(|_| foreign(origin))?;
            if key == CLOCK {
                restored.clocks.insert(partition, decode(VERSION, &value, origin)?);
            } else if let Some(topic) = key.strip_prefix(POSITION) {
                let place = Partition { topic: Topic::intern(topic), partition };
                positions.insert(place, (origin, decode(VERSION, &value, origin)?));
            } else if let Some((topic, page)) = key.strip_prefix(SEEN).and_then(|key| key.rsplit_once('/')) {
                let page = page.parse().map_err(|_| foreign(origin))?;
                let place = Partition { topic: Topic::intern(topic), partition };
                pages.entry(place).or_default().insert(page, decode(VERSION, &value, origin)?);
            } else if let Some(key) = key.strip_prefix(WINDOW) {
                restored.windows.push((Key::from(key), partition, decode(D::WINDOW_VERSION, &value, origin)?));
            } else {
                return Err(foreign(origin));
            }
        }
        for (partition, (origin, record)) in positions {
            let pages = pages.remove(&partition).unwrap_or_default();
            let written = pages.last_key_value().map_or(0, |(last, _)| last + 1);
            let commit = record.commit();
            let count = record.pages;
            let own: Vec<PageRecord> = pages
                .into_iter()
                .filter(|(page, record)| *page < count && Some(record.commit) == commit)
                .map(|(_, own)| own)
                .collect();
            if own.len() != usize::try_from(count).unwrap_or(usize::MAX) {
                let detail =
                    format!("{origin}: the position of {partition} has {count} pages, the changelog {} of them", own.len());
                return Err(ChangelogError::new(detail, Some(BEGIN_ANEW)));
            }
            restored.positions.insert(partition, Position::restored(record, &own, written));
        }
        Ok(restored)
    }
}

fn foreign(origin: Origin) -> ChangelogError {
    let hint = "the topic named under [changelog] belongs to tidewaiter alone; give it one of its own";
    ChangelogError::new(format!("{origin}: not a record of a changelog"), Some(hint))
}

fn decode<T: DeserializeOwned>(version: u8, value: &[u8], origin: Origin) -> Result<T, ChangelogError> {
    match value.split_first() {
        Some((found, rest)) if *found == version => match postcard::take_from_bytes(rest) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(ChangelogError::new(format!("{origin}: a record of the changelog is too long"), Some(BEGIN_ANEW))),
            Err(error) => {
                Err(ChangelogError::new(format!("{origin}: a record of the changelog does not read: {error}"), Some(BEGIN_ANEW)))
            }
        },
        Some((found, _)) => {
            let hint = "run the version of tidewaiter that wrote it, or a later one that still reads it";
            let detail = format!("{origin}: a record of the changelog has version {found}, this program knows {version}");
            Err(ChangelogError::new(detail, Some(hint)))
        }
        None => Err(foreign(origin)),
    }
}
