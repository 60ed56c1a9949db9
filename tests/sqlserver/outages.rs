//! What becomes of questions while the server, or the way to it, fails: nothing is lost and nothing guessed.

use std::time::{Duration, Instant};

use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::sqlserver::ServerBook;
use tidewaiter::engine::lookup::{Fate, Lookup as _};
use tidewaiter::event::KeyCase;

use crate::book::{Book, Client, block_on, question};
use crate::proxy::{Mode, Proxy};
use crate::server::Server;

const AGREEMENTS: usize = 120;

struct Rig {
    server: Server,
    proxy: Proxy,
    client: Client,
    questions: Vec<Question>,
    /// What the book says.
    truth: Vec<Answer>,
}

/// Answers of several packets, asked for in several round trips.
fn rig() -> Rig {
    let mut book = Book::default();
    let numbers: Vec<String> = (0..AGREEMENTS).map(|n| format!("FRH{n:07}")).collect();
    for (n, number) in numbers.iter().enumerate() {
        book.agreement(number, "'2020-01-01'");
        for day in 1..=3 {
            book.payment(number, &format!("2026-02-0{day}"), &format!("{n}.{day}0"), "Pay", "0");
        }
    }
    let (server, file) = (book.server("decimal(18,2)"), book.file(2));
    let proxy = Proxy::start(server.address);
    let questions: Vec<Question> = numbers.iter().map(|number| question(number, "2026-02-01")).collect();
    let truth = file.answers(KeyCase::Insensitive, &questions);
    let mut client = Client::of(&server, proxy.address.port());
    client.config.batch = 50;
    client.config.connections = 2;
    client.config.query_timeout = Duration::from_secs(2);
    client.config.connect_timeout = Duration::from_secs(2);
    client.config.deadline = Duration::from_secs(6);
    Rig { server, proxy, client, questions, truth }
}

/// As the pipeline does it: the same questions again, after a pause, until they are answered. Gives how often it took.
async fn until_answered(book: &ServerBook, rig: &Rig) -> usize {
    for attempt in 1..200 {
        match book.lookup(&rig.questions).await {
            Ok(answers) => {
                assert!(answers == rig.truth, "an answer was guessed");
                return attempt;
            }
            Err(error) => assert_eq!(error.fate, Fate::Retry, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server is back, but nobody asks it");
}

#[test]
fn a_slow_server_is_waited_for() {
    let rig = rig();
    rig.server.behave(|behaviour| behaviour.delay = Duration::from_millis(300));
    rig.proxy.set(Mode::Slow(Duration::from_millis(30)));
    block_on(async {
        assert_eq!(until_answered(&rig.client.book(), &rig).await, 1);
    });
}

#[test]
fn an_answer_that_is_cut_off_anywhere_is_no_answer() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        until_answered(&book, &rig).await;
        // through the first packets of an answer, and some steps into the later ones
        for bytes in (0..200).step_by(23).chain((200..12_000).step_by(1_733)) {
            rig.server.behave(|behaviour| behaviour.cut_after = Some(bytes));
            until_answered(&book, &rig).await;
        }
    });
}

#[test]
fn a_connection_that_is_reset_within_tls_is_thrown_away_and_the_question_asked_again() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        until_answered(&book, &rig).await;
        for bytes in [0, 1, 500, 4_000, 9_000] {
            rig.proxy.cut_after(bytes);
            until_answered(&book, &rig).await;
            assert!(rig.proxy.has_cut(), "{bytes}");
        }
    });
}

#[test]
fn a_connection_that_hangs_half_open_costs_one_time_out() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        until_answered(&book, &rig).await;
        rig.proxy.set(Mode::Silent);
        let begun = Instant::now();
        let error = book.lookup(&rig.questions).await.unwrap_err();
        assert_eq!(error.fate, Fate::Retry);
        assert!(begun.elapsed() < rig.client.config.deadline + Duration::from_secs(2), "{:?}", begun.elapsed());
        rig.proxy.set(Mode::Pass);
        until_answered(&book, &rig).await;
    });
}

#[test]
fn a_lookup_that_is_given_up_half_way_leaves_nothing_behind_that_a_later_one_could_read() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        until_answered(&book, &rig).await;
        rig.server.behave(|behaviour| behaviour.delay = Duration::from_millis(40));
        for _ in 0..10 {
            // as a batch whose partitions are revoked
            assert!(tokio::time::timeout(Duration::from_millis(60), book.lookup(&rig.questions)).await.is_err());
        }
        rig.server.behave(|behaviour| behaviour.delay = Duration::ZERO);
        assert_eq!(until_answered(&book, &rig).await, 1);
    });
}

#[test]
fn a_server_that_is_away_is_asked_rarely_and_its_return_is_no_stampede() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        until_answered(&book, &rig).await;
        rig.proxy.set(Mode::Down);
        let (logins, begun) = (rig.server.logins(), Instant::now());
        let mut refusals = 0;
        while begun.elapsed() < Duration::from_secs(3) {
            let error = book.lookup(&rig.questions).await.unwrap_err();
            refusals += usize::from(error.detail.contains("not asked again just now"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(refusals > 50, "{refusals}");
        rig.proxy.set(Mode::Pass);
        until_answered(&book, &rig).await;
        let came = rig.server.logins() - logins;
        assert!(came <= rig.client.config.connections, "{came} connections at its return");
    });
}

#[test]
fn through_failures_of_every_kind_everything_is_answered_as_without_them() {
    let rig = rig();
    block_on(async {
        let book = rig.client.book();
        for round in 0..6 {
            match round {
                0 => rig.server.behave(|behaviour| behaviour.errors = vec![(1205, 13); 4]),
                1 => rig.proxy.cut_after(3_000),
                2 => rig.proxy.set(Mode::Down),
                3 => rig.server.behave(|behaviour| behaviour.errors = vec![(40613, 17); 3]),
                4 => rig.proxy.set(Mode::Slow(Duration::from_millis(20))),
                _ => rig.server.behave(|behaviour| behaviour.cut_after = Some(100)),
            }
            let proxy = &rig.proxy;
            let recovers = async {
                tokio::time::sleep(Duration::from_millis(400)).await;
                proxy.set(Mode::Pass);
            };
            tokio::join!(until_answered(&book, &rig), recovers);
        }
    });
}
