//! Expected payments from the tables of the embedded Sentinel.

use std::collections::BTreeMap;

use anyhow::Context as _;
use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::domains::lending::expected::{AgreementRow, Answer, Question, Schedule};
use crate::event::money::Exact;
use crate::io::sentinel::{ResultSet, SentinelError, Tables, Value};

/// Answers the questions from the tables as they are now. A table that the set-up does not make has no rows.
pub(super) fn answers(tables: Tables<'_>, database: &str, questions: &[Question]) -> anyhow::Result<Vec<Answer>> {
    questions.iter().map(|question| answer(tables, database, question)).collect()
}

fn answer(tables: Tables<'_>, database: &str, question: &Question) -> anyhow::Result<Answer> {
    let of = |table, column| match tables.rows_where((database, "dbo", table), column, &[&question.agreement]) {
        Ok(rows) => Ok(Rows::of(rows)),
        Err(SentinelError::NoSuchTable(_)) => Ok(Rows::default()),
        Err(error) => Err(error),
    };
    let mut answer = Answer::default();
    let agreements = of("Agreement", "AgreementNumber")?;
    if let Some(row) = agreements.rows.first() {
        answer.agreement = Some(AgreementRow {
            customer_number: agreements.text(row, "AgreementCustomerNumber"),
            borrowers: agreements.text(row, "AgreementBorrowers"),
            agreement_type: agreements.integer(row, "AgreementAgreementTypeID"),
        });
        answer.opened = agreements.date(row, "AgreementAgreementDate");
    }
    let custom = of("CustomProfile", "CPAgreement")?;
    for row in &custom.rows {
        if custom.bit(row, "CPOnGoing") == Some(true) && custom.bit(row, "CPDeleted") == Some(false) {
            answer.custom = custom.decimal(row, "CPAmount")?;
        }
    }
    answer.schedules = schedules(&of("PaymentProfile", "PayProAgreementNumber")?, question)?.into();
    Ok(answer)
}

/// Sums by type: of the month, fallen due or not, and of the next due date.
fn schedules(profile: &Rows, question: &Question) -> anyhow::Result<Vec<Schedule>> {
    let (first, end) = (question.month.first(), question.month.end());
    let mut sums: BTreeMap<CompactString, Sums> = BTreeMap::new();
    for row in &profile.rows {
        let (Some(date), Some(kind), Some(fallen)) =
            (profile.date(row, "PayProDate"), profile.text(row, "PayProType"), profile.bit(row, "PayProFallenDue"))
        else {
            continue;
        };
        let amount = profile.decimal(row, "PayProNetAmount")?;
        let sums = sums.entry(kind.trim_end_matches(' ').to_ascii_uppercase().into()).or_insert_with(|| Sums::of(kind));
        if date >= first && end.is_none_or(|end| date < end) {
            if fallen { &mut sums.fallen_due } else { &mut sums.current }.add(amount);
        } else if date >= first && !fallen {
            match &mut sums.next_due {
                Some((due, sum)) if *due == date => sum.add(amount),
                Some((due, _)) if *due < date => {}
                next => {
                    let mut sum = Sum::default();
                    sum.add(amount);
                    *next = Some((date, sum));
                }
            }
        }
    }
    sums.into_values().map(Sums::schedule).collect()
}

struct Sums {
    kind: CompactString,
    current: Sum,
    fallen_due: Sum,
    next_due: Option<(NaiveDate, Sum)>,
}

/// Of the rows that match; an amount that is null counts as a row, as in SQL.
#[derive(Clone, Copy, Default)]
struct Sum {
    rows: u64,
    exact: Exact,
    scale: u32,
}

impl Sum {
    fn add(&mut self, amount: Option<Decimal>) {
        self.rows += 1;
        if let Some(amount) = amount {
            self.exact = self.exact + Exact::from(amount);
            self.scale = self.scale.max(amount.scale());
        }
    }

    fn value(self) -> anyhow::Result<Option<Decimal>> {
        let fits = || self.exact.to_decimal(self.scale).context("a sum of PayProNetAmount has more than 28 digits");
        (self.rows > 0).then(fits).transpose()
    }
}

impl Sums {
    fn of(kind: CompactString) -> Self {
        Self { kind, current: Sum::default(), fallen_due: Sum::default(), next_due: None }
    }

    fn schedule(self) -> anyhow::Result<Schedule> {
        let next_due = match self.next_due {
            Some((date, sum)) => sum.value()?.map(|sum| (date, sum)),
            None => None,
        };
        Ok(Schedule { kind: self.kind, current: self.current.value()?, fallen_due: self.fallen_due.value()?, next_due })
    }
}

/// Rows with their columns by name.
#[derive(Default)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    fn of(rows: ResultSet) -> Self {
        Self { columns: rows.columns.into_iter().map(|(name, _)| name).collect(), rows: rows.rows }
    }

    fn value<'a>(&self, row: &'a [Value], column: &str) -> Option<&'a Value> {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        row.get(at)
    }

    fn text(&self, row: &[Value], column: &str) -> Option<CompactString> {
        match self.value(row, column)? {
            Value::Text(text) => Some(CompactString::from(text.as_ref())),
            _ => None,
        }
    }

    fn integer(&self, row: &[Value], column: &str) -> Option<i64> {
        match self.value(row, column)? {
            Value::Int(integer) => Some(*integer),
            _ => None,
        }
    }

    fn date(&self, row: &[Value], column: &str) -> Option<NaiveDate> {
        match self.value(row, column)? {
            Value::Date(date) => Some(*date),
            Value::DateTime(time) => Some(time.date()),
            _ => None,
        }
    }

    fn bit(&self, row: &[Value], column: &str) -> Option<bool> {
        match self.value(row, column)? {
            Value::Bit(bit) => Some(*bit),
            Value::Int(integer) => Some(*integer != 0),
            _ => None,
        }
    }

    fn decimal(&self, row: &[Value], column: &str) -> anyhow::Result<Option<Decimal>> {
        match self.value(row, column) {
            Some(Value::Numeric(numeric)) => {
                let text = numeric.to_string();
                text.parse().map(Some).with_context(|| format!("{column} holds an amount of more than 28 digits"))
            }
            Some(Value::Int(integer)) => Ok(Some(Decimal::from(*integer))),
            Some(Value::Null) | None => Ok(None),
            Some(_) => anyhow::bail!("{column} is no decimal column"),
        }
    }
}
