//! What is wrong with a configuration file, and where.

use std::fmt;

/// Everything that is wrong with one file, by line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file: String,
    findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Names the key and what was expected; lower case, no full stop.
    pub message: String,
    pub hint: Option<String>,
}

/// What a value lacks, before it is known where the value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Advice: what to write instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl ConfigErrors {
    /// From problems at byte offsets of the text, in any order.
    pub(super) fn new(file: &str, text: &str, mut problems: Vec<(usize, Problem)>) -> Self {
        problems.sort_by_key(|(offset, _)| *offset);
        let lines = Lines::of(text);
        let findings = problems
            .into_iter()
            .map(|(offset, Problem { message, hint })| {
                let (line, column) = lines.place(offset);
                Finding { line, column, message, hint }
            })
            .collect();
        Self { file: file.to_owned(), findings }
    }

    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// More than anybody makes; a file of another kind is wrong in every line.
const SHOWN: usize = 100;

impl fmt::Display for ConfigErrors {
    /// `FILE:LINE:COLUMN: message`, a line each, the hint indented below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Finding { line, column, message, hint }) in self.findings.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}:{column}: {message}", self.file)?;
            if let Some(hint) = hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        match self.findings.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n{}: and {more} more\n  hint: is this the right file?", self.file),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { text, starts }
    }

    /// From 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Line and column, from 1, of a byte offset.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let before = self.text[self.starts[line - 1]..].char_indices().take_while(|(index, char)| {
            let end = self.starts[line - 1] + index + char.len_utf8();
            end <= offset
        });
        (line, before.count() + 1)
    }
}

/// The candidate that was probably meant.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` or `c`, each in backticks.
pub(super) fn alternatives<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.pop() {
        None => "nothing".to_owned(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_from_one() {
        let text = "ab\nüé = 1\r\nx";
        let place = |offset| Lines::of(text).place(offset);
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(4), (2, 1), "inside a character is at the character");
        assert_eq!(place(7), (2, 3));
        assert_eq!(place(text.len()), (3, 2));
        assert_eq!(place(usize::MAX), (3, 2));
    }

    #[test]
    fn a_hundred_findings_are_shown_and_the_rest_is_counted() {
        let shown = |count| ConfigErrors::new("f", "", vec![(0, Problem::new("wrong")); count]).to_string();
        assert_eq!(shown(100).lines().count(), 100);
        assert_eq!(shown(101).lines().count(), 102);
        assert!(shown(102).ends_with("\nf: and 2 more\n  hint: is this the right file?"));
    }

    #[test]
    fn a_misspelt_word_finds_its_like_and_a_strange_one_finds_nothing() {
        let known = ["enabled", "severity", "max_percent_over", "min_excess"];
        assert_eq!(did_you_mean("max_percent", known), Some("max_percent_over"));
        assert_eq!(did_you_mean("max_precent_over", known), Some("max_percent_over"));
        assert_eq!(did_you_mean("Enabled", known), Some("enabled"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(did_you_mean("R6", ["R1", "R2"]), None);
    }
}
