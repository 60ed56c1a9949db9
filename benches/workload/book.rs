//! A loan book in memory: it knows every agreement, and expects of each what the workload says that it pays.

use std::sync::Arc;
use std::time::Duration;

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
