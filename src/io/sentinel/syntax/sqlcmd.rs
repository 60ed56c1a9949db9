//! What `sqlcmd` itself does with a script before the server sees any of it: its commands, its variables, the files
//! that it reads in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::session::OnError;
use super::lex::Problem;

/// Files may read each other in so deep.
const MAX_DEPTH: usize = 16;

/// What a script can reach outside itself.
pub trait Surroundings {
    /// The file that `:r` names in the file `from`: its own name, and its text.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, from: &str, path: &str) -> Result<(String, String), String>;

    /// A variable of the environment, for `$(name)` where no `:setvar` sets it.
    fn variable(&self, name: &str) -> Option<String>;
}

/// No files, no variables.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Surroundings for Nowhere {
    fn file(&self, _from: &str, _path: &str) -> Result<(String, String), String> {
        Err("a text without a folder reads no other file".to_owned())
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// The text that is left for the server, one line for each line that was read.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) text: String,
    pub(crate) places: Places,
    pub(crate) problems: Vec<Problem>,
    /// What `:on error` says, and the line from which it holds.
    pub(crate) on_error: Vec<(u32, OnError)>,
    /// `quit` stands there: what was not yet sent by a GO is not sent at all.
    pub(crate) drops_rest: bool,
}

/// Where the lines of a prepared text come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<(Arc<str>, u32)>);

impl Places {
    pub(crate) fn of(&self, line: u32) -> (Arc<str>, u32) {
        let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        let place = self.0.get(at).or_else(|| self.0.last()).cloned();
        place.unwrap_or_else(|| (Arc::from(""), line))
    }

    fn next_line(&self) -> u32 {
        u32::try_from(self.0.len() + 1).unwrap_or(u32::MAX)
    }
}

pub(crate) fn prepare(name: &str, text: &str, surroundings: &dyn Surroundings) -> Prepared {
    let mut sqlcmd = Sqlcmd { surroundings, variables: BTreeMap::new(), state: State::Plain, prepared: Prepared::default() };
    sqlcmd.read(&Arc::from(name), text, 0);
    sqlcmd.prepared
}

/// A text that sqlcmd does not see.
pub(crate) fn untouched(name: &str, text: &str) -> Prepared {
    let name: Arc<str> = Arc::from(name);
    let places = text.lines().zip(1..).map(|(_, line)| (Arc::clone(&name), line)).collect();
    Prepared { text: text.to_owned(), places: Places(places), ..Prepared::default() }
}

struct Sqlcmd<'s> {
    surroundings: &'s dyn Surroundings,
    variables: BTreeMap<String, String>,
    state: State,
    prepared: Prepared,
}

/// Where a line begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    /// In so many comments, one inside the other.
    Comment(u32),
    /// In quotes that end with this character.
    Quoted(char),
}

/// Whether the script goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Sqlcmd<'_> {
    fn read(&mut self, file: &Arc<str>, text: &str, depth: usize) -> Next {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let place = (Arc::clone(file), u32::try_from(at + 1).unwrap_or(u32::MAX));
            let command = if self.state == State::Plain { command(line.trim()) } else { None };
            let next = match command {
                None => {
                    let line = self.replaced(line, true);
                    self.put(place, &line)
                }
                Some((word, rest)) => {
                    let rest = self.replaced(rest, false);
                    self.carry_out(&word, rest.trim(), place, depth)
                }
            };
            if next == Next::End {
                return Next::End;
            }
        }
        Next::GoOn
    }

    fn put(&mut self, place: (Arc<str>, u32), line: &str) -> Next {
        self.prepared.places.0.push(place);
        self.prepared.text.push_str(line);
        if !line.ends_with('\n') {
            // the last line of a file that another one follows
            self.prepared.text.push('\n');
        }
        Next::GoOn
    }

    fn problem(&mut self, text: &str, message: impl Into<String>, hint: impl Into<String>) {
        let line = self.prepared.places.next_line();
        let (message, hint) = (message.into(), Some(hint.into()));
        self.prepared.problems.push(Problem { line, text: text.trim().to_owned(), message, hint });
    }

    /// The line with its variables replaced; moves the state to the line's end where the line is the server's.
    fn replaced(&mut self, line: &str, is_text: bool) -> String {
        let mut text = String::with_capacity(line.len());
        let mut rest = line;
        let mut state = self.state;
        while let Some(c) = rest.chars().next() {
            let comment = matches!(state, State::Comment(_));
            if is_text && state == State::Plain && rest.starts_with("--") {
                text.push_str(rest);
                break;
            }
            if let (Some(inner), false) = (rest.strip_prefix("$("), comment)
                && let Some((name, after)) = inner.split_once(')')
                && is_name(name)
            {
                match self.value(name) {
                    Some(value) => text.push_str(&value),
                    None => self.problem(
                        line,
                        format!("the sqlcmd variable $({name}) is not set"),
                        format!("set it at the head of the script (:setvar {name} \"value\") or in the environment"),
                    ),
                }
                rest = after;
                continue;
            }
            let taken;
            (state, taken) = match state {
                State::Plain if rest.starts_with("/*") => (State::Comment(1), 2),
                State::Comment(depth) if rest.starts_with("/*") => (State::Comment(depth + 1), 2),
                State::Comment(1) if rest.starts_with("*/") => (State::Plain, 2),
                State::Comment(depth) if rest.starts_with("*/") => (State::Comment(depth - 1), 2),
                State::Plain if matches!(c, '\'' | '"') => (State::Quoted(c), 1),
                State::Plain if c == '[' => (State::Quoted(']'), 1),
                // a doubled quote ends the text and begins it again
                State::Quoted(end) if c == end => (State::Plain, 1),
                state => (state, c.len_utf8()),
            };
            text.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        if is_text {
            self.state = state;
        }
        text
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(value) = self.variables.get(&name.to_ascii_lowercase()) {
            return Some(value.clone());
        }
        self.surroundings.variable(name).or_else(|| {
            let of_sqlcmd = ["SQLCMDSERVER", "SQLCMDWORKSTATION", "SQLCMDUSER", "SQLCMDDBNAME"];
            of_sqlcmd.iter().any(|known| known.eq_ignore_ascii_case(name)).then(String::new)
        })
    }

    fn carry_out(&mut self, word: &str, rest: &str, place: (Arc<str>, u32), depth: usize) -> Next {
        match word {
            "r" => {
                let path = unquoted(rest);
                if depth >= MAX_DEPTH {
                    self.problem(&format!(":r {path}"), "files read each other in without an end", "does a file read itself?");
                    return self.put(place, "\n");
                }
                return match self.surroundings.file(&place.0, &path) {
                    Ok((name, text)) => self.read(&Arc::from(name), &text, depth + 1),
                    Err(error) => {
                        let hint = "the path is looked for beside the script, then in the current folder";
                        self.problem(&format!(":r {path}"), error, hint);
                        self.put(place, "\n")
                    }
                };
            }
            "exit" | "quit" => {
                let inner = rest.strip_prefix('(').and_then(|rest| rest.trim_end().strip_suffix(')'));
                return match inner {
                    // EXIT(query) sends what is waiting, the query behind it
                    Some(query) => {
                        let query = query.to_owned();
                        self.put(place, &query);
                        Next::End
                    }
                    None => {
                        self.prepared.drops_rest = true;
                        Next::End
                    }
                };
            }
            "setvar" => {
                let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                if value.trim().is_empty() {
                    self.variables.remove(&name.to_ascii_lowercase());
                } else {
                    self.variables.insert(name.to_ascii_lowercase(), unquoted(value.trim()));
                }
            }
            "on" => {
                let words: Vec<String> = rest.split_whitespace().map(str::to_ascii_lowercase).collect();
                let line = self.prepared.places.next_line();
                match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["error", "exit"] => self.prepared.on_error.push((line, OnError::Stop)),
                    ["error", "ignore"] => self.prepared.on_error.push((line, OnError::Continue)),
                    _ => {
                        self.problem(&format!(":on {rest}"), "expected :on error exit or :on error ignore", "leave the line out");
                    }
                }
            }
            // Where sqlcmd writes to, and what it tells of itself.
            "out" | "error" | "list" | "listvar" | "perftrace" | "serverlist" | "help" | "xml" | "connect" => {}
            "!!" => self.problem(
                &format!("!! {rest}"),
                "a command of the operating system (!!) is not run by the embedded Sentinel",
                "run it yourself before the replay, and leave the line out",
            ),
            "reset" | "ed" => self.problem(
                &format!(":{word}"),
                format!("the sqlcmd command :{word} is not supported by the embedded Sentinel"),
                "it is for typing at sqlcmd: leave the line out",
            ),
            _ => self.problem(
                &format!(":{word} {rest}"),
                format!("sqlcmd has no command :{word}"),
                "known are :r, :setvar, :on error, :exit and :quit; others that only steer sqlcmd's output are left out",
            ),
        }
        self.put(place, "\n")
    }
}

/// A line that is sqlcmd's own: its word in lower case, and the rest.
fn command(line: &str) -> Option<(String, &str)> {
    if let Some(rest) = line.strip_prefix("!!").or_else(|| line.strip_prefix(":!!")) {
        return Some(("!!".to_owned(), rest.trim()));
    }
    let end = |line: &str| line.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(line.len());
    if let Some(line) = line.strip_prefix(':') {
        let end = end(line);
        // `::` is T-SQL
        return (end > 0).then(|| (line[..end].to_ascii_lowercase(), line[end..].trim()));
    }
    let at = end(line);
    let (word, rest) = (line[..at].to_ascii_lowercase(), line[at..].trim().trim_end_matches(';').trim_end());
    // These need no colon.
    let alone = rest.is_empty() || rest.starts_with("--") || word == "exit" && rest.starts_with('(');
    (alone && matches!(word.as_str(), "exit" | "quit" | "reset" | "ed")).then_some((word, rest))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A value without its quotes; a doubled quote in it is one.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder;

    impl Surroundings for Folder {
        fn file(&self, from: &str, path: &str) -> Result<(String, String), String> {
            match path {
                "part.sql" => Ok(("dir/part.sql".to_owned(), "PRINT '$(who)'\nPRINT 2".to_owned())),
                "self.sql" => Ok((from.to_owned(), ":r self.sql\n".to_owned())),
                _ => Err(format!("cannot read {path}")),
            }
        }

        fn variable(&self, name: &str) -> Option<String> {
            (name == "FROM_ENV").then(|| "outside".to_owned())
        }
    }

    fn text(source: &str) -> String {
        let prepared = prepare("a.sql", source, &Folder);
        assert_eq!(prepared.problems, []);
        prepared.text
    }

    #[test]
    fn variables_are_replaced_also_in_text_but_not_in_comments() {
        let source = ":setvar who \"O\"\"Neil Ltd\"\n:setvar Db Mock\nUSE [$(DB)]; PRINT '$(Who) $(FROM_ENV)' -- $(none)\n/* $(none)\n$(none) */ $(db)\n";
        assert_eq!(text(source), "\n\nUSE [Mock]; PRINT 'O\"Neil Ltd outside' -- $(none)\n/* $(none)\n$(none) */ Mock\n");
        let problems = prepare("a.sql", "x\n:setvar v 1\n:setvar v\nPRINT $(v)", &Nowhere).problems;
        assert_eq!((problems.len(), problems[0].line), (1, 4));
    }

    #[test]
    fn a_file_is_read_in_where_it_is_named_and_keeps_its_own_lines() {
        let prepared = prepare("a.sql", ":setvar who x\nPRINT 1\n:r part.sql\nPRINT 3\n", &Folder);
        assert_eq!(prepared.text, "\nPRINT 1\nPRINT 'x'\nPRINT 2\nPRINT 3\n");
        let place = |line| {
            let (file, line) = prepared.places.of(line);
            format!("{file}:{line}")
        };
        assert_eq!([2, 3, 4, 5].map(place), ["a.sql:2", "dir/part.sql:1", "dir/part.sql:2", "a.sql:4"]);
        assert_eq!(prepare("a.sql", ":r none.sql", &Folder).problems[0].message, "cannot read none.sql");
        assert!(prepare("a.sql", ":r self.sql", &Folder).problems[0].message.contains("without an end"));
    }

    #[test]
    fn commands_in_text_and_comments_are_none() {
        let source = "PRINT '\n:r nothing\nexit\n'\n/*\nquit\n*/\nSELECT a::b\n";
        assert_eq!(text(source), source);
    }

    #[test]
    fn the_script_ends_where_it_says() {
        for (source, left, drops) in [
            ("PRINT 1\nGO\nPRINT 2\nexit\nPRINT 3", "PRINT 1\nGO\nPRINT 2\n", true),
            ("PRINT 1\n:quit\nPRINT 3", "PRINT 1\n", true),
            ("PRINT 1\nEXIT()\nPRINT 3", "PRINT 1\n\n", false),
            ("PRINT 1\nEXIT(SELECT 5)\nPRINT 3", "PRINT 1\nSELECT 5\n", false),
        ] {
            let prepared = prepare("a.sql", source, &Nowhere);
            assert_eq!((prepared.text.as_str(), prepared.drops_rest), (left, drops), "{source}");
        }
        assert_eq!(text("EXIT_CODE: PRINT 1\nquit_now: PRINT 2\n"), "EXIT_CODE: PRINT 1\nquit_now: PRINT 2\n");
    }

    #[test]
    fn what_happens_on_errors_holds_from_its_line_on() {
        let prepared = prepare("a.sql", ":on error exit\nPRINT 1\nGO\n:On Error Ignore\n", &Nowhere);
        assert_eq!(prepared.on_error, [(1, OnError::Stop), (4, OnError::Continue)]);
        for (source, part) in
            [(":on error maybe", "expected :on error"), ("!! dir", "operating system"), (":frobnicate", "no command")]
        {
            let problems = prepare("a.sql", source, &Nowhere).problems;
            assert_eq!(problems.len(), 1, "{source}");
            assert!(problems[0].message.contains(part) || problems[0].text.contains(part), "{problems:?}");
        }
    }
}
