//! No bytes may panic the decoder, and none may be decoded in two ways: not the second time, when schemas and topics are known,
//! and not behind a blank, which takes a message off every short cut.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{DecimalForm, Decoded, Formats, Origin, Record, Topic};

/// Made anew for each input: it learns from what it reads, and a finding must not hang on the inputs before. Without a registry:
/// a fuzzer should not wait for sockets, and tests/decoder_never_panics.rs feeds the Avro path.
fn decoder(choice: u8) -> Decoder {
    let precise = |scale| DecimalForm::Precise { scale };
    let decimals = [DecimalForm::String, DecimalForm::Number, precise(Some(2)), precise(None)][usize::from(choice & 3)];
    Decoder::new(&Formats { decimals, ..Formats::default() })
}

static TOPICS: LazyLock<[Topic; 2]> = LazyLock::new(|| ["s.d.dbo.Transaction", "s.d.dbo.Agreement"].map(Topic::intern));

// The first byte chooses topic and configuration, the rest is the value.
fuzz_target!(|data: &[u8]| {
    let Some((choice, value)) = data.split_first() else { return };
    let topic = TOPICS[usize::from(choice & 1)];
    let decoder = decoder(choice >> 1);
    let origin = Origin { topic, partition: 0, offset: 0 };
    let record = Record { origin, timestamp_ms: None, key: None, value: Some(value), headers: &[] };
    let decoded = decoder.decode(&record);
    assert_eq!(decoded, decoder.decode(&record));
    if value.starts_with(b"{") {
        let value = [b" ", value].concat();
        let careful = decoder.decode(&Record { value: Some(&value), ..record });
        match (&decoded, &careful) {
            // its detail tells the column, which is another
            (Decoded::Bad(one), Decoded::Bad(other)) if one.reason == "not_json" => assert_eq!(one.reason, other.reason),
            _ => assert_eq!(decoded, careful),
        }
    }
});
