//! Judging a batch: one look-up for all its questions, then every case in its order.

use foldhash::{HashMap, HashMapExt as _};

use super::domain::Domain;
use super::lookup::{Lookup, LookupError};

/// Cases with all that is needed to judge them.
#[derive(Debug)]
pub struct Answered<D: Domain> {
    cases: Vec<D::Case>,
    asked: Asked<D::Question>,
    answers: Vec<D::Answer>,
}

/// Asks what the cases need to know, each distinct question once.
pub async fn ask<D: Domain, L: Lookup<D::Question, D::Answer>>(
    domain: &D,
    cases: Vec<D::Case>,
    lookup: &L,
    rules: &D::Rules,
) -> Result<Answered<D>, LookupError> {
    let asked = Asked::by(domain, &cases, rules);
    let answers = if asked.questions.is_empty() { Vec::new() } else { lookup.lookup(&asked.questions).await? };
    asked.check(&answers)?;
    Ok(Answered { cases, asked, answers })
}

impl<D: Domain> Answered<D> {
    /// Judges the cases in their order, each when it is asked for.
    pub fn judge(self, domain: &D, rules: &D::Rules) -> impl Iterator<Item = D::Judgement> {
        let Self { cases, asked, answers } = self;
        let cases = cases.into_iter().zip(asked.places);
        cases.map(move |(case, place)| domain.judge(case, place.map(|place| &answers[place]), rules))
    }
}

/// What a batch of cases asks.
#[derive(Debug)]
pub(super) struct Asked<Q> {
    /// Distinct, in the order in which they were first asked.
    pub(super) questions: Vec<Q>,
    /// By case: which question it asks.
    places: Vec<Option<usize>>,
}

impl<Q: Clone + Eq + std::hash::Hash> Asked<Q> {
    pub(super) fn by<D: Domain<Question = Q>>(domain: &D, cases: &[D::Case], rules: &D::Rules) -> Self {
        let mut questions = Vec::new();
        let mut known = HashMap::new();
        let place = |case| {
            let question = domain.question(case, rules)?;
            Some(*known.entry(question).or_insert_with_key(|question: &Q| {
                questions.push(question.clone());
                questions.len() - 1
            }))
        };
        let places = cases.iter().map(place).collect();
        Self { questions, places }
    }

    /// A source that does not answer every question is broken: a case must not be judged as if nothing were known.
    pub(super) fn check<A>(&self, answers: &[A]) -> Result<(), LookupError> {
        let (asked, answered) = (self.questions.len(), answers.len());
        if asked == answered { Ok(()) } else { Err(LookupError::broken(format!("{answered} answers to {asked} questions"))) }
    }

    /// The answers must have been checked.
    pub(super) fn judge<D: Domain<Question = Q>>(
        &self,
        domain: &D,
        cases: Vec<D::Case>,
        answers: &[D::Answer],
        rules: &D::Rules,
    ) -> Vec<D::Judgement> {
        let cases = cases.into_iter().zip(&self.places);
        cases.map(|(case, place)| domain.judge(case, place.map(|place| &answers[place]), rules)).collect()
    }
}
