//! The whole book: copied to a file, read into the cache, looked at before the start.

use std::process::Command;

use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::event::KeyCase;
use tidewaiter::time::Month;

use crate::book::{Book, Client, File, block_on, question};
use crate::server::{PASSWORD, Server};

fn book() -> (Book, Vec<Question>) {
    let mut book = Book::default();
    let numbers: Vec<String> = (0..300).map(|n| format!("FRH{n:07}")).chain(["frh'x ".to_owned()]).collect();
    for (n, number) in numbers.iter().enumerate() {
        book.agreement(number, if n % 3 == 0 { "NULL" } else { "'2026-02-05'" });
        book.payment(number, "2026-02-03", &format!("{n}.25"), "Pay", "0");
        book.payment(number, "2026-02-04", "NULL", "Fee", "1");
        book.payment(number, "2026-04-04", "3.00", "Pay", "0");
        book.payment(number, "2026-05-04", "4.00", "Fee", "0");
        if n % 5 == 0 {
            book.custom(number, &format!("{n}.50"), u8::from(n % 2 == 0), 0);
        }
    }
    book.payment("NO AGREEMENT", "2026-02-03", "1.00", "Pay", "0");
    let questions = |date| {
        numbers
            .iter()
            .chain([&"NO AGREEMENT".to_owned()])
            .map(|n| question(&n.trim_end().to_uppercase(), date))
            .collect::<Vec<_>>()
    };
    let questions = ["2026-01-01", "2026-02-01", "2026-03-01"].into_iter().flat_map(questions).collect();
    (book, questions)
}

/// The daemon's configuration for this server, in a folder of its own.
fn config(server: &Server) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    std::fs::write(folder.path().join("ca.pem"), &server.authority).unwrap();
    let port = server.address.port();
    let toml = format!(
        "[source]\nprefix = \"s\"\ndatabase = \"Book\"\n[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n[expected.sqlserver]\nhost = \"localhost\"\n\
         port = {port}\ndatabase = \"Book\"\nuser = \"tidewaiter\"\npassword = {{ file = \"password\" }}\nca_file = \"ca.pem\"\n"
    );
    std::fs::write(folder.path().join("tidewaiter.toml"), toml).unwrap();
    folder
}

fn tidewaiter(arguments: &[&str], folder: &tempfile::TempDir) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidewaiter")).args(arguments).current_dir(folder.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const EXPORT: [&str; 6] = ["profiles", "export", "--config", "tidewaiter.toml", "--out", "book.sqlite"];

#[test]
fn an_exported_file_answers_as_the_server_does_and_holds_no_other_column() {
    let (book, questions) = book();
    let server = book.server("decimal(18,2)");
    let folder = config(&server);
    let (code, stdout, stderr) = tidewaiter(&EXPORT, &folder);
    assert_eq!(code, Some(0), "{stderr}");
    let rows = book.agreements.len() + book.custom_profiles.len() + book.payments.len();
    assert!(stdout.starts_with(&format!("book.sqlite: {rows} rows, ")), "{stdout}");
    let path = folder.path().join("book.sqlite");
    let exported = File::at(path.clone()).answers(KeyCase::Insensitive, &questions);
    assert!(exported == Client::to(&server).ask(&questions));
    assert!(exported == book.file(2).answers(KeyCase::Insensitive, &questions));
    let connection = rusqlite::Connection::open(&path).unwrap();
    let columns: String =
        connection.query_row("SELECT group_concat(sql) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0)).unwrap();
    assert!(!columns.contains("Bank"), "{columns}");
}

#[test]
fn an_export_that_fails_leaves_the_file_that_was_there_and_no_other() {
    let (book, _) = book();
    let server = book.server("decimal(18,2)");
    let folder = config(&server);
    std::fs::write(folder.path().join("book.sqlite"), "old").unwrap();
    // the copy is the last statement: it is cut off in its middle
    server.behave(|behaviour| behaviour.cut_export_after = Some(20_000));
    let (code, _, stderr) = tidewaiter(&EXPORT, &folder);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("SQL Server localhost:"), "{stderr}");
    assert_eq!(std::fs::read_to_string(folder.path().join("book.sqlite")).unwrap(), "old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "the configuration's three files and the old one");
}

#[test]
fn a_month_of_the_whole_book_is_what_single_questions_give() {
    let (book, questions) = book();
    let server = book.server("money");
    let month = Month::of("2026-02-15".parse().unwrap());
    let questions: Vec<Question> = questions.into_iter().filter(|question| question.month == month).collect();
    let client = Client::to(&server);
    let mut whole: Vec<(Question, Answer)> = Vec::new();
    block_on(client.book().whole_month(month, |question, answer| whole.push((question, answer)))).unwrap();
    whole.sort_by(|a, b| a.0.agreement.cmp(&b.0.agreement));
    let mut single: Vec<(Question, Answer)> = questions.iter().cloned().zip(client.ask(&questions)).collect();
    single.sort_by(|a, b| a.0.agreement.cmp(&b.0.agreement));
    assert_eq!(whole.len(), 302);
    assert!(whole == single);
}

#[test]
fn check_connect_asks_the_server_what_the_daemon_would() {
    let (book, _) = book();
    let server = book.server("decimal(18,2)");
    let folder = config(&server);
    let check = ["check", "--connect", "--config", "tidewaiter.toml"];
    let (_, stdout, stderr) = tidewaiter(&check, &folder);
    assert!(stdout.contains("ok: SQL Server localhost:") && stdout.contains("all columns can be read"), "{stdout}{stderr}");
    server.run("DROP TABLE dbo.CustomProfile;");
    let (code, stdout, _) = tidewaiter(&check, &folder);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("problem: SQL Server localhost:") && stdout.contains("error 208"), "{stdout}");
    std::fs::remove_file(folder.path().join("password")).unwrap();
    let (_, stdout, stderr) = tidewaiter(&["check", "--config", "tidewaiter.toml"], &folder);
    assert!(format!("{stdout}{stderr}").contains("expected.sqlserver.password"), "{stdout}{stderr}");
}
