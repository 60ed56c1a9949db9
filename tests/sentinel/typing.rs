use crate::support::{Server, values};

#[test]
fn arithmetic_has_sql_servers_types() {
    let mut server = Server::new();
    for (expression, expected) in [
        ("7 / 2", "int 3"),
        ("-7 / 2", "int -3"),
        ("-7 % 2", "int -1"),
        ("7 / 2.0", "decimal(8,6) 3.500000"),
        ("2.0 / 3", "decimal(7,6) 0.666666"),
        ("1.10 + 2.205", "decimal(5,3) 3.305"),
        ("0.1 + 0.2", "decimal(2,1) 0.3"),
        ("1.5 * 2.25", "decimal(6,3) 3.375"),
        ("2147483648 - 1", "decimal(11,0) 2147483647"),
        ("CAST(1 AS bigint) + 1", "bigint 2"),
        ("CAST(1 AS money) / 3", "money 0.3333"),
        ("CAST(10 AS money) * 2", "money 20.0000"),
        ("CAST(2.5 AS money) * CAST(1.5 AS decimal(3,1))", "decimal(23,5) 3.75000"),
        ("1e0 / 4", "float 0.25"),
        ("'5' + 3", "int 8"),
        ("'5' + '3'", "varchar(2) 53"),
        ("N'a' + 'b'", "nvarchar(2) ab"),
        ("'1.5' + 1.25", "decimal(4,2) 2.75"),
        ("NULL + 1", "int NULL"),
        ("6 & 3 | 8 ^ 1", "int 11"),
        ("~5", "int -6"),
        ("-(-3)", "int 3"),
        ("2 + 3 * 4 - 10 / 5", "int 12"),
        ("(2 + 3) * 4", "int 20"),
        ("CAST(GETDATE() AS date)", "date 2026-03-15"),
    ] {
        assert_eq!(server.typed(expression), expected, "{expression}");
    }
}

#[test]
fn datetimes_take_days_and_dates_refuse_them() {
    values(&[
        ("CAST('2026-03-15' AS datetime) + 1", "2026-03-16 00:00:00"),
        ("CAST('2026-03-15' AS datetime) - 0.5", "2026-03-14 12:00:00"),
        ("CAST(0 AS datetime)", "1900-01-01 00:00:00"),
        ("CAST('2026-03-15' AS datetime) + CAST('09:30' AS datetime)", "2026-03-15 09:30:00"),
    ]);
    assert_eq!(Server::new().fails("SELECT CAST('2026-03-15' AS date) + 1"), 206);
    assert_eq!(Server::new().fails("SELECT 1 WHERE CAST('2026-03-15' AS date) > 5"), 206);
}

#[test]
fn conversions_have_styles() {
    values(&[
        ("CONVERT(varchar(10), CAST('2026-03-05' AS date), 103)", "05/03/2026"),
        ("CONVERT(varchar(8), CAST('2026-03-05' AS date), 112)", "20260305"),
        ("CONVERT(char(10), CAST('2026-03-05T10:11:12' AS datetime), 126)", "2026-03-05"),
        ("CONVERT(varchar(23), CAST('2026-03-05T10:11:12.123' AS datetime), 121)", "2026-03-05 10:11:12.123"),
        ("CONVERT(varchar, CAST('2026-03-05' AS date))", "2026-03-05"),
        ("CONVERT(varchar(30), CAST('2026-03-05T14:05:00' AS datetime))", "Mar  5 2026  2:05PM"),
        ("CONVERT(date, '05/03/2026', 103)", "2026-03-05"),
        ("CONVERT(date, '05/03/2026', 101)", "2026-05-03"),
        ("CAST('15 March 2026' AS date)", "2026-03-15"),
        ("CAST('20260315 10:00' AS datetime)", "2026-03-15 10:00:00"),
        ("CAST('2026-03-15T10:00:00.1234567' AS datetime2)", "2026-03-15 10:00:00.123456700"),
        ("CAST(CAST('2026-03-15T10:00:00' AS datetime) AS time)", "10:00:00"),
        ("CAST(12.5678 AS decimal(6,2))", "12.57"),
        ("CAST(12.99 AS int)", "12"),
        ("CAST('12' AS int) + 1", "13"),
        ("CAST(1234.5 AS money)", "1234.5000"),
        ("CAST(CAST(1234.565 AS money) AS varchar(20))", "1234.57"),
        ("CONVERT(varchar(20), CAST(1234567.891 AS money), 1)", "1,234,567.89"),
        ("CAST(1 AS bit)", "1"),
        ("CAST('true' AS bit)", "1"),
        ("CAST(0.1 AS float)", "0.1"),
        ("CAST('abcdef' AS varchar(3))", "abc"),
        ("CAST('a' AS char(3)) + '|'", "a  |"),
        ("CAST('x' AS varchar(1))", "x"),
        ("TRY_CAST('abc' AS int)", "NULL"),
        ("TRY_CONVERT(date, '2026-02-30')", "NULL"),
        ("TRY_CAST('12.5' AS decimal(4,1))", "12.5"),
        ("CONVERT(varchar(10), 0x1F, 1)", "0x1F"),
    ]);
}

#[test]
fn what_does_not_convert_is_an_error_with_its_number() {
    let mut server = Server::new();
    for (sql, number) in [
        ("SELECT CAST('abc' AS int)", 245),
        ("SELECT CAST('12.5' AS int)", 245),
        ("SELECT CAST('abc' AS decimal(5,2))", 8114),
        ("SELECT CAST('2026-13-01' AS date)", 241),
        ("SELECT CAST(1000 AS decimal(5,2))", 8115),
        ("SELECT CAST(300 AS tinyint)", 8115),
        ("SELECT 2147483647 + 1", 8115),
        ("SELECT 1 / 0", 8134),
        ("SELECT 1.0 % 0", 8134),
        ("SELECT 'a' - 1.5", 8114),
        ("SELECT 'a' * 2", 245),
        ("SELECT CONVERT(varchar(20), GETDATE(), 999)", 281),
        ("SELECT CAST('x' AS uniqueidentifier)", 8169),
    ] {
        assert_eq!(server.fails(sql), number, "{sql}");
    }
}

#[test]
fn text_compares_without_case_and_trailing_blanks() {
    values(&[
        ("CASE WHEN 'abc' = 'ABC  ' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 'abc' <> 'abd' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 'b' > 'A' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN '10' = 10 THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 1.50 = 1.5 THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN '2026-03-15' = CAST('2026-03-15' AS date) THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 5 BETWEEN 1 AND 5 AND 6 NOT BETWEEN 1 AND 5 THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 'x' IN ('a', 'X') AND 3 NOT IN (1, 2) THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 3 NOT IN (1, NULL) THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN NOT (1 = 1 OR NULL = 1) THEN 1 ELSE 0 END", "0"),
    ]);
}

#[test]
fn sums_of_money_are_exact() {
    let mut server = Server::new();
    server.ok("CREATE TABLE m (a decimal(18,2), b money); ");
    server.ok("DECLARE @i int = 0; WHILE @i < 1000 BEGIN INSERT INTO m VALUES (0.1, 0.0001); SET @i += 1 END");
    assert_eq!(
        server.rows("SELECT SUM(a), SUM(b), AVG(a), MIN(a), MAX(a), COUNT(*) FROM m"),
        ["100.00|0.1000|0.100000|0.10|0.10|1000"]
    );
    assert_eq!(server.rows("SELECT SUM(a * 1.175) FROM m"), ["117.50000"]);
    server.ok("INSERT INTO m VALUES (9.5, 1), (10, 2), (-1, 3)");
    assert_eq!(server.rows("SELECT TOP 3 a FROM m ORDER BY a DESC"), ["10.00", "9.50", "0.10"]);
    assert_eq!(server.rows("SELECT MAX(a), MIN(a) FROM m WHERE a > 9 OR a = -1.000"), ["10.00|-1.00"]);
    assert_eq!(server.rows("SELECT COUNT(*) FROM m WHERE a = 9.50"), ["1"]);
}
