//! What the pipeline knows of a partition in wall-clock time: when its records came, and whether it is at its end.

use std::collections::VecDeque;

use tokio::time::{Duration, Instant};

/// An assigned partition.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Records that were pushed and not yet consumed, by arrival.
    arrivals: VecDeque<Arrival>,
    /// Bytes of those records.
    bytes: usize,
    /// As the source last told.
    pub(super) at_end: bool,
    /// Whether the source was told to keep its records.
    pub(super) held: bool,
}

#[derive(Debug)]
struct Arrival {
    at: Instant,
    last_offset: i64,
    bytes: usize,
}

impl Lane {
    pub(super) fn arrived(&mut self, at: Instant, offset: i64, bytes: usize) {
        self.bytes += bytes;
        self.at_end = false;
        match self.arrivals.back_mut() {
            Some(last) if last.at == at => {
                last.last_offset = offset;
                last.bytes += bytes;
            }
            _ => self.arrivals.push_back(Arrival { at, last_offset: offset, bytes }),
        }
    }

    pub(super) fn consumed(&mut self, next_offset: i64) {
        while self.arrivals.front().is_some_and(|first| first.last_offset < next_offset) {
            let first = self.arrivals.pop_front().expect("just seen");
            self.bytes -= first.bytes;
        }
    }

    /// Bytes that came and were not consumed, to the granularity of a poll.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When its first record that is not consumed came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.arrivals.front().map(|arrival| arrival.at)
    }

    pub(super) fn newest(&self) -> Option<Instant> {
        self.arrivals.back().map(|arrival| arrival.at)
    }

    /// When the merge may go on without what this partition could still bring, for a commit that came at `head`; `None`
    /// while it has more to offer.
    pub(super) fn patience(&self, head: Instant, max_idle: Duration) -> Option<Instant> {
        self.at_end.then(|| self.newest().map_or(head, |newest| newest.max(head)) + max_idle)
    }
}

/// For how long no data has come.
#[derive(Debug)]
pub(super) struct Silence {
    /// Silence counts only while heartbeats come: a quiet database, not a dead connector.
    needs_heartbeats: bool,
    since: Option<Instant>,
    heartbeat: Option<Instant>,
}

impl Silence {
    pub(super) fn new(needs_heartbeats: bool) -> Self {
        Self { needs_heartbeats, since: None, heartbeat: None }
    }

    /// Data came, or may yet.
    pub(super) fn broken(&mut self, now: Instant) {
        self.since = (!self.needs_heartbeats).then_some(now);
        self.heartbeat = None;
    }

    /// A connector that was not heard of for half of `limit` counts as dead in between: silence starts anew.
    pub(super) fn heartbeat(&mut self, now: Instant, limit: Duration) {
        if self.needs_heartbeats {
            if self.heartbeat.is_none_or(|last| now - last > limit / 2) {
                self.since = Some(now);
            }
            self.heartbeat = Some(now);
        }
    }

    /// When to look again, if nothing happens before.
    pub(super) fn due(&self, limit: Duration) -> Option<Instant> {
        if self.needs_heartbeats { None } else { self.since.map(|since| since + limit) }
    }

    /// Whether there was silence for `limit`. Says so once.
    pub(super) fn take(&mut self, now: Instant, limit: Duration) -> bool {
        let until = if self.needs_heartbeats { self.heartbeat } else { Some(now) };
        let over = self.since.zip(until).is_some_and(|(since, until)| until.saturating_duration_since(since) >= limit);
        if over && !self.needs_heartbeats {
            self.since = None;
        } else if over {
            // the next heartbeats count from here; there is nothing open that they could close twice
            self.since = self.heartbeat;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_over_the_limit_from_the_limit_on_and_only_once() {
        let start = Instant::now();
        let mut silence = Silence::new(false);
        silence.broken(start);
        assert_eq!(silence.due(LIMIT), Some(start + LIMIT));
        assert!(!silence.take(start + LIMIT - Duration::from_millis(1), LIMIT));
        assert!(silence.take(start + LIMIT, LIMIT));
        assert!(!silence.take(start + LIMIT * 2, LIMIT));
    }

    #[test]
    fn with_a_heartbeat_topic_silence_counts_only_while_heartbeats_come() {
        let start = Instant::now();
        let mut silence = Silence::new(true);
        silence.broken(start);
        assert!(!silence.take(start + LIMIT * 10, LIMIT), "no heartbeat, no silence");
        for second in [0, 30, 59] {
            silence.heartbeat(start + seconds(second), LIMIT);
            assert!(!silence.take(start + seconds(second), LIMIT));
        }
        silence.heartbeat(start + seconds(60), LIMIT);
        assert!(silence.take(start + seconds(60), LIMIT));
    }

    #[test]
    fn a_connector_that_was_dead_in_between_starts_the_silence_anew() {
        let start = Instant::now();
        let mut silence = Silence::new(true);
        silence.heartbeat(start, LIMIT);
        silence.heartbeat(start + seconds(31), LIMIT);
        silence.heartbeat(start + seconds(61), LIMIT);
        assert!(!silence.take(start + seconds(61), LIMIT));
        silence.heartbeat(start + seconds(91), LIMIT);
        assert!(silence.take(start + seconds(91), LIMIT));
    }

    #[test]
    fn patience_counts_from_the_later_of_the_commit_and_the_own_last_record_and_only_at_the_end() {
        let start = Instant::now();
        let mut lane = Lane::default();
        assert_eq!(lane.patience(start, seconds(1)), None, "it may have more to offer");
        lane.at_end = true;
        assert_eq!(lane.patience(start, seconds(1)), Some(start + seconds(1)));
        lane.arrived(start + seconds(3), 7, 100);
        lane.at_end = true;
        assert_eq!(lane.patience(start, seconds(1)), Some(start + seconds(4)));
        lane.consumed(7);
        assert_eq!((lane.bytes(), lane.newest().is_some()), (100, true), "offset 7 itself is still to come");
        lane.consumed(8);
        assert_eq!((lane.bytes(), lane.newest()), (0, None));
        assert_eq!(lane.patience(start, seconds(1)), Some(start + seconds(1)));
    }
}
