//! A real cluster: started, hurt, healed, stopped. `cargo xtask test` runs these.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::net::TcpStream;
use std::process::Command;

use xtask::kafka::{Cluster, ClusterState};

/// Whether the broker at this place of the list can be connected to.
fn answers(bootstrap: &str, place: usize) -> bool {
    TcpStream::connect(bootstrap.split(',').nth(place).unwrap()).is_ok()
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_broker_comes_back_on_its_port_after_a_kill_and_a_stop_and_is_gone_with_its_cluster() {
    let cluster = Cluster::start(1, "xtask-one").unwrap();
    let bootstrap = cluster.bootstrap().to_owned();
    assert!(answers(&bootstrap, 0));
    cluster.kill_broker(1).unwrap();
    assert!(!answers(&bootstrap, 0));
    cluster.restart_broker(1).unwrap();
    assert!(answers(&bootstrap, 0));
    cluster.stop_broker(1).unwrap();
    assert!(!answers(&bootstrap, 0));
    cluster.restart_broker(1).unwrap();
    assert!(answers(&bootstrap, 0));
    assert!(cluster.kill_broker(2).unwrap_err().to_string().contains("1 to 1, not 2"));
    let state = ClusterState::load("xtask-one").unwrap().unwrap();
    assert!(state.is_running());
    drop(cluster);
    assert!(!answers(&bootstrap, 0) && !state.is_running());
    assert!(ClusterState::load("xtask-one").unwrap().is_none());
    assert!(state.brokers[0].log.is_file() && !state.folder.join("data-1").exists(), "logs stay, data goes");
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn of_three_brokers_two_carry_on() {
    let cluster = Cluster::start(3, "xtask-three").unwrap();
    cluster.wait_until_in_sync().unwrap();
    cluster.kill_broker(2).unwrap();
    let answering: Vec<_> = (0..3).map(|place| answers(cluster.bootstrap(), place)).collect();
    assert_eq!(answering, [true, false, true]);
    cluster.restart_broker(2).unwrap();
    cluster.wait_until_in_sync().unwrap();
    assert!((0..3).all(|place| answers(cluster.bootstrap(), place)));
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn up_status_and_down_agree_and_what_was_left_behind_is_recognised() {
    let xtask = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("kafka").args(args).output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.code().unwrap(), out, err)
    };
    let name = ["--name", "xtask-cli"];
    let (code, bootstrap, told) = xtask(&["up", name[0], name[1]]);
    assert_eq!(code, 0, "{told}");
    let bootstrap = bootstrap.trim_end();
    assert!(answers(bootstrap, 0));
    let (_, again, told) = xtask(&["up", name[0], name[1]]);
    assert!(again.trim_end() == bootstrap && told.contains("up already"), "{told}");
    let (code, _, told) = xtask(&["up", "--brokers", "3", name[0], name[1]]);
    assert!(code == 2 && told.contains("hint: cargo xtask kafka down"), "{told}");

    let (code, status, _) = xtask(&["status", "--format", "json", name[0], name[1]]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((code, status[0]["bootstrap_servers"].as_str(), status[0]["running"].as_bool()), (0, Some(bootstrap), Some(true)));
    let pid = status[0]["brokers"][0]["pid"].to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    while answers(bootstrap, 0) {
        std::thread::yield_now();
    }
    let (code, status, _) = xtask(&["status", name[0], name[1]]);
    assert!(code == 1 && status.contains("left behind"), "{status}");
    let (code, _, told) = xtask(&["down", name[0], name[1]]);
    assert!(code == 0 && told.contains("stopped"), "{told}");
    let (code, status, _) = xtask(&["status", name[0], name[1]]);
    assert_eq!((code, status.as_str()), (1, ""));
    let (code, _, told) = xtask(&["down", name[0], name[1]]);
    assert!(code == 0 && told.contains("is not up"), "{told}");
}
