//! Avro by a schema registry: what a small HTTP registry answers, and what decoding makes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "support/corpus.rs"]
#[expect(dead_code, reason = "shared with the corpus test, which reads more")]
mod corpus;
#[path = "support/registry.rs"]
mod registry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use corpus::OwnedRecord;
use registry::{Reply, Server, after_failures, answers, client, config};
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::event::LendingChange;
use tidewaiter::event::{
    BadMessage, Credentials, Decoded, Formats, Registry, RegistryConfig, RegistryConfigError, RegistryError,
};

fn decoder(registry: Arc<Registry>) -> Decoder {
    Decoder::new(&Formats { registry: Some(registry), ..Formats::default() })
}

fn schemas() -> std::path::PathBuf {
    corpus::corpus().join("i_avro_confluent_precise.schemas.json")
}

/// The insert of a Transaction.
fn insert() -> OwnedRecord {
    corpus::lines("i").into_iter().find(|(line, _)| line.note == "insert Transaction").unwrap().1
}

fn decode(decoder: &Decoder, record: &OwnedRecord) -> Decoded<LendingChange> {
    record.with(|record| decoder.decode(record))
}

fn bad(decoded: Decoded<LendingChange>) -> BadMessage {
    match decoded {
        Decoded::Bad(bad) => bad,
        other => panic!("{other:?}"),
    }
}

fn unavailable(decoded: Decoded<LendingChange>) -> RegistryError {
    match decoded {
        Decoded::Unavailable(error) => error,
        other => panic!("{other:?}"),
    }
}

fn is_change(decoded: &Decoded<LendingChange>) -> bool {
    matches!(decoded, Decoded::Change(_))
}

fn status(status: u16, body: &str) -> Server {
    let body = body.to_owned();
    Server::start(move |_| Reply::Answer(status, body.clone()))
}

#[test]
fn each_schema_is_fetched_once() {
    let server = Server::start(answers(&schemas()));
    let decoder = decoder(client(&[server.url()]));
    for (_, record) in corpus::lines("i").iter().chain(&corpus::lines("i")) {
        assert!(!matches!(decode(&decoder, record), Decoded::Bad(_) | Decoded::Unavailable(_)));
    }
    assert_eq!(server.request_count(), 2, "one for each table");
}

#[test]
fn many_threads_that_meet_a_new_schema_fetch_it_once() {
    let answers = answers(&schemas());
    let server = Server::start(move |path| {
        std::thread::sleep(Duration::from_millis(50));
        answers(path)
    });
    let (decoder, record) = (decoder(client(&[server.url()])), insert());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(is_change(&decode(&decoder, &record))));
        }
    });
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_schema_that_the_registry_does_not_know_is_a_bad_message() {
    let server = status(404, r#"{"error_code":40403,"message":"Schema 6 not found"}"#);
    let message = bad(decode(&decoder(client(&[server.url()])), &insert()));
    assert_eq!((message.reason, &*message.detail), ("schema", "the registry knows no schema 6"));
}

#[test]
fn a_404_of_something_else_is_not_the_registrys() {
    let server = status(404, "<html>no such site</html>");
    let error = unavailable(decode(&decoder(client(&[server.url()])), &insert()));
    assert_eq!(error, RegistryError::Status { url: server.url(), status: 404 });
}

#[test]
fn a_failing_registry_is_not_the_messages_fault_and_is_asked_again() {
    let server = after_failures(2, answers(&schemas()));
    let (decoder, record) = (decoder(client(&[server.url()])), insert());
    for _ in 0..2 {
        let error = unavailable(decode(&decoder, &record));
        assert_eq!(error, RegistryError::Status { url: server.url(), status: 503 });
    }
    assert!(is_change(&decode(&decoder, &record)));
}

fn retrying(server: &Server, retries: u32) -> Decoder {
    decoder(Arc::new(Registry::new(&config(&[server.url()])).unwrap().retrying(retries)))
}

#[test]
fn retries_outlast_a_registry_that_is_away_for_a_moment_and_no_longer() {
    for (retries, found) in [(1, false), (2, true)] {
        let server = after_failures(2, answers(&schemas()));
        assert_eq!(is_change(&decode(&retrying(&server, retries), &insert())), found, "{retries} retries of 2 failures");
    }
}

#[test]
fn what_does_not_pass_is_not_asked_for_again() {
    for (code, body) in [(401, ""), (404, "no such site"), (400, ""), (200, "<html>")] {
        let server = status(code, body);
        unavailable(decode(&retrying(&server, 3), &insert()));
        assert_eq!(server.request_count(), 1, "status {code}");
    }
    let unknown = status(404, r#"{"error_code":40403,"message":"Schema 6 not found"}"#);
    bad(decode(&retrying(&unknown, 3), &insert()));
    assert_eq!(unknown.request_count(), 1);
}

/// Decodes until there is something other than a schema under way.
fn outcome(decoder: &Decoder, record: &OwnedRecord) -> Decoded<LendingChange> {
    loop {
        match decode(decoder, record) {
            Decoded::Unavailable(RegistryError::Pending { id: 6 }) => std::thread::sleep(Duration::from_millis(1)),
            outcome => return outcome,
        }
    }
}

fn in_background(server: &Server) -> Decoder {
    decoder(Arc::new(Registry::new(&config(&[server.url()])).unwrap().in_background()))
}

#[test]
fn in_the_background_nobody_waits_for_a_registry() {
    let silent = Server::start(|_| Reply::Silence);
    let (decoder, record) = (in_background(&silent), insert());
    for _ in 0..3 {
        assert_eq!(unavailable(decode(&decoder, &record)), RegistryError::Pending { id: 6 });
    }
    assert!(silent.request_count() <= 1, "one request at a time for a schema");
}

#[test]
fn in_the_background_a_schema_is_fetched_once_and_then_known() {
    let server = Server::start(answers(&schemas()));
    let (decoder, record) = (in_background(&server), insert());
    assert!(is_change(&outcome(&decoder, &record)));
    assert!(is_change(&decode(&decoder, &record)));
    assert_eq!(server.request_count(), 1);
}

#[test]
fn in_the_background_each_failure_is_told_and_the_registry_asked_again() {
    let server = after_failures(2, answers(&schemas()));
    let (decoder, record) = (in_background(&server), insert());
    for _ in 0..2 {
        let error = unavailable(outcome(&decoder, &record));
        assert_eq!(error, RegistryError::Status { url: server.url(), status: 503 });
    }
    assert!(is_change(&outcome(&decoder, &record)));
}

#[test]
fn a_schema_that_the_registry_does_not_know_is_asked_for_again_after_a_while_and_not_for_each_message() {
    let record = insert();
    for (missing_for, requests) in [(Duration::ZERO, 3), (Duration::from_hours(1), 1)] {
        for background in [false, true] {
            let unknown = status(404, r#"{"error_code":40403,"message":"Schema 6 not found"}"#);
            let client = Registry::new(&RegistryConfig { missing_for, ..config(&[unknown.url()]) }).unwrap();
            let decoder = decoder(Arc::new(if background { client.in_background() } else { client }));
            for _ in 0..3 {
                assert_eq!(bad(outcome(&decoder, &record)).detail, "the registry knows no schema 6");
            }
            assert_eq!(unknown.request_count(), requests, "in background: {background}");
        }
    }
}

#[test]
fn a_silent_registry_costs_a_time_out() {
    let server = Server::start(|_| Reply::Silence);
    let config = RegistryConfig { timeout: Duration::from_millis(200), ..config(&[server.url()]) };
    let start = Instant::now();
    let error = unavailable(decode(&decoder(Arc::new(Registry::new(&config).unwrap())), &insert()));
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_next_url_is_asked_where_one_does_not_answer() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (failing, good) = (status(503, ""), Server::start(answers(&schemas())));
    let urls = [format!("http://{closed}"), failing.url(), good.url() + "/"];
    assert!(is_change(&decode(&decoder(client(&urls)), &insert())));
    assert_eq!((failing.request_count(), good.request_count()), (1, 1));

    let error = unavailable(decode(&decoder(client(&urls[..1])), &insert()));
    assert!(matches!(&error, RegistryError::Unreachable { url, .. } if *url == urls[0]), "{error}");
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let server = Server::start(answers(&schemas()));
    let credentials = Some(Credentials { user: "tide".to_owned(), password: "s3cret:x".to_owned() });
    let config = RegistryConfig { credentials, ..config(&[server.url()]) };
    let registry = Arc::new(Registry::new(&config).unwrap());
    assert!(!format!("{config:?} {registry:?}").contains("s3cret"));
    assert!(is_change(&decode(&decoder(registry), &insert())));
    // base64 of tide:s3cret:x
    assert_eq!(server.requests.lock().unwrap()[0].1.as_deref(), Some("Basic dGlkZTpzM2NyZXQ6eA=="));

    let refusing = status(401, r#"{"error_code":40101,"message":"Unauthorized"}"#);
    let config = RegistryConfig { urls: vec![refusing.url().parse().unwrap()], ..config };
    let error = unavailable(decode(&decoder(Arc::new(Registry::new(&config).unwrap())), &insert()));
    assert_eq!(error.to_string(), format!("schema registry {} refuses the credentials (status 401)", refusing.url()));
}

#[test]
fn answers_that_are_no_schemas_are_told_apart() {
    let failing = |body| unavailable(decode(&decoder(client(&[status(200, body).url()])), &insert()));
    assert!(matches!(failing("<html>sign in</html>"), RegistryError::Malformed { .. }));
    assert!(matches!(failing("{}"), RegistryError::Malformed { .. }));

    let unusable = |body: &str| bad(decode(&decoder(client(&[status(200, body).url()])), &insert())).detail;
    assert!(unusable(r#"{"schemaType":"PROTOBUF","schema":"syntax"}"#).ends_with("it is not Avro"));
    assert!(unusable(r#"{"schema":"not JSON"}"#).ends_with("it is not JSON"));
    assert!(
        unusable(r#"{"schema":"\"long\""}"#).contains("not Avro of")
            || unusable(r#"{"schema":"\"long\""}"#).contains("bytes follow")
    );
}

#[test]
fn schemas_that_refer_to_other_subjects_are_put_together() {
    let schemas: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(schemas()).unwrap()).unwrap();
    let mut envelope =
        schemas.into_iter().find(|entry| entry["subject"] == "sentinel.SentinelMock.dbo.Transaction-value").unwrap();
    // The row's record goes to a subject of its own; the envelope keeps its name.
    let row = envelope["schema"]["fields"][0]["type"][1].take();
    envelope["schema"]["fields"][0]["type"][1] = "sentinel.SentinelMock.dbo.Transaction.Value".into();
    let mut row = row;
    row["namespace"] = "sentinel.SentinelMock.dbo.Transaction".into();
    let reference = serde_json::json!({
        "name": "sentinel.SentinelMock.dbo.Transaction.Value", "subject": "rows/of transactions", "version": 3
    });
    let body = serde_json::json!({ "schema": envelope["schema"].to_string(), "references": [reference] }).to_string();
    let row = serde_json::json!({ "subject": "rows/of transactions", "version": 3, "schema": row.to_string() }).to_string();
    let server = Server::start(move |path| match path {
        "/schemas/ids/6" => Reply::Answer(200, body.clone()),
        "/subjects/rows%2Fof%20transactions/versions/3" => Reply::Answer(200, row.clone()),
        other => panic!("{other}"),
    });
    let whole = Server::start(answers(&self::schemas()));
    let record = insert();
    assert_eq!(decode(&decoder(client(&[server.url()])), &record), decode(&decoder(client(&[whole.url()])), &record));
    assert_eq!(server.request_count(), 2);
}

#[test]
fn broken_avro_is_a_bad_message() {
    let server = Server::start(answers(&schemas()));
    let decoder = decoder(client(&[server.url()]));
    let mut record = insert();
    let value = record.value.take().unwrap();
    assert!(value.len() > 200);
    for len in 1..value.len() {
        record.value = Some(value[..len].to_vec());
        assert_eq!(bad(decode(&decoder, &record)).reason, "avro", "{len}");
    }
    record.value = Some([&value[..], b"x"].concat());
    assert_eq!(bad(decode(&decoder, &record)).detail, "1 bytes follow the value of the registry's schema 6");
}

#[test]
fn a_schema_id_in_a_header_gets_its_own_reason() {
    let server = Server::start(answers(&schemas()));
    let mut record = insert();
    record.headers.push(("__value_schema_id".to_owned(), vec![1; 17]));
    let message = bad(decode(&decoder(client(&[server.url()])), &record));
    assert_eq!(message.reason, "schema");
    assert!(message.hint.unwrap().contains("PrefixSchemaIdSerializer"));
    assert_eq!(server.request_count(), 0);
}

#[test]
fn avro_without_a_registry_gets_the_hint_to_configure_one() {
    let message = bad(decode(&Decoder::new(&Formats::default()), &insert()));
    assert_eq!(message.reason, "not_json");
    assert!(message.hint.unwrap().contains("configure a schema registry"));
}

#[test]
fn json_is_still_read_where_a_registry_is_configured() {
    let server = Server::start(answers(&schemas()));
    let decoder = decoder(client(&[server.url()]));
    let (_, record) = corpus::lines("c").into_iter().find(|(line, _)| line.note == "insert Transaction").unwrap();
    assert!(is_change(&decode(&decoder, &record)));
    assert_eq!(server.request_count(), 0);
}

#[test]
fn an_avro_change_without_positions_is_told_apart_by_its_images() {
    let answers = answers(&schemas());
    let server = Server::start(answers);
    let decoder = decoder(client(&[server.url()]));
    let (_, record) = corpus::lines("i").into_iter().find(|(line, _)| line.note == "insert Transaction").unwrap();
    let blank = |counter: u8| {
        let mut record = OwnedRecord { key: None, headers: Vec::new(), origin: record.origin, value: record.value.clone() };
        let value = record.value.as_mut().unwrap();
        // The counter is the datum's first number; the source's change_lsn and event_serial_no become nulls.
        value[7] = value[7].wrapping_add(counter);
        let lsn = b"0000002d:00000a50:0003";
        let at = value.windows(lsn.len()).position(|window| window == lsn).unwrap();
        value.splice(at - 2..at + lsn.len(), [0]);
        let commit = b"0000002d:00000a50:0007";
        let at = value.windows(commit.len()).position(|window| window == commit).unwrap() + commit.len();
        value.splice(at..at + 2, [0]);
        match decode(&decoder, &record) {
            Decoded::Change(change) => {
                assert_eq!((change.body.position.change_lsn, change.body.position.event_serial_no), (None, None));
                change.identity
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(blank(0), blank(0));
    assert_ne!(blank(0), blank(2));
}

mod tls {
    use std::io::Write as _;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// A registry behind TLS with a certificate for localhost, and the PEM of the authority that signed it.
    fn server() -> (Server, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
            .unwrap();
        let config = Arc::new(config);
        let server = Server::start_with(answers(&schemas()), move |socket, serve| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            serve(&mut stream);
            stream.conn.send_close_notify();
            drop(stream.flush());
        });
        (server, authority.pem())
    }

    #[test]
    fn the_configured_authority_is_trusted_and_no_other() {
        let (server, pem) = server();
        let (_, other) = self::server();
        let url = format!("https://localhost:{}", server.address.rsplit(':').next().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let trusting = |pem: &str| {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, pem).unwrap();
            let config = RegistryConfig { ca_file: Some(path), ..config(std::slice::from_ref(&url)) };
            decode(&decoder(Arc::new(Registry::new(&config).unwrap())), &insert())
        };
        assert!(is_change(&trusting(&pem)));
        assert!(matches!(unavailable(trusting(&other)), RegistryError::Unreachable { .. }));
        assert!(matches!(
            unavailable(decode(&decoder(client(std::slice::from_ref(&url))), &insert())),
            RegistryError::Unreachable { .. }
        ));
    }

    #[test]
    fn a_file_without_certificates_is_found_at_start_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let registry = || Registry::new(&RegistryConfig { ca_file: Some(path.clone()), ..config(&["https://a".to_owned()]) });
        assert!(matches!(registry().unwrap_err(), RegistryConfigError::CaFile { .. }));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(registry().unwrap_err(), RegistryConfigError::NoCertificate { .. }));
    }
}
