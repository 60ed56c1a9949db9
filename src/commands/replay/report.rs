//! What a replay shows: alerts as they come, and at the end what each script raised.

use std::fmt::Write as _;

use serde::Deserialize;

use super::scripts::Raised;

/// What of an alert is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    rule: String,
    rule_name: String,
    severity: String,
    pub(super) agreement_number: String,
    occurred_at: String,
    explanation: String,
    pub(super) trigger: Trigger,
}

#[derive(Debug, Deserialize)]
pub(super) struct Trigger {
    pub(super) commit_lsn: String,
}

pub(super) const HEADER: &str = "when                 rule                severity  agreement";

impl Shown {
    /// `R1 FRM0001544`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.rule, self.agreement_number)
    }

    /// A row of the table, and below it the explanation in lines that fit into `width`.
    pub(super) fn row(&self, width: usize) -> String {
        let rule = format!("{} {}", self.rule, self.rule_name.replace('_', " "));
        let when = self.occurred_at.get(..19).unwrap_or(&self.occurred_at).replace('T', " ");
        let mut text = format!("{when:<19}  {rule:<18}  {:<8}  {}\n", self.severity, self.agreement_number);
        for line in wrapped(&self.explanation, width.min(LONGEST) - INDENT.len()) {
            text.push_str(INDENT);
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

const INDENT: &str = "    ";
/// Longer lines are hard to read, however wide the terminal is.
const LONGEST: usize = 120;

/// Words in lines of at most `width` columns; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A script, and what it raised.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) script: &'a str,
    pub(super) raised: Raised,
    /// `None` where nothing is said about the script.
    pub(super) expected: Option<&'a Raised>,
    /// How many of its statements failed.
    pub(super) failures: usize,
}

impl Outcome<'_> {
    /// What must come and did not.
    pub(super) fn missing(&self) -> Raised {
        let mut raised = self.raised.clone();
        let came = |alert: &&String| match raised.iter().position(|raised| raised == *alert) {
            Some(at) => {
                raised.swap_remove(at);
                false
            }
            None => true,
        };
        self.expected.into_iter().flatten().filter(came).cloned().collect()
    }

    pub(super) fn differs(&self) -> bool {
        self.expected.is_some_and(|expected| *expected != self.raised)
    }
}

/// One line a script; where it differs, what was expected below it.
pub(super) fn outcomes(outcomes: &[Outcome<'_>]) -> String {
    let width = outcomes.iter().map(|outcome| outcome.script.chars().count()).max().unwrap_or(0);
    let list = |raised: &Raised| if raised.is_empty() { "nothing".to_owned() } else { raised.join(", ") };
    let mut text = String::new();
    for outcome in outcomes {
        let mark = match outcome.expected {
            Some(_) if outcome.differs() => "DIFFERS",
            _ if outcome.failures > 0 => "FAILED",
            None => "      ",
            Some(_) => "ok    ",
        };
        // writing to a String cannot fail
        let _ = writeln!(text, "{mark:<7}  {:<width$}  {}", outcome.script, list(&outcome.raised));
        if let Some(expected) = outcome.expected.filter(|_| outcome.differs()) {
            let _ = writeln!(text, "{:<7}  {:<width$}  expected: {}", "", "", list(expected));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_with_what_was_expected() {
        let expected = vec!["R1 A".to_owned()];
        let text = outcomes(&[
            Outcome { script: "a.sql", raised: vec!["R1 A".to_owned()], expected: Some(&expected), failures: 0 },
            Outcome { script: "longer.sql", raised: vec![], expected: Some(&expected), failures: 1 },
            Outcome { script: "c.sql", raised: vec!["R5 C".to_owned(), "R5 D".to_owned()], expected: None, failures: 0 },
            Outcome { script: "d.sql", raised: vec![], expected: None, failures: 2 },
        ]);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_alert_that_must_come_twice_is_missing_when_it_came_once() {
        let expected = ["R1 A", "R1 A", "R5 A"].map(str::to_owned).to_vec();
        let missing = |raised: &[&str]| {
            let raised = raised.iter().map(|name| (*name).to_owned()).collect();
            Outcome { script: "a.sql", raised, expected: Some(&expected), failures: 0 }.missing()
        };
        assert_eq!(missing(&["R1 A", "R2 B"]), ["R1 A", "R5 A"]);
        assert_eq!(missing(&["R1 A", "R1 A", "R5 A", "R5 A"]), [""; 0]);
    }

    #[test]
    fn lines_are_as_long_as_they_may_be_and_no_longer() {
        assert_eq!(wrapped("ab cd e", 5), ["ab cd", "e"]);
        assert_eq!(wrapped("ab cd e", 4), ["ab", "cd e"]);
        assert_eq!(wrapped("abcdef g", 3), ["abcdef", "g"]);
        assert_eq!(wrapped("", 3), [""; 0]);
    }

    #[test]
    fn an_alert_is_a_row_with_its_reason_below() {
        let alert = serde_json::json!({
            "rule": "R2", "rule_name": "lump_sum", "severity": "high", "agreement_number": "FRM0001544",
            "occurred_at": "2026-03-15T09:00:00.120Z", "explanation": "Payment of 5,000.00 on FRM0001544 is above the 3,000.00 that R2 allows in one payment; 230.00 is expected.", "trigger": {"commit_lsn": "x"}, "more": 1,
        });
        let shown: Shown = serde_json::from_value(alert).unwrap();
        assert_eq!(shown.name(), "R2 FRM0001544");
        insta::assert_snapshot!(format!("{HEADER}\n{}", shown.row(80)));
    }
}
