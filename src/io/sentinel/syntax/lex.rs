//! A script's text as tokens, cut into batches at `GO`; sqlcmd's own commands are carried out on the way.

use std::ops::Range;
use std::sync::Arc;

use sqlparser::dialect::MsSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token as SqlToken, Tokenizer, Whitespace};

/// One token and the bytes of the text that it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) lexeme: Lexeme,
    pub(crate) line: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lexeme {
    /// A name or keyword; quoted ones are never keywords.
    Word {
        text: String,
        quoted: bool,
    },
    /// `@name`, with its sign.
    Variable(String),
    /// `@@NAME`, without signs, in upper case.
    Global(String),
    Number(String),
    /// `$12.50`, without the sign.
    Money(String),
    Text {
        text: String,
        national: bool,
    },
    Hex(Vec<u8>),
    Symbol(&'static str),
    End,
}

/// What stands between two `GO`s, and how often it runs.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) tokens: Vec<Token>,
    pub(crate) repeat: u32,
    /// The line on which it begins.
    pub(crate) begin: u32,
    /// The line of its GO, or the last one.
    pub(crate) end: u32,
    /// The bytes that sqlcmd would send.
    pub(crate) bytes: Range<usize>,
}

/// A script as it is cut up.
#[derive(Debug)]
pub(crate) struct Lexed {
    pub(crate) text: Arc<str>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) problems: Vec<Problem>,
    /// It could be cut into tokens, be they T-SQL or not.
    pub(crate) is_readable: bool,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: u32,
    pub(crate) text: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Cuts a text as `sqlcmd` has prepared it into tokens and batches. Without a GO at the end the last batch is left out
/// when `drops_rest`.
pub(crate) fn lex(text: String, drops_rest: bool) -> Lexed {
    let mut problems = Vec::new();
    let mut is_readable = true;
    let lines = LineIndex::new(&text);
    let mut batches = Vec::new();
    match Tokenizer::new(&MsSqlDialect {}, &text).tokenize_with_location() {
        Ok(tokens) => {
            let mut current = Vec::new();
            // where the batch begins: its line, and its first byte
            let mut begin = (1, 0);
            let mut at = 0;
            while at < tokens.len() {
                if let Some((repeat, next)) = go_line(&tokens, at) {
                    let line = tokens[at].span.start.line;
                    let end = u32::try_from(line).unwrap_or(u32::MAX);
                    finish(&mut batches, &mut current, repeat, text.len(), begin, (end, lines.byte(tokens[at].span.start)));
                    begin = (end.saturating_add(1), lines.byte(Location::new(line + 1, 1)));
                    at = next;
                    continue;
                }
                let token = &tokens[at];
                at += 1;
                let (start, end) = (lines.byte(token.span.start), lines.byte(token.span.end));
                let line = u32::try_from(token.span.start.line).unwrap_or(u32::MAX);
                match lexeme(&token.token) {
                    Ok(Some(lexeme)) => current.push(Token { lexeme, line, start, end }),
                    Ok(None) => {}
                    Err(message) => problems.push(Problem { line, text: token.token.to_string(), message, hint: None }),
                }
            }
            if drops_rest {
                current.clear();
            }
            finish(&mut batches, &mut current, 1, text.len(), begin, (u32::MAX, text.len()));
        }
        Err(error) => {
            is_readable = false;
            problems.push(Problem {
                line: u32::try_from(error.location.line).unwrap_or(u32::MAX),
                text: String::new(),
                message: format!("the text cannot be read: {}", error.message.to_lowercase()),
                hint: Some("look for a quote, a bracket or a comment that is not closed".to_owned()),
            });
        }
    }
    Lexed { text: text.into(), batches, problems, is_readable }
}

/// Ends a batch, which begins and ends on these lines and at these bytes, unless nothing stands in it.
fn finish(batches: &mut Vec<Batch>, tokens: &mut Vec<Token>, repeat: u32, length: usize, begin: (u32, usize), end: (u32, usize)) {
    if tokens.is_empty() {
        return;
    }
    let line = tokens.last().map_or(1, |token| token.line);
    tokens.push(Token { lexeme: Lexeme::End, line, start: length, end: length });
    let tokens = std::mem::take(tokens);
    batches.push(Batch { tokens, repeat, begin: begin.0, end: end.0, bytes: begin.1..end.1 });
}

/// `GO` alone on its line, perhaps with a count: the count and the token after it.
fn go_line(tokens: &[sqlparser::tokenizer::TokenWithSpan], at: usize) -> Option<(u32, usize)> {
    let blank = |token: &SqlToken| matches!(token, SqlToken::Whitespace(w) if !matches!(w, Whitespace::Newline));
    match &tokens[at].token {
        SqlToken::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("go") => {}
        _ => return None,
    }
    let line = tokens[at].span.start.line;
    let begins = tokens[..at].iter().rev().take_while(|t| t.span.end.line == line || t.span.start.line == line);
    for before in begins {
        match &before.token {
            SqlToken::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. }) => break,
            token if blank(token) => {}
            _ => return None,
        }
    }
    let mut repeat = 1;
    let mut next = at + 1;
    while let Some(after) = tokens.get(next) {
        match &after.token {
            SqlToken::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. }) => break,
            token if blank(token) => {}
            SqlToken::SemiColon if after.span.start.line == line => {}
            SqlToken::Number(digits, _) if after.span.start.line == line => repeat = digits.parse().ok()?,
            _ if after.span.start.line > line => break,
            _ => return None,
        }
        next += 1;
    }
    Some((repeat, next))
}

fn lexeme(token: &SqlToken) -> Result<Option<Lexeme>, String> {
    let symbol = |text| Ok(Some(Lexeme::Symbol(text)));
    match token {
        SqlToken::EOF | SqlToken::Whitespace(_) => Ok(None),
        SqlToken::Word(word) => {
            let text = word.value.clone();
            Ok(Some(match word.quote_style {
                Some(quote) => {
                    // The tokenizer leaves a doubled closing quote as it is.
                    let close = if quote == '[' { ']' } else { quote };
                    let doubled = format!("{close}{close}");
                    Lexeme::Word { text: text.replace(&doubled, &close.to_string()), quoted: true }
                }
                None if text.starts_with("@@") => Lexeme::Global(text[2..].to_uppercase()),
                None if text.starts_with('@') => Lexeme::Variable(text),
                None => {
                    debug_assert!(word.keyword == Keyword::NoKeyword || !text.is_empty());
                    Lexeme::Word { text, quoted: false }
                }
            }))
        }
        SqlToken::Number(digits, _) => Ok(Some(Lexeme::Number(digits.clone()))),
        SqlToken::Placeholder(text) if text[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            Ok(Some(Lexeme::Money(text[1..].to_owned())))
        }
        SqlToken::Placeholder(text) if text.starts_with('$') => Ok(Some(Lexeme::Word { text: text.clone(), quoted: false })),
        SqlToken::SingleQuotedString(text) => Ok(Some(Lexeme::Text { text: text.clone(), national: false })),
        SqlToken::NationalStringLiteral(text) => Ok(Some(Lexeme::Text { text: text.clone(), national: true })),
        SqlToken::DoubleQuotedString(text) => Ok(Some(Lexeme::Word { text: text.clone(), quoted: true })),
        SqlToken::HexStringLiteral(digits) => {
            let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.clone() };
            let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
            let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
            bytes
                .map(|bytes| Some(Lexeme::Hex(bytes)))
                .ok_or_else(|| "a binary literal with a character that is no hex digit".to_owned())
        }
        SqlToken::Comma => symbol(","),
        SqlToken::Eq | SqlToken::DoubleEq => symbol("="),
        SqlToken::Neq => symbol("<>"),
        SqlToken::Lt => symbol("<"),
        SqlToken::Gt => symbol(">"),
        SqlToken::LtEq => symbol("<="),
        SqlToken::GtEq => symbol(">="),
        SqlToken::Plus => symbol("+"),
        SqlToken::Minus => symbol("-"),
        SqlToken::Mul => symbol("*"),
        SqlToken::Div => symbol("/"),
        SqlToken::Mod => symbol("%"),
        SqlToken::LParen => symbol("("),
        SqlToken::RParen => symbol(")"),
        SqlToken::Period => symbol("."),
        SqlToken::Colon => symbol(":"),
        SqlToken::DoubleColon => symbol("::"),
        SqlToken::SemiColon => symbol(";"),
        SqlToken::Ampersand => symbol("&"),
        SqlToken::Pipe => symbol("|"),
        SqlToken::Caret => symbol("^"),
        SqlToken::Tilde => symbol("~"),
        SqlToken::LBrace => symbol("{"),
        SqlToken::RBrace => symbol("}"),
        other => Err(format!("'{other}' is not T-SQL")),
    }
}

/// From line and column, as the tokenizer counts them, to bytes.
struct LineIndex<'t> {
    lines: Vec<(usize, &'t str)>,
    end: usize,
}

impl<'t> LineIndex<'t> {
    fn new(text: &'t str) -> Self {
        let mut at = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let start = at;
            at += line.len();
            (start, line)
        });
        Self { lines: lines.collect(), end: text.len() }
    }

    fn byte(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX);
        let Some((start, text)) = line.checked_sub(1).and_then(|line| self.lines.get(line)) else {
            return self.end;
        };
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        if text.is_ascii() {
            return start + column.min(text.len());
        }
        start + text.char_indices().nth(column).map_or(text.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(source: &str) -> Lexed {
        super::lex(source.to_owned(), false)
    }

    fn words(source: &str) -> Vec<Vec<String>> {
        let lexed = lex(source);
        assert_eq!(lexed.problems, []);
        let shown = |token: &Token| lexed.text[token.start..token.end].to_owned();
        lexed.batches.iter().map(|b| b.tokens[..b.tokens.len() - 1].iter().map(shown).collect()).collect()
    }

    #[test]
    fn go_cuts_batches_but_not_in_text_or_comments() {
        assert_eq!(
            words("SELECT 1\nGO\nSELECT 2\n go -- next\nSELECT 3 AS go"),
            [vec!["SELECT", "1"], vec!["SELECT", "2"], vec!["SELECT", "3", "AS", "go"],]
        );
        assert_eq!(words("PRINT '\nGO\n' /*\nGO\n*/ + N'x'").len(), 1);
        assert_eq!(lex("SELECT 1\nGO 5\n").batches[0].repeat, 5);
        assert_eq!(lex("SELECT 1\r\nGO\r\nSELECT 2\r\nGO").batches.len(), 2);
        assert_eq!(lex("/* x */ GO\nSELECT 1 /* a\n */\nGO /* b */\n").batches.len(), 1);
    }

    #[test]
    fn tokens_of_t_sql_are_known() {
        let lexed = lex("SELECT @a, @@ROWCOUNT, [x]]y], \"q\", N'it''s', 0x1F, $12.50, #t, 1.5e3, .5 /* a /* b */ c */ -- d");
        assert_eq!(lexed.problems, []);
        let lexemes: Vec<_> = lexed.batches[0].tokens.iter().map(|t| t.lexeme.clone()).collect();
        for expected in [
            Lexeme::Variable("@a".into()),
            Lexeme::Global("ROWCOUNT".into()),
            Lexeme::Word { text: "x]y".into(), quoted: true },
            Lexeme::Word { text: "q".into(), quoted: true },
            Lexeme::Text { text: "it's".into(), national: true },
            Lexeme::Hex(vec![0x1f]),
            Lexeme::Money("12.50".into()),
            Lexeme::Word { text: "#t".into(), quoted: false },
            Lexeme::Number("1.5e3".into()),
            Lexeme::Number(".5".into()),
        ] {
            assert!(lexemes.contains(&expected), "{expected:?} in {lexemes:?}");
        }
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line() {
        let lexed = lex("SELECT 1\nSELECT 'abc");
        assert_eq!(lexed.problems.len(), 1);
        assert!(lexed.problems[0].line >= 2);
    }
}
