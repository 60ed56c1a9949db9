//! A batch from its judgement to its commit. The sink has one at a time; while it commits that one, the next is judged.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep, timeout};

use super::settings::Backoff;
use super::stop::Stop;
use super::{Committed, Condition, Observer, Pipeline, PipelineError, meter};
use crate::engine::alert::Judged;
use crate::engine::judging::Asked;
use crate::engine::lookup::{Fate, Lookup, LookupError};
use crate::engine::ports::{Alert, Attempt, Batch, CommitError, Sink, Source};
use crate::engine::{Counts, Domain, Partition, StateStore};
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
    begun_at: Instant,
    /// When the sink was given it last.
    given_at: Instant,
    /// How that has ended, until it is acted on.
    ended: Option<Attempt>,
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
        let begun_at = Instant::now();
        self.looked_at = 0;
        self.rules_in_hand = None;
        let output = self.engine.take_output();
        // what closes without being judged is to be written down all the same
        if output.records == 0 && output.cases.is_empty() && !self.engine.has_changes() {
            return Ok(Outcome::Done);
        }
        self.lookup.outdated(&output.outdated);
        let Some(judgements) = self.judge(output.cases, rules, stop).await? else { return Ok(Outcome::Abandoned) };
        let consumed: BTreeMap<_, _> = self.engine.consumed().collect();
        let moved: BTreeMap<_, _> =
            consumed.iter().filter(|(key, at)| self.written.get(*key) != Some(*at)).map(|(key, at)| (*key, *at)).collect();
        let batch = Arc::new(Batch {
            alerts: self.publish(&judgements),
            dead_letters: output.dead_letters,
            changelog: self.engine.take_changes()?,
            // a batch that moves nothing, such as one of silence, names all positions again
            offsets: if moved.is_empty() { consumed } else { moved },
        });
        if self.in_flight.is_some() {
            if let Outcome::Abandoned = self.land(stop).await? {
                return Ok(Outcome::Abandoned);
            }
            if !self.is_wanted(stop).await {
                return Ok(Outcome::Abandoned);
            }
        }
        self.written.extend(batch.offsets.iter().map(|(partition, offset)| (*partition, *offset)));
        let given_at = Instant::now();
        self.sink.commit(&batch);
        self.in_flight = Some(InFlight {
            batch,
            judgements,
            counts: output.counts,
            records: output.records,
            stream_time: self.engine.stream_time(),
            begun_at,
            given_at,
            ended: None,
        });
        let bytes = self.lanes.values().map(|(_, lane)| lane.bytes()).sum();
        meter::state(self.engine.store().len(), self.lanes.len(), bytes);
        Ok(Outcome::Done)
    }

    /// Whether another batch is to be begun: not when partitions go, or all shall stop.
    async fn is_wanted(&mut self, stop: &mut Stop) -> bool {
        tokio::select! {
            biased;
            () = self.source.revoking() => false,
            () = stop.wanted() => false,
            () = std::future::ready(()) => true,
        }
    }

    /// Takes note that the attempt under way has ended.
    pub(super) fn note(&mut self, ended: Attempt) {
        let in_flight = self.in_flight.as_mut().expect("the sink is only waited for while it has a batch");
        in_flight.ended = Some(ended);
    }

    /// Waits until the batch in flight is durable, if there is one, and has the sink repeat it until it is.
    pub(super) async fn land(&mut self, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        let mut backoff = Backoff::default();
        while let Some(in_flight) = &mut self.in_flight {
            let ended = tokio::select! {
                biased;
                ended = end(in_flight, &mut self.sink) => ended,
                // whether it happened, the next member finds out: state and offsets are of one transaction
                () = stop.overdue() => {
                    self.in_flight = None;
                    return Ok(Outcome::Abandoned);
                }
            };
            meter::commit_took(ended.ended - in_flight.given_at);
            let why = match ended.result {
                Ok(()) => {
                    self.tell(ended.ended);
                    if matches!(self.condition, Condition::SinkUnavailable(_)) {
                        self.resume();
                    }
                    break;
                }
                Err(CommitError::Repeat(why)) => why,
                Err(CommitError::Lost(why)) => {
                    tracing::warn!(why, "batch abandoned: its partitions are gone");
                    self.in_flight = None;
                    return Ok(Outcome::Abandoned);
                }
                Err(stop @ CommitError::Stop { .. }) => {
                    self.in_flight = None;
                    return Err(stop.into());
                }
            };
            tracing::warn!(why, "batch not committed, repeating it");
            meter::repeated();
            self.enter(Condition::SinkUnavailable(why));
            if !backoff.wait(&mut self.source, stop).await {
                self.in_flight = None;
                return Ok(Outcome::Abandoned);
            }
            let in_flight = self.in_flight.as_mut().expect("`Repeat` leaves it where it was");
            in_flight.given_at = Instant::now();
            self.sink.commit(&in_flight.batch);
        }
        Ok(Outcome::Done)
    }

    /// Waits so long for the attempt that is under way, and for no other: the partitions go, or are gone.
    pub(super) async fn let_go(&mut self, within: Duration, stop: &mut Stop) -> Result<(), PipelineError> {
        let Some(in_flight) = &mut self.in_flight else { return Ok(()) };
        let ended = tokio::select! {
            biased;
            ended = timeout(within, end(in_flight, &mut self.sink)) => ended.ok(),
            () = stop.overdue() => None,
        };
        let result = match ended {
            Some(Attempt { result: Ok(()), ended }) => {
                meter::commit_took(ended - in_flight.given_at);
                self.tell(ended);
                Ok(())
            }
            Some(Attempt { result: Err(stop @ CommitError::Stop { .. }), .. }) => Err(stop.into()),
            Some(Attempt { result: Err(error), .. }) => {
                tracing::warn!(%error, "batch abandoned: its partitions go");
                Ok(())
            }
            None => {
                tracing::warn!("batch abandoned: its partitions go, and it is not known whether it was committed");
                Ok(())
            }
        };
        self.in_flight = None;
        result
    }

    /// The batch in flight is durable.
    fn tell(&mut self, at: Instant) {
        let in_flight = self.in_flight.take().expect("both callers have just waited for it");
        in_flight.tell(at, self.engine.store(), &mut *self.observer);
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
            let Some(answered) = self.ask(&asked.questions, stop).await else { return Ok(None) };
            let answered = match answered {
                Asking::Answered(answered) => answered,
                // the batch before does not wait for this one's answers
                Asking::Failing => match self.land(stop).await? {
                    Outcome::Done => continue,
                    Outcome::Abandoned => return Ok(None),
                },
            };
            meter::lookup_took(start.elapsed(), answered.is_ok());
            match answered {
                Ok(answers) => break answers,
                Err(error) if error.fate == Fate::Stop => return Err(error.into()),
                Err(error) => {
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
            self.resume();
        }
        asked.check(&answers)?;
        Ok(Some(asked.judge(&*self.domain, cases, &answers, rules)))
    }

    /// Asks once, and looks after the batch in flight meanwhile. `None` if the batch is not wanted any more.
    async fn ask(&mut self, questions: &[D::Question], stop: &mut Stop) -> Option<Asking<D::Answer>> {
        let Self { lookup, sink, source, in_flight, engine, observer, .. } = self;
        let mut asking = pin!(lookup.lookup(questions));
        loop {
            tokio::select! {
                biased;
                answered = &mut asking => return Some(Asking::Answered(answered)),
                ended = sink.committed(), if in_flight.as_ref().is_some_and(|in_flight| in_flight.ended.is_none()) => {
                    if ended.result.is_err() {
                        in_flight.as_mut().expect("the arm is guarded by it").ended = Some(ended);
                        return Some(Asking::Failing);
                    }
                    let in_flight = in_flight.take().expect("the arm is guarded by it");
                    meter::commit_took(ended.ended - in_flight.given_at);
                    in_flight.tell(ended.ended, engine.store(), &mut **observer);
                }
                () = source.revoking() => return None,
                () = stop.overdue() => return None,
            }
        }
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

/// How asking came to an end.
enum Asking<A> {
    Answered(Result<Vec<A>, LookupError>),
    /// The batch in flight was not committed.
    Failing,
}

/// How the attempt under way ends.
async fn end<D: Domain>(in_flight: &mut InFlight<D>, sink: &mut impl Sink) -> Attempt {
    match in_flight.ended.take() {
        Some(ended) => ended,
        None => sink.committed().await,
    }
}

impl<D: Domain> InFlight<D> {
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// It is durable since `at`.
    fn tell(self, at: Instant, store: &Arc<StateStore<D::Window>>, observer: &mut dyn Observer<D>) {
        let Self { batch, judgements, counts, records, stream_time, begun_at, .. } = self;
        let took = at - begun_at;
        tracing::debug!(
            records,
            alerts = batch.alerts.len(),
            dead_letters = batch.dead_letters.len(),
            changelog = batch.changelog.len(),
            offsets = %Offsets(&batch.offsets),
            ?took,
            "batch committed"
        );
        meter::batch_took(took);
        let committed = Committed { batch: &batch, judgements: &judgements, counts: &counts, records, stream_time, store };
        meter::committed(&committed);
        observer.committed(&committed);
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
