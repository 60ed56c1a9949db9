//! How the daemon ends, the real binary.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use xtask::kafka::Cluster;

use crate::daemon::Openings;
use crate::proxy::{END_TXN, Loss, Proxy};
use crate::stage::Stage;

/// On a cluster of their own: each has room for one proxy.
fn behind_a_proxy(name: &'static str) -> (Openings, Proxy) {
    let stage = Stage::on(Arc::new(Cluster::start(1, &format!("tests-{name}")).unwrap()), name);
    let proxy = stage.proxy();
    let direct = stage.bootstrap().to_owned();
    let mut openings = Openings::on(stage);
    openings.config = openings.config.replace(&direct, &proxy.bootstrap());
    (openings, proxy)
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_daemon_whose_broker_does_not_answer_leaves_within_five_seconds_and_loses_nothing() {
    let (openings, proxy) = behind_a_proxy("hanging");
    let daemon = openings.daemon();
    openings.open(0..20);
    openings.were_told_once(20);
    // whether the transaction was committed is not known to it
    proxy.lose(Loss::Answer(END_TXN));
    openings.open(20..40);
    while !proxy.has_lost() {
        thread::sleep(Duration::from_millis(10));
    }
    let asked = Instant::now();
    daemon.stop();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let daemon = openings.daemon();
    openings.open(40..60);
    openings.were_told_once(60);
    daemon.stop();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_second_signal_ends_the_daemon_at_once_and_nothing_is_lost() {
    let (openings, proxy) = behind_a_proxy("signals");
    for (round, (signal, code)) in (0..).zip([("-TERM", 143), ("-INT", 130)]) {
        let mut daemon = openings.daemon();
        openings.open(round * 40..round * 40 + 20);
        openings.were_told_once(round * 40 + 20);
        // so that the first signal has something to wait for
        proxy.lose(Loss::Answer(END_TXN));
        openings.open(round * 40 + 20..round * 40 + 40);
        while !proxy.has_lost() {
            thread::sleep(Duration::from_millis(10));
        }
        daemon.signal(signal);
        thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        daemon.signal(signal);
        assert_eq!(daemon.ended(), Some(code));
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    let daemon = openings.daemon();
    openings.open(80..100);
    openings.were_told_once(100);
    daemon.stop();
}
