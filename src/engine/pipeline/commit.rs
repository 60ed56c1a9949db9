//! A batch from its judgement to its commit. The sink has one at a time; while it commits that one, the next is judged.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::settings::Backoff;
use super::stop::Stop;
use super::{Committed, Condition, Pipeline, PipelineError, meter};
use crate::engine::alert::Judged;
use crate::engine::judging::Asked;
use crate::engine::lookup::{Fate, Lookup};
use crate::engine::ports::{Alert, Batch, CommitError, Sink, Source};
use crate::engine::{Counts, Domain, Partition};
use crate::time::Timestamp;

/// What became of a batch.
pub(super) enum Outcome {
    /// It is durable, or the sink has it.
    Done,
    /// Not committed, and not to be repeated: the partitions go, or a shutdown did not want to wait any longer. The engine
    /// holds what is not committed and has to go with it.
    Abandoned,
}

/// A batch that the sink has, and what is told of it once it is durable.
pub(super) struct InFlight<D: Domain> {
    batch: Arc<Batch>,
    judgements: Vec<D::Judgement>,
    counts: Counts,
    records: u64,
    stream_time: Option<Timestamp>,
    /// When its judgement began.
    begun: Instant,
    /// When the sink was given it last.
    given: Instant,
}

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    /// Judges what the engine gave, and gives it to the sink once that is done with the batch before.
    pub(super) async fn commit(&mut self, rules: &D::Rules, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        let begun = Instant::now();
        let output = self.engine.take_output();
        // what closes without being judged is to be written down all the same
        if output.records == 0 && output.cases.is_empty() && !self.engine.has_changes() {
            return Ok(Outcome::Done);
        }
        self.lookup.outdated(&output.outdated);
        let Some(judgements) = self.judge(output.cases, rules, stop).await? else { return Ok(Outcome::Abandoned) };
        let consumed: BTreeMap<_, _> = self.engine.consumed().collect();
        let moved: BTreeMap<_, _> =
            consumed.iter().filter(|(key, at)| self.given.get(*key) != Some(*at)).map(|(key, at)| (*key, *at)).collect();
        let batch = Arc::new(Batch {
            alerts: self.publish(&judgements),
            dead_letters: output.dead_letters,
            changelog: self.engine.take_changes()?,
            // a batch that moves nothing, such as one of silence, names all positions again
            offsets: if moved.is_empty() { consumed } else { moved },
        });
        if let Outcome::Abandoned = self.land(stop).await? {
            return Ok(Outcome::Abandoned);
        }
        self.given.extend(batch.offsets.iter().map(|(partition, offset)| (*partition, *offset)));
        self.sink.commit(&batch);
        self.in_flight = Some(InFlight {
            batch,
            judgements,
            counts: output.counts,
            records: output.records,
            stream_time: self.engine.stream_time(),
            begun,
            given: Instant::now(),
        });
        Ok(Outcome::Done)
    }

    /// Waits until the batch in flight is durable, if there is one.
    pub(super) async fn land(&mut self, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        if self.in_flight.is_none() {
            return Ok(Outcome::Done);
        }
        match self.attempted(stop).await {
            Some(result) => self.landed(result, stop).await,
            None => Ok(Outcome::Abandoned),
        }
    }

    /// Waits for no more than the attempt that is under way: the partitions are gone, or will be.
    pub(super) async fn let_go(&mut self, stop: &mut Stop) -> Result<(), PipelineError> {
        if self.in_flight.is_some()
            && let Some(result) = self.attempted(stop).await
        {
            self.conclude(result)?;
            self.in_flight = None;
        }
        Ok(())
    }

    /// Takes what became of an attempt, and makes others until one succeeds.
    pub(super) async fn landed(
        &mut self,
        mut result: Result<(), CommitError>,
        stop: &mut Stop,
    ) -> Result<Outcome, PipelineError> {
        let mut backoff = Backoff::default();
        loop {
            if let Some(outcome) = self.conclude(result)? {
                return Ok(outcome);
            }
            if !backoff.wait(&mut self.source, stop).await {
                self.in_flight = None;
                return Ok(Outcome::Abandoned);
            }
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.given = Instant::now();
                self.sink.commit(&in_flight.batch);
            }
            result = match self.attempted(stop).await {
                Some(result) => result,
                None => return Ok(Outcome::Abandoned),
            };
        }
    }

    /// What became of the attempt under way; `None` if a shutdown did not want to wait for it. Whether it happened, the next
    /// member finds out: state and offsets are of one transaction.
    async fn attempted(&mut self, stop: &mut Stop) -> Option<Result<(), CommitError>> {
        tokio::select! {
            biased;
            result = self.sink.committed() => Some(result),
            () = stop.overdue() => {
                self.in_flight = None;
                None
            }
        }
    }

    /// Tells of an attempt. `None` if the batch is to be given to the sink again.
    fn conclude(&mut self, result: Result<(), CommitError>) -> Result<Option<Outcome>, PipelineError> {
        let Some(in_flight) = self.in_flight.take() else { return Ok(Some(Outcome::Done)) };
        meter::commit_took(in_flight.given.elapsed());
        match result {
            Ok(()) => {
                self.tell(&in_flight);
                Ok(Some(Outcome::Done))
            }
            Err(CommitError::Repeat(why)) => {
                tracing::warn!(why, "batch not committed, repeating it");
                meter::repeated();
                self.in_flight = Some(in_flight);
                self.enter(Condition::SinkUnavailable(why));
                Ok(None)
            }
            Err(CommitError::Lost(why)) => {
                tracing::warn!(why, "batch abandoned: its partitions are gone");
                Ok(Some(Outcome::Abandoned))
            }
            Err(stop @ CommitError::Stop { .. }) => Err(stop.into()),
        }
    }

    /// The batch is durable.
    fn tell(&mut self, in_flight: &InFlight<D>) {
        let InFlight { batch, judgements, counts, records, stream_time, begun, .. } = in_flight;
        let store = self.engine.store();
        let committed = Committed { batch, judgements, counts, records: *records, stream_time: *stream_time, store };
        tracing::debug!(
            records,
            alerts = batch.alerts.len(),
            dead_letters = batch.dead_letters.len(),
            changelog = batch.changelog.len(),
            offsets = %Offsets(&batch.offsets),
            took = ?begun.elapsed(),
            "batch committed"
        );
        meter::batch_took(begun.elapsed());
        meter::committed(&committed);
        let bytes = self.lanes.values().map(|(_, lane)| lane.bytes()).sum();
        meter::state(store.len(), self.lanes.len(), bytes);
        self.observer.committed(&committed);
        if matches!(self.condition, Condition::SinkUnavailable(_)) {
            self.enter(Condition::Running);
        }
    }

    /// Asks until it is answered, then judges. `None` if the batch is not wanted any more.
    async fn judge(
        &mut self,
        cases: Vec<D::Case>,
        rules: &D::Rules,
        stop: &mut Stop,
    ) -> Result<Option<Vec<D::Judgement>>, PipelineError> {
        let asked = Asked::by(&*self.domain, &cases, rules);
        let mut backoff = Backoff::default();
        let answers = loop {
            if asked.questions.is_empty() {
                break Vec::new();
            }
            let start = Instant::now();
            let answered = tokio::select! {
                biased;
                answered = self.lookup.lookup(&asked.questions) => answered,
                () = self.source.revoking() => return Ok(None),
                () = stop.overdue() => return Ok(None),
            };
            meter::lookup_took(start.elapsed(), answered.is_ok());
            match answered {
                Ok(answers) => break answers,
                Err(error) if error.fate == Fate::Stop => return Err(error.into()),
                Err(error) => {
                    // the batch before does not wait for this one's answers
                    if let Outcome::Abandoned = self.land(stop).await? {
                        return Ok(None);
                    }
                    tracing::warn!(%error, questions = asked.questions.len(), "lookup unavailable, asking again");
                    self.enter(Condition::LookupUnavailable(error.to_string()));
                }
            }
            if !backoff.wait(&mut self.source, stop).await {
                return Ok(None);
            }
        };
        if matches!(self.condition, Condition::LookupUnavailable(_)) {
            self.enter(Condition::Running);
        }
        asked.check(&answers)?;
        Ok(Some(asked.judge(&*self.domain, cases, &answers, rules)))
    }

    fn publish(&self, judgements: &[D::Judgement]) -> Vec<Alert> {
        let detected_at = self.clock.now();
        let mut alerts = Vec::new();
        for judgement in judgements {
            judgement.publish(detected_at, &mut |message| {
                alerts.push(Alert { rule: message.rule, key: message.key.to_owned(), body: message.body.to_vec() });
            });
        }
        alerts
    }
}

/// As an operator names them: `topic/partition:offset`.
struct Offsets<'a>(&'a BTreeMap<Partition, i64>);

impl fmt::Display for Offsets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (partition, offset) in self.0 {
            write!(f, "{space}{partition}:{offset}")?;
            space = " ";
        }
        Ok(())
    }
}

impl Backoff {
    /// Waits for the next attempt; false if the batch is not wanted any more.
    async fn wait(&mut self, source: &mut impl Source, stop: &mut Stop) -> bool {
        let pause = self.next();
        tokio::select! {
            biased;
            () = source.revoking() => false,
            () = stop.wanted() => false,
            () = sleep(pause) => true,
        }
    }
}
