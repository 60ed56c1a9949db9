//! Bad messages of every kind among good ones: which are which, and why.

#[path = "support/corpus.rs"]
#[expect(dead_code, reason = "shared with the corpus test, which reads other lines")]
mod support;

use std::fmt::Write;
use std::path::Path;

use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::event::{Decoded, Formats};

#[test]
fn fifty_are_bad_each_for_its_reason_and_the_good_ones_are_good() {
    let case = support::shared("cases/bad-messages")
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases/bad-messages"));
    let decoder = Decoder::new(&Formats::default());
    let (mut changes, mut bad) = (Vec::new(), 0);
    let mut reasons = String::new();
    for (record, line) in support::capture(&case.join("events.jsonl")).iter().zip(0..) {
        match record.with(|record| decoder.decode(record)) {
            Decoded::Change(_) => changes.push(line),
            Decoded::Ignored(label) => writeln!(reasons, "{line}: ignored: {label}").unwrap(),
            Decoded::Bad(message) => {
                bad += 1;
                writeln!(reasons, "{line}: {}: {message}", message.reason).unwrap();
                if let Some(hint) = message.hint {
                    writeln!(reasons, "    hint: {hint}").unwrap();
                }
            }
            Decoded::Unavailable(error) => panic!("{error}"),
        }
    }
    assert_eq!(changes, [0, 9, 10, 28, 29, 50, 51, 58, 62, 63]);
    assert_eq!(bad, 50);
    insta::assert_snapshot!(reasons);
}
