//! What the endpoint shows, and to whom.

use super::daemon::{AGREEMENT, Daemon, TOKEN, TRANSACTION, opening, payment};

const WITH_TOKEN: &str = "token = { env = \"OPS_TOKEN\" }";

#[test]
fn it_shows_health_readiness_metrics_and_state_and_no_secret() {
    let daemon = Daemon::start(WITH_TOKEN, "");
    assert_eq!(daemon.get("/healthz"), (200, "ok\n".to_owned()));
    let (status, why) = daemon.get("/readyz");
    // the embedded broker lets a first member wait for three seconds
    assert!(status == 503 && why.contains("no partition is assigned"), "{status} {why}");

    daemon.produce(AGREEMENT, &opening("FRH0000400", 1));
    daemon.produce(TRANSACTION, &payment("FRH0000401", 2));
    daemon.ready();
    let metrics = daemon.eventually("both records in the metrics", || {
        let (status, metrics) = daemon.get("/metrics");
        assert_eq!(status, 200);
        metrics.contains("tidewaiter_records_total 2").then_some(metrics)
    });
    for line in [
        "tidewaiter_alerts_total{rule=\"R4\"} 1",
        "tidewaiter_open{kind=\"movement\"} 1",
        "tidewaiter_open{kind=\"settlement\"} 0",
        "tidewaiter_stream_time_seconds 1768208400.007",
        "tidewaiter_commit_seconds_bucket{le=\"60\"}",
        "tidewaiter_build_info{version=",
        "# HELP tidewaiter_records_total ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let lag = format!("tidewaiter_lag_records{{topic=\"{AGREEMENT}\",partition=\"0\"}} 0");
    daemon.eventually("a lag of none", || daemon.get("/metrics").1.contains(&lag).then_some(()));

    // as one types it: blanks and case do not count
    let (status, open) = daemon.json("GET", "/state/frh0000401%20");
    assert_eq!((status, open["key"].as_str()), (200, Some("FRH0000401")));
    assert_eq!(open["window"]["pending_movements"][0]["amount"], "5000.00", "{open}");
    let (_, opened) = daemon.json("GET", "/state/FRH0000400");
    assert!(opened["window"].is_null(), "{opened}");
    assert_eq!(opened["verdicts"][0]["kind"], "opening", "{opened}");

    for (method, path) in [("GET", "/state/FRH0000401"), ("POST", "/reload")] {
        assert_eq!(daemon.request(method, path, None).0, 401, "{path}");
        assert_eq!(daemon.request(method, path, Some("wrong")).0, 401, "{path}");
    }
    let (status, config) = daemon.get("/config");
    assert_eq!(status, 200);
    assert!(config.contains("fingerprint") && config.contains("OPS_TOKEN") && config.contains("sasl.password"), "{config}");
    for secret in ["hunter2", TOKEN] {
        assert!(!config.contains(secret) && !daemon.log().contains(secret) && !metrics.contains(secret), "{secret}");
    }
    assert!(!metrics.contains("FRH0000401") && !daemon.log().contains("FRH0000401"), "no row's value");
    assert_eq!(daemon.get("/else").0, 404);
}

#[test]
fn without_a_token_nobody_sees_state_or_reloads() {
    let daemon = Daemon::start("", "");
    for (method, path) in [("GET", "/state/FRH0000401"), ("POST", "/reload")] {
        let (status, why) = daemon.request(method, path, Some(TOKEN));
        assert!(status == 403 && why.contains("ops.token"), "{path}: {status} {why}");
    }
}
