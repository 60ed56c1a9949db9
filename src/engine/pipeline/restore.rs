//! After an assignment, before the first record: state comes back from the changelog.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::stop::Stop;
use super::{Condition, Lane, Pipeline, PipelineError};
use crate::engine::alert::Judged;
use crate::engine::changelog::{BEGIN_ANEW, ChangelogError, Rebuild, Restored};
use crate::engine::lookup::Lookup;
use crate::engine::ports::{Sink, Source};
use crate::engine::{Domain, Partition};

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    /// Takes an assignment over. If it is taken away or a shutdown wanted meanwhile, nothing has happened.
    pub(super) async fn restore(
        &mut self,
        assigned: BTreeMap<Partition, Option<i64>>,
        stop: &mut Stop,
    ) -> Result<(), PipelineError> {
        if !self.may_share(assigned.is_empty(), stop)? {
            return Ok(());
        }
        let start = Instant::now();
        let partitions: BTreeSet<Partition> = assigned.keys().copied().collect();
        self.sink.restore(&partitions);
        let mut rebuild = Rebuild::default();
        let mut records = 0;
        loop {
            let page = tokio::select! {
                biased;
                () = self.source.revoking() => return Ok(()),
                () = stop.wanted() => return Ok(()),
                page = self.sink.restored() => page?,
            };
            let Some(page) = page else { break };
            records += page.records.len();
            page.records.into_iter().for_each(|record| rebuild.take(record));
            self.enter(match page.delayed {
                Some(why) => Condition::SourceUnavailable(why),
                None => Condition::Restoring { read: page.read, total: page.total },
            });
        }
        let restored = rebuild.finish::<D>()?;
        let (begin, resumed) = match agreed(&assigned, &restored) {
            Ok(agreed) => agreed,
            // somebody may have committed between the one reading and the other; what is wrong stays so
            Err(error) if self.disagreed.as_ref() != Some(&error.detail) => {
                tracing::warn!(%error, "offsets and changelog do not agree, reading both again");
                self.disagreed = Some(error.detail);
                return self.rewind(stop).await;
            }
            Err(error) => return Err(error.into()),
        };
        self.disagreed = None;
        tracing::info!(
            partitions = partitions.len(),
            records,
            windows = restored.windows.len(),
            took = ?start.elapsed(),
            "partitions assigned, state restored"
        );
        if !resumed.is_empty() {
            tracing::warn!(partitions = resumed.len(), "the group's offsets are gone, reading goes on where the changelog says");
            self.source.resume_at(&resumed);
        }
        for (partition, slot) in self.engine.restore(&Vec::from_iter(partitions), restored) {
            self.lanes.insert(partition, (slot, Lane::default()));
            if begin.contains_key(&partition) {
                continue;
            }
            if let Some(offset) = self.source.begins_at(partition) {
                self.engine.begin_at(slot, offset);
                self.gathering.get_or_insert_with(Instant::now);
            }
        }
        self.written = begin;
        self.silence.broken(Instant::now());
        self.enter(Condition::Running);
        Ok(())
    }
}

type Offsets = BTreeMap<Partition, i64>;

/// Where reading begins: what was committed, and what is only known to the changelog. Both are written in one transaction,
/// so where they differ, one of them was lost or moved by hand.
fn agreed<D: Domain>(
    assigned: &BTreeMap<Partition, Option<i64>>,
    restored: &Restored<D>,
) -> Result<(Offsets, Offsets), ChangelogError> {
    let (mut begin, mut resumed) = (Offsets::new(), Offsets::new());
    for (&partition, &committed) in assigned {
        let consumed = restored.positions.get(&partition).and_then(|(position, _)| position.consumed);
        match (committed, consumed) {
            (None, None) => {}
            (Some(offset), Some(consumed)) if offset == consumed => {
                begin.insert(partition, offset);
            }
            // a group's offsets expire when it is away for long; nothing is lost
            (None, Some(consumed)) => {
                begin.insert(partition, consumed);
                resumed.insert(partition, consumed);
            }
            (Some(offset), None) => {
                let detail = format!(
                    "the group has committed offset {offset} of {partition}, but the changelog knows nothing of it: it was \
                     deleted, or is another group's"
                );
                return Err(ChangelogError::new(detail, Some(BEGIN_ANEW)));
            }
            (Some(offset), Some(consumed)) => {
                let detail = format!(
                    "the group has committed offset {offset} of {partition}, but the changelog's state is as of {consumed}: \
                     offsets were moved by hand, or the changelog lost records"
                );
                let hint = format!("set the offset back to {consumed} (kafka-consumer-groups --reset-offsets); {BEGIN_ANEW}");
                return Err(ChangelogError::new(detail, Some(&hint)));
            }
        }
    }
    Ok((begin, resumed))
}
