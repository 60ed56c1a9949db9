//! Triggers.

use crate::support::Server;

fn book() -> Server {
    let mut s = Server::new();
    s.ok("CREATE TABLE a (number varchar(20) PRIMARY KEY, balance decimal(18,2), status varchar(10));
          CREATE TABLE log (id int IDENTITY, what varchar(100));
          INSERT INTO a VALUES ('A', 100, 'LIVE'), ('B', 50, 'LIVE');
GO
CREATE TRIGGER dbo.trg_a ON dbo.a AFTER INSERT, UPDATE, DELETE AS
BEGIN
    SET NOCOUNT ON;
    INSERT INTO log (what)
    SELECT CONCAT(COALESCE(i.number, d.number), ' ', ISNULL(CAST(d.balance AS varchar(20)), '-'), ' ', ISNULL(CAST(i.balance AS varchar(20)), '-'),
                  CASE WHEN UPDATE(balance) THEN ' balance' ELSE '' END)
    FROM inserted i FULL JOIN deleted d ON d.number = i.number ORDER BY 1;
END".replace("CASE WHEN UPDATE(balance) THEN ' balance' ELSE '' END", "@b").replace("SET NOCOUNT ON;", "SET NOCOUNT ON; DECLARE @b varchar(10) = ''; IF UPDATE(balance) SET @b = ' balance';").as_str());
    s
}

#[test]
fn a_trigger_sees_rows_before_and_after_and_runs_once_a_statement() {
    let mut s = book();
    s.ok("UPDATE a SET balance -= 10; DELETE FROM a WHERE number = 'B'; INSERT INTO a VALUES ('C', 1, 'LIVE'), ('D', 2, 'LIVE'); UPDATE a SET status = 'X' WHERE number = 'C'");
    assert_eq!(
        s.rows("SELECT what FROM log ORDER BY id"),
        ["A 100.00 90.00 balance", "B 50.00 40.00 balance", "B 40.00 -", "C - 1.00 balance", "D - 2.00 balance", "C 1.00 1.00"]
    );
    assert_eq!(s.rows("UPDATE a SET balance = 0; SELECT @@ROWCOUNT"), ["3"]);
    assert_eq!(s.rows("INSERT INTO a VALUES ('E', 1, 'LIVE'); SELECT SCOPE_IDENTITY(), @@IDENTITY"), ["NULL|10"]);
    assert_eq!(s.rows("MERGE a USING (VALUES ('A', 5), ('Z', 6)) v (n, b) ON a.number = v.n WHEN MATCHED THEN UPDATE SET balance = b WHEN NOT MATCHED THEN INSERT VALUES (n, b, 'LIVE'); SELECT what FROM log WHERE id > 10 ORDER BY id"), ["Z - 6.00 balance", "A 0.00 5.00 balance"]);
}

#[test]
fn what_a_trigger_writes_belongs_to_the_statement_s_commit() {
    let mut s = Server::captured();
    s.ok("CREATE TABLE pay (id int, amount decimal(9,2));
GO
CREATE TRIGGER trg_pay ON pay FOR INSERT AS
    UPDATE t SET amount = t.amount - i.amount FROM t JOIN inserted i ON i.id = t.id
GO
INSERT INTO t VALUES (1, 'a', 100), (2, 'b', 50);
INSERT INTO pay VALUES (1, 30), (2, 5);");
    assert_eq!(s.seen.commits.len(), 2);
    assert_eq!(s.seen.commits[1].changes.len(), 2);
    assert_eq!(s.rows("SELECT amount FROM t"), ["70.00", "45.00"]);
}

#[test]
fn a_trigger_may_refuse_and_roll_back() {
    let mut s = book().continuing();
    s.ok("CREATE TRIGGER guard ON a AFTER UPDATE AS
IF EXISTS (SELECT * FROM inserted WHERE balance < 0)
BEGIN
    RAISERROR('no overdraft', 16, 1);
    ROLLBACK TRANSACTION;
    RETURN;
END
GO
UPDATE a SET balance = -1 WHERE number = 'A'
PRINT 'never'
GO
BEGIN TRAN
UPDATE a SET status = 'X' WHERE number = 'B'
UPDATE a SET balance = -1 WHERE number = 'A'
GO
PRINT @@TRANCOUNT
BEGIN TRY
    UPDATE a SET balance = -1 WHERE number = 'A'
END TRY
BEGIN CATCH
    PRINT ERROR_MESSAGE()
END CATCH");
    assert_eq!(s.seen.printed, ["0", "no overdraft"]);
    let numbers: Vec<_> = s.seen.failed.iter().map(|e| e.number).collect();
    assert_eq!(numbers, [Some(50_000), Some(3609), Some(50_000), Some(3609)]);
    assert_eq!(s.rows("SELECT number, balance, status FROM a; SELECT COUNT(*) FROM log"), ["0"]);
    assert_eq!(s.rows("SELECT balance, status FROM a"), ["100.00|LIVE", "50.00|LIVE"]);
}

#[test]
fn an_error_in_a_trigger_takes_the_statement_and_its_transaction_along() {
    let mut s = book().continuing();
    s.ok("CREATE TRIGGER bad ON a AFTER DELETE AS SELECT 1/0\nGO
BEGIN TRAN; UPDATE a SET status = 'X'; DELETE FROM a WHERE number = 'A'; PRINT 'never'\nGO\nPRINT @@TRANCOUNT");
    assert_eq!(s.seen.printed, ["0"]);
    assert!(s.seen.failed[0].hint.as_ref().unwrap().contains("in the trigger bad, test.sql:1"), "{}", s.seen.failed[0]);
    assert_eq!(s.rows("SELECT DISTINCT status FROM a"), ["LIVE"]);
}

#[test]
fn triggers_are_switched_off_and_dropped() {
    let mut s = book();
    s.ok("DISABLE TRIGGER trg_a ON a; UPDATE a SET balance = 1; ENABLE TRIGGER dbo.trg_a ON dbo.a; ALTER TABLE a DISABLE TRIGGER ALL; UPDATE a SET balance = 2");
    assert_eq!(s.rows("SELECT COUNT(*), MAX(CAST(t.is_disabled AS int)) FROM log RIGHT JOIN sys.triggers t ON 1 = 0"), ["1|1"]);
    s.ok("ENABLE TRIGGER ALL ON a; UPDATE a SET balance = 3 WHERE number = 'A'");
    assert_eq!(s.rows("SELECT what FROM log"), ["A 2.00 3.00 balance"]);
    s.ok("IF OBJECT_ID('trg_a', 'TR') IS NOT NULL DROP TRIGGER trg_a; UPDATE a SET balance = 4");
    assert_eq!(s.rows("SELECT COUNT(*) FROM log"), ["1"]);
    assert_eq!(s.fails("ENABLE TRIGGER trg_a ON a"), 1088);
    s.ok("CREATE TRIGGER x ON a FOR DELETE AS PRINT 'x'\nGO\nDROP TABLE a");
    assert_eq!(s.rows("SELECT COUNT(*) FROM sys.objects WHERE type = 'TR'"), ["0"]);
}

#[test]
fn a_trigger_does_not_fire_itself_but_another_one() {
    let mut s = Server::new();
    s.ok("CREATE TABLE a (n int); CREATE TABLE b (n int)
GO
CREATE TRIGGER ta ON a FOR INSERT AS BEGIN INSERT INTO a SELECT n + 1 FROM inserted; INSERT INTO b SELECT n FROM inserted END
GO
CREATE TRIGGER tb ON b FOR INSERT AS PRINT TRIGGER_NESTLEVEL()
GO
INSERT INTO a VALUES (1)");
    assert_eq!(s.seen.printed, ["2"]);
    assert_eq!(s.rows("SELECT n FROM a"), ["1", "2"]);
}
