//! A Kafka record as the engine sees it, wherever it came from.

use std::fmt;
use std::sync::{LazyLock, RwLock};

use serde::{Deserialize, Serialize};

/// One record: borrowed, since most are decoded and forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub origin: Origin,
    /// `None` where the broker keeps no time.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// A record header; Kafka allows a null value and the same name twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a str,
    pub value: Option<&'a [u8]>,
}

impl Record<'_> {
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name == name)
    }
}

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// An interned topic name: four bytes in every origin instead of a string. Names are never freed; there are as many as
/// topics that were read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Topic(u32);

static TOPICS: LazyLock<RwLock<Vec<&'static str>>> = LazyLock::new(RwLock::default);

impl Topic {
    /// Cost: a lock and a walk over the known names. Readers keep their last topic at hand.
    #[must_use]
    pub fn intern(name: &str) -> Self {
        if let Some(known) = Self::find(&TOPICS.read().expect("no thread panics while it holds this lock"), name) {
            return known;
        }
        let mut topics = TOPICS.write().expect("no thread panics while it holds this lock");
        Self::find(&topics, name).unwrap_or_else(|| {
            topics.push(Box::leak(name.into()));
            Self(u32::try_from(topics.len() - 1).expect("fewer than 2³² topics"))
        })
    }

    fn find(topics: &[&'static str], name: &str) -> Option<Self> {
        topics.iter().position(|known| *known == name).and_then(|index| u32::try_from(index).ok()).map(Self)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        TOPICS.read().expect("no thread panics while it holds this lock")[self.0 as usize]
    }

    /// The table: what follows the last point.
    #[must_use]
    pub fn table(self) -> &'static str {
        let name = self.name();
        name.rsplit_once('.').map_or(name, |(_, table)| table)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialOrd for Topic {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Topic {
    /// By name: what is observable never hangs on the order in which topics were first seen.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self == other { std::cmp::Ordering::Equal } else { self.name().cmp(other.name()) }
    }
}

impl Serialize for Topic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer).map(|name| Self::intern(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_its_name() {
        let topic = Topic::intern("sentinel.SentinelMock.dbo.Transaction");
        assert_eq!(topic, Topic::intern("sentinel.SentinelMock.dbo.Transaction"));
        assert_eq!(topic.table(), "Transaction");
        assert_eq!(Topic::intern("Agreement").table(), "Agreement");
        assert!(Topic::intern("b.first.seen") > Topic::intern("a.second.seen"));
    }
}
