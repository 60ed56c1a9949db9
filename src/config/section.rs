//! Walking a table: every key is asked for once, and what is left over is unknown.

use std::cell::RefCell;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{ConfigErrors, Lines, Problem, did_you_mean};
use super::value::{Value, article};

/// A table of the file, or the empty table where the file has none.
///
/// When the reader of a section is done, the keys that it never asked for are reported as unknown.
#[derive(Debug)]
pub struct Section<'a> {
    table: &'a DeTable<'a>,
    /// Dotted, as messages name it; empty for the root.
    path: String,
    /// Where problems of the section as a whole are shown: its header.
    offset: usize,
    known: Vec<String>,
    file: &'a File<'a>,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<T> {
    pub value: T,
    /// In bytes from the beginning of the file, for [`Section::problem_at`] and [`Section::line`].
    pub offset: usize,
}

#[derive(Debug)]
struct File<'a> {
    lines: Lines<'a>,
    problems: RefCell<Vec<(usize, Problem)>>,
}

pub(super) fn parse<T>(file: &str, text: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> Result<T, ConfigErrors> {
    // a byte order mark is no part of the first line's columns
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, syntax) = DeTable::parse_recoverable(text);
    let source = File { lines: Lines::of(text), problems: RefCell::default() };
    let value = Section::new(root.get_ref(), String::new(), 0, &source).read(read);

    let File { lines, problems } = source;
    let mut problems = problems.into_inner();
    // one a line, the first: the others follow from it
    let mut broken = BTreeMap::new();
    for error in &syntax {
        let offset = error.span().map_or(0, |span| span.start);
        let first = broken.entry(lines.line(offset)).or_insert((offset, error));
        if offset < first.0 {
            *first = (offset, error);
        }
    }
    // what the parser made up to read on is no finding of ours
    problems.retain(|(offset, _)| !broken.contains_key(&lines.line(*offset)));
    let mut broken: Vec<_> = broken.into_values().collect();
    // after an unclosed bracket every line lacks a comma
    let lacks_comma = |error: &toml::de::Error| error.message().starts_with(MISSING_COMMA);
    broken.dedup_by(|(_, error), (_, before)| lacks_comma(error) && lacks_comma(before));
    problems.extend(broken.into_iter().map(|(offset, error)| (offset, syntax_problem(text, error))));
    if problems.is_empty() { Ok(value) } else { Err(ConfigErrors::new(file, text, problems)) }
}

const MISSING_COMMA: &str = "missing comma between";

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message();
    let problem = Problem::new(message.strip_suffix(", expected nothing").unwrap_or(message));
    if message.starts_with(MISSING_COMMA) {
        return problem.hint("if nothing is missing here, a bracket above is not closed");
    }
    let word = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => problem.hint("did you mean `true`?"),
        "false" | "no" | "off" => problem.hint("did you mean `false`?"),
        _ => problem,
    }
}

impl<'a> Section<'a> {
    fn new(table: &'a DeTable<'a>, path: String, offset: usize, file: &'a File<'a>) -> Self {
        Self { table, path, offset, known: Vec::new(), file }
    }

    /// The value of a key; `None` where it is missing, and where it does not read, which is then reported.
    pub fn optional<T>(&mut self, key: &str, read: impl FnOnce(Value<'_>) -> Result<T, Problem>) -> Option<T> {
        let value = self.take(key)?;
        self.check(key, value, read)
    }

    /// As [`Self::optional`], but a missing key is reported too.
    pub fn required<T>(&mut self, key: &str, read: impl FnOnce(Value<'_>) -> Result<T, Problem>) -> Option<T> {
        if !self.has(key) {
            self.known(key);
            self.problem(Problem::new(format!("missing key `{}`", self.name(key))));
            return None;
        }
        self.optional(key, read)
    }

    /// The elements of an array that read; the others are reported. `None` only where the key is missing.
    pub fn list<T>(&mut self, key: &str, read: impl Fn(Value<'_>) -> Result<T, Problem>) -> Option<Vec<Item<T>>> {
        let value = self.take(key)?;
        let DeValue::Array(elements) = value.get_ref() else {
            let problem = self.expected(key, "an array", value.get_ref());
            self.problem_at(value.span().start, problem.hint("put the values in brackets: [ ]"));
            return Some(Vec::new());
        };
        let items = elements
            .iter()
            .filter_map(|element| self.check(key, element, &read).map(|value| Item { value, offset: element.span().start }));
        Some(items.collect())
    }

    /// A table within this one; read as empty where it is missing, so that defaults are said in one place.
    pub fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let path = self.name(key);
        let empty = DeTable::new();
        let (table, offset) = match self.take(key) {
            None => (&empty, self.offset),
            Some(value) => match value.get_ref() {
                DeValue::Table(table) => (table, value.span().start),
                other => {
                    self.problem_at(value.span().start, self.expected(key, "a table", other));
                    (&empty, value.span().start)
                }
            },
        };
        Section::new(table, path, offset, self.file).read(read)
    }

    /// An array of tables; empty where it is missing.
    pub fn tables<T>(&mut self, key: &str, mut read: impl FnMut(&mut Section<'_>) -> T) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let path = self.name(key);
        let DeValue::Array(elements) = value.get_ref() else {
            let hint = format!("head each of them with `[[{path}]]`");
            self.problem_at(value.span().start, self.expected(key, "an array of tables", value.get_ref()).hint(hint));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let offset = element.span().start;
            if let DeValue::Table(table) = element.get_ref() {
                sections.push(Section::new(table, path, offset, self.file).read(&mut read));
            } else {
                self.problem_at(offset, Problem::new(wrong_type(&path, "a table", element.get_ref())));
            }
        }
        sections
    }

    /// All keys of a table whose keys are data, in the order of the file; those that do not read are reported.
    pub fn entries<K, T>(
        &mut self,
        read_key: impl Fn(&str) -> Result<K, Problem>,
        read: impl Fn(Value<'_>) -> Result<T, Problem>,
    ) -> Vec<(Item<K>, T)> {
        let table = self.table;
        let mut entries = Vec::new();
        for (key, value) in table {
            let (name, offset) = (key.get_ref(), key.span().start);
            self.known(name);
            let read_key = match read_key(name) {
                Ok(key) => Some(Item { value: key, offset }),
                Err(Problem { message, hint }) => {
                    self.problem_at(offset, Problem { message: format!("`{}`: {message}", self.path), hint });
                    None
                }
            };
            // both are read, so that both are reported
            let value = self.check(name, value, &read);
            entries.extend(read_key.zip(value));
        }
        entries.sort_by_key(|(key, _)| key.offset);
        entries
    }

    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    #[must_use]
    pub fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    /// The key holds an array without elements.
    #[must_use]
    pub fn is_empty_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Array(elements) if elements.is_empty()))
    }

    /// How messages name a key of this section: dotted, from the root.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// How messages name the section itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line of an [`Item`], from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.file.lines.line(offset)
    }

    /// Reports something that is wrong with the section as a whole.
    pub fn problem(&self, problem: Problem) {
        self.problem_at(self.offset, problem);
    }

    /// Reports something that is wrong with a key, at its value; at the section where it is missing.
    pub fn problem_with(&self, key: &str, problem: Problem) {
        self.problem_at(self.table.get(key).map_or(self.offset, |value| value.span().start), problem);
    }

    /// Reports something that only shows when values are compared.
    pub fn problem_at(&self, offset: usize, problem: Problem) {
        self.file.problems.borrow_mut().push((offset, problem));
    }

    fn read<T>(mut self, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let value = read(&mut self);
        self.report_unknown_keys();
        value
    }

    fn take(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known(key);
        self.table.get(key)
    }

    fn known(&mut self, key: &str) {
        self.known.push(key.to_owned());
    }

    fn check<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, read: impl FnOnce(Value<'_>) -> Result<T, Problem>) -> Option<T> {
        read(Value(value.get_ref()))
            .map_err(|Problem { message, hint }| {
                let message = format!("`{}`: {message}", self.name(key));
                self.problem_at(value.span().start, Problem { message, hint });
            })
            .ok()
    }

    fn expected(&self, key: &str, expected: &str, found: &DeValue<'_>) -> Problem {
        Problem::new(wrong_type(&self.name(key), expected, found))
    }

    fn report_unknown_keys(&self) {
        for (key, value) in self.table {
            let name = key.get_ref();
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            let place = match (self.path.as_str(), value.get_ref()) {
                ("", DeValue::Table(_)) => String::new(),
                ("", _) => " outside every table".to_owned(),
                (path, _) => format!(" in `{path}`"),
            };
            // a key that is there already was not misspelt
            let absent = || self.known.iter().map(String::as_str).filter(|known| !self.has(known));
            let hint = match did_you_mean(name, absent()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if self.known.is_empty() => "nothing belongs here".to_owned(),
                None => {
                    let known: Vec<String> = self.known.iter().map(|known| format!("`{known}`")).collect();
                    format!("what may stand here: {}", known.join(", "))
                }
            };
            self.problem_at(key.span().start, Problem::new(format!("unknown key `{name}`{place}")).hint(hint));
        }
    }
}

fn wrong_type(name: &str, expected: &str, found: &DeValue<'_>) -> String {
    format!("`{name}`: expected {expected}, found {}", article(found))
}
