//! Leaves a server in peace that has failed repeatedly.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use metrics::gauge;
use tokio::time::Instant;

use super::error::{Class, SqlServerError};
use super::jittered;
use crate::telemetry::SQL_BREAKER;

/// Failures in a row until it opens.
const THRESHOLD: u32 = 3;
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(15);
/// After a login that was refused: so few attempts that a usual lock-out policy (ten in half an hour) takes a while, and soon
/// enough after a password was corrected.
const FIRST_REST_REFUSED: Duration = Duration::from_secs(30);
const LONGEST_REST_REFUSED: Duration = Duration::from_mins(4);

/// Closed while all is well; open, and everything is refused at once; and between the two, one attempt on trial.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// When it opened, for how long.
    open: Option<Open>,
    /// Somebody tries whether the server is back.
    trial: bool,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    /// What is told to whoever asks meanwhile.
    why: SqlServerError,
}

/// Says how an attempt ended. One that was dropped half-way says nothing, but makes room for another.
#[derive(Debug)]
pub(super) struct Permit<'b> {
    breaker: &'b Breaker,
    is_trial: bool,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics while it holds this lock")
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().open.is_none()
    }

    /// Leave to try; or why none is given.
    pub(super) fn admit(&self) -> Result<Permit<'_>, SqlServerError> {
        let mut state = self.state();
        let Some(open) = &state.open else { return Ok(Permit { breaker: self, is_trial: false }) };
        if Instant::now() < open.until || state.trial {
            return Err(open.why.resting());
        }
        state.trial = true;
        tell(0.5);
        Ok(Permit { breaker: self, is_trial: true })
    }
}

impl Permit<'_> {
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.state();
        if state.open.is_some() {
            tracing::info!("the SQL Server answers again");
        }
        (state.failures, state.open) = (0, None);
        tell(0.0);
    }

    pub(super) fn failed(self, error: &SqlServerError) {
        let (first, longest, threshold) = match error.class() {
            // the server is well; it is the question that is not, or the moment
            Class::Wrong => return self.succeeded(),
            Class::Busy | Class::Away => (FIRST_REST, LONGEST_REST, THRESHOLD),
            Class::Refused => (FIRST_REST_REFUSED, LONGEST_REST_REFUSED, 1),
        };
        let mut state = self.breaker.state();
        state.failures += 1;
        let rest = match &state.open {
            // those that were on their way when it opened tell nothing new
            Some(_) if !self.is_trial => return,
            Some(open) => (open.rest * 2).clamp(first, longest),
            None if state.failures < threshold => return,
            None => first,
        };
        state.open = Some(Open { until: Instant::now() + jittered(rest), rest, why: error.clone() });
        tell(1.0);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.state().trial = false;
        }
    }
}

fn tell(state: f64) {
    gauge!(SQL_BREAKER.name).set(state);
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn fail(breaker: &Breaker, class: Class) {
        breaker.admit().unwrap().failed(&SqlServerError::new("sql:1433", class, "is gone"));
    }

    /// How long it rests.
    fn left(breaker: &Breaker) -> Duration {
        assert!(breaker.admit().unwrap_err().to_string().contains("is gone (not asked again"));
        breaker.state().open.as_ref().unwrap().until - Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_some_failures_in_a_row_and_a_success_between_them_starts_the_count_anew() {
        let breaker = Breaker::default();
        fail(&breaker, Class::Away);
        fail(&breaker, Class::Busy);
        breaker.admit().unwrap().succeeded();
        fail(&breaker, Class::Away);
        fail(&breaker, Class::Away);
        assert!(breaker.is_closed());
        fail(&breaker, Class::Away);
        assert!(!breaker.is_closed());
        assert!(left(&breaker) <= FIRST_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn when_it_has_rested_one_tries_and_the_others_wait_for_what_becomes_of_it() {
        let breaker = Breaker::default();
        (0..THRESHOLD).for_each(|_| fail(&breaker, Class::Away));
        advance(FIRST_REST).await;
        let trial = breaker.admit().unwrap();
        assert!(breaker.admit().is_err());
        trial.succeeded();
        assert!(breaker.is_closed() && breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_dropped_makes_room_for_another() {
        let breaker = Breaker::default();
        (0..THRESHOLD).for_each(|_| fail(&breaker, Class::Away));
        advance(FIRST_REST).await;
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn rests_grow_to_their_longest() {
        let breaker = Breaker::default();
        (0..THRESHOLD).for_each(|_| fail(&breaker, Class::Away));
        let mut rests = Vec::new();
        for _ in 0..8 {
            rests.push(left(&breaker));
            advance(left(&breaker)).await;
            fail(&breaker, Class::Away);
        }
        assert!(rests[0] <= FIRST_REST && rests[7] > LONGEST_REST / 2 && rests[7] <= LONGEST_REST, "{rests:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_is_refused_is_left_alone_at_once_and_for_long() {
        let breaker = Breaker::default();
        fail(&breaker, Class::Refused);
        assert!(left(&breaker) >= FIRST_REST_REFUSED / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_question_says_that_the_server_is_well() {
        let breaker = Breaker::default();
        fail(&breaker, Class::Away);
        fail(&breaker, Class::Away);
        fail(&breaker, Class::Wrong);
        fail(&breaker, Class::Away);
        assert!(breaker.is_closed());
    }
}
