//! `tidewaiter check`, through the real binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use tidewaiter::domains::lending::settings::LendingRules;

fn tidewaiter(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    command
}

/// Exit code, stdout, stderr.
fn check(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = tidewaiter(&[&["check"], args].concat()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The rules files of a folder, relative to the repository, by name.
fn files(folder: &str) -> Vec<String> {
    let folder = Path::new("tests/data/rules").join(folder);
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap();
    let mut files: Vec<String> =
        entries.map(|entry| folder.join(entry.unwrap().file_name()).to_str().unwrap().to_owned()).collect();
    files.sort();
    assert!(files.len() > 3);
    files
}

#[test]
fn valid_files_are_praised_with_their_fingerprint() {
    for file in files("valid").into_iter().chain(["rules/lending.toml".to_owned()]) {
        let rules = LendingRules::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
        let praise = format!("{file}: ok, fingerprint {}\n", rules.fingerprint);
        assert_eq!(check(&["--rules", &file]), (0, praise, String::new()));
    }
}

#[test]
fn every_error_of_a_file_is_a_finding_with_its_place_and_the_exit_code_is_1() {
    for file in files("broken") {
        let (code, stdout, stderr) = check(&["--rules", &file]);
        assert_eq!((code, stderr.as_str()), (1, ""), "{file}");
        let name = PathBuf::from(&file);
        insta::assert_snapshot!(format!("broken-{}", name.file_stem().unwrap().to_str().unwrap()), stdout);
    }
}

#[test]
fn several_files_are_checked_in_one_go() {
    let (code, stdout, _) = check(&["--rules", "rules/lending.toml", "--rules", "tests/data/rules/broken/durations.toml"]);
    assert_eq!(code, 1);
    assert!(stdout.starts_with("rules/lending.toml: ok, fingerprint "), "{stdout}");
    assert!(stdout.contains("\ntests/data/rules/broken/durations.toml:2:12: "), "{stdout}");
}

#[test]
fn a_missing_file_is_an_error_after_the_others_were_checked() {
    let (code, stdout, stderr) = check(&["--rules", "nowhere.toml", "--rules", "rules/lending.toml"]);
    assert_eq!(code, 2);
    assert!(stdout.starts_with("rules/lending.toml: ok"), "{stdout}");
    let expected = "error: cannot read nowhere.toml: No such file or directory (os error 2)\nhint: check the path; a relative one \
                    counts from the current folder\n";
    assert_eq!(stderr, expected);
}

#[test]
fn a_directory_is_an_error() {
    let (code, stdout, stderr) = check(&["--rules", "rules"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: cannot read rules: "), "{stderr}");
}

#[test]
fn without_a_file_there_is_nothing_to_check() {
    let (code, stdout, stderr) = check(&[]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("--rules <FILE.toml>|--config <FILE.toml>"), "{stderr}");
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_hides_no_findings() {
    for (file, code) in [("rules/lending.toml", 0), ("tests/data/rules/broken/keys.toml", 1)] {
        let mut child = tidewaiter(&["check", "--rules", file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(code), ""), "{file}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = tidewaiter(&["check", "--rules", "rules/lending.toml"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.starts_with("error: cannot write to standard output: No space left on device"), "{stderr}");
}
