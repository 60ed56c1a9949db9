//! Profile files: what is answered from them, and what is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use futures::executor::block_on;
use rust_decimal::Decimal;
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::profiles::Profiles;
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

fn try_ask(path: &Path, case: KeyCase, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
    block_on(Profiles::open(path, case).unwrap().lookup(questions))
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
        let schedule = ask(&file, "A", date).schedules.remove(0);
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
    let mut answer = ask(&file(SCHEMA, &rows), "A", "2026-02-10");
    let (pay, fee) = (answer.schedules.pop().unwrap(), answer.schedules.pop().unwrap());
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
