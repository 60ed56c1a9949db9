//! Judging a batch: one look-up for all its questions, then every case in its order.

use std::collections::HashMap;

use super::domain::Domain;
use super::lookup::{Lookup, LookupError};

/// Judges cases in their order. Equal questions are asked once.
pub async fn judge_all<D: Domain, L: Lookup<D::Question, D::Answer>>(
    domain: &D,
    cases: Vec<D::Case>,
    lookup: &L,
    rules: &D::Rules,
) -> Result<Vec<D::Judgement>, LookupError> {
    let mut questions = Vec::new();
    let mut asked = HashMap::new();
    let places: Vec<Option<usize>> = cases
        .iter()
        .map(|case| {
            let question = domain.question(case, rules)?;
            Some(*asked.entry(question).or_insert_with_key(|question| {
                questions.push(question.clone());
                questions.len() - 1
            }))
        })
        .collect();
    let answers = if questions.is_empty() { Vec::new() } else { lookup.lookup(&questions).await? };
    let judged = cases.into_iter().zip(places).map(|(case, place)| domain.judge(case, place.map(|place| &answers[place]), rules));
    Ok(judged.collect())
}
