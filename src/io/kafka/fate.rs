//! What becomes of a transactional call that failed.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The calls of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Creating the producer and taking over its transactional id.
    Init,
    Begin,
    Produce,
    /// Adding the input's offsets to the transaction.
    Offsets,
    /// Waiting for the acknowledgement of everything produced.
    Flush,
    Commit,
}

/// The five fates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The same call again.
    Retry,
    /// Abort the transaction, then the batch again with a new producer.
    Abort,
    /// Abort the transaction; the batch is for another member to do again.
    Lost,
    /// A new producer with the same transactional id, then look at what was committed: the old one may have got through.
    Renew,
    /// No repetition would help.
    Stop,
}

/// The table. The first line that applies decides.
///
/// | error | fate |
/// |---|---|
/// | not authorised, bad configuration, unknown topic, message too large | stop |
/// | sending offsets: the generation is over, the member is unknown or fenced by another of its name | lost |
/// | fatal | renew |
/// | requires an abort | abort |
/// | any other of commit | renew: whether it happened is not known, and a late EndTxn could hit the next transaction (librdkafka #5423) |
/// | retriable | retry |
/// | any other of init, produce or flush | abort |
/// | any other | renew: an error without a flag is treated as fatal (librdkafka #3221) |
pub(super) fn fate(step: Step, error: &KafkaError) -> Fate {
    let code = error.rdkafka_error_code();
    if code.is_some_and(needs_a_person) || matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)) {
        return Fate::Stop;
    }
    if step == Step::Offsets && code.is_some_and(is_no_member) {
        return Fate::Lost;
    }
    let (fatal, requires_abort, retriable) = match error {
        KafkaError::Transaction(error) => (error.is_fatal(), error.txn_requires_abort(), error.is_retriable()),
        _ => (code == Some(RDKafkaErrorCode::Fatal), false, false),
    };
    match step {
        _ if fatal => Fate::Renew,
        _ if requires_abort => Fate::Abort,
        Step::Commit => Fate::Renew,
        _ if retriable => Fate::Retry,
        Step::Init | Step::Produce | Step::Flush => Fate::Abort,
        Step::Begin | Step::Offsets => Fate::Renew,
    }
}

pub(super) fn needs_a_person(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::InvalidTransactionTimeout
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::MessageSizeTooLarge
            | Code::InvalidRecord
            | Code::PolicyViolation
    )
}

fn is_no_member(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId)
}

/// What an operator can do about an error that stops.
pub(super) fn hint(error: &KafkaError) -> Option<String> {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::ClientConfig(_, what, key, _) if key.contains("oauthbearer") && what.contains("this build")) {
        return Some("build it with --features oauthbearer, for which cmake is to be installed".to_owned());
    }
    let hint = match error.rdkafka_error_code()? {
        Code::TopicAuthorizationFailed => "grant Read on the input topics, Write and Describe on the output topics",
        Code::GroupAuthorizationFailed => "grant Read on the consumer group",
        Code::TransactionalIdAuthorizationFailed => "grant Write and Describe on the transactional id",
        Code::ClusterAuthorizationFailed => "grant IdempotentWrite on the cluster",
        Code::SaslAuthenticationFailed | Code::Authentication => "check the credentials under [kafka.properties]",
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => "create the topic, or correct its name",
        Code::FencedInstanceId => "another member has the same kafka.instance_id: give each its own, or none",
        Code::MessageSizeTooLarge => {
            "raise max.message.bytes of the output topics and message.max.bytes under [kafka.properties]"
        }
        Code::InvalidTransactionTimeout => "lower transaction.timeout.ms under [kafka.properties]",
        Code::InvalidRecord => "set cleanup.policy=delete on the output topics: a dead letter may have no key",
        Code::AutoOffsetReset | Code::OffsetOutOfRange => {
            "records were deleted before they were read: lengthen the retention of the input topics; \
             to go on without them, set the group's offsets with kafka-consumer-groups --reset-offsets"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MessageProduction(code)
    }

    #[test]
    fn what_no_repetition_would_help_stops_and_says_what_to_do() {
        for code in [RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::TopicAuthorizationFailed] {
            assert_eq!(fate(Step::Produce, &produce(code)), Fate::Stop);
            assert!(hint(&produce(code)).is_some());
        }
    }

    #[test]
    fn a_membership_that_is_over_loses_the_batch_only_where_offsets_are_sent() {
        let error = KafkaError::ConsumerCommit(RDKafkaErrorCode::IllegalGeneration);
        assert_eq!(fate(Step::Offsets, &error), Fate::Lost);
        assert_eq!(fate(Step::Commit, &error), Fate::Renew);
    }

    #[test]
    fn a_delivery_that_failed_aborts_and_a_commit_without_an_answer_is_looked_into() {
        assert_eq!(fate(Step::Flush, &produce(RDKafkaErrorCode::MessageTimedOut)), Fate::Abort);
        assert_eq!(fate(Step::Commit, &KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)), Fate::Renew);
        assert_eq!(fate(Step::Begin, &KafkaError::Global(RDKafkaErrorCode::Fail)), Fate::Renew, "no flag is as good as fatal");
        assert_eq!(fate(Step::Offsets, &KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)), Fate::Renew, "it hangs");
    }
}
