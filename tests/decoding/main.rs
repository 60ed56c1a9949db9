//! What a message means, rule by rule, on small messages made for the purpose.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod schemas;

use serde_json::{Value, json};
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::{ChangeKind, LendingChange};
use tidewaiter::event::{BadMessage, ChangeEvent, DecimalForm, Decoded, Formats, Header, KeyCase, Origin, Record, Topic};

const TRANSACTION: &str = "sentinel.SentinelMock.dbo.Transaction";
const AGREEMENT: &str = "sentinel.SentinelMock.dbo.Agreement";

fn decode_bytes(formats: &Formats, topic: &str, value: Option<&[u8]>) -> Decoded<LendingChange> {
    let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
    Decoder::new(formats).decode(&Record { origin, timestamp_ms: None, key: Some(b"key"), value, headers: &[] })
}

fn decode_text(topic: &str, text: &str) -> Decoded<LendingChange> {
    decode_bytes(&Formats::default(), topic, Some(text.as_bytes()))
}

fn decode(topic: &str, message: &Value) -> Decoded<LendingChange> {
    decode_text(topic, &message.to_string())
}

fn change(decoded: Decoded<LendingChange>) -> ChangeEvent<LendingChange> {
    match decoded {
        Decoded::Change(change) => change,
        other => panic!("{other:?}"),
    }
}

fn bad(decoded: Decoded<LendingChange>) -> BadMessage {
    match decoded {
        Decoded::Bad(bad) => bad,
        other => panic!("{other:?}"),
    }
}

/// Sets what a JSON pointer points to; `None` removes it.
fn with(mut message: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    message
}

fn source() -> Value {
    json!({
        "ts_ms": 1_768_206_667_353_i64, "commit_lsn": "0000002d:00000a50:0007", "change_lsn": "0000002d:00000a50:0003",
        "event_serial_no": 1, "snapshot": "false"
    })
}

fn transaction(op: &str) -> Value {
    let row = json!({
        "TransCounter": 1, "TransAgreementNumber": "FRH1", "TransDate": 20465, "TransTypeID": 12, "TransNetPayment": "1.00",
        "TransReference": null
    });
    let (before, after) = if op == "d" { (row, Value::Null) } else { (Value::Null, row) };
    json!({ "before": before, "after": after, "source": source(), "op": op, "transaction": null, "ts_ms": 1 })
}

fn agreement(op: &str) -> Value {
    let row = |balance: &str| {
        json!({
            "AgreementNumber": "FRH1", "AgreementCustomerNumber": "C1", "AgreementCurrentBalanceNET": balance,
            "AgreementSettledFlag": false, "AgreementPrincipal": "9.00", "AgreementAgreementDate": 0, "AgreementPurpose": "car",
            "AgreementNumPayments": 12, "AgreementAutoStatus": "LIVE"
        })
    };
    let before = if op == "u" || op == "d" { row("2.00") } else { Value::Null };
    let after = if op == "d" { Value::Null } else { row("1.00") };
    json!({ "before": before, "after": after, "source": source(), "op": op, "ts_ms": 1 })
}

#[test]
fn every_needed_column_is_named_where_it_is_missing_or_null() {
    let agreement_columns = ["AgreementNumber", "AgreementCurrentBalanceNET", "AgreementSettledFlag"];
    let transaction_columns = ["TransCounter", "TransAgreementNumber", "TransDate", "TransTypeID", "TransNetPayment"];
    let cases = [
        (TRANSACTION, transaction("c"), "after", &transaction_columns[..]),
        (TRANSACTION, transaction("u"), "after", &transaction_columns[..1]),
        (TRANSACTION, transaction("d"), "before", &transaction_columns[..1]),
        (AGREEMENT, agreement("c"), "after", &agreement_columns[..]),
        (AGREEMENT, agreement("u"), "before", &agreement_columns[..]),
        (AGREEMENT, agreement("u"), "after", &agreement_columns[..]),
        (AGREEMENT, agreement("d"), "before", &agreement_columns[..]),
        (AGREEMENT, agreement("r"), "after", &agreement_columns[..]),
    ];
    for (topic, message, image, columns) in cases {
        assert!(!matches!(decode(topic, &message), Decoded::Bad(_)), "{message}");
        for column in columns {
            for value in [None, Some(Value::Null)] {
                let bad = bad(decode(topic, &with(message.clone(), &format!("/{image}/{column}"), value)));
                assert_eq!((bad.reason, bad.detail), ("missing", format!("{image}.{column} is missing or null")));
            }
        }
        for value in [None, Some(Value::Null)] {
            let without = decode(topic, &with(message.clone(), &format!("/{image}"), value));
            // a snapshot's row is looked at where it is there, and asked for nothing
            if message["op"] == "r" {
                assert_eq!(without, Decoded::Ignored("snapshot"));
                continue;
            }
            let bad = bad(without);
            assert_eq!((bad.reason, bad.detail), ("missing", format!("{image} is missing or null")));
        }
    }
}

#[test]
fn a_transaction_update_or_delete_needs_nothing_but_its_counter() {
    let only = json!({ "TransCounter": 7 });
    let update = with(transaction("u"), "/after", Some(only.clone()));
    assert_eq!(change(decode(TRANSACTION, &update)).body.kind, ChangeKind::TransactionUpdate { counter: 7 });
    let delete = with(transaction("d"), "/before", Some(only));
    assert_eq!(change(decode(TRANSACTION, &delete)).body.kind, ChangeKind::TransactionDelete { counter: 7 });
}

#[test]
fn every_change_needs_commit_and_time_and_a_snapshot_does_not() {
    for (topic, message) in [
        (TRANSACTION, transaction("c")),
        (TRANSACTION, transaction("u")),
        (TRANSACTION, transaction("d")),
        (AGREEMENT, agreement("c")),
        (AGREEMENT, agreement("u")),
        (AGREEMENT, agreement("d")),
    ] {
        for field in ["commit_lsn", "ts_ms"] {
            for value in [None, Some(Value::Null)] {
                let bad = bad(decode(topic, &with(message.clone(), &format!("/source/{field}"), value)));
                assert_eq!(bad.detail, format!("source.{field} is missing or null"));
            }
        }
        for value in [None, Some(Value::Null)] {
            assert_eq!(bad(decode(topic, &with(message.clone(), "/source", value))).detail, "source is missing or null");
        }
    }
    for (topic, message) in [(TRANSACTION, transaction("r")), (AGREEMENT, agreement("r"))] {
        assert_eq!(decode(topic, &with(message, "/source", None)), Decoded::Ignored("snapshot"));
    }
}

#[test]
fn lsns_serials_and_times_that_are_there_are_well_formed() {
    let message = agreement("u");
    let text = json!("0000002d:00000a50:0007");
    for (field, malformed) in [
        ("commit_lsn", vec![json!("not:an:lsn"), json!(""), json!(5), json!(true), json!("0000002d:00000a50")]),
        ("change_lsn", vec![json!("0000002d"), json!(5), json!([]), json!({})]),
        ("event_serial_no", vec![json!("1"), json!(1.0), json!(true), text, json!(9_223_372_036_854_775_808_u64)]),
        ("ts_ms", vec![json!("1768206667353"), json!(1.5), json!(true), json!(i64::MAX), json!(253_402_300_800_000_i64)]),
    ] {
        for value in malformed {
            let bad = bad(decode(AGREEMENT, &with(message.clone(), &format!("/source/{field}"), Some(value))));
            assert_eq!(bad.reason, "malformed");
            assert!(bad.detail.starts_with(&format!("source.{field} is malformed")), "{}", bad.detail);
        }
    }
    let latest = with(message.clone(), "/source/ts_ms", Some(json!(253_402_300_799_999_i64)));
    assert_eq!(change(decode(AGREEMENT, &latest)).event_time.to_string(), "9999-12-31T23:59:59.999Z");
    for field in ["change_lsn", "event_serial_no"] {
        for value in [None, Some(Value::Null)] {
            change(decode(AGREEMENT, &with(message.clone(), &format!("/source/{field}"), value)));
        }
    }
    // A malformed position is bad even where none is needed.
    let snapshot = with(agreement("r"), "/source/commit_lsn", Some(json!("x")));
    assert_eq!(bad(decode(AGREEMENT, &snapshot)).reason, "malformed");
}

#[test]
fn operations_are_known_ignored_or_bad() {
    for (op, label) in [("r", "snapshot"), ("t", "truncate"), ("m", "message")] {
        assert_eq!(decode(TRANSACTION, &with(transaction("c"), "/op", Some(json!(op)))), Decoded::Ignored(label));
        assert_eq!(decode(AGREEMENT, &with(agreement("c"), "/op", Some(json!(op)))), Decoded::Ignored(label));
    }
    for op in [json!("x"), json!(""), json!("C"), json!("cc"), json!(1), json!(true), json!({}), json!(["c"]), Value::Null] {
        assert_eq!(bad(decode(TRANSACTION, &with(transaction("c"), "/op", Some(op)))).reason, "unknown_op");
    }
    let bad = bad(decode(TRANSACTION, &with(transaction("c"), "/op", None)));
    assert_eq!(bad.reason, "flattened");
    assert!(bad.hint.unwrap().starts_with("remove the transform ExtractNewRecordState"));
    let escaped = transaction("c").to_string().replace(r#""op":"c""#, r#""op":"\u0063""#);
    change(decode_text(TRANSACTION, &escaped));
    // A Transaction of a snapshot is not read at all; truncation and messages have no images.
    assert_eq!(decode_text(TRANSACTION, r#"{"op":"r"}"#), Decoded::Ignored("snapshot"));
    assert_eq!(decode_text(AGREEMENT, r#"{"op":"t"}"#), Decoded::Ignored("truncate"));
}

#[test]
fn malformed_columns_are_bad_in_whichever_image_they_stand() {
    for image in ["before", "after"] {
        for (column, value) in [
            ("AgreementCurrentBalanceNET", json!(1)),
            ("AgreementPrincipal", json!("1,00")),
            ("AgreementSettledFlag", json!("maybe")),
            ("AgreementSettledFlag", json!(2)),
            ("AgreementAgreementDate", json!("tomorrow")),
            ("AgreementSettledDate", json!(2_932_897)),
            ("AgreementContractEndDate", json!(true)),
            ("AgreementFirstPaymentDate", json!(1.5)),
            ("AgreementNumPayments", json!("12")),
            ("AgreementDueDay", json!(1.0)),
            ("AgreementPaymentMethod", json!(true)),
            ("AgreementAgreementTypeID", json!([])),
            ("AgreementCustomerNumber", json!(5)),
            ("AgreementBorrowers", json!({})),
            ("AgreementAutoStatus", json!(false)),
            ("AgreementPurpose", json!(0)),
            ("AgreementNumber", json!(7)),
        ] {
            let bad = bad(decode(AGREEMENT, &with(agreement("u"), &format!("/{image}/{column}"), Some(value))));
            assert_eq!(bad.reason, "malformed", "{column}");
            assert!(bad.detail.starts_with(&format!("{image}.{column} is malformed: expected ")), "{}", bad.detail);
        }
    }
}

#[test]
fn other_columns_are_not_read_whatever_they_hold() {
    let mut message = transaction("c");
    for (column, value) in [
        ("TransNetPrincipal", json!("not an amount")),
        ("TransCreateDate", json!({ "nested": [1, { "deep": [] }] })),
        ("TransBankID", json!("text")),
        ("Added", json!(1e300)),
    ] {
        message = with(message, &format!("/after/{column}"), Some(value));
    }
    assert_eq!(change(decode(TRANSACTION, &message)), change(decode(TRANSACTION, &transaction("c"))));
}

#[test]
fn absent_optional_columns_are_none_and_so_are_unavailable_values() {
    let mut message = agreement("c");
    message = with(message, "/after/AgreementPurpose", Some(json!("__debezium_unavailable_value")));
    message = with(message, "/after/AgreementAutoStatus", None);
    message = with(message, "/after/AgreementNumPayments", Some(Value::Null));
    let ChangeKind::AgreementInsert(insert) = change(decode(AGREEMENT, &message)).body.kind else { panic!("no insert") };
    assert_eq!((insert.after.purpose, insert.after.status, insert.after.num_payments), (None, None, None));
    let number = with(agreement("c"), "/after/AgreementNumber", Some(json!("__debezium_unavailable_value")));
    assert_eq!(bad(decode(AGREEMENT, &number)).reason, "missing");
}

#[test]
fn agreement_numbers_lose_trailing_blanks_and_case() {
    let number = |text: &str, key_case| {
        let message = with(transaction("c"), "/after/TransAgreementNumber", Some(json!(text))).to_string();
        match decode_bytes(&Formats { key_case, ..Formats::default() }, TRANSACTION, Some(message.as_bytes())) {
            Decoded::Change(change) => match change.body.kind {
                ChangeKind::TransactionInsert(insert) => Some(insert.agreement.to_string()),
                other => panic!("{other:?}"),
            },
            Decoded::Bad(bad) => {
                assert_eq!(bad.detail, "after.TransAgreementNumber is missing or null");
                None
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(number("frh0000291  ", KeyCase::Insensitive).as_deref(), Some("FRH0000291"));
    assert_eq!(number("frh0000291  ", KeyCase::Sensitive).as_deref(), Some("frh0000291"));
    assert_eq!(number(" é x", KeyCase::Insensitive).as_deref(), Some(" é X"));
    assert_eq!(number("a\t", KeyCase::Insensitive).as_deref(), Some("A\t"));
    assert_eq!(number("", KeyCase::Insensitive), None);
    assert_eq!(number("   ", KeyCase::Sensitive), None);
    // Longer than is kept inline.
    assert_eq!(number(&"a".repeat(100), KeyCase::Insensitive), Some("A".repeat(100)));
}

#[test]
fn topics_are_told_by_their_last_part_and_the_database() {
    let decode = |topic: &str, database: Option<&str>| {
        let formats = Formats { database: database.map(str::to_owned), ..Formats::default() };
        decode_bytes(&formats, topic, None)
    };
    for (topic, database, label) in [
        (TRANSACTION, None, "tombstone"),
        (TRANSACTION, Some("SentinelMock"), "tombstone"),
        (TRANSACTION, Some("sentinelmock"), "other_database"),
        (AGREEMENT, Some("Other"), "other_database"),
        ("a.dotted.prefix.SentinelMock.dbo.Agreement", Some("SentinelMock"), "tombstone"),
        ("sentinel.dbo.Agreement", Some("SentinelMock"), "tombstone"),
        ("Agreement", None, "tombstone"),
        ("sentinel.transaction", None, "other_topic"),
        ("sentinel.SentinelMock.dbo.TransactionType", None, "other_topic"),
        ("sentinel.SentinelMock.dbo.agreement", None, "other_topic"),
        ("sentinel.SentinelMock.dbo.Agreement.", None, "other_topic"),
        ("SentinelMock.dbo.xAgreement", None, "other_topic"),
        ("__debezium-heartbeat.sentinel", Some("SentinelMock"), "other_topic"),
    ] {
        assert_eq!(decode(topic, database), Decoded::Ignored(label), "{topic} {database:?}");
    }
}

#[test]
fn nulls_of_every_kind_are_ignored_and_other_non_envelopes_are_bad() {
    assert_eq!(decode_bytes(&Formats::default(), AGREEMENT, None), Decoded::Ignored("tombstone"));
    for text in ["null", " null\n", r#"{"schema":{"type":"struct"},"payload":null}"#, r#"{"payload":null,"schema":null}"#] {
        assert_eq!(decode_text(AGREEMENT, text), Decoded::Ignored("null_payload"), "{text}");
    }
    for (text, reason) in [
        ("", "empty"),
        (" \t\r\n", "empty"),
        ("nul", "not_json"),
        ("nullx", "not_an_envelope"),
        ("<Agreement/>", "not_json"),
        ("\u{feff}{}", "not_json"),
        ("{", "not_json"),
        ("{} {}", "not_json"),
        (r#"{"op":"r"},"#, "not_json"),
        (r#"{"op":"r",}"#, "not_json"),
        (r#"{"op":"r","x":NaN}"#, "not_json"),
        (r#"{"op":"r","x":01}"#, "not_json"),
        ("{\"op\":\"r\",\"x\":\"\n\"}", "not_json"),
        ("[]", "not_an_envelope"),
        ("1234", "not_an_envelope"),
        (r#""text""#, "not_an_envelope"),
        ("true", "not_an_envelope"),
        ("{}", "flattened"),
        (r#"{"payload":null}"#, "flattened"),
        (r#"{"schema":null}"#, "flattened"),
        (r#"{"schema":null,"payload":1}"#, "not_an_envelope"),
        (r#"{"schema":null,"payload":{"schema":null,"payload":{"op":"r"}}}"#, "flattened"),
        (r#"{"schema":5,"payload":{"op":"r"}}"#, "schema"),
    ] {
        assert_eq!(bad(decode_text(TRANSACTION, text)).reason, reason, "{text}");
    }
    assert_eq!(bad(decode_bytes(&Formats::default(), TRANSACTION, Some(b"{\"op\":\"r\",\"x\":\"\xff\"}"))).reason, "not_json");
}

#[test]
fn an_array_of_the_values_in_order_is_not_a_row() {
    for (pointer, value) in [
        ("/after", json!([1, "FRH1", 20465, 12, "1.00"])),
        ("/after", json!("row")),
        ("/after", json!(1)),
        ("/after", json!(-1)),
        ("/after", json!(1.5)),
        ("/after", json!(true)),
        ("/before", json!([])),
        ("/source", json!([1_768_206_667_353_i64, "0000002d:00000a50:0007"])),
    ] {
        let bad = bad(decode(TRANSACTION, &with(transaction("c"), pointer, Some(value))));
        assert_eq!((bad.reason, bad.detail), ("malformed", format!("{} is not an object", &pointer[1..])));
    }
}

#[test]
fn a_member_that_is_read_and_stands_twice_is_bad_and_others_may() {
    let text = transaction("c").to_string();
    for (one, name) in [
        (r#""op":"c""#, "op"),
        (r#""TransCounter":1"#, "after.TransCounter"),
        (r#""event_serial_no":1"#, "source.event_serial_no"),
        (r#""before":null"#, "before"),
    ] {
        let twice = text.replacen(one, &format!("{one},{one}"), 1);
        assert_ne!(twice, text);
        assert_eq!(bad(decode_text(TRANSACTION, &twice)).detail, format!("{name} stands there twice"));
    }
    change(decode_text(TRANSACTION, &text.replacen(r#""TransReference":null"#, r#""X":1,"X":2"#, 1)));
    let envelope = r#"{"op":"r"}"#;
    for twice in [r#"{"schema":null,"payload":#,"payload":#}"#, r#"{"schema":null,"schema":null,"payload":#}"#] {
        let bad = bad(decode_text(TRANSACTION, &twice.replace('#', envelope)));
        assert!(bad.detail.ends_with("stands there twice"), "{}", bad.detail);
    }
}

#[test]
fn nesting_of_any_depth_neither_overflows_the_stack_nor_spoils_an_ignored_column() {
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let nested = format!("{open}{close}");
    for text in [&open, &nested, &"{\"a\":".repeat(200_000)] {
        assert!(matches!(bad(decode_text(TRANSACTION, text)).reason, "not_json" | "not_an_envelope"));
    }
    let message = transaction("c").to_string();
    change(decode_text(TRANSACTION, &message.replacen(r#""TransReference":null"#, &format!(r#""Extra":{nested}"#), 1)));
    change(decode_text(TRANSACTION, &message.replacen(r#""transaction":null"#, &format!(r#""transaction":{nested}"#), 1)));
    let column = message.replacen(r#""TransTypeID":12"#, &format!(r#""TransTypeID":{nested}"#), 1);
    assert_eq!(bad(decode_text(TRANSACTION, &column)).reason, "malformed");
    for (one, reason) in [(r#""op":"c""#, "unknown_op"), (r#""before":null"#, "malformed")] {
        let name = one.split(':').next().unwrap();
        let text = message.replacen(one, &format!("{name}:{nested}"), 1);
        assert_eq!(bad(decode_text(TRANSACTION, &text)).reason, reason);
    }
    let text = format!(r#"{{"schema":{nested},"payload":{message}}}"#);
    assert_eq!(bad(decode_text(TRANSACTION, &text)).reason, "schema");
}

#[test]
fn a_schema_of_null_leaves_it_to_the_configuration() {
    let text = format!(r#"{{"schema":null,"payload":{}}}"#, transaction("c"));
    assert_eq!(change(decode_text(TRANSACTION, &text)), change(decode(TRANSACTION, &transaction("c"))));
}

#[test]
fn precise_without_schema_and_scale_is_bad_and_says_so() {
    let formats = Formats { decimals: DecimalForm::Precise { scale: None }, ..Formats::default() };
    let bad = bad(decode_bytes(&formats, TRANSACTION, Some(transaction("c").to_string().as_bytes())));
    assert_eq!(bad.hint, Some("precise decimals without a schema need a configured scale"));
}

#[test]
fn the_header_of_a_key_change_marks_an_insert_whatever_its_value() {
    let decode = |topic: &str, message: &Value, headers: &[Header<'_>]| {
        let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
        let text = message.to_string();
        let record = Record { origin, timestamp_ms: None, key: None, value: Some(text.as_bytes()), headers };
        match change(Decoder::new(&Formats::default()).decode(&record)).body.kind {
            ChangeKind::TransactionInsert(insert) => insert.key_changed,
            ChangeKind::AgreementInsert(insert) => insert.key_changed,
            other => panic!("{other:?}"),
        }
    };
    for (topic, message) in [(TRANSACTION, transaction("c")), (AGREEMENT, agreement("c"))] {
        for value in [None, Some(&b""[..]), Some(b"{}")] {
            assert!(decode(topic, &message, &[Header { name: "__debezium.oldkey", value }]));
        }
        assert!(!decode(topic, &message, &[Header { name: "__debezium.newkey", value: None }]));
        assert!(!decode(topic, &message, &[]));
    }
}

#[test]
fn images_are_part_of_the_identity_only_where_both_positions_are_absent() {
    let identity = |balance: &str, positions: &[&str], envelope_time: i64| {
        let mut message = with(agreement("u"), "/after/AgreementCurrentBalanceNET", Some(json!(balance)));
        for field in ["change_lsn", "event_serial_no"] {
            if !positions.contains(&field) {
                message = with(message, &format!("/source/{field}"), None);
            }
        }
        change(decode(AGREEMENT, &with(message, "/ts_ms", Some(json!(envelope_time))))).identity
    };
    for positions in [&["change_lsn"][..], &["event_serial_no"], &["change_lsn", "event_serial_no"]] {
        assert_eq!(identity("1.00", positions, 1), identity("3.00", positions, 1));
    }
    assert_ne!(identity("1.00", &[], 1), identity("3.00", &[], 1));
    // The connector's clock differs between two deliveries.
    assert_eq!(identity("1.00", &[], 1), identity("1.00", &[], 2));
}

#[test]
fn no_detail_quotes_a_value_of_a_row() {
    let secret = "MR-A-EXAMPLE";
    let message = agreement("u");
    let mut details = Vec::new();
    for pointer in [
        "/after",
        "/before",
        "/source",
        "/op",
        "/after/AgreementNumber",
        "/after/AgreementCurrentBalanceNET",
        "/before/AgreementSettledFlag",
        "/after/AgreementAgreementDate",
        "/source/commit_lsn",
        "/source/ts_ms",
    ] {
        for value in [json!(secret), json!([secret]), json!({ secret: secret })] {
            if let Decoded::Bad(bad) = decode(AGREEMENT, &with(message.clone(), pointer, Some(value))) {
                details.push(format!("{bad:?}"));
            }
        }
    }
    details.push(format!("{:?}", decode_text(AGREEMENT, &format!("\"{secret}\""))));
    details.push(format!("{:?}", decode_text(AGREEMENT, &format!("{{\"{secret}\":{secret}"))));
    assert!(details.len() > 25);
    assert!(details.iter().all(|detail| !detail.contains(secret)));
}

#[test]
fn a_value_within_a_capture_s_string_is_never_vouched_for_unread() {
    let decoder = Decoder::new(&Formats::default());
    // a line that was torn, with a whole record behind it: what looks like one value is not one string
    let torn = r#"{\"abc{"topic":"s.db.dbo.Transaction","payload":"{}"#;
    for topic in [TRANSACTION, AGREEMENT, "sentinel.SentinelMock.dbo.Other", "other.OtherDatabase.dbo.Transaction"] {
        let origin = Origin { topic: Topic::intern(topic), partition: 0, offset: 0 };
        let record = Record { origin, timestamp_ms: None, key: Some(b"key"), value: None, headers: &[] };
        assert_eq!(decoder.decode_quoted(&record, torn), None, "{topic}");
    }
}
