//! Inputs with the exact alerts, through the real binary.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Input, OPEN_IN_CASES, assert_same_set, case_folders, json_lines, normalised, root};

#[test]
fn every_case_gives_exactly_its_alerts() {
    let folders = case_folders();
    assert!(folders.len() >= 10, "the cases are missing: {folders:?}");
    for folder in folders {
        let of =
            |alerts: Vec<serde_json::Value>| alerts.into_iter().map(|alert| normalised(alert, OPEN_IN_CASES)).collect::<Vec<_>>();
        let expected = of(json_lines(&folder.join("expected.jsonl")));
        let actual = of(Input::of_folder(&folder).alerts());
        assert_same_set(&folder.display().to_string(), &expected, &actual);
    }
}

#[test]
fn every_alert_of_the_cases_keeps_the_published_schema() {
    let schema = serde_json::from_slice(&std::fs::read(root().join("schemas/alert.schema.json")).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut checked = 0;
    for folder in case_folders() {
        for alert in Input::of_folder(&folder).alerts() {
            let errors: Vec<_> = schema.iter_errors(&alert).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}\n{alert:#}", folder.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} alerts were checked");
}
