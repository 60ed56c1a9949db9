//! What a statement that fails does to those after it: as SQL Server and `sqlcmd` have it.

use crate::support::Server;

#[track_caller]
fn prints(sql: &str, expected: &[&str], failures: usize) -> Server {
    let mut s = Server::new().continuing();
    s.ok("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").ok(sql);
    assert_eq!(s.seen.printed, expected, "{:?}", s.seen.failed);
    assert_eq!(s.seen.failed.len(), failures, "{:?}", s.seen.failed);
    s
}

#[test]
fn a_broken_rule_ends_its_statement_and_error_holds_its_number() {
    prints("INSERT INTO t VALUES (1); IF @@ERROR = 2627 PRINT 'as it should' ELSE PRINT 'no'", &["as it should"], 1);
    prints("SELECT 1/0\nPRINT @@ERROR\nPRINT @@ERROR\nGO\nPRINT 'next'", &["8134", "0", "next"], 1);
    prints("EXEC ('INSERT INTO t VALUES (1)'); PRINT 'on'", &["on"], 1);
}

#[test]
fn a_failed_conversion_ends_its_batch_and_takes_the_transaction_along() {
    let mut s =
        prints("BEGIN TRAN; INSERT INTO t VALUES (2); SELECT CAST('x' AS int); PRINT 'never'\nGO\nPRINT @@TRANCOUNT", &["0"], 1);
    assert_eq!(s.rows("SELECT COUNT(*) FROM t"), ["1"]);
}

#[test]
fn a_name_that_means_nothing_ends_its_batch_alone() {
    let mut s = prints(
        "BEGIN TRAN; INSERT INTO t VALUES (2); SELECT * FROM nowhere; PRINT 'never'\nGO\nCOMMIT; PRINT 'done'",
        &["done"],
        1,
    );
    assert_eq!(s.rows("SELECT COUNT(*) FROM t"), ["2"]);
}

#[test]
fn xact_abort_takes_the_transaction_but_not_for_raiserror() {
    prints("SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO t VALUES (1); PRINT 'never'\nGO\nPRINT @@TRANCOUNT", &["0"], 1);
    prints("SET XACT_ABORT ON; BEGIN TRAN; RAISERROR('stop', 16, 1); PRINT @@TRANCOUNT; ROLLBACK", &["1"], 1);
    prints("SET XACT_ABORT ON; BEGIN TRAN; THROW 50001, 'stop', 1; PRINT 'never'\nGO\nPRINT @@TRANCOUNT", &["0"], 1);
}

#[test]
fn a_missing_procedure_ends_its_statement() {
    prints("EXEC ('EXEC nothing_of_the_kind'); PRINT @@ERROR", &["2812"], 1);
}

#[test]
fn on_error_exit_stops_behind_the_batch_and_holds_from_its_line_on() {
    let failing = "INSERT INTO t VALUES (1)\nPRINT 'same batch'\nGO\nPRINT 'next batch'\n";
    let mut s = Server::new().continuing();
    s.ok("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let error = s.error(&format!("{failing}GO\n:on error exit\n{failing}"));
    assert_eq!((error.number, error.line), (Some(2627), 7));
    assert_eq!(s.seen.printed, ["same batch", "next batch", "same batch"]);
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").ok(&format!(":on error ignore\n{failing}"));
    assert_eq!((s.seen.printed.len(), s.seen.failed.len()), (2, 1));
}

#[test]
fn what_is_not_supported_ends_the_script() {
    let mut s = Server::new().continuing();
    let error = s.error("EXEC ('BULK INSERT t FROM ''x''')\nGO\nPRINT 'never'");
    assert!(error.message.contains("not supported"), "{error}");
    assert_eq!((s.seen.printed.len(), s.seen.failed.len()), (0, 1));
}

#[test]
fn an_error_is_told_where_its_statement_stands() {
    let mut s = Server::new().continuing();
    s.sentinel
        .parse("made.sql", "CREATE PROCEDURE p AS\n\nSELECT 1/0")
        .map(|p| s.sentinel.run(&p, &mut s.seen).unwrap())
        .unwrap();
    s.ok("EXEC p\nEXEC ('PRINT 1\nSELECT 1/0')");
    let places: Vec<String> = s.seen.failed.iter().map(|e| format!("{}:{}", e.file, e.line)).collect();
    assert_eq!(places, ["made.sql:3", "test.sql:2, executed text:2"]);
}

#[test]
fn quit_ends_the_script_and_drops_what_was_not_sent() {
    prints("PRINT 1\nGO\nPRINT 2\nexit\nGO\nPRINT 3", &["1"], 0);
    prints("PRINT 1\nGO\nPRINT 2\nEXIT(SELECT 7)\nGO\nPRINT 3", &["1", "2"], 0);
}
