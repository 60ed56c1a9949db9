//! Stream time, merged order, re-deliveries, rebuilt sources.

use super::history::{History, PAYMENT, REFUND, START_MS, W, row};

fn history() -> History {
    History::new()
}

#[test]
fn what_expires_comes_out_by_deadline_then_in_merged_order() {
    let alerts = history()
        .at(5)
        .insert("C", 9, PAYMENT, "1.00")
        .insert("B", 8, PAYMENT, "2.00")
        // its time lies before, but not its stamp
        .at(0)
        .insert("A", 7, PAYMENT, "3.00")
        .at(6)
        .insert("A", 6, PAYMENT, "4.00")
        .alerts();
    assert_eq!(alerts, ["R2 B unmatched 2.00 []", "R2 C unmatched 1.00 []", "R2 A unmatched 3.00 []", "R2 A unmatched 4.00 []"]);
}

#[test]
fn a_change_is_stamped_with_stream_time_not_its_own() {
    let alerts = |last| {
        history()
            .at(100_000)
            .insert("B", 1, REFUND, "0.00")
            .at(0)
            .insert("A", 2, PAYMENT, "10.00")
            .at(100_000 + last)
            .balance("A", "100.00", "90.00")
            .raw(super::history::RULES, &[], &[])
    };
    let matched = alerts(W);
    assert_eq!((&matched[1]["correlation"], &matched[1]["occurred_at"]), (&"matched".into(), &"2026-01-12T09:30:00.000Z".into()));
    assert_eq!(alerts(W + 1)[1]["correlation"], "unmatched");
}

#[test]
fn everything_that_takes_part_moves_stream_time_and_a_snapshot_does_not() {
    let after = |other: fn(History) -> History| {
        let start = history().at(0).insert("A", 1, PAYMENT, "10.00").at(W + 1);
        other(start).at(W).balance("A", "100.00", "90.00").alerts()
    };
    let (matched, unmatched) = (["R2 A matched 10.00 100.00>90.00 [u3]"], ["R2 A unmatched 10.00 []"]);
    assert_eq!(after(|history| history), matched);
    assert_eq!(after(|history| history.snapshot(&row("B", "1.00"))), matched);
    assert_eq!(after(|history| history.update(&row("B", "1.00"), &row("B", "1.00"))), unmatched);
    assert_eq!(after(|history| history.delete(&row("B", "1.00"))), unmatched);
    assert_eq!(after(|history| history.with_old_key().create(&row("B", "1.00"))), unmatched);
    assert_eq!(after(|history| history.update_transaction("B", 2, "1.00")), unmatched);
    assert_eq!(after(|history| history.delete_transaction("B", 2, "1.00")), unmatched);
    assert_eq!(after(|history| history.with_old_key().insert("B", 2, PAYMENT, "1.00")), unmatched);
}

#[test]
fn within_a_commit_transactions_come_first_by_counter_whatever_their_partitions() {
    let alerts = history()
        .at(0)
        .balance("A", "100.00", "90.00")
        .partition(0)
        .insert("A", 9, PAYMENT, "10.00")
        .partition(1)
        .insert("A", 3, PAYMENT, "10.00")
        .partition(2)
        .insert("A", 5, PAYMENT, "10.00")
        .raw(super::history::RULES, &[], &[]);
    let told: Vec<_> = alerts
        .iter()
        .map(|alert| format!("{} {}", alert["trigger"]["trans_counter"], alert["correlation"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["3 matched", "5 unmatched", "9 unmatched"]);
}

#[test]
fn commits_are_applied_by_position_across_partitions() {
    // the balance change was read first, but its position is higher; waiting, it would have taken the first payment
    let alerts = history()
        .commit(8)
        .at(2)
        .partition(1)
        .balance("A", "100.00", "70.00")
        .commit(4)
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .commit(6)
        .at(1)
        .partition(1)
        .insert("A", 2, PAYMENT, "20.00")
        .alerts();
    assert_eq!(alerts, ["R2 A aggregated 10.00 100.00>70.00 [C7 u9]", "R2 A aggregated 20.00 100.00>70.00 [C5 u9]"]);
}

#[test]
fn two_changes_of_one_commit_are_told_apart_by_their_positions() {
    let alerts = history()
        .at(0)
        .balance("A", "100.00", "90.00")
        .again()
        .balance("A", "90.00", "80.00")
        .again()
        .at(1)
        .insert("A", 1, PAYMENT, "10.00")
        .again()
        .insert("A", 2, PAYMENT, "10.00")
        .insert("A", 3, PAYMENT, "10.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A matched 10.00 100.00>90.00 [u1]", "R2 A matched 10.00 90.00>80.00 [u1]", "R2 A unmatched 10.00 []"]
    );
}

#[test]
fn without_positions_they_are_told_apart_by_their_images() {
    let alerts = history()
        .without_positions()
        .at(0)
        .balance("A", "100.00", "90.00")
        .again()
        .balance("A", "90.00", "80.00")
        .again()
        .at(1)
        .insert("A", 1, PAYMENT, "10.00")
        .again()
        .insert("A", 2, PAYMENT, "10.00")
        .insert("A", 3, PAYMENT, "10.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A matched 10.00 100.00>90.00 [u1]", "R2 A matched 10.00 90.00>80.00 [u1]", "R2 A unmatched 10.00 []"]
    );
}

#[test]
fn a_delete_and_an_insert_that_share_a_position_are_two_changes() {
    let alerts = history()
        .without_positions()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .delete(&row("A", "100.00"))
        .create(&row("A", "90.00"))
        .again()
        .alerts();
    assert_eq!(alerts, ["R2 A matched 10.00 100.00>90.00 [c2]"]);
}

#[test]
fn below_the_highest_position_a_change_is_old_unless_it_is_younger() {
    let fallen =
        |at| history().commit(8).at(1_000).insert("A", 1, PAYMENT, "10.00").commit(4).at(at).insert("A", 2, PAYMENT, "20.00");
    assert_eq!(fallen(1_000).alerts(), ["R2 A unmatched 10.00 []"]);
    assert_eq!(fallen(-5).alerts(), ["R2 A unmatched 10.00 []"]);

    let (error, written) = fallen(1_001).refused();
    assert!(error.contains("rebuilt") && error.contains("--accept-rebuilt-source"), "{error}");
    assert!(error.contains("sentinel.SentinelMock.dbo.Transaction"), "it names the record: {error}");
    assert!(!written, "alerts of a run that failed");

    let accepted = fallen(1_001).alerts_with(super::history::RULES, &[], &["--accept-rebuilt-source"]);
    assert_eq!(accepted, ["R2 A unmatched 10.00 []", "R2 A unmatched 20.00 []"]);
}

#[test]
fn re_delivery_is_judged_within_each_partition() {
    let alerts = history()
        .commit(8)
        .at(1_000)
        .insert("A", 1, PAYMENT, "10.00")
        .commit(4)
        .at(1_001)
        .partition(1)
        .insert("A", 2, PAYMENT, "20.00")
        .alerts();
    assert_eq!(alerts, ["R2 A unmatched 20.00 []", "R2 A unmatched 10.00 []"]);
}

#[test]
fn beyond_a_rebuilt_source_only_stream_time_is_remembered() {
    let args = ["--accept-rebuilt-source"];
    let accepted = |history: History| history.alerts_with(super::history::RULES, &[], &args);
    // open windows are closed: what would have matched does not
    let open = history()
        .commit(8)
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .settle("B", "0.00", "0.00")
        .commit(4)
        .at(1)
        .balance("A", "100.00", "90.00")
        .insert("B", 2, PAYMENT, "20.00");
    assert_eq!(accepted(open), ["R2 A unmatched 10.00 []", "R3 B without_payment u9 []", "R2 B unmatched 20.00 []"]);
    // a payment that was matched before it is not the final payment behind it
    let settled = history()
        .commit(8)
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .balance("A", "10.00", "0.00")
        .commit(4)
        .at(1)
        .settle("A", "0.00", "0.00");
    assert_eq!(accepted(settled), ["R2 A matched 10.00 10.00>0.00 [u9]", "R3 A without_payment u5 []"]);
    // stream time stays where another partition brought it
    let time = |last| {
        history()
            .commit(8)
            .at(0)
            .insert("A", 1, REFUND, "0.00")
            .update(&row("Z", "1.00"), &row("Z", "1.00"))
            .at(100_000)
            .partition(1)
            .insert("A", 2, REFUND, "0.00")
            .commit(4)
            .at(1)
            .insert("A", 3, PAYMENT, "10.00")
            .at(100_000 + last)
            .balance("A", "100.00", "90.00")
    };
    assert_eq!(accepted(time(W))[2], "R2 A matched 10.00 100.00>90.00 [u6]");
    assert_eq!(accepted(time(W + 1))[2], "R2 A unmatched 10.00 []");
}

#[test]
fn a_source_can_be_rebuilt_twice_and_old_positions_are_new_then() {
    let alerts = history()
        .commit(8)
        .at(0)
        .insert("A", 1, PAYMENT, "1.00")
        .commit(4)
        .at(1)
        .insert("A", 2, PAYMENT, "2.00")
        .commit(8)
        .at(2)
        .insert("A", 1, PAYMENT, "3.00")
        .commit(4)
        .at(3)
        .insert("A", 2, PAYMENT, "4.00")
        .alerts_with(super::history::RULES, &[], &["--accept-rebuilt-source"]);
    assert_eq!(alerts, ["R2 A unmatched 1.00 []", "R2 A unmatched 2.00 []", "R2 A unmatched 3.00 []", "R2 A unmatched 4.00 []"]);
}

#[test]
fn the_start_is_what_it_says() {
    let alerts = history().at(0).insert("A", 1, PAYMENT, "1.00").raw(super::history::RULES, &[], &[]);
    assert_eq!(alerts[0]["occurred_at"], "2026-01-12T09:30:00.000Z", "{START_MS}");
}
