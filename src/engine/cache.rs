//! A bounded memory of answers, in front of a look-up that costs a round trip.
//!
//! Answers are kept by key, so that a key's answers can be forgotten together. How long an answer lives is said when it
//! comes: one that may soon be another (nothing known yet, a new agreement) lives seconds, the others minutes.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync::Cache;

use super::Key;
use super::lookup::{Lookup, LookupError};

/// A question that is about one key.
pub trait Keyed {
    fn key(&self) -> &Key;
}

/// Questions of one key whose answers are kept at once: the latest ones. For lending, months: few at a time.
const PER_KEY: usize = 4;

/// A look-up with a cache in front.
pub struct Cached<L, Q, A> {
    inner: L,
    kept: Cache<Key, Kept<Q, A>, foldhash::fast::RandomState>,
    lives: fn(&Q, &A) -> Duration,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A key's answers.
#[derive(Clone)]
struct Kept<Q, A> {
    answers: Arc<[(Q, A)]>,
    lives: Duration,
}

/// Lets each entry live as long as its shortest-lived answer.
struct AsLongAsItLives;

impl<Q, A> Expiry<Key, Kept<Q, A>> for AsLongAsItLives {
    fn expire_after_create(&self, _: &Key, kept: &Kept<Q, A>, _: Instant) -> Option<Duration> {
        Some(kept.lives)
    }

    fn expire_after_update(&self, _: &Key, kept: &Kept<Q, A>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.lives)
    }
}

impl<L, Q, A> Cached<L, Q, A>
where
    Q: Keyed + Clone + Eq + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// Keeps the answers of at most `capacity` keys, each for as long as `lives` says.
    #[must_use]
    pub fn new(inner: L, capacity: u64, lives: fn(&Q, &A) -> Duration) -> Self {
        let kept = Cache::builder()
            .max_capacity(capacity)
            .expire_after(AsLongAsItLives)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { inner, kept, lives, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Questions answered from memory, and those that were asked.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    fn find(&self, question: &Q) -> Option<A> {
        let kept = self.kept.get(question.key())?;
        kept.answers.iter().find(|(asked, _)| asked == question).map(|(_, answer)| answer.clone())
    }

    fn keep(&self, question: &Q, answer: &A) {
        let lives = (self.lives)(question, answer);
        let before = self.kept.get(question.key());
        let older = before.iter().flat_map(|kept| kept.answers.iter()).filter(|(asked, _)| asked != question);
        let answers = [(question.clone(), answer.clone())].into_iter().chain(older.take(PER_KEY - 1).cloned()).collect();
        let lives = before.as_ref().map_or(lives, |kept| kept.lives.min(lives));
        self.kept.insert(question.key().clone(), Kept { answers, lives });
    }
}

impl<L, Q, A> Lookup<Q, A> for Cached<L, Q, A>
where
    L: Lookup<Q, A>,
    Q: Keyed + Clone + Eq + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// What is not in memory is asked in one call.
    async fn lookup(&self, questions: &[Q]) -> Result<Vec<A>, LookupError> {
        let found: Vec<Option<A>> = questions.iter().map(|question| self.find(question)).collect();
        let missing: Vec<Q> =
            questions.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(question, _)| question.clone()).collect();
        self.hits.fetch_add((questions.len() - missing.len()) as u64, Ordering::Relaxed);
        self.misses.fetch_add(missing.len() as u64, Ordering::Relaxed);
        let mut asked = if missing.is_empty() { Vec::new() } else { self.inner.lookup(&missing).await? }.into_iter();
        for (question, answer) in missing.iter().zip(asked.as_slice()) {
            self.keep(question, answer);
        }
        found
            .into_iter()
            .map(|found| found.or_else(|| asked.next()))
            .collect::<Option<Vec<A>>>()
            .ok_or_else(|| LookupError::broken("the look-up gave fewer answers than it was asked questions"))
    }

    fn outdated(&self, keys: &[Key]) {
        for key in keys {
            self.kept.invalidate(key);
        }
    }
}

impl<L: Debug, Q, A> Debug for Cached<L, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::executor::block_on;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Month(Key, u32);

    impl Keyed for Month {
        fn key(&self) -> &Key {
            &self.0
        }
    }

    fn ask(key: &str, month: u32) -> Month {
        Month(key.into(), month)
    }

    /// Answers with the month, and remembers its calls.
    #[derive(Debug, Default)]
    struct Inner(Mutex<Vec<Vec<Month>>>);

    impl Lookup<Month, u32> for Inner {
        async fn lookup(&self, questions: &[Month]) -> Result<Vec<u32>, LookupError> {
            self.0.lock().unwrap().push(questions.to_vec());
            if questions.iter().any(|question| question.1 == 99) {
                return Err(LookupError::unavailable("away"));
            }
            Ok(questions.iter().map(|question| question.1).collect())
        }
    }

    /// Answers below ten are soon stale.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "answers are usually large")]
    fn lives(_: &Month, answer: &u32) -> Duration {
        if *answer < 10 { Duration::ZERO } else { Duration::from_hours(1) }
    }

    fn cached() -> Cached<Inner, Month, u32> {
        Cached::new(Inner::default(), 1_000, lives)
    }

    impl Cached<Inner, Month, u32> {
        fn calls(&self) -> Vec<Vec<Month>> {
            self.inner.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn only_what_is_missing_is_asked_in_one_call_and_answers_keep_their_places() {
        let cached = cached();
        assert_eq!(block_on(cached.lookup(&[ask("A", 11)])).unwrap(), [11]);
        let mixed = [ask("B", 12), ask("A", 11), ask("A", 13), ask("C", 14)];
        assert_eq!(block_on(cached.lookup(&mixed)).unwrap(), [12, 11, 13, 14]);
        assert_eq!(block_on(cached.lookup(&mixed)).unwrap(), [12, 11, 13, 14]);
        assert_eq!(cached.calls(), [vec![ask("A", 11)], vec![ask("B", 12), ask("A", 13), ask("C", 14)]]);
        assert_eq!(cached.hits_and_misses(), (5, 4));
    }

    #[test]
    fn a_short_lived_answer_is_asked_again_and_takes_its_key_with_it() {
        let cached = cached();
        for _ in 0..2 {
            assert_eq!(block_on(cached.lookup(&[ask("A", 1)])).unwrap(), [1]);
        }
        assert_eq!(cached.calls().len(), 2);
        block_on(cached.lookup(&[ask("B", 11)])).unwrap();
        block_on(cached.lookup(&[ask("B", 2)])).unwrap();
        block_on(cached.lookup(&[ask("B", 11)])).unwrap();
        assert_eq!(cached.calls().len(), 5);
    }

    #[test]
    fn an_outdated_key_forgets_all_its_answers_and_no_other() {
        let cached = cached();
        let all = [ask("A", 11), ask("A", 12), ask("B", 11)];
        block_on(cached.lookup(&all)).unwrap();
        cached.outdated(&["A".into()]);
        block_on(cached.lookup(&all)).unwrap();
        assert_eq!(cached.calls()[1..], [vec![ask("A", 11), ask("A", 12)]]);
    }

    #[test]
    fn a_failure_keeps_nothing_and_is_passed_on() {
        let cached = cached();
        assert!(block_on(cached.lookup(&[ask("A", 11), ask("A", 99)])).is_err());
        block_on(cached.lookup(&[ask("A", 11)])).unwrap();
        assert_eq!(cached.calls().len(), 2);
    }

    #[test]
    fn a_key_keeps_only_its_latest_questions() {
        let cached = cached();
        for month in 11..=15 {
            block_on(cached.lookup(&[ask("A", month)])).unwrap();
        }
        block_on(cached.lookup(&[ask("A", 15), ask("A", 12)])).unwrap();
        assert_eq!(cached.calls().len(), 5, "the last four are kept");
        block_on(cached.lookup(&[ask("A", 11)])).unwrap();
        assert_eq!(cached.calls().len(), 6);
    }
}
