//! Timelines answer as the file does, whatever it holds, whatever is asked in which order, and however little is kept.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fmt::Write as _;
use std::path::Path;

use chrono::{Months, NaiveDate};
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::Connection;
use tidewaiter::domains::lending::expected::Question;
use tidewaiter::domains::lending::profiles::{Profiles, Timelines};
use tidewaiter::engine::lookup::Lookup;
use tidewaiter::event::KeyCase;
use tidewaiter::time::Month;

const SCHEMA: &str = "
    CREATE TABLE Agreement (AgreementNumber TEXT, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT);
    CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT, PayProDate TEXT, PayProNetAmount TEXT,
        PayProType TEXT, PayProFallenDue INTEGER);
    CREATE TABLE CustomProfile (CPAgreement TEXT, CPAmount TEXT, CPOnGoing INTEGER, CPDeleted INTEGER);
    CREATE INDEX AgreementByNumber ON Agreement (AgreementNumber);
    CREATE INDEX PaymentProfileByNumber ON PaymentProfile (PayProAgreementNumber);
    CREATE INDEX CustomProfileByNumber ON CustomProfile (CPAgreement);";

const LARGE: &str = "9999999999999999999999999999";
const SMALL: &str = "0.0000000000000000000000000001";

fn literal(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("'{value}'"))
}

/// The month of this number; a timeline holds twelve.
fn month(nth: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 9, 1).unwrap().checked_add_months(Months::new(nth)).unwrap()
}

fn number() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => select(&["A", "B"][..]), 1 => select(&["a", "A  ", "C"][..])]
}

/// A statement that inserts a row of PaymentProfile.
fn payment() -> impl Strategy<Value = String> {
    let date = prop_oneof![
        30 => (0..28_u32, select(&[1_u64, 12, 13, 28][..])).prop_map(|(nth, day)| Some(
            (month(nth) + chrono::Days::new(day - 1)).to_string()
        )),
        1 => Just(None),
    ];
    let amount = prop_oneof![
        20 => select(&["285.50", "12.00", "12", "-3.1000", "0.00"][..]).prop_map(Some),
        2 => select(&[LARGE, SMALL][..]).prop_map(Some),
        1 => Just(None),
    ];
    let kind = prop_oneof![
        20 => select(&["Pay", "Fee", "Fee  ", "É"][..]).prop_map(Some),
        1 => select(&["pay", "FEE "][..]).prop_map(Some),
        1 => Just(None),
    ];
    let fallen_due = prop_oneof![20 => select(&["0", "1"][..]).prop_map(Some), 1 => Just(None)];
    (number(), date, amount, kind, fallen_due).prop_map(|(number, date, amount, kind, fallen_due)| {
        let [date, amount, kind, fallen_due] = [date.as_deref(), amount, kind, fallen_due].map(literal);
        format!("INSERT INTO PaymentProfile VALUES (NULL, '{number}', {date}, {amount}, {kind}, {fallen_due});")
    })
}

/// A statement that inserts a row of another table, or one that does not read.
fn other() -> impl Strategy<Value = String> {
    let agreement =
        (number(), select(&["'C1', 'C1 C2', 113", "NULL, '', NULL"][..]), select(&["'2026-01-12'", "'?'", "NULL"][..]))
            .prop_map(|(number, row, opened)| format!("INSERT INTO Agreement VALUES ('{number}', {row}, {opened});"));
    let custom = (number(), select(&["'310.00'", "NULL", "'9.9999'"][..]), 0..2_u8, 0..2_u8).prop_map(
        |(number, amount, ongoing, deleted)| {
            format!("INSERT INTO CustomProfile VALUES ('{number}', {amount}, {ongoing}, {deleted});")
        },
    );
    let broken = (number(), 0..28_u32, select(&["'x', 'Pay', 0", "'1.00', x'00', 0", "'1.00', 'Pay', 7"][..]))
        .prop_map(|(number, nth, row)| format!("INSERT INTO PaymentProfile VALUES (NULL, '{number}', '{}', {row});", month(nth)));
    prop_oneof![4 => agreement, 4 => custom, 1 => broken]
}

/// Batches of questions.
fn batches() -> impl Strategy<Value = Vec<Vec<Question>>> {
    let question = (select(&["A", "B", "C", "D"][..]), 0..30_u32)
        .prop_map(|(agreement, nth)| Question { agreement: agreement.into(), month: Month::of(month(nth)) });
    vec(vec(question, 0..6), 1..8)
}

fn write(path: &Path, rows: &[String]) {
    let statements = rows.iter().fold(SCHEMA.to_owned(), |mut all, row| {
        write!(all, "{row}").unwrap();
        all
    });
    Connection::open(path).unwrap().execute_batch(&format!("BEGIN; {statements} COMMIT;")).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_answer_and_every_error_is_the_files_own(
        payments in vec(payment(), 0..40), others in vec(other(), 0..6), batches in batches(),
        // of which the first keeps nothing, the second an agreement or two
        bytes in select(&[0_usize, 1_500, 1 << 20][..]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profiles.sqlite");
        write(&path, &[payments, others].concat());
        let profiles = Profiles::open(&path, KeyCase::Insensitive).unwrap();
        let timelines = Timelines::open(&path, KeyCase::Insensitive, bytes).unwrap();
        for questions in batches {
            let wanted = block_on(profiles.lookup(&questions));
            let answers = block_on(timelines.lookup(&questions));
            // the text shows an amount's decimals, which equality passes over
            prop_assert_eq!(format!("{answers:?}"), format!("{wanted:?}"), "{:?}", questions);
        }
    }
}

/// That timelines answer at all, not the file each time: what is changed behind their back is not seen.
#[test]
fn what_was_read_once_answers_a_year_of_questions_and_not_a_month_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profiles.sqlite");
    let rows: Vec<String> = (0..14)
        .map(|nth| format!("INSERT INTO PaymentProfile VALUES (NULL, 'A', '{}', '{}.00', 'Pay', 0);", month(nth), 100 + nth))
        .collect();
    write(&path, &rows);
    let timelines = Timelines::open(&path, KeyCase::Insensitive, 1 << 20).unwrap();
    let current = |nth: u32| {
        let answers = block_on(timelines.lookup(&[Question { agreement: "A".into(), month: Month::of(month(nth)) }])).unwrap();
        answers[0].schedules[0].current.unwrap().to_string()
    };
    assert_eq!(current(1), "101.00");
    Connection::open(&path).unwrap().execute_batch("UPDATE PaymentProfile SET PayProNetAmount = '7.00'").unwrap();
    assert_eq!([1, 2, 12].map(current), ["101.00", "102.00", "112.00"]);
    assert_eq!(current(13), "7.00");
    assert_eq!(current(12), "7.00", "the later year took the place of the earlier one");
}

/// What is found again stays, what is not goes: of three agreements there is room for two.
#[test]
fn what_is_in_use_stays_when_room_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profiles.sqlite");
    let pay =
        |agreement: &str| format!("INSERT INTO PaymentProfile VALUES (NULL, '{agreement}', '2025-09-01', '1.00', 'Pay', 0);");
    write(&path, &["A", "B", "C", "D"].map(pay));
    // none fits a generation, so each takes the place of the one before: two generations, two agreements
    let timelines = Timelines::open(&path, KeyCase::Insensitive, 0).unwrap();
    let current = |agreement: &str| {
        let answers =
            block_on(timelines.lookup(&[Question { agreement: agreement.into(), month: Month::of(month(0)) }])).unwrap();
        answers[0].schedules[0].current.unwrap().to_string()
    };
    assert_eq!(["A", "B", "A", "C"].map(current), ["1.00"; 4]);
    Connection::open(&path).unwrap().execute_batch("UPDATE PaymentProfile SET PayProNetAmount = '7.00'").unwrap();
    assert_eq!(["A", "B"].map(current), ["1.00", "7.00"]);
}
