use crate::support::Server;

fn counter() -> Server {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int PRIMARY KEY)");
    s
}

fn ids(s: &mut Server) -> String {
    s.rows("SELECT STRING_AGG(CAST(id AS varchar(5)), ',') WITHIN GROUP (ORDER BY id) FROM t").remove(0)
}

#[test]
fn nesting_counts_and_a_rollback_takes_all() {
    let mut s = counter();
    assert_eq!(
        s.rows("BEGIN TRAN; BEGIN TRAN; SELECT @@TRANCOUNT; COMMIT; SELECT @@TRANCOUNT; COMMIT TRANSACTION; SELECT @@TRANCOUNT"),
        ["0"]
    );
    s.ok("BEGIN TRAN INSERT INTO t VALUES (1) BEGIN TRAN INSERT INTO t VALUES (2) COMMIT ROLLBACK TRAN");
    assert_eq!(ids(&mut s), "NULL");
    assert_eq!(s.fails("COMMIT"), 3902);
    assert_eq!(s.fails("ROLLBACK"), 3903);
}

#[test]
fn savepoints_take_back_a_part() {
    let mut s = counter();
    s.ok("BEGIN TRAN; INSERT INTO t VALUES (1); SAVE TRAN here; INSERT INTO t VALUES (2); ROLLBACK TRAN here; INSERT INTO t VALUES (3); COMMIT;");
    assert_eq!(ids(&mut s), "1,3");
}

#[test]
fn what_is_open_at_the_end_is_rolled_back_with_a_note() {
    let mut s = counter();
    s.ok("BEGIN TRAN; INSERT INTO t VALUES (1);");
    assert_eq!(ids(&mut s), "NULL");
    assert_eq!(s.seen.notes.len(), 1);
}

#[test]
fn definitions_are_rolled_back_too() {
    let mut s = counter();
    s.ok("BEGIN TRAN; CREATE TABLE u (id int); INSERT INTO u VALUES (1); ALTER TABLE t ADD n int NULL; DROP TABLE u; CREATE TABLE v (x int); ROLLBACK;");
    assert_eq!(s.rows("SELECT COUNT(*) FROM sys.tables"), ["1"]);
    assert_eq!(s.fails("SELECT n FROM t"), 207);
    s.ok("CREATE TABLE v (x int); INSERT INTO t VALUES (5)");
}

#[test]
fn a_failing_statement_is_taken_back_alone() {
    let mut s = counter();
    s.ok("BEGIN TRAN;
          INSERT INTO t VALUES (1);
          BEGIN TRY INSERT INTO t VALUES (2), (1); END TRY BEGIN CATCH PRINT ERROR_NUMBER(); END CATCH
          COMMIT;");
    assert_eq!(ids(&mut s), "1");
    assert_eq!(s.seen.printed, ["2627"]);
}

#[test]
fn xact_abort_dooms_the_transaction() {
    let mut s = counter();
    s.ok("SET XACT_ABORT ON;
          BEGIN TRY
              BEGIN TRAN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); COMMIT;
          END TRY
          BEGIN CATCH
              PRINT XACT_STATE();
              IF XACT_STATE() <> 0 ROLLBACK;
              PRINT CONCAT(ERROR_NUMBER(), ' ', ERROR_SEVERITY(), ' ', ERROR_LINE());
          END CATCH
          PRINT @@TRANCOUNT;");
    assert_eq!(s.seen.printed, ["-1", "2627 16 3", "0"]);
    assert_eq!(s.fails("SET XACT_ABORT ON; BEGIN TRAN; BEGIN TRY SELECT 1/0; END TRY BEGIN CATCH COMMIT; END CATCH"), 3930);
}

#[test]
fn identity_values_are_not_taken_back() {
    let mut s = Server::new();
    s.ok("CREATE TABLE i (id int IDENTITY, v int); BEGIN TRAN; INSERT INTO i (v) VALUES (1); ROLLBACK; INSERT INTO i (v) VALUES (2);");
    assert_eq!(s.rows("SELECT id FROM i"), ["2"]);
}

#[test]
fn a_server_that_goes_on_reports_each_failure() {
    let mut s = counter().continuing();
    s.ok("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); IF @@ERROR <> 0 PRINT 'seen'; INSERT INTO t VALUES (2);
GO
SELECT CAST('x' AS int); PRINT 'not reached';
GO
INSERT INTO t VALUES (3); RAISERROR('trouble', 16, 1); PRINT 'reached';");
    assert_eq!(ids(&mut s), "1,2,3");
    assert_eq!(s.seen.printed, ["seen", "reached"]);
    assert_eq!(s.seen.failed.iter().map(|e| e.number.unwrap_or(0)).collect::<Vec<_>>(), [2627, 245, 50000]);
}
