//! The daemon on a real Kafka, beside a bare consumer that only counts the bytes of the same topics. `cargo xtask bench e2e`.
//!
//! ```text
//! workload ─► producer ─► broker ─► bare consumer: counts bytes
//!                           └─────► tidewaiter run ─► alerts ─► reader: how long since the producer sent what they are about
//! ```
//!
//! Everything runs on this machine and shares its cores, so the ratio of the two rates says more than either.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may panic")]

mod daemon;
mod latency;
mod restart;
mod topics;
#[path = "../workload/mod.rs"]
mod workload;

use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use daemon::Daemon;
use latency::Latencies;
use topics::{Producer, Rate, count};
use workload::{Mix, OwnedRecord, Workload};
use xtask::kafka::Cluster;

#[derive(Debug, Parser)]
struct Args {
    /// Records that wait for the consumers when they start.
    #[arg(long)]
    records: usize,
    /// How long records are produced at each part of the highest rate.
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// Instead: how long a restart takes when so many movements wait for their balance change.
    #[arg(long)]
    movements: Option<usize>,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Agreements of the book, all of which have profiles.
const AGREEMENTS: u32 = 20_000;
/// Of each of the two topics.
const PARTITIONS: u32 = 3;
/// Produced at first, at each rate, and not looked at.
const SETTLING: Duration = Duration::from_secs(2);
const PER_CENT: [u64; 3] = [10, 50, 80];

fn main() -> anyhow::Result<()> {
    if !std::env::args().any(|argument| argument.starts_with("--records")) {
        eprintln!("e2e: not measured; it is `cargo xtask bench e2e` that does");
        return Ok(());
    }
    run(&Args::parse())
}

fn run(args: &Args) -> anyhow::Result<()> {
    let cluster = Cluster::start(1, "bench").context("the daemon is measured on a real Kafka")?;
    let folder = tempfile::tempdir()?;
    let book = folder.path().join("book.sqlite");
    workload::book::write(&book, AGREEMENTS as usize);
    if let Some(movements) = args.movements {
        return restart::measure(&cluster, folder.path(), &book, PARTITIONS, movements);
    }
    let mix = Mix { agreements: AGREEMENTS, partitions: PARTITIONS, ..Mix::default() };
    let mut workload = Workload::new(mix);
    topics::create(cluster.bootstrap(), PARTITIONS);

    let mut producer = Producer::new(cluster.bootstrap());
    let mut bytes = 0;
    let mut waiting = 0;
    while waiting < args.records {
        let records = workload.take(100_000.min(args.records - waiting));
        for record in &records {
            producer.send(record);
        }
        waiting += records.len();
        bytes += workload::bytes(&records);
    }
    producer.flush();
    println!("{waiting} records of {} bytes wait\n", bytes / waiting as u64);

    // before and after, since a shared machine is not as fast from one minute to the next
    let before = count(cluster.bootstrap(), waiting as u64);
    let daemon = Daemon::start(&cluster, folder.path(), &book, None);
    let ours = daemon.catch_up(waiting as u64);
    let after = count(cluster.bootstrap(), waiting as u64);
    println!("| | records/s | processor time a record |\n|---|---|---|");
    for (name, rate) in [("bare consumer, before", before), ("tidewaiter", ours), ("bare consumer, after", after)] {
        println!("| {name} | {} | {} ns |", rate.per_second(), rate.cpu_nanos());
    }
    let bare = u64::midpoint(before.per_second(), after.per_second());
    println!("\ntidewaiter does {} % of the bare consumer's rate\n", ours.per_second() * 100 / bare);

    println!(
        "| part of the highest rate | produced records/s | alerts | p50 | p99 | p99.9 | most |\n|---|---|---|---|---|---|---|"
    );
    for per_cent in PER_CENT {
        let rate = ours.per_second() * per_cent / 100;
        let seconds = args.seconds + SETTLING.as_secs();
        let records = workload.take(usize::try_from(rate * seconds)?);
        let reader = latency::Reader::start(cluster.bootstrap());
        let (sent, achieved) = pace(&mut producer, &records, rate);
        // what comes later than this would not be part of any percentile that is asked for
        let alerts = reader.stop_after(Duration::from_secs(3));
        let latencies = Latencies::of(&sent, alerts, SETTLING);
        println!(
            "| {per_cent} % | {} | {} | {} ms | {} ms | {} ms | {} ms |",
            achieved.per_second(),
            latencies.count(),
            latencies.ms(500),
            latencies.ms(990),
            latencies.ms(999),
            latencies.ms(1000),
        );
    }
    daemon.stop();

    let bytes = topics::bytes(cluster.bootstrap(), &format!("{}.changelog", daemon::GROUP));
    let daemon = Daemon::start(&cluster, folder.path(), &book, None);
    println!("\nready {} ms after a restart, from a changelog of {bytes} bytes", daemon.is_ready_after().as_millis());
    daemon.stop();
    Ok(())
}

/// Sends records evenly at so many a second; gives when each was sent.
fn pace(producer: &mut Producer, records: &[OwnedRecord], rate: u64) -> (latency::Sent, Rate) {
    let mut sent = latency::Sent::default();
    let rate = rate.max(1);
    let started = latency::now();
    for (record, n) in records.iter().zip(0_u64..) {
        let due = started + Duration::from_micros(n * 1_000_000 / rate);
        // a sleep is at least a tenth of a millisecond: what is due by then goes together
        if let Some(ahead) = due.checked_duration_since(latency::now()).filter(|ahead| *ahead > Duration::from_micros(200)) {
            producer.poll();
            std::thread::sleep(ahead);
        }
        sent.note(record.origin, latency::now());
        producer.send(record);
    }
    let took = latency::now() - started;
    producer.flush();
    (sent, Rate { records: records.len() as u64, took, cpu: Duration::ZERO })
}
