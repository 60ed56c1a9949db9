//! A steady stream for long: memory and open windows stay as they are. The book grows, so the cache of look-ups does until it
//! reaches its bound, which is small here.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::course::Course;
use super::{shape, times};
use crate::stage::Stage;

/// Records a second: a busy day of a lender with a million agreements.
const RATE: usize = 300;

/// Seconds between two looks.
const BETWEEN: usize = 10;

/// What an allocator may keep more than before without anything having grown, in MiB.
const SLACK: u64 = 16;

struct Look {
    resident: u64,
    windows: u64,
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_steady_stream_leaves_memory_and_open_windows_as_they_are() {
    // half an hour in full; a third of it fills windows and caches, and two are compared
    let seconds = BETWEEN * times(3, 180).max(3);
    let mut course = Course::new(Stage::new("soak"), shape(RATE * seconds));
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    course.ops = format!("127.0.0.1:{port}");
    course.start(0);
    let (start, mut looks) = (Instant::now(), Vec::new());
    for second in 1..=seconds {
        course.produce((second * RATE).min(course.yardstick.written.len()));
        course.look();
        thread::sleep((start + Duration::from_secs(second as u64)).saturating_duration_since(Instant::now()));
        if second % BETWEEN == 0 {
            let look = Look { resident: resident(course.process_id(0)), windows: open_windows(port) };
            let Look { resident, windows } = look;
            eprintln!("{second} s: {resident} MiB, {windows} windows, {} of {}", course.progress(), course.total());
            looks.push(look);
        }
    }
    let (before, after) = looks[looks.len() / 3..].split_at(looks.len() / 3);
    let most = |looks: &[Look], of: fn(&Look) -> u64| looks.iter().map(of).max().unwrap();
    let resident = [before, after].map(|looks| most(looks, |look| look.resident));
    let windows = [before, after].map(|looks| most(looks, |look| look.windows));
    eprintln!("at most {resident:?} MiB and {windows:?} windows");
    assert!(resident[1] <= resident[0] + SLACK, "memory grew: {resident:?} MiB");
    assert!(windows[0] > 0 && windows[1] <= windows[0] * 3 / 2, "windows stay open: {windows:?}");
    course.produce_all();
    course.finish();
}

/// What a process has resident, in MiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn open_windows(port: u16) -> u64 {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n").unwrap();
    let mut metrics = String::new();
    connection.read_to_string(&mut metrics).unwrap();
    metrics.lines().find_map(|line| line.strip_prefix("tidewaiter_open_windows ")).map_or(0, |windows| windows.parse().unwrap())
}
