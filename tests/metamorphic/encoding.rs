//! How a message says what it says.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{Days, NaiveDate};

use super::capture::{Record, Value, text_of};
use super::json::{Json, Style};
use super::random::Random;
use super::schema::{Dates, Declared, Kind, Money, kind, of_envelope};
use super::workload::{But, Workload, all, well_formed};

/// Changes the envelope of every well-formed message. The random choices are equal for a message and its re-delivery.
fn with_envelopes(workload: &Workload, seed: u64, mut change: impl FnMut(Json, &Record, &mut Random) -> String) -> Vec<Record> {
    let mut records = workload.records.clone();
    for record in &mut records {
        let Some(envelope) = record.envelope() else { continue };
        let images = ["before", "after", "source"].map(|part| envelope.get(part).map_or(String::new(), Json::compact));
        record.value = Value::Text(change(envelope, record, &mut Random::of(seed, &images.concat())));
    }
    records
}

/// Changes the values of one kind of column, in both images.
fn with_values(envelope: &mut Json, of: Kind, mut change: impl FnMut(&mut Json)) {
    for image in ["before", "after"] {
        let Some(row) = envelope.get_mut(image).and_then(Json::fields_mut) else { continue };
        row.iter_mut().filter(|(column, _)| kind(column) == of).for_each(|(_, value)| change(value));
    }
}

/// An amount's digits without its point.
fn unscaled(amount: &str) -> i128 {
    amount.replace('.', "").parse().unwrap()
}

fn precise(amount: &str, from_scale: usize, scale: usize) -> Json {
    let units = unscaled(amount) * 10_i128.pow(u32::try_from(scale - from_scale).unwrap());
    let bytes = units.to_be_bytes();
    // the shortest two's complement: leading bytes that only repeat the sign go
    let sign = if units < 0 { 0xFF } else { 0 };
    let start = (0..15).find(|&at| bytes[at] != sign || (bytes[at + 1] ^ sign) & 0x80 != 0).unwrap_or(15);
    Json::text(BASE64_STANDARD.encode(&bytes[start..]))
}

/// One of the many ways to write a JSON number.
fn number(amount: &str, scale: usize, random: &mut Random) -> Json {
    let units = unscaled(amount);
    let trimmed = amount.trim_end_matches('0').trim_end_matches('.');
    let mut forms = vec![
        amount.to_owned(),
        trimmed.to_owned(),
        format!("{units}E-{scale}"),
        format!("{units}e-0{scale}"),
        format!("{amount}e+0"),
    ];
    forms.push(format!("{trimmed}E0"));
    if units % 10 == 0 {
        forms.push(format!("{}e{}", units / 10, 1 - i64::try_from(scale).unwrap()));
    }
    if units == 0 {
        forms.extend(["0".to_owned(), "-0.0".to_owned(), "0e5".to_owned()]);
    }
    Json::Number(random.pick(&forms).clone())
}

fn each_amount(envelope: &mut Json, mut form: impl FnMut(&str) -> Json) {
    with_values(envelope, Kind::Money, |value| {
        if let Json::Text(amount) = value {
            *value = form(amount);
        }
    });
}

#[test]
fn amounts_in_base64_are_those_in_text() {
    for workload in well_formed() {
        for scale in [2, 4, 7] {
            if scale < workload.scale {
                continue;
            }
            let but = if scale == workload.scale { But::Nothing } else { But::Decimals };
            let records = with_envelopes(workload, 0, |mut envelope, _, _| {
                each_amount(&mut envelope, |amount| precise(amount, workload.scale, scale));
                envelope.compact()
            });
            let capture = text_of(&records);
            workload.same_with(
                &format!("precise, scale {scale}"),
                but,
                &capture,
                &["--decimals", "precise", "--scale", &scale.to_string()],
            );
        }
    }
}

#[test]
fn amounts_as_json_numbers_are_those_in_text() {
    for workload in well_formed() {
        for seed in [1, 2] {
            let records = with_envelopes(workload, seed, |mut envelope, _, random| {
                each_amount(&mut envelope, |amount| number(amount, workload.scale, random));
                envelope.compact()
            });
            workload.same_with(&format!("numbers, seed {seed}"), But::Decimals, &text_of(&records), &["--decimals", "number"]);
        }
    }
}

#[test]
fn zeros_around_the_digits_of_an_amount_do_not_matter() {
    for workload in well_formed() {
        let records = with_envelopes(workload, 3, |mut envelope, _, random| {
            each_amount(&mut envelope, |amount| {
                let digits = amount.strip_prefix('-');
                let sign = if digits.is_some() { "-" } else { "" };
                let zeros = |random: &mut Random| "0".repeat(random.below(4));
                Json::text(format!("{sign}{}{}{}", zeros(random), digits.unwrap_or(amount), zeros(random)))
            });
            envelope.compact()
        });
        workload.same("zeros around amounts, seed 3", But::Decimals, &records);
    }
}

/// A message with its schema, and its values as the schema declares them.
fn declared(mut envelope: Json, record: &Record, scale: usize, declared: Declared, random: &mut Random, numbers: bool) -> Json {
    each_amount(&mut envelope, |amount| match declared.money {
        Money::Decimal(to) if !numbers => precise(amount, scale, to),
        Money::Text => Json::text(amount),
        Money::Decimal(_) | Money::Double => number(amount, scale, random),
    });
    if declared.dates == Dates::Iso {
        with_values(&mut envelope, Kind::Date, |value| *value = iso(value));
    }
    let row = ["after", "before"].iter().find_map(|image| envelope.get(image).filter(|row| !row.fields().is_empty()));
    let columns: Vec<&str> = row.map_or(&[][..], Json::fields).iter().map(|(column, _)| column.as_str()).collect();
    let schema = of_envelope(record.table().unwrap(), &columns, declared);
    Json::object([("schema", schema), ("payload", envelope)])
}

fn iso(value: &Json) -> Json {
    let Some(days) = value.as_i64() else { return value.clone() };
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    let date = if days < 0 { epoch - Days::new(days.unsigned_abs()) } else { epoch + Days::new(days.unsigned_abs()) };
    Json::text(date.format("%Y-%m-%dZ").to_string())
}

#[test]
fn a_schema_inside_says_the_form_whatever_is_configured() {
    for workload in well_formed() {
        let scale = workload.scale;
        let (string, number, precise) = (&[][..], &["--decimals", "number"][..], &["--decimals", "precise", "--scale", "7"][..]);
        for (what, money, dates, numbers, but, args) in [
            ("precise", Money::Decimal(scale), Dates::Debezium, false, But::Nothing, string),
            ("precise with more decimals", Money::Decimal(scale + 2), Dates::Connect, false, But::Decimals, precise),
            ("numbers under Decimal", Money::Decimal(scale), Dates::Debezium, true, But::Decimals, precise),
            ("text", Money::Text, Dates::Iso, false, But::Nothing, number),
            ("doubles", Money::Double, Dates::Connect, true, But::Decimals, string),
        ] {
            let form = Declared { money, dates };
            let records = with_envelopes(workload, 4, |envelope, record, random| {
                declared(envelope, record, scale, form, random, numbers).compact()
            });
            workload.same_with(&format!("schema inside: {what}, {args:?}, seed 4"), but, &text_of(&records), args);
        }
    }
}

/// A cache of schemas must not take one for another.
#[test]
fn every_message_may_have_another_schema_or_none() {
    for workload in well_formed() {
        let scale = workload.scale;
        let forms = [Money::Decimal(scale), Money::Decimal(scale + 1), Money::Decimal(scale + 2), Money::Text, Money::Double];
        for seed in [5, 6] {
            let records = with_envelopes(workload, seed, |mut envelope, record, random| {
                if random.one_in(3) {
                    return envelope.compact();
                }
                reordered(&mut envelope, random);
                let form =
                    Declared { money: *random.pick(&forms), dates: *random.pick(&[Dates::Debezium, Dates::Connect, Dates::Iso]) };
                let numbers = random.one_in(2);
                let mut message = declared(envelope, record, scale, form, random, numbers);
                if random.one_in(2) {
                    message.fields_mut().unwrap().reverse();
                }
                message.compact()
            });
            workload.same(&format!("mixed schemas, seed {seed}"), But::Decimals, &records);
        }
    }
}

#[test]
fn a_schema_may_stand_behind_its_payload_or_be_null() {
    for workload in well_formed() {
        let form = Declared { money: Money::Decimal(workload.scale), dates: Dates::Debezium };
        let records = with_envelopes(workload, 0, |envelope, record, random| {
            let mut message = declared(envelope, record, workload.scale, form, random, false);
            message.fields_mut().unwrap().reverse();
            message.compact()
        });
        workload.same("schema behind its payload", But::Nothing, &records);
        let records =
            with_envelopes(workload, 0, |envelope, _, _| Json::object([("schema", Json::Null), ("payload", envelope)]).compact());
        workload.same("null for a schema", But::Nothing, &records);
    }
}

#[test]
fn dates_as_text_and_bits_as_digits_are_the_same() {
    for workload in all() {
        let records = with_envelopes(workload, 7, |mut envelope, _, random| {
            with_values(&mut envelope, Kind::Date, |value| {
                let Json::Text(text) = iso(value) else { return };
                *value = Json::text(if random.one_in(2) { text.as_str() } else { text.trim_end_matches('Z') });
            });
            with_values(&mut envelope, Kind::DateTime, |value| *value = Json::text("2026-01-05T07:00:00.003Z"));
            with_values(&mut envelope, Kind::Bit, |value| {
                if let Json::Bool(bit) = value {
                    *value = Json::number(u8::from(*bit));
                }
            });
            envelope.compact()
        });
        workload.same("dates as text and bits as digits, seed 7", But::Nothing, &records);
    }
}

fn reordered(envelope: &mut Json, random: &mut Random) {
    for image in ["before", "after", "source"] {
        if let Some(fields) = envelope.get_mut(image).and_then(Json::fields_mut) {
            random.shuffle(fields);
        }
    }
    random.shuffle(envelope.fields_mut().unwrap());
}

#[test]
fn the_order_of_fields_and_unknown_ones_do_not_matter() {
    let unknown = [
        ("AgreementNotes", Json::text("a \"note\" \\ with { brackets ] and \u{1F3E6}\u{7f}\u{1}")),
        ("op", Json::text("d")),
        ("source", Json::object([("commit_lsn", Json::text("x")), ("ts_ms", Json::Null)])),
        ("after", Json::Null),
        ("AgreementCurrentBalanceNet", Json::text("1.00")),
        ("TransNetPaymentX", Json::Number("1e999".to_owned())),
        ("agreementnumber", Json::List(vec![Json::List(vec![]), Json::Bool(true), Json::Number("-0.5".to_owned())])),
        ("", Json::Null),
        ("AgreementBlob", Json::text("__debezium_unavailable_value")),
        ("Zoë €", Json::text("x".repeat(3_000))),
    ];
    for workload in all() {
        for seed in [8, 9] {
            let records = with_envelopes(workload, seed, |mut envelope, _, random| {
                for image in ["before", "after"] {
                    let Some(row) = envelope.get_mut(image).and_then(Json::fields_mut) else { continue };
                    for (name, value) in &unknown {
                        if random.one_in(3) {
                            row.insert(random.below(row.len() + 1), ((*name).to_owned(), value.clone()));
                        }
                    }
                }
                let fields = envelope.fields_mut().unwrap();
                fields.push(("ddl".to_owned(), Json::object([("op", Json::text("c"))])));
                reordered(&mut envelope, random);
                envelope.compact()
            });
            workload.same(&format!("other order and unknown fields, seed {seed}"), But::Nothing, &records);
        }
    }
}

#[test]
fn blanks_and_escapes_in_the_json_do_not_matter() {
    for workload in all() {
        for seed in [10, 11] {
            let styled = |blanks: bool, escapes: bool| {
                with_envelopes(workload, seed, |envelope, _, random| {
                    let mut style = Style { blanks: blanks.then(|| random.clone()), escapes: escapes.then(|| random.clone()) };
                    envelope.written(&mut style)
                })
            };
            workload.same(&format!("escapes, seed {seed}"), But::Nothing, &styled(false, true));
            workload.same(&format!("blanks and escapes, seed {seed}"), But::Nothing, &styled(true, true));
        }
    }
}

#[test]
fn case_and_trailing_blanks_of_numbers_and_case_of_positions_do_not_matter() {
    for workload in all() {
        for seed in [12, 13] {
            let records = with_envelopes(workload, seed, |mut envelope, _, random| {
                for image in ["before", "after"] {
                    for column in ["AgreementNumber", "TransAgreementNumber"] {
                        let Some(number) = envelope.get_mut(image).and_then(|row| row.get_mut(column)) else { continue };
                        let Some(text) = number.as_text() else { continue };
                        *number = Json::text(match random.below(5) {
                            0 => text.to_ascii_lowercase(),
                            1 => format!("{text} "),
                            2 => format!("{}   ", text.to_ascii_lowercase()),
                            _ => text.to_owned(),
                        });
                    }
                }
                for position in ["commit_lsn", "change_lsn"] {
                    let lsn = envelope.get_mut("source").and_then(|source| source.get_mut(position));
                    if let Some(Json::Text(lsn)) = lsn
                        && random.one_in(2)
                    {
                        lsn.make_ascii_uppercase();
                    }
                }
                envelope.compact()
            });
            workload.same(&format!("numbers in other case and with blanks, seed {seed}"), But::Nothing, &records);
        }
    }
}
