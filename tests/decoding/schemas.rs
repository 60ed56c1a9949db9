//! Values under a schema that the message carries itself.

use super::*;

fn schema(decimal: &Value) -> Value {
    json!({ "type": "struct", "fields": [{ "type": "struct", "field": "after", "fields": [
        { "type": "int32", "field": "TransCounter" },
        { "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "field": "TransDate" },
        with(decimal.clone(), "/field", Some(json!("TransNetPayment"))),
    ]}]})
}

/// The amount and the date of a Transaction that carries a schema, whichever way round the two stand, the first time and
/// again.
fn under_schema(decimal: &Value, amount: Value, date: Value) -> Result<(String, String), String> {
    let mut message = with(transaction("c"), "/after/TransNetPayment", Some(amount));
    message = with(message, "/after/TransDate", Some(date));
    let schema = schema(decimal);
    let decoder = Decoder::new(&Formats { decimals: DecimalForm::Number, ..Formats::default() });
    let decode = |text: String| {
        let origin = Origin { topic: Topic::intern(TRANSACTION), partition: 0, offset: 0 };
        decoder.decode(&Record { origin, timestamp_ms: None, key: None, value: Some(text.as_bytes()), headers: &[] })
    };
    let forward = format!(r#"{{"schema":{schema},"payload":{message}}}"#);
    let outcomes = [
        decode(forward.clone()),
        decode(forward.clone()),
        decode(format!(r#"{{"payload":{message},"schema":{schema}}}"#)),
        decode(format!(r#" {{ "x":1, "schema" : {schema} , "payload":{message} }} "#)),
        decode(forward + "\n"),
    ];
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    match outcomes.into_iter().next().unwrap() {
        Decoded::Change(change) => match change.body.kind {
            ChangeKind::TransactionInsert(insert) => Ok((insert.amount.to_string(), insert.date.to_string())),
            other => panic!("{other:?}"),
        },
        Decoded::Bad(bad) => Err(bad.detail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_schema_states_form_scale_and_unit_in_whatever_order() {
    let (date, expected) = (|| json!(1_768_206_667_353_i64), "2026-01-12");
    let decimal = |scale: &str| json!({ "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": { "scale": scale } });
    let ok = |amount: &str| Ok((amount.to_owned(), expected.to_owned()));
    assert_eq!(under_schema(&decimal("2"), json!("AJ2R"), date()), ok("403.37"));
    assert_eq!(under_schema(&decimal("4"), json!("PYyk"), date()), ok("403.3700"));
    assert_eq!(under_schema(&decimal("2"), json!(403.37), date()), ok("403.37"));
    assert_eq!(under_schema(&json!({ "type": "string" }), json!("403.37"), date()), ok("403.37"));
    assert_eq!(under_schema(&json!({ "type": "double" }), json!(1.0e16), date()), ok("10000000000000000"));

    assert!(under_schema(&json!({ "type": "string" }), json!(403.37), date()).unwrap_err().contains("TransNetPayment"));
    assert!(under_schema(&json!({ "type": "double" }), json!("403.37"), date()).unwrap_err().contains("TransNetPayment"));
    assert!(under_schema(&decimal("two"), json!("AJ2R"), date()).unwrap_err().contains("scale"));
    assert!(under_schema(&json!({ "type": "bytes" }), json!("AJ2R"), date()).unwrap_err().contains("says it is not"));
    assert!(under_schema(&decimal("2"), json!("AJ2R"), json!("2026-01-12")).unwrap_err().contains("TransDate"));
}

#[test]
fn a_message_that_goes_on_after_a_known_schema_and_its_payload_is_bad() {
    let schema = schema(&json!({ "type": "string" }));
    let decoder = Decoder::new(&Formats::default());
    let decode = |text: String| {
        let origin = Origin { topic: Topic::intern(TRANSACTION), partition: 0, offset: 0 };
        decoder.decode(&Record { origin, timestamp_ms: None, key: None, value: Some(text.as_bytes()), headers: &[] })
    };
    let message = with(transaction("c"), "/after/TransDate", Some(json!(0)));
    change(decode(format!(r#"{{"schema":{schema},"payload":{message}}}"#)));
    assert_eq!(decode(format!(r#"{{"schema":{schema},"payload":null}}"#)), Decoded::Ignored("null_payload"));
    change(decode(format!(r#"{{"schema":{schema},"payload":{message},"more":{{}}}}"#)));
    for text in [
        format!(r#"{{"schema":{schema},"payload":{message}}}}}"#),
        format!(r#"{{"schema":{schema},"payload":{message}"#),
        format!(r#"{{"schema":{schema},"payload":}}"#),
        format!(r#"{{"schema":{schema},"payload":{message}}} x"#),
        format!(r#"{{"schema":{schema},"payload":{message},}}"#),
        format!(r#"{{"schema":{schema}"payload":{message}}}"#),
    ] {
        assert_eq!(bad(decode(text.clone())).reason, "not_json", "{text}");
    }
}
