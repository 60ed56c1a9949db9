//! Rows of PaymentProfile, summed by type: the same for every place that they are read from.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::expected::Schedule;
use crate::event::money::Exact;
use crate::time::Month;

/// The rows of one agreement for one month, so far.
pub(super) struct Schedules {
    month: Month,
    types: Vec<Sums>,
}

/// The rows of one type so far.
struct Sums {
    schedule: Schedule,
    current: Option<Sum>,
    fallen_due: Option<Sum>,
    next_due: Option<(NaiveDate, Sum)>,
}

/// The rows of a type add up to more than a [`Decimal`] holds.
#[derive(Debug)]
pub(super) struct TooLarge;

impl Schedules {
    pub(super) fn of(month: Month) -> Self {
        Self { month, types: Vec::new() }
    }

    /// Whether rows of this date do not matter, whatever else stands in them.
    pub(super) fn is_past(&self, date: NaiveDate) -> bool {
        Month::of(date) < self.month
    }

    /// Whether a row matters.
    pub(super) fn wants(&self, date: NaiveDate, fallen_due: bool) -> bool {
        let of = Month::of(date);
        of == self.month || (of > self.month && !fallen_due)
    }

    /// Where the amount of a wanted row is added; `None` if another row of its type is due before it.
    pub(super) fn sum_for(&mut self, date: NaiveDate, fallen_due: bool, kind: &str) -> Option<&mut Sum> {
        let later = Month::of(date) > self.month;
        let sums = of_type(&mut self.types, kind);
        if !later {
            let sum = if fallen_due { &mut sums.fallen_due } else { &mut sums.current };
            return Some(sum.get_or_insert_default());
        }
        let due = sums.next_due.get_or_insert_with(|| (date, Sum::default()));
        if due.0 < date {
            return None;
        }
        if due.0 > date {
            *due = (date, Sum::default());
        }
        Some(&mut due.1)
    }

    /// By type, in byte order.
    pub(super) fn finish(self) -> Result<Vec<Schedule>, TooLarge> {
        let mut schedules = self.types.into_iter().map(Sums::schedule).collect::<Result<Vec<_>, _>>()?;
        schedules.sort_unstable_by(|a, b| a.kind.cmp(&b.kind));
        Ok(schedules)
    }
}

/// Types compare as agreement numbers do. Of several spellings the first in byte order stands for all, whatever the order
/// of the rows.
fn of_type<'t>(types: &'t mut Vec<Sums>, kind: &str) -> &'t mut Sums {
    let kind = kind.trim_end_matches(' ');
    let place = types.iter().position(|sums| sums.schedule.kind.eq_ignore_ascii_case(kind)).unwrap_or_else(|| {
        let schedule = Schedule { kind: kind.into(), ..Schedule::default() };
        types.push(Sums { schedule, current: None, fallen_due: None, next_due: None });
        types.len() - 1
    });
    let sums = &mut types[place];
    if *kind < *sums.schedule.kind {
        sums.schedule.kind = kind.into();
    }
    sums
}

impl Sums {
    fn schedule(self) -> Result<Schedule, TooLarge> {
        let total = |sum: Option<Sum>| sum.map(Sum::total).transpose();
        let next_due = match self.next_due {
            Some((date, sum)) => Some((date, sum.total()?)),
            None => None,
        };
        Ok(Schedule { current: total(self.current)?, fallen_due: total(self.fallen_due)?, next_due, ..self.schedule })
    }
}

/// Exact, with the most decimals of its addends. Like SQL's SUM it passes over null; unlike it, a sum of nulls alone is
/// zero, since rows matched.
#[derive(Default)]
pub(super) struct Sum {
    exact: Exact,
    scale: u32,
}

impl Sum {
    pub(super) fn add(&mut self, amount: Option<Decimal>) {
        if let Some(amount) = amount {
            self.exact = self.exact + amount.into();
            self.scale = self.scale.max(amount.scale());
        }
    }

    /// As a [`Decimal`] with those decimals.
    pub(super) fn total(self) -> Result<Decimal, TooLarge> {
        self.exact.to_decimal(self.scale).ok_or(TooLarge)
    }
}
