//! Calls that are repeated until the brokers answer: one that is away costs time, never the daemon.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::client::OPERATION;
use super::fate;
use crate::engine::changelog::ChangelogError;

/// How long one attempt takes at most, and so how late it is noticed that nobody wants it any more.
pub(super) const ATTEMPT: Duration = Duration::from_secs(3);

/// Between two attempts.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// Who waits for the answer.
pub(super) struct Patience<'a> {
    pub(super) is_wanted: &'a dyn Fn() -> bool,
    /// Is told what is being waited for.
    pub(super) tell: &'a dyn Fn(String),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody wants it any more.
    Unwanted,
    /// Waiting would not help.
    Failed(ChangelogError),
}

impl Patience<'_> {
    /// Repeats a call for as long as a later attempt may succeed.
    pub(super) fn until_answered<T>(&self, what: &str, mut call: impl FnMut() -> KafkaResult<T>) -> Result<T, Ended> {
        let start = Instant::now();
        loop {
            match call() {
                Ok(answer) => return Ok(answer),
                Err(error) if helps_not(&error, start.elapsed()) => return Err(Ended::failed(what, &error)),
                Err(error) => self.pause(format!("{what}: {error}"))?,
            }
        }
    }

    /// Says what is waited for, and waits a moment.
    pub(super) fn pause(&self, why: String) -> Result<(), Ended> {
        if !(self.is_wanted)() {
            return Err(Ended::Unwanted);
        }
        (self.tell)(why);
        thread::sleep(PAUSE);
        Ok(())
    }
}

impl Ended {
    pub(super) fn failed(what: &str, error: &KafkaError) -> Self {
        ChangelogError { detail: format!("{what}: {error}"), hint: fate::hint(error) }.into()
    }
}

impl From<ChangelogError> for Ended {
    fn from(error: ChangelogError) -> Self {
        Self::Failed(error)
    }
}

/// Whether waiting is in vain. Not every broker knows a new topic at once.
fn helps_not(error: &KafkaError, waited: Duration) -> bool {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => waited >= OPERATION,
        Some(code) => fate::needs_a_person(code),
        None => matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn refused(code: RDKafkaErrorCode) -> KafkaResult<u8> {
        Err(KafkaError::MetadataFetch(code))
    }

    #[test]
    fn a_broker_that_is_away_is_asked_again_and_it_is_told_why() {
        let (told, asked) = (RefCell::new(Vec::new()), Cell::new(0));
        let patience = Patience { is_wanted: &|| true, tell: &|why| told.borrow_mut().push(why) };
        let answer = patience.until_answered("cannot look", || {
            asked.set(asked.get() + 1);
            if asked.get() < 3 { refused(RDKafkaErrorCode::BrokerTransportFailure) } else { Ok(7) }
        });
        assert!(matches!(answer, Ok(7)) && told.borrow().len() == 2, "{answer:?}");
        assert!(told.borrow()[0].starts_with("cannot look: "), "{told:?}");
    }

    #[test]
    fn what_nobody_wants_any_more_is_not_asked_again() {
        let patience = Patience { is_wanted: &|| false, tell: &|_| () };
        let answer = patience.until_answered("cannot look", || refused(RDKafkaErrorCode::BrokerTransportFailure));
        assert!(matches!(answer, Err(Ended::Unwanted)), "{answer:?}");
    }

    #[test]
    fn what_needs_a_person_is_not_waited_for_and_has_a_hint() {
        let patience = Patience { is_wanted: &|| true, tell: &|_| () };
        match patience.until_answered("cannot look", || refused(RDKafkaErrorCode::TopicAuthorizationFailed)) {
            Err(Ended::Failed(error)) => assert!(error.hint.is_some_and(|hint| hint.contains("grant"))),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_topic_that_not_every_broker_knows_yet_is_waited_for_but_not_for_ever() {
        let error = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert!(!helps_not(&error, Duration::from_millis(29_999)));
        assert!(helps_not(&error, OPERATION));
    }
}
