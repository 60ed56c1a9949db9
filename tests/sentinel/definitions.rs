use crate::support::Server;

#[test]
fn tables_change_and_keep_their_rows() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int NOT NULL, v varchar(5), x int CONSTRAINT DF_x DEFAULT 3); INSERT INTO t (id, v) VALUES (1, '10'), (2, '20');
          ALTER TABLE t ADD CONSTRAINT PK_t PRIMARY KEY CLUSTERED (id);
          ALTER TABLE t ADD n int NULL, m decimal(5,2) NOT NULL CONSTRAINT DF_m DEFAULT (1.5);
          ALTER TABLE t ALTER COLUMN v int NOT NULL;
          ALTER TABLE t DROP CONSTRAINT DF_x; ALTER TABLE t DROP COLUMN x;
          ALTER TABLE t WITH CHECK ADD CONSTRAINT CK_v CHECK (v > 0);
          ALTER TABLE t CHECK CONSTRAINT CK_v;
          ALTER TABLE t ADD DEFAULT 9 FOR n;");
    assert_eq!(s.rows("SELECT * FROM t"), ["1|10|NULL|1.50", "2|20|NULL|1.50"]);
    s.ok("INSERT INTO t (id, v) VALUES (3, 30)");
    assert_eq!(s.rows("SELECT v + 1, n FROM t WHERE id = 3"), ["31|9"]);
    assert_eq!(s.fails("INSERT INTO t (id, v) VALUES (3, 1)"), 2627);
    assert_eq!(s.fails("INSERT INTO t (id, v) VALUES (4, 0)"), 547);
    assert_eq!(s.fails("ALTER TABLE t ADD CONSTRAINT CK_2 CHECK (v > 15)"), 547);
    assert_eq!(s.fails("ALTER TABLE t ADD q int NOT NULL"), 4901);
    assert_eq!(s.fails("ALTER TABLE t DROP COLUMN id"), 4922);
    assert_eq!(s.fails("ALTER TABLE t ALTER COLUMN nothing int"), 4924);
}

#[test]
fn indexes_are_kept_and_unique_ones_enforced() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a int, b int, c varchar(10));
          CREATE NONCLUSTERED INDEX IX_1 ON dbo.t (a ASC, b DESC) INCLUDE (c) WHERE a IS NOT NULL WITH (FILLFACTOR = 80) ON [PRIMARY];
          CREATE UNIQUE INDEX UX_2 ON t (c); INSERT INTO t VALUES (1, 1, 'x');");
    assert_eq!(s.fails("INSERT INTO t VALUES (1, 1, 'X ')"), 2601);
    assert_eq!(s.fails("CREATE INDEX IX_1 ON t (b)"), 1913);
    s.ok("DROP INDEX UX_2 ON t; DROP INDEX IF EXISTS UX_9 ON t; INSERT INTO t VALUES (1, 1, 'x')");
    assert_eq!(s.fails("CREATE UNIQUE INDEX UX_3 ON t (c)"), 1505);
}

#[test]
fn computed_columns_follow_their_row() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a decimal(9,2), b decimal(9,2), total AS (a + b) PERSISTED, label AS ('T' + CAST(id AS varchar(10))), id int IDENTITY, v rowversion)".replace("label AS ('T' + CAST(id AS varchar(10))), id int IDENTITY", "id int IDENTITY, label AS ('T' + CAST(id AS varchar(10)))").as_str());
    s.ok("INSERT INTO t (a, b) VALUES (1, 2); UPDATE t SET b = 5;");
    assert_eq!(s.rows("SELECT total, label FROM t"), ["6.00|T1"]);
    assert_eq!(s.fails("UPDATE t SET total = 1"), 271);
    assert_eq!(s.fails("INSERT INTO t (a, b, total) VALUES (1, 2, 3)"), 271);
}

#[test]
fn databases_and_schemas_come_and_go() {
    let mut s = Server::bare();
    s.ok("CREATE DATABASE One; ALTER DATABASE One SET RECOVERY SIMPLE WITH NO_WAIT;
GO
USE One
GO
CREATE SCHEMA loans AUTHORIZATION dbo
GO
CREATE TABLE loans.t (id int); INSERT INTO One.loans.t VALUES (1);
USE master; SELECT COUNT(*) FROM One.loans.t;");
    assert_eq!(s.fails("CREATE DATABASE One"), 1801);
    assert_eq!(s.fails("USE Nothing"), 911);
    assert_eq!(s.fails("USE One; CREATE TABLE other.t (id int)"), 2760);
    assert_eq!(s.fails("USE One; CREATE TABLE loans.t (id int)"), 2714);
    assert_eq!(s.fails("USE One; DROP DATABASE One"), 3702);
    s.ok("USE master; DROP DATABASE IF EXISTS One; DROP DATABASE IF EXISTS One;");
    assert_eq!(s.fails("USE master; DROP DATABASE One"), 3701);
    assert!(s.sentinel.databases().is_empty());
}

#[test]
fn tables_are_read_from_outside() {
    let mut s = Server::new();
    s.ok("CREATE TABLE p (id int IDENTITY, n varchar(20), d date, a decimal(18,2), f bit);
          INSERT INTO p (n, d, a, f) SELECT CONCAT('N', value % 100), '2026-03-01', value, 1 FROM GENERATE_SERIES(1, 1000);");
    let all = s.sentinel.read_table("test", "dbo", "P").unwrap();
    assert_eq!((all.rows.len(), all.columns[3].0.as_str()), (1000, "a"));
    let keys: Vec<String> = (0..100).map(|n| format!("n{n} ")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = s.sentinel.rows_where(("Test", "dbo", "p"), "N", &keys).unwrap();
    assert_eq!(found.rows.len(), 1000);
    assert!(s.sentinel.read_table("Test", "dbo", "q").is_err());
    assert!(s.sentinel.rows_where(("Test", "dbo", "p"), "zz", &["a"]).is_err());
    assert!(s.sentinel.read_table("Nope", "dbo", "p").is_err());
}
