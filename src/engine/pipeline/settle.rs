//! What was polled, decoded and applied, as far as the merge may go.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};

use super::commit::Outcome;
use super::settings::Backoff;
use super::stop::Stop;
use super::{Away, Pipeline, PipelineError, Until, sharing};
use crate::engine::alert::Judged;
use crate::engine::lookup::Lookup;
use crate::engine::ports::{Sink, Source};
use crate::engine::{DeadLetter, Domain, Entry, Partition, Progress, RebuiltSource, Slot};
use crate::event::{Decoded, RegistryError};

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    /// Applies everything that can be applied now, batch by batch. The last one may be in flight still, or in hand until the one
    /// before it is durable.
    pub(super) async fn settle(&mut self, stop: &mut Stop) -> Result<Outcome, PipelineError> {
        self.gathering = None;
        self.looked_at += std::mem::take(&mut self.gathered);
        self.growing = false;
        self.patience = None;
        self.decode();
        if let Some(scattered) = self.sharing.found.take() {
            self.let_go(Duration::MAX, stop).await?;
            return self.refuse(scattered, stop);
        }
        // what waits for its schema is yet to be offered: the merge must not go on without it
        let undecoded: BTreeSet<_> = self.inbox.iter().map(|record| Partition::from(record.origin)).collect();
        loop {
            let rules = self.rules_in_hand();
            for (partition, (_, lane)) in &mut self.lanes {
                lane.at_end = self.source.at_end(*partition) && !undecoded.contains(partition);
            }
            let progress = self.advance(&rules);
            let more = match &progress {
                Progress::Busy => true,
                Progress::Waiting(waiting) => self.pass_over(waiting, &rules, stop.until()),
                Progress::Drained | Progress::Rebuilt(_) => false,
            };
            if more && self.room() > 0 {
                // commits are passed over a partition one by one: not each is worth a transaction
                continue;
            }
            if self.may_grow(&progress, stop.until()) {
                self.growing = true;
                self.hold_back(&progress);
                return Ok(Outcome::Done);
            }
            if let Outcome::Abandoned = self.commit(&rules, stop).await? {
                return Ok(Outcome::Abandoned);
            }
            if let Progress::Rebuilt(rebuilt) = progress {
                self.stand_before(rebuilt, stop.until())?;
            }
            self.hold_back(&progress);
            if !more || stop.until() == Until::Now {
                return Ok(Outcome::Done);
            }
        }
    }

    /// Decodes what was polled, as far as the schema registry lets it.
    fn decode(&mut self) {
        let now = Instant::now();
        let mut went_on = false;
        while let Some(record) = self.inbox.pop_front() {
            let partition = Partition::from(record.origin);
            // a record of an assignment that is over is read again by whoever has its partition now
            let Some((slot, lane)) = self.lanes.get_mut(&partition) else { continue };
            let entry = match record.with(|record| self.domain.decode(record)) {
                Decoded::Change(change) => {
                    if self.sharing.is_shared {
                        let key = record.key.as_deref();
                        self.sharing.found = sharing::misplaced(&*self.domain, &change.body, key, record.origin);
                    }
                    if self.sharing.found.is_some() {
                        return;
                    }
                    Entry::Change(change)
                }
                Decoded::Ignored(label) => Entry::Ignored(label),
                Decoded::Bad(bad) => Entry::Bad(Box::new(record.with(|record| DeadLetter::new(record, &bad)))),
                Decoded::Unavailable(error) => {
                    self.inbox.push_front(record);
                    if went_on {
                        // what was waited for before came: this is a wait of its own
                        self.registry = None;
                    }
                    let away =
                        self.registry.get_or_insert_with(|| Away { again_at: now, backoff: Backoff::default(), why: None });
                    away.again_at = now + away.backoff.next();
                    // a schema that was only just asked for is no trouble
                    if !matches!(error, RegistryError::Pending { .. }) {
                        tracing::warn!(%error, "schema registry unavailable, decoding waits");
                        away.why = Some(error.to_string());
                        self.resume();
                    }
                    return;
                }
            };
            went_on = true;
            lane.arrived(now, record.origin.offset, record.size());
            self.engine.push(*slot, record.origin.offset, entry);
        }
        if self.registry.take().is_some() {
            self.resume();
        }
    }

    /// Whether the batch in hand is better given to the sink later, with what comes until then: the sink has another one, and
    /// what is left out of this batch waits for two.
    fn may_grow(&self, progress: &Progress, until: Until) -> bool {
        let sink_is_busy = self.in_flight.as_ref().is_some_and(|in_flight| !in_flight.has_ended());
        let has_room = self.room() > 0 && self.looked_at < self.settings.max_records;
        sink_is_busy && has_room && until == Until::Told && !matches!(progress, Progress::Rebuilt(_))
    }

    /// How many changes the batch in hand has room for.
    fn room(&self) -> usize {
        usize::try_from(self.engine.pending()).map_or(0, |pending| self.settings.max_changes.saturating_sub(pending))
    }

    /// Applies what the batch in hand has room for.
    fn advance(&mut self, rules: &D::Rules) -> Progress {
        self.advance_by(rules, self.room())
    }

    /// Applies, and tells the lanes what of theirs is gone.
    fn advance_by(&mut self, rules: &D::Rules, limit: usize) -> Progress {
        let progress = self.engine.advance(rules, limit);
        for (partition, offset) in self.engine.consumed() {
            if let Some((_, lane)) = self.lanes.get_mut(&partition) {
                lane.consumed(offset);
            }
        }
        progress
    }

    /// Lets the merge go on without partitions for which the smallest commit has waited long enough. It goes on with what
    /// came that long ago, and no further: what came later waits for its own time.
    fn pass_over(&mut self, waiting: &[Slot], rules: &D::Rules, until: Until) -> bool {
        let now = Instant::now();
        let head = self.lanes.values().filter_map(|(slot, lane)| Some((self.engine.offer(*slot)?, lane.oldest()?))).min();
        let Some((_, head)) = head else { return false };
        let max_idle = if until == Until::Drained { Duration::ZERO } else { self.settings.max_idle };
        let mut over = head;
        for (_, lane) in self.lanes.values().filter(|(slot, _)| waiting.contains(slot)) {
            match lane.patience(head, max_idle) {
                Some(patience) => over = over.max(patience),
                None => return false,
            }
        }
        if now < over {
            self.patience = Some(over);
            return false;
        }
        let newest = self.lanes.values().filter_map(|(_, lane)| lane.newest()).max();
        let all_waited = newest.is_some_and(|newest| newest + max_idle <= now);
        for slot in waiting {
            self.engine.set_idle(*slot, true);
        }
        self.advance_by(rules, if all_waited { self.room() } else { 1 });
        for slot in waiting {
            self.engine.set_idle(*slot, false);
        }
        true
    }

    /// Stays in the group, reads nothing more, and says why; a drain cannot end well.
    fn stand_before(&mut self, rebuilt: RebuiltSource, until: Until) -> Result<(), PipelineError> {
        if until == Until::Drained {
            return Err(rebuilt.into());
        }
        if self.rebuilt.replace(rebuilt).is_none() {
            tracing::error!(error = %rebuilt, hint = RebuiltSource::HINT, "stopped before a rebuilt source");
            self.resume();
        }
        Ok(())
    }

    /// Has the source keep the records of partitions that are far ahead, never of one that the merge waits for: a single
    /// commit may be larger than any bound.
    fn hold_back(&mut self, progress: &Progress) {
        for (partition, (slot, lane)) in &mut self.lanes {
            let waited_for = matches!(progress, Progress::Waiting(waiting) if waiting.contains(slot));
            let bound = if lane.held { self.settings.max_buffered_bytes / 2 } else { self.settings.max_buffered_bytes };
            let hold = lane.bytes() > bound && !waited_for;
            if hold != lane.held {
                lane.held = hold;
                self.source.hold(*partition, hold);
            }
        }
    }
}
