//! No bytes may panic the decoder, and none may be decoded in two ways.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{DecimalForm, Formats, Origin, Record, Topic};

/// One for each form of amounts. Without a registry: a fuzzer should not wait for sockets, and tests/decoder_never_panics.rs
/// feeds the Avro path.
static DECODERS: LazyLock<[Decoder; 4]> = LazyLock::new(|| {
    let precise = |scale| DecimalForm::Precise { scale };
    [DecimalForm::String, DecimalForm::Number, precise(Some(2)), precise(None)]
        .map(|decimals| Decoder::new(&Formats { decimals, ..Formats::default() }))
});

static TOPICS: LazyLock<[Topic; 2]> =
    LazyLock::new(|| ["s.d.dbo.Transaction", "s.d.dbo.Agreement"].map(Topic::intern));

// The first byte chooses topic and configuration, the rest is the value.
fuzz_target!(|data: &[u8]| {
    let Some((choice, value)) = data.split_first() else { return };
    let topic = TOPICS[usize::from(choice & 1)];
    let decoder = &DECODERS[usize::from(choice >> 1 & 3)];
    let origin = Origin { topic, partition: 0, offset: 0 };
    let record = Record { origin, timestamp_ms: None, key: None, value: Some(value), headers: &[] };
    assert_eq!(decoder.decode(&record), decoder.decode(&record));
});
