//! Between the poll thread and the pipeline: records by partition, bounded, and what happened to the assignment.

mod lane;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use self::lane::{DOUBTED, Lane};
use super::statistics::End;
use crate::engine::Partition;
use crate::engine::ports::{OwnedRecord, Polled, Revocation, SharedInput, SourceError, Standing};

/// A partition with more bytes than this on the shelf is paused, and goes on at half of it.
const LANE_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "messages between two threads, each taken on its own")]
struct State {
    lanes: BTreeMap<Partition, Lane>,
    /// Whose turn it is to be read first.
    turn: usize,
    events: VecDeque<Polled>,
    /// Partitions are taken away, and the pipeline has not let go.
    revoking: bool,
    /// The membership ended by itself, and no other has begun.
    lost: bool,
    /// Some partition came to its end or left it since this was last said.
    ends_changed: bool,
    error: Option<SourceError>,
    /// The poll thread shall begin anew from what is committed.
    rewind: bool,
    /// Partitions that were taken over, and of which it is yet to be found out where to begin.
    begins: Option<Vec<Partition>>,
    /// The poll thread shall read these from here on.
    resume: BTreeMap<Partition, i64>,
    /// The poll thread shall find out how far partitions go.
    look_again: bool,
    closing: bool,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_one();
        result
    }

    // The poll thread's side.

    /// Partitions, and the committed offset of each if there is one; where those without begin that do not begin with all
    /// they have; and what is known of the input if these are not all.
    pub(super) fn assigned(
        &self,
        partitions: &BTreeMap<Partition, Option<i64>>,
        begun: &BTreeMap<Partition, i64>,
        shared: Option<SharedInput>,
    ) {
        self.change(|state| {
            state.events.extend(shared.map(Polled::Shared));
            let lane = |(key, from): (&Partition, &Option<i64>)| {
                let begun = begun.get(key).copied();
                (*key, Lane { from: *from, begun, ..Lane::anew(from.or(begun)) })
            };
            state.lanes = partitions.iter().map(lane).collect();
            state.events.push_back(Polled::Assigned(partitions.clone()));
        });
    }

    /// Takes everything away. The pipeline lets go by dropping the other end.
    pub(super) fn revoke(&self, lost: bool) -> oneshot::Receiver<()> {
        let (released, receiver) = oneshot::channel();
        self.change(|state| {
            let partitions = std::mem::take(&mut state.lanes).into_keys().collect();
            state.begins = None;
            state.resume.clear();
            state.revoking = true;
            state.lost = lost;
            state.events.push_back(Polled::Revoked(Revocation { partitions, lost, released: Some(released) }));
        });
        receiver
    }

    /// Whether this is out of the group, without having been sent away.
    pub(super) fn is_lost(&self) -> bool {
        self.lock().lost
    }

    pub(super) fn was_sent_away(&self) {
        self.lock().lost = false;
    }

    pub(super) fn released(&self) {
        self.lock().revoking = false;
    }

    /// Puts a record here. True if its partition shall be paused now.
    pub(super) fn put(&self, record: OwnedRecord) -> bool {
        let offset = record.origin.offset;
        self.change(|state| {
            let partition = Partition::from(record.origin);
            // what was fetched from where it is no longer to be read
            if state.resume.contains_key(&partition) {
                return false;
            }
            let Some(lane) = state.lanes.get_mut(&partition) else { return false };
            // after a pause librdkafka may hand over again what it had handed over
            if lane.next.is_some_and(|next| offset < next) {
                return false;
            }
            if lane.doubt > 1 {
                // what comes now was fetched anew; the next statistics may have been made a moment before
                (lane.doubt, lane.end) = (1, None);
            }
            lane.next = Some(offset + 1);
            lane.bytes += record.size();
            lane.records.push_back(record);
            state.ends_changed |= std::mem::take(&mut lane.at_end);
            let pause = lane.bytes > LANE_BYTES && !lane.paused;
            lane.paused |= pause;
            pause
        })
    }

    /// Partitions that were paused and have room again.
    pub(super) fn resumable(&self) -> Vec<Partition> {
        let mut state = self.lock();
        let lanes = state.lanes.iter_mut().filter(|(_, lane)| lane.paused && lane.bytes <= LANE_BYTES / 2);
        lanes
            .map(|(partition, lane)| {
                lane.paused = false;
                // what had been fetched before the pause was thrown away
                (lane.end, lane.doubt) = (None, DOUBTED);
                *partition
            })
            .collect()
    }

    /// What statistics say about ends.
    pub(super) fn fetched(&self, ends: &BTreeMap<Partition, End>) {
        self.look_at_ends(false, |partition, lane| {
            let end = ends.get(partition).copied().unwrap_or_default();
            lane.high = end.high.or(lane.high);
            let is_known = lane.believes(&end) && !lane.paused;
            lane.end = end.fetched.filter(|_| is_known);
        });
    }

    /// librdkafka had nothing more to hand over: what it had fetched is all here.
    pub(super) fn is_drained(&self) {
        self.look_at_ends(true, |_, _| {});
    }

    fn look_at_ends(&self, all_is_here: bool, update: impl Fn(&Partition, &mut Lane)) {
        let mut state = self.lock();
        let mut changed = false;
        for (partition, lane) in &mut state.lanes {
            update(partition, lane);
            changed |= lane.look(all_is_here);
        }
        if changed {
            state.ends_changed = true;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// It is not known yet where to begin.
    pub(super) fn unavailable(&self, why: String) {
        self.change(|state| {
            // only the last one counts
            state.events.retain(|event| !matches!(event, Polled::Unavailable(_)));
            state.events.push_back(Polled::Unavailable(why));
        });
    }

    pub(super) fn heartbeat(&self) {
        self.change(|state| {
            // one says as much as many
            if !matches!(state.events.back(), Some(Polled::Heartbeat)) {
                state.events.push_back(Polled::Heartbeat);
            }
        });
    }

    pub(super) fn fail(&self, error: SourceError) {
        self.change(|state| state.error = Some(error));
    }

    /// Partitions of which it has to be found out how far they go.
    pub(super) fn take_look_again(&self) -> Vec<Partition> {
        let mut state = self.lock();
        if std::mem::take(&mut state.look_again) { state.lanes.keys().copied().collect() } else { Vec::new() }
    }

    /// What was found out.
    pub(super) fn goes_to(&self, partition: Partition, least: i64) {
        if let Some(lane) = self.lock().lanes.get_mut(&partition) {
            lane.least = least;
        }
    }

    /// Partitions were taken over. Until it is known where to begin, what comes of them finds no place here.
    pub(super) fn begin(&self, partitions: Vec<Partition>) {
        let mut state = self.lock();
        state.lanes.clear();
        state.lost = false;
        state.begins = Some(partitions);
    }

    pub(super) fn begins(&self) -> Option<Vec<Partition>> {
        self.lock().begins.clone()
    }

    pub(super) fn has_begun(&self) {
        self.lock().begins = None;
    }

    pub(super) fn take_rewind(&self) -> bool {
        std::mem::take(&mut self.lock().rewind)
    }

    /// Partitions that are to be read from elsewhere.
    pub(super) fn take_resume(&self) -> BTreeMap<Partition, i64> {
        let mut state = self.lock();
        if !state.resume.is_empty() {
            // whoever takes this resumes them
            state.lanes.values_mut().for_each(|lane| lane.paused = false);
        }
        std::mem::take(&mut state.resume)
    }

    /// The offset after the last record that was put here, if any was.
    pub(super) fn next_offset(&self, partition: Partition) -> Option<i64> {
        self.lock().lanes.get(&partition).and_then(|lane| lane.next)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    // The pipeline's side.

    pub(super) async fn poll(&self, limit: usize) -> Result<Polled, SourceError> {
        loop {
            if let Some(polled) = self.next(limit) {
                return polled;
            }
            self.changed.notified().await;
        }
    }

    fn next(&self, limit: usize) -> Option<Result<Polled, SourceError>> {
        self.lock().next(limit)
    }

    pub(super) async fn revoking(&self) {
        while !self.is_revoking() {
            self.changed.notified().await;
        }
    }

    fn is_revoking(&self) -> bool {
        self.lock().revoking
    }

    pub(super) fn look_again(&self) {
        let mut state = self.lock();
        state.look_again = true;
        for lane in state.lanes.values_mut() {
            // nothing known goes so far
            lane.least = i64::MAX;
            lane.at_end = false;
        }
    }

    pub(super) fn rewind(&self) {
        let mut state = self.lock();
        state.rewind = true;
        // what is here lies behind what will be read again
        state.lanes.clear();
    }

    /// What was read of these is forgotten.
    pub(super) fn resume_at(&self, positions: &BTreeMap<Partition, i64>) {
        let mut state = self.lock();
        for (partition, offset) in positions {
            if let Some(lane) = state.lanes.get_mut(partition) {
                *lane = Lane { least: lane.least, held: lane.held, ..Lane::anew(Some(*offset)) };
                state.resume.insert(*partition, *offset);
            }
        }
    }

    pub(super) fn hold(&self, partition: Partition, hold: bool) {
        self.change(|state| {
            if let Some(lane) = state.lanes.get_mut(&partition) {
                lane.held = hold;
            }
        });
    }

    pub(super) fn begins_at(&self, partition: Partition) -> Option<i64> {
        self.lock().lanes.get(&partition).and_then(|lane| lane.begun)
    }

    pub(super) fn at_end(&self, partition: Partition) -> bool {
        self.lock().lanes.get(&partition).is_some_and(|lane| lane.at_end && lane.records.is_empty())
    }

    /// How far each partition was read.
    pub(super) fn standings(&self) -> Vec<Standing> {
        let standing = |(partition, lane): (&Partition, &Lane)| Standing {
            partition: *partition,
            from: lane.from,
            next: lane.next,
            end: lane.high,
            all_read: lane.end.is_some(),
        };
        self.lock().lanes.iter().map(standing).collect()
    }

    pub(super) fn close(&self) {
        self.change(|state| {
            state.closing = true;
            // a rebalance that waits for the pipeline need not wait any longer
            state.events.clear();
        });
    }
}

impl State {
    fn next(&mut self, limit: usize) -> Option<Result<Polled, SourceError>> {
        if let Some(event) = self.events.pop_front() {
            return Some(Ok(event));
        }
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        let records = self.take(limit);
        if !records.is_empty() {
            return Some(Ok(Polled::Records(records)));
        }
        std::mem::take(&mut self.ends_changed).then_some(Ok(Polled::Ends))
    }

    /// From every partition alike: the merge goes on only with all of them, and what one is ahead has to be kept meanwhile.
    fn take(&mut self, limit: usize) -> Vec<OwnedRecord> {
        let mut lanes: Vec<&mut Lane> = self.lanes.values_mut().filter(|lane| !lane.held && !lane.records.is_empty()).collect();
        if !lanes.is_empty() {
            // where there is not one for each, it is another's turn next time
            self.turn = (self.turn + 1) % lanes.len();
            lanes.rotate_left(self.turn);
        }
        let mut records = Vec::new();
        while !lanes.is_empty() && records.len() < limit {
            let share = ((limit - records.len()) / lanes.len()).max(1);
            for lane in &mut lanes {
                let take = share.min(lane.records.len()).min(limit - records.len());
                for record in lane.records.drain(..take) {
                    lane.bytes -= record.size();
                    records.push(record);
                }
            }
            lanes.retain(|lane| !lane.records.is_empty());
        }
        records
    }
}

/// Waits until the other end is dropped, at most so long.
pub(super) fn wait_for_release(mut released: oneshot::Receiver<()>, at_most: Duration, closing: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        match released.try_recv() {
            Ok(()) | Err(oneshot::error::TryRecvError::Closed) => return true,
            Err(oneshot::error::TryRecvError::Empty) if closing() || start.elapsed() > at_most => return false,
            Err(oneshot::error::TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

#[cfg(test)]
mod tests;
