//! A script as sqlcmd sends it to a server: batch by batch, with nothing of it understood.

use std::sync::Arc;

use super::super::error::ScriptError;
use super::super::session::OnError;
use super::lex::{self, Lexed, Lexeme, Problem, Token};
use super::sqlcmd::{self, Places, Prepared, Surroundings};

/// What stands between two `GO`s, sqlcmd's own commands and variables carried out.
#[derive(Clone, Debug)]
pub struct Batch {
    pub text: String,
    /// How often it runs.
    pub repeat: u32,
    /// What the script says about errors in it; nothing unless it does.
    pub on_error: Option<OnError>,
    /// The databases that it changes to by USE.
    pub databases: Vec<String>,
    places: Arc<Places>,
    begin: u32,
    /// The line of its first token.
    first: u32,
}

impl Batch {
    /// File and line of one of its lines, which count from 1, as a server counts them.
    #[must_use]
    pub fn place(&self, line: u32) -> (String, u32) {
        let (file, line) = self.places.of(self.begin.saturating_add(line.max(1) - 1));
        (file.to_string(), line)
    }

    /// File and line where its first statement stands.
    #[must_use]
    pub fn head(&self) -> (String, u32) {
        let (file, line) = self.places.of(self.first);
        (file.to_string(), line)
    }
}

/// Cuts a script into batches.
///
/// # Errors
/// What of it not even sqlcmd could send: a file that is not there, a variable that is not set, a quote that is not closed.
pub fn batches(name: &str, text: &str, surroundings: &dyn Surroundings) -> Result<Vec<Batch>, Vec<ScriptError>> {
    let Prepared { text, places, mut problems, on_error, drops_rest } = sqlcmd::prepare(name, text, surroundings);
    let Lexed { text, batches, problems: faults, is_readable } = lex::lex(text, drops_rest);
    if !is_readable {
        // what a token means is for the server to judge
        problems.extend(faults);
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        let error = |problem: Problem| {
            let (file, line) = places.of(problem.line);
            let Problem { text: statement, message, hint, .. } = problem;
            ScriptError { file: file.to_string(), line, statement, number: None, message, hint }
        };
        return Err(problems.into_iter().map(error).collect());
    }
    let places = Arc::new(places);
    let cut = |batch: lex::Batch| Batch {
        text: text.get(batch.bytes).expect("a batch's bytes come from places of its tokens in this text").to_owned(),
        repeat: batch.repeat,
        on_error: on_error.iter().rfind(|(line, _)| *line < batch.end).map(|(_, on_error)| *on_error),
        databases: databases(&batch.tokens),
        places: Arc::clone(&places),
        begin: batch.begin,
        first: batch.tokens.first().map_or(batch.begin, |token| token.line),
    };
    Ok(batches.into_iter().map(cut).collect())
}

/// USE is reserved, so it begins a statement, but for hints: OPTION (USE HINT (…)).
fn databases(tokens: &[Token]) -> Vec<String> {
    let mut databases = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [
            Token { lexeme: Lexeme::Word { text: word, quoted: false }, .. },
            Token { lexeme: Lexeme::Word { text: name, .. }, .. },
        ] = pair
        else {
            continue;
        };
        let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|token| &token.lexeme);
        if word.eq_ignore_ascii_case("use") && !matches!(before, Some(Lexeme::Symbol("(" | ","))) {
            databases.push(name.clone());
        }
    }
    databases
}

#[cfg(test)]
mod tests {
    use super::super::Nowhere;
    use super::*;

    fn cut(text: &str) -> Vec<Batch> {
        batches("a.sql", text, &Nowhere).unwrap()
    }

    #[test]
    fn a_batch_is_what_stands_between_its_gos_and_its_lines_are_the_files() {
        let batches = cut("-- head\nGO\n:setvar n 7\n\n-- why\nSELECT $(n)\n, 2\nGO 3 -- thrice\nPRINT 'é'; GO_ON:\n");
        let texts: Vec<&str> = batches.iter().map(|batch| batch.text.as_str()).collect();
        assert_eq!(texts, ["\n\n-- why\nSELECT 7\n, 2\n", "PRINT 'é'; GO_ON:\n"]);
        assert_eq!((batches[0].repeat, batches[1].repeat), (3, 1));
        let place = |(file, line): (String, u32)| format!("{file}:{line}");
        assert_eq!(place(batches[0].place(1)), "a.sql:3");
        assert_eq!(place(batches[0].place(5)), "a.sql:7");
        assert_eq!(place(batches[0].head()), "a.sql:6");
        assert_eq!(place(batches[1].place(1)), "a.sql:9");
        // a server that knows no line says 0
        assert_eq!(place(batches[1].place(0)), "a.sql:9");
    }

    #[test]
    fn lines_that_end_as_on_windows_and_a_script_without_an_end_of_line_are_cut_alike() {
        let texts = |text: &str| cut(text).into_iter().map(|batch| batch.text).collect::<Vec<_>>();
        assert_eq!(texts("SELECT 1\r\nGO\r\nSELECT 2\r\ngo"), ["SELECT 1\r\n", "SELECT 2\r\n"]);
        assert_eq!(texts("SELECT 'é'\nGO\nSELECT 2"), ["SELECT 'é'\n", "SELECT 2\n"]);
        assert_eq!(texts("GO\n-- nothing\nGO\n"), [""; 0]);
    }

    #[test]
    fn errors_stop_a_script_where_it_says_so() {
        let batches = cut("SELECT 1\nGO\n:on error exit\nSELECT 2\nGO\n:on error ignore\nSELECT 3\n");
        let on_error: Vec<_> = batches.iter().map(|batch| batch.on_error).collect();
        assert_eq!(on_error, [None, Some(OnError::Stop), Some(OnError::Continue)]);
    }

    #[test]
    fn databases_are_those_that_use_names() {
        let batches =
            cut("use a; PRINT 'USE b' -- USE c\nUSE [d]]d]\nSELECT 1 AS [use], e.f FROM t OPTION (RECOMPILE, USE HINT ('x'))\n");
        assert_eq!(batches[0].databases, ["a", "d]d"]);
    }

    #[test]
    fn only_what_sqlcmd_could_not_send_is_an_error() {
        assert_eq!(cut("SELECT 1 ? 2\n").len(), 1);
        let errors = |text: &str| batches("a.sql", text, &Nowhere).unwrap_err();
        assert_eq!(errors("SELECT 1\nPRINT $(x)\n:r b.sql\n").iter().map(|error| error.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(errors("SELECT 1\nSELECT 'abc").len(), 1);
    }
}
