//! `tidewaiter dead-letters list`: data on standard output, without the rows' values unless they are asked for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::{read, told};
use crate::cli::{Format, ListLetters};
use crate::commands::run::Prepared;
use crate::commands::{Output, advise};
use crate::event::Origin;
use crate::io::capture::{Parts, write_line};
use crate::io::kafka::letters::{Letter, settle};
use crate::time::Timestamp;

pub(super) fn run(args: &ListLetters) -> anyhow::Result<ExitCode> {
    if args.values && args.format == Format::Table {
        return Err(advise(anyhow::anyhow!("a table has no room for messages"), "add --format json"));
    }
    let Prepared { config, connection, .. } = Prepared::load(&args.config)?;
    settle(&connection, &config.dead_letters_topic).map_err(told)?;
    let letters = read(&connection, &config.dead_letters_topic)?;
    let mut output = Output::stdout();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let mut replayed = 0;
    for (place, letter) in &letters.letters {
        let is_replayed = letters.replayed.contains(place);
        replayed += u64::from(is_replayed);
        *reasons.entry(&letter.reason).or_default() += 1;
        match args.format {
            Format::Table => write!(output, "{}", row(letter, is_replayed))?,
            Format::Json => output.write_all(&line(letter, is_replayed, args.values)?)?,
        }
    }
    if args.format == Format::Table {
        let count = letters.letters.len();
        writeln!(output, "{count} dead letters on {}, {replayed} of them replayed", config.dead_letters_topic)?;
        for (reason, count) in reasons {
            writeln!(output, "{count:>8}  {reason}")?;
        }
    }
    output.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn time(letter: &Letter) -> Option<String> {
    letter.record.timestamp_ms.and_then(Timestamp::from_ms).map(|time| time.to_string())
}

fn row(letter: &Letter, is_replayed: bool) -> String {
    let Letter { record, reason, detail, hint, .. } = letter;
    let time = time(letter).unwrap_or_else(|| "no time".to_owned());
    let replayed = if is_replayed { ", replayed" } else { "" };
    let hint = hint.as_ref().map(|hint| format!("    hint: {hint}\n")).unwrap_or_default();
    format!("{}  {time}  {reason}{replayed}\n    {detail}\n{hint}", record.origin)
}

/// What a line says besides the record itself.
#[derive(Serialize)]
struct Why<'a> {
    reason: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    replayed: bool,
    /// Where the letter lies.
    dead_letter: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// A letter without its values.
#[derive(Serialize)]
struct Bare<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(flatten)]
    why: Why<'a>,
}

fn line(letter: &Letter, replayed: bool, values: bool) -> anyhow::Result<Vec<u8>> {
    let Letter { record, place: Origin { topic, partition, offset }, reason, detail, hint } = letter;
    let dead_letter = Place { topic: topic.name(), partition: *partition, offset: *offset };
    let why = Why { reason, detail, hint: hint.as_deref(), replayed, dead_letter };
    let Origin { topic, partition, offset } = record.origin;
    let mut line = Vec::new();
    if values {
        let parts = Parts {
            topic: topic.name(),
            partition,
            offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        };
        write_line(&mut line, parts, why)?;
    } else {
        serde_json::to_writer(&mut line, &Bare { topic: topic.name(), partition, offset, ts: record.timestamp_ms, why })?;
        line.push(b'\n');
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::OwnedRecord;
    use crate::event::Topic;

    fn letter() -> Letter {
        let origin = |topic, offset| Origin { topic: Topic::intern(topic), partition: 1, offset };
        Letter {
            record: OwnedRecord {
                origin: origin("list.t", 15),
                timestamp_ms: Some(1_768_208_400_007),
                key: Some(b"FRH0000400".to_vec()),
                value: Some(b"{\"secret\":1}".to_vec()),
                headers: [("trace".to_owned(), Some(b"FRH0000400".to_vec()))].into(),
            },
            place: origin("list.dead", 3),
            reason: "money_form".to_owned(),
            detail: "not an amount".to_owned(),
            hint: Some("set decimals".to_owned()),
        }
    }

    #[test]
    fn a_row_says_where_when_why_and_what_to_do_and_no_value() {
        let row = row(&letter(), true);
        assert_eq!(
            row,
            "list.t/1/15  2026-01-12T09:00:00.007Z  money_form, replayed\n    not an amount\n    hint: set decimals\n"
        );
    }

    #[test]
    fn values_stand_in_a_line_only_where_they_were_asked_for() {
        let told = |values| String::from_utf8(line(&letter(), false, values).unwrap()).unwrap();
        assert!(!told(false).contains("FRH0000400") && !told(false).contains("secret"), "{}", told(false));
        assert!(told(true).contains("FRH0000400") && told(true).contains("secret"), "{}", told(true));
        for values in [false, true] {
            let line: serde_json::Value = serde_json::from_str(&told(values)).unwrap();
            assert_eq!((&line["topic"], &line["offset"]), (&"list.t".into(), &15.into()));
            assert_eq!((&line["reason"], &line["replayed"]), (&"money_form".into(), &false.into()));
            assert_eq!(line["dead_letter"]["offset"], 3);
        }
    }
}
