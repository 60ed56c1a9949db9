//! A batch from its judgement to its commit, repeated until it is done or not wanted any more.

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
use crate::engine::{Domain, Partition};

/// What became of a batch.
pub(super) enum Outcome {
    Done,
    /// Not committed, and not to be repeated: the partitions go, or a shutdown did not want to wait any longer. The engine
    /// holds what is not committed and has to go with it.
    Abandoned,
}

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    /// Judges what the engine gave, and repeats the commit until it is done.
    pub(super) async fn commit(&mut self, rules: &D::Rules, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        let start = Instant::now();
        let output = self.engine.take_output();
        // what closes without being judged is to be written down all the same
        if output.records == 0 && output.cases.is_empty() && !self.engine.has_changes() {
            return Ok(Outcome::Done);
        }
        self.lookup.outdated(&output.outdated);
        let Some(judgements) = self.judge(output.cases, rules, stop).await? else { return Ok(Outcome::Abandoned) };
        let consumed: BTreeMap<_, _> = self.engine.consumed().collect();
        let moved: BTreeMap<_, _> =
            consumed.iter().filter(|(key, at)| self.committed.get(*key) != Some(*at)).map(|(key, at)| (*key, *at)).collect();
        let batch = Arc::new(Batch {
            alerts: self.publish(&judgements),
            dead_letters: output.dead_letters,
            changelog: self.engine.take_changes()?,
            // a batch that moves nothing, such as one of silence, names all positions again
            offsets: if moved.is_empty() { consumed } else { moved },
        });
        if let Outcome::Abandoned = self.commit_batch(&batch, stop).await? {
            return Ok(Outcome::Abandoned);
        }
        for (partition, offset) in &batch.offsets {
            self.committed.insert(*partition, *offset);
            if let Some((_, lane)) = self.lanes.get_mut(partition) {
                lane.consumed(*offset);
            }
        }
        let committed = Committed {
            batch: &batch,
            judgements: &judgements,
            counts: &output.counts,
            records: output.records,
            stream_time: self.engine.stream_time(),
            store: self.engine.store(),
        };
        tracing::debug!(
            records = output.records,
            alerts = batch.alerts.len(),
            dead_letters = batch.dead_letters.len(),
            changelog = batch.changelog.len(),
            offsets = %Offsets(&batch.offsets),
            took = ?start.elapsed(),
            "batch committed"
        );
        meter::batch_took(start.elapsed());
        meter::committed(&committed);
        let bytes = self.lanes.values().map(|(_, lane)| lane.bytes()).sum();
        meter::state(self.engine.store().len(), self.lanes.len(), bytes);
        self.observer.committed(&committed);
        self.enter(Condition::Running);
        Ok(Outcome::Done)
    }

    async fn commit_batch(&mut self, batch: &Arc<Batch>, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        let mut backoff = Backoff::default();
        loop {
            let start = Instant::now();
            let result = tokio::select! {
                biased;
                result = self.sink.commit(batch) => result,
                // whether it happened, the next member finds out: state and offsets are of one transaction
                () = stop.overdue() => return Ok(Outcome::Abandoned),
            };
            meter::commit_took(start.elapsed());
            let why = match result {
                Ok(()) => return Ok(Outcome::Done),
                Err(CommitError::Repeat(why)) => why,
                Err(CommitError::Lost(why)) => {
                    tracing::warn!(why, "batch abandoned: its partitions are gone");
                    return Ok(Outcome::Abandoned);
                }
                Err(stop @ CommitError::Stop { .. }) => return Err(stop.into()),
            };
            tracing::warn!(why, "batch not committed, repeating it");
            meter::repeated();
            self.enter(Condition::SinkUnavailable(why));
            if !backoff.wait(&mut self.source, stop).await {
                return Ok(Outcome::Abandoned);
            }
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
                    tracing::warn!(%error, questions = asked.questions.len(), "lookup unavailable, asking again");
                    self.enter(Condition::LookupUnavailable(error.to_string()));
                }
            }
            if !backoff.wait(&mut self.source, stop).await {
                return Ok(None);
            }
        };
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
