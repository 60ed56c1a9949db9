//! Settlements and their final payments.

use super::history::{History, IGNORED, PAYMENT, REFUND, W, row};

fn history() -> History {
    History::new()
}

#[test]
fn a_settlement_names_its_payment_and_that_payments_update_unless_it_is_its_own() {
    let two_updates =
        history().at(0).insert("A", 1, PAYMENT, "10.00").at(1).balance("A", "10.00", "0.00").at(2).settle("A", "0.00", "0.00");
    assert_eq!(
        two_updates.alerts(),
        ["R2 A matched 10.00 10.00>0.00 [u2]", "R3 A with_final_payment u3 10.00 10.00>0.00 [C1 u2]"]
    );
    let one_update = history().at(0).insert("A", 1, PAYMENT, "10.00").at(1).settle("A", "10.00", "0.00");
    assert_eq!(one_update.alerts(), ["R2 A matched 10.00 10.00>0.00 [u2]", "R3 A with_final_payment u2 10.00 10.00>0.00 [C1]"]);
}

#[test]
fn a_payment_exactly_w_before_a_settlement_is_its_final_payment_and_a_millisecond_earlier_not() {
    let alerts = |gap| {
        history()
            .at(0)
            .insert("A", 1, PAYMENT, "10.00")
            .balance("A", "10.00", "0.00")
            .at(gap)
            .settle("A", "0.00", "0.00")
            .alerts()
    };
    assert_eq!(alerts(W), ["R2 A matched 10.00 10.00>0.00 [u1]", "R3 A with_final_payment u2 10.00 10.00>0.00 [C1 u1]"]);
    assert_eq!(alerts(W + 1), ["R2 A matched 10.00 10.00>0.00 [u1]", "R3 A without_payment u2 []"]);
}

#[test]
fn a_payment_exactly_w_after_a_settlement_is_its_final_payment_and_a_millisecond_later_not() {
    let alerts = |gap| history().at(0).settle("A", "0.00", "0.00").at(gap).insert("A", 1, PAYMENT, "10.00").alerts();
    // the settlement's deadline comes before the payment's
    assert_eq!(alerts(W), ["R3 A with_final_payment u1 10.00 [C2]", "R2 A unmatched 10.00 []"]);
    assert_eq!(alerts(W + 1), ["R3 A without_payment u1 []", "R2 A unmatched 10.00 []"]);
}

#[test]
fn a_settlement_waits_until_its_payment_is_matched() {
    let alerts = history()
        .at(0)
        .settle("A", "10.00", "10.00")
        .at(1)
        .insert("A", 1, PAYMENT, "10.00")
        .at(2)
        .balance("A", "10.00", "0.00")
        .alerts();
    assert_eq!(alerts, ["R2 A matched 10.00 10.00>0.00 [u3]", "R3 A with_final_payment u1 10.00 10.00>0.00 [C2 u3]"]);
}

#[test]
fn a_settlement_whose_payment_expires_is_judged_then() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(W)
        .settle("A", "0.00", "0.00")
        .at(W + 1)
        .insert("B", 2, REFUND, "1.00")
        .at(2 * W)
        .insert("B", 3, REFUND, "0.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A unmatched 10.00 []", "R3 A with_final_payment u2 10.00 [C1]", "R5 B matched 0.00 []", "R5 B unmatched 1.00 []",]
    );
}

#[test]
fn the_update_that_settles_can_wait_for_its_payment() {
    let alerts = history().at(0).settle("A", "10.00", "0.00").at(1).insert("A", 1, PAYMENT, "10.00").alerts();
    assert_eq!(alerts, ["R2 A matched 10.00 10.00>0.00 [u1]", "R3 A with_final_payment u1 10.00 10.00>0.00 [C2]"]);
}

#[test]
fn a_settlement_by_several_payments_names_the_last() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "4.00")
        .at(1)
        .insert("A", 2, PAYMENT, "6.00")
        .at(2)
        .settle("A", "10.00", "0.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A aggregated 4.00 10.00>0.00 [C2 u3]",
            "R2 A aggregated 6.00 10.00>0.00 [C1 u3]",
            "R3 A with_final_payment u3 6.00 10.00>0.00 [C2]",
        ]
    );
}

#[test]
fn after_a_settlement_the_first_payment_to_come_is_its_final_one() {
    let alerts = history()
        .at(0)
        .settle("A", "10.00", "10.00")
        .at(1)
        .insert("A", 1, PAYMENT, "4.00")
        .at(2)
        .insert("A", 2, PAYMENT, "6.00")
        .at(3)
        .balance("A", "10.00", "0.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A aggregated 4.00 10.00>0.00 [C3 u4]",
            "R2 A aggregated 6.00 10.00>0.00 [C2 u4]",
            "R3 A with_final_payment u1 4.00 10.00>0.00 [C2 u4]",
        ]
    );
}

#[test]
fn only_a_positive_payment_can_be_the_final_one() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .balance("A", "10.00", "0.00")
        .at(1)
        .insert("A", 2, PAYMENT, "-3.00")
        .balance("A", "0.00", "3.00")
        .at(2)
        .insert("A", 3, REFUND, "2.00")
        .balance("A", "3.00", "5.00")
        .at(3)
        .insert("A", 4, IGNORED, "5.00")
        .balance("A", "5.00", "0.00")
        .at(4)
        .insert("A", 5, PAYMENT, "0.00")
        .at(5)
        .settle("A", "0.00", "0.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A matched 10.00 10.00>0.00 [u1]",
            "R5 A matched 2.00 3.00>5.00 [u3]",
            "R3 A with_final_payment u6 10.00 10.00>0.00 [C1 u1]",
        ]
    );
}

#[test]
fn a_closing_payment_is_a_final_payment() {
    let alerts = history().at(0).insert("A", 1, PAYMENT, "10.02").at(1).settle("A", "10.00", "0.00").alerts();
    assert_eq!(alerts, ["R2 A closing 10.02 10.00>0.00 [u2]", "R3 A with_final_payment u2 10.02 10.00>0.00 [C1]"]);
}

#[test]
fn a_settlement_that_is_taken_back_and_comes_again_is_told_twice() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .settle("A", "10.00", "0.00")
        .at(1)
        .update(&row("A", "0.00").settled(), &row("A", "0.00"))
        .at(2)
        .settle("A", "0.00", "0.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A matched 10.00 10.00>0.00 [u1]",
            "R3 A with_final_payment u1 10.00 10.00>0.00 [C1]",
            "R3 A with_final_payment u3 10.00 10.00>0.00 [C1 u1]",
        ]
    );
}

#[test]
fn an_update_of_a_settled_agreement_settles_nothing() {
    let alerts = history().at(0).update(&row("A", "10.00").settled(), &row("A", "9.00").settled()).alerts();
    assert_eq!(alerts, Vec::<String>::new());
}

#[test]
fn two_settlements_can_wait_for_one_payment() {
    let alerts = history()
        .at(0)
        .settle("A", "10.00", "10.00")
        .at(1)
        .update(&row("A", "10.00").settled(), &row("A", "10.00"))
        .at(2)
        .settle("A", "10.00", "10.00")
        .at(3)
        .insert("A", 1, PAYMENT, "10.00")
        .balance("A", "10.00", "0.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A matched 10.00 10.00>0.00 [u4]",
            "R3 A with_final_payment u1 10.00 10.00>0.00 [C4 u4]",
            "R3 A with_final_payment u3 10.00 10.00>0.00 [C4 u4]",
        ]
    );
}
