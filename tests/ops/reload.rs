//! New rules for a running daemon.

use std::fs;

use super::daemon::{AGREEMENT, Daemon, opening};

const WITH_TOKEN: &str = "token = { env = \"OPS_TOKEN\" }";
const SILENT: &str = "[rules.R4]\nenabled = false\n";

fn fingerprint(daemon: &Daemon) -> String {
    daemon.json("GET", "/config").1["rules"]["fingerprint"].as_str().unwrap().to_owned()
}

#[test]
fn rejected_rules_change_nothing_and_valid_ones_judge_the_next_batch() {
    let daemon = Daemon::start(WITH_TOKEN, "");
    let first = fingerprint(&daemon);
    fs::write(daemon.path("rules.toml"), "[window]\nmax_wait = \"soon\"\n").unwrap();
    let (status, told) = daemon.json("POST", "/reload");
    assert_eq!((status, told["result"].as_str()), (422, Some("rejected")), "{told}");
    assert!(told["error"].as_str().unwrap().contains("rules.toml:2:"), "{told}");
    assert_eq!((fingerprint(&daemon), told["fingerprint"].as_str()), (first.clone(), Some(first.as_str())));

    fs::write(daemon.path("rules.toml"), SILENT).unwrap();
    let (status, told) = daemon.json("POST", "/reload");
    assert_eq!((status, told["result"].as_str()), (200, Some("applied")), "{told}");
    let second = fingerprint(&daemon);
    assert_ne!(first, second);
    let (status, told) = daemon.json("POST", "/reload");
    assert_eq!((status, told["result"].as_str()), (200, Some("unchanged")), "{told}");
    assert_eq!(daemon.json("GET", "/config").1["rules"]["last_reload"], told);

    daemon.produce(AGREEMENT, &opening("FRH0000400", 1));
    daemon.eventually("the verdict of the new rules", || {
        let (_, metrics) = daemon.get("/metrics");
        metrics.contains("tidewaiter_verdicts_total{rule=\"R4\",outcome=\"disabled\"} 1").then_some(())
    });
    let (_, metrics) = daemon.get("/metrics");
    for line in [
        "tidewaiter_reloads_total{result=\"rejected\"} 1".to_owned(),
        "tidewaiter_reloads_total{result=\"applied\"} 1".to_owned(),
        format!("tidewaiter_rules_info{{fingerprint=\"{second}\"}} 1"),
        format!("tidewaiter_rules_info{{fingerprint=\"{first}\"}} 0"),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[test]
fn a_changed_file_is_noticed_and_sighup_reads_it_anew() {
    let daemon = Daemon::start(WITH_TOKEN, "");
    let first = fingerprint(&daemon);
    fs::write(daemon.path("rules.toml"), SILENT).unwrap();
    let line = daemon.logged("rules reloaded: in force");
    assert_eq!((line["trigger"].as_str(), line["before"].as_str()), (Some("file change"), Some(first.as_str())));
    daemon.signal("HUP");
    assert_eq!(daemon.logged("rules reloaded: nothing")["trigger"], "SIGHUP");
}

#[test]
fn a_changed_configuration_is_told_to_need_a_restart() {
    let daemon = Daemon::start(WITH_TOKEN, "");
    let path = daemon.path("daemon.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# a remark\n{config}")).unwrap();
    assert!(daemon.json("GET", "/config").1["restart_needed"].is_null(), "nothing that counts has changed");
    fs::write(&path, format!("{config}[merge]\nmax_idle = \"2s\"\n")).unwrap();
    daemon.logged("the configuration file has changed");
    let (status, told) = daemon.json("POST", "/reload");
    assert_eq!(status, 200);
    assert!(told["restart_needed"].as_str().unwrap().contains("needs a restart"), "{told}");
    fs::write(&path, format!("{config}[merge]\nmax_idle = \"soon\"\n")).unwrap();
    let (_, told) = daemon.json("GET", "/config");
    assert!(told["restart_needed"].as_str().unwrap().contains("would not start"), "{told}");
}
