//! `tidewaiter health`, through the real binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use assert_cmd::cargo::CommandCargoExt;

/// Exit code, stdout, stderr.
fn health(url: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    // asked directly, whatever the environment says of proxies
    let command = command.args(["health", "--url", url]).env("http_proxy", "http://127.0.0.1:1");
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Answers one request, and gives its first line.
fn answering(status: &'static str, body: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let request = lines.next().unwrap().unwrap();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        request
    });
    (url, served)
}

#[test]
fn a_daemon_that_is_ready_is_well() {
    let (url, served) = answering("200 OK", "ready\n");
    assert_eq!(health(&url), (0, "ready\n".to_owned(), String::new()));
    assert_eq!(served.join().unwrap(), "GET /readyz HTTP/1.1");
}

#[test]
fn one_that_is_not_is_a_finding_with_its_reasons() {
    let body = "not ready\nthe lookup is unavailable, judging waits: because\n";
    let (url, served) = answering("503 Service Unavailable", body);
    assert_eq!(health(&url), (1, body.to_owned(), String::new()));
    served.join().unwrap();
}

#[test]
fn one_that_does_not_answer_is_a_finding() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, stdout, stderr) = health(&format!("http://{closed}/readyz"));
    assert_eq!((code, stderr.as_str()), (1, ""));
    assert!(stdout.starts_with(&format!("http://{closed}/readyz does not answer: ")), "{stdout}");
}

#[test]
fn what_is_no_address_is_an_error_with_a_hint() {
    for wrong in ["nonsense", "http://a b/"] {
        let (code, stdout, stderr) = health(wrong);
        assert_eq!((code, stdout.as_str()), (2, ""), "{wrong}");
        assert!(stderr.starts_with(&format!("error: --url {wrong} is no address: ")), "{stderr}");
        assert!(stderr.contains("\nhint: write it as http://127.0.0.1:9464/readyz"), "{stderr}");
    }
}
