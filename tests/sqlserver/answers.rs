//! What is answered: the same as from a profile file with the same rows.

use std::time::Duration;

use tidewaiter::domains::lending::expected::{Answer, Question, Schedule};
use tidewaiter::engine::lookup::{Fate, Lookup as _};
use tidewaiter::event::KeyCase;

use crate::book::{Book, Client, block_on, question, schema};
use crate::server::{Seen, Server};

/// Everything that rows can be like, and questions of every kind about them.
fn odd_book() -> (Book, Vec<Question>) {
    let mut book = Book::default();
    let numbers = ["FRH1", "frh2", "FRH3 ", "O'BRIEN", "A \"B\" ]", "É1", "X"];
    for number in &numbers {
        book.agreement(number, if *number == "X" { "NULL" } else { "'2026-01-05'" });
    }
    for (number, amount, on_going, deleted) in
        [("FRH1", "90.10", 0, 0), ("frh2", "-0.01", 1, 0), ("FRH3", "7.00", 1, 1), ("X", "NULL", 1, 0), ("ALONE", "0.00", 1, 0)]
    {
        book.custom(number, amount, on_going, deleted);
    }
    for (number, date, amount, kind, fallen_due) in [
        ("FRH1", "2026-01-31", "1.00", "Pay", "0"),
        ("FRH1", "2026-02-01", "2.25", "Pay", "0"),
        ("frh1 ", "2026-02-28", "4.50", "PAY ", "0"),
        ("FRH1", "2026-02-10", "8.00", "Fee", "1"),
        ("FRH1", "2026-02-11", "16.00", "Insurance", "0"),
        ("FRH1", "2026-03-01", "32.00", "Pay", "1"),
        ("FRH1", "2026-03-02", "64.00", "Pay", "0"),
        ("FRH1", "2026-03-02", "128.00", "pay", "0"),
        ("FRH1", "2026-03-03", "256.00", "Pay", "0"),
        ("FRH1", "2026-04-01", "512.00", "Fee", "0"),
        ("FRH1", "2027-01-01", "1024.00", "Fee", "0"),
        ("FRH3", "2026-02-10", "NULL", "Pay", "0"),
        ("FRH3", "2026-02-10", "3.00", "NULL", "0"),
        ("FRH3", "2026-02-10", "3.00", "Pay", "NULL"),
        ("FRH3", "NULL", "3.00", "Pay", "0"),
        ("O'BRIEN", "2026-02-28", "9999999999999999.99", "Pay", "0"),
        ("O'BRIEN", "2026-02-28", "-5.00", "Pay", "0"),
        ("A \"B\" ]", "2026-12-31", "11.00", "Pay", "0"),
        ("É1", "2026-02-02", "12.00", "Pay", "0"),
    ] {
        book.payment(number, date, amount, kind, fallen_due);
    }
    let mut questions = Vec::new();
    for number in
        ["FRH1", "FRH2", "FRH3", "O'BRIEN", "A \"B\" ]", "É1", "X", "ALONE", "NOBODY", "", "frh1", "FRH%", "FRH1' OR 1=1"]
    {
        for date in
            ["2025-12-31", "2026-01-01", "2026-02-15", "2026-03-31", "2026-12-01", "2027-02-01", "9999-12-31", "0001-01-01"]
        {
            questions.push(question(number, date));
        }
    }
    (book, questions)
}

fn assert_same(questions: &[Question], found: &[Answer], expected: &[Answer]) {
    assert_eq!(found.len(), expected.len());
    for ((question, found), expected) in questions.iter().zip(found).zip(expected) {
        // the calendar's last month is not asked about on the server, which has none after it
        if question.month.to_string() == "9999-12" {
            assert_eq!(*found.schedules, [], "{question:?}");
            continue;
        }
        // which of several spellings a type has hangs on the rows that were asked for; they are one type
        let spelled_alike = |answer: &Answer| {
            let folded = |schedule: &Schedule| Schedule { kind: schedule.kind.to_lowercase(), ..schedule.clone() };
            Answer { schedules: answer.schedules.iter().map(folded).collect(), ..answer.clone() }
        };
        assert_eq!(spelled_alike(found), spelled_alike(expected), "{question:?}");
        let scales = |answer: &Answer| -> Vec<_> {
            answer
                .schedules
                .iter()
                .flat_map(|s| [s.current, s.fallen_due])
                .flatten()
                .chain(answer.custom)
                .map(|d| d.scale())
                .collect()
        };
        assert_eq!(scales(found), scales(expected), "the decimals of {question:?}");
    }
    assert!(found.iter().any(|answer| answer.custom.is_some()) && found.iter().any(|answer| !answer.schedules.is_empty()));
}

#[test]
fn a_server_answers_as_a_profile_file_with_the_same_rows() {
    let (book, questions) = odd_book();
    let (server, file) = (book.server("decimal(18,2)"), book.file(2));
    for case in [KeyCase::Insensitive, KeyCase::Sensitive] {
        let client = Client { case, ..Client::to(&server) };
        // this server's collation is insensitive: to it frh1 is FRH1, and so are its due dates. `check --connect` finds such a pair
        let is_asked = |question: &&Question| case == KeyCase::Insensitive || question.agreement != "frh1";
        let questions: Vec<_> = questions.iter().filter(is_asked).cloned().collect();
        assert_same(&questions, &client.ask(&questions), &file.answers(case, &questions));
    }
}

#[test]
fn money_comes_exact_and_with_its_four_decimals() {
    let (mut book, questions) = odd_book();
    book.payments.retain(|row| !row[2].starts_with("9999"));
    book.payment("NOBODY", "2026-02-01", "922337203685477.5807", "Pay", "0");
    book.payment("ALONE", "2026-02-01", "-922337203685477.5808", "Pay", "0");
    book.payment("ALONE", "2026-02-01", "0.0001", "Pay", "0");
    let (server, file) = (book.server("money"), book.file(4));
    let client = Client::to(&server);
    assert_same(&questions, &client.ask(&questions), &file.answers(KeyCase::Insensitive, &questions));
    let largest = client.ask(&[question("NOBODY", "2026-02-01")]).remove(0);
    assert_eq!(largest.schedules[0].current.unwrap().to_string(), "922337203685477.5807");
}

#[test]
fn an_older_compatibility_level_is_asked_without_openjson_and_answers_alike() {
    let (book, questions) = odd_book();
    let (server, file) = (book.server("decimal(18,2)"), book.file(2));
    server.behave(|behaviour| behaviour.compatibility_level = Some(120));
    let client = Client::to(&server);
    assert_same(&questions, &client.ask(&questions), &file.answers(KeyCase::Insensitive, &questions));
    // 104 questions, in room for 200, number and month each
    assert!(server.seen().contains(&Seen::Expected(400)), "{:?}", server.seen());
}

#[test]
fn six_thousand_agreements_are_one_lookup_of_a_dozen_round_trips_on_a_few_connections() {
    let mut book = Book::default();
    let numbers: Vec<String> = (0..6_000).map(|n| format!("FRH{:07}", (n * 7_919) % 6_000)).collect();
    for number in &numbers {
        book.agreement(number, "'2020-01-01'");
        book.payment(
            number,
            "2026-02-03",
            &format!("{}.25", number[3..].trim_start_matches('0').parse().unwrap_or(0)),
            "Pay",
            "0",
        );
    }
    let (server, file) = (book.server("decimal(18,2)"), book.file(2));
    let questions: Vec<Question> = numbers.iter().map(|number| question(number, "2026-02-01")).collect();
    let mut client = Client::to(&server);
    // the embedded Sentinel is slow with so many; what is late is asked again
    client.config.connect_timeout = Duration::from_mins(3);
    client.config.query_timeout = Duration::from_mins(3);
    client.config.deadline = Duration::from_mins(10);
    let answers = client.ask(&questions);
    assert!(answers == file.answers(KeyCase::Insensitive, &questions));
    assert_eq!(answers.iter().filter(|answer| answer.schedules[0].current.is_some()).count(), 6_000);
    assert_eq!(server.lookups(), 12);
    assert!(server.logins() <= client.config.connections, "{}", server.logins());
}

#[test]
fn a_number_that_is_too_long_is_not_cut_to_one_that_is_there() {
    let mut book = Book::default();
    book.agreement("ABCDEFGHIJKLMNOPQRST", "'2020-01-01'");
    let server = book.server("decimal(18,2)");
    let client = Client::to(&server);
    let asked =
        ["ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNOPQRSTU", "ABCDEFGHIJKLMNOPQRST "].map(|number| question(number, "2026-02-01"));
    let found: Vec<bool> = client.ask(&asked).iter().map(|answer| answer.agreement.is_some()).collect();
    assert_eq!(found, [true, false, false]);
}

#[test]
fn tables_and_columns_may_have_any_name() {
    let setup = schema("decimal(18,2)")
        .replace("dbo.Agreement", "dbo.[All ]] agreements]")
        .replace("PayProDate", "[Due date]")
        .replace("CPAmount", "[x' ; DROP TABLE x]");
    let mut book = Book::default();
    book.agreement("FRH1", "'2020-01-01'");
    book.custom("FRH1", "5.00", 1, 0);
    book.payment("FRH1", "2026-02-03", "4.00", "Pay", "0");
    let inserts = book
        .inserts()
        .replace("INTO Agreement", "INTO [All ]] agreements]")
        .replace("PayProDate", "[Due date]")
        .replace("CPAmount", "[x' ; DROP TABLE x]");
    let server = Server::start(&(setup + &inserts));
    let toml = "[source]\nprefix = \"s\"\ndatabase = \"d\"\n[kafka]\nbootstrap_servers = \"b:1\"\n[expected.sqlserver]\nhost = \"h\"\n\
         database = \"d\"\nuser = \"u\"\npassword = { env = \"P\" }\n[expected.sqlserver.names]\nagreement = \"All ] agreements\"\n\
         [expected.sqlserver.names.columns]\nPayProDate = \"Due date\"\nCPAmount = \"x' ; DROP TABLE x\"\n";
    let config = tidewaiter::config::DaemonConfig::parse("t", toml, std::path::Path::new(""), &[]).unwrap();
    let tidewaiter::config::daemon::Book::SqlServer(named) = config.expected.book else { panic!() };
    let mut client = Client::to(&server);
    client.config.names = named.names;
    let answer = client.ask(&[question("FRH1", "2026-02-01")]).remove(0);
    assert!(answer.agreement.is_some() && answer.custom.is_some() && answer.schedules[0].current.is_some());
}

#[test]
fn what_is_not_there_stops_with_its_name_and_what_to_do() {
    let asked = [question("FRH1", "2026-02-01")];
    let server = Server::start(&schema("decimal(18,2)").replace("CPAmount", "Amount"));
    let error = Client::to(&server).try_ask(&asked).unwrap_err();
    assert_eq!(error.fate, Fate::Stop);
    assert!(error.detail.contains("207") && error.detail.contains("CPAmount"), "{}", error.detail);
    assert!(error.hint.unwrap().contains("names.columns"));
    let server = Server::start(&schema("decimal(18,2)").replace("dbo.PaymentProfile", "dbo.Profile"));
    let error = Client::to(&server).try_ask(&asked).unwrap_err();
    assert!(error.fate == Fate::Stop && error.detail.contains("208"), "{}", error.detail);
}

#[test]
fn amounts_in_a_binary_float_are_refused() {
    let server = Server::start(&schema("float"));
    let error = Client::to(&server).try_ask(&[question("FRH1", "2026-02-01")]).unwrap_err();
    assert_eq!(error.fate, Fate::Stop);
    assert!(error.detail.contains("CustomProfile.CPAmount"), "{}", error.detail);
}

#[test]
fn what_the_tables_are_like_is_asked_once_and_again_when_something_no_longer_fits() {
    let (book, questions) = odd_book();
    let server = book.server("decimal(18,2)");
    let client = Client::to(&server);
    let shapes = |server: &Server| server.seen().iter().filter(|seen| **seen == Seen::Shape).count();
    block_on(async {
        let asker = client.book();
        for _ in 0..3 {
            asker.lookup(&questions[..10]).await.unwrap();
        }
        assert_eq!(shapes(&server), 1);
        // as a column that was dropped and made anew
        server.behave(|behaviour| behaviour.errors = vec![(207, 16)]);
        asker.lookup(&questions[..10]).await.unwrap();
        assert_eq!(shapes(&server), 2);
    });
}

#[test]
fn nothing_to_ask_asks_nothing() {
    let server = Server::start(&schema("decimal(18,2)"));
    assert_eq!(Client::to(&server).ask(&[]), []);
    assert_eq!(server.logins(), 0);
}
