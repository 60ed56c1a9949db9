//! How connections come about, and who is refused.

use std::time::Duration;

use tidewaiter::config::daemon::{Login, Trust};
use tidewaiter::domains::lending::expected::Question;
use tidewaiter::engine::lookup::{Fate, Lookup as _, LookupError};

use crate::book::{Book, Client, block_on, question};
use crate::server::{Seen, Server};

fn server() -> Server {
    let mut book = Book::default();
    book.agreement("FRH1", "'2020-01-01'");
    book.server("decimal(18,2)")
}

fn asked() -> [Question; 1] {
    [question("FRH1", "2026-02-01")]
}

fn refused(client: &Client) -> LookupError {
    let error = client.try_ask(&asked()).unwrap_err();
    assert_eq!(error.fate, Fate::Retry, "nothing is lost by waiting: {error}");
    error
}

#[test]
fn the_login_and_all_that_follows_are_encrypted() {
    let server = server();
    assert!(Client::to(&server).ask(&asked())[0].agreement.is_some());
    assert_eq!(server.seen()[..3], [Seen::Login { encrypted: true }, Seen::Settings, Seen::Shape]);
}

#[test]
fn a_server_that_will_not_encrypt_gets_no_password() {
    let server = server();
    server.behave(|behaviour| behaviour.refuses_to_encrypt = true);
    let error = refused(&Client::to(&server));
    assert!(error.detail.contains("will not encrypt"), "{error}");
    assert_eq!(server.seen(), []);
}

#[test]
fn a_certificate_of_nobodys_or_for_another_host_is_refused_unless_anybody_is_trusted() {
    let server = server();
    let mut client = Client::to(&server);
    let ours = client.config.tls.trust.clone();
    client.config.tls.trust = Trust::Authorities(None);
    let error = refused(&client);
    assert!(error.detail.contains("TLS failed") && error.detail.contains("ca_file"), "{error}");
    client.config.tls.trust = ours;
    client.config.tls.certificate_name = Some("sql.example".to_owned());
    assert!(refused(&client).detail.contains("TLS failed"));
    assert_eq!(server.seen(), [], "nobody has logged in");
    client.config.tls.certificate_name = Some("localhost".to_owned());
    client.config.host = "127.0.0.1".to_owned();
    assert!(client.ask(&asked())[0].agreement.is_some(), "the name that is configured counts, not the host's");
    client.config.tls.certificate_name = None;
    client.config.tls.trust = Trust::Anybody;
    assert!(client.ask(&asked())[0].agreement.is_some());
}

#[test]
fn a_login_that_is_refused_waits_for_a_person_and_is_not_repeated_at_once() {
    let server = server();
    let client = Client::to(&server);
    client.set_password("wrong");
    block_on(async {
        let book = client.book();
        let error = book.lookup(&asked()).await.unwrap_err();
        assert_eq!(error.fate, Fate::Retry);
        assert!(error.detail.contains("18456") && error.detail.contains("check the user"), "{error}");
        assert!(!error.detail.contains("wrong"), "{error}");
        for _ in 0..5 {
            let error = book.lookup(&asked()).await.unwrap_err();
            assert!(error.detail.contains("18456") && error.detail.contains("not asked again just now"), "{error}");
        }
        assert_eq!(server.logins(), 1, "a lock-out policy counts them");
    });
}

#[test]
fn a_password_that_was_changed_on_both_sides_needs_no_restart() {
    let server = server();
    let client = Client::to(&server);
    block_on(async {
        client.set_password("old");
        let book = client.book();
        assert!(book.lookup(&asked()).await.is_err());
        client.set_password(crate::server::PASSWORD);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
        assert!(book.lookup(&asked()).await.unwrap()[0].agreement.is_some());
    });
}

#[test]
fn a_secret_that_is_not_there_is_waited_for() {
    let server = server();
    let mut client = Client::to(&server);
    let gone = tidewaiter::config::Secret::Env("TIDEWAITER_TEST_NOWHERE".to_owned());
    client.config.login = Login::Sql { user: "x".to_owned(), password: gone };
    assert!(refused(&client).detail.contains("TIDEWAITER_TEST_NOWHERE"));
}

#[test]
fn a_server_that_routes_elsewhere_is_followed_but_not_in_a_circle() {
    let (gateway, server) = (server(), server());
    gateway.behave(|behaviour| behaviour.route = Some(("localhost\\INSTANCE".to_owned(), server.address.port())));
    let mut client = Client::to(&gateway);
    client.config.tls.trust = Trust::Anybody;
    assert!(client.ask(&asked())[0].agreement.is_some());
    assert_eq!((gateway.logins(), gateway.lookups(), server.lookups()), (1, 0, 1));
    server.behave(|behaviour| behaviour.route = Some(("localhost".to_owned(), gateway.address.port())));
    assert!(refused(&client).detail.contains("in a circle"));
}

#[test]
fn a_deadlock_is_repeated_at_once_and_what_is_wrong_is_not() {
    let server = server();
    let client = Client::to(&server);
    server.behave(|behaviour| behaviour.errors = vec![(1205, 13), (40613, 17)]);
    assert!(client.ask(&asked())[0].agreement.is_some());
    server.behave(|behaviour| behaviour.errors = vec![(245, 16), (245, 16)]);
    let error = client.try_ask(&asked()).unwrap_err();
    assert_eq!(error.fate, Fate::Stop);
    assert!(error.detail.contains("error 245") && !error.detail.contains("FRH"), "no row's value is told: {error}");
    server.behave(|behaviour| behaviour.errors = vec![(229, 14), (229, 14)]);
    let error = client.try_ask(&asked()).unwrap_err();
    assert!(error.fate == Fate::Stop && error.hint.unwrap().contains("GRANT SELECT"));
}

#[test]
fn throttling_that_lasts_is_given_back_to_be_repeated_later() {
    let server = server();
    server.behave(|behaviour| behaviour.errors = vec![(40501, 20); 100]);
    let error = Client::to(&server).try_ask(&asked()).unwrap_err();
    assert_eq!(error.fate, Fate::Retry);
    assert_eq!(
        server.seen().iter().filter(|seen| **seen == Seen::Shape).count(),
        3,
        "it is throttled: no more than a few attempts"
    );
}
