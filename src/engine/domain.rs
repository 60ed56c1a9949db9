//! What an event catalogue tells the engine. The engine knows when; the domain knows what.

use std::fmt::Debug;
use std::hash::Hash;

use compact_str::CompactString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{ChangeEvent, Decoded, Record};
use crate::time::Timestamp;

/// The key of a window: for lending, the agreement number.
pub type Key = CompactString;

/// Place in merged order: every change that is applied gets the next one.
pub type Sequence = u64;

/// An event catalogue: how its records read, what it keeps open per key, and what is judged.
///
/// Everything here is pure: no I/O, no clock, no async. So live, replay, backtest and simulation are one code.
pub trait Domain: Send + Sync + 'static {
    /// A change that takes part in the merge.
    type Change: Clone + Debug + Send + Serialize + DeserializeOwned + 'static;
    /// What is open for one key.
    type Window: Default + Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Something to be judged, complete but for what must be looked up.
    type Case: Debug + Send + 'static;
    /// The effective rules. They change between batches, never inside one.
    type Rules: Debug + Send + Sync + 'static;
    /// What must be looked up to judge a case; equal questions are asked once a batch.
    type Question: Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// The answer to a question.
    type Answer: Clone + Debug + Send + Sync + 'static;
    /// The outcome of a case under every rule.
    type Judgement: super::alert::Judged + Debug + Send + 'static;

    /// Of the form in which windows are kept in the changelog. To be raised whenever what serde makes of a window changes: a
    /// window of another version is refused, never misread.
    const WINDOW_VERSION: u8 = 1;

    /// What is wrong with a record that is not keyed so that several members could share the input; follows its place.
    const MISPLACED: &str = "is not keyed by the window that it belongs to";
    /// How to have records keyed so.
    const KEYING: &str = "give every record the key of its window, and every topic equally many partitions; or run one member";

    /// Recognises, in this order: a bad message, one of no consequence, a change.
    fn decode(&self, record: &Record<'_>) -> Decoded<Self::Change>;

    /// Puts the changes of one whole commit into the order in which they are applied. They come partition by partition,
    /// each in the order of its offsets.
    fn order(&self, commit: &mut Vec<ChangeEvent<Self::Change>>);

    /// How long a window stays open, in milliseconds of stream time.
    fn max_wait_ms(&self, rules: &Self::Rules) -> i64;

    /// The window that a change touches. A change that touches none still moves stream time.
    fn target(&self, change: &Self::Change) -> Target;

    /// Whether a record's own key is that of the window to which its change belongs, as plain text: what brings all records of
    /// a window to one member of a group. `None` if the change does not tell.
    fn is_keyed(&self, change: &Self::Change, record_key: Option<&[u8]>) -> Option<bool> {
        match self.target(change) {
            Target::Window(key) => Some(record_key == Some(key.as_bytes())),
            Target::Nothing(_) => None,
        }
    }

    /// The key whose looked-up answers a change makes doubtful; `None` for most.
    fn outdates(&self, _change: &Self::Change) -> Option<Key> {
        None
    }

    /// Applies a change to its key's window.
    fn apply(&self, change: ChangeEvent<Self::Change>, window: &mut Self::Window, context: &mut Context<'_, Self>);

    /// Closes what the change with this sequence left open: stream time passed its deadline, or the input ended.
    fn expire(&self, opened: Sequence, window: &mut Self::Window, context: &mut Context<'_, Self>);

    /// Whether nothing is open, so that the window need not be kept.
    fn is_closed(&self, window: &Self::Window) -> bool;

    /// Stamp and sequence of every change that keeps the window open, so that deadlines can be set again after a restore.
    fn deadlines(&self, window: &Self::Window, deadline: &mut dyn FnMut(Timestamp, Sequence));

    /// What has to be looked up for a case; `None` if nothing.
    fn question(&self, case: &Self::Case, rules: &Self::Rules) -> Option<Self::Question>;

    /// Judges a case by every rule.
    fn judge(&self, case: Self::Case, answer: Option<&Self::Answer>, rules: &Self::Rules) -> Self::Judgement;
}

/// What a change is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Window(Key),
    /// Of no consequence; the label is counted.
    Nothing(&'static str),
}

/// What the engine hands a domain while it applies or expires a change, and what it takes from it.
#[derive(Debug)]
pub struct Context<'a, D: Domain + ?Sized> {
    pub key: &'a Key,
    pub rules: &'a D::Rules,
    /// Stream time at which the change is applied.
    pub stamp: Timestamp,
    /// The change's place in merged order.
    pub sequence: Sequence,
    pub(super) cases: &'a mut Vec<D::Case>,
    pub(super) counts: &'a mut super::Counts,
    pub(super) opens: bool,
}

impl<D: Domain + ?Sized> Context<'_, D> {
    /// Asks for a call of [`Domain::expire`] with this change's sequence once stream time passes its stamp by the domain's wait.
    pub fn keep_open(&mut self) {
        self.opens = true;
    }

    /// Hands over something to be judged. Cases are judged in this order.
    pub fn judge(&mut self, case: D::Case) {
        self.cases.push(case);
    }

    /// Counts an outcome that is not judged, by label.
    pub fn count(&mut self, label: &'static str) {
        self.counts.add(label, 1);
    }
}
