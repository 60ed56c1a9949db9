//! The broker, the group's coordinator and everything that can go wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidewaiter::engine::Partition;
use tidewaiter::engine::changelog::{ChangelogError, ChangelogRecord};
use tidewaiter::engine::lookup::{Lookup, LookupError};
use tidewaiter::engine::ports::{
    Attempt, Batch, CommitError, OwnedRecord, Polled, RestorePage, Revocation, Sink, Source, SourceError,
};
use tidewaiter::event::{Origin, Topic};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::input::{Input, NUMBERS, Random};

/// How much goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// A member crashes within so many steps.
    pub(crate) crash_within: u64,
    /// One commit in so many goes wrong.
    pub(crate) commit: u64,
    /// One look-up in so many fails.
    pub(crate) lookup: u64,
    /// A broken world, to show that it would be seen.
    pub(crate) forgets_windows: bool,
}

impl Faults {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::new(!seed);
        Self {
            crash_within: 10 + random.below(300),
            commit: 2 + random.below(12),
            lookup: 2 + random.below(12),
            forgets_windows: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    logs: BTreeMap<Partition, Vec<OwnedRecord>>,
    random: Random,
    faults: Option<Faults>,
    /// What is durable.
    batches: Vec<Batch>,
    members: BTreeMap<u64, Session>,
    generation: u64,
    /// Revocations that the coordinator waits for.
    releases: Vec<oneshot::Receiver<()>>,
    rebalancing: bool,
}

/// One life of a member.
#[derive(Debug, Default)]
struct Session {
    positions: BTreeMap<Partition, usize>,
    held: BTreeSet<Partition>,
    events: VecDeque<Polled>,
    revoking: bool,
    generation: u64,
    /// The generation whose state the pipeline has restored: its batches are of this one, whatever happened since.
    entered: u64,
    changed: Arc<Notify>,
    /// Committed, but the member was not told so.
    doubt: Option<Arc<Batch>>,
    restore: VecDeque<ChangelogRecord>,
    crash_in: u64,
}

/// Tells the world's end to a member.
pub(crate) type Crash = Arc<Mutex<Option<oneshot::Sender<()>>>>;

impl World {
    pub(crate) fn new(input: &Input, seed: u64, faults: Option<Faults>) -> Self {
        Self(Arc::new(Mutex::new(State {
            logs: input.logs.clone(),
            random: Random::new(seed),
            faults,
            batches: Vec::new(),
            members: BTreeMap::new(),
            generation: 0,
            releases: Vec::new(),
            rebalancing: false,
        })))
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub(crate) fn random(&self, bound: u64) -> u64 {
        self.state(|state| state.random.below(bound))
    }

    pub(crate) fn join(&self, id: u64) -> (Crash, oneshot::Receiver<()>) {
        let (crash, crashed) = oneshot::channel();
        self.state(|state| {
            let crash_in = state.faults.map_or(u64::MAX, |faults| state.random.below(faults.crash_within));
            state.members.insert(id, Session { crash_in, ..Session::default() });
        });
        self.rebalance();
        (Arc::new(Mutex::new(Some(crash))), crashed)
    }

    pub(crate) fn leave(&self, id: u64) {
        self.state(|state| state.members.remove(&id));
        self.rebalance();
    }

    /// Nothing goes wrong any more.
    pub(crate) fn be_at_peace(&self) {
        self.state(|state| {
            state.faults = None;
            state.members.values_mut().for_each(|session| session.crash_in = u64::MAX);
        });
    }

    /// Everything is committed, by as many members, and the group is at rest.
    pub(crate) fn is_done(&self, members: usize) -> bool {
        self.state(|state| {
            let offsets = state.offsets();
            let at_end = |(partition, log): (&Partition, &Vec<OwnedRecord>)| {
                log.is_empty() || offsets.get(partition) == Some(&i64::try_from(log.len()).unwrap())
            };
            state.members.len() == members && !state.rebalancing && state.logs.iter().all(at_end)
        })
    }

    pub(crate) fn alerts(&self) -> Vec<String> {
        self.state(|state| {
            let alerts = state.batches.iter().flat_map(|batch| &batch.alerts);
            alerts.map(|alert| String::from_utf8(alert.body.clone()).unwrap()).collect()
        })
    }

    /// Takes everything away, and once everybody has let go, gives it out anew.
    pub(crate) fn rebalance(&self) {
        let begun = self.state(|state| {
            let lost = state.faults.is_some() && state.random.one_in(4);
            state.revoke(lost);
            !std::mem::replace(&mut state.rebalancing, true)
        });
        if begun {
            let world = self.clone();
            tokio::spawn(async move {
                loop {
                    let releases = world.state(|state| std::mem::take(&mut state.releases));
                    if releases.is_empty() {
                        break;
                    }
                    // who crashed has let go, too
                    futures::future::join_all(releases).await;
                }
                world.state(State::assign);
            });
        }
    }
}

impl State {
    fn offsets(&self) -> BTreeMap<Partition, i64> {
        self.batches.iter().flat_map(|batch| batch.offsets.clone()).collect()
    }

    fn revoke(&mut self, lost: bool) {
        if lost {
            self.generation += 1;
        }
        for session in self.members.values_mut().filter(|session| !session.positions.is_empty()) {
            let (released, receiver) = oneshot::channel();
            let partitions = std::mem::take(&mut session.positions).into_keys().collect();
            session.revoking = true;
            let released = (!lost).then_some(released);
            session.events.push_back(Polled::Revoked(Revocation { partitions, lost, released }));
            session.changed.notify_one();
            if !lost {
                self.releases.push(receiver);
            }
        }
    }

    /// Range assignment: equal numbers of both topics go to one member.
    fn assign(&mut self) {
        self.rebalancing = false;
        self.generation += 1;
        // offsets may have expired; the changelog still knows them
        let expired = self.faults.is_some() && self.random.one_in(5);
        let offsets = self.offsets();
        let members = i32::try_from(self.members.len()).unwrap();
        for (nth, session) in (0..).zip(self.members.values_mut()) {
            let own = (0..NUMBERS).filter(|number| number * members / NUMBERS == nth);
            let own: BTreeSet<i32> = own.collect();
            let mine = self.logs.keys().filter(|partition| own.contains(&partition.partition));
            let committed: BTreeMap<_, _> =
                mine.map(|partition| (*partition, offsets.get(partition).copied().filter(|_| !expired))).collect();
            session.generation = self.generation;
            session.take(committed);
        }
    }
}

impl Session {
    fn take(&mut self, committed: BTreeMap<Partition, Option<i64>>) {
        let at = |committed: &Option<i64>| usize::try_from(committed.unwrap_or(0)).unwrap();
        self.positions = committed.iter().map(|(partition, committed)| (*partition, at(committed))).collect();
        self.held.clear();
        self.events.push_back(Polled::Assigned(committed));
        self.changed.notify_one();
    }

    fn next(&mut self, logs: &BTreeMap<Partition, Vec<OwnedRecord>>, limit: usize) -> Option<Polled> {
        if let Some(event) = self.events.pop_front() {
            if matches!(event, Polled::Revoked(_)) {
                self.revoking = self.events.iter().any(|event| matches!(event, Polled::Revoked(_)));
            }
            return Some(event);
        }
        let mut records = Vec::new();
        for (partition, position) in &mut self.positions {
            if !self.held.contains(partition) {
                let log = &logs[partition];
                let take = (log.len() - *position).min(limit - records.len());
                records.extend_from_slice(&log[*position..*position + take]);
                *position += take;
            }
        }
        (!records.is_empty()).then_some(Polled::Records(records))
    }
}

/// The source and the lookup of one life of a member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    world: World,
    id: u64,
    crash: Crash,
}

/// Its sink: does one thing at a time, whether or not anybody waits for it.
pub(crate) struct MemberSink {
    member: Member,
    /// Ends with the member.
    in_flight: Option<JoinSet<Attempt>>,
    /// The changelog partitions that are to be read.
    wanted: Option<BTreeSet<i32>>,
}

impl Member {
    pub(crate) fn new(world: World, id: u64, crash: Crash) -> Self {
        Self { world, id, crash }
    }

    pub(crate) fn sink(&self) -> MemberSink {
        MemberSink { member: self.clone(), in_flight: None, wanted: None }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Session) -> T) -> T {
        self.world.state(|state| act(state.members.get_mut(&self.id).unwrap()))
    }

    /// Something may happen here: it takes its time, or the member is gone.
    async fn step(&self) {
        let (pause, crashes) = self.world.state(|state| {
            let pause = if state.faults.is_some() && state.random.one_in(5) { state.random.below(15) } else { 0 };
            let session = state.members.get_mut(&self.id).unwrap();
            session.crash_in = session.crash_in.saturating_sub(1);
            (pause, session.crash_in == 0)
        });
        if crashes {
            self.die().await;
        }
        if pause > 0 {
            sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn die(&self) {
        if let Some(crash) = self.crash.lock().unwrap().take() {
            crash.send(()).ok();
        }
        std::future::pending::<()>().await;
    }
}

impl Source for Member {
    async fn poll(&mut self, limit: usize) -> Result<Polled, SourceError> {
        self.step().await;
        loop {
            let (polled, changed) = self.world.state(|state| {
                let limit = if state.faults.is_some() && limit > 0 {
                    1 + usize::try_from(state.random.below(limit as u64)).unwrap()
                } else {
                    limit
                };
                let session = state.members.get_mut(&self.id).unwrap();
                (session.next(&state.logs, limit), Arc::clone(&session.changed))
            });
            match polled {
                Some(polled) => return Ok(polled),
                None => changed.notified().await,
            }
        }
    }

    async fn revoking(&mut self) {
        loop {
            let (revoking, changed) = self.with(|session| (session.revoking, Arc::clone(&session.changed)));
            if revoking {
                return;
            }
            changed.notified().await;
        }
    }

    fn rewind(&mut self) {
        self.world.state(|state| {
            let offsets = state.offsets();
            let session = state.members.get_mut(&self.id).unwrap();
            if !session.positions.is_empty() {
                let own = session.positions.keys();
                let committed = own.map(|partition| (*partition, offsets.get(partition).copied())).collect();
                session.take(committed);
            }
        });
    }

    fn resume_at(&mut self, positions: &BTreeMap<Partition, i64>) {
        self.with(|session| {
            for (partition, offset) in positions {
                if let Some(position) = session.positions.get_mut(partition) {
                    *position = usize::try_from(*offset).unwrap();
                }
            }
        });
    }

    fn hold(&mut self, partition: Partition, hold: bool) {
        self.with(|session| if hold { session.held.insert(partition) } else { session.held.remove(&partition) });
    }

    fn at_end(&self, partition: Partition) -> bool {
        self.world.state(|state| {
            state.members[&self.id].positions.get(&partition).is_some_and(|position| *position == state.logs[&partition].len())
        })
    }

    fn look_again(&mut self) {
        // at_end looks at the log itself
    }

    async fn close(&mut self) {}
}

enum Act {
    Commit,
    /// Durable, and the member learns of it only by asking again.
    CommitUnheard,
    CommitAndDie,
    Die,
    Refuse(CommitError),
}

impl Member {
    async fn transact(&self, batch: &Arc<Batch>) -> Result<(), CommitError> {
        self.step().await;
        let act = self.world.state(|state| {
            let session = &state.members[&self.id];
            if session.doubt.as_ref().is_some_and(|doubted| Arc::ptr_eq(doubted, batch)) {
                return None;
            }
            if session.entered != state.generation {
                return Some(Act::Refuse(CommitError::Lost("generation is over".to_owned())));
            }
            let wrong = state.faults.is_some_and(|faults| state.random.one_in(faults.commit));
            let act = match (wrong, state.random.below(5)) {
                (false, _) => Act::Commit,
                (true, 0) => Act::CommitUnheard,
                (true, 1) => Act::CommitAndDie,
                (true, 2) => Act::Die,
                (true, 3) => Act::Refuse(CommitError::Repeat("broker away".to_owned())),
                (true, _) => Act::Refuse(CommitError::Lost("fenced".to_owned())),
            };
            if matches!(act, Act::Commit | Act::CommitUnheard | Act::CommitAndDie) {
                assert!(!batch.offsets.is_empty(), "a sink in doubt could not find out");
                state.batches.push(Batch::clone(batch));
            }
            Some(act)
        });
        match act {
            None | Some(Act::Commit) => {}
            Some(Act::CommitUnheard) => {
                self.with(|session| session.doubt = Some(Arc::clone(batch)));
                return Err(CommitError::Repeat("no answer".to_owned()));
            }
            Some(Act::CommitAndDie | Act::Die) => self.die().await,
            Some(Act::Refuse(error)) => return Err(error),
        }
        // the acknowledgement is on its way
        self.step().await;
        Ok(())
    }

    /// What is durable of the changelog now; batches are of this generation from here on.
    fn read_back(&self, numbers: &BTreeSet<i32>) {
        self.world.state(|state| {
            let forgets = state.faults.is_some_and(|faults| faults.forgets_windows);
            let mut records = VecDeque::new();
            for (offset, change) in (0..).zip(state.batches.iter().flat_map(|batch| &batch.changelog)) {
                if numbers.contains(&change.partition) && !(forgets && change.key.starts_with("window/")) {
                    let origin = Origin { topic: Topic::intern("sim.changelog"), partition: change.partition, offset };
                    let key = Some(change.key.clone().into_bytes());
                    records.push_back(ChangelogRecord { origin, key, value: change.value.clone() });
                }
            }
            let session = state.members.get_mut(&self.id).unwrap();
            session.restore = records;
            session.entered = session.generation;
        });
    }
}

impl Sink for MemberSink {
    fn commit(&mut self, batch: &Arc<Batch>) {
        let (member, batch) = (self.member.clone(), Arc::clone(batch));
        let former = self.in_flight.take();
        self.in_flight = Some(JoinSet::new());
        self.in_flight.as_mut().unwrap().spawn(async move {
            if let Some(mut former) = former {
                former.join_next().await;
            }
            member.transact(&batch).await.into()
        });
    }

    async fn committed(&mut self) -> Attempt {
        let attempt = self.in_flight.as_mut().unwrap().join_next().await.unwrap().unwrap();
        self.in_flight = None;
        attempt
    }

    fn restore(&mut self, partitions: &BTreeSet<Partition>) {
        self.wanted = Some(partitions.iter().map(|partition| partition.partition).collect());
    }

    async fn restored(&mut self) -> Result<Option<RestorePage>, ChangelogError> {
        if let Some(abandoned) = &mut self.in_flight {
            abandoned.join_next().await;
            self.in_flight = None;
        }
        if let Some(numbers) = self.wanted.take() {
            self.member.read_back(&numbers);
        }
        self.member.step().await;
        Ok(self.member.with(|session| {
            let take = session.restore.len().min(50);
            let records: Vec<_> = session.restore.drain(..take).collect();
            (!records.is_empty()).then_some(RestorePage { records, ..RestorePage::default() })
        }))
    }
}

impl Lookup<String, i64> for Member {
    async fn lookup(&self, questions: &[String]) -> Result<Vec<i64>, LookupError> {
        self.step().await;
        let fails = self.world.state(|state| state.faults.is_some_and(|faults| state.random.one_in(faults.lookup)));
        if fails { Err(LookupError::unavailable("limits are away")) } else { Ok(vec![100; questions.len()]) }
    }
}
