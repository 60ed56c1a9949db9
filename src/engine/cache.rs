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
mod tests {
    use std::task::{Context, Poll, Waker};

    use futures::FutureExt as _;
    use futures::channel::oneshot;
    use futures::executor::block_on;

    use super::*;
    use crate::time::ManualClock;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Month(Key, u32);

    impl Keyed for Month {
        fn key(&self) -> &Key {
            &self.0
        }

        fn next(&self) -> Option<Self> {
            (self.1 < 90).then(|| Self(self.0.clone(), self.1 + 1))
        }
    }

    fn ask(key: &str, month: u32) -> Month {
        Month(key.into(), month)
    }

    /// Answers with the month, and remembers its calls.
    #[derive(Debug, Default)]
    struct Inner {
        calls: Mutex<Vec<Vec<Month>>>,
        /// The next call waits for this.
        gate: Mutex<Option<oneshot::Receiver<()>>>,
    }

    impl Lookup<Month, u32> for Inner {
        async fn lookup(&self, questions: &[Month]) -> Result<Vec<u32>, LookupError> {
            self.calls.lock().unwrap().push(questions.to_vec());
            let gate = self.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                gate.await.unwrap();
            }
            let mut answers: Vec<u32> = questions.iter().map(|question| question.1).collect();
            match answers.last() {
                Some(99) => return Err(LookupError::unavailable("away")),
                Some(98) => drop(answers.pop()),
                Some(97) => answers.push(97),
                _ => {}
            }
            Ok(answers)
        }
    }

    const SHORT_MS: i64 = 5_000;
    const LONG_MS: i64 = 300_000;

    /// Answers below ten are soon stale.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "answers are usually large")]
    fn lives(_: &Month, answer: &u32) -> Duration {
        Duration::from_millis(if *answer < 10 { SHORT_MS } else { LONG_MS }.unsigned_abs())
    }

    const MUCH: u64 = 1_000_000;

    fn policy(max_bytes: u64) -> Policy<Month, u32> {
        Policy { lives: Box::new(lives), weighs: |_, _| 0, max_bytes }
    }

    struct Rig {
        cached: Cached<Inner, Month, u32>,
        clock: Arc<ManualClock>,
    }

    fn rig() -> Rig {
        let clock = Arc::new(ManualClock::at(Timestamp::from_ms(1_768_208_400_000).unwrap()));
        Rig { cached: Cached::new(Inner::default(), policy(MUCH), Arc::<ManualClock>::clone(&clock)), clock }
    }

    impl Rig {
        fn ask(&self, questions: &[Month]) -> Vec<u32> {
            block_on(self.cached.lookup(questions)).unwrap()
        }

        fn calls(&self) -> Vec<Vec<Month>> {
            self.cached.inner.calls.lock().unwrap().clone()
        }

        /// The next call of the inner look-up waits until this is sent.
        fn hold(&self) -> oneshot::Sender<()> {
            let (open, gate) = oneshot::channel();
            *self.cached.inner.gate.lock().unwrap() = Some(gate);
            open
        }
    }

    #[test]
    fn only_what_is_missing_is_asked_in_one_call_and_answers_keep_their_places() {
        let rig = rig();
        assert_eq!(rig.ask(&[ask("A", 11)]), [11]);
        let mixed = [ask("B", 12), ask("A", 11), ask("A", 13), ask("C", 14)];
        assert_eq!(rig.ask(&mixed), [12, 11, 13, 14]);
        assert_eq!(rig.ask(&mixed), [12, 11, 13, 14]);
        assert_eq!(rig.calls(), [vec![ask("A", 11)], vec![ask("B", 12), ask("A", 13), ask("C", 14)]]);
        assert_eq!(rig.cached.hits_and_misses(), (5, 4));
    }

    #[test]
    fn nothing_to_ask_asks_nothing() {
        let rig = rig();
        assert_eq!(rig.ask(&[]), [0; 0]);
        assert_eq!(rig.calls().len(), 0);
    }

    #[test]
    fn an_answer_lives_until_its_time_is_over_and_not_a_millisecond_longer() {
        for (month, lives_ms) in [(1, SHORT_MS), (11, LONG_MS)] {
            let rig = rig();
            rig.ask(&[ask("A", month)]);
            rig.clock.advance_ms(lives_ms - 1);
            rig.ask(&[ask("A", month)]);
            assert_eq!(rig.calls().len(), 1, "{month}");
            rig.clock.advance_ms(1);
            rig.ask(&[ask("A", month)]);
            assert_eq!(rig.calls().len(), 2, "{month}");
        }
    }

    #[test]
    fn the_answers_of_one_key_grow_old_each_by_itself() {
        let rig = rig();
        rig.ask(&[ask("A", 11), ask("A", 1)]);
        rig.clock.advance_ms(SHORT_MS);
        rig.ask(&[ask("A", 11), ask("A", 1)]);
        assert_eq!(rig.calls()[1..], [vec![ask("A", 1)]], "the short-lived one does not take the other with it");
        rig.clock.advance_ms(LONG_MS - SHORT_MS - 1);
        rig.ask(&[ask("A", 12)]);
        rig.clock.advance_ms(1);
        rig.ask(&[ask("A", 11)]);
        assert_eq!(rig.calls().len(), 4, "a later answer to another question does not lengthen the life of the first");
    }

    #[test]
    fn what_was_kept_before_the_clock_was_set_back_is_asked_again() {
        let rig = rig();
        rig.ask(&[ask("A", 11)]);
        rig.clock.advance_ms(-1);
        rig.ask(&[ask("A", 11)]);
        assert_eq!(rig.calls().len(), 2);
    }

    #[test]
    fn an_outdated_key_forgets_all_its_answers_and_no_other() {
        let rig = rig();
        let all = [ask("A", 11), ask("A", 12), ask("B", 11)];
        rig.ask(&all);
        rig.cached.outdated(&["A".into()]);
        rig.ask(&all);
        assert_eq!(rig.calls()[1..], [vec![ask("A", 11), ask("A", 12)]]);
    }

    #[test]
    fn an_answer_under_way_is_given_but_not_kept_when_its_key_is_outdated() {
        let rig = rig();
        let open = rig.hold();
        let all = [ask("A", 11), ask("B", 12)];
        let mut first = Box::pin(rig.cached.lookup(&all));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        rig.cached.outdated(&["A".into()]);
        open.send(()).unwrap();
        assert!(matches!(first.as_mut().poll(&mut context), Poll::Ready(Ok(answers)) if answers == [11, 12]));

        rig.ask(&[ask("A", 11), ask("A", 13), ask("B", 12)]);
        assert_eq!(rig.calls().last().unwrap(), &[ask("A", 11), ask("A", 13)]);
        rig.ask(&[ask("A", 11)]);
        assert_eq!(rig.calls().len(), 2, "once nothing is under way, answers are kept again");
    }

    #[test]
    fn a_look_up_that_is_given_up_leaves_nothing_behind() {
        let rig = rig();
        let _open = rig.hold();
        let questions = [ask("A", 11)];
        let mut first = Box::pin(rig.cached.lookup(&questions));
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        rig.cached.outdated(&["A".into()]);
        drop(first);
        let state = lock(&rig.cached.under_way);
        assert_eq!((state.lookups, state.outdated.len()), (0, 0));
    }

    #[test]
    fn a_failure_keeps_nothing_and_is_passed_on() {
        let rig = rig();
        assert!(block_on(rig.cached.lookup(&[ask("A", 11), ask("A", 99)])).is_err());
        rig.ask(&[ask("A", 11)]);
        assert_eq!(rig.calls().len(), 2);
    }

    #[test]
    fn a_wrong_number_of_answers_is_an_error_and_none_of_them_is_kept() {
        for wrong in [98, 97] {
            let rig = rig();
            let error = block_on(rig.cached.lookup(&[ask("A", 11), ask("A", wrong)])).unwrap_err();
            assert_eq!(error.fate, super::super::lookup::Fate::Stop);
            rig.ask(&[ask("A", 11)]);
            assert_eq!(rig.calls().len(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_key_keeps_only_its_latest_questions() {
        let rig = rig();
        for month in 11..=15 {
            rig.ask(&[ask("A", month)]);
        }
        rig.ask(&[ask("A", 15), ask("A", 12)]);
        assert_eq!(rig.calls().len(), 5, "the last four are kept");
        rig.ask(&[ask("A", 11)]);
        assert_eq!(rig.calls().len(), 6);
    }

    #[test]
    fn no_more_keys_are_kept_than_there_is_room_for() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_ms(0).unwrap()));
        let each = (OVERHEAD + size_of::<Kept<Month, u32>>() + 3) as u64;
        let cached = Cached::new(Inner::default(), policy(10 * each), clock);
        let many: Vec<_> = (0..1_000).map(|n| ask(&n.to_string(), 11)).collect();
        block_on(cached.lookup(&many)).unwrap();
        cached.kept.run_pending_tasks();
        assert!((5..=10).contains(&cached.kept.entry_count()), "{}", cached.kept.entry_count());
    }

    #[test]
    fn a_question_that_is_under_way_is_not_asked_a_second_time() {
        let rig = rig();
        let open = rig.hold();
        let (one, two) = ([ask("A", 11)], [ask("A", 11), ask("B", 12)]);
        let mut first = rig.cached.lookup(&one).boxed_local();
        let mut second = rig.cached.lookup(&two).boxed_local();
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        open.send(()).unwrap();
        assert_eq!(block_on(first).unwrap(), [11]);
        assert_eq!(block_on(second).unwrap(), [11, 12]);
        assert_eq!(rig.calls(), [vec![ask("A", 11)], vec![ask("B", 12)]]);
    }

    #[test]
    fn what_was_read_beforehand_is_kept_unless_it_was_outdated_meanwhile() {
        let rig = rig();
        let filling = rig.cached.filling();
        rig.cached.fill(&filling, &ask("A", 11), &11);
        rig.cached.outdated(&["B".into()]);
        rig.cached.fill(&filling, &ask("B", 11), &0);
        drop(filling);
        assert_eq!(rig.ask(&[ask("A", 11), ask("B", 11)]), [11, 11]);
        assert_eq!(rig.calls(), [vec![ask("B", 11)]]);
    }

    #[test]
    fn what_is_likely_next_is_asked_along_and_only_what_was_asked_is_answered() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_ms(1_768_208_400_000).unwrap()));
        let rig = rig();
        let cached = Cached::new(rig.cached.inner, policy(MUCH), clock).ahead(2);
        assert_eq!(block_on(cached.lookup(&[ask("A", 20), ask("B", 89)])).unwrap(), [20, 89]);
        let along = [ask("A", 20), ask("B", 89), ask("A", 21), ask("A", 22), ask("B", 90)];
        assert_eq!(*cached.inner.calls.lock().unwrap(), [along]);
        assert_eq!(block_on(cached.lookup(&[ask("B", 90), ask("A", 22), ask("A", 21)])).unwrap(), [90, 22, 21]);
        assert_eq!(cached.inner.calls.lock().unwrap().len(), 1);
        assert_eq!(cached.hits_and_misses(), (3, 2));
    }
}
