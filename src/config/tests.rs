//! The layer as its readers see it: a text in, a value or every finding out.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Reads `key = VALUE` with one of the value readers; an error as its message, and its hint after a bar.
fn value<T>(text: &str, read: impl FnOnce(Value<'_>) -> Result<T, Problem>) -> Result<T, String> {
    parse("f", &format!("key = {text}"), |root| root.optional("key", read)).map(Option::unwrap).map_err(|errors| {
        let [Finding { line: 1, message, hint, .. }] = errors.findings() else { panic!("one finding in line 1: {errors}") };
        let message = message.strip_prefix("`key`: ").unwrap();
        hint.as_ref().map_or_else(|| message.to_owned(), |hint| format!("{message} | {hint}"))
    })
}

fn findings<T>(text: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> Vec<String> {
    match parse("f", text, read) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn amounts_keep_the_decimals_they_are_written_with() {
    for (written, read) in [
        ("\"3000.00\"", "3000.00"),
        ("\"0\"", "0"),
        ("\"007.50\"", "7.50"),
        ("\"-0.00\"", "0.00"),
        ("3000", "3000"),
        ("+3_000", "3000"),
        ("0xff", "255"),
        ("-0", "0"),
        ("10.005", "10.005"),
        ("0.1", "0.1"),
        ("100.10", "100.1"),
        ("1e-7", "0.0000001"),
        ("2.5E3", "2500"),
        ("-0.0", "0"),
        ("\"9999999999999999999999999999\"", "9999999999999999999999999999"),
        ("9999999999999999999999999999", "9999999999999999999999999999"),
        ("\"0.0000000000000000000000000001\"", "0.0000000000000000000000000001"),
        ("\"99999999999999.99999999999999\"", "99999999999999.99999999999999"),
    ] {
        let amount = value(written, amount).map(|amount| (amount.to_string(), amount.is_sign_negative()));
        assert_eq!(amount, Ok((read.to_owned(), false)), "{written}");
    }
}

#[test]
fn what_is_no_exact_amount_is_refused() {
    let expected = "expected an amount, zero or more, such as \"3000.00\", found";
    let hint = "write digits with at most one point between them";
    for text in
        ["", " ", "1,000.00", "£5", "1.", ".5", "1.2.3", "1e3", "+5", "--5", "-", "５", " 5", "5 ", "0x10", "1_000", "inf"]
    {
        assert_eq!(value(&format!("'{text}'"), amount), Err(format!("{expected} {text:?} | {hint}")));
    }
    for (written, found) in [
        ("'-0.01'", "\"-0.01\""),
        ("-1", "-1"),
        ("-0.5", "-0.5"),
        ("true", "a boolean"),
        ("[1]", "an array"),
        ("{}", "a table"),
        ("2026-01-01", "a date or time"),
        ("inf", "inf"),
        ("-inf", "-inf"),
        ("nan", "nan"),
        ("1e400", "1e400"),
    ] {
        assert_eq!(value(written, amount), Err(format!("{expected} {found}")));
    }
    let digits = |found: &str| Err(format!("at most 28 digits, found {found}"));
    let long = "1".repeat(29);
    assert_eq!(value(&format!("'{long}'"), amount), digits(&format!("\"{long}\"")));
    assert_eq!(value(&long, amount), digits(&long));
    assert_eq!(value("1e300", amount), digits("1e300"));
    let beyond = "1".repeat(60);
    assert_eq!(value(&beyond, amount), digits(&beyond));
    let fine = format!("'0.{}1'", "0".repeat(28));
    assert_eq!(value(&fine, amount), Err(format!("at most 28 decimals, found {:?}", fine.trim_matches('\''))));
}

#[test]
fn percentages_have_fifteen_digits_and_decimals_at_most() {
    for (written, read) in [
        ("50", "50"),
        ("'12.50'", "12.50"),
        ("33.3", "33.3"),
        ("0", "0"),
        ("999999999999999", "999999999999999"),
        ("'0.999999999999999'", "0.999999999999999"),
    ] {
        assert_eq!(value(written, percentage).map(|percentage| percentage.to_string()), Ok(read.to_owned()));
    }
    assert_eq!(value("1000000000000000", percentage), Err("at most 15 digits, found 1000000000000000".to_owned()));
    let fine = "0.0000000000000001";
    assert_eq!(value(&format!("'{fine}'"), percentage), Err(format!("at most 15 decimals, found \"{fine}\"")));
    assert!(value("'50%'", percentage).unwrap_err().starts_with("expected a percentage, zero or more, such as 50 or \"12.5\""));
}

#[test]
fn durations_are_a_number_and_one_unit() {
    for (written, ms) in [
        ("0s", 0),
        ("-0s", 0),
        ("1ms", 1),
        ("30s", 30_000),
        ("1.5s", 1500),
        ("0.001s", 1),
        ("0.0010s", 1),
        ("1.00ms", 1),
        ("2m", 120_000),
        ("0.25h", 900_000),
        ("87600h", 315_360_000_000),
        ("315360000000ms", 315_360_000_000),
    ] {
        let duration = value(&format!("\"{written}\""), duration);
        assert_eq!(duration, Ok(Duration::from_millis(ms)), "{written}");
    }
}

#[test]
fn what_is_no_whole_number_of_milliseconds_up_to_ten_years_is_refused() {
    let refused = |written: &str, message: &str| {
        let problem = value(written, duration).unwrap_err();
        assert!(problem.contains(message), "{written}: {problem}");
    };
    for text in ["", "s", "30 s", "30S", "30sec", "1m30s", "1e3s", "s30", ".5s", "5.s", "1,5s", "30us", "thirty", "30s "] {
        refused(&format!("\"{text}\""), &format!("`ms`, `s`, `m` or `h`, found {text:?}"));
    }
    refused("\"30\"", "for seconds write \"30s\"");
    refused("30", "found an integer | for seconds write \"30s\"");
    refused("30.5", "found a float");
    refused("\"2d\"", "a day is \"24h\"");
    refused("\"-1s\"", "must not be negative");
    refused("\"0.5ms\"", "whole number of milliseconds");
    refused("\"1.0001s\"", "whole number of milliseconds");
    refused(&format!("\"0.{}1s\"", "0".repeat(60)), "whole number of milliseconds");
    refused("\"87600.1h\"", "at most ten years");
    refused("\"315360000001ms\"", "at most ten years");
    refused(&format!("\"{}h\"", "9".repeat(60)), "at most ten years");
}

#[test]
fn a_choice_suggests_what_was_probably_meant() {
    let severity = || choice(&[("low", 1), ("medium", 2), ("high", 3)]);
    assert_eq!(value("'medium'", severity()), Ok(2));
    let expected = "expected `low`, `medium` or `high`, found";
    assert_eq!(value("'Medium'", severity()), Err(format!("{expected} \"Medium\" | did you mean `medium`?")));
    assert_eq!(value("'urgent'", severity()), Err(format!("{expected} \"urgent\"")));
    assert_eq!(value("3", severity()), Err(format!("{expected} an integer")));
}

#[test]
fn booleans_integers_and_texts_are_not_taken_for_each_other() {
    assert_eq!(value("true", boolean), Ok(true));
    assert_eq!(
        value("'false'", boolean),
        Err("expected `true` or `false`, found a text | write false without quotes".to_owned())
    );
    assert_eq!(value("1", boolean), Err("expected `true` or `false`, found an integer".to_owned()));
    assert_eq!(value("9223372036854775807", integer), Ok(i64::MAX));
    assert_eq!(value("9223372036854775808", integer), Err("the integer 9223372036854775808 is out of range".to_owned()));
    assert_eq!(value("1.0", integer), Err("expected an integer, found a float".to_owned()));
    assert_eq!(value("' x '", text), Ok(" x ".to_owned()));
    assert_eq!(value("' '", text), Err("expected a text, found an empty one".to_owned()));
    assert_eq!(value("5", text), Err("expected a text in quotes, found an integer".to_owned()));
}

#[test]
fn a_key_that_nobody_asks_for_is_unknown_and_a_likely_one_is_named() {
    let read = |root: &mut Section<'_>| {
        root.optional("name", text);
        root.table("inner", |inner| inner.optional("max_wait", duration));
        root.table("nothing", |_| ());
    };
    assert_eq!(findings("name = 'x'\n[inner]\nmax_wait = '1s'", read), [""; 0]);
    assert_eq!(
        findings("nmae = 'x'\nb = 1\n[inner]\nmax_wiat = '1s'\n[nothing]\nx = 1\n[other.inner]\nmax_wait = '1s'", read),
        [
            "f:1:1: unknown key `nmae` outside every table",
            "  hint: did you mean `name`?",
            "f:2:1: unknown key `b` outside every table",
            "  hint: what may stand here: `name`, `inner`, `nothing`",
            "f:4:1: unknown key `max_wiat` in `inner`",
            "  hint: did you mean `max_wait`?",
            "f:6:1: unknown key `x` in `nothing`",
            "  hint: nothing belongs here",
            "f:7:2: unknown key `other`",
            "  hint: what may stand here: `name`, `inner`, `nothing`",
        ]
    );
    assert_eq!(
        findings("name = 'x'\nnmae = 'x'", read)[1],
        "  hint: what may stand here: `name`, `inner`, `nothing`",
        "a key that is there was not misspelt"
    );
}

#[test]
fn a_required_key_is_missed_at_its_table() {
    let read = |root: &mut Section<'_>| root.table("kafka", |kafka| kafka.required("brokers", text));
    assert_eq!(findings("", read), ["f:1:1: missing key `kafka.brokers`"]);
    assert_eq!(findings("\n[kafka]\n", read), ["f:2:1: missing key `kafka.brokers`"]);
    assert_eq!(findings("kafka.brokers = 5", read), ["f:1:17: `kafka.brokers`: expected a text in quotes, found an integer"]);
    assert_eq!(findings("[kafka]\nbrokers = 'b'", read), [""; 0]);
}

#[test]
fn every_element_of_a_list_is_read_and_the_good_ones_are_kept() {
    let mut kept = Vec::new();
    let found = findings("\ncodes = [1, 'x',\n  3, true]", |root| kept = root.list("codes", integer).unwrap());
    assert_eq!(
        found,
        ["f:2:13: `codes`: expected an integer, found a text", "f:3:6: `codes`: expected an integer, found a boolean"]
    );
    assert_eq!(kept.iter().map(|item| item.value).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(
        findings("codes = 1", |root| root.list("codes", integer)),
        ["f:1:9: `codes`: expected an array, found an integer", "  hint: put the values in brackets: [ ]"]
    );
}

#[test]
fn a_value_in_the_place_of_a_table_is_one_finding() {
    let read = |root: &mut Section<'_>| {
        root.table("a", |a| a.optional("x", integer));
        root.tables("b", |b| b.optional("x", integer)).len()
    };
    assert_eq!(
        findings("a = 1\n[b]\nx = 'no'", read),
        [
            "f:1:5: `a`: expected a table, found an integer",
            "f:2:1: `b`: expected an array of tables, found a table",
            "  hint: head each of them with `[[b]]`"
        ]
    );
    assert_eq!(findings("b = [{ x = 1 }, 2]", read), ["f:1:17: `b[1]`: expected a table, found an integer"]);
    assert_eq!(parse("f", "[[b]]\n[[b]]\nx = 1\n", read), Ok(2));
}

#[test]
fn syntax_errors_are_all_reported_together_with_what_can_still_be_read() {
    let read = |root: &mut Section<'_>| {
        root.optional("a", integer);
        root.optional("b", boolean);
        root.optional("c", integer);
    };
    assert_eq!(
        findings("a = \nb = True\nc = 'x'\nc = 2\n[d", read),
        [
            "f:1:5: string values must be quoted, expected literal string",
            "f:2:5: invalid boolean, expected `true`",
            "  hint: did you mean `true`?",
            "f:3:5: `c`: expected an integer, found a text",
            "f:4:1: duplicate key",
            "f:5:3: unclosed table, expected `]`",
        ]
    );
}

#[test]
fn places_count_characters_with_or_without_a_byte_order_mark_and_carriage_returns() {
    let read = |root: &mut Section<'_>| root.list("é", integer);
    let expected = ["f:2:12: `é`: expected an integer, found a boolean"];
    assert_eq!(findings("\n\"é\" = [ 1, true]", read), expected);
    assert_eq!(findings("\r\n\"é\" = [ 1, true]\r\n", read), expected);
    assert_eq!(findings("\u{feff}x=1", |_| ())[0], "f:1:1: unknown key `x` outside every table");
}

#[test]
fn a_message_never_quotes_more_than_a_line_of_a_value() {
    let message = value(&format!("\"{}\"", "é\\u001b".repeat(500)), choice(&[("low", 1)])).unwrap_err();
    assert!(message.chars().count() < 200 && message.ends_with("…\"") && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn a_file_that_is_not_utf_8_or_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latin1.toml");
    fs::write(&path, b"a = 1\nb = '\xe9'\n").unwrap();
    let read = |name: &str, text: &str| parse(name, text, |_| ());
    let error = load(&path, read).unwrap_err().to_string();
    assert_eq!(error, format!("{}:2:6: not UTF-8\n  hint: save the file as UTF-8", path.display()));
    let missing = directory.path().join("missing.toml");
    assert_eq!(load(&missing, read).unwrap_err().to_string(), format!("cannot read {}", missing.display()));
    assert!(matches!(load(directory.path(), read), Err(LoadError::Unreadable { .. })));
}

proptest! {
    #[test]
    fn no_text_panics(text in "([a-z0-9_.=\\[\\]{},\"' \n#\u{e9}-]|= \"|\\]\n){0,60}") {
        let everything = |section: &mut Section<'_>| {
            section.optional("a", amount);
            section.optional("b", duration);
            section.list("c", percentage);
            section.table("d", |d| d.entries(|key| Ok(key.to_owned()), integer));
            section.tables("e", |e| e.required("f", super::text)).len()
        };
        if let Err(errors) = parse("f", &text, everything) {
            let lines = text.split('\n').count();
            prop_assert!(!errors.findings().is_empty());
            prop_assert!(errors.findings().is_sorted_by_key(|finding| (finding.line, finding.column)));
            prop_assert!(errors.findings().iter().all(|finding| (1..=lines).contains(&finding.line)), "{}", errors);
        }
    }

    #[test]
    fn no_value_panics(text in "[-+]?[0-9_]{0,40}[.]?[0-9]{0,40}(e-?[0-9]{1,3}|ms|s|m|h|d)?", quoted in any::<bool>()) {
        let text = if quoted { format!("\"{text}\"") } else { text };
        let read = |root: &mut Section<'_>| (root.optional("key", amount), root.optional("key", duration));
        if let Ok((Some(amount), _)) = parse("f", &format!("key = {text}"), read) {
            prop_assert!(!amount.is_sign_negative() && amount.scale() <= 28);
        }
    }
}
