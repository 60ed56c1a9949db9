//! Functions on text.

use sha2::Digest as _;

use super::super::error::{SqlError, SqlResult};
use super::super::value::compare::{compare_text, pattern_index};
use super::super::value::temporal::{DateOrder, parse};
use super::super::value::{Type, Value};
use super::{Call, Function, int, like_first, long_text};

/// The longest text that a function makes.
const MAX_LENGTH: usize = 1 << 20;

const fn strict(
    name: &'static str,
    least: usize,
    most: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least, most, strict: true, result, call }
}

pub(super) const FUNCTIONS: &[Function] = &[
    strict("LEN", 1, 1, int, |c| count(c.text(0)?.trim_end_matches(' '))),
    strict("DATALENGTH", 1, 1, int, data_length),
    strict("LEFT", 2, 2, like_first, |c| Ok(Value::text(take(&c.text(0)?, length(c, 1)?)))),
    strict("RIGHT", 2, 2, like_first, |c| {
        let text = c.text(0)?;
        let skip = text.chars().count().saturating_sub(length(c, 1)?);
        Ok(Value::text(text.chars().skip(skip).collect::<String>()))
    }),
    strict("SUBSTRING", 2, 3, like_first, substring),
    strict("UPPER", 1, 1, like_first, |c| Ok(Value::text(c.text(0)?.to_uppercase()))),
    strict("LOWER", 1, 1, like_first, |c| Ok(Value::text(c.text(0)?.to_lowercase()))),
    strict("LTRIM", 1, 2, like_first, |c| {
        let of = trimmed_characters(c)?;
        Ok(Value::text(c.text(0)?.trim_start_matches(|x| of.contains(x))))
    }),
    strict("RTRIM", 1, 2, like_first, |c| {
        let of = trimmed_characters(c)?;
        Ok(Value::text(c.text(0)?.trim_end_matches(|x| of.contains(x))))
    }),
    strict("TRIM", 1, 2, like_first, |c| {
        let of = trimmed_characters(c)?;
        Ok(Value::text(c.text(0)?.trim_matches(|x| of.contains(x))))
    }),
    strict("PARSE NUMBER", 2, 2, |_| Type::VarChar(Some(100)), parse_number),
    strict("PARSE DATE", 2, 2, |_| Type::VarChar(Some(100)), parse_date),
    strict("HASHBYTES", 2, 2, |_| Type::VarBinary(Some(8000)), hash_bytes),
    strict("REVERSE", 1, 1, like_first, |c| Ok(Value::text(c.text(0)?.chars().rev().collect::<String>()))),
    strict("REPLACE", 3, 3, long_text, replace),
    strict("TRANSLATE", 3, 3, like_first, translate),
    strict("REPLICATE", 2, 2, long_text, |c| repeat(&c.text(0)?, c.int(1)?)),
    strict("SPACE", 1, 1, long_text, |c| repeat(" ", c.int(0)?)),
    strict("STUFF", 4, 4, long_text, stuff),
    strict("CHARINDEX", 2, 3, int, char_index),
    strict("PATINDEX", 2, 2, int, |c| Ok(Value::Int(pattern_index(&c.text(0)?, &c.text(1)?)))),
    strict(
        "CHAR",
        1,
        1,
        |_| Type::Char(1),
        |c| {
            let code = u8::try_from(c.int(0)?).ok();
            Ok(code.map_or(Value::Null, |code| Value::text(char::from(code).to_string())))
        },
    ),
    strict(
        "NCHAR",
        1,
        1,
        |_| Type::NChar(1),
        |c| {
            let code = u32::try_from(c.int(0)?).ok().and_then(char::from_u32);
            Ok(code.map_or(Value::Null, |code| Value::text(code.to_string())))
        },
    ),
    strict("ASCII", 1, 1, int, first_code),
    strict("UNICODE", 1, 1, int, first_code),
    strict("QUOTENAME", 1, 2, |_| Type::NVarChar(Some(258)), quote_name),
    strict("STR", 1, 3, long_text, str_),
    strict("DIFFERENCE", 2, 2, int, |c| Ok(Value::Int(if compare_text(&c.text(0)?, &c.text(1)?).is_eq() { 4 } else { 0 }))),
    Function {
        name: "CONCAT",
        least: 1,
        most: 254,
        strict: false,
        result: long_text,
        call: |c| {
            let parts: SqlResult<Vec<String>> = (0..c.values.len()).map(|at| c.text(at)).collect();
            Ok(Value::text(parts?.concat()))
        },
    },
    Function {
        name: "CONCAT_WS",
        least: 2,
        most: 254,
        strict: false,
        result: long_text,
        call: |c| {
            let filled = (1..c.values.len()).filter(|at| !c.is_null(*at));
            let parts: SqlResult<Vec<String>> = filled.map(|at| c.text(at)).collect();
            Ok(Value::text(parts?.join(&c.text(0)?)))
        },
    },
];

#[expect(clippy::unnecessary_wraps, reason = "has the form of the functions in the table")]
fn count(text: &str) -> SqlResult<Value> {
    Ok(Value::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)))
}

fn trimmed_characters(call: &Call<'_>) -> SqlResult<String> {
    if call.has(1) { call.text(1) } else { Ok(" ".to_owned()) }
}

/// How a culture writes numbers (what stands between groups, and the point) and dates.
fn culture(name: &str) -> SqlResult<(&'static [char], char, DateOrder)> {
    const BLANKS: &[char] = &[' ', '\u{a0}', '\u{202f}'];
    Ok(match name.to_lowercase().as_str() {
        "en-us" => (&[','], '.', DateOrder::Mdy),
        "en-gb" | "en-ie" | "en-au" | "en-nz" => (&[','], '.', DateOrder::Dmy),
        "de-de" | "es-es" | "it-it" | "nl-nl" | "da-dk" => (&['.'], ',', DateOrder::Dmy),
        "fr-fr" | "nb-no" | "pl-pl" => (BLANKS, ',', DateOrder::Dmy),
        "sv-se" => (BLANKS, ',', DateOrder::Ymd),
        _ => {
            let message = format!("The culture parameter '{name}' provided in the function call is not supported.");
            return Err(SqlError::new(9818, message));
        }
    })
}

/// A number as a culture writes it, in the plain form that CAST reads.
fn parse_number(call: &Call<'_>) -> SqlResult<Value> {
    let (groups, point, _) = culture(&call.text(1)?)?;
    let text = call.text(0)?;
    let bare = text.trim().trim_matches(|c: char| matches!(c, '£' | '$' | '€') || c == ' ');
    let plain: String = bare.chars().filter(|c| !groups.contains(c)).map(|c| if c == point { '.' } else { c }).collect();
    Ok(Value::text(plain))
}

/// A date as a culture writes it, as ISO has it.
fn parse_date(call: &Call<'_>) -> SqlResult<Value> {
    let (_, _, order) = culture(&call.text(1)?)?;
    let text = call.text(0)?;
    let failed = || {
        let message = format!(
            "Error converting string value '{text}' into data type using culture '{}'.",
            call.text(1).unwrap_or_default()
        );
        SqlError::new(9819, message)
    };
    // .NET writes the day of the week in front
    let bare =
        text.split_once(", ").filter(|(day, _)| day.to_lowercase().ends_with("day")).map_or(text.as_str(), |(_, rest)| rest);
    let (time, _) = parse(bare, order).ok_or_else(failed)?;
    Ok(Value::text(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()))
}

fn hash_bytes(call: &Call<'_>) -> SqlResult<Value> {
    let bytes: Vec<u8> = match &call.values[1] {
        Value::Binary(bytes) => bytes.to_vec(),
        _ if matches!(call.types[1], Type::NChar(_) | Type::NVarChar(_)) => {
            call.text(1)?.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        _ => call.text(1)?.into_bytes(),
    };
    let digest = match call.text(0)?.to_ascii_uppercase().as_str() {
        "SHA2_256" => sha2::Sha256::digest(&bytes).to_vec(),
        "SHA2_512" => sha2::Sha512::digest(&bytes).to_vec(),
        other => return Err(SqlError::unsupported(format!("HASHBYTES by {other}")).with_hint("SHA2_256 and SHA2_512 are")),
    };
    Ok(Value::Binary(digest.into()))
}

fn take(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

fn length(call: &Call<'_>, at: usize) -> SqlResult<usize> {
    usize::try_from(call.int(at)?)
        .map_err(|_| SqlError::new(536, "Invalid length parameter passed to the LEFT or SUBSTRING function."))
}

#[expect(clippy::unnecessary_wraps, reason = "has the form of the functions in the table")]
fn data_length(call: &Call<'_>) -> SqlResult<Value> {
    let bytes = match (&call.values[0], call.types[0]) {
        (Value::Text(text), Type::NVarChar(_) | Type::NChar(_)) => text.encode_utf16().count() * 2,
        (Value::Text(text), _) => text.chars().count(),
        (Value::Binary(bytes), _) => bytes.len(),
        (Value::Guid(_), _) => 16,
        (_, Type::Bit | Type::TinyInt) => 1,
        (_, Type::SmallInt) => 2,
        (_, Type::Date) => 3,
        (_, Type::Int | Type::Real | Type::SmallDateTime | Type::SmallMoney) => 4,
        (_, Type::Decimal { precision, .. }) => match precision {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        _ => 8,
    };
    Ok(Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)))
}

fn substring(call: &Call<'_>) -> SqlResult<Value> {
    let text = call.text(0)?;
    let start = call.int(1)?;
    let length = if call.has(2) { call.int(2)? } else { i64::MAX };
    if length < 0 {
        return Err(SqlError::new(537, "Invalid length parameter passed to the LEFT or SUBSTRING function."));
    }
    // A start before the text uses up length.
    let end = start.saturating_add(length).max(1);
    let (from, to) = (start.max(1) - 1, end - 1);
    let taken = usize::try_from((to - from).max(0)).unwrap_or(usize::MAX);
    let skipped = usize::try_from(from).unwrap_or(usize::MAX);
    Ok(Value::text(text.chars().skip(skipped).take(taken).collect::<String>()))
}

/// Where `needle` begins in `text` from character `from` on, in characters; case does not count.
fn position(needle: &str, text: &str, from: usize) -> Option<usize> {
    let lower = |text: &str| text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect::<Vec<_>>();
    let (needle, text) = (lower(needle), lower(text));
    if needle.is_empty() || from > text.len() {
        return None;
    }
    text[from..].windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

fn char_index(call: &Call<'_>) -> SqlResult<Value> {
    let start = if call.has(2) { usize::try_from(call.int(2)? - 1).unwrap_or(0) } else { 0 };
    let found = position(&call.text(0)?, &call.text(1)?, start);
    Ok(Value::Int(found.map_or(0, |at| i64::try_from(at).unwrap_or(i64::MAX - 1) + 1)))
}

fn replace(call: &Call<'_>) -> SqlResult<Value> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let chars: Vec<char> = text.chars().collect();
    let width = old.chars().count();
    let mut result = String::new();
    let mut at = 0;
    while let Some(found) = position(&old, &text, at) {
        result.extend(&chars[at..found]);
        result.push_str(&new);
        at = found + width;
        if result.len() > MAX_LENGTH {
            return Err(too_long());
        }
    }
    result.extend(&chars[at..]);
    Ok(Value::text(result))
}

fn translate(call: &Call<'_>) -> SqlResult<Value> {
    let (from, to): (Vec<char>, Vec<char>) = (call.text(1)?.chars().collect(), call.text(2)?.chars().collect());
    if from.len() != to.len() {
        let message =
            "The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.";
        return Err(SqlError::new(9828, message));
    }
    let map = |c: char| from.iter().position(|f| *f == c).map_or(c, |at| to[at]);
    Ok(Value::text(call.text(0)?.chars().map(map).collect::<String>()))
}

fn too_long() -> SqlError {
    SqlError::unsupported("a text of more than a million bytes")
}

fn repeat(text: &str, times: i64) -> SqlResult<Value> {
    let Ok(times) = usize::try_from(times) else { return Ok(Value::Null) };
    if text.len().saturating_mul(times) > MAX_LENGTH {
        return Err(too_long());
    }
    Ok(Value::text(text.repeat(times)))
}

fn stuff(call: &Call<'_>) -> SqlResult<Value> {
    let text: Vec<char> = call.text(0)?.chars().collect();
    let (start, length) = (call.int(1)?, call.int(2)?);
    let (Ok(start), Ok(length)) = (usize::try_from(start - 1), usize::try_from(length)) else { return Ok(Value::Null) };
    if start >= text.len() {
        return Ok(Value::Null);
    }
    let end = start.saturating_add(length).min(text.len());
    let mut result: String = text[..start].iter().collect();
    result.push_str(&call.text(3)?);
    result.extend(&text[end..]);
    Ok(Value::text(result))
}

fn first_code(call: &Call<'_>) -> SqlResult<Value> {
    Ok(call.text(0)?.chars().next().map_or(Value::Null, |c| Value::Int(i64::from(u32::from(c)))))
}

fn quote_name(call: &Call<'_>) -> SqlResult<Value> {
    let text = call.text(0)?;
    let quote = if call.has(1) { call.text(1)? } else { "[".to_owned() };
    Ok(match quote.as_str() {
        "[" | "]" => Value::text(format!("[{}]", text.replace(']', "]]"))),
        "'" => Value::text(format!("'{}'", text.replace('\'', "''"))),
        "\"" => Value::text(format!("\"{}\"", text.replace('"', "\"\""))),
        _ => Value::Null,
    })
}

/// STR(number, length, decimals): right-aligned, stars when it does not fit.
fn str_(call: &Call<'_>) -> SqlResult<Value> {
    let width = if call.has(1) { usize::try_from(call.int(1)?).unwrap_or(0).min(8000) } else { 10 };
    let decimals = if call.has(2) { u8::try_from(call.int(2)?).unwrap_or(0).min(16) } else { 0 };
    let number = call.get(0, Type::decimal(38, decimals))?;
    let Value::Numeric(number) = number else { return Ok(Value::Null) };
    let text = number.to_string();
    Ok(Value::text(if text.len() > width { "*".repeat(width) } else { format!("{text:>width$}") }))
}
