//! Which movement explains which balance change.

use super::history::{History, IGNORED, PAYMENT, REFUND, W};

fn history() -> History {
    History::new()
}

#[test]
fn a_balance_change_exactly_w_after_its_payment_matches_and_a_millisecond_later_not() {
    let alerts = |gap| history().at(0).insert("A", 1, PAYMENT, "10.00").at(gap).balance("A", "100.00", "90.00").alerts();
    assert_eq!(alerts(W), ["R2 A matched 10.00 100.00>90.00 [u2]"]);
    assert_eq!(alerts(W + 1), ["R2 A unmatched 10.00 []"]);
}

#[test]
fn a_payment_exactly_w_after_its_balance_change_matches_and_a_millisecond_later_not() {
    let alerts = |gap| history().at(0).balance("A", "100.00", "90.00").at(gap).insert("A", 1, PAYMENT, "10.00").alerts();
    assert_eq!(alerts(W), ["R2 A matched 10.00 100.00>90.00 [u1]"]);
    assert_eq!(alerts(W + 1), ["R2 A unmatched 10.00 []"]);
}

#[test]
fn equal_payments_are_matched_in_merged_order() {
    let alerts = history()
        .at(0)
        .insert("A", 2, PAYMENT, "10.00")
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .balance("A", "100.00", "90.00")
        .at(2)
        .balance("A", "90.00", "80.00")
        .raw(super::history::RULES, &[], &[]);
    let counters: Vec<_> =
        alerts.iter().map(|alert| (&alert["trigger"]["trans_counter"], &alert["movement"]["balance_before"])).collect();
    assert_eq!(format!("{counters:?}"), r#"[(Number(1), String("100.00")), (Number(2), String("90.00"))]"#);
}

#[test]
fn waiting_changes_are_taken_in_merged_order() {
    let alerts = history()
        .at(0)
        .balance("A", "100.00", "90.00")
        .at(1)
        .balance("A", "90.00", "80.00")
        .at(2)
        .insert("A", 1, PAYMENT, "10.00")
        .at(3)
        .insert("A", 2, PAYMENT, "10.00")
        .at(4)
        .insert("A", 3, PAYMENT, "10.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A matched 10.00 100.00>90.00 [u1]", "R2 A matched 10.00 90.00>80.00 [u2]", "R2 A unmatched 10.00 []"]
    );
}

#[test]
fn a_waiting_change_is_explained_by_one_movement_exactly_never_together_nor_closing() {
    let together = history()
        .at(0)
        .balance("A", "100.00", "70.00")
        .at(1)
        .insert("A", 1, PAYMENT, "10.00")
        .at(2)
        .insert("A", 2, PAYMENT, "20.00");
    assert_eq!(together.alerts(), ["R2 A unmatched 10.00 []", "R2 A unmatched 20.00 []"]);
    let closing = history().at(0).balance("A", "8.00", "0.00").at(1).insert("A", 1, PAYMENT, "10.00");
    assert_eq!(closing.alerts(), ["R2 A unmatched 10.00 []"]);
}

#[test]
fn movements_explain_a_change_together_when_all_of_them_add_up() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .insert("A", 2, REFUND, "5.00")
        .at(2)
        .insert("A", 3, PAYMENT, "20.00")
        .at(3)
        .balance("A", "100.00", "75.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A aggregated 10.00 100.00>75.00 [C2 C3 u4]",
            "R5 A aggregated 5.00 100.00>75.00 [C1 C3 u4]",
            "R2 A aggregated 20.00 100.00>75.00 [C1 C2 u4]",
        ]
    );
}

#[test]
fn one_exact_movement_goes_before_several_together() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .insert("A", 2, PAYMENT, "20.00")
        .at(2)
        .insert("A", 3, PAYMENT, "30.00")
        .at(3)
        .balance("A", "100.00", "70.00")
        .at(4)
        .balance("A", "70.00", "40.00")
        .alerts();
    assert_eq!(
        alerts,
        [
            "R2 A matched 30.00 100.00>70.00 [u4]",
            "R2 A aggregated 10.00 70.00>40.00 [C2 u5]",
            "R2 A aggregated 20.00 70.00>40.00 [C1 u5]",
        ]
    );
}

#[test]
fn movements_that_add_up_among_more_are_not_together() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .insert("A", 2, PAYMENT, "20.00")
        .insert("A", 3, PAYMENT, "99.00")
        .at(1)
        .balance("A", "200.00", "170.00")
        .alerts();
    assert_eq!(alerts, ["R2 A unmatched 10.00 []", "R2 A unmatched 20.00 []", "R2 A unmatched 99.00 []"]);
}

#[test]
fn ignored_movements_neither_join_the_sum_nor_are_taken_by_it() {
    let alerts = history()
        .at(0)
        .insert("A", 1, IGNORED, "7.00")
        .insert("A", 2, PAYMENT, "10.00")
        .insert("A", 3, PAYMENT, "20.00")
        .at(1)
        .balance("A", "100.00", "70.00")
        // the write-off is still pending and takes this, so that nothing is left for the refund
        .at(2)
        .balance("A", "70.00", "77.00")
        .at(3)
        .insert("A", 4, REFUND, "7.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A aggregated 10.00 100.00>70.00 [C1 u2]", "R2 A aggregated 20.00 100.00>70.00 [C1 u2]", "R5 A unmatched 7.00 []",]
    );
}

#[test]
fn an_ignored_movement_explains_either_sign_once() {
    for (before, after) in [("100.00", "93.00"), ("100.00", "107.00")] {
        // were the change not taken by the write-off, the payment or the refund would match it
        let alerts = history()
            .at(0)
            .insert("A", 1, IGNORED, "7.00")
            .at(1)
            .balance("A", before, after)
            .at(2)
            .insert("A", 2, PAYMENT, "7.00")
            .at(3)
            .insert("A", 3, REFUND, "7.00")
            .alerts();
        assert_eq!(alerts, ["R2 A unmatched 7.00 []", "R5 A unmatched 7.00 []"], "{before} to {after}");
    }
}

#[test]
fn an_ignored_movement_takes_a_waiting_change_too() {
    let alerts = history()
        .at(0)
        .balance("A", "100.00", "107.00")
        .at(1)
        .insert("A", 1, IGNORED, "7.00")
        .at(2)
        .insert("A", 2, REFUND, "7.00")
        .alerts();
    assert_eq!(alerts, ["R5 A unmatched 7.00 []"]);
}

#[test]
fn a_negative_payment_raises_the_balance_and_fires_nothing() {
    let alone = history().at(0).insert("A", 1, PAYMENT, "-10.00").at(1).balance("A", "90.00", "100.00");
    assert_eq!(alone.alerts(), Vec::<String>::new());
    let together =
        history().at(0).insert("A", 1, PAYMENT, "-10.00").insert("A", 2, PAYMENT, "30.00").at(1).balance("A", "100.00", "80.00");
    assert_eq!(together.alerts(), ["R2 A aggregated 30.00 100.00>80.00 [C1 u2]"]);
}

#[test]
fn a_negative_refund_lowers_the_balance_and_fires_all_the_same() {
    let alerts = history().at(0).insert("A", 1, REFUND, "-10.00").at(1).balance("A", "100.00", "90.00").alerts();
    assert_eq!(alerts, ["R5 A matched -10.00 100.00>90.00 [u2]"]);
}

#[test]
fn a_zero_movement_is_matched_at_once_to_nothing() {
    let alerts = history()
        .at(0)
        .insert("A", 1, REFUND, "0.00")
        .at(1)
        .insert("A", 2, PAYMENT, "0.00")
        .at(2)
        .insert("A", 3, IGNORED, "0.00")
        .at(3)
        .insert("A", 4, PAYMENT, "10.00")
        .at(4)
        .balance("A", "100.00", "90.00")
        .alerts();
    assert_eq!(alerts, ["R5 A matched 0.00 []", "R2 A matched 10.00 100.00>90.00 [u5]"]);
}

#[test]
fn the_closing_tolerance_counts_on_both_sides_its_edge_included() {
    let alerts = |amount| history().at(0).insert("A", 1, PAYMENT, amount).at(1).balance("A", "7.00", "0.00").alerts();
    assert_eq!(alerts("12.00"), ["R2 A closing 12.00 7.00>0.00 [u2]"]);
    assert_eq!(alerts("12.01"), ["R2 A unmatched 12.01 []"]);
    assert_eq!(alerts("2.00"), ["R2 A closing 2.00 7.00>0.00 [u2]"]);
    assert_eq!(alerts("1.99"), ["R2 A unmatched 1.99 []"]);
    assert_eq!(alerts("7.00"), ["R2 A matched 7.00 7.00>0.00 [u2]"]);
}

#[test]
fn closing_needs_a_falling_balance_that_reaches_zero() {
    let alerts = |before, after| history().at(0).insert("A", 1, PAYMENT, "8.00").at(1).balance("A", before, after).alerts();
    assert_eq!(alerts("7.00", "0.00"), ["R2 A closing 8.00 7.00>0.00 [u2]"]);
    assert_eq!(alerts("7.01", "0.01"), ["R2 A unmatched 8.00 []"]);
    assert_eq!(alerts("-8.00", "0.00"), ["R2 A unmatched 8.00 []"]);
}

#[test]
fn only_the_last_pending_payment_can_close() {
    let far =
        history().at(0).insert("A", 1, PAYMENT, "9.00").insert("A", 2, PAYMENT, "100.00").at(1).balance("A", "7.00", "0.00");
    assert_eq!(far.alerts(), ["R2 A unmatched 9.00 []", "R2 A unmatched 100.00 []"]);
    let refund =
        history().at(0).insert("A", 1, PAYMENT, "9.00").insert("A", 2, REFUND, "3.00").at(1).balance("A", "7.00", "0.00");
    assert_eq!(refund.alerts(), ["R2 A closing 9.00 7.00>0.00 [u2]", "R5 A unmatched 3.00 []"]);
}

#[test]
fn amounts_of_28_digits_and_of_28_decimals_add_up_exactly() {
    let (most, least) = (&"9".repeat(28), &format!("0.{}1", "0".repeat(27)));
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, most)
        .insert("A", 2, PAYMENT, least)
        .at(1)
        .balance("A", most, &format!("-{least}"))
        .alerts();
    let balances = format!("{most}>-{least}");
    assert_eq!(
        alerts,
        [format!("R2 A aggregated {most} {balances} [C1 u2]"), format!("R2 A aggregated {least} {balances} [C1 u2]")]
    );

    let off_by_the_last_decimal = history().at(0).insert("A", 1, PAYMENT, most).at(1).balance("A", most, &format!("-{least}"));
    assert_eq!(off_by_the_last_decimal.alerts(), [format!("R2 A unmatched {most} []")]);
}

#[test]
fn more_than_28_digits_or_decimals_are_a_bad_message_and_28_are_not() {
    let alerts = |amount: &str| history().at(0).insert("A", 1, PAYMENT, amount).alerts();
    for (digits, count) in [(28, 1), (29, 0)] {
        assert_eq!(alerts(&"9".repeat(digits)).len(), count, "{digits} digits");
        assert_eq!(alerts(&format!("{}.99", "9".repeat(digits - 2))).len(), count, "{digits} digits, two of them decimals");
        assert_eq!(alerts(&format!("000{}", "9".repeat(digits))).len(), count, "{digits} digits behind zeros");
        assert_eq!(alerts(&format!("0.{}1", "0".repeat(digits - 1))).len(), count, "{digits} decimals");
    }
}

#[test]
fn amounts_of_other_scales_are_the_same_amounts() {
    let alerts = history().at(0).insert("A", 1, PAYMENT, "10").at(1).balance("A", "100.000000", "90.0").alerts();
    assert_eq!(alerts, ["R2 A matched 10 100.000000>90.0 [u2]"]);
}

#[test]
fn agreements_do_not_explain_each_other() {
    let alerts = history().at(0).insert("A", 1, PAYMENT, "10.00").at(1).balance("B", "100.00", "90.00").alerts();
    assert_eq!(alerts, ["R2 A unmatched 10.00 []"]);
}

#[test]
fn case_and_trailing_blanks_of_numbers_count_as_configured() {
    let history = history().at(0).insert("fru1  ", 1, PAYMENT, "10.00").at(1).balance("FRU1", "100.00", "90.00");
    assert_eq!(history.alerts(), ["R2 FRU1 matched 10.00 100.00>90.00 [u2]"]);
    let sensitive = history.alerts_with(super::history::RULES, &[], &["--key-case", "sensitive"]);
    assert_eq!(sensitive, ["R2 fru1 unmatched 10.00 []"]);
}
