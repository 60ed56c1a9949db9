//! The hot path on one core: record bytes in, encoded alerts out. As the daemon's lane and a backtest drive it, without their
//! threads, files and brokers.

use std::sync::Arc;

use futures::executor::block_on;
use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::LendingChange;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::settings::LendingRules;
use tidewaiter::engine::alert::Judged;
use tidewaiter::engine::judging::ask;
use tidewaiter::engine::lookup::Lookup;
use tidewaiter::engine::{Domain, Engine, Entry, Options, Output, Partition, Progress, Slot};
use tidewaiter::event::{ChangeEvent, Decoded};
use tidewaiter::time::Timestamp;

use super::{Form, OwnedRecord};

/// Records that are decoded before what they mean is applied and judged: what the daemon has in a batch when it catches up.
pub(crate) const BATCH: usize = 2_048;

pub(crate) fn lending(form: Form) -> Arc<Lending> {
    Arc::new(Lending::new(Decoder::new(&form.formats())))
}

pub(crate) fn decoded(lending: &Lending, record: &OwnedRecord) -> ChangeEvent<LendingChange> {
    match lending.decode(&record.record()) {
        Decoded::Change(change) => change,
        other => panic!("the workload has changes only, this is {other:?}"),
    }
}

/// An engine with its partitions.
pub(crate) struct Feed<D: Domain> {
    pub(crate) engine: Engine<D>,
    slots: Vec<(Partition, Slot)>,
}

impl<D: Domain> Feed<D> {
    /// With the partitions of these records.
    pub(crate) fn new(domain: &Arc<D>, partitions: impl IntoIterator<Item = Partition>) -> Self {
        let mut engine = Engine::new(Arc::clone(domain), Options::default());
        let mut slots: Vec<(Partition, Slot)> = Vec::new();
        for partition in partitions {
            if !slots.iter().any(|(known, _)| *known == partition) {
                slots.push((partition, engine.assign(partition)));
            }
        }
        Self { engine, slots }
    }

    pub(crate) fn push(&mut self, change: ChangeEvent<D::Change>) {
        let partition = Partition::from(change.origin);
        let (_, slot) = self.slots.iter().find(|(known, _)| *known == partition).expect("the partition was assigned");
        self.engine.push(*slot, change.origin.offset, Entry::Change(change));
    }

    /// Applies what every partition lets it.
    pub(crate) fn advance(&mut self, rules: &D::Rules) -> Output<D> {
        match self.engine.advance(rules, usize::MAX) {
            Progress::Waiting(_) | Progress::Drained => {}
            other => panic!("the workload is one history, this is {other:?}"),
        }
        self.engine.take_output()
    }

    /// Applies the rest, and closes what is open.
    pub(crate) fn finish(&mut self, rules: &D::Rules) -> Output<D> {
        self.slots.iter().for_each(|(_, slot)| self.engine.end(*slot));
        self.engine.advance(rules, usize::MAX);
        self.engine.close_all(rules);
        self.engine.take_output()
    }
}

/// What judges.
pub(crate) struct Bench<L> {
    pub(crate) lending: Arc<Lending>,
    pub(crate) rules: LendingRules,
    pub(crate) lookup: L,
}

impl<L: Lookup<Question, Answer>> Bench<L> {
    pub(crate) fn new(form: Form, lookup: L) -> Self {
        Self { lending: lending(form), rules: LendingRules::shipped(), lookup }
    }

    pub(crate) fn feed(&self, records: &[OwnedRecord]) -> Feed<Lending> {
        Feed::new(&self.lending, records.iter().map(|record| record.origin.into()))
    }

    /// Looks up, judges, and encodes the alerts one after the other into `out`. Gives how many there were.
    pub(crate) fn judge(&self, output: Output<Lending>, out: &mut Vec<u8>) -> usize {
        self.lookup.outdated(&output.outdated);
        let answered = block_on(ask(&*self.lending, output.cases, &self.lookup, &self.rules)).expect("the book answers");
        let detected_at = Timestamp::from_ms(1_768_206_600_000).expect("it is this year");
        let mut alerts = 0;
        for judgement in answered.judge(&self.lending, &self.rules) {
            judgement.publish(detected_at, &mut |message| {
                alerts += 1;
                out.extend_from_slice(message.body);
            });
        }
        alerts
    }

    /// The whole way, with an engine of its own. Gives how many alerts there were.
    pub(crate) fn run(&self, records: &[OwnedRecord], out: &mut Vec<u8>) -> usize {
        self.run_in_batches(records, BATCH, out)
    }

    /// The same with so many records at a time.
    pub(crate) fn run_in_batches(&self, records: &[OwnedRecord], batch: usize, out: &mut Vec<u8>) -> usize {
        let mut feed = self.feed(records);
        let mut alerts = 0;
        for batch in records.chunks(batch) {
            for record in batch {
                feed.push(decoded(&self.lending, record));
            }
            let output = feed.advance(&self.rules);
            out.clear();
            alerts += self.judge(output, out);
        }
        let output = feed.finish(&self.rules);
        alerts + self.judge(output, out)
    }
}
