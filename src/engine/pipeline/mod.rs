//! The async loop around the engine: batch by batch, each all or nothing.
//!
//! ```text
//!            ┌────────────────────────── while anything can be taken ──────────────────────────┐
//!  Source ─► decode ─► engine: whole commits ─► Lookup: all questions at once ─► judge ─► Sink: one transaction
//!            └─ max_idle: the merge goes on without a partition; max_silence: everything open is closed ┘
//! ```
//!
//! While the sink commits one batch, the next is gathered and applied, and judged when there is room for no more of it or the
//! former is durable, whichever is first; only then the sink is given it. A batch is repeated until it is committed; if the partitions go before that, the engine is thrown away with it and with what it
//! applied since, and whoever has the partitions next restores the state from the changelog and reads on from what was
//! committed. Both are of one transaction, so they always agree.

mod commit;
mod error;
mod lane;
mod meter;
mod observer;
mod restore;
mod settings;
mod settle;
mod sharing;
mod stop;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

pub use self::error::PipelineError;
pub use self::observer::{Committed, Condition, Observer};
pub use self::settings::{PipelineSettings, Until};
pub use self::sharing::Scattered;

use self::commit::{InFlight, Outcome};
use self::lane::{Lane, Silence};
use self::settings::Backoff;
use self::sharing::Sharing;
use self::stop::{GRACE, Stop};
use super::alert::Judged;
use super::lookup::Lookup;
use super::ports::{OwnedRecord, Polled, Revocation, Sink, Source};
use super::{Domain, Engine, Options, Partition, RebuiltSource, Slot, StateStore};
use crate::time::Clock;

/// The daemon's heart: everything between the ports.
pub struct Pipeline<D: Domain, S, K, L> {
    domain: Arc<D>,
    settings: PipelineSettings<D>,
    source: S,
    sink: K,
    lookup: L,
    clock: Arc<dyn Clock>,
    rules: watch::Receiver<Arc<D::Rules>>,
    observer: Box<dyn Observer<D>>,
    engine: Engine<D>,
    lanes: BTreeMap<Partition, (Slot, Lane)>,
    /// Polled and not yet decoded.
    inbox: VecDeque<OwnedRecord>,
    /// The schema registry did not answer.
    registry: Option<Away>,
    /// The offsets of the last batches that the sink was given, by partition.
    written: BTreeMap<Partition, i64>,
    /// What the sink was given last and has not yet answered for.
    in_flight: Option<InFlight<D>>,
    /// When the first record came that was not looked at yet.
    gathering: Option<Instant>,
    gathered: usize,
    /// Records that were looked at since a batch was given to the sink.
    looked_at: usize,
    /// A batch is in hand that waits for the sink, and grows meanwhile.
    growing: bool,
    /// By which the batch in hand is applied and judged.
    rules_in_hand: Option<Arc<D::Rules>>,
    silence: Silence,
    /// When a wait of the merge is over.
    patience: Option<Instant>,
    rebuilt: Option<RebuiltSource>,
    condition: Condition,
    /// Partitions whose state is yet to be restored, with what is committed for them.
    assigned: Option<BTreeMap<Partition, Option<i64>>>,
    /// In what the group's offsets and the changelog did not agree when they were last read.
    disagreed: Option<String>,
    sharing: Sharing,
}

/// The schema registry, while it does not answer.
struct Away {
    again_at: Instant,
    backoff: Backoff,
    /// `None` while it has only just been asked.
    why: Option<String>,
}

/// What stands behind the ports.
#[derive(Debug)]
pub struct Ports<S, K, L> {
    pub source: S,
    pub sink: K,
    pub lookup: L,
}

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    pub fn new(
        domain: Arc<D>,
        settings: PipelineSettings<D>,
        ports: Ports<S, K, L>,
        clock: Arc<dyn Clock>,
        rules: watch::Receiver<Arc<D::Rules>>,
    ) -> Self {
        let Ports { source, sink, lookup } = ports;
        Self {
            engine: Engine::with_changelog(
                Arc::clone(&domain),
                Options { accept_rebuilt_source: settings.accept_rebuilt_source },
                Arc::default(),
            ),
            silence: Silence::new(settings.heartbeats),
            domain,
            settings,
            source,
            sink,
            lookup,
            clock,
            rules,
            observer: Box::new(()),
            lanes: BTreeMap::new(),
            inbox: VecDeque::new(),
            registry: None,
            written: BTreeMap::new(),
            in_flight: None,
            gathering: None,
            gathered: 0,
            looked_at: 0,
            growing: false,
            rules_in_hand: None,
            patience: None,
            rebuilt: None,
            condition: Condition::Unassigned,
            assigned: None,
            disagreed: None,
            sharing: Sharing::default(),
        }
    }

    /// Open windows, to look into while the pipeline runs. It stays the same over rebalances.
    #[must_use]
    pub fn store(&self) -> Arc<StateStore<D::Window>> {
        Arc::clone(self.engine.store())
    }

    #[must_use]
    pub fn observed_by(mut self, observer: impl Observer<D> + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Runs until told otherwise, then leaves the source.
    pub async fn run(mut self, until: watch::Receiver<Until>) -> Result<(), PipelineError> {
        let mut stop = Stop::new(until);
        let result = self.run_until(&mut stop).await;
        let let_go = self.let_go(GRACE, &mut stop).await;
        self.source.close().await;
        result.and(let_go)
    }

    async fn run_until(&mut self, stop: &mut Stop) -> Result<(), PipelineError> {
        let mut draining = false;
        loop {
            let until = stop.act();
            if until == Until::Drained && !std::mem::replace(&mut draining, true) {
                self.source.look_again();
            }
            if until == Until::Now {
                return Ok(());
            }
            let now = Instant::now();
            if self.batch_is_due(now) || until == Until::Drained {
                let mut outcome = self.settle(stop).await?;
                if let Outcome::Done = outcome
                    && until == Until::Drained
                    && self.is_drained()
                {
                    outcome = self.finish(stop).await?;
                    if let Outcome::Done = outcome {
                        return Ok(());
                    }
                }
                if let Outcome::Abandoned = outcome {
                    self.rewind(stop).await?;
                }
            }
            self.watch_silence(stop).await?;
            let wake = self.wake();
            let stuck = self.rebuilt.is_some() || self.registry.is_some() || self.sharing.refused;
            let room = if stuck { 0 } else { self.settings.max_records.saturating_sub(self.gathered + self.looked_at) };
            tokio::select! {
                biased;
                () = stop.changed() => {}
                ended = self.sink.committed(), if self.in_flight.is_some() => {
                    self.note(ended);
                    if let Outcome::Abandoned = self.land(stop).await? {
                        self.rewind(stop).await?;
                    }
                }
                polled = self.source.poll(room) => {
                    let polled = polled?;
                    match polled {
                        // nothing can be committed for them any more
                        Polled::Revoked(Revocation { lost: true, .. }) => self.let_go(Duration::ZERO, stop).await?,
                        Polled::Revoked(_) | Polled::Assigned(_) => self.let_go(Duration::MAX, stop).await?,
                        _ => {}
                    }
                    self.take(polled);
                }
                () = until_instant(wake) => {}
            }
            if let Some(assigned) = self.assigned.take() {
                self.restore(assigned, stop).await?;
            }
        }
    }

    /// Whether enough was gathered, or for long enough, or a wait of the merge is over.
    fn batch_is_due(&self, now: Instant) -> bool {
        let gathered = self.gathering.is_some_and(|since| now >= since + self.settings.max_age);
        let retried = self.registry.as_ref().is_some_and(|away| now >= away.again_at);
        let waited = self.patience.is_some_and(|over| now >= over);
        let full = self.gathered + self.looked_at >= self.settings.max_records;
        let free = self.growing && self.in_flight.is_none();
        gathered || retried || waited || full || free
    }

    /// The next instant at which something has to be done though nothing comes.
    fn wake(&self) -> Option<Instant> {
        let limit = (self.settings.max_silence)(&self.rules.borrow());
        let batch = self.gathering.map(|since| since + self.settings.max_age);
        let registry = self.registry.as_ref().map(|away| away.again_at);
        [batch, registry, self.patience, self.silence.due(limit)].into_iter().flatten().min()
    }

    fn take(&mut self, polled: Polled) {
        let now = Instant::now();
        match polled {
            Polled::Records(records) => {
                self.silence.broken(now);
                self.gathering.get_or_insert(now);
                self.gathered += records.len();
                self.inbox.extend(records);
            }
            Polled::Heartbeat => self.silence.heartbeat(now, (self.settings.max_silence)(&self.rules.borrow())),
            Polled::Ends => {
                // a partition at its end may be all that the merge waits for
                self.gathering.get_or_insert(now);
            }
            Polled::Unavailable(why) => {
                // with partitions it is the records that tell, which come or do not
                if self.lanes.is_empty() && !self.sharing.refused {
                    self.enter(Condition::SourceUnavailable(why));
                }
            }
            Polled::Shared(shared) => self.sharing.announced = Some(shared),
            Polled::Assigned(partitions) => {
                if !self.lanes.is_empty() {
                    self.reset();
                }
                self.assigned = Some(partitions);
            }
            Polled::Revoked(Revocation { partitions, lost, released }) => {
                tracing::info!(partitions = partitions.len(), lost, "partitions revoked");
                self.reset();
                drop(released);
            }
        }
    }

    /// Begins anew from what is committed.
    async fn rewind(&mut self, stop: &mut Stop) -> Result<(), PipelineError> {
        self.let_go(Duration::MAX, stop).await?;
        self.reset();
        self.source.rewind();
        Ok(())
    }

    /// Forgets everything that is not committed, and all state: it comes back from the changelog.
    fn reset(&mut self) {
        let options = Options { accept_rebuilt_source: self.settings.accept_rebuilt_source };
        let store = Arc::clone(self.engine.store());
        store.clear();
        self.engine = Engine::with_changelog(Arc::clone(&self.domain), options, store);
        self.assigned = None;
        self.lanes.clear();
        self.inbox.clear();
        self.registry = None;
        self.written.clear();
        self.in_flight = None;
        self.gathering = None;
        self.gathered = 0;
        self.looked_at = 0;
        self.growing = false;
        self.rules_in_hand = None;
        self.patience = None;
        self.rebuilt = None;
        self.sharing.reset();
        self.enter(Condition::Unassigned);
    }

    fn is_drained(&self) -> bool {
        let mut lanes = self.lanes.iter();
        !self.lanes.is_empty()
            && self.inbox.is_empty()
            && lanes.all(|(partition, (slot, _))| self.source.at_end(*partition) && self.engine.buffered(*slot) == 0)
    }

    /// Everything was consumed and nothing more comes: closes what is open.
    async fn finish(&mut self, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        let rules = self.rules_in_hand();
        self.engine.close_all(&rules);
        match self.commit(&rules, stop).await? {
            Outcome::Done => self.land(stop).await,
            Outcome::Abandoned => Ok(Outcome::Abandoned),
        }
    }

    /// Closes what is open when no data has come for long.
    async fn watch_silence(&mut self, stop: &mut Stop) -> Result<(), PipelineError> {
        let now = Instant::now();
        if !self.is_drained() {
            self.silence.broken(now);
            return Ok(());
        }
        let rules = self.rules_in_hand();
        if self.silence.take(now, (self.settings.max_silence)(&rules)) {
            self.engine.close_all(&rules);
            if let Outcome::Abandoned = self.commit(&rules, stop).await? {
                self.rewind(stop).await?;
            }
        }
        Ok(())
    }

    /// The rules of the batch in hand: one batch is applied and judged by one set.
    fn rules_in_hand(&mut self) -> Arc<D::Rules> {
        let Self { rules_in_hand, rules, .. } = self;
        Arc::clone(rules_in_hand.get_or_insert_with(|| Arc::clone(&rules.borrow_and_update())))
    }

    /// Something that was waited for is there: what is waited for still?
    fn resume(&mut self) {
        let registry = self.registry.as_ref().and_then(|away| away.why.clone());
        self.enter(match (self.rebuilt, registry) {
            (Some(rebuilt), _) => Condition::RebuiltSource(rebuilt.to_string()),
            (None, Some(why)) => Condition::RegistryUnavailable(why),
            (None, None) => Condition::Running,
        });
    }

    fn enter(&mut self, condition: Condition) {
        if self.condition != condition {
            self.observer.condition(&condition);
            self.condition = condition;
        }
    }
}

async fn until_instant(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

impl<D: Domain, S, K, L> std::fmt::Debug for Pipeline<D, S, K, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("lanes", &self.lanes).field("condition", &self.condition).finish_non_exhaustive()
    }
}
