//! A bounded memory of answers, in front of a look-up that costs a round trip.
//!
//! Answers are kept by key, so that a key's answers can be forgotten together. How long an answer lives is said when it
//! comes: one that may soon be another (nothing known yet, a new agreement) lives seconds, the others minutes.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use foldhash::HashMap;
use metrics::{counter, gauge};
use moka::sync::Cache;

use super::Key;
use super::lookup::{Lookup, LookupError};
use crate::telemetry::{LOOKUP_ANSWERS, LOOKUP_CACHED};
use crate::time::{Clock, Timestamp};

/// A question that is about one key.
pub trait Keyed: Sized {
    fn key(&self) -> &Key;

    /// What is likely to be asked next about this key.
    fn next(&self) -> Option<Self> {
        None
    }
}

/// Questions of one key whose answers are kept at once: the latest ones. For lending, months: few at a time.
const PER_KEY: usize = 4;

/// How long an answer is believed.
pub type Lives<Q, A> = Box<dyn Fn(&Q, &A) -> Duration + Send + Sync>;

/// What a cache keeps, and for how long.
pub struct Policy<Q, A> {
    /// How long an answer is believed. Nothing that lives for no time is kept.
    pub lives: Lives<Q, A>,
    /// About how many bytes a question and its answer hold, besides the two types' own size.
    pub weighs: fn(&Q, &A) -> usize,
    /// All that is kept, about. What was asked for rarely goes first.
    pub max_bytes: u64,
}

impl<Q, A> Debug for Policy<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

/// What the cache's own book-keeping takes for a key, about.
const OVERHEAD: usize = 100;

/// A look-up with a cache in front.
pub struct Cached<L, Q, A> {
    inner: L,
    kept: Cache<Key, Arc<[Kept<Q, A>]>, foldhash::fast::RandomState>,
    lives: Lives<Q, A>,
    clock: Arc<dyn Clock>,
    /// How many of the questions that are likely next are asked along.
    ahead: usize,
    /// Held while `kept` is written to, so that no answer is kept after its key was outdated.
    under_way: Mutex<UnderWay>,
    /// Held by the one look-up that is under way.
    flight: futures::lock::Mutex<()>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone)]
struct Kept<Q, A> {
    question: Q,
    answer: A,
    from: Timestamp,
    until_ms: i64,
}

impl<Q, A> Kept<Q, A> {
    /// An answer from the future was kept before the clock was set back: how old it is cannot be told.
    fn is_alive(&self, now: Timestamp) -> bool {
        self.from <= now && now.as_ms() < self.until_ms
    }
}

/// What was outdated while look-ups wait for their answers. Empty whenever none waits.
#[derive(Debug, Default)]
struct UnderWay {
    lookups: usize,
    /// Counts the calls that outdate.
    turn: u64,
    outdated: HashMap<Key, u64>,
}

/// A look-up that waits for its answers; one that is dropped half-way must not keep `outdated` growing.
#[derive(Debug)]
struct Waiting<'a> {
    under_way: &'a Mutex<UnderWay>,
    since: u64,
}

impl Waiting<'_> {
    fn begin(under_way: &Mutex<UnderWay>) -> Waiting<'_> {
        let mut state = lock(under_way);
        state.lookups += 1;
        Waiting { under_way, since: state.turn }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.under_way);
        state.lookups -= 1;
        if state.lookups == 0 {
            state.outdated.clear();
        }
    }
}

/// While it lives, what is outdated is remembered, so that no older answer is kept after it.
#[derive(Debug)]
pub struct Filling<'a>(Waiting<'a>);

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().expect("no thread panics while it holds this lock")
}

impl<L, Q, A> Cached<L, Q, A>
where
    Q: Keyed + Clone + Eq + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
{
    #[must_use]
    pub fn new(inner: L, policy: Policy<Q, A>, clock: Arc<dyn Clock>) -> Self {
        let Policy { lives, weighs, max_bytes } = policy;
        let weight = move |key: &Key, kept: &Arc<[Kept<Q, A>]>| {
            let answers: usize = kept.iter().map(|kept| weighs(&kept.question, &kept.answer)).sum();
            let bytes = OVERHEAD + key.len() + size_of_val(&**kept) + answers;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let kept =
            Cache::builder().max_capacity(max_bytes).weigher(weight).build_with_hasher(foldhash::fast::RandomState::default());
        let (hits, misses) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            inner,
            kept,
            lives,
            clock,
            ahead: 0,
            under_way: Mutex::default(),
            flight: futures::lock::Mutex::default(),
            hits,
            misses,
        }
    }

    /// Asks along what is likely next, so many times next: worth it where the answers lie side by side.
    #[must_use]
    pub fn ahead(self, ahead: usize) -> Self {
        Self { ahead, ..self }
    }

    /// Questions answered from memory, and those that were asked.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The look-up behind.
    #[must_use]
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// Keeps answers that were read without a question, as a whole book is: unless a key was outdated since `begun`.
    pub fn fill(&self, begun: &Filling<'_>, question: &Q, answer: &A) {
        self.keep(std::slice::from_ref(question), std::slice::from_ref(answer), &begun.0);
    }

    /// To be called before the answers for [`Self::fill`] are read.
    #[must_use]
    pub fn filling(&self) -> Filling<'_> {
        Filling(Waiting::begin(&self.under_way))
    }

    fn find(&self, question: &Q, now: Timestamp) -> Option<A> {
        let kept = self.kept.get(question.key())?;
        kept.iter().find(|kept| kept.question == *question && kept.is_alive(now)).map(|kept| kept.answer.clone())
    }

    /// Keeps what came for `waiting`, but for keys that were outdated meanwhile: their answers may be from before.
    fn keep(&self, questions: &[Q], answers: &[A], waiting: &Waiting<'_>) {
        let now = self.clock.now();
        let state = lock(&self.under_way);
        for (question, answer) in questions.iter().zip(answers) {
            let key = question.key();
            let lives_ms = i64::try_from((self.lives)(question, answer).as_millis()).unwrap_or(i64::MAX);
            if lives_ms == 0 || state.outdated.get(key).is_some_and(|turn| *turn > waiting.since) {
                continue;
            }
            let latest = Kept { question: question.clone(), answer: answer.clone(), from: now, until_ms: now.plus_ms(lives_ms) };
            let before = self.kept.get(key);
            let older = before.iter().flat_map(|kept| kept.iter());
            let older = older.filter(|kept| kept.question != *question && kept.is_alive(now)).take(PER_KEY - 1);
            self.kept.insert(key.clone(), std::iter::once(latest).chain(older.cloned()).collect());
        }
    }
}

impl<L, Q, A> Lookup<Q, A> for Cached<L, Q, A>
where
    L: Lookup<Q, A>,
    Q: Keyed + Clone + Eq + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// What is not in memory is asked in one call; of several calls at a time, one after the other, so that nothing that is on
    /// its way is asked twice.
    async fn lookup(&self, questions: &[Q]) -> Result<Vec<A>, LookupError> {
        let find = || {
            let now = self.clock.now();
            questions.iter().map(|question| self.find(question, now)).collect::<Vec<Option<A>>>()
        };
        let mut found = find();
        let mut flight = None;
        if found.iter().any(Option::is_none) {
            flight = Some(match self.flight.try_lock() {
                Some(flight) => flight,
                None => {
                    let flight = self.flight.lock().await;
                    // what the others asked meanwhile
                    found = find();
                    flight
                }
            });
        }
        let missing: Vec<Q> =
            questions.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(question, _)| question.clone()).collect();
        let (hits, misses) = ((questions.len() - missing.len()) as u64, missing.len() as u64);
        self.hits.fetch_add(hits, Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
        counter!(LOOKUP_ANSWERS.name, "from" => "cache").increment(hits);
        counter!(LOOKUP_ANSWERS.name, "from" => "source").increment(misses);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        gauge!(LOOKUP_CACHED.name).set(self.kept.entry_count() as f64);
        let mut asked = Vec::new();
        if !missing.is_empty() {
            let waiting = Waiting::begin(&self.under_way);
            let next = |question: &Q| std::iter::successors(question.next(), Q::next).take(self.ahead).collect::<Vec<_>>();
            let ahead: Vec<Q> = missing.iter().flat_map(next).collect();
            let questions = [missing, ahead].concat();
            asked = self.inner.lookup(&questions).await?;
            // Which answer belongs to which question could not be told.
            if asked.len() != questions.len() {
                let detail = format!("the look-up gave {} answers to {} questions", asked.len(), questions.len());
                return Err(LookupError::broken(detail));
            }
            self.keep(&questions, &asked, &waiting);
        }
        drop(flight);
        let mut asked = asked.into_iter();
        Ok(found.into_iter().filter_map(|found| found.or_else(|| asked.next())).collect())
    }

    fn outdated(&self, keys: &[Key]) {
        let mut state = lock(&self.under_way);
        if state.lookups > 0 {
            state.turn += 1;
            let turn = state.turn;
            state.outdated.extend(keys.iter().map(|key| (key.clone(), turn)));
        }
        for key in keys {
            self.kept.invalidate(key);
        }
        drop(state);
        self.inner.outdated(keys);
    }
}

impl<L: Debug, Q, A> Debug for Cached<L, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
