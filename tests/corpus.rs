//! Genuine connector bytes, in every variant, decode to the same typed changes.

#[path = "support/registry.rs"]
#[expect(dead_code, reason = "shared with the registry test, which asks more of it")]
mod registry;
#[path = "support/corpus.rs"]
mod support;

use std::fmt::Write as _;

use support::{Line, OwnedRecord};
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::{ChangeKind, LendingChange};
use tidewaiter::event::{ChangeEvent, DecimalForm, Decoded, Formats, Identity};

const STRING: DecimalForm = DecimalForm::String;
const NUMBER: DecimalForm = DecimalForm::Number;

fn precise(scale: u32) -> DecimalForm {
    DecimalForm::Precise { scale: Some(scale) }
}

fn decoder(decimals: DecimalForm) -> Decoder {
    Decoder::new(&Formats { decimals, ..Formats::default() })
}

fn decode(decoder: &Decoder, record: &OwnedRecord) -> Decoded<LendingChange> {
    record.with(|record| decoder.decode(record))
}

/// What must be equal in all variants, with the place in the story. Amounts compare by value.
type Told = (String, String, &'static str, Result<ChangeEvent<LendingChange>, &'static str>);

/// Decodes a variant; what depends on keys and offsets is blanked.
fn told(lines: &[(Line, OwnedRecord)], decoder: &Decoder, reference: &[(Line, OwnedRecord)]) -> Vec<Told> {
    let blank = reference[0].1.origin;
    lines
        .iter()
        .map(|(line, record)| {
            let outcome = match decode(decoder, record) {
                Decoded::Change(mut change) => {
                    change.origin = blank;
                    change.identity = Identity(0);
                    Ok(change)
                }
                Decoded::Ignored(label) => Err(label),
                other => panic!("{} {}: {other:?}", line.scenario, line.note),
            };
            (line.scenario.clone(), line.note.clone(), record.table(), outcome)
        })
        .collect()
}

/// Compares a variant with `c_json_noschema_string`, but for the lines that `differs` names.
fn same_story(variant: &str, decoder: &Decoder, differs: impl Fn(&str, &str) -> bool) {
    let reference = support::lines("c");
    let lines = support::lines(variant);
    let mut expected = told(&reference, &self::decoder(STRING), &reference);
    let mut actual = told(&lines, decoder, &reference);
    let scenarios: std::collections::BTreeSet<_> = actual.iter().map(|told| told.0.clone()).collect();
    expected.retain(|told| scenarios.contains(&told.0) && !differs(&told.0, &told.1));
    actual.retain(|told| !differs(&told.0, &told.1));
    assert!(actual.iter().filter(|told| told.3.is_ok()).count() >= 10, "{variant}: too few changes to compare");
    for (actual, expected) in actual.iter().zip(&expected) {
        assert_eq!(actual, expected, "{variant}");
    }
    assert_eq!(actual.len(), expected.len(), "{variant}");
}

fn nowhere(_: &str, _: &str) -> bool {
    false
}

const LARGEST: &str = "insert Transaction: the largest amounts";

/// MONEY holds less than decimal(18,2), and a double has less than 18 digits.
fn largest(_: &str, note: &str) -> bool {
    note == LARGEST
}

#[test]
fn schemas_inside_the_messages_win_over_any_configuration() {
    for decimals in [STRING, NUMBER, precise(7), DecimalForm::Precise { scale: None }] {
        same_story("a", &decoder(decimals), nowhere);
        same_story("e", &decoder(decimals), largest);
        same_story("f3", &decoder(decimals), nowhere);
    }
}

#[test]
fn precise_amounts_without_schemas_are_read_at_the_configured_scale() {
    same_story("b", &decoder(precise(2)), nowhere);
    same_story("e3", &decoder(precise(4)), largest);
}

#[test]
fn doubles_and_numeric_decimals_are_numbers() {
    same_story("l", &decoder(NUMBER), nowhere);
    same_story("d", &decoder(NUMBER), largest);
}

#[test]
fn avro_tells_the_same_story_whatever_is_configured_for_json() {
    let server = registry::Server::start(registry::answers(&support::corpus().join("i_avro_confluent_precise.schemas.json")));
    let registry = Some(registry::client(&[server.url()]));
    for decimals in [STRING, DecimalForm::Precise { scale: None }] {
        let decoder = Decoder::new(&Formats { decimals, registry: registry.clone(), ..Formats::default() });
        same_story("i", &decoder, nowhere);
    }
}

#[test]
fn the_largest_amounts_are_exact_in_every_variant_that_holds_them() {
    if support::shared("corpus").is_none() {
        return;
    }
    for (variant, decimals, amount) in [
        ("a", STRING, "9999999999999999.99"),
        ("b", precise(2), "9999999999999999.99"),
        ("l", NUMBER, "9999999999999999.99"),
        // As the connector rounded it.
        ("d", NUMBER, "10000000000000000"),
        ("e", STRING, "922337203685477.5807"),
        ("e2", STRING, "922337203685477.5807"),
        ("e3", precise(4), "922337203685477.5807"),
    ] {
        let (_, record) = support::lines(variant).into_iter().find(|(line, _)| line.note == LARGEST).unwrap();
        let Decoded::Change(change) = decode(&decoder(decimals), &record) else { panic!("{variant}: no change") };
        let ChangeKind::TransactionInsert(insert) = change.body.kind else { panic!("{variant}: no insert") };
        assert_eq!(insert.amount.to_string(), amount, "{variant}");
    }
}

#[test]
fn money_columns_time_modes_and_kept_nulls_make_no_difference() {
    for variant in ["f1", "f2", "k"] {
        same_story(variant, &decoder(STRING), nowhere);
    }
    same_story("e2", &decoder(STRING), largest);
}

#[test]
fn an_older_connector_tells_the_same_story() {
    // 3.3.1 leaves the last transaction open: its END, on another topic, is the line that is missing.
    same_story("j", &decoder(precise(2)), |_, note| note.starts_with("END of transaction 2"));
}

#[test]
fn other_keys_tell_the_same_story_but_where_the_key_changes() {
    same_story("g", &decoder(STRING), |scenario, _| scenario == "14-transaction-moved");
}

#[test]
fn a_moved_transaction_is_a_key_change_under_other_keys() {
    let decoder = decoder(STRING);
    let moved: Vec<_> = support::lines("g")
        .iter()
        .filter(|(line, _)| line.note.starts_with("update Transaction: TransAgreementNumber changes"))
        .map(|(_, record)| decode(&decoder, record))
        .collect();
    if support::shared("corpus").is_none() {
        return;
    }
    match &moved[..] {
        [Decoded::Change(delete), Decoded::Ignored("tombstone"), Decoded::Change(insert)] => {
            assert_eq!(delete.body.kind, ChangeKind::TransactionDelete { counter: 880_112 });
            let ChangeKind::TransactionInsert(insert) = &insert.body.kind else { panic!("{insert:?}") };
            assert!(insert.key_changed);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn flattened_messages_are_bad_and_the_hint_says_to_remove_the_transform() {
    let decoder = decoder(STRING);
    for variant in ["h1", "h2", "h3", "h4"] {
        let mut bad = 0;
        for (line, record) in support::lines(variant) {
            let ours = matches!(record.table(), "Agreement" | "Transaction");
            match decode(&decoder, &record) {
                Decoded::Ignored("other_topic") => assert!(!ours, "{variant} {}", line.note),
                Decoded::Ignored("null_payload" | "tombstone") => assert!(
                    ours && line.note.contains("delete") || line.note.contains("key change") || line.note.contains("deferred"),
                    "{variant} {}",
                    line.note
                ),
                Decoded::Bad(message) => {
                    assert_eq!(message.reason, "flattened", "{variant} {}", line.note);
                    assert!(message.hint.unwrap().contains("remove the transform ExtractNewRecordState"));
                    bad += 1;
                }
                other => panic!("{variant} {}: {other:?}", line.note),
            }
        }
        assert!(bad >= 5, "{variant}: {bad}");
    }
}

#[test]
fn decoded_changes_have_these_exact_values() {
    let decoder = decoder(STRING);
    let mut text = String::new();
    for (line, record) in support::lines("c") {
        if !["01", "02", "03", "04", "05", "06", "08", "09", "10", "16"].iter().any(|n| line.scenario.starts_with(n)) {
            continue;
        }
        writeln!(text, "# {} {}", line.scenario, line.note).unwrap();
        match decode(&decoder, &record) {
            Decoded::Change(change) => {
                writeln!(text, "{} {} {:?}", change.commit, change.event_time, change.body.position).unwrap();
                writeln!(text, "{:?}", change.body.kind).unwrap();
            }
            other => writeln!(text, "{other:?}").unwrap(),
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn identities_tell_all_changes_apart_and_know_a_second_delivery() {
    let decoder = decoder(STRING);
    let mut identities = std::collections::BTreeSet::new();
    let mut changes = 0;
    for (_, record) in support::lines("c") {
        if let (Decoded::Change(first), Decoded::Change(second)) = (decode(&decoder, &record), decode(&decoder, &record)) {
            assert_eq!(first, second);
            identities.insert((record.table(), first.commit, first.identity));
            changes += 1;
        }
    }
    assert_eq!(identities.len(), changes);
    assert!(changes > 50);
}
