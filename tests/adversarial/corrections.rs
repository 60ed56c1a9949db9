//! Deletes and inserts of one commit: updates, renames, corrections, and what is none of them.

use serde_json::{Value, json};

use super::history::{History, PAYMENT, row};

fn history() -> History {
    History::new()
}

#[test]
fn a_delete_and_an_insert_of_one_number_are_an_update_with_the_inserts_position() {
    let alerts =
        history().at(0).insert("A", 1, PAYMENT, "10.00").at(1).delete(&row("A", "100.00")).create(&row("A", "90.00")).alerts();
    assert_eq!(alerts, ["R2 A matched 10.00 100.00>90.00 [c2]"]);
}

#[test]
fn such_an_update_can_settle() {
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .delete(&row("A", "10.00"))
        .create(&row("A", "0.00").settled())
        .alerts();
    assert_eq!(alerts, ["R2 A matched 10.00 10.00>0.00 [c2]", "R3 A with_final_payment c2 10.00 10.00>0.00 [C1]"]);
}

#[test]
fn a_delete_behind_the_insert_in_its_partition_does_not_count() {
    let alerts = history().at(0).create(&row("A", "90.00")).delete(&row("A", "100.00")).alerts();
    assert_eq!(alerts, ["R4 A not_needed c1 []"]);
}

#[test]
fn a_delete_in_another_partition_counts_wherever_it_lies() {
    for (delete, create) in [(0, 1), (1, 0)] {
        let alerts = history()
            .at(0)
            .insert("A", 1, PAYMENT, "10.00")
            .at(1)
            .partition(create)
            .create(&row("A", "90.00"))
            .partition(delete)
            .delete(&row("A", "100.00"))
            .alerts();
        assert_eq!(alerts, ["R2 A matched 10.00 100.00>90.00 [c2]"], "delete in {delete}");
    }
}

#[test]
fn a_delete_of_another_commit_does_not_count() {
    let alerts = history().at(0).delete(&row("A", "100.00")).at(0).create(&row("A", "90.00")).alerts();
    assert_eq!(alerts, ["R4 A not_needed c2 []"]);
}

#[test]
fn the_last_delete_before_an_insert_counts_and_is_not_used_up() {
    let one_after_another = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .insert("A", 2, PAYMENT, "20.00")
        .at(1)
        .delete(&row("A", "100.00"))
        .create(&row("A", "90.00"))
        .delete(&row("A", "90.00"))
        .create(&row("A", "70.00"));
    assert_eq!(one_after_another.alerts(), ["R2 A matched 10.00 100.00>90.00 [c2]", "R2 A matched 20.00 90.00>70.00 [c2]"]);
    let twice = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .insert("A", 2, PAYMENT, "20.00")
        .at(1)
        .delete(&row("A", "100.00"))
        .create(&row("A", "90.00"))
        .create(&row("A", "80.00"));
    assert_eq!(twice.alerts(), ["R2 A matched 10.00 100.00>90.00 [c2]", "R2 A matched 20.00 100.00>80.00 [c2]"]);
}

#[test]
fn numbers_that_are_swapped_are_two_updates() {
    // all deletes come first, as in one statement over many rows
    let customer = |number: &str, balance: &str| row(number, balance).with("AgreementCustomerNumber", json!("C1"));
    let alerts = history()
        .at(0)
        .insert("A", 1, PAYMENT, "50.00")
        .at(1)
        .delete(&customer("A", "100.00"))
        .delete(&customer("B", "50.00"))
        .create(&customer("B", "100.00"))
        .create(&customer("A", "50.00"))
        .alerts();
    assert_eq!(alerts, ["R2 A matched 50.00 100.00>50.00 [c2]"]);
}

#[test]
fn an_insert_under_another_number_of_the_same_customer_is_a_rename() {
    let renamed = |from: Value, to: Value| {
        history()
            .at(0)
            .delete(&row("A", "100.00").with("AgreementCustomerNumber", from))
            .create(&row("B", "100.00").with("AgreementCustomerNumber", to))
            .alerts()
    };
    assert_eq!(renamed(json!("C1"), json!("C1")), Vec::<String>::new());
    assert_eq!(renamed(json!("C1"), json!("C2")), ["R4 B not_needed c1 []"]);
    assert_eq!(renamed(Value::Null, Value::Null), ["R4 B not_needed c1 []"]);
}

#[test]
fn a_rename_counts_wherever_in_the_commit_its_delete_lies() {
    let customer = |number: &str| row(number, "100.00").with("AgreementCustomerNumber", json!("C1"));
    for delete in [0, 1, 2] {
        let alerts = history().at(0).partition(1).create(&customer("B")).partition(delete).delete(&customer("A")).alerts();
        assert_eq!(alerts, Vec::<String>::new(), "delete in {delete}");
    }
}

#[test]
fn an_insert_with_the_header_of_a_key_change_opens_nothing() {
    assert_eq!(history().at(0).with_old_key().create(&row("B", "100.00")).alerts(), Vec::<String>::new());
    let update = history()
        .at(0)
        .insert("A", 1, PAYMENT, "10.00")
        .at(1)
        .delete(&row("a ", "100.00"))
        .with_old_key()
        .create(&row("A", "90.00"));
    assert_eq!(update.alerts(), ["R2 A matched 10.00 100.00>90.00 [c2]"]);
}

#[test]
fn a_corrected_transaction_is_no_movement() {
    let headers = history().at(0).with_old_key().insert("A", 1, PAYMENT, "10.00");
    assert_eq!(headers.alerts(), Vec::<String>::new());
    for delete in [0, 1] {
        // wherever the delete lies, before or behind, under whatever agreement
        let alerts = history()
            .at(0)
            .partition(1)
            .insert("A", 1, PAYMENT, "10.00")
            .insert("A", 2, PAYMENT, "20.00")
            .partition(delete)
            .delete_transaction("B", 1, "10.00")
            .alerts();
        assert_eq!(alerts, ["R2 A unmatched 20.00 []"], "delete in {delete}");
    }
    let another_commit = history().at(0).delete_transaction("A", 1, "10.00").at(0).insert("A", 1, PAYMENT, "10.00");
    assert_eq!(another_commit.alerts(), ["R2 A unmatched 10.00 []"]);
}

#[test]
fn updates_of_both_kinds_mix_in_one_commit_in_the_order_of_their_partition() {
    let alerts = history()
        .at(0)
        .balance("A", "100.00", "90.00")
        .delete(&row("A", "90.00"))
        .create(&row("A", "70.00"))
        .balance("A", "70.00", "40.00")
        .insert("A", 3, PAYMENT, "30.00")
        .insert("A", 2, PAYMENT, "20.00")
        .insert("A", 1, PAYMENT, "10.00")
        .alerts();
    assert_eq!(
        alerts,
        ["R2 A matched 10.00 100.00>90.00 [u1]", "R2 A matched 20.00 90.00>70.00 [c1]", "R2 A matched 30.00 70.00>40.00 [u1]",]
    );
}
