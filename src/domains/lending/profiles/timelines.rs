//! Expected payments from a profile file that nobody writes to while it is read, as in a backtest.

use std::path::Path;
use std::sync::Mutex;

use super::ProfilesError;
use super::book::{Book, Timeline};
use super::kept::Kept;
use crate::domains::lending::expected::{Answer, Question};
use crate::engine::lookup::{Lookup, LookupError};
use crate::event::KeyCase;
use crate::io::sqlite::Database;

/// An open profile file, and a timeline of each agreement that was asked about: read once, it answers a year of questions.
///
/// Answers are those of the file when the agreement was read. Nothing outdates them, for nothing changes; whose file
/// changes wants [`Profiles`](super::Profiles) with a [`Cached`](crate::engine::cache::Cached) before it. Whoever asks waits
/// for the disk.
#[derive(Debug)]
pub struct Timelines {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    book: Book,
    kept: Kept,
}

impl Timelines {
    /// Checks the schema, as [`Profiles::open`](super::Profiles::open) does. At most about `bytes` are kept of timelines.
    pub fn open(file: &Path, case: KeyCase, bytes: usize) -> Result<Self, ProfilesError> {
        let book = Book::open(Database::open(file)?, case)?;
        Ok(Self { open: Mutex::new(Open { book, kept: Kept::new(bytes) }) })
    }
}

impl Open {
    fn answers(&mut self, questions: &[Question]) -> Result<Vec<Answer>, ProfilesError> {
        let Self { book, kept } = self;
        // Three short loops instead of one long one: nearly every step goes to memory that was not used for long, and a
        // processor waits for several at once only if little lies between them.
        for question in questions {
            kept.renew(&question.agreement);
        }
        let find = |question: &Question| kept.get(&question.agreement).filter(|timeline| timeline.covers(question.month));
        let found: Vec<Option<&Timeline>> = questions.iter().map(find).collect();
        let mut answers = Vec::with_capacity(questions.len());
        let (mut places, mut missing) = (Vec::new(), Vec::new());
        for (question, timeline) in questions.iter().zip(found) {
            let answer = timeline.and_then(|timeline| timeline.answer(question.month));
            if answer.is_none() {
                places.push(answers.len());
                missing.push(question.clone());
            }
            answers.push(answer.unwrap_or_default());
        }
        if !missing.is_empty() {
            let read = book.timelines(&missing, |agreement, timeline| kept.insert(agreement.clone(), timeline))?;
            for (place, answer) in places.into_iter().zip(read) {
                answers[place] = answer;
            }
        }
        Ok(answers)
    }
}

impl Lookup<Question, Answer> for Timelines {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        let mut open = self.open.lock().map_err(|_| LookupError::broken("reading the profile file has panicked before"))?;
        Ok(open.answers(questions)?)
    }
}
