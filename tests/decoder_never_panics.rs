//! No bytes can panic the decoder. `PROPTEST_CASES=100000` looks longer; `fuzz/` looks further.

#[path = "support/corpus.rs"]
#[expect(dead_code, reason = "shared with the corpus test, which reads more")]
mod corpus;
#[path = "support/registry.rs"]
#[expect(dead_code, reason = "shared with the registry test, which asks more of it")]
mod registry;

use std::sync::LazyLock;

use corpus::OwnedRecord;
use proptest::prelude::*;
use proptest::sample::Index;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::{ChangeKind, LendingChange};
use tidewaiter::event::{BadMessage, DecimalForm, Decoded, Formats, Header, Origin, Record, Topic};

/// One for each way in which amounts can be configured, with a registry: every path is open.
static DECODERS: LazyLock<Vec<Decoder>> = LazyLock::new(|| {
    let server = registry::Server::start(registry::answers(&corpus::corpus().join("i_avro_confluent_precise.schemas.json")));
    let registry = registry::client(&[server.url()]);
    let forms = [DecimalForm::String, DecimalForm::Number, DecimalForm::Precise { scale: Some(2) }];
    forms.map(|decimals| Decoder::new(&Formats { decimals, registry: Some(registry.clone()), ..Formats::default() })).into()
});

/// Genuine records of all kinds to start from.
static RECORDS: LazyLock<Vec<OwnedRecord>> = LazyLock::new(|| {
    let variants = ["a", "b", "c", "d", "e", "f2", "f3", "g", "h1", "h3", "i", "l"];
    let records = variants.iter().flat_map(|variant| corpus::lines(variant)).map(|(_, record)| record);
    records.filter(|record| record.value.is_some()).collect()
});

/// What must hold of anything that is decoded.
fn check(decoded: &Decoded<LendingChange>) {
    match decoded {
        Decoded::Bad(BadMessage { reason, detail, .. }) => {
            assert!(!detail.is_empty());
            let known =
                ["empty", "not_json", "not_an_envelope", "flattened", "unknown_op", "missing", "malformed", "schema", "avro"];
            assert!(known.contains(reason), "{reason}");
        }
        Decoded::Change(change) => {
            let number = match &change.body.kind {
                ChangeKind::TransactionInsert(insert) => &insert.agreement,
                ChangeKind::AgreementInsert(insert) => &insert.after.number,
                ChangeKind::AgreementUpdate(update) => &update.after.number,
                ChangeKind::AgreementEdit { number } => number,
                ChangeKind::AgreementDelete(delete) => &delete.number,
                _ => return,
            };
            assert!(!number.is_empty() && !number.ends_with(' '));
            assert_eq!(number.to_ascii_uppercase(), number.as_str());
        }
        Decoded::Ignored(_) => {}
        Decoded::Unavailable(error) => panic!("the registry answers: {error}"),
    }
}

fn decode_all(topic: Topic, value: &[u8], headers: &[Header<'_>]) {
    let origin = Origin { topic, partition: 0, offset: 0 };
    for decoder in DECODERS.iter() {
        let record = Record { origin, timestamp_ms: None, key: None, value: Some(value), headers };
        let decoded = decoder.decode(&record);
        check(&decoded);
        assert_eq!(decoder.decode(&record), decoded, "decoding has no memory");
    }
}

fn topic() -> impl Strategy<Value = Topic> {
    prop_oneof![Just("s.d.dbo.Transaction"), Just("s.d.dbo.Agreement")].prop_map(Topic::intern)
}

/// JSON of the right shape with wrong things in it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|bit| bit.to_string()),
        any::<i64>().prop_map(|integer| integer.to_string()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,22})?",
        "\"[A-Za-z0-9+/=.:T-]{0,40}\"",
        "\"(\\\\u[0-9a-fD]{4}|[ -~])*\"",
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let name = prop_oneof![
            proptest::sample::select(vec![
                "before",
                "after",
                "source",
                "op",
                "schema",
                "payload",
                "ts_ms",
                "commit_lsn",
                "change_lsn",
                "event_serial_no",
                "TransCounter",
                "TransAgreementNumber",
                "TransDate",
                "TransTypeID",
                "TransNetPayment",
                "AgreementNumber",
                "AgreementCurrentBalanceNET",
                "AgreementSettledFlag",
                "type",
                "fields",
                "field",
                "name",
                "parameters",
                "scale",
            ])
            .prop_map(str::to_owned),
            "[a-z]{0,8}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((name, inner), 0..8).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn on_any_bytes(topic in topic(), value in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode_all(topic, &value, &[]);
    }

    #[test]
    fn on_any_bytes_framed_as_avro_of_a_known_schema(topic in topic(), table in 0..2_u8, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let framed = [&[0, 0, 0, 0, if table == 0 { 4 } else { 6 }], &bytes[..]].concat();
        decode_all(topic, &framed, &[]);
    }

    #[test]
    fn on_any_json(topic in topic(), value in json()) {
        decode_all(topic, value.as_bytes(), &[]);
    }

    #[test]
    fn on_genuine_records_with_bytes_changed_cut_and_repeated(
        record in any::<Index>(),
        edits in proptest::collection::vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..6),
    ) {
        let record = record.get(&RECORDS);
        let mut value = record.value.clone().unwrap();
        for (at, edit, byte) in edits {
            if value.is_empty() {
                break;
            }
            let at = at.index(value.len());
            match edit {
                0 => value[at] = byte,
                1 => value.truncate(at),
                2 => value.insert(at, byte),
                _ => { value.remove(at); }
            }
        }
        let name = "__debezium.oldkey";
        decode_all(record.origin.topic, &value, &[Header { name, value: None }]);
    }

    #[test]
    fn on_genuine_records_with_one_value_replaced(record in any::<Index>(), at in any::<Index>(), with in json()) {
        let record = record.get(&RECORDS);
        // Avro has no colons to replace at; the other tests see to it.
        if let Ok(text) = std::str::from_utf8(record.value.as_deref().unwrap()) {
            let colons: Vec<_> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
            if !colons.is_empty() {
                let start = *at.get(&colons);
                let end = start + text[start..].find([',', '}']).unwrap_or(0);
                let changed = [&text[..start], &with, &text[end..]].concat();
                decode_all(record.origin.topic, changed.as_bytes(), &[]);
            }
        }
    }
}
