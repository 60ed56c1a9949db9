use crate::support::Server;

#[test]
fn inserts_of_every_form() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int IDENTITY(10,5) PRIMARY KEY, name varchar(10) NOT NULL DEFAULT 'none', made datetime DEFAULT GETDATE(), amount decimal(9,2) NULL);
          INSERT INTO t (name) VALUES ('a'), ('b');
          INSERT t VALUES ('c', NULL, 1.005);
          INSERT INTO dbo.t (amount, name) SELECT 2, 'd' UNION ALL SELECT 3, 'e';
          INSERT INTO Test.dbo.t DEFAULT VALUES;
          INSERT INTO t (name, amount) VALUES (DEFAULT, 4);
          INSERT INTO t (name) EXEC('SELECT ''x'' UNION SELECT ''y''');");
    assert_eq!(
        s.rows("SELECT id, name, amount FROM t"),
        [
            "10|a|NULL",
            "15|b|NULL",
            "20|c|1.01",
            "25|d|2.00",
            "30|e|3.00",
            "35|none|NULL",
            "40|none|4.00",
            "45|x|NULL",
            "50|y|NULL",
        ]
    );
    assert_eq!(
        s.rows("INSERT INTO t (name) VALUES ('z'); SELECT SCOPE_IDENTITY(), @@IDENTITY, @@ROWCOUNT, IDENT_CURRENT('t')"),
        ["55|55|1|55"]
    );
    s.ok("SET IDENTITY_INSERT t ON; INSERT INTO t (id, name) VALUES (500, 'big'); SET IDENTITY_INSERT t OFF; INSERT INTO t (name) VALUES ('next')");
    assert_eq!(s.rows("SELECT id FROM t WHERE name IN ('big', 'next')"), ["500", "505"]);
    assert_eq!(s.rows("INSERT INTO t (name, amount) OUTPUT INSERTED.id, inserted.name AS n VALUES ('o', 1)"), ["510|o"]);
    s.ok("DECLARE @ids TABLE (id int); INSERT INTO t (name) OUTPUT inserted.id INTO @ids VALUES ('p'), ('q'); SELECT COUNT(*) FROM @ids");
    assert_eq!(
        s.rows(
            "DECLARE @ids TABLE (id int); INSERT INTO t (name) OUTPUT inserted.id INTO @ids (id) SELECT 'r'; SELECT id FROM @ids"
        ),
        ["525"]
    );
}

#[test]
fn inserts_that_break_a_rule_leave_nothing() {
    let mut s = Server::new();
    s.ok("CREATE TABLE parent (id int PRIMARY KEY);
          CREATE TABLE t (id int IDENTITY, k int CONSTRAINT UQ_k UNIQUE, name varchar(5) NOT NULL, amount decimal(5,2) CONSTRAINT CK_amount CHECK (amount >= 0),
            pid int NULL CONSTRAINT FK_parent REFERENCES parent (id), CONSTRAINT PK_t PRIMARY KEY CLUSTERED (id ASC));
          INSERT INTO parent VALUES (1); INSERT INTO t (k, name) VALUES (1, 'one');");
    for (sql, number) in [
        ("INSERT INTO parent VALUES (1)", 2627),
        ("INSERT INTO t (k, name) VALUES (1, 'dup')", 2627),
        ("INSERT INTO t (k, name) VALUES (2, NULL)", 515),
        ("INSERT INTO t (k) VALUES (2)", 515),
        ("INSERT INTO t (k, name) VALUES (2, 'too long')", 2628),
        ("INSERT INTO t (k, name, amount) VALUES (2, 'a', 1000)", 8115),
        ("INSERT INTO t (k, name, amount) VALUES (2, 'a', -1)", 547),
        ("INSERT INTO t (k, name, pid) VALUES (2, 'a', 9)", 547),
        ("INSERT INTO t (id, k, name) VALUES (9, 9, 'a')", 544),
        ("INSERT INTO t (k, name) VALUES (2, 'fine'), (1, 'dup')", 2627),
        ("INSERT INTO t (k, name) SELECT 1", 213),
        ("INSERT INTO t (nothing) VALUES (1)", 207),
        ("INSERT INTO nowhere VALUES (1)", 208),
        ("UPDATE t SET id = 5", 8102),
        ("UPDATE t SET name = NULL", 515),
        ("UPDATE t SET pid = 77", 547),
        ("INSERT INTO t (k, name, amount) VALUES (2, 'a', 'x')", 8114),
    ] {
        assert_eq!(s.fails(sql), number, "{sql}");
    }
    assert_eq!(s.rows("SELECT k, name FROM t"), ["1|one"]);
    let error = s.error("INSERT INTO parent VALUES (1)");
    assert!(error.message.starts_with("Violation of PRIMARY KEY constraint 'PK__parent__"), "{error}");
    assert!(
        error.message.ends_with("Cannot insert duplicate key in object 'dbo.parent'. The duplicate key value is (1)."),
        "{error}"
    );
    let error = s.error("INSERT INTO t (k, name) VALUES (2, 'too long')");
    assert_eq!(
        error.message,
        "String or binary data would be truncated in table 'Test.dbo.t', column 'name'. Truncated value: 'too l'."
    );
}

#[test]
fn updates_of_every_form() {
    let mut s = Server::new();
    s.ok("CREATE TABLE a (id int PRIMARY KEY, n varchar(10), x decimal(9,2)); CREATE TABLE b (id int PRIMARY KEY, aid int, y decimal(9,2));
          INSERT INTO a VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3); INSERT INTO b VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);");
    s.ok("UPDATE a SET x = x * 2, n = n + '!' WHERE id = 1");
    s.ok("UPDATE q SET q.x = q.x + b.y FROM dbo.a AS q INNER JOIN b ON b.aid = q.id WHERE b.y > 15");
    s.ok("UPDATE a SET x = a.x + t.s FROM (SELECT aid, SUM(y) s FROM b GROUP BY aid) t WHERE t.aid = a.id AND a.id = 2");
    s.ok("UPDATE TOP (1) a SET n = 'top' WHERE id >= 2");
    s.ok("UPDATE a SET x += 0.5, n = CASE WHEN id = 3 THEN 'drei' ELSE n END");
    assert_eq!(s.rows("SELECT * FROM a"), ["1|one!|22.50", "2|top|62.50", "3|drei|3.50"]);
    assert_eq!(s.rows("DECLARE @v decimal(9,2); UPDATE a SET @v = x = x + 1 WHERE id = 3; SELECT @v, @@ROWCOUNT"), ["4.50|1"]);
    assert_eq!(s.rows("UPDATE a SET x = 0 OUTPUT deleted.x, inserted.x, inserted.id WHERE id = 2"), ["62.50|0.00|2"]);
    s.ok("WITH c AS (SELECT id, x, ROW_NUMBER() OVER (ORDER BY id DESC) rn FROM a) UPDATE c SET x = rn WHERE rn < 3");
    assert_eq!(s.rows("SELECT x FROM a ORDER BY id"), ["22.50", "2.00", "1.00"]);
    s.ok("UPDATE a SET n = (SELECT TOP 1 'b' + CAST(b.id AS varchar(5)) FROM b WHERE b.aid = a.id ORDER BY b.id DESC)");
    assert_eq!(s.rows("SELECT n FROM a ORDER BY id"), ["b2", "b3", "NULL"]);
    s.ok("UPDATE a SET id = id + 1");
    assert_eq!(s.rows("SELECT id FROM a ORDER BY id"), ["2", "3", "4"]);
}

#[test]
fn deletes_of_every_form() {
    let mut s = Server::new();
    let fill = "DELETE FROM a; INSERT INTO a VALUES (1, 'x'), (2, 'y'), (3, 'x'), (4, 'z')";
    s.ok("CREATE TABLE a (id int PRIMARY KEY, n varchar(10)); CREATE TABLE b (n varchar(10)); INSERT INTO b VALUES ('x')");
    for (delete, left) in [
        ("DELETE a WHERE id = 1", "2,3,4"),
        ("DELETE FROM q FROM dbo.a q JOIN b ON b.n = q.n", "2,4"),
        ("DELETE q FROM a q WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.n = q.n)", "1,3"),
        ("DELETE TOP (2) FROM a", "3,4"),
        ("WITH d AS (SELECT ROW_NUMBER() OVER (PARTITION BY n ORDER BY id) r FROM a) DELETE FROM d WHERE r > 1", "1,2,4"),
        ("DELETE FROM a WHERE n IN (SELECT n FROM b)", "2,4"),
        ("TRUNCATE TABLE a", "NULL"),
    ] {
        s.ok(fill).ok(delete);
        assert_eq!(s.rows("SELECT STRING_AGG(CAST(id AS varchar(5)), ',') FROM a"), [left], "{delete}");
    }
    s.ok(fill);
    assert_eq!(s.rows("DELETE FROM a OUTPUT deleted.* WHERE id < 3"), ["1|x", "2|y"]);
    assert_eq!(s.rows("DELETE FROM a; SELECT @@ROWCOUNT"), ["2"]);
}

#[test]
fn references_refuse_or_cascade() {
    let mut s = Server::new();
    s.ok("CREATE TABLE p (id int PRIMARY KEY);
          CREATE TABLE strict (id int PRIMARY KEY, p int FOREIGN KEY REFERENCES p(id));
          CREATE TABLE soft (id int PRIMARY KEY, p int NULL REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
          CREATE TABLE nulls (id int PRIMARY KEY, p int NULL, CONSTRAINT FK_n FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL ON UPDATE CASCADE);
          INSERT INTO p VALUES (1), (2), (3); INSERT INTO strict VALUES (1, 1); INSERT INTO soft VALUES (1, 2), (2, 3); INSERT INTO nulls VALUES (1, 2);");
    assert_eq!(s.fails("DELETE FROM p WHERE id = 1"), 547);
    s.ok("DELETE FROM p WHERE id = 2");
    assert_eq!(s.rows("SELECT (SELECT COUNT(*) FROM soft), (SELECT COUNT(*) FROM nulls WHERE p IS NULL)"), ["1|1"]);
    s.ok("UPDATE p SET id = 30 WHERE id = 3");
    assert_eq!(s.rows("SELECT p FROM soft"), ["30"]);
    assert_eq!(s.fails("UPDATE p SET id = 10 WHERE id = 1"), 547);
    assert_eq!(s.fails("DROP TABLE p"), 3726);
    s.ok("ALTER TABLE strict NOCHECK CONSTRAINT ALL; INSERT INTO strict VALUES (2, 99)");
}

#[test]
fn merge_inserts_updates_and_deletes() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int PRIMARY KEY, v int, note varchar(10)); CREATE TABLE s (id int, v int); INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c'); INSERT INTO s VALUES (2, 21), (3, 30), (4, 40);");
    let out = s.rows(
        "MERGE INTO dbo.t AS target USING s AS source ON target.id = source.id
          WHEN MATCHED AND target.v <> source.v THEN UPDATE SET target.v = source.v, note = 'changed'
          WHEN NOT MATCHED BY TARGET THEN INSERT (id, v) VALUES (source.id, source.v)
          WHEN NOT MATCHED BY SOURCE THEN DELETE
          OUTPUT $action, inserted.id, deleted.id;",
    );
    assert_eq!(out, ["INSERT|4|NULL", "UPDATE|2|2", "DELETE|NULL|1"]);
    assert_eq!(s.rows("SELECT * FROM t ORDER BY id"), ["2|21|changed", "3|30|c", "4|40|NULL"]);
    s.ok("MERGE t USING (VALUES (4, 41), (5, 50)) AS x (id, v) ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.v, 'new');");
    assert_eq!(s.rows("SELECT v FROM t WHERE id > 3 ORDER BY id"), ["41", "50"]);
    assert_eq!(s.fails("MERGE t USING (VALUES (4), (4)) AS x (id) ON t.id = x.id WHEN MATCHED THEN DELETE;"), 8672);
}

#[test]
fn temporary_tables_and_table_variables() {
    let mut s = Server::new();
    s.ok("CREATE TABLE #x (id int IDENTITY, v varchar(5)); INSERT INTO #x (v) VALUES ('a'), ('b');
GO
          SELECT * INTO #y FROM #x WHERE v = 'b'; UPDATE #y SET v = 'c'; DELETE FROM #x WHERE id = 1;
          SELECT x.id, y.v FROM #x x JOIN #y y ON y.id = x.id;
          IF OBJECT_ID('tempdb..#x') IS NOT NULL DROP TABLE #x;
          IF OBJECT_ID('tempdb..#x') IS NULL PRINT 'gone';");
    assert_eq!(s.seen.printed, ["gone"]);
    assert_eq!(s.fails("SELECT * FROM #y"), 208);
    assert_eq!(s.rows("DECLARE @t TABLE (id int PRIMARY KEY, d date DEFAULT '2026-01-01'); INSERT INTO @t (id) VALUES (1), (2); UPDATE @t SET d = DATEADD(day, id, d); DELETE FROM @t WHERE id = 1; SELECT t.d FROM @t t"), ["2026-01-03"]);
    assert_eq!(s.fails("DECLARE @t TABLE (id int)\nGO\nSELECT * FROM @t"), 208);
    s.ok("SELECT 1 AS a, N'x' AS b, CAST(1.5 AS decimal(5,1)) AS c INTO dbo.made");
    assert_eq!(
        s.rows("SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'made'"),
        ["int", "nvarchar", "decimal"]
    );
}

#[test]
fn identities_are_reseeded() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int IDENTITY(10, 5), n int); DBCC CHECKIDENT ('dbo.t', RESEED, 100); INSERT INTO t (n) VALUES (1)");
    assert_eq!(s.rows("SELECT id FROM t"), ["100"]);
    s.ok("DBCC CHECKIDENT (t, RESEED, 7) WITH NO_INFOMSGS; INSERT INTO t (n) VALUES (2)");
    assert_eq!(s.rows("SELECT id FROM t WHERE n = 2"), ["12"]);
    s.ok("DBCC CHECKIDENT ('t', NORESEED); DBCC CHECKIDENT ('t'); INSERT INTO t (n) VALUES (3)");
    assert_eq!(s.rows("SELECT id FROM t WHERE n = 3"), ["105"]);
    s.ok("TRUNCATE TABLE t; DBCC CHECKIDENT ('t', RESEED, 1); INSERT INTO t (n) VALUES (4)");
    assert_eq!(s.rows("SELECT id FROM t"), ["1"]);
    s.ok("CREATE TABLE u (a int)");
    assert_eq!(s.fails("DBCC CHECKIDENT ('u', RESEED, 1)"), 7997);
}
