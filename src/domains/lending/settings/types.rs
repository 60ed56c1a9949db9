//! Which TransTypeID is what: the lists of codes, no code in two of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Class, Platform, TransactionTypes, TypeEntry, defaults};
use crate::config::{Item, Problem, Section, choice, integer, text};

/// A code and where it comes from.
struct Listed {
    code: i64,
    entry: TypeEntry,
    /// The list's dotted name.
    list: String,
    /// In the file; `None` for a default.
    offset: Option<usize>,
}

pub(super) fn types(section: &mut Section<'_>) -> TransactionTypes {
    let mut listed = Vec::new();
    match section.list("ignored", integer) {
        Some(codes) => listed.extend(plain(codes, Class::Ignored, section.name("ignored"))),
        None => listed.extend(defaults::IGNORED.map(|code| Listed {
            code,
            entry: TypeEntry { class: Class::Ignored, name: None, platform: None },
            list: section.name("ignored"),
            offset: None,
        })),
    }
    let payments = section.list("payment", integer);
    let payments_listed = payments.is_some();
    listed.extend(plain(payments.unwrap_or_default(), Class::Payment, section.name("payment")));
    let unknown = section.optional("unknown", choice(&[("payment", Class::Payment), ("ignored", Class::Ignored)]));
    let platform_ids = section.table("refund", |refund| {
        let ids = Platform::ALL.map(|platform| refund.table(platform.name(), |section| refunds(section, platform, &mut listed)));
        if ids[0] == ids[1] {
            let [one, other] = Platform::ALL.map(|platform| refund.name(platform.name()));
            refund.problem(Problem::new(format!("`{one}` and `{other}` have the same platform number")));
        }
        ids
    });
    if !payments_listed && unknown == Some(Class::Ignored) {
        // without these nothing would be a payment, and nobody would be told; those that the file makes something else stay so
        let free = defaults::PAYMENT.into_iter().filter(|code| listed.iter().all(|other| other.code != *code));
        let free: Vec<i64> = free.collect();
        listed.extend(free.into_iter().map(|code| Listed {
            code,
            entry: TypeEntry { class: Class::Payment, name: None, platform: None },
            list: section.name("payment"),
            offset: None,
        }));
    }
    TransactionTypes { codes: without_duplicates(section, listed), unknown: unknown.unwrap_or(Class::Payment), platform_ids }
}

fn plain(codes: Vec<Item<i64>>, class: Class, list: String) -> impl Iterator<Item = Listed> {
    codes.into_iter().map(move |Item { value: code, offset }| Listed {
        code,
        entry: TypeEntry { class, name: None, platform: None },
        list: list.clone(),
        offset: Some(offset),
    })
}

/// The codes of one platform, its default ones where the file has none for it. Gives the platform's number.
fn refunds(section: &mut Section<'_>, platform: Platform, listed: &mut Vec<Listed>) -> i64 {
    let id = section.optional("platform", integer).unwrap_or_else(|| platform.default_id());
    let list = section.name("codes");
    let refund = |code, name: &str, offset| Listed {
        code,
        entry: TypeEntry { class: Class::Refund, name: Some(name.into()), platform: Some(platform) },
        list: list.clone(),
        offset,
    };
    let configured = section.has("codes");
    let codes = section.table("codes", |codes| codes.entries(code, text));
    if configured {
        listed.extend(codes.into_iter().map(|(code, name)| refund(code.value, &name, Some(code.offset))));
    } else {
        listed.extend(platform.default_refunds().iter().map(|(code, name)| refund(*code, name, None)));
    }
    id
}

/// A code as a key. One spelling only, so that no code can stand twice under two of them.
fn code(key: &str) -> Result<i64, Problem> {
    match key.parse::<i64>() {
        Ok(code) if code.to_string() == key => Ok(code),
        Ok(code) => Err(Problem::new(format!("expected a code, found the key `{key}`")).hint(format!("write {code}"))),
        Err(_) => {
            let problem = Problem::new(format!("expected a code, found the key `{key}`"));
            Err(problem.hint("write codes as 107 = \"Refund of Card Payment\""))
        }
    }
}

fn without_duplicates(section: &Section<'_>, mut listed: Vec<Listed>) -> BTreeMap<i64, TypeEntry> {
    // in the order of the file, so that the second mention is the wrong one; defaults stand behind what is written
    listed.sort_by_key(|item| (item.offset.is_none(), item.offset));
    let mut codes: BTreeMap<i64, Listed> = BTreeMap::new();
    for item in listed {
        let first = match codes.entry(item.code) {
            Entry::Vacant(vacant) => {
                vacant.insert(item);
                continue;
            }
            Entry::Occupied(first) => first.into_mut(),
        };
        match (first.offset, item.offset) {
            (Some(one), Some(other)) => {
                let place = format!("in `{}`, line {}", first.list, section.line(one));
                let problem = Problem::new(format!("`{}`: code {} is listed twice, first {place}", item.list, item.code));
                section.problem_at(other, problem);
            }
            (Some(written), None) => {
                let problem = Problem::new(format!(
                    "`{}`: code {} is listed twice, since it is also a default of `{}`",
                    first.list, item.code, item.list
                ));
                section.problem_at(written, problem.hint(format!("write `{}` without it", item.list)));
            }
            (None, _) => unreachable!("no default code stands in two lists, and defaults come last"),
        }
    }
    codes.into_iter().map(|(code, item)| (code, item.entry)).collect()
}
