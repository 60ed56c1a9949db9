//! A loan book in memory: it knows every agreement, and expects of each what the workload says that it pays.

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use tidewaiter::config::daemon::Cache;
use tidewaiter::domains::lending::expected::{AgreementRow, Answer, Question, Schedule, policy};
use tidewaiter::engine::cache::Cached;
use tidewaiter::engine::lookup::{Lookup, LookupError};
use tidewaiter::time::SystemClock;

use super::Agreement;

#[derive(Debug)]
pub(crate) struct Book;

impl Book {
    /// With the daemon's cache in front, of the daemon's size.
    pub(crate) fn cached() -> Cached<Self, Question, Answer> {
        Cached::new(Self, policy(Cache::default()), Arc::new(SystemClock))
    }

    pub(crate) fn answer(question: &Question) -> Answer {
        let number: u32 = question.agreement[3..].parse().expect("the workload numbers agreements so");
        let schedule = |kind: &str, pence: u64| Schedule {
            kind: kind.into(),
            current: Some(Decimal::new(i64::try_from(pence).expect("an instalment is small"), 2)),
            ..Schedule::default()
        };
        Answer {
            agreement: Some(AgreementRow {
                customer_number: Some(format!("C{number:06}").into()),
                borrowers: Some(format!("C{number:06}").into()),
                agreement_type: Some(113),
            }),
            opened: NaiveDate::from_ymd_opt(2024, 3, 11),
            custom: None,
            schedules: [schedule("Pay", Agreement::instalment_of(number) - 1_550), schedule("Fee", 1_550)].into(),
        }
    }
}

impl Lookup<Question, Answer> for Book {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        Ok(questions.iter().map(Self::answer).collect())
    }
}

/// A profile file of so many agreements, of which each expects what [`Book`] says: seven months of one payment and two fees, and a
/// custom profile in one of ten.
pub(crate) fn write(path: &Path, agreements: usize) {
    let book = rusqlite::Connection::open(path).unwrap();
    let columns = "AgreementNumber TEXT PRIMARY KEY, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT, AgreementBankAccountName TEXT";
    book.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
         CREATE TABLE Agreement ({columns});
         CREATE TABLE CustomProfile (CPAgreement TEXT PRIMARY KEY, CPAmount TEXT, CPOnGoing INTEGER, CPDeleted INTEGER);
         CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT, PayProDate TEXT, PayProNetAmount TEXT,
             PayProPrincipal TEXT, PayProInterest TEXT, PayProType TEXT, PayProFeeOrInsID INTEGER, PayProFallenDue INTEGER);"
    ))
    .unwrap();
    let mut agreement =
        book.prepare("INSERT INTO Agreement VALUES (?1, 'C100003', 'C635824 C635825', 113, '2024-01-12', 'X')").unwrap();
    let mut custom = book.prepare("INSERT INTO CustomProfile VALUES (?1, ?2, 1, 0)").unwrap();
    let payment = "INSERT INTO PaymentProfile VALUES (NULL, ?1, ?2, ?3, '200.00', '85.50', ?4, ?5, ?6)";
    let mut payment = book.prepare(payment).unwrap();
    for n in 1..=agreements {
        let number = format!("FRH{n:07}");
        agreement.execute([&number]).unwrap();
        let pence = Agreement::instalment_of(u32::try_from(n).unwrap());
        let text = |pence: u64| format!("{}.{:02}", pence / 100, pence % 100);
        let (whole, pay) = (text(pence), text(pence - 1_550));
        if n % 10 == 0 {
            custom.execute([&number, &whole]).unwrap();
        }
        for month in 1..=7 {
            let date = format!("2026-{month:02}-12");
            for (fee, (kind, amount)) in [("Pay", pay.as_str()), ("Fee", "12.00"), ("Fee", "3.50")].into_iter().enumerate() {
                payment.execute(rusqlite::params![number, date, amount, kind, u8::try_from(fee).unwrap(), month < 3]).unwrap();
            }
        }
    }
    book.execute_batch("CREATE INDEX PaymentProfileByAgreement ON PaymentProfile (PayProAgreementNumber); COMMIT").unwrap();
}
