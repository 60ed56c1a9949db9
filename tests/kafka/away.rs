//! A daemon that starts while its brokers are away, the real binary.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use xtask::kafka::Cluster;

use crate::daemon::Openings;
use crate::stage::{PATIENCE, Stage};

fn readyz(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn until(port: u16, what: &str) {
    let start = Instant::now();
    loop {
        let answer = readyz(port);
        if answer.as_ref().is_some_and(|answer| answer.contains(what)) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "/readyz does not say {what:?}: {answer:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_daemon_that_starts_while_its_broker_is_away_says_so_and_begins_when_it_is_back() {
    let cluster = Arc::new(Cluster::start(1, "tests-away").unwrap());
    let mut openings = Openings::on(Stage::on(Arc::clone(&cluster), "away"));
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    writeln!(openings.config, "[ops]\nlisten = \"127.0.0.1:{port}\"").unwrap();
    openings.open(0..20);
    let daemon = openings.daemon();
    openings.were_told_once(20);
    daemon.stop();

    openings.open(20..40);
    cluster.kill_broker(1).unwrap();
    let daemon = openings.daemon();
    until(port, "the brokers do not answer, nothing is read until they do");
    let asked = Instant::now();
    daemon.stop();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());

    let daemon = openings.daemon();
    until(port, "the brokers do not answer, nothing is read until they do");
    cluster.restart_broker(1).unwrap();
    openings.were_told_once(40);
    until(port, "200 OK");
    daemon.stop();
}
