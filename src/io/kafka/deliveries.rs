//! Records on their way to the brokers, and the first that did not arrive.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::client::{self, OPERATION};
use super::source::failure;
use crate::engine::ports::SourceError;

/// Remembers the first record of a transaction that was not acknowledged.
#[derive(Default)]
pub(super) struct Deliveries(Mutex<Option<Refused>>);

/// A record that was not taken.
pub(super) struct Refused {
    pub(super) error: KafkaError,
    pub(super) topic: String,
}

impl Refused {
    pub(super) fn failure(&self) -> SourceError {
        failure(&format!("record not taken (topic {})", self.topic), &self.error)
    }
}

impl Deliveries {
    pub(super) fn take_failure(&self) -> Option<Refused> {
        self.0.lock().expect("no thread panics while it holds this lock").take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // what matters comes back from the calls
        tracing::debug!(target: "librdkafka", %error, reason, "producer error");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result {
            let mut first = self.0.lock().expect("no thread panics while it holds this lock");
            first.get_or_insert_with(|| Refused { error: error.clone(), topic: record.topic().to_owned() });
        }
    }
}

/// Enqueues a record; where the queue is full, as soon as it is not.
pub(super) fn send<K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
    producer: &BaseProducer<Deliveries>,
    mut record: BaseRecord<'_, K, P, ()>,
) -> Result<(), Refused> {
    let start = Instant::now();
    loop {
        match producer.send(record) {
            // its delivery report is served with all others when they are waited for
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) if start.elapsed() < OPERATION => {
                producer.poll(Duration::ZERO);
                thread::sleep(LOOK);
                record = refused;
            }
            Err((error, refused)) => return Err(Refused { error, topic: refused.topic.to_owned() }),
        }
    }
}

/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(1);

/// Waits until everything that was enqueued is acknowledged or has failed. The binding's own flush serves reports for a tenth
/// of a second before it looks again, however soon they come; and its poll does not sleep within its last millisecond, but
/// goes round and round.
pub(super) fn flush(producer: &BaseProducer<Deliveries>, at_most: Duration) -> KafkaResult<()> {
    let start = Instant::now();
    loop {
        let on_their_way = producer.in_flight_count();
        producer.poll(Duration::ZERO);
        match producer.flush(Duration::ZERO) {
            Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) if start.elapsed() < at_most => {
                // reports come in portions, and the next one may be here
                if producer.in_flight_count() == on_their_way {
                    thread::sleep(LOOK);
                }
            }
            result => return result,
        }
    }
}
