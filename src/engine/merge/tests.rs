use super::*;
use crate::event::Identity;
use crate::time::Timestamp;

struct Driver {
    merge: Merge<&'static str>,
    slots: Vec<Slot>,
    passed: Passed,
}

/// Partitions whose names sort against the order in which they are assigned.
fn driver(partitions: i32, accept_rebuilt: bool) -> Driver {
    let mut merge = Merge::new(accept_rebuilt, false);
    let topic = Topic::intern("merge.test");
    let mut slots: Vec<Slot> = (0..partitions)
        .rev()
        .map(|partition| merge.assign(Partition { topic, partition }, Position::default(), Dedupe::default()))
        .collect();
    slots.reverse();
    Driver { merge, slots, passed: Passed::default() }
}

impl Driver {
    fn push(&mut self, partition: usize, offset: i64, commit: u64, body: &'static str) {
        self.push_at(partition, offset, commit, i64::try_from(commit).unwrap(), body);
    }

    fn push_at(&mut self, partition: usize, offset: i64, commit: u64, ms: i64, body: &'static str) {
        let origin = Origin { topic: Topic::intern("merge.test"), partition: i32::try_from(partition).unwrap(), offset };
        let identity = Identity(body.bytes().fold(0, |hash, byte| hash * 31 + u128::from(byte)));
        let change = ChangeEvent {
            commit: Lsn::from_sequence(commit),
            event_time: Timestamp::from_ms(ms).unwrap(),
            identity,
            origin,
            body,
        };
        self.merge.push(self.slots[partition], offset, Entry::Change(change));
    }

    /// Takes commits while there are any.
    fn take(&mut self) -> (Vec<String>, Next) {
        let mut commits = Vec::new();
        loop {
            let mut commit = Vec::new();
            match self.merge.next(&mut commit, &mut self.passed) {
                Next::Commit => commits.push(commit.iter().map(|change| change.body).collect::<Vec<_>>().join(" ")),
                other => return (commits, other),
            }
        }
    }

    fn consumed(&self) -> Vec<(i32, i64)> {
        self.merge.consumed().map(|(partition, offset)| (partition.partition, offset)).collect()
    }
}

#[test]
fn whole_commits_come_in_commit_order_partitions_in_turn() {
    let mut d = driver(2, false);
    d.push(1, 0, 5, "b5");
    d.push(1, 1, 7, "b7");
    d.push(0, 0, 5, "a5");
    d.push(0, 1, 5, "a5'");
    d.push(0, 2, 6, "a6");
    assert_eq!(d.take(), (vec!["a5 a5' b5".to_owned()], Next::Waiting(vec![d.slots[0]])), "b7 is later than a6");
    d.merge.end(d.slots[0]);
    d.merge.end(d.slots[1]);
    assert_eq!(d.take(), (vec!["a6".to_owned(), "b7".to_owned()], Next::Drained));
    assert_eq!(d.consumed(), [(0, 3), (1, 2)]);
}

#[test]
fn a_commit_is_not_over_while_its_partition_shows_nothing_later() {
    let mut d = driver(1, false);
    d.push(0, 0, 5, "x");
    assert_eq!(d.take(), (vec![], Next::Waiting(vec![d.slots[0]])));
    d.push(0, 1, 5, "y");
    d.push(0, 2, 6, "z");
    assert_eq!(d.take(), (vec!["x y".to_owned()], Next::Waiting(vec![d.slots[0]])));
}

#[test]
fn an_idle_partition_is_not_waited_for_and_what_it_brings_late_is_a_commit_of_its_own() {
    let mut d = driver(2, false);
    d.push(0, 0, 5, "a5");
    d.push(0, 1, 6, "a6");
    d.merge.set_idle(d.slots[1], true);
    assert_eq!(d.take(), (vec!["a5".to_owned()], Next::Waiting(vec![d.slots[0]])));
    d.push(1, 0, 5, "b5");
    assert_eq!(d.take(), (vec![], Next::Waiting(vec![d.slots[1]])), "the record ended the idleness");
    d.push(1, 1, 7, "b7");
    d.merge.set_idle(d.slots[0], true);
    d.merge.set_idle(d.slots[1], true);
    assert_eq!(d.take(), (vec!["b5".to_owned(), "a6".to_owned(), "b7".to_owned()], Next::Drained));
}

#[test]
fn what_passes_behind_a_commit_leaves_with_it() {
    let mut d = driver(1, false);
    d.merge.push(d.slots[0], 10, Entry::Ignored("before"));
    d.push(0, 11, 5, "x");
    d.merge.push(d.slots[0], 12, Entry::Ignored("behind"));
    assert_eq!(d.take().0, Vec::<String>::new());
    assert_eq!((d.passed.counts.get("before"), d.passed.counts.get("behind")), (1, 0));
    assert_eq!(d.consumed(), [(0, 11)]);
    d.merge.set_idle(d.slots[0], true);
    assert_eq!(d.take().0, ["x"]);
    assert_eq!((d.passed.records, d.passed.counts.get("behind")), (3, 1));
    assert_eq!(d.consumed(), [(0, 13)]);
}

#[test]
fn a_rebuilt_source_stops_the_merge_before_its_record() {
    let mut d = driver(2, false);
    d.push(0, 0, 5, "a5");
    d.push(1, 0, 5, "b5");
    d.push_at(0, 1, 3, 99, "a3");
    d.push(1, 1, 6, "b6");
    let (commits, next) = d.take();
    assert_eq!(commits, ["a5 b5"]);
    assert!(matches!(next, Next::Rebuilt(RebuiltSource { origin, .. }) if origin.offset == 1));
    assert_eq!(d.consumed(), [(0, 1), (1, 1)]);
}

#[test]
fn once_accepted_every_partition_reaches_its_own_rebuilt_record_first() {
    let mut d = driver(2, true);
    d.push(0, 0, 5, "a5");
    d.push_at(0, 1, 3, 99, "a3");
    d.push(1, 0, 5, "b5");
    d.push(1, 1, 6, "b6");
    d.push_at(1, 2, 4, 99, "b4");
    d.merge.end(d.slots[0]);
    d.merge.end(d.slots[1]);
    let (commits, next) = d.take();
    assert_eq!(commits, ["a5 b5", "b6"]);
    assert!(matches!(next, Next::Rebuilt(_)));
    d.merge.forget();
    assert_eq!(d.take(), (vec!["a3".to_owned(), "b4".to_owned()], Next::Drained));
}

#[test]
fn the_highest_offset_of_all_is_taken_like_any_other() {
    let mut d = driver(1, false);
    d.push(0, i64::MAX, 5, "x");
    d.merge.end(d.slots[0]);
    assert_eq!(d.take(), (vec!["x".to_owned()], Next::Drained));
}

#[test]
fn a_redelivery_is_dropped_and_counted_wherever_it_lies() {
    let mut d = driver(1, false);
    d.push(0, 0, 5, "x");
    d.push(0, 1, 5, "x");
    d.push(0, 2, 5, "y");
    d.push(0, 3, 6, "z");
    d.push(0, 4, 5, "x");
    d.push(0, 5, 6, "z");
    d.merge.end(d.slots[0]);
    assert_eq!(d.take(), (vec!["x y".to_owned(), "z".to_owned()], Next::Drained));
    assert_eq!(d.passed.counts.get(REDELIVERED), 3);
    assert_eq!(d.consumed(), [(0, 6)]);
}
