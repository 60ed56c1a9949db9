//! `tidewaiter replay`, through the real binary.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{root, run, tidewaiter};
use serde_json::Value;
use tempfile::TempDir;

fn replay(args: &[&str]) -> Command {
    let mut command = tidewaiter();
    command.current_dir(root()).arg("replay").args(args);
    command
}

/// What it says on both streams.
struct Said {
    out: String,
    err: String,
}

#[track_caller]
fn says(args: &[&str], code: i32) -> Said {
    let output = run(&mut replay(args), code);
    Said { out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() }
}

/// The lines of the last table: a mark, a script, what it raised.
fn outcomes(out: &str) -> Vec<&str> {
    out.rsplit_once("\n\n").unwrap().1.lines().collect()
}

/// A folder with scripts.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> Box<str> {
    let path: Box<Path> = folder.path().join(name).into();
    path.to_str().unwrap().into()
}

const LUMP_SUM: &str = "
USE SentinelMock
GO
INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest)
VALUES ('FRM0001544', GETDATE(), 1032, 5000, 5000, 0);
UPDATE dbo.Agreement SET AgreementCurrentBalanceNET -= 5000 WHERE AgreementNumber = 'FRM0001544';
";

#[test]
fn the_built_in_scripts_raise_what_they_must_on_month_ends_too() {
    for at in ["2026-01-31T23:59:50", "2024-02-29T00:00", "2026-12-31", "2027-03-01T12:00"] {
        let said = says(&["--at", at], 0);
        let outcomes = outcomes(&said.out);
        assert_eq!(outcomes.len(), 15, "{at}");
        assert!(outcomes.iter().all(|line| line.starts_with("ok ")), "{at}\n{}", said.out);
    }
}

#[test]
fn two_runs_give_the_same_alerts_but_for_the_moment_of_judging() {
    let written = folder(&[]);
    let alerts = |name: &str| -> Vec<Value> {
        let file = path(&written, name);
        says(&["--at", "2026-03-15T09:00", "--alerts", &file], 0);
        let lines = fs::read_to_string(&*file).unwrap();
        let without = |line: &str| {
            let mut alert: Value = serde_json::from_str(line).unwrap();
            assert!(alert.as_object_mut().unwrap().remove("detected_at").is_some());
            alert
        };
        lines.lines().map(without).collect()
    };
    let first = alerts("first.jsonl");
    assert_eq!(first.len(), 11);
    assert_eq!(first, alerts("second.jsonl"));
}

#[test]
fn what_differs_from_what_is_expected_is_shown_and_the_exit_code_is_1() {
    let expected = "[[script]]\nname = \"lump.sql\"\nraises = [\"R1 FRM0001544\"]\n";
    let scripts = folder(&[("lump.sql", LUMP_SUM), ("expected.toml", expected)]);
    let said = says(&[scripts.path().to_str().unwrap()], 1);
    let outcomes = outcomes(&said.out);
    assert!(outcomes[0].starts_with("DIFFERS"), "{}", said.out);
    assert!(outcomes[0].ends_with("lump.sql  R1 FRM0001544, R2 FRM0001544"), "{}", said.out);
    assert!(outcomes[1].trim_start().starts_with("expected: R1 FRM0001544"), "{}", said.out);
}

#[test]
fn what_a_script_prints_and_selects_stands_in_order_with_its_alerts() {
    let chatty = format!(
        "USE SentinelMock\nGO\nPRINT 'before'\nDECLARE @n int; SELECT @n = COUNT(*) FROM dbo.Agreement;\nGO\n{LUMP_SUM}GO
SELECT AgreementNumber, AgreementCurrentBalanceNET AS balance, AgreementSettledDate FROM dbo.Agreement WHERE AgreementNumber = 'FRM0001544';
PRINT 'between'
SET NOCOUNT ON
SELECT TOP 0 TransCounter FROM dbo.[Transaction]
PRINT 'after'
"
    );
    let scripts = folder(&[("chatty.sql", &chatty)]);
    let said = says(&[&path(&scripts, "chatty.sql")], 0);
    let mut lines = said.out.lines().skip(1);
    assert_eq!(lines.next(), Some("before"));
    for rule in ["R1 overpayment", "R2 lump sum"] {
        assert!(lines.next().unwrap().contains(rule), "{}", said.out);
        assert!(lines.by_ref().take(2).all(|line| line.starts_with("    ") && line.len() <= 80), "{}", said.out);
        while lines.clone().next().unwrap().starts_with("    ") {
            lines.next();
        }
    }
    let rest: Vec<&str> = lines.take(8).collect();
    assert_eq!(
        rest,
        [
            "AgreementNumber  balance  AgreementSettledDate",
            "---------------  -------  --------------------",
            "FRM0001544       5250.00  NULL",
            "(1 row affected)",
            "between",
            "TransCounter",
            "------------",
            "after",
        ]
    );
}

#[test]
fn an_expectation_for_no_script_is_an_error() {
    let expected = "[[script]]\nname = \"lumb.sql\"\nraises = [\"R1 FRM0001544\"]\n";
    let scripts = folder(&[("lump.sql", LUMP_SUM), ("expected.toml", expected)]);
    let said = says(&[scripts.path().to_str().unwrap()], 2);
    assert!(said.err.contains("expected.toml:2:8: ") && said.err.contains("no script `lumb.sql`"), "{}", said.err);
}

#[test]
fn what_is_not_supported_is_told_for_all_scripts_before_any_has_run() {
    let scripts = folder(&[
        ("1.sql", LUMP_SUM),
        ("2.sql", "PRINT 'never'\nGO\nSELECT GETDAT()\nGO\n"),
        ("3.sql", "\nBULK INSERT t FROM 'x';\n"),
    ]);
    let written = path(&scripts, "alerts.jsonl");
    let said = says(&[scripts.path().to_str().unwrap(), "--alerts", &written], 2);
    assert_eq!(said.out, "");
    for part in [
        "2.sql:3: the function GETDAT is not supported",
        "statement: SELECT GETDAT()",
        "hint: did you mean GETDATE?",
        "3.sql:2: BULK is not supported",
        "statement: BULK INSERT t FROM 'x'",
    ] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    assert!(!said.err.contains("never"), "{}", said.err);
    assert!(!Path::new(&*written).exists());
}

#[test]
fn a_statement_that_fails_is_told_with_its_place_and_the_rest_runs_as_under_sqlcmd() {
    let failing = format!("USE SentinelMock\nGO\n\nINSERT INTO dbo.TransactionType\nVALUES (3, 1, 'again')\nGO\n{LUMP_SUM}");
    let scripts = folder(&[("1.sql", &failing), ("2.sql", "PRINT 'after'")]);
    let written = path(&scripts, "alerts.jsonl");
    let said = says(&[scripts.path().to_str().unwrap(), "--alerts", &written], 2);
    assert!(said.err.contains("error: ") && said.err.contains("1.sql:4: Violation of PRIMARY KEY constraint"), "{}", said.err);
    assert!(said.err.contains("error: 1 statement failed\nhint: "), "{}", said.err);
    assert!(said.out.contains("\nafter\n"), "{}", said.out);
    let outcomes = outcomes(&said.out);
    assert!(outcomes[0].starts_with("FAILED") && outcomes[0].ends_with("1.sql  R1 FRM0001544, R2 FRM0001544"), "{}", said.out);
    assert_eq!(fs::read_to_string(&*written).unwrap().lines().count(), 2);
}

#[test]
fn a_script_that_asks_for_it_stops_at_its_error_after_the_alerts_before_it() {
    let failing =
        ":on error exit\nUSE SentinelMock\nGO\n\nINSERT INTO dbo.TransactionType\nVALUES (3, 1, 'again')\nGO\nPRINT 'never'\n";
    let scripts = folder(&[("1.sql", LUMP_SUM), ("2.sql", failing)]);
    let written = path(&scripts, "alerts.jsonl");
    let said = says(&[scripts.path().to_str().unwrap(), "--alerts", &written], 2);
    assert_eq!(said.out.matches("FRM0001544").count(), 2 * 2, "{}", said.out);
    assert!(said.err.contains("2.sql:5: Violation of PRIMARY KEY constraint"), "{}", said.err);
    assert!(said.err.ends_with("2.sql stopped at line 5\n"), "{}", said.err);
    assert!(!said.out.contains("never"), "{}", said.out);
    assert!(!Path::new(&*written).exists(), "half of the alerts are no alerts file");
}

#[test]
fn files_are_read_in_beside_their_script_and_variables_come_from_the_environment_too() {
    let scripts = folder(&[
        ("1.sql", ":setvar Agreement FRM0001544\nUSE $(ReplayTestDatabase)\nGO\n:r parts\\pay.sql\nGO\n"),
        ("2.sql", "PRINT 1\n:r parts/wrong.sql\n"),
    ]);
    fs::create_dir(scripts.path().join("parts")).unwrap();
    let pay = LUMP_SUM.replace("USE SentinelMock", "").replace("FRM0001544", "$(agreement)");
    fs::write(scripts.path().join("parts/pay.sql"), pay).unwrap();
    fs::write(scripts.path().join("parts/wrong.sql"), "PRINT 2\nSELEC 3\n").unwrap();
    let run = |name: &str, code: i32| {
        let mut command = replay(&[&path(&scripts, name)]);
        let output = run(command.env("ReplayTestDatabase", "SentinelMock"), code);
        Said { out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() }
    };
    assert!(outcomes(&run("1.sql", 0).out)[0].ends_with("1.sql  R1 FRM0001544, R2 FRM0001544"));
    let err = run("2.sql", 2).err;
    assert!(err.contains("parts/wrong.sql:2: "), "{err}");
    let err = says(&[&path(&scripts, "1.sql")], 2).err;
    assert!(err.contains("1.sql:2: the sqlcmd variable $(ReplayTestDatabase) is not set"), "{err}");
}

#[test]
fn a_script_may_use_the_procedures_of_one_before_it() {
    let procedure = "
USE SentinelMock
GO
CREATE PROCEDURE dbo.Pay @agreement varchar(20), @amount decimal(18,2) AS
BEGIN
    INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest)
    VALUES (@agreement, GETDATE(), 1032, @amount, @amount, 0);
    UPDATE dbo.Agreement SET AgreementCurrentBalanceNET -= @amount WHERE AgreementNumber = @agreement;
END
GO
";
    let scripts =
        folder(&[("1.sql", procedure), ("2.sql", "EXEC dbo.Pay 'frm0001544', 5000\n"), ("wrong.txt", "EXEC dbo.Pya\n")]);
    let said = says(&[scripts.path().to_str().unwrap()], 0);
    assert!(outcomes(&said.out)[1].ends_with("2.sql  R1 FRM0001544, R2 FRM0001544"), "{}", said.out);
    let said = says(&[&path(&scripts, "1.sql"), &path(&scripts, "wrong.txt")], 2);
    assert!(said.err.contains("wrong.txt:1: there is no procedure Pya"), "{}", said.err);
}

#[test]
fn a_transaction_that_is_left_open_is_noted() {
    let scripts = folder(&[("open.sql", "USE SentinelMock\nGO\nBEGIN TRAN\nDELETE FROM dbo.CustomProfile\nGO\n")]);
    let said = says(&[&path(&scripts, "open.sql")], 0);
    assert!(said.err.contains("open.sql:") && said.err.contains("rolled back"), "{}", said.err);
}

#[test]
fn scripts_that_were_written_for_the_real_stack_in_other_habits_run_unmodified() {
    let stack = "tests/data/foreign-stack";
    let setup = ["01-schema.sql", "02-procedures.sql", "03-seed.sql"].map(|name| format!("{stack}/{name}"));
    let events = format!("{stack}/events");
    let mut args = vec!["--at", "2026-03-31T17:30", &events];
    for file in &setup {
        args.extend(["--setup", file]);
    }
    let said = says(&args, 0);
    let lines = outcomes(&said.out);
    assert_eq!(lines.len(), 9);
    assert!(lines.iter().all(|line| line.starts_with("ok ")), "{}", said.out);
    assert!(said.out.contains("caught 50001: agreement NOPE not found"), "{}", said.out);

    // all of the set-up in one file, in another database
    let one: String = setup.iter().map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
    let files = folder(&[("all.sql", &one.replace("SentinelMock", "Loans_UAT"))]);
    let pay = "EXEC usp_PostPayment 'FRP0002000', 553.50\nGO\nEXEC usp_PostPayment 'FRP0002000', 1107.01\nGO\n";
    fs::write(files.path().join("pay.sql"), pay).unwrap();
    let said = says(&["--setup", &path(&files, "all.sql"), &path(&files, "pay.sql")], 0);
    assert!(outcomes(&said.out)[0].ends_with("pay.sql  R1 FRP0002000"), "{}", said.out);
}

#[test]
fn what_is_missing_is_told_with_advice() {
    let empty = folder(&[]);
    let empty = empty.path().to_str().unwrap();
    let no_capture = folder(&[("schema.sql", "CREATE DATABASE x\nGO\nUSE x\nGO\nCREATE TABLE dbo.Agreement (a int)\n")]);
    let schema = path(&no_capture, "schema.sql");
    for (args, error, hint) in [
        (vec!["nothere.sql"], "cannot read nothere.sql", ""),
        (vec!["--setup", "nothere.sql", "test-events"], "cannot read nothere.sql", ""),
        (vec![empty], "holds no script", "hint: scripts are files that end in .sql"),
        (vec!["--setup", "deploy/sql/schema.sql"], "--setup without a script", "hint: the built-in scripts know"),
        (vec!["--setup", &*schema, "test-events"], "change data capture on no table", "hint: the set-up must call"),
        (vec!["--alerts", "no/such/folder.jsonl"], "cannot write no/such/folder.jsonl", "hint: the folder must exist"),
        (vec!["--alerts", "-"], "would mix with what a replay shows", "hint: name a file"),
        (vec!["--at", "2026-02-30T09:00"], "--at", "expected a local time such as 2026-03-15T09:00"),
        (vec!["--target", "stack"], "--config <FILE.toml>", ""),
        (vec!["--config", "deploy/tidewaiter.toml"], "--config is for --target stack", "hint: add --target stack"),
        (
            vec!["--target", "stack", "--config", "nothere.toml", "--at", "2026-03-15"],
            "--at is for the embedded target",
            "hint: a real",
        ),
        (vec!["--target", "stack", "--config", "nothere.toml"], "cannot read nothere.toml", ""),
        (vec!["--target", "stack", "--config", "deploy/tidewaiter.toml"], "has no [expected.sqlserver]", "hint: that is where"),
    ] {
        let said = says(&args, 2);
        assert_eq!(said.out, "", "{args:?}");
        assert!(said.err.starts_with("error: ") && said.err.contains(error) && said.err.contains(hint), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_signal_leaves_nothing_half_written() {
    let scripts = folder(&[("slow.sql", &format!("{LUMP_SUM}WAITFOR DELAY '00:10:00'\n"))]);
    let written = path(&scripts, "alerts.jsonl");
    let mut command = replay(&[&path(&scripts, "slow.sql"), "--alerts", &written, "--real-time"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // the alerts are there, so the file is begun
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.into_iter().any(|line| line.contains("R2 lump sum")));
    assert_eq!(fs::read_dir(scripts.path()).unwrap().count(), 2);
    // the shell's own: a bare Debian has no program of that name
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(scripts.path()).unwrap().count(), 1);
}

#[test]
fn a_book_whose_messages_cannot_be_read_says_so() {
    let schema = fs::read_to_string(root().join("deploy/sql/schema.sql")).unwrap();
    let capture = "@source_name   = N'Transaction',";
    assert!(schema.contains(capture));
    let narrow = format!("{capture} @captured_column_list = N'TransCounter, TransAgreementNumber, TransDate, TransTypeID',");
    let files = folder(&[("schema.sql", &schema.replace(capture, &narrow)), ("lump.sql", LUMP_SUM)]);
    let said = says(&["--setup", &path(&files, "schema.sql"), "--setup", "deploy/sql/seed.sql", &path(&files, "lump.sql")], 0);
    assert!(
        said.err.contains("note: a message went to the dead letters: sentinel.SentinelMock.dbo.Transaction/"),
        "{}",
        said.err
    );
    assert!(said.err.contains("TransNetPayment"), "{}", said.err);
}
