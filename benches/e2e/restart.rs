//! How long a restart takes with much that is open: payments whose balance change never comes, and rules that wait for it.

use std::fs;
use std::path::Path;

use xtask::kafka::Cluster;

use super::daemon::{self, Daemon};
use super::topics::{self, Producer};
use super::workload::{Mix, Rates, Workload};

/// Longer than the workload's own time, and than any bench.
const RULES: &str = "[window]\nmax_wait = \"9999h\"\nmax_silence = \"9999h\"\n";

/// Has so many movements wait, restarts the daemon, and prints how long it took until that was ready.
pub(crate) fn measure(cluster: &Cluster, folder: &Path, book: &Path, partitions: u32, movements: usize) -> anyhow::Result<()> {
    let rules = folder.join("rules.toml");
    fs::write(&rules, RULES)?;
    let agreements = u32::try_from(movements)?;
    let mut workload = Workload::new(Mix { rates: Rates::MOVEMENTS, agreements, partitions, ..Mix::default() });
    topics::create(cluster.bootstrap(), partitions);
    let mut producer = Producer::new(cluster.bootstrap());
    let mut waiting = 0;
    while waiting < movements {
        let records = workload.take(100_000.min(movements - waiting));
        for record in &records {
            producer.send(record);
        }
        waiting += records.len();
    }
    producer.flush();
    let daemon = Daemon::start(cluster, folder, book, Some(&rules));
    let rate = daemon.catch_up(waiting as u64);
    daemon.stop();

    let bytes = topics::bytes(cluster.bootstrap(), &format!("{}.changelog", daemon::GROUP));
    let daemon = Daemon::start(cluster, folder, book, Some(&rules));
    let ready = daemon.is_ready_after();
    println!("| movements that wait | read, records/s | changelog, bytes | ready after | most memory |\n|---|---|---|---|---|");
    println!("| {waiting} | {} | {bytes} | {} ms | {} |", rate.per_second(), ready.as_millis(), daemon.most_memory());
    daemon.stop();
    Ok(())
}
