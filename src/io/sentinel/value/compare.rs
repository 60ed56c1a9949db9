//! Order and equality as SQL Server's default collation has them, and LIKE.

use std::cmp::Ordering;

use super::Value;

/// Case does not count, nor do blanks at the end.
pub(crate) fn compare_text(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|c| c.to_ascii_lowercase()).cmp(b.bytes().map(|c| c.to_ascii_lowercase()));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

/// Text such that two texts are equal exactly when [`compare_text`] says so.
pub(crate) fn fold(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

/// The order of two values of one class; `None` when one is NULL or they have no order.
#[expect(clippy::match_same_arms, reason = "each binds another type")]
pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Bit(a), Value::Bit(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Bit(a), Value::Int(b)) => i64::from(*a).cmp(b),
        (Value::Int(a), Value::Bit(b)) => a.cmp(&i64::from(*b)),
        (Value::Numeric(a), Value::Numeric(b)) => a.cmp(b),
        (Value::Numeric(a), Value::Int(b)) => a.cmp(&(*b).into()),
        (Value::Numeric(a), Value::Bit(b)) => a.cmp(&i64::from(*b).into()),
        (Value::Bit(a), Value::Numeric(b)) => super::Numeric::from(i64::from(*a)).cmp(b),
        (Value::Int(a), Value::Numeric(b)) => super::Numeric::from(*a).cmp(b),
        (Value::Float(a), Value::Float(b)) => return a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => compare_text(a, b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::DateTimeOffset(a, x), Value::DateTimeOffset(b, y)) => utc(*a, *x).cmp(&utc(*b, *y)),
        (Value::Guid(a), Value::Guid(b)) => a.cmp(b),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        _ => return None,
    })
}

fn utc(local: chrono::NaiveDateTime, offset: i16) -> chrono::NaiveDateTime {
    local.checked_sub_signed(chrono::TimeDelta::minutes(i64::from(offset))).unwrap_or(local)
}

/// An order over all values of a column for sorting and grouping: NULL first.
pub(crate) fn sort_order(a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare(a, b).unwrap_or(Ordering::Equal),
    }
}

/// A form of a value that is equal exactly when the values are, for hash joins and grouping. NULL equals NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Null,
    Number(i128, u8),
    Float(u64),
    Text(String),
    Other(Vec<u8>),
}

impl Key {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bit(b) => Self::Number(i128::from(*b), 0),
            Value::Int(n) => Self::Number(i128::from(*n), 0),
            Value::Numeric(n) => {
                let n = n.normalized();
                Self::Number(n.mantissa(), n.scale())
            }
            Value::Float(f) => Self::Float(if *f == 0.0 { 0 } else { f.to_bits() }),
            Value::Text(text) => Self::Text(fold(text)),
            Value::Date(date) => Self::Text(date.to_string()),
            Value::Time(time) => Self::Text(time.to_string()),
            Value::DateTime(time) => Self::Text(time.to_string()),
            Value::DateTimeOffset(time, offset) => Self::Text(utc(*time, *offset).to_string()),
            Value::Guid(guid) => Self::Other(guid.as_bytes().to_vec()),
            Value::Binary(bytes) => Self::Other(bytes.to_vec()),
        }
    }
}

enum Piece {
    Any,
    One,
    Set { negated: bool, ranges: Vec<(char, char)> },
    Literal(char),
}

/// LIKE with `%`, `_`, `[a-f]`, `[^x]` and an escape character.
pub(crate) fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let pieces = like_pieces(pattern, escape);
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    // Blanks at the end of the text may be left over, as the collation does not count them.
    matches(&text, &pieces) || text.last() == Some(&' ') && matches(trim_end(&text), &pieces)
}

fn trim_end(text: &[char]) -> &[char] {
    &text[..text.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1)]
}

fn like_pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let chars: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let escape = escape.map(|c| c.to_lowercase().next().unwrap_or(c));
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        if Some(c) == escape && at < chars.len() {
            pieces.push(Piece::Literal(chars[at]));
            at += 1;
        } else if c == '%' {
            pieces.push(Piece::Any);
        } else if c == '_' {
            pieces.push(Piece::One);
        } else if let Some(end) = (c == '[').then(|| chars[at..].iter().skip(1).position(|c| *c == ']')).flatten() {
            let mut set = &chars[at..=at + end];
            at += end + 2;
            let negated = set.first() == Some(&'^') && set.len() > 1;
            set = if negated { &set[1..] } else { set };
            let mut ranges = Vec::new();
            while let [first, rest @ ..] = set {
                if let ['-', last, more @ ..] = rest {
                    ranges.push((*first, *last));
                    set = more;
                } else {
                    ranges.push((*first, *first));
                    set = rest;
                }
            }
            pieces.push(Piece::Set { negated, ranges });
        } else {
            pieces.push(Piece::Literal(c));
        }
    }
    pieces
}

/// Linear but for going back to the last `%`, so no pattern is exponential.
fn matches(text: &[char], pieces: &[Piece]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pieces.get(p) {
            Some(Piece::Any) => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Literal(c)) => *c == text[t],
            Some(Piece::Set { negated, ranges }) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&text[t])) != *negated,
            None => false,
        };
        if step {
            (t, p) = (t + 1, p + 1);
        } else if let Some((any, from)) = retry {
            retry = Some((any, from + 1));
            (t, p) = (from + 1, any + 1);
        } else {
            return false;
        }
    }
    pieces[p..].iter().all(|piece| matches!(piece, Piece::Any))
}

/// PATINDEX: where the first match begins, from 1; 0 for none.
pub(crate) fn pattern_index(pattern: &str, text: &str) -> i64 {
    let anchored_end = !pattern.ends_with('%');
    let Some(body) = pattern.strip_prefix('%') else {
        return i64::from(like(text, pattern, None));
    };
    let mut pieces = like_pieces(body, None);
    if !anchored_end {
        pieces.push(Piece::Any);
    }
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    (0..=text.len()).find(|at| matches(&text[*at..], &pieces)).map_or(0, |at| i64::try_from(at + 1).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_trailing_blanks_do_not_count() {
        assert_eq!(compare_text("frh0000291  ", "FRH0000291"), Ordering::Equal);
        assert_eq!(compare_text(" a", "a"), Ordering::Less);
        assert_eq!(compare_text("Straße", "STRASSE "), Ordering::Greater);
    }

    #[test]
    fn like_knows_wildcards_sets_and_escapes() {
        for (text, pattern, expected) in [
            ("FRH0000291", "frh%", true),
            ("FRH0000291", "FR[HM]%", true),
            ("FRU0000291", "FR[HM]%", false),
            ("FRU1", "FR[^HM]_", true),
            ("a-c", "a[-]c", true),
            ("b", "[a-c]", true),
            ("50% off", "50[%]%", true),
            ("aXbXc", "a%b%c", true),
            ("", "%", true),
            ("ab", "a", false),
            ("ab ", "ab", true),
            ("x[y", "x[y", true),
        ] {
            assert_eq!(like(text, pattern, None), expected, "{text} LIKE {pattern}");
        }
        assert!(like("50%", "50!%", Some('!')));
        assert!(!like("50x", "50!%", Some('!')));
    }

    #[test]
    fn pattern_index_counts_from_one() {
        assert_eq!(pattern_index("%[0-9]%", "FRH0000291"), 4);
        assert_eq!(pattern_index("%z%", "abc"), 0);
    }
}
