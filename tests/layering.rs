//! Each module imports only from those to its left:
//! `time, telemetry, event → engine → config → io → ops → domains → cli, commands → main`.
//!
//! So the engine knows no domain, no Kafka and no SQL, and a domain knows no Kafka.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: [&[&str]; 7] =
    [&["time", "telemetry", "event"], &["engine"], &["config"], &["io"], &["ops"], &["domains"], &["cli", "commands"]];

/// Crates that only some layers, or one folder of a layer, may name.
const CONFINED: [(&str, &[&str]); 8] = [
    ("rdkafka", &["io", "commands"]),
    ("tiberius", &["io/sqlserver"]),
    ("deadpool", &["io/sqlserver"]),
    ("rusqlite", &["io", "domains"]),
    ("axum", &["ops"]),
    ("sqlparser", &["io"]),
    ("anyhow", &["commands", "main", "cli"]),
    ("clap", &["cli", "commands", "main"]),
];

fn rank(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("module `{module}` has no place in the order of layers: give it one in tests/layering.rs"))
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Modules of the crate that a source names, as `crate::module` or in `crate::{module, …}`.
fn named_modules(source: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut modules = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let before = source[..at].chars().next_back();
        if before.is_some_and(is_name) {
            continue;
        }
        let rest = &source[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            // a group: the names at its own level
            Some(group) => {
                let mut depth = 1;
                let mut level = String::new();
                for c in group.chars() {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    match depth {
                        0 => break,
                        1 => level.push(c),
                        _ => {}
                    }
                }
                level.split(',').map(|path| path.trim().to_owned()).collect()
            }
            None => vec![rest.to_owned()],
        };
        modules.extend(
            names.iter().map(|path| path.chars().take_while(|c| is_name(*c)).collect::<String>()).filter(|name| !name.is_empty()),
        );
    }
    modules
}

/// A text that begins with the name, as a log's target does, is not a use of the crate.
fn names_crate(source: &str, name: &str) -> bool {
    let as_path = format!("{name}::");
    let is_path = |at: usize| !source[..at].ends_with(|before: char| before == '"' || before == '_' || before.is_alphanumeric());
    source.contains(&format!("use {name}")) || source.match_indices(&as_path).any(|(at, _)| is_path(at))
}

#[test]
fn modules_import_only_from_their_left() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let source = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = lines.join("\n");
        for (name, allowed) in CONFINED {
            let named = names_crate(&code, name);
            let is_allowed = |place: &&str| *place == module || (place.contains('/') && inside.starts_with(place));
            if named && !allowed.iter().any(is_allowed) {
                wrong.push(format!("{}: `{name}` belongs to {allowed:?}", inside.display()));
            }
        }
        if module == "main" || module == "lib" {
            continue;
        }
        for named in named_modules(&code) {
            // macros of the crate and items at its root
            if !root.join(&named).exists() && !root.join(format!("{named}.rs")).exists() {
                continue;
            }
            checked += 1;
            if rank(&named) > rank(&module) {
                wrong.push(format!("{}: `{module}` must not know `{named}`", inside.display()));
            }
        }
    }
    assert!(checked > 20, "the scan found hardly any import: it is broken");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_every_way_to_name_a_module() {
    let source =
        "use crate::io::kafka;\nuse crate::{event::{Lsn, Record}, engine};\nlet x = crate::time::now();\nmy_crate::not_ours();";
    assert_eq!(named_modules(source), ["io", "event", "engine", "time"]);
}

#[test]
fn the_scan_tells_a_crate_from_a_text_that_names_it() {
    assert!(names_crate("let x = tiberius::Query::new(text);", "tiberius"));
    assert!(names_crate("use tiberius as tds;", "tiberius"));
    assert!(names_crate("vec![\"a\", b, ::tiberius::Row]", "tiberius"));
    assert!(!names_crate("target: \"tiberius::tds\"", "tiberius"));
    assert!(!names_crate("my_tiberius::Query", "tiberius"));
}
