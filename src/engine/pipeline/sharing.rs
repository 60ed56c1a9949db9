//! Several members may share an input only if all records of a key come to one of them.
//!
//! A member that has every partition needs nothing of the kind. That others have come shows in its next assignment, which is
//! then not all; before anything of it is read, the newest record of each topic tells how the connector sets keys now, and
//! from then on every record is looked at before it is applied. If they are keyed otherwise, the member that worked alone
//! until then waits for the others to go, and members that never did stop: so starting a second one by mistake ends with the
//! first one at work.

use std::collections::BTreeMap;

use super::stop::Stop;
use super::{Condition, Outcome, Pipeline, PipelineError};
use crate::engine::Domain;
use crate::engine::alert::Judged;
use crate::engine::lookup::Lookup;
use crate::engine::ports::{OwnedRecord, SharedInput, Sink, Source};
use crate::event::{Decoded, Origin};

/// Why this member cannot share the input with others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("several members share the input, but {why}")]
pub struct Scattered {
    pub why: String,
    /// How the input has to be keyed.
    pub hint: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// Of the assignment that comes next.
    pub(super) announced: Option<SharedInput>,
    /// Others have other partitions.
    pub(super) is_shared: bool,
    /// At some time this member had them all.
    was_alone: bool,
    /// Of a record that was decoded.
    pub(super) found: Option<Scattered>,
    /// Nothing is read until another assignment comes.
    pub(super) refused: bool,
}

impl Sharing {
    /// The assignment was given up: what is known of it goes with it, what was announced is of the next.
    pub(super) fn reset(&mut self) {
        *self = Self { announced: self.announced.take(), was_alone: self.was_alone, ..Self::default() };
    }
}

/// That a record is not keyed as several members need it.
pub(super) fn misplaced<D: Domain>(domain: &D, change: &D::Change, key: Option<&[u8]>, origin: Origin) -> Option<Scattered> {
    let is_keyed = domain.is_keyed(change, key);
    (is_keyed == Some(false)).then(|| Scattered { why: format!("{origin} {}", D::MISPLACED), hint: D::KEYING })
}

/// What the newest record of each topic, of those that tell, has against sharing.
fn objection<D: Domain>(domain: &D, shared: SharedInput) -> Option<Scattered> {
    if let Some(why) = shared.scattered {
        return Some(Scattered { why, hint: D::KEYING });
    }
    let mut newest = BTreeMap::new();
    for record in &shared.sample {
        // one that cannot be read yet is looked at when it is
        if let Decoded::Change(change) = record.with(|record| domain.decode(record))
            && domain.is_keyed(&change.body, record.key.as_deref()).is_some()
        {
            let place = newest.entry(record.origin.topic).or_insert((change.commit, record, change.body.clone()));
            if change.commit >= place.0 {
                *place = (change.commit, record, change.body);
            }
        }
    }
    let mut newest = newest.into_values();
    newest.find_map(|(_, OwnedRecord { origin, key, .. }, change)| misplaced(domain, &change, key.as_deref(), *origin))
}

impl<D, S, K, L> Pipeline<D, S, K, L>
where
    D: Domain,
    D::Judgement: Judged,
    S: Source,
    K: Sink,
    L: Lookup<D::Question, D::Answer>,
{
    /// Whether an assignment can be taken over at all. One of no partitions can.
    pub(super) fn may_share(&mut self, is_empty: bool, stop: &Stop) -> Result<bool, PipelineError> {
        let Some(shared) = self.sharing.announced.take() else {
            self.sharing.was_alone |= !is_empty;
            return Ok(true);
        };
        self.sharing.is_shared = true;
        match objection(&*self.domain, shared) {
            Some(scattered) => self.refuse(scattered, stop).map(|_| false),
            None => Ok(true),
        }
    }

    /// Waits for the others to go, or goes.
    pub(super) fn refuse(&mut self, scattered: Scattered, stop: &Stop) -> Result<Outcome, PipelineError> {
        if !self.sharing.was_alone || stop.until() == super::Until::Drained {
            return Err(scattered.into());
        }
        tracing::error!(error = %scattered, hint = scattered.hint, "reading nothing until this member is alone again");
        self.reset();
        self.sharing.refused = true;
        self.enter(Condition::Scattered(format!("{scattered}; {}", scattered.hint)));
        Ok(Outcome::Done)
    }
}
