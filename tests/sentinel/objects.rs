//! Types, sequences and synonyms.

use crate::support::Server;

#[test]
fn types_stand_where_data_types_do() {
    let mut s = Server::new();
    s.ok("CREATE TYPE dbo.AgreementNo FROM varchar(20) NOT NULL; CREATE TYPE Amount FROM decimal(18,2)
GO
CREATE TABLE [dbo].[t] ([n] [dbo].[AgreementNo] NOT NULL, a Amount DEFAULT 0);
DECLARE @n AgreementNo = 'FRH0000001', @a dbo.Amount = 1.005;
INSERT INTO t VALUES (@n, @a);
GO
EXEC ('DECLARE @a Amount = 2; INSERT INTO t VALUES (CAST(''B'' AS AgreementNo), @a)')");
    assert_eq!(s.rows("SELECT n, a FROM t"), ["FRH0000001|1.01", "B|2.00"]);
    assert_eq!(s.rows("SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE COLUMN_NAME = 'n'"), ["varchar"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM sys.types WHERE is_user_defined = 1"), ["2"]);
    assert_eq!(s.fails("CREATE TYPE Amount FROM int"), 219);
    s.ok("DROP TYPE IF EXISTS dbo.Amount; DROP TYPE AgreementNo");
    assert!(s.sentinel.parse("x.sql", "DECLARE @a Amount").is_err());
}

#[test]
fn table_types_are_declared_and_passed() {
    let mut s = Server::new();
    s.ok("CREATE TYPE dbo.Payments AS TABLE (number varchar(20) NOT NULL PRIMARY KEY, amount decimal(18,2) DEFAULT 1)
GO
CREATE PROCEDURE dbo.pay @list dbo.Payments READONLY, @times int = 1 AS
BEGIN
    DECLARE @n int = (SELECT COUNT(*) FROM @list);
    PRINT CONCAT(@n, ' ', (SELECT SUM(amount) * @times FROM @list));
END
GO
DECLARE @p dbo.Payments;
INSERT INTO @p (number) VALUES ('A');
INSERT INTO @p VALUES ('B', 2.50);
EXEC dbo.pay @p;
EXEC dbo.pay @list = @p, @times = 2;
EXEC dbo.pay;
EXEC sp_executesql N'SELECT @@ROWCOUNT; EXEC dbo.pay @q', N'@q dbo.Payments READONLY', @q = @p;
SELECT COUNT(*) FROM @p");
    assert_eq!(s.seen.printed, ["2 3.50", "2 7.00", "0 ", "2 3.50"]);
    assert_eq!(s.rows("SELECT name FROM sys.table_types"), ["payments"]);
    assert_eq!(s.fails("EXEC dbo.pay @list = 5"), 206);
}

#[test]
fn sequences_count() {
    let mut s = Server::new();
    s.ok("CREATE SEQUENCE dbo.batch AS int START WITH 1000 INCREMENT BY 5 MINVALUE 0 MAXVALUE 1012 NO CYCLE CACHE 10;
          CREATE TABLE t (n int DEFAULT (NEXT VALUE FOR dbo.batch), b varchar(10) DEFAULT ('B' + CAST(NEXT VALUE FOR dbo.batch AS varchar(9))), x int)");
    s.ok("INSERT INTO t (x, b) VALUES (1, ''); DECLARE @n int = NEXT VALUE FOR batch; INSERT INTO t (x, n) SELECT 2, @n;");
    assert_eq!(s.rows("SELECT n, b FROM t"), ["1000|", "1005|B1010"]);
    assert_eq!(s.rows("SELECT current_value, increment FROM sys.sequences WHERE name = 'batch'"), ["1010|5"]);
    assert_eq!(s.fails("SELECT NEXT VALUE FOR dbo.batch"), 11728);
    assert_eq!(s.rows("ALTER SEQUENCE dbo.batch RESTART WITH 7; SELECT NEXT VALUE FOR dbo.batch"), ["7"]);
    assert_eq!(s.rows("ALTER SEQUENCE dbo.batch RESTART; SELECT NEXT VALUE FOR dbo.batch"), ["1000"]);
    s.ok("CREATE SEQUENCE c AS tinyint START WITH 254 CYCLE");
    assert_eq!(s.rows("SELECT NEXT VALUE FOR c FROM (VALUES (1), (2), (3)) v (x)"), ["254", "255", "0"]);
    s.ok("DROP SEQUENCE IF EXISTS c");
    assert_eq!(s.fails("SELECT NEXT VALUE FOR c"), 208);
    assert!(s.sentinel.parse("x.sql", "CREATE SEQUENCE s START WITH 300 MAXVALUE 200").is_err());
}

#[test]
fn synonyms_stand_for_objects() {
    let mut s = Server::new();
    s.ok("CREATE TABLE dbo.[Transaction] (n int)\nGO\nCREATE PROCEDURE dbo.p AS INSERT INTO dbo.Trans VALUES (1)\nGO
CREATE SYNONYM dbo.Trans FOR Test.dbo.[Transaction]; CREATE SYNONYM dbo.q FOR dbo.p\nGO\nEXEC dbo.q; UPDATE Trans SET n += 1");
    assert_eq!(s.rows("SELECT n FROM Trans t JOIN sys.synonyms s ON s.name = 'Trans'"), ["2"]);
    s.ok("DROP SYNONYM dbo.Trans");
    assert_eq!(s.rows("SELECT n FROM [Transaction]"), ["2"]);
    assert_eq!(s.fails("SELECT * FROM Trans"), 208);
}
