//! How the records of the partitions lie in files.

use std::collections::VecDeque;
use std::io::Write;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::capture::{Record, by_partition, text_of};
use super::common::json_lines;
use super::random::Random;
use super::workload::{But, all};

#[test]
fn the_order_of_partitions_in_the_file_does_not_matter() {
    for workload in all() {
        let mut partitions = by_partition(&workload.records);
        workload.same("all of Agreement, then all of Transaction", But::Nothing, &partitions.concat());
        partitions.reverse();
        workload.same("all of Transaction, then all of Agreement, partitions reversed", But::Nothing, &partitions.concat());
        workload.same("round robin", But::Nothing, &taken(&partitions, &mut |turn, _| turn, 1));
        for seed in [1, 2] {
            let mut random = Random::new(seed);
            let runs = taken(&partitions, &mut |_, count| random.below(count), 40);
            workload.same(&format!("random runs, seed {seed}"), But::Nothing, &runs);
        }
    }
}

/// Takes up to `most` records from the partition that `choose` names, until all are taken.
fn taken(partitions: &[Vec<Record>], choose: &mut dyn FnMut(usize, usize) -> usize, most: usize) -> Vec<Record> {
    let mut queues: Vec<VecDeque<Record>> = partitions.iter().map(|records| records.iter().cloned().collect()).collect();
    let mut taken = Vec::new();
    for turn in 0.. {
        queues.retain(|queue| !queue.is_empty());
        if queues.is_empty() {
            break;
        }
        let count = queues.len();
        let queue = &mut queues[choose(turn % count, count)];
        let run = most.min(queue.len());
        taken.extend(queue.drain(..run));
    }
    taken
}

#[test]
fn a_file_for_each_partition_does_as_well_in_any_order() {
    for workload in all() {
        let mut files: Vec<(String, String)> = by_partition(&workload.records)
            .iter()
            .map(|records| (format!("{}-{}.jsonl", records[0].topic, records[0].partition), text_of(records)))
            .collect();
        for seed in [1, 2] {
            Random::new(seed).shuffle(&mut files);
            let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
            workload.same_files(&format!("a file for each partition, seed {seed}"), But::Nothing, &files, &[]);
        }
    }
}

#[test]
fn a_partition_may_go_on_in_another_file_and_files_come_in_any_order() {
    for workload in all() {
        let mut parts: Vec<String> = workload.records.chunks(400).map(text_of).collect();
        for seed in [0, 1, 2] {
            if seed > 0 {
                Random::new(seed).shuffle(&mut parts);
            }
            let names: Vec<String> = (0..parts.len()).map(|n| format!("{n}.jsonl")).collect();
            let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(parts.iter().map(String::as_bytes)).collect();
            workload.same_files(&format!("the file cut into stretches, seed {seed}"), But::Nothing, &files, &[]);
        }
    }
}

/// Offsets order the records of a partition, not lines.
#[test]
fn the_order_of_lines_does_not_matter() {
    for workload in all() {
        let mut records = workload.records.clone();
        records.reverse();
        workload.same("the last line first", But::Nothing, &records);
        for seed in [1, 2] {
            Random::new(seed).shuffle(&mut records);
            workload.same(&format!("lines in any order, seed {seed}"), But::Nothing, &records);
        }
    }
}

#[test]
fn captures_may_overlap() {
    for workload in all() {
        let third = workload.records.len() / 3;
        let (first, second) = (text_of(&workload.records[..2 * third]), text_of(&workload.records[third..]));
        let files = [("first.jsonl", first.as_bytes()), ("second.jsonl", second.as_bytes())];
        workload.same_files("the second file begins within the first", But::Nothing, &files, &[]);
        let [first, second] = files;
        workload.same_files("and the other way round", But::Nothing, &[second, first], &[]);
    }
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let zipped = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for workload in all() {
        let text = text_of(&workload.records);
        let middle = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
        let (start, end) = text.split_at(middle);
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        for (what, name, bytes) in [
            ("gzip", "events.jsonl.gz", zipped(&text)),
            ("two gzip members, cut within a line", "events.jsonl.gz", [zipped(start), zipped(end)].concat()),
            ("zstd", "events.jsonl.zst", zstd(&text)),
            ("two zstd frames, cut within a line", "events.jsonl.zst", [zstd(start), zstd(end)].concat()),
        ] {
            workload.same_files(what, But::Nothing, &[(name, &bytes)], &[]);
        }
    }
}

#[test]
fn line_ends_and_absent_fields_do_not_matter() {
    for workload in all() {
        let text = text_of(&workload.records);
        workload.same_with("CR LF", But::Nothing, &text.replace('\n', "\r\n"), &[]);
        workload.same_with("no end of the last line", But::Nothing, text.trim_end(), &[]);
        workload.same_with("empty lines", But::Nothing, &text.replace('\n', "\n\n"), &[]);
        let bare: String = workload.records.iter().map(|record| record.bare_line() + "\n").collect();
        workload.same_with("fields in another order, in base64, or absent", But::Nothing, &bare, &[]);
    }
}

#[test]
fn standard_input_is_a_file_too() {
    let workload = &all()[0];
    let folder = tempfile::tempdir().unwrap();
    let alerts = folder.path().join("alerts.jsonl");
    let mut command = workload.command_on_stdin();
    let mut child = command.arg("--alerts").arg(&alerts).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text_of(&workload.records).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    workload.compare("standard input", But::Nothing, &json_lines(&alerts));
}
