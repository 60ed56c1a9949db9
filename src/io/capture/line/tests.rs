use proptest::prelude::*;

use super::*;

/// What a record says, owned.
type Said = (String, i32, i64, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn said(record: &Record<'_>) -> Said {
    let headers = record.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
    let Origin { topic, partition, offset } = record.origin;
    (
        topic.to_string(),
        partition,
        offset,
        record.timestamp_ms,
        record.key.map(<[u8]>::to_vec),
        record.value.map(<[u8]>::to_vec),
        headers,
    )
}

fn both_ways(line: &[u8]) -> (Result<Said, String>, Result<Said, String>) {
    let told = |error: LineError| error.to_string();
    // what a glance takes for the value must be it, or nothing that JSON knows
    let glanced = Scratch::default().read_quoted(
        line,
        |_, quoted| serde_json::from_str::<String>(&format!("\"{quoted}\"")).ok().map(|value| Some(value.into_bytes())),
        |record| record.value.map(<[u8]>::to_vec),
    );
    assert_eq!(glanced.map_err(told), Scratch::default().read_slowly(line, said).map(|said| said.5).map_err(told));
    (Scratch::default().read(line, said).map_err(told), Scratch::default().read_slowly(line, said).map_err(told))
}

const USUAL: &str = r#"{"topic":"t.Agreement","partition":3,"offset":17,"tstype":"create","ts":1768208412004,"broker":1,"headers":["a","x","b",null],"key":"{\"n\":1}","payload":"{\"a\":\"\\\"\\n\"}"}"#;

#[test]
fn a_usual_line_is_scanned_and_means_what_serde_json_says() {
    assert!(scan(USUAL.as_bytes(), &mut Vec::new(), &mut Vec::new()).is_some());
    let (scanned, parsed) = both_ways(USUAL.as_bytes());
    assert_eq!(scanned, parsed);
    let (topic, partition, offset, ts, key, value, headers) = scanned.unwrap();
    assert_eq!((topic.as_str(), partition, offset, ts), ("t.Agreement", 3, 17, Some(1_768_208_412_004)));
    assert_eq!((key.unwrap(), value.unwrap()), (br#"{"n":1}"#.to_vec(), br#"{"a":"\"\n"}"#.to_vec()));
    assert_eq!(headers, [("a".to_owned(), Some(b"x".to_vec())), ("b".to_owned(), None)]);
}

#[test]
fn unusual_lines_are_read_too() {
    let value = |line: &str| both_ways(line.as_bytes()).0.unwrap().5;
    assert_eq!(value(r#"{"topic":"t","partition":0,"offset":1,"payload":null}"#), None);
    assert_eq!(value(r#"{"topic":"t","partition":0,"offset":1,"key":null,"payload_b64":"AP8="}"#), Some(vec![0, 255]));
    assert_eq!(
        value(r#" { "payload" : "\ud83c\udfe6" , "topic":"t", "partition":0, "offset":1, "other":[1,{}] } "#),
        Some("🏦".into())
    );
    let no_time = both_ways(br#"{"topic":"t","partition":0,"offset":1,"ts":-1,"key":"","payload":""}"#).0.unwrap();
    assert_eq!((no_time.3, no_time.4, no_time.5), (None, Some(vec![]), Some(vec![])));
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    let error = |line: &str| both_ways(line.as_bytes()).0.unwrap_err();
    assert!(error("").contains("EOF"));
    assert!(error(&USUAL[..USUAL.len() / 2]).contains("EOF"));
    assert!(error(r#"{"topic":"t","partition":0,"payload":""}"#).contains("offset"));
    assert!(error(r#"{"topic":"t","partition":0,"offset":1}"#).contains("payload"));
    assert!(error(r#"{"topic":"t","partition":-0,"offset":1,"key":null,"payload":""}"#).contains("i32"));
    assert!(error(r#"{"topic":"t","partition":0,"offset":1,"payload_b64":"x"}"#).contains("base64"));
    assert!(error(r#"{"topic":"t","partition":0,"offset":1,"payload":"","payload_b64":""}"#).contains("both"));
    assert!(error(r#"{"topic":"t","partition":0,"offset":1,"payload":"","headers":["a"]}"#).contains("without a value"));
    assert!(error(r#"{"topic":"t","partition":0,"offset":1,"payload":"","headers":[null,"a"]}"#).contains("null"));
}

proptest! {
    #[test]
    fn the_scanner_agrees_with_serde_json(
        payload in proptest::option::of("\\PC*|[\\x00-\\x7f]*|\\{\"a\":\"[a-z\\\\\"]*\"\\}"),
        key in proptest::option::of("[\\x00-\\x7f]*"),
        headers in proptest::collection::vec(("[a-z._]*", proptest::option::of("[ -~]*")), 0..4),
        offset in any::<i64>(),
        partition in any::<i32>(),
    ) {
        let headers: Vec<_> = headers.into_iter().flat_map(|(name, value)| [Some(name), value]).collect();
        let line = serde_json::json!({
            "topic": "t", "partition": partition, "offset": offset, "ts": 5, "headers": headers, "key": key, "payload": payload,
        });
        let (scanned, parsed) = both_ways(line.to_string().as_bytes());
        prop_assert!(parsed.is_ok());
        prop_assert_eq!(scanned, parsed);
    }

    #[test]
    fn a_damaged_line_means_the_same_or_nothing_both_ways(at in 0..USUAL.len(), byte in any::<u8>()) {
        let mut line = USUAL.as_bytes().to_vec();
        line[at] = byte;
        let (scanned, parsed) = both_ways(&line);
        prop_assert_eq!(scanned, parsed);
    }
}
