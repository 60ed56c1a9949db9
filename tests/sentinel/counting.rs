//! How many rows a statement touched: @@ROWCOUNT, and what `sqlcmd` is told.

use crate::support::Server;

#[test]
fn counts_are_told_for_rows_given_and_changed_but_not_for_assignments() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3); UPDATE t SET a += 1 WHERE a > 1; SELECT * FROM t;
          DECLARE @a int; SELECT @a = a FROM t; SET @a = 1; DELETE FROM t WHERE a = 9; SELECT a INTO #u FROM t; PRINT 'x'");
    assert_eq!(s.seen.counts, [3, 2, 3, 0, 3]);
}

#[test]
fn no_count_is_quiet_until_the_procedure_that_set_it_ends() {
    let mut s = Server::new();
    s.ok("CREATE PROCEDURE p AS SET NOCOUNT ON; SELECT 1\nGO\nEXEC p; SELECT 2; SET NOCOUNT ON; SELECT 3");
    assert_eq!((s.seen.sets.len(), s.seen.counts.as_slice()), (3, [1].as_slice()));
}

#[test]
fn row_count_is_that_of_the_last_statement() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
    for (statements, expected) in [
        ("UPDATE t SET a = a", "2"),
        ("UPDATE t SET a = a; DECLARE @x int", "2"),
        ("UPDATE t SET a = a; DECLARE @x int; SET @x = 5", "1"),
        ("UPDATE t SET a = a; PRINT 'x'", "0"),
        ("UPDATE t SET a = a; BEGIN TRAN; COMMIT", "0"),
        ("UPDATE t SET a = a; IF @@ROWCOUNT = 2 DECLARE @x int", "0"),
        ("UPDATE t SET a = a; EXEC ('DECLARE @x int')", "2"),
        ("DECLARE @x int; SELECT @x = a FROM t", "2"),
    ] {
        assert_eq!(s.rows(&format!("{statements}; SELECT @@ROWCOUNT")), [expected], "{statements}");
    }
}
