//! How much memory the daemon takes, the real binary. `TIDEWAITER_RECORDS` says how many records, for runs by hand: the release
//! build and millions of them.

use std::env;
use std::time::{Duration, Instant};

use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Origin, Topic};

use crate::daemon::Openings;
use crate::stage::Stage;

/// Sent at a time.
const PORTION: i64 = 20_000;

fn records(default: i64) -> i64 {
    env::var("TIDEWAITER_RECORDS").map_or(default, |records| records.parse().unwrap())
}

/// An update of about 1.9 KB, as usual rows make them.
fn update(topic: &str, number: i64, commit: i64, balance: i64) -> OwnedRecord {
    let padding = "x".repeat(700);
    let image = |balance: i64| {
        format!(
            r#"{{"AgreementNumber":"FRH{number:07}","AgreementCurrentBalanceNET":"{balance}.00","AgreementSettledFlag":false,
            "Padding":"{padding}"}}"#
        )
    };
    let value = format!(
        r#"{{"before":{},"after":{},"source":{{"db":"SentinelMock","schema":"dbo","table":"Agreement","ts_ms":{},
        "commit_lsn":"0000002b:{commit:08x}:0002","change_lsn":"0000002b:{commit:08x}:0001","event_serial_no":{number}}},"op":"u"}}"#,
        image(1000),
        image(balance),
        1_768_208_400_000 + commit
    );
    let origin = Origin { topic: Topic::intern(topic), partition: i32::try_from(number % 2).unwrap(), offset: 0 };
    OwnedRecord { origin, timestamp_ms: None, key: None, value: Some(value.into_bytes()), headers: [].into() }
}

/// The most that the daemon had resident while it consumed so many records, in MiB, and how long that took.
fn consumes(openings: &Openings, count: i64, patience: Duration) -> (u64, Duration) {
    let daemon = openings.daemon();
    let start = Instant::now();
    loop {
        let committed: i64 = openings.stage.committed("group", &openings.agreements).values().map(|(offset, _)| offset).sum();
        if committed >= count {
            break;
        }
        assert!(start.elapsed() < patience, "{committed} of {count} were consumed\n{}", daemon.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    let (peak, took) = (daemon.peak_mib(), start.elapsed());
    daemon.stop();
    eprintln!("{count} records: {peak} MiB at most, {took:?}");
    (peak, took)
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_backlog_does_not_grow_the_daemon() {
    let openings = Openings::on(Stage::new("backlog"));
    let count = records(100_000);
    for first in (0..count).step_by(usize::try_from(PORTION).unwrap()) {
        // edits: nothing is open, nothing is judged
        let edits = (first..count.min(first + PORTION)).map(|n| update(&openings.agreements, n % 1_000_000, n, 1000));
        openings.stage.produce(&edits.collect::<Vec<_>>());
    }
    let (peak, _) = consumes(&openings, count, Duration::from_mins(20));
    assert!(peak < 400, "{peak} MiB");
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn one_commit_of_very_many_agreements_goes_through_in_one_transaction() {
    let openings = Openings::on(Stage::new("bulk"));
    let count = records(50_000);
    for first in (0..count).step_by(usize::try_from(PORTION).unwrap()) {
        let changes = (first..count.min(first + PORTION)).map(|n| update(&openings.agreements, n, 1, 990));
        openings.stage.produce(&changes.collect::<Vec<_>>());
    }
    let (peak, _) = consumes(&openings, count, Duration::from_mins(20));
    // the windows, what is written of them, and what was read ahead
    let per_agreement = 6 * 1024;
    assert!(i64::try_from(peak).unwrap() < 200 + count * per_agreement / (1024 * 1024), "{peak} MiB");
}
