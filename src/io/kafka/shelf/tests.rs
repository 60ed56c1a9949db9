use super::*;
use crate::event::{Origin, Topic};

fn fetched(end: Option<i64>) -> BTreeMap<Partition, End> {
    told(end, 1000)
}

fn told(end: Option<i64>, round: u64) -> BTreeMap<Partition, End> {
    BTreeMap::from([(partition(), End { fetched: end, high: end, round: Some(round) })])
}

/// With statistics that are believed.
fn trusted(next: Option<i64>) -> Shelf {
    let shelf = shelf(next);
    for round in 0..u64::from(DOUBTED) {
        shelf.fetched(&told(None, round));
    }
    shelf
}

#[test]
fn statistics_of_what_was_fetched_before_an_assignment_do_not_end_a_partition() {
    let shelf = shelf(Some(5));
    shelf.fetched(&told(Some(9), 1));
    shelf.is_drained();
    assert!(!shelf.at_end(partition()), "it had been fetched to 9 before");
    // the same thread's round twice is one
    for round in [1, 2, 3, 4, 4, 5] {
        shelf.fetched(&told(Some(9), round));
        assert!(!shelf.at_end(partition()));
    }
    shelf.fetched(&told(None, 6));
    shelf.put(record(5, 1));
    assert_eq!(offsets(take(&shelf)), [5]);
    shelf.fetched(&told(Some(6), 7));
    assert!(shelf.at_end(partition()));
}

#[test]
fn the_first_record_of_an_assignment_leaves_one_statistic_to_be_doubted() {
    let shelf = shelf(Some(5));
    shelf.put(record(5, 1));
    assert_eq!(offsets(take(&shelf)), [5]);
    shelf.fetched(&told(Some(9), 1));
    shelf.is_drained();
    assert!(!shelf.at_end(partition()), "made before the record came");
    shelf.fetched(&told(Some(6), 2));
    assert!(shelf.at_end(partition()));
}

#[test]
fn a_partition_without_anything_new_comes_to_its_end_when_its_broker_has_gone_round_often_enough() {
    let shelf = shelf(Some(5));
    for round in 0..=u64::from(DOUBTED) {
        assert!(!shelf.at_end(partition()));
        shelf.fetched(&told(Some(5), round));
    }
    assert!(shelf.at_end(partition()));
}

fn partition() -> Partition {
    Partition { topic: Topic::intern("shelf.t"), partition: 0 }
}

fn record(offset: i64, size: usize) -> OwnedRecord {
    let origin = Origin { topic: partition().topic, partition: 0, offset };
    OwnedRecord { origin, timestamp_ms: None, key: None, value: Some(vec![0; size]), headers: [].into() }
}

fn shelf(next: Option<i64>) -> Shelf {
    let shelf = Shelf::default();
    shelf.assigned(&[(partition(), next)].into(), &BTreeMap::new(), None);
    assert!(matches!(take(&shelf), Some(Polled::Assigned(_))));
    shelf
}

fn take(shelf: &Shelf) -> Option<Polled> {
    shelf.next(100).map(Result::unwrap)
}

fn offsets(polled: Option<Polled>) -> Vec<i64> {
    match polled {
        Some(Polled::Records(records)) => records.iter().map(|record| record.origin.offset).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_partition_is_at_its_end_once_the_last_record_before_it_was_taken() {
    let shelf = trusted(Some(5));
    shelf.put(record(5, 1));
    shelf.fetched(&fetched(Some(7)));
    assert!(!shelf.at_end(partition()), "6 is on its way");
    shelf.put(record(6, 1));
    shelf.fetched(&fetched(Some(7)));
    assert!(!shelf.at_end(partition()), "6 was not taken");
    assert_eq!(offsets(take(&shelf)), [5, 6]);
    assert!(shelf.at_end(partition()));
    assert!(matches!(take(&shelf), Some(Polled::Ends)));
    shelf.put(record(7, 1));
    assert_eq!(offsets(take(&shelf)), [7]);
    assert!(!shelf.at_end(partition()), "until it is known again");
}

#[test]
fn an_end_that_was_known_before_counts_no_more_once_it_is_looked_for_again() {
    let shelf = trusted(Some(5));
    shelf.fetched(&fetched(Some(5)));
    assert!(shelf.at_end(partition()));
    shelf.look_again();
    shelf.fetched(&fetched(Some(5)));
    assert!(!shelf.at_end(partition()), "statistics of a fetch before");
    assert_eq!(shelf.take_look_again(), [partition()]);
    assert_eq!(shelf.take_look_again(), []);
    shelf.goes_to(partition(), 6);
    shelf.fetched(&fetched(Some(5)));
    assert!(!shelf.at_end(partition()));
    shelf.put(record(5, 1));
    shelf.fetched(&fetched(Some(6)));
    assert_eq!(offsets(take(&shelf)), [5]);
    assert!(shelf.at_end(partition()));
}

#[test]
fn where_the_last_offset_is_a_transaction_marker_the_end_is_known_when_nothing_more_is_handed_over() {
    let shelf = trusted(None);
    shelf.put(record(0, 1));
    assert_eq!(offsets(take(&shelf)), [0]);
    shelf.fetched(&fetched(Some(2)));
    assert!(!shelf.at_end(partition()));
    shelf.is_drained();
    assert!(shelf.at_end(partition()));
    shelf.fetched(&fetched(Some(2)));
    assert!(shelf.at_end(partition()), "and stays so");
    shelf.fetched(&fetched(None));
    assert!(!shelf.at_end(partition()), "out of reach");
}

#[test]
fn a_full_partition_is_paused_once_and_goes_on_when_half_is_taken() {
    let shelf = shelf(None);
    let third = LANE_BYTES / 3;
    assert_eq!((0..3).map(|n| shelf.put(record(n, third))).collect::<Vec<_>>(), [false, false, true]);
    assert!(!shelf.put(record(3, third)), "said already");
    assert_eq!(shelf.resumable(), []);
    assert_eq!(offsets(take(&shelf)), [0, 1, 2, 3]);
    assert_eq!(shelf.resumable(), [partition()]);
    assert_eq!(shelf.resumable(), []);
}

#[test]
fn what_was_handed_over_before_is_not_taken_again() {
    let shelf = shelf(Some(3));
    for offset in [2, 3, 4, 3, 4, 5] {
        shelf.put(record(offset, 1));
    }
    assert_eq!(offsets(take(&shelf)), [3, 4, 5]);
}

#[test]
fn records_of_a_revoked_assignment_are_gone_and_the_release_is_waited_for() {
    let shelf = shelf(None);
    shelf.put(record(0, 1));
    let released = shelf.revoke(false);
    let Some(Polled::Revoked(revocation)) = take(&shelf) else { panic!("expected a revocation") };
    assert_eq!(revocation.partitions, [partition()]);
    assert!(shelf.is_revoking());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| wait_for_release(released, Duration::from_mins(1), || false));
        drop(revocation);
        assert!(waiter.join().unwrap());
    });
    assert!(!wait_for_release(shelf.revoke(false), Duration::ZERO, || false), "nobody let go");
}

#[test]
fn records_are_taken_from_all_partitions_alike() {
    let numbers = [0, 1, 2].map(|number| Partition { partition: number, ..partition() });
    let shelf = Shelf::default();
    shelf.assigned(&numbers.iter().map(|partition| (*partition, None)).collect(), &BTreeMap::new(), None);
    assert!(matches!(take(&shelf), Some(Polled::Assigned(_))));
    for (number, count) in [(0, 100), (1, 100), (2, 3)] {
        for offset in 0..count {
            let record = record(offset, 1);
            shelf.put(OwnedRecord { origin: Origin { partition: number, ..record.origin }, ..record });
        }
    }
    let counts = |limit| {
        let Some(Ok(Polled::Records(records))) = shelf.next(limit) else { panic!("expected records") };
        numbers.map(|number| records.iter().filter(|record| record.origin.partition == number.partition).count())
    };
    assert_eq!(counts(6), [2, 2, 2]);
    assert_eq!(counts(21), [10, 10, 1]);
    let one_by_one = [counts(1), counts(1), counts(1), counts(1)];
    assert_eq!(one_by_one.iter().map(|counts| counts[0]).sum::<usize>(), 2, "in turn: {one_by_one:?}");
    let [first, second, _] = counts(1000);
    assert_eq!((first, second), (86, 86), "all of the rest");
}

#[test]
fn a_held_partition_keeps_its_records() {
    let shelf = shelf(None);
    shelf.put(record(0, 1));
    shelf.hold(partition(), true);
    assert!(take(&shelf).is_none());
    shelf.hold(partition(), false);
    assert_eq!(offsets(take(&shelf)), [0]);
}

#[test]
fn a_member_is_lost_until_it_has_partitions_again() {
    let shelf = shelf(None);
    drop(shelf.revoke(false));
    assert!(!shelf.is_lost(), "it was told to give them back");
    drop(shelf.revoke(true));
    assert!(shelf.is_lost());
    shelf.begin(vec![partition()]);
    assert!(!shelf.is_lost());
}
