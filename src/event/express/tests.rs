use proptest::prelude::*;

use super::*;

mod row {
    #![allow(dead_code, reason = "its cells are taken by name")]

    use super::super::super::object::columns;

    columns! {
        pub(super) struct Row { id = "Id", amount = "Amount", name = "Name" }
    }
}
use row::Row;

/// Texts as they are meant, however often they are escaped.
fn cell(cell: Cell<'_>) -> String {
    if cell.is_text() { format!("{:?}", cell.text()) } else { format!("{cell:?}") }
}

fn cells<'a>(mut object: Object<impl Columns<'a>>, names: &[&str]) -> String {
    let cells: Vec<_> = names.iter().map(|name| cell(*object.row.slot(name).expect("it is a column").1)).collect();
    format!("{:?} {cells:?}", object.shape)
}

/// The envelope of a text, whatever was read before it.
fn envelope<T: PartialEq + std::fmt::Debug>(text: &str, told: impl Fn(Envelope<'_, Row<'_>>) -> T) -> Option<T> {
    let fresh = Express::default().envelope(text).map(&told);
    let warm = Express::default();
    for before in [&*USUAL.replace(r#","extra":{}"#, ""), text, text] {
        warm.envelope::<Row<'_>>(before);
        assert_eq!(warm.envelope(text).map(&told), fresh, "{text}");
    }
    fresh
}

fn quoted_envelope<T: PartialEq + std::fmt::Debug>(text: &str, told: impl Fn(Envelope<'_, Row<'_>>) -> T) -> Option<T> {
    let express = Express::default();
    let fresh = express.quoted_envelope(text).map(&told);
    assert_eq!(express.quoted_envelope(text).map(&told), fresh, "{text}");
    fresh
}

/// What both readers make of a text: this one may give up.
fn both(text: &str) -> (Option<String>, Result<String, String>) {
    let told = |envelope: Envelope<'_, Row<'_>>| {
        let wrapped = envelope.wrapped().map(|(schema, payload)| (schema.get(), payload.get()));
        let wrapped = format!("{wrapped:?} {:?}", envelope.duplicate);
        let row = |image| cells(image, &["Id", "Amount", "Name"]);
        let source = cells(envelope.source, &["ts_ms", "commit_lsn", "change_lsn", "event_serial_no"]);
        format!("{} {} {source} {} {wrapped}", row(envelope.before), row(envelope.after), cell(envelope.op))
    };
    let quoted = serde_json::to_string(text).unwrap();
    let express = envelope(text, told);
    if let Some(quoted) = quoted_envelope(&quoted[1..quoted.len() - 1], told) {
        assert_eq!(Some(quoted), express, "{text}");
    }
    (express, Envelope::read_carefully(text).map(told).map_err(|bad| format!("{bad:?}")))
}

const USUAL: &str = r#"{"before":null,"after":{"Id":7,"Amount":"-12.50","Other":-0.5,"Name":"Zoë \"\uD83C\uDFE6\\","Flag":true,"None":null},"source":{"ts_ms":5,"change_lsn":"1:2:4","commit_lsn":"1:2:3","extra":{}},"transaction":{"id":"1","total_order":1},"op":"c","ts_ms":1}"#;

#[test]
fn a_usual_message_is_read_at_one_go_and_means_what_serde_json_says() {
    let usual = USUAL.replace(r#","extra":{}"#, "");
    let (express, careful) = both(&usual);
    assert_eq!(express.expect("it is usual"), careful.unwrap());
}

#[test]
fn a_usual_message_within_a_string_is_read_without_undoing_its_escapes() {
    let usual = USUAL.replace(r#","extra":{}"#, "");
    let by_its_images = usual.replace(r#","change_lsn":"1:2:4""#, "");
    for (text, is_read) in [(usual, true), (by_its_images, false), (USUAL.to_owned(), false)] {
        let quoted = serde_json::to_string(&text).unwrap();
        assert_eq!(quoted_envelope(&quoted[1..quoted.len() - 1], |_| ()).is_some(), is_read, "{text}");
        assert!(quoted_envelope(&text, |_| ()).is_none(), "no quote is escaped: {text}");
    }
}

#[test]
fn what_is_unusual_or_wrong_takes_a_closer_look() {
    for text in [
        USUAL,
        "",
        "{",
        "{}x",
        " {}",
        "null",
        r#"{"op":"c","op":"u"}"#,
        r#"{"after":{"Id":1,"Id":2}}"#,
        r#"{"after":{"Id":01}}"#,
        r#"{"after":{"Id":-}}"#,
        r#"{"after":{"Id":1.}}"#,
        r#"{"after":{"Id":1e5}}"#,
        r#"{"after":{"Id":[1]}}"#,
        r#"{"after":{"Id":nul}}"#,
        r#"{"after":{"Id":1,}}"#,
        r#"{"after":{"Id" :1}}"#,
        r#"{"after":{"Id":"a\xb"}}"#,
        r#"{"after":{"Id":"\u12g4"}}"#,
        r#"{"after":{"I\u0064":1}}"#,
        "{\"after\":{\"Id\":\"a\tb\"}}",
        r#"{"after":5}"#,
        r#"{"schema":{},"payload":{}}"#,
        r#"{"op":"c"#,
    ] {
        assert_eq!(both(text).0, None, "{text}");
    }
}

#[test]
fn images_that_differ_a_little_are_read_by_what_they_share() {
    let row = |row: &str| {
        let after = r#"{"Id":7,"Amount":"1.5","x":null,"Name":"Zoë \"é"}"#;
        format!(r#"{{"before":{{{row}}},"after":{after},"source":{{"change_lsn":"1:2:4"}},"op":"u"}}"#)
    };
    for image in [
        r#""Id":7,"Amount":"1.5","x":null,"Name":"Zoë \"é""#,
        r#""Id":71,"Amount":"1.55","x":null,"Name":"Zo""#,
        r#""Id":7,"Amount":"1.5","x":null"#,
        r#""Id":7,"Name":"Zoë \"é""#,
        r#""Name":"Zoë \"é","Id":7"#,
        r#""Id":7,"Amount":"1.5","y":"new","x":null,"Name":"Zoë \"é""#,
        r#""Id":7,"Amount":"1.5","x":null,"Name":"Zoë \"é","y":true"#,
        r#""Id":null,"Amount":7,"x":"1.5","Name":false"#,
        "",
    ] {
        let text = row(image);
        let (express, careful) = both(&text);
        assert_eq!(express.expect("it is usual"), careful.unwrap());
    }
    let (express, careful) = both(&row(r#""Id":7,"Amount":"1.5","Id":7"#));
    assert_eq!(express, None);
    assert!(careful.unwrap().contains("Duplicate(\"Id\")"));
}

/// With a search through all names it would take minutes.
#[test]
fn images_of_a_hundred_thousand_names_of_their_own_take_no_quadratic_time() {
    let image = |letter: char| (0..100_000).map(|n| format!("\"{letter}{n}\":1")).collect::<Vec<_>>().join(",");
    let text = format!("{{\"before\":{{{}}},\"after\":{{{}}},\"op\":\"u\"}}", image('a'), image('b'));
    assert!(Express::default().envelope::<Row<'_>>(&text).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn rows_of_any_members_mean_the_same_beside_rows_like_them(
        rows in proptest::collection::vec(proptest::collection::vec(
            ("Id|Amount|Name|x|y", "null|1|12|\"\"|\"t\"|\"é\"|\"è\"|\"t\\\\u00e9\"|true"), 0..6), 2..4),
    ) {
        let express = Express::default();
        for pair in rows.windows(2) {
            let image = |row: &[(String, String)]| row.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
            let text = format!("{{\"before\":{{{}}},\"after\":{{{}}},\"source\":{{\"event_serial_no\":1}},\"op\":\"u\"}}", image(&pair[0]), image(&pair[1]));
            let told = |envelope: Envelope<'_, Row<'_>>| [envelope.before, envelope.after].map(|row| cells(row, &["Id", "Amount", "Name"]));
            let careful = told(Envelope::read_carefully(&text).unwrap());
            let quoted = serde_json::to_string(&text).unwrap();
            for read in [express.envelope(&text).map(told), express.quoted_envelope(&quoted[1..quoted.len() - 1]).map(told)] {
                match read {
                    Some(read) => prop_assert_eq!(&read, &careful),
                    None => prop_assert!(careful.iter().any(|image| image.starts_with("Duplicate"))),
                }
            }
        }
    }

    #[test]
    fn a_damaged_message_means_the_same_or_takes_a_closer_look(at in 0..USUAL.len(), byte in 0x20_u8..0x7f, cut in any::<bool>()) {
        prop_assume!(USUAL.is_char_boundary(at) && USUAL.is_char_boundary(at + 1));
        let end = if cut { at } else { at + 1 };
        let text = format!("{}{}{}", &USUAL[..at], char::from(byte), &USUAL[end..]).replace(r#","extra":{}"#, "");
        let (express, careful) = both(&text);
        if let Some(express) = express {
            prop_assert_eq!(Ok(express), careful);
        }
    }

    #[test]
    fn members_of_any_kind_mean_the_same_or_take_a_closer_look(
        members in proptest::collection::vec(
            ("before|after|source|op|schema|payload|ts_ms", "null|true|false|-?[0-9]{1,3}(\\.[0-9]{1,3})?|\"[a-zé\\\\\"]{0,4}\"|\\{(\"(Id|Amount|Name|ts_ms|x)\":(null|1|-0|0.5|\"t\"|\"\")(,\"(Id|Name|y)\":(\"(\\\\n|\\\\u00e[0-9g])\"|7|true))?)?\\}|\\[\\]"), 0..5),
    ) {
        let text = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
        let (express, careful) = both(&format!("{{{text}}}"));
        if let Some(express) = express {
            prop_assert_eq!(Ok(express), careful);
        }
    }
}
