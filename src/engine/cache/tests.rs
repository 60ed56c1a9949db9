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
