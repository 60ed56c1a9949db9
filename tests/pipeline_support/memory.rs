//! Ports in memory: partitions that a test fills, and a sink that fails when told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidewaiter::engine::Partition;
use tidewaiter::engine::changelog::{ChangelogError, ChangelogRecord};
use tidewaiter::engine::ports::{
    Attempt, Batch, CommitError, OwnedRecord, Polled, RestorePage, Revocation, SharedInput, Sink, Source, SourceError,
    StateChange,
};
use tidewaiter::event::{Origin, Topic};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The broker's side, shared by the ports and the test.
#[derive(Clone, Debug, Default)]
pub struct Broker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    logs: BTreeMap<Partition, Vec<OwnedRecord>>,
    /// Partitions that have more than they show: not at their end, whatever was read.
    lagging: Vec<Partition>,
    positions: BTreeMap<Partition, usize>,
    held: Vec<Partition>,
    events: VecDeque<Polled>,
    revoking: bool,
    closed: bool,
    polls: usize,
    batches: Vec<Batch>,
    refusals: VecDeque<CommitError>,
    delay: Duration,
    attempts: usize,
    /// What was given last, and when it is done.
    in_flight: Option<(Arc<Batch>, Instant)>,
    /// What of the changelog is yet to be read back.
    restore: VecDeque<ChangelogRecord>,
    /// Why it cannot be.
    unreadable: Option<ChangelogError>,
    /// Why it has to wait first.
    delayed: Option<String>,
}

impl Broker {
    pub fn with(partitions: &[Partition]) -> Self {
        let broker = Self::default();
        for partition in partitions {
            broker.state(|state| state.logs.insert(*partition, Vec::new()));
        }
        broker.assign();
        broker
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = act(&mut self.0.state.lock().unwrap());
        self.0.changed.notify_one();
        result
    }

    pub fn append(&self, record: OwnedRecord) {
        self.state(|state| {
            let log = state.logs.get_mut(&Partition::from(record.origin)).unwrap();
            assert_eq!(usize::try_from(record.origin.offset).unwrap(), log.len());
            log.push(record);
        });
    }

    /// Gives all partitions to the source, from the committed offsets on.
    pub fn assign(&self) {
        let committed = self.offsets();
        self.state(|state| {
            let partitions: BTreeMap<_, _> =
                state.logs.keys().map(|partition| (*partition, committed.get(partition).copied())).collect();
            for (partition, next) in &partitions {
                state.positions.insert(*partition, usize::try_from(next.unwrap_or(0)).unwrap());
            }
            state.revoking = false;
            state.events.push_back(Polled::Assigned(partitions));
        });
    }

    /// Takes all partitions away; the receiver resolves when the pipeline has let go.
    pub fn revoke(&self) -> oneshot::Receiver<()> {
        self.take_away(false)
    }

    /// As [`Self::revoke`], but they are gone already.
    pub fn lose_partitions(&self) -> oneshot::Receiver<()> {
        self.take_away(true)
    }

    fn take_away(&self, lost: bool) -> oneshot::Receiver<()> {
        let (released, receiver) = oneshot::channel();
        self.state(|state| {
            let partitions = std::mem::take(&mut state.positions).into_keys().collect();
            state.revoking = true;
            state.events.push_back(Polled::Revoked(Revocation { partitions, lost, released: Some(released) }));
        });
        receiver
    }

    /// Says of the assignment that comes next that others have other partitions.
    pub fn announce(&self, shared: SharedInput) {
        self.state(|state| state.events.push_front(Polled::Shared(shared)));
    }

    pub fn unavailable(&self, why: &str) {
        self.state(|state| state.events.push_front(Polled::Unavailable(why.to_owned())));
    }

    /// The next restore has to wait first.
    pub fn delay_restore(&self, why: &str) {
        self.state(|state| state.delayed = Some(why.to_owned()));
    }

    pub fn heartbeat(&self) {
        self.state(|state| state.events.push_back(Polled::Heartbeat));
    }

    pub fn lag(&self, partition: Partition, lagging: bool) {
        self.state(|state| {
            state.lagging.retain(|known| *known != partition);
            if lagging {
                state.lagging.push(partition);
            }
            state.events.push_back(Polled::Ends);
        });
    }

    pub fn refuse(&self, error: CommitError) {
        self.state(|state| state.refusals.push_back(error));
    }

    pub fn batches(&self) -> Vec<Batch> {
        self.state(|state| state.batches.clone())
    }

    /// Changes what was committed, as nobody should.
    pub fn tamper(&self, change: impl FnOnce(&mut Vec<Batch>)) {
        self.state(|state| change(&mut state.batches));
    }

    pub fn delay_commits(&self, delay: Duration) {
        self.state(|state| state.delay = delay);
    }

    /// How often a batch was offered.
    pub fn attempts(&self) -> usize {
        self.state(|state| state.attempts)
    }

    pub fn alerts(&self) -> Vec<String> {
        let batches = self.batches();
        let alerts = batches.iter().flat_map(|batch| &batch.alerts);
        alerts.map(|alert| String::from_utf8(alert.body.clone()).unwrap()).collect()
    }

    pub fn offsets(&self) -> BTreeMap<Partition, i64> {
        self.batches().into_iter().flat_map(|batch| batch.offsets).collect()
    }

    pub fn held(&self) -> Vec<Partition> {
        self.state(|state| state.held.clone())
    }

    pub fn closed(&self) -> bool {
        self.state(|state| state.closed)
    }
}

impl State {
    fn next(&mut self, limit: usize) -> Option<Polled> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let mut records = Vec::new();
        for (partition, position) in &mut self.positions {
            if self.held.contains(partition) {
                continue;
            }
            let log = &self.logs[partition];
            let take = (log.len() - *position).min(limit - records.len());
            records.extend_from_slice(&log[*position..*position + take]);
            *position += take;
        }
        (!records.is_empty()).then_some(Polled::Records(records))
    }
}

impl State {
    /// Ends what is in flight.
    fn commit(&mut self) -> Result<(), CommitError> {
        let (batch, _) = self.in_flight.take().unwrap();
        self.attempts += 1;
        match self.refusals.pop_front() {
            Some(error) => Err(error),
            None => {
                self.batches.push(Batch::clone(&batch));
                Ok(())
            }
        }
    }
}

impl Source for Broker {
    async fn poll(&mut self, limit: usize) -> Result<Polled, SourceError> {
        loop {
            if let Some(polled) = self.0.state.lock().unwrap().next(limit) {
                return Ok(polled);
            }
            self.0.changed.notified().await;
        }
    }

    async fn revoking(&mut self) {
        while !self.0.state.lock().unwrap().revoking {
            self.0.changed.notified().await;
        }
    }

    fn rewind(&mut self) {
        if !self.0.state.lock().unwrap().positions.is_empty() {
            self.assign();
        }
    }

    fn resume_at(&mut self, positions: &BTreeMap<Partition, i64>) {
        let mut state = self.0.state.lock().unwrap();
        for (partition, offset) in positions {
            state.positions.insert(*partition, usize::try_from(*offset).unwrap());
        }
    }

    fn hold(&mut self, partition: Partition, hold: bool) {
        let mut state = self.0.state.lock().unwrap();
        state.held.retain(|held| *held != partition);
        if hold {
            state.held.push(partition);
        }
    }

    fn at_end(&self, partition: Partition) -> bool {
        let state = self.0.state.lock().unwrap();
        let lagging = state.lagging.contains(&partition);
        !lagging && state.positions.get(&partition).is_some_and(|position| *position == state.logs[&partition].len())
    }

    fn look_again(&mut self) {
        // at_end looks at the log itself
    }

    async fn close(&mut self) {
        self.0.state.lock().unwrap().closed = true;
    }
}

impl Sink for Broker {
    fn commit(&mut self, batch: &Arc<Batch>) {
        self.state(|state| state.in_flight = Some((Arc::clone(batch), Instant::now() + state.delay)));
    }

    async fn committed(&mut self) -> Attempt {
        let done = self.0.state.lock().unwrap().in_flight.as_ref().unwrap().1;
        tokio::time::sleep_until(done).await;
        let result = self.0.state.lock().unwrap().commit();
        Attempt { result, ended: done }
    }

    fn restore(&mut self, partitions: &BTreeSet<Partition>) {
        // one that nobody waited for happens all the same, or does not
        if self.0.state.lock().unwrap().in_flight.is_some() {
            self.0.state.lock().unwrap().commit().ok();
        }
        let numbers: BTreeSet<i32> = partitions.iter().map(|partition| partition.partition).collect();
        self.state(|state| {
            let mut offsets: BTreeMap<i32, i64> = BTreeMap::new();
            let changes = state.batches.iter().flat_map(|batch| &batch.changelog);
            let own = changes.filter(|change| numbers.contains(&change.partition));
            let record = |change: &StateChange| {
                let next = offsets.entry(change.partition).or_default();
                let origin = Origin { topic: Topic::intern("changelog"), partition: change.partition, offset: *next };
                *next += 1;
                ChangelogRecord { origin, key: Some(change.key.clone().into_bytes()), value: change.value.clone() }
            };
            state.restore = own.map(record).collect();
        });
    }

    async fn restored(&mut self) -> Result<Option<RestorePage>, ChangelogError> {
        let mut state = self.0.state.lock().unwrap();
        if let Some(error) = state.unreadable.take() {
            return Err(error);
        }
        if let Some(why) = state.delayed.take() {
            return Ok(Some(RestorePage { delayed: Some(why), ..RestorePage::default() }));
        }
        let total = state.restore.len() as u64;
        let take = state.restore.len().min(100);
        let records: Vec<_> = state.restore.drain(..take).collect();
        Ok((!records.is_empty()).then_some(RestorePage { read: records.len() as u64, total, records, delayed: None }))
    }
}
