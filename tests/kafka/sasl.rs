//! Brokers that want to know who it is, by each SASL mechanism that the documentation names.

use std::fs;

use xtask::kafka::{PASSWORD, USER};

use crate::daemon::Openings;
use crate::stage::Stage;

/// A daemon's configuration that goes to the guarded listener.
fn guarded(name: &'static str, properties: &str, secret: &str) -> Openings {
    let mut openings = Openings::on(Stage::new(name));
    fs::write(openings.folder.path().join("secret"), secret).unwrap();
    let guarded = openings.stage.guarded_bootstrap();
    openings.config = openings
        .config
        .replace(&format!("{:?}", openings.stage.bootstrap()), &format!("{guarded:?}"))
        .replace("properties = { ", &format!("properties = {{ \"security.protocol\" = \"SASL_PLAINTEXT\", {properties}, "));
    openings
}

fn with_password(name: &'static str, mechanism: &str, password: &str) -> Openings {
    let properties =
        format!(r#""sasl.mechanism" = "{mechanism}", "sasl.username" = "{USER}", "sasl.password" = {{ file = "secret" }}"#);
    guarded(name, &properties, password)
}

fn works(openings: &Openings) {
    openings.open(0..20);
    let daemon = openings.daemon();
    openings.were_told_once(20);
    daemon.stop();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn the_daemon_works_by_plain_and_by_scram() {
    works(&with_password("sasl-plain", "PLAIN", PASSWORD));
    works(&with_password("sasl-scram", "SCRAM-SHA-512", PASSWORD));
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_wrong_password_ends_the_daemon_with_a_hint_and_is_not_told() {
    let openings = with_password("sasl-wrong", "PLAIN", "a-wrong-secret");
    let mut daemon = openings.daemon();
    assert_eq!(daemon.ended(), Some(2));
    let log = daemon.log();
    assert!(log.contains("hint: check the credentials under [kafka.properties]") && !log.contains("a-wrong-secret"), "{log}");
}

#[cfg(feature = "oauthbearer")]
mod tokens {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use tidewaiter::time::{Clock as _, SystemClock};

    use super::*;

    #[test]
    #[ignore = "needs Java and Maven: cargo xtask test"]
    fn the_daemon_works_by_tokens_that_it_gets_for_its_client_secret() {
        let endpoint = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let properties = format!(
            r#""sasl.mechanism" = "OAUTHBEARER", "sasl.oauthbearer.method" = "oidc",
            "sasl.oauthbearer.token.endpoint.url" = "http://{}/token", "sasl.oauthbearer.client.id" = "{USER}",
            "sasl.oauthbearer.client.secret" = {{ file = "secret" }}"#,
            endpoint.local_addr().unwrap()
        )
        .replace('\n', " ");
        thread::spawn(move || endpoint.incoming().for_each(|client| issue_token(&client.unwrap())));
        works(&guarded("sasl-tokens", &properties, PASSWORD));
    }

    /// Gives who knows the secret a token that a broker of tests believes without a signature.
    fn issue_token(mut client: &TcpStream) {
        let mut reader = BufReader::new(client);
        let mut lines = reader.by_ref().lines().map(Result::unwrap);
        let request = lines.next().unwrap();
        let headers: Vec<String> =
            lines.by_ref().take_while(|line| !line.is_empty()).map(|line| line.to_ascii_lowercase()).collect();
        drop(lines);
        // read whole: a connection that is closed with something unread is reset
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        reader.read_exact(&mut vec![0; length]).unwrap();
        let expected = format!("authorization: basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))).to_ascii_lowercase();
        let (status, body) = if request.starts_with("POST /token ") && headers.contains(&expected) {
            let now = SystemClock.now().as_ms() / 1000;
            let claims = format!(r#"{{"sub":"{USER}","iat":{now},"exp":{}}}"#, now + 3600);
            let token = [r#"{"alg":"none"}"#, claims.as_str()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
            ("200 OK", format!(r#"{{"access_token":"{token}.","token_type":"Bearer","expires_in":3600}}"#))
        } else {
            ("401 Unauthorized", "{}".to_owned())
        };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close", body.len());
        client.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
    }
}
