//! Reads answers from the three tables of an open profile file.

mod timeline;

use chrono::NaiveDate;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Row};
use rust_decimal::Decimal;

use self::timeline::Rows;
pub(super) use self::timeline::Timeline;
use super::relation::{Failure, Relation};
use super::sql::{self, AGREEMENT, CUSTOM_PROFILE, PAYMENT_PROFILE};
use super::{ProfilesError, cell};
use crate::domains::lending::expected::{AgreementRow, Answer, Question, Schedule};
use crate::domains::lending::schedules::{Schedules, TooLarge};
use crate::engine::Key;
use crate::event::KeyCase;
use crate::io::sqlite::{Database, SqliteError};
use crate::time::Month;

#[derive(Debug)]
pub(super) struct Book {
    database: Database,
    case: KeyCase,
    /// Of the file, when the relations were opened: whoever writes to it may bring new spellings.
    version: i64,
    relations: Relations,
}

#[derive(Debug)]
struct Relations {
    agreement: Relation,
    custom_profile: Relation,
    payment_profile: Relation,
}

impl Relations {
    fn open(database: &Database, case: KeyCase) -> Result<Self, SqliteError> {
        let custom_profile = Relation::open(database, &CUSTOM_PROFILE, "NULL", case)?;
        let payment_profile = Relation::open(database, &PAYMENT_PROFILE, "NULL", case)?;
        let dated = database.has_column(AGREEMENT.name, sql::AGREEMENT_DATE)?;
        let agreement = Relation::open(database, &AGREEMENT, if dated { sql::AGREEMENT_DATE } else { "NULL" }, case)?;
        Ok(Self { agreement, custom_profile, payment_profile })
    }
}

impl Book {
    pub(super) fn open(database: Database, case: KeyCase) -> Result<Self, SqliteError> {
        let version = database.version()?;
        let relations = Relations::open(&database, case)?;
        Ok(Self { database, case, version, relations })
    }

    /// Answers in the order of the questions, all from one state of the file.
    pub(super) fn answers(&mut self, questions: &[Question]) -> Result<Vec<Answer>, ProfilesError> {
        self.read(|reader| {
            let mut answers = vec![Answer::default(); questions.len()];
            for places in in_key_order(questions).chunk_by(|a, b| questions[*a].agreement == questions[*b].agreement) {
                let number = &questions[places[0]].agreement;
                let about = reader.about(number)?;
                let months = places.iter().map(|place| questions[*place].month).collect();
                for (place, schedules) in places.iter().zip(reader.schedules(number, months)?) {
                    answers[*place] = Answer { schedules: schedules.into(), ..about.clone() };
                }
            }
            Ok(answers)
        })
    }

    /// The same, and what answers the questions that are likely next: a timeline of each agreement for `keep`.
    pub(super) fn timelines(
        &mut self,
        questions: &[Question],
        mut keep: impl FnMut(&Key, Timeline),
    ) -> Result<Vec<Answer>, ProfilesError> {
        self.read(|reader| {
            let mut answers = vec![Answer::default(); questions.len()];
            for places in in_key_order(questions).chunk_by(|a, b| questions[*a].agreement == questions[*b].agreement) {
                let number = &questions[places[0]].agreement;
                let about = reader.about(number)?;
                let months = || places.iter().map(|place| questions[*place].month);
                let timeline = match months().min() {
                    Some(first) => reader.timeline(number, first, &about)?,
                    None => None,
                };
                let mut left = Vec::new();
                for place in places {
                    match timeline.as_ref().and_then(|timeline| timeline.answer(questions[*place].month)) {
                        Some(answer) => answers[*place] = answer,
                        None => left.push(*place),
                    }
                }
                if !left.is_empty() {
                    let months = left.iter().map(|place| questions[*place].month).collect();
                    for (place, schedules) in left.iter().zip(reader.schedules(number, months)?) {
                        answers[*place] = Answer { schedules: schedules.into(), ..about.clone() };
                    }
                }
                if let Some(timeline) = timeline {
                    keep(number, timeline);
                }
            }
            Ok(answers)
        })
    }

    /// Lends a reader of one state of the file.
    fn read<T>(&mut self, work: impl FnOnce(&mut Reader<'_>) -> Result<T, ProfilesError>) -> Result<T, ProfilesError> {
        let failed = |source| self.database.failed("read it")(source);
        // Dropped without a commit: nothing but temporary tables is ever written, and each of those is remade whole.
        let snapshot = self.database.connection().unchecked_transaction().map_err(failed)?;
        let version = self.database.version()?;
        if version != self.version {
            self.relations = Relations::open(&self.database, self.case)?;
            self.version = version;
        }
        let done = work(&mut Reader::new(&self.database, &self.relations)?)?;
        snapshot.commit().map_err(failed)?;
        Ok(done)
    }
}

/// The three tables, ready to be sought in.
struct Reader<'b> {
    database: &'b Database,
    relations: &'b Relations,
    agreements: CachedStatement<'b>,
    custom_profiles: CachedStatement<'b>,
    payment_profiles: CachedStatement<'b>,
}

impl<'b> Reader<'b> {
    fn new(database: &'b Database, relations: &'b Relations) -> Result<Self, SqliteError> {
        let Relations { agreement, custom_profile, payment_profile } = relations;
        let agreements = agreement.prepare(database)?;
        let custom_profiles = custom_profile.prepare(database)?;
        let payment_profiles = payment_profile.prepare(database)?;
        Ok(Self { database, relations, agreements, custom_profiles, payment_profiles })
    }

    /// What does not hang on the month: an answer without schedules.
    fn about(&mut self, number: &Key) -> Result<Answer, ProfilesError> {
        let Relations { agreement, custom_profile, .. } = self.relations;
        let (row, opened) = agreement
            .first(&mut self.agreements, number, agreement_row)
            .map_err(|failure| agreement.error(self.database, failure))?
            .map_or((None, None), |(row, opened)| (Some(row), opened));
        let custom = custom_profile
            .first(&mut self.custom_profiles, number, custom_amount)
            .map_err(|failure| custom_profile.error(self.database, failure))?;
        Ok(Answer { agreement: row, opened, custom, ..Answer::default() })
    }

    fn schedules(&mut self, number: &Key, months: Vec<Month>) -> Result<Vec<Vec<Schedule>>, ProfilesError> {
        let relation = &self.relations.payment_profile;
        schedules(relation, &mut self.payment_profiles, number, months).map_err(|failure| relation.error(self.database, failure))
    }

    /// `None` if no timeline can be made of the rows.
    fn timeline(&mut self, number: &Key, first: Month, about: &Answer) -> Result<Option<Timeline>, ProfilesError> {
        let relation = &self.relations.payment_profile;
        let mut rows = Rows::from(first);
        match relation.rows(&mut self.payment_profiles, number, |row| rows.add(row)) {
            Ok(()) => Ok(rows.timeline(about)),
            // of a month that nobody may have asked about: who does is told
            Err(Failure::Cell { .. }) => Ok(None),
            Err(failure @ Failure::Query(_)) => Err(relation.error(self.database, failure)),
        }
    }
}

/// Neighbours in the tables are asked for one after the other, so that a page is read once.
fn in_key_order(questions: &[Question]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..questions.len()).collect();
    places.sort_unstable_by(|a, b| questions[*a].agreement.cmp(&questions[*b].agreement));
    places
}

/// A cell by its place in the table's columns; the row's id comes first.
fn read<T>(
    row: &Row<'_>,
    columns: &[&'static str],
    place: usize,
    read: impl FnOnce(ValueRef<'_>) -> Result<T, &'static str>,
) -> Result<T, Failure> {
    read(row.get_ref(place + 1)?).or_else(|problem| Err(Failure::Cell { row: row.get(0)?, column: columns[place], problem }))
}

fn agreement_row(row: &Row<'_>) -> Result<Option<(AgreementRow, Option<NaiveDate>)>, Failure> {
    let columns = AGREEMENT.columns;
    let found = AgreementRow {
        customer_number: read(row, columns, 0, cell::text)?,
        borrowers: read(row, columns, 1, cell::text)?,
        agreement_type: read(row, columns, 2, cell::integer)?,
    };
    // It decides nothing but how long the answer is kept, so it stops nothing.
    let opened = cell::date(row.get_ref(columns.len() + 1)?).unwrap_or(None);
    Ok(Some((found, opened)))
}

/// The amount of a row that is ongoing and not deleted. Without an amount it is a row whose sum is zero.
fn custom_amount(row: &Row<'_>) -> Result<Option<Decimal>, Failure> {
    let columns = CUSTOM_PROFILE.columns;
    if read(row, columns, 0, cell::bit)? != Some(true) || read(row, columns, 1, cell::bit)? != Some(false) {
        return Ok(None);
    }
    Ok(Some(read(row, columns, 2, cell::amount)?.unwrap_or_default()))
}

/// What the rows of one agreement say about each of these months.
fn schedules(
    payment_profile: &Relation,
    statement: &mut CachedStatement<'_>,
    number: &Key,
    months: Vec<Month>,
) -> Result<Vec<Vec<Schedule>>, Failure> {
    let mut months: Vec<Schedules> = months.into_iter().map(Schedules::of).collect();
    payment_profile.rows(statement, number, |row| months.iter_mut().try_for_each(|month| add(row, month)))?;
    let too_large =
        |TooLarge| Failure::Cell { row: None, column: PAYMENT_PROFILE.columns[3], problem: "adds up to more than 28 digits" };
    months.into_iter().map(|month| month.finish().map_err(too_large)).collect()
}

fn add(row: &Row<'_>, month: &mut Schedules) -> Result<(), Failure> {
    let columns = PAYMENT_PROFILE.columns;
    let Some(date) = read(row, columns, 0, cell::date)? else { return Ok(()) };
    if month.is_past(date) {
        return Ok(());
    }
    let Some(fallen_due) = read(row, columns, 1, cell::bit)? else { return Ok(()) };
    if !month.wants(date, fallen_due) {
        return Ok(());
    }
    let kind = match row.get_ref(3)? {
        ValueRef::Null => return Ok(()),
        ValueRef::Text(kind) => std::str::from_utf8(kind).ok(),
        _ => None,
    };
    let kind = kind.ok_or(Failure::Cell { row: row.get(0)?, column: columns[2], problem: "is not text" })?;
    if let Some(sum) = month.sum_for(date, fallen_due, kind) {
        sum.add(read(row, columns, 3, cell::amount)?);
    }
    Ok(())
}
