//! User-defined functions.

use crate::support::Server;

fn book() -> Server {
    let mut s = Server::new();
    s.ok("CREATE TABLE p (number varchar(20), due date, amount decimal(18,2));
          INSERT INTO p VALUES ('A', '2026-03-01', 10), ('A', '2026-03-31', 1.50), ('A', '2026-04-01', 20), ('B', '2026-03-05', 7);
GO
CREATE FUNCTION dbo.fn_FirstOfMonth (@d date = NULL)
RETURNS date
WITH SCHEMABINDING
AS
BEGIN
    RETURN DATEADD(month, DATEDIFF(month, 0, @d), 0);
END
GO
CREATE FUNCTION dbo.fn_Due (@number varchar(20), @d date) RETURNS decimal(18,2) AS
BEGIN
    DECLARE @sum decimal(18,2), @first date = dbo.fn_FirstOfMonth(@d)
    SELECT @sum = SUM(amount) FROM dbo.p WHERE number = @number AND due >= @first AND due < DATEADD(month, 1, @first)
    IF @sum IS NULL
        RETURN 0
    RETURN @sum
END
GO
CREATE FUNCTION dbo.tvf_Due (@number varchar(20)) RETURNS TABLE WITH SCHEMABINDING AS
RETURN (SELECT dbo.fn_FirstOfMonth(due) AS [month], SUM(amount) AS total FROM dbo.p WHERE number = @number GROUP BY dbo.fn_FirstOfMonth(due))
GO
CREATE FUNCTION dbo.tvf_Days (@from date, @to date)
RETURNS @days TABLE (n int IDENTITY(1,1) PRIMARY KEY, [day] date NOT NULL)
AS
BEGIN
    WHILE @from <= @to
    BEGIN
        INSERT INTO @days ([day]) VALUES (@from);
        SET @from = DATEADD(day, 1, @from);
    END;
    RETURN;
END");
    s
}

#[test]
fn scalar_functions_are_called_where_values_stand() {
    let mut s = book();
    assert_eq!(s.rows("SELECT dbo.fn_FirstOfMonth('2026-03-15'), Test.dbo.fn_Due('a', '2026-03-15')"), ["2026-03-01|11.50"]);
    assert_eq!(
        s.rows("SELECT number, dbo.fn_Due(number, MAX(due)) FROM p GROUP BY number ORDER BY dbo.fn_Due(number, MAX(due)) DESC"),
        ["A|20.00", "B|7.00"]
    );
    assert_eq!(
        s.rows("DECLARE @x decimal(18,2) = dbo.fn_Due('B', '2026-03-01') * 2; SELECT @x WHERE dbo.fn_Due('none', DEFAULT) = 0"),
        ["14.00"]
    );
    assert_eq!(s.rows("SELECT dbo.fn_FirstOfMonth(DEFAULT)"), ["NULL"]);
    assert_eq!(
        s.rows("UPDATE p SET amount = dbo.fn_Due(number, due) WHERE number = 'B'; SELECT amount FROM p WHERE number = 'B'"),
        ["7.00"]
    );
    assert_eq!(s.fails("SELECT dbo.fn_Due('A')"), 313);
    assert_eq!(s.fails("SELECT dbo.fn_Due('A', '2026-03-01', 1)"), 8144);
    assert_eq!(s.fails("SELECT dbo.fn_Due('A', 'soon')"), 241);
}

#[test]
fn table_functions_stand_in_from_and_see_the_row_on_their_left() {
    let mut s = book();
    assert_eq!(s.rows("SELECT * FROM dbo.tvf_Due('A') ORDER BY [month]"), ["2026-03-01|11.50", "2026-04-01|20.00"]);
    assert_eq!(
        s.rows("SELECT q.number, d.total FROM (SELECT DISTINCT number FROM p) q CROSS APPLY dbo.tvf_Due(q.number) AS d WHERE d.total < 15 ORDER BY 1"),
        ["A|11.50", "B|7.00"]
    );
    assert_eq!(s.rows("SELECT COUNT(*) FROM (VALUES ('A'), ('C')) v (n) OUTER APPLY dbo.tvf_Due(v.n) d"), ["3"]);
    assert_eq!(
        s.rows("DECLARE @last date = '2026-03-02'; SELECT n, [day] FROM dbo.tvf_Days('2026-02-28', @last) ORDER BY n"),
        ["1|2026-02-28", "2|2026-03-01", "3|2026-03-02"]
    );
    assert_eq!(s.rows("SELECT COUNT(*) FROM p JOIN dbo.tvf_Days('2026-03-01', '2026-03-31') d ON d.[day] = p.due"), ["3"]);
    assert_eq!(s.fails("SELECT * FROM dbo.fn_Due('A', '2026-03-01')"), 208);
}

#[test]
fn functions_stand_in_the_rules_of_tables() {
    let mut s = book();
    s.ok("CREATE TABLE t (d date CHECK (dbo.fn_FirstOfMonth(d) > '2026-01-01'), first AS dbo.fn_FirstOfMonth(d),
                          x date DEFAULT (dbo.fn_FirstOfMonth(GETDATE())));
          INSERT INTO t (d) VALUES ('2026-05-20')");
    assert_eq!(s.rows("SELECT * FROM t"), ["2026-05-20|2026-05-01|2026-03-01"]);
    assert_eq!(s.fails("INSERT INTO t (d) VALUES ('2025-12-31')"), 547);
}

#[test]
fn functions_may_call_themselves_up_to_a_depth() {
    let mut s = Server::new();
    s.ok("CREATE FUNCTION dbo.fact (@n int) RETURNS bigint AS BEGIN IF @n <= 1 RETURN 1; RETURN @n * dbo.fact(@n - 1) END");
    assert_eq!(s.value("dbo.fact(12)"), "479001600");
    assert_eq!(s.fails("SELECT dbo.fact(40)"), 217);
}

#[test]
fn a_strict_function_is_not_run_for_null() {
    let mut s = Server::new();
    s.ok("CREATE FUNCTION dbo.f (@a int, @b int) RETURNS int WITH RETURNS NULL ON NULL INPUT AS BEGIN RETURN 5 END");
    assert_eq!(s.rows("SELECT dbo.f(1, 2), dbo.f(1, NULL)"), ["5|NULL"]);
}

#[test]
fn functions_change_nothing_and_are_altered_and_dropped() {
    let mut s = book();
    for body in ["INSERT INTO dbo.p VALUES ('A', NULL, 1)", "SELECT 1", "EXEC sp_help", "PRINT 'x'", "CREATE TABLE t (a int)"] {
        let sql = format!("CREATE FUNCTION dbo.g () RETURNS int AS BEGIN {body}; RETURN 1 END");
        let errors = s.sentinel.parse("x.sql", &sql).unwrap_err();
        assert!(errors[0].message.contains("cannot change what is outside it"), "{}", errors[0]);
    }
    s.ok("ALTER FUNCTION dbo.fn_FirstOfMonth (@d date) RETURNS date AS BEGIN RETURN @d END");
    assert_eq!(s.value("dbo.fn_FirstOfMonth('2026-03-15')"), "2026-03-15");
    assert_eq!(
        s.rows("SELECT type FROM sys.objects WHERE name LIKE '%[_]%' AND type IN ('FN', 'IF', 'TF') ORDER BY name"),
        ["FN", "FN", "TF", "IF"]
    );
    assert_eq!(s.rows("SELECT ROUTINE_TYPE FROM INFORMATION_SCHEMA.ROUTINES WHERE ROUTINE_NAME = 'fn_Due'"), ["FUNCTION"]);
    s.ok(
        "IF OBJECT_ID('dbo.fn_Due', 'FN') IS NOT NULL DROP FUNCTION dbo.fn_Due; DROP FUNCTION IF EXISTS dbo.fn_Due, dbo.tvf_Days",
    );
    assert_eq!(s.fails("DROP FUNCTION dbo.fn_Due"), 3701);
    let errors = s.sentinel.parse("x.sql", "PRINT 1\nSELECT 1 AS a,\n  dbo.fn_Due('A', 1)").unwrap_err();
    assert_eq!((errors.len(), errors[0].line), (1, 3));
    assert!(errors[0].message.contains("no function fn_Due") && errors[0].statement.starts_with("SELECT 1"), "{}", errors[0]);
}
