//! Profile files: what is answered from them, and what is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use futures::executor::block_on;
use rust_decimal::Decimal;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::profiles::{Profiles, Timelines};
use tidewaiter::engine::lookup::{Fate, Lookup, LookupError};
use tidewaiter::event::KeyCase;
use tidewaiter::time::Month;

const SCHEMA: &str = "
    CREATE TABLE Agreement (AgreementNumber TEXT PRIMARY KEY, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT);
    CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT NOT NULL, PayProDate TEXT NOT NULL,
        PayProNetAmount TEXT, PayProType TEXT NOT NULL, PayProFallenDue INTEGER NOT NULL);
    CREATE TABLE CustomProfile (CPAgreement TEXT PRIMARY KEY, CPAmount TEXT, CPOnGoing INTEGER NOT NULL, CPDeleted INTEGER NOT NULL);";

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// A profile file with these statements run on it.
fn file(schema: &str, rows: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profiles.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch(&format!("{schema}{rows}")).unwrap();
    File { _folder: folder, path }
}

fn payments(rows: &[(&str, &str, &str, &str, u8)]) -> String {
    let row = |(number, date, amount, kind, fallen): &(&str, &str, &str, &str, u8)| {
        format!(
            "INSERT INTO PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType, PayProFallenDue)
             VALUES ('{number}', '{date}', {amount}, '{kind}', {fallen});"
        )
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn question(agreement: &str, date: &str) -> Question {
    Question { agreement: agreement.into(), month: Month::of(date.parse().unwrap()) }
}

/// Asks both kinds, which must agree.
fn try_ask(path: &Path, case: KeyCase, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
    let answers = block_on(Profiles::open(path, case).unwrap().lookup(questions));
    let from_timelines = block_on(Timelines::open(path, case, 1 << 20).unwrap().lookup(questions));
    assert_eq!(format!("{from_timelines:?}"), format!("{answers:?}"));
    answers
}

fn ask(file: &File, agreement: &str, date: &str) -> Answer {
    try_ask(&file.path, KeyCase::Insensitive, &[question(agreement, date)]).unwrap().remove(0)
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn a_month_holds_its_first_and_its_last_day_and_no_other() {
    let rows = payments(&[
        ("A", "2026-01-31", "'1.00'", "Pay", 0),
        ("A", "2026-02-01", "'2.00'", "Pay", 0),
        ("A", "2026-02-28", "'4.00'", "Pay", 0),
        ("A", "2026-03-01", "'8.00'", "Pay", 0),
        ("A", "2026-12-31", "'16.00'", "Pay", 0),
        ("A", "2027-01-01", "'32.00'", "Pay", 0),
    ]);
    let file = file(SCHEMA, &rows);
    let of = |date| {
        let schedule = ask(&file, "A", date).schedules[0].clone();
        (schedule.current, schedule.next_due)
    };
    assert_eq!(of("2026-02-10"), (Some(dec("6.00")), Some((day("2026-03-01"), dec("8.00")))));
    assert_eq!(of("2026-12-31"), (Some(dec("16.00")), Some((day("2027-01-01"), dec("32.00")))));
    assert_eq!(of("2027-01-31"), (Some(dec("32.00")), None));
}

#[test]
fn fallen_due_rows_are_summed_apart_and_the_next_due_date_has_only_rows_that_are_not() {
    let rows = payments(&[
        ("A", "2026-02-03", "'1.00'", "Pay", 1),
        ("A", "2026-02-05", "'2.005'", "Pay", 1),
        ("A", "2026-03-01", "'4.00'", "Pay", 1),
        ("A", "2026-03-02", "'8.00'", "Pay", 0),
        ("A", "2026-03-02", "'16.00'", "Pay", 0),
        ("A", "2026-03-02", "'32.00'", "Pay", 1),
        ("A", "2026-03-03", "'64.00'", "Pay", 0),
        ("A", "2026-03-01", "'0.50'", "Fee", 0),
    ]);
    let answer = ask(&file(SCHEMA, &rows), "A", "2026-02-10");
    let [fee, pay] = &*answer.schedules else { panic!("{answer:?}") };
    assert_eq!((pay.kind.as_str(), fee.kind.as_str()), ("Pay", "Fee"));
    assert_eq!((pay.current, pay.fallen_due), (None, Some(dec("3.005"))));
    assert_eq!(pay.fallen_due.unwrap().scale(), 3, "the most decimals of the addends");
    assert_eq!(pay.next_due, Some((day("2026-03-02"), dec("24.00"))));
    assert_eq!(fee.next_due, Some((day("2026-03-01"), dec("0.50"))));
}

#[test]
fn a_custom_profile_counts_while_it_is_ongoing_and_not_deleted() {
    let rows = "INSERT INTO CustomProfile VALUES ('ON', '90.00', 1, 0), ('OVER', '90.00', 0, 0), ('GONE', '90.00', 1, 1), ('ZERO', '0.00', 1, 0);";
    let file = file(SCHEMA, rows);
    let custom = |agreement| ask(&file, agreement, "2026-02-10").custom;
    assert_eq!(["ON", "OVER", "GONE", "ZERO", "NONE"].map(custom), [Some(dec("90")), None, None, Some(dec("0")), None]);
}

#[test]
fn numbers_compare_as_sql_server_compares_them_in_all_three_tables() {
    let rows = payments(&[
        ("frh1  ", "2026-02-03", "'1.00'", "Pay", 0),
        ("FRH1", "2026-02-04", "'2.00'", "PAY ", 0),
        ("FRH1 ", "2026-02-05", "'4.00'", "Fee", 0),
    ]);
    let rows = format!(
        "{rows} INSERT INTO Agreement VALUES ('Frh1 ', 'C1', 'C1 C2', 113, '2025-01-01');
         INSERT INTO CustomProfile VALUES ('fRH1', '9.00', 1, 0);"
    );
    let file = file(SCHEMA, &rows);
    let answer = ask(&file, "FRH1", "2026-02-10");
    assert_eq!(answer.custom, Some(dec("9.00")));
    let row = answer.agreement.unwrap();
    assert_eq!(
        (row.customer_number.as_deref(), row.borrowers.as_deref(), row.agreement_type),
        (Some("C1"), Some("C1 C2"), Some(113))
    );
    let sums: Vec<_> =
        answer.schedules.iter().map(|schedule| (schedule.kind.to_uppercase().to_string(), schedule.current)).collect();
    assert_eq!(sums, [("FEE".to_owned(), Some(dec("4.00"))), ("PAY".to_owned(), Some(dec("3.00")))]);

    let sensitive = try_ask(&file.path, KeyCase::Sensitive, &[question("FRH1", "2026-02-10")]).unwrap().remove(0);
    assert_eq!((sensitive.agreement, sensitive.custom), (None, None));
    let sums: Vec<_> = sensitive.schedules.iter().map(|schedule| schedule.current).collect();
    assert_eq!(sums, [Some(dec("4.00")), Some(dec("2.00"))], "blanks never count");
}

#[test]
fn many_questions_are_answered_in_their_order_with_and_without_an_index() {
    for index in ["", "CREATE INDEX i ON PaymentProfile (PayProAgreementNumber);"] {
        let numbers: Vec<String> = (0..6_000).map(|n| format!("FRH{:07}", (n * 7_919) % 6_000)).collect();
        let mut rows = String::from("BEGIN;");
        for number in &numbers {
            let amount = &number[3..];
            writeln!(rows, "INSERT INTO PaymentProfile VALUES (NULL, '{number}', '2026-02-03', '{amount}.25', 'Pay', 0);")
                .unwrap();
        }
        let file = file(SCHEMA, &format!("{index}{rows}COMMIT;"));
        let questions: Vec<_> = numbers.iter().map(|number| question(number, "2026-02-01")).collect();
        let answers = try_ask(&file.path, KeyCase::Insensitive, &questions).unwrap();
        assert_eq!(answers.len(), questions.len());
        for (number, answer) in numbers.iter().zip(answers) {
            assert_eq!(
                answer.schedules[0].current,
                Some(dec(&format!("{}.25", number[3..].trim_start_matches('0').parse::<u32>().unwrap_or(0))))
            );
        }
        assert_eq!(try_ask(&file.path, KeyCase::Insensitive, &[]).unwrap(), []);
    }
}

#[test]
fn a_cell_that_holds_no_exact_amount_stops_and_is_named_without_its_value() {
    for (amount, problem) in [("12.5", "floating-point"), ("'12,50'", "decimal"), ("x'00'", "blob")] {
        // a column of no type keeps what it is given
        let schema = SCHEMA.replace("PayProNetAmount TEXT", "PayProNetAmount");
        let file = file(&schema, &payments(&[("A", "2026-02-03", "'1.00'", "Pay", 0), ("A", "2026-02-04", amount, "Pay", 0)]));
        let error = try_ask(&file.path, KeyCase::Insensitive, &[question("A", "2026-02-10")]).unwrap_err();
        assert_eq!(error.fate, Fate::Stop);
        for part in ["PaymentProfile.PayProNetAmount", "2", problem] {
            assert!(error.detail.contains(part), "{part}: {}", error.detail);
        }
        assert!(!error.detail.contains("12"), "{}", error.detail);
    }
}

#[test]
fn an_amount_that_is_null_counts_as_a_row_of_zero() {
    let file = file(SCHEMA, &payments(&[("A", "2026-02-03", "NULL", "Pay", 0)]));
    assert_eq!(ask(&file, "A", "2026-02-10").schedules[0].current, Some(dec("0")));
}

#[test]
fn what_is_wrong_with_a_file_is_said_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Profiles::open(path, KeyCase::Insensitive).unwrap_err().to_string();
    let missing = folder.path().join("missing.sqlite");
    assert!(open(&missing).contains("missing.sqlite"));
    assert!(!missing.exists(), "it must not be created");
    let text = folder.path().join("text.sqlite");
    std::fs::write(&text, "this is not a database, whatever its name says").unwrap();
    assert!(open(&text).contains("not an SQLite database"));
    let no_table = file(&SCHEMA.replace("CREATE TABLE CustomProfile", "CREATE TABLE Other"), "");
    assert!(open(&no_table.path).contains("no table CustomProfile"));
    let no_column = file(&SCHEMA.replace("PayProFallenDue", "FallenDue"), "");
    assert!(open(&no_column.path).contains("PaymentProfile lacks PayProFallenDue"));
}

#[test]
fn of_several_spellings_the_normal_one_is_taken_and_then_the_first_row() {
    let schema = SCHEMA.replace("AgreementNumber TEXT PRIMARY KEY", "AgreementNumber TEXT");
    let indexed = format!("{schema} CREATE INDEX i ON Agreement (AgreementNumber, AgreementCustomerNumber);");
    let rows = "INSERT INTO Agreement VALUES
            ('a ', 'C1', NULL, 1, NULL), ('A', 'C9', NULL, 2, NULL), ('A', 'C3', NULL, 3, NULL),
            ('b  ', 'C4', NULL, 4, NULL), ('B ', 'C5', NULL, 5, NULL);
        INSERT INTO CustomProfile VALUES
            ('A', '1.00', 0, 0), ('a  ', '2.00', 1, 1), ('a', '3.00', 1, 0), ('A ', '4.00', 1, 0);";
    for schema in [indexed, schema] {
        let file = file(&schema, rows);
        let customer =
            |agreement| ask(&file, agreement, "2026-02-10").agreement.and_then(|row| row.customer_number).unwrap_or_default();
        assert_eq!(customer("A"), "C9", "the exact spelling's first row, not the first row");
        assert_eq!(customer("B"), "C4", "the first row, not the first spelling in byte order");
        assert_eq!(ask(&file, "A", "2026-02-10").custom, Some(dec("3.00")), "the first row that is ongoing and not deleted");
    }
}

/// Three rows of one agreement in three spellings, in tables of every make.
#[test]
fn any_make_of_table_gives_every_row_once() {
    let rows = "
        INSERT INTO Agreement VALUES ('frh1', 'C1', NULL, 113, '2025-01-01');
        INSERT INTO CustomProfile VALUES ('FRH1 ', '9.00', 1, 0);";
    let payments = payments(&[
        ("FRH1", "2026-02-03", "'1.00'", "Pay", 0),
        ("frh1", "2026-02-04", "'2.00'", "Pay", 0),
        ("FRH1  ", "2026-02-05", "'4.00'", "Pay", 0),
    ]);
    let index = "CREATE INDEX i ON PaymentProfile (PayProAgreementNumber";
    let number = "PayProAgreementNumber TEXT NOT NULL";
    let renamed = SCHEMA.replace("TABLE PaymentProfile", "TABLE Rows");
    for (make, schema, after) in [
        ("plain", SCHEMA.to_owned(), ""),
        ("indexed", format!("{SCHEMA} {index});"), ""),
        ("descending", format!("{SCHEMA} {index} DESC, PayProDate);"), ""),
        ("part of it indexed", format!("{SCHEMA} {index}) WHERE PayProFallenDue = 1;"), ""),
        ("no case", SCHEMA.replace(number, &format!("{number} COLLATE NOCASE")) + index + ");", ""),
        ("no blanks", SCHEMA.replace(number, &format!("{number} COLLATE RTRIM")) + index + ");", ""),
        ("keys without case", SCHEMA.replace("TEXT PRIMARY KEY", "TEXT COLLATE NOCASE PRIMARY KEY"), ""),
        ("index of no case", format!("{SCHEMA} {index} COLLATE NOCASE);"), ""),
        (
            "without rowid",
            SCHEMA.replace("NOT NULL);", "NOT NULL) WITHOUT ROWID;").replace("PayProID INTEGER", "PayProID INT"),
            "without",
        ),
        ("names in another case", SCHEMA.to_lowercase(), ""),
        ("view", renamed, "CREATE VIEW PaymentProfile AS SELECT * FROM Rows;"),
    ] {
        let payments = match (make, after) {
            ("view", _) => payments.replace("INTO PaymentProfile", "INTO Rows"),
            (_, "without") => payments
                .lines()
                .collect::<Vec<_>>()
                .join("\n")
                .replace("(PayProAgreementNumber,", "(PayProID, PayProAgreementNumber,")
                .replace("VALUES (", "VALUES (abs(random()), "),
            _ => payments.clone(),
        };
        let after = if after == "without" { "" } else { after };
        let file = file(&schema, &format!("{rows}{payments}{after}"));
        let answer = ask(&file, "FRH1", "2026-02-10");
        assert_eq!(answer.schedules.len(), 1, "{make}");
        assert_eq!(answer.schedules[0].current, Some(dec("7.00")), "{make}");
        assert_eq!(answer.custom, Some(dec("9.00")), "{make}");
        assert!(answer.agreement.is_some(), "{make}");
    }
}

#[test]
fn numbers_stored_as_numbers_are_compared_as_text() {
    let schema = SCHEMA.replace("AgreementNumber TEXT", "AgreementNumber");
    let rows = payments(&[("0042", "2026-02-03", "'1.00'", "Pay", 0)]).replace("'0042'", "42");
    let file = file(&schema, &rows);
    assert_eq!(ask(&file, "42", "2026-02-10").schedules.len(), 1);
    assert_eq!(ask(&file, "0042", "2026-02-10").schedules.len(), 0);
}

/// More than are kept in memory, so that the table is copied.
#[test]
fn a_table_in_which_most_numbers_are_odd_is_answered_too() {
    let rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100002)
        INSERT INTO CustomProfile SELECT 'frh' || n || ' ', n || '.00', 1, 0 FROM n;";
    let file = file(SCHEMA, rows);
    let numbers = ["FRH1", "FRH50000", "FRH100002", "FRH100003"];
    let questions = numbers.map(|number| question(number, "2026-02-10"));
    let answers = try_ask(&file.path, KeyCase::Insensitive, &questions).unwrap();
    let custom: Vec<_> = answers.into_iter().map(|answer| answer.custom).collect();
    assert_eq!(custom, [Some(dec("1.00")), Some(dec("50000.00")), Some(dec("100002.00")), None]);
    let exact = [question("frh7", "2026-02-10"), question("FRH7", "2026-02-10")];
    let answers = try_ask(&file.path, KeyCase::Sensitive, &exact).unwrap();
    assert_eq!((answers[0].custom, answers[1].custom), (Some(dec("7.00")), None));
}

#[test]
fn dates_may_have_a_time_and_bits_and_amounts_may_be_text_or_integers() {
    let schema = SCHEMA.replace("PayProFallenDue INTEGER", "PayProFallenDue").replace("PayProNetAmount TEXT", "PayProNetAmount");
    let rows = payments(&[
        ("A", "2026-01-31 23:59:59.997", "'1.00'", "Pay", 0),
        ("A", "2026-02-28T23:59:59", "2", "Pay", 0),
        ("A", "2026-02-01 00:00:00", "'4.0000'", "pay ", 0),
        ("A", "2026-03-01 00:00", "'8.00'", "Pay", 0),
    ])
    .replace(", 0);", ", '0');");
    let schedule = ask(&file(&schema, &rows), "A", "2026-02-10").schedules[0].clone();
    assert_eq!(schedule.current.map(|sum| sum.to_string()).as_deref(), Some("6.0000"));
    assert_eq!(schedule.next_due, Some((day("2026-03-01"), dec("8.00"))));
}

#[test]
fn every_cell_that_does_not_read_is_named() {
    let payment = |date: &str, kind: &str, fallen: u8| payments(&[("A", date, "'1.00'", kind, fallen)]);
    for (rows, place) in [
        (payment("03/02/2026", "Pay", 0), "PaymentProfile.PayProDate in row 1 is not a date"),
        (payment("2026-02-30", "Pay", 0), "PaymentProfile.PayProDate in row 1 is not a date"),
        (payment("2026-02-03", "Pay", 2), "PaymentProfile.PayProFallenDue in row 1 is neither 0 nor 1"),
        ("INSERT INTO CustomProfile VALUES ('A', 'much', 1, 0);".to_owned(), "CustomProfile.CPAmount in row 1 is not a decimal"),
        ("INSERT INTO CustomProfile VALUES ('A', '1.00', 'yes', 0);".to_owned(), "CustomProfile.CPOnGoing in row 1 is neither"),
        (
            "INSERT INTO Agreement VALUES ('A', 'C1', NULL, 'secured', NULL);".to_owned(),
            "Agreement.AgreementAgreementTypeID in row 1 is not an integer",
        ),
    ] {
        let error = try_ask(&file(SCHEMA, &rows).path, KeyCase::Insensitive, &[question("A", "2026-02-10")]).unwrap_err();
        assert!(error.detail.contains(place), "{place}: {}", error.detail);
        assert_eq!(error.fate, Fate::Stop);
        assert!(error.hint.is_some());
    }
}

#[test]
fn what_plays_no_part_stops_nothing() {
    let rows = payments(&[
        ("A", "2026-01-31", "'long ago'", "Pay", 0),
        ("A", "2026-02-03", "'1.00'", "Pay", 0),
        ("A", "2026-03-03", "'not due'", "Pay", 1),
    ]);
    let rows = format!(
        "{rows} INSERT INTO CustomProfile VALUES ('A', 'deleted', 1, 1);
         INSERT INTO Agreement VALUES ('A', 'C1', NULL, NULL, 'some day');"
    );
    let answer = ask(&file(SCHEMA, &rows), "A", "2026-02-10");
    assert_eq!((answer.schedules[0].current, answer.custom, answer.opened), (Some(dec("1.00")), None, None));
}

#[test]
fn a_sum_that_no_decimal_holds_stops_instead_of_being_rounded() {
    let large = ("A", "2026-02-03", "'9999999999999999999999999999'", "Pay", 0);
    let sum = |rows: &[(&str, &str, &str, &str, u8)]| {
        try_ask(&file(SCHEMA, &payments(rows)).path, KeyCase::Insensitive, &[question("A", "2026-02-10")])
    };
    assert_eq!(sum(&[large; 7]).unwrap()[0].schedules[0].current, Some(dec("69999999999999999999999999993")));
    for rows in [&[large; 8][..], &[large, ("A", "2026-02-03", "'0.01'", "Pay", 0)]] {
        let error = sum(rows).unwrap_err();
        assert!(error.detail.contains("PaymentProfile.PayProNetAmount adds up to more"), "{}", error.detail);
    }
}

#[test]
fn what_somebody_writes_while_the_file_is_open_is_seen_in_any_spelling() {
    for index in ["", "CREATE INDEX i ON PaymentProfile (PayProAgreementNumber);"] {
        let file = file(SCHEMA, &format!("{index}{}", payments(&[("A", "2026-02-03", "'1.00'", "Pay", 0)])));
        let profiles = Profiles::open(&file.path, KeyCase::Insensitive).unwrap();
        let current = || {
            let answers = block_on(profiles.lookup(&[question("A", "2026-02-10")])).unwrap();
            answers[0].schedules[0].current.unwrap()
        };
        assert_eq!(current(), dec("1.00"));
        let writer = rusqlite::Connection::open(&file.path).unwrap();
        writer.execute_batch(&payments(&[("a ", "2026-02-04", "'2.00'", "Pay", 0)])).unwrap();
        assert_eq!(current(), dec("3.00"), "{index}");
    }
}

#[test]
fn a_file_that_is_being_written_to_is_asked_again_later() {
    let file = file(SCHEMA, "");
    let profiles = Profiles::open(&file.path, KeyCase::Insensitive).unwrap();
    let writer = rusqlite::Connection::open(&file.path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = block_on(profiles.lookup(&[question("A", "2026-02-10")])).unwrap_err();
    assert_eq!(error.fate, Fate::Retry, "{error}");
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(block_on(profiles.lookup(&[question("A", "2026-02-10")])).unwrap(), [Answer::default()]);
}

#[test]
fn the_same_agreement_can_be_asked_for_several_months_at_once() {
    let rows = payments(&[("A", "2026-02-03", "'1.00'", "Pay", 0), ("A", "2026-03-03", "'2.00'", "Pay", 0)]);
    let file = file(SCHEMA, &rows);
    let questions = ["2026-03-01", "2026-02-01", "2026-03-31"].map(|date| question("A", date));
    let answers = try_ask(&file.path, KeyCase::Insensitive, &questions).unwrap();
    let sums: Vec<_> = answers.iter().map(|answer| answer.schedules[0].current).collect();
    assert_eq!(sums, [Some(dec("2.00")), Some(dec("1.00")), Some(dec("2.00"))]);
}
