use crate::support::Server;

fn book() -> Server {
    let mut server = Server::new();
    server.ok("
        CREATE TABLE a (number varchar(20) PRIMARY KEY, type int, balance decimal(18,2));
        CREATE TABLE p (id int IDENTITY PRIMARY KEY, number varchar(20), due date, amount decimal(18,2), kind varchar(5));
        INSERT INTO a VALUES ('FRH1', 113, 100.50), ('FRH2', 117, 9.99), ('FRU1', 205, 1000), ('FRU2', 205, NULL);
        INSERT INTO p (number, due, amount, kind) VALUES
            ('FRH1', '2026-03-01', 10, 'Pay'), ('FRH1', '2026-03-01', 1.50, 'Fee'), ('FRH1', '2026-04-01', 10, 'Pay'),
            ('frh2 ', '2026-03-05', 20, 'Pay'), ('FRU1', '2026-03-09', 30, 'Pay'), ('NONE', '2026-03-09', 5, 'Pay');
    ");
    server
}

#[test]
fn joins_of_every_kind() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT a.number, SUM(p.amount) FROM a JOIN p ON p.number = a.number GROUP BY a.number ORDER BY 1"),
        ["FRH1|21.50", "FRH2|20.00", "FRU1|30.00"]
    );
    assert_eq!(
        s.rows("SELECT a.number, p.id FROM a LEFT OUTER JOIN p ON p.number = a.number AND p.kind = 'Fee' ORDER BY a.number"),
        ["FRH1|2", "FRH2|NULL", "FRU1|NULL", "FRU2|NULL"]
    );
    assert_eq!(s.rows("SELECT p.number FROM a RIGHT JOIN p ON p.number = a.number WHERE a.number IS NULL"), ["NONE"]);
    assert_eq!(s.rows("SELECT COALESCE(a.number, p.number) n FROM a FULL JOIN p ON p.number = a.number AND p.kind = 'Pay' WHERE a.number IS NULL OR p.id IS NULL ORDER BY n"), ["FRH1", "FRU2", "NONE"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM a CROSS JOIN p"), ["24"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM a, p WHERE a.number = p.number AND a.type > 113"), ["2"]);
    assert_eq!(s.rows("SELECT x.n FROM (SELECT number n, balance FROM a WHERE balance > 50) x JOIN p WITH (NOLOCK) ON p.number = x.n WHERE p.kind = 'Fee'"), ["FRH1"]);
    assert_eq!(
        s.rows(
            "SELECT a.number FROM a INNER JOIN (p LEFT JOIN p q ON q.id = p.id + 1) ON p.number = a.number WHERE q.kind = 'Fee'"
        ),
        ["FRH1"]
    );
    assert_eq!(s.rows("SELECT b.number FROM a JOIN a AS b ON b.type = a.type AND b.number > a.number"), ["FRU2"]);
}

#[test]
fn apply_sees_the_row_on_its_left() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT a.number, v.x FROM a CROSS APPLY (VALUES (type), (type * 2)) AS v (x) WHERE a.number = 'FRH1' ORDER BY x"),
        ["FRH1|113", "FRH1|226"]
    );
    assert_eq!(s.rows("SELECT a.number, f.due FROM a OUTER APPLY (SELECT TOP (1) due FROM p WHERE p.number = a.number ORDER BY due DESC) f ORDER BY a.number"), ["FRH1|2026-04-01", "FRH2|2026-03-05", "FRU1|2026-03-09", "FRU2|NULL"]);
    assert_eq!(
        s.rows("SELECT a.number, v.value FROM a CROSS APPLY STRING_SPLIT(a.number, 'H') v WHERE type = 113 ORDER BY 2 DESC"),
        ["FRH1|FR", "FRH1|1"]
    );
}

#[test]
fn subqueries_of_every_kind() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT number, (SELECT SUM(amount) FROM p WHERE p.number = a.number) FROM a ORDER BY number"),
        ["FRH1|21.50", "FRH2|20.00", "FRU1|30.00", "FRU2|NULL"]
    );
    assert_eq!(
        s.rows("SELECT number FROM a WHERE EXISTS (SELECT * FROM p WHERE p.number = a.number AND p.amount > 15) ORDER BY 1"),
        ["FRH2", "FRU1"]
    );
    assert_eq!(s.rows("SELECT number FROM a WHERE number NOT IN (SELECT number FROM p) ORDER BY 1"), ["FRU2"]);
    assert_eq!(s.rows("SELECT number FROM a WHERE balance >= ALL (SELECT balance FROM a WHERE balance IS NOT NULL)"), ["FRU1"]);
    assert_eq!(
        s.rows("SELECT number FROM a WHERE type = ANY (SELECT type FROM a b WHERE b.number <> a.number) ORDER BY 1"),
        ["FRU1", "FRU2"]
    );
    assert_eq!(s.fails("SELECT (SELECT id FROM p)"), 512);
    assert_eq!(s.rows("SELECT a.number FROM a WHERE (SELECT COUNT(*) FROM p WHERE p.number = a.number AND EXISTS (SELECT 1 FROM p q WHERE q.number = a.number AND q.kind = 'Fee')) = 3"), ["FRH1"]);
}

#[test]
fn grouping_and_having() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT kind, COUNT(*) c, COUNT(DISTINCT number), MIN(due) FROM p GROUP BY kind HAVING COUNT(*) > 1"),
        ["Pay|5|4|2026-03-01"]
    );
    assert_eq!(
        s.rows("SELECT YEAR(due) * 100 + MONTH(due), SUM(amount) FROM p GROUP BY YEAR(due) * 100 + MONTH(due) ORDER BY 1"),
        ["202603|66.50", "202604|10.00"]
    );
    assert_eq!(s.rows("SELECT COUNT(balance), COUNT(*), AVG(type), SUM(balance) FROM a WHERE 1 = 0"), ["0|0|NULL|NULL"]);
    assert_eq!(s.rows("SELECT type FROM a WHERE 1 = 0 GROUP BY type"), [""; 0]);
    assert_eq!(
        s.rows("SELECT STRING_AGG(number, ', ') WITHIN GROUP (ORDER BY number DESC) FROM a WHERE type = 205"),
        ["FRU2, FRU1"]
    );
    assert_eq!(s.rows("SELECT CASE WHEN SUM(amount) > 60 THEN 'much' ELSE 'little' END FROM p"), ["much"]);
    assert_eq!(
        s.rows("SELECT LEFT(number, 3) k, MAX(balance) FROM a GROUP BY LEFT(number, 3) ORDER BY MAX(balance)"),
        ["FRH|100.50", "FRU|1000.00"]
    );
}

#[test]
fn windows_number_and_sum() {
    let mut s = book();
    assert_eq!(s.rows("SELECT number, due, ROW_NUMBER() OVER (PARTITION BY number ORDER BY due DESC, id) FROM p WHERE number = 'FRH1' ORDER BY 3"), ["FRH1|2026-04-01|1", "FRH1|2026-03-01|2", "FRH1|2026-03-01|3"]);
    assert_eq!(s.rows("SELECT id, SUM(amount) OVER (ORDER BY id), RANK() OVER (ORDER BY amount), DENSE_RANK() OVER (ORDER BY amount) FROM p WHERE number = 'FRH1' ORDER BY id"), ["1|10.00|2|2", "2|11.50|1|1", "3|21.50|2|2"]);
    assert_eq!(
        s.rows("SELECT id, LAG(amount) OVER (ORDER BY id), LEAD(amount, 1, 0) OVER (ORDER BY id) FROM p WHERE id < 3"),
        ["1|NULL|1.50", "2|10.00|0.00"]
    );
    assert_eq!(s.rows("SELECT number, COUNT(*) OVER () FROM a WHERE type = 205 ORDER BY number"), ["FRU1|2", "FRU2|2"]);
    assert_eq!(
        s.rows("SELECT n FROM (SELECT number n, ROW_NUMBER() OVER (ORDER BY balance DESC) r FROM a) x WHERE r = 1"),
        ["FRU1"]
    );
    assert_eq!(s.rows("SELECT NTILE(2) OVER (ORDER BY number) FROM a"), ["1", "1", "2", "2"]);
}

#[test]
fn unions_ordering_and_paging() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT number FROM a UNION SELECT number FROM p ORDER BY number DESC"),
        ["NONE", "FRU2", "FRU1", "FRH2", "FRH1"]
    );
    assert_eq!(s.rows("SELECT 1 AS x UNION ALL SELECT 2.5 UNION ALL SELECT 1"), ["1.0", "2.5", "1.0"]);
    assert_eq!(s.rows("SELECT number FROM p EXCEPT SELECT number FROM a"), ["NONE"]);
    assert_eq!(s.rows("SELECT number FROM a INTERSECT SELECT number FROM p WHERE kind = 'Fee'"), ["FRH1"]);
    assert_eq!(s.rows("SELECT id FROM p ORDER BY id OFFSET 2 ROWS FETCH NEXT 2 ROWS ONLY"), ["3", "4"]);
    assert_eq!(s.rows("SELECT TOP 50 PERCENT id FROM p ORDER BY id"), ["1", "2", "3"]);
    assert_eq!(
        s.rows("SELECT TOP 1 WITH TIES kind, amount FROM p WHERE number = 'FRH1' ORDER BY amount DESC"),
        ["Pay|10.00", "Pay|10.00"]
    );
    assert_eq!(s.rows("SELECT DISTINCT kind FROM p ORDER BY kind"), ["Fee", "Pay"]);
    assert_eq!(s.rows("DECLARE @n int = 2; SELECT TOP (@n) number AS n FROM a ORDER BY n"), ["FRH1", "FRH2"]);
    assert_eq!(s.rows("SELECT balance FROM a ORDER BY balance"), ["NULL", "9.99", "100.50", "1000.00"]);
    assert_eq!(s.rows("SELECT total = SUM(amount), 'text' [a name] FROM p"), ["76.50|text"]);
}

#[test]
fn common_table_expressions_plain_chained_and_recursive() {
    let mut s = book();
    assert_eq!(s.rows("WITH due AS (SELECT number, SUM(amount) total FROM p GROUP BY number), big AS (SELECT * FROM due WHERE total > 20) SELECT number FROM big ORDER BY 1"), ["FRH1", "FRU1"]);
    assert_eq!(s.rows(";WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT SUM(i), COUNT(*) FROM n OPTION (MAXRECURSION 0)"), ["15|5"]);
    assert_eq!(s.rows("WITH m AS (SELECT CAST('2026-01-31' AS date) d UNION ALL SELECT DATEADD(day, 1, d) FROM m WHERE d < '2026-02-02') SELECT d FROM m"), ["2026-01-31", "2026-02-01", "2026-02-02"]);
    assert_eq!(s.rows("SELECT value FROM GENERATE_SERIES(1, 3)"), ["1", "2", "3"]);
}

#[test]
fn views_are_queries() {
    let mut s = book();
    s.ok("CREATE VIEW dbo.v (n, total) AS SELECT number, SUM(amount) FROM dbo.p GROUP BY number\nGO\nSELECT 1");
    assert_eq!(s.rows("SELECT v.total FROM dbo.v WHERE n = 'FRU1'"), ["30.00"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM Test.dbo.v x JOIN Test..a ON a.number = x.n"), ["3"]);
    s.ok("DROP VIEW IF EXISTS dbo.v");
    assert_eq!(s.fails("SELECT * FROM dbo.v"), 208);
}

#[test]
fn names_that_mean_nothing_are_errors() {
    let mut s = book();
    for (sql, number) in [
        ("SELECT nothing FROM a", 207),
        ("SELECT x.number FROM a", 4104),
        ("SELECT number FROM a JOIN p ON a.number = p.number", 209),
        ("SELECT * FROM nowhere", 208),
        ("SELECT @none", 137),
        ("SELECT a.number FROM a JOIN a ON 1 = 1", 1011),
        ("SELECT number, (SELECT id, due FROM p) FROM a", 116),
        ("SELECT 1, 2 UNION SELECT 1", 205),
        ("SELECT number FROM a ORDER BY 7", 108),
    ] {
        assert_eq!(s.fails(sql), number, "{sql}");
    }
}

#[test]
fn joins_over_many_rows_are_not_quadratic() {
    let mut s = Server::new();
    s.ok("CREATE TABLE big (id int PRIMARY KEY, k varchar(20));
          INSERT INTO big SELECT value, CONCAT('K', value) FROM GENERATE_SERIES(1, 20000);");
    assert_eq!(s.rows("SELECT COUNT(*) FROM big x JOIN big y ON y.k = x.k WHERE y.id > 10"), ["19990"]);
    assert_eq!(
        s.rows("SELECT COUNT(*) FROM big x WHERE EXISTS (SELECT 1 FROM big y WHERE y.k = x.k AND y.id <= 500) AND x.id <= 1000"),
        ["500"]
    );
    assert_eq!(s.rows("SELECT COUNT(*) FROM big WHERE k IN (SELECT k FROM big WHERE id % 2 = 0)"), ["10000"]);
}
