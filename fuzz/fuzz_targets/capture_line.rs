//! No bytes may panic the reader of capture files, and none may be read in two ways: behind a blank a line is off every short cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewaiter::event::{Origin, Record};
use tidewaiter::io::capture::Scratch;

fuzz_target!(|line: &[u8]| {
    // a topic's name is kept for good, so a fuzzer must not make up many
    if line.windows(8).filter(|window| window == b"\"topic\":").count() > 1
        || !line.starts_with(b"{\"topic\":\"s.d.dbo.Agreement\"")
    {
        return;
    }
    // one scratch for both: what a line leaves behind must not show in the next
    let mut scratch = Scratch::default();
    let mut read = |line: &[u8]| scratch.read(line, owned).ok();
    let usual = read(line);
    assert_eq!(usual, read(&[b" ", line].concat()));
    assert_eq!(usual, read(line));
});

type Owned = (Origin, Option<i64>, [Option<Vec<u8>>; 2], Vec<(String, Option<Vec<u8>>)>);

fn owned(record: &Record<'_>) -> Owned {
    let headers = record.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)));
    (record.origin, record.timestamp_ms, [record.key, record.value].map(|bytes| bytes.map(<[u8]>::to_vec)), headers.collect())
}
