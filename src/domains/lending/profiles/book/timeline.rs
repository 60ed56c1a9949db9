//! What the file says about one agreement for a stretch of months, kept in a few hundred bytes.
//!
//! ```text
//! first month, agreement, custom profile │ schedules of the first month │ of the second │ …
//! ```
//!
//! Postcard's form, each month with its length before it. What is kept of a backtest's whole book must be small: it is the
//! memory it lies in, not the computing, that an answer costs.

use chrono::NaiveDate;
use compact_str::CompactString;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::super::cell;
use super::super::relation::Failure;
use super::super::sql::PAYMENT_PROFILE;
use super::read;
use crate::domains::lending::expected::{AgreementRow, Answer, Schedule};
use crate::domains::lending::schedules::Sum;
use crate::event::money;
use crate::time::{Month, day};

/// A year: whoever pays monthly is read once for a dozen payments.
const MONTHS: usize = 12;

/// Answers any question about its agreement for a year, as the file would.
#[derive(Debug)]
pub(in super::super) struct Timeline(Box<[u8]>);

/// What stands between the first month's name and the schedules.
#[derive(Serialize, Deserialize)]
struct Head {
    agreement: Option<AgreementRow>,
    #[serde(with = "day::option")]
    opened: Option<NaiveDate>,
    #[serde(with = "money::compact::option")]
    custom: Option<Decimal>,
}

/// [`Schedule`] as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept<'t> {
    kind: &'t str,
    #[serde(with = "money::compact::option")]
    current: Option<Decimal>,
    #[serde(with = "money::compact::option")]
    fallen_due: Option<Decimal>,
    next_due: Option<Due>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Due {
    #[serde(with = "day")]
    date: NaiveDate,
    #[serde(with = "money::compact")]
    amount: Decimal,
}

impl Timeline {
    pub(in super::super) fn covers(&self, month: Month) -> bool {
        nth(take(&mut &*self.0), month).is_some()
    }

    /// `None` for a month that is not covered.
    pub(in super::super) fn answer(&self, month: Month) -> Option<Answer> {
        let mut rest: &[u8] = &self.0;
        let nth = nth(take(&mut rest), month)?;
        let Head { agreement, opened, custom } = take(&mut rest);
        for _ in 0..nth {
            take::<&[u8]>(&mut rest);
        }
        let mut schedules = take::<&[u8]>(&mut rest);
        let count: usize = take(&mut schedules);
        let schedules = (0..count).map(|_| {
            let Kept { kind, current, fallen_due, next_due } = take(&mut schedules);
            Schedule { kind: kind.into(), current, fallen_due, next_due: next_due.map(|due| (due.date, due.amount)) }
        });
        Some(Answer { agreement, opened, custom, schedules: schedules.collect() })
    }

    /// Bytes on the heap.
    pub(in super::super) fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

/// The place of a month among those that are kept.
fn nth(first: Month, month: Month) -> Option<usize> {
    usize::try_from(month.since(first)).ok().filter(|nth| *nth < MONTHS)
}

/// Decodes what comes next.
fn take<'t, T: Deserialize<'t>>(bytes: &mut &'t [u8]) -> T {
    let (taken, rest) = postcard::take_from_bytes(bytes).expect("a timeline was encoded by this file");
    *bytes = rest;
    taken
}

/// The rows of PaymentProfile from a month on, by type and month.
pub(super) struct Rows {
    first: Month,
    types: Vec<Type>,
    /// A type is spelt in several ways. Which of them an answer has hangs on the month; that is left to the file.
    is_mixed: bool,
}

struct Type {
    kind: CompactString,
    months: [Sums; MONTHS],
    /// The first due date after these months.
    beyond: Option<(NaiveDate, Sum)>,
}

/// The rows of one type and month.
#[derive(Default)]
struct Sums {
    current: Option<Sum>,
    fallen_due: Option<Sum>,
    /// Of those that are not fallen due.
    earliest: Option<(NaiveDate, Sum)>,
}

impl Rows {
    pub(super) fn from(first: Month) -> Self {
        Self { first, types: Vec::new(), is_mixed: false }
    }

    pub(super) fn add(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        let columns = PAYMENT_PROFILE.columns;
        let Some(date) = read(row, columns, 0, cell::date)? else { return Ok(()) };
        let Ok(nth) = usize::try_from(Month::of(date).since(self.first)) else { return Ok(()) };
        let Some(fallen_due) = read(row, columns, 1, cell::bit)? else { return Ok(()) };
        if nth >= MONTHS && fallen_due {
            return Ok(());
        }
        let kind = match row.get_ref(3)? {
            ValueRef::Null => return Ok(()),
            ValueRef::Text(kind) => std::str::from_utf8(kind).ok().map(|kind| kind.trim_end_matches(' ')),
            _ => None,
        };
        let kind = kind.ok_or(Failure::Cell { row: row.get(0)?, column: columns[2], problem: "is not text" })?;
        let of_type = self.of_type(kind);
        let Some(sums) = of_type.months.get_mut(nth) else {
            if of_type.beyond.as_ref().is_none_or(|(earliest, _)| date <= *earliest) {
                add_due(&mut of_type.beyond, date, read(row, columns, 3, cell::amount)?);
            }
            return Ok(());
        };
        let amount = read(row, columns, 3, cell::amount)?;
        if fallen_due {
            sums.fallen_due.get_or_insert_default().add(amount);
        } else {
            sums.current.get_or_insert_default().add(amount);
            add_due(&mut sums.earliest, date, amount);
        }
        Ok(())
    }

    fn of_type(&mut self, kind: &str) -> &mut Type {
        let place = self.types.iter().position(|of_type| of_type.kind.eq_ignore_ascii_case(kind)).unwrap_or_else(|| {
            self.types.push(Type { kind: kind.into(), months: Default::default(), beyond: None });
            self.types.len() - 1
        });
        let of_type = &mut self.types[place];
        self.is_mixed |= of_type.kind != kind;
        of_type
    }

    /// Beside what does not hang on the month. `None` if the file itself must be asked: because of spellings, or of a month
    /// whose rows add up to too much.
    pub(super) fn timeline(mut self, about: &Answer) -> Option<Timeline> {
        if self.is_mixed {
            return None;
        }
        self.types.sort_unstable_by(|a, b| a.kind.cmp(&b.kind));
        let mut months: [Vec<Kept<'_>>; MONTHS] = Default::default();
        for Type { kind, months: sums, beyond } in &mut self.types {
            let mut next_due = due(beyond.take())?;
            for (schedules, sums) in months.iter_mut().zip(sums).rev() {
                let Sums { current, fallen_due, earliest } = std::mem::take(sums);
                let (current, fallen_due) = (total(current)?, total(fallen_due)?);
                if current.is_some() || fallen_due.is_some() || next_due.is_some() {
                    schedules.push(Kept { kind, current, fallen_due, next_due });
                }
                next_due = due(earliest)?.or(next_due);
            }
        }
        let Answer { agreement, opened, custom, .. } = about.clone();
        let bytes = postcard::to_stdvec(&(self.first, Head { agreement, opened, custom }));
        let with_month = |bytes, schedules| postcard::to_extend(&postcard::to_stdvec(schedules)?, bytes);
        Some(Timeline(months.iter().try_fold(bytes.ok()?, with_month).ok()?.into()))
    }
}

/// Adds a row to those of the earliest date.
fn add_due(earliest: &mut Option<(NaiveDate, Sum)>, date: NaiveDate, amount: Option<Decimal>) {
    let (_, sum) = match earliest {
        Some((earliest, _)) if *earliest < date => return,
        Some(same) if same.0 == date => same,
        earliest => earliest.insert((date, Sum::default())),
    };
    sum.add(amount);
}

/// `None` if the sum does not fit.
fn total(sum: Option<Sum>) -> Option<Option<Decimal>> {
    sum.map(Sum::total).transpose().ok()
}

fn due(earliest: Option<(NaiveDate, Sum)>) -> Option<Option<Due>> {
    Some(match earliest {
        Some((date, sum)) => Some(Due { date, amount: sum.total().ok()? }),
        None => None,
    })
}
