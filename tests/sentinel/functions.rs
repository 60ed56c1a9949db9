use crate::support::{Server, values};

#[test]
fn dates_move_by_every_part_and_stop_at_month_ends() {
    values(&[
        ("DATEADD(month, 1, CAST('2026-01-31' AS date))", "2026-02-28"),
        ("DATEADD(mm, -1, CAST('2024-03-31' AS date))", "2024-02-29"),
        ("DATEADD(year, 1, CAST('2024-02-29' AS date))", "2025-02-28"),
        ("DATEADD(quarter, 1, CAST('2026-11-30' AS date))", "2027-02-28"),
        ("DATEADD(day, -15, CAST('2026-03-15' AS date))", "2026-02-28"),
        ("DATEADD(week, 2, CAST('2026-03-15' AS date))", "2026-03-29"),
        ("DATEADD(hour, 25, CAST('2026-03-15T09:00:00' AS datetime))", "2026-03-16 10:00:00"),
        ("DATEADD(ms, 5, CAST('2026-03-15T09:00:00' AS datetime))", "2026-03-15 09:00:00.007"),
        ("DATEADD(second, 5, CAST('2026-03-15T09:00:00' AS datetime2(3)))", "2026-03-15 09:00:05"),
        ("DATEADD(d, 1, '20260315')", "2026-03-16 00:00:00"),
        ("DATEADD(month, NULL, GETDATE())", "NULL"),
    ]);
}

#[test]
fn date_differences_count_boundaries() {
    values(&[
        ("DATEDIFF(year, '2025-12-31', '2026-01-01')", "1"),
        ("DATEDIFF(month, '2026-01-31', '2026-02-01')", "1"),
        ("DATEDIFF(month, '2026-03-01', '2026-01-31')", "-2"),
        ("DATEDIFF(day, '2026-03-14T23:59:59', '2026-03-15T00:00:00')", "1"),
        ("DATEDIFF(week, '2026-03-14', '2026-03-15')", "1"),
        ("DATEDIFF(week, '2026-03-15', '2026-03-21')", "0"),
        ("DATEDIFF(hour, '2026-03-15T08:59', '2026-03-15T09:00')", "1"),
        ("DATEDIFF(minute, '09:00', '10:30')", "90"),
        ("DATEDIFF(quarter, '2026-03-31', '2026-04-01')", "1"),
        ("DATEDIFF_BIG(millisecond, '2026-01-01', '2026-03-15')", "6307200000"),
    ]);
    assert_eq!(Server::new().fails("SELECT DATEDIFF(ms, '2000-01-01', '2026-01-01')"), 535);
}

#[test]
fn dates_are_taken_apart_and_put_together() {
    values(&[
        ("YEAR('2026-03-15')", "2026"),
        ("MONTH(CAST('2026-03-15' AS date)) * 100 + DAY('2026-03-15')", "315"),
        ("DATEPART(weekday, '2026-03-15')", "1"),
        ("DATEPART(week, '2026-03-15')", "12"),
        ("DATEPART(iso_week, '2026-03-15')", "11"),
        ("DATEPART(dayofyear, '2026-03-15')", "74"),
        (
            "DATENAME(month, '2026-03-15') + ' ' + DATENAME(weekday, '2026-03-15') + ' ' + DATENAME(year, '2026-03-15')",
            "March Sunday 2026",
        ),
        ("DATEFROMPARTS(2024, 2, 29)", "2024-02-29"),
        ("DATETIMEFROMPARTS(2026, 3, 15, 9, 30, 15, 123)", "2026-03-15 09:30:15.123"),
        ("EOMONTH('2026-02-10')", "2026-02-28"),
        ("EOMONTH('2026-01-31', 1)", "2026-02-28"),
        ("EOMONTH('2026-03-15', -1)", "2026-02-28"),
        ("DATETRUNC(month, CAST('2026-03-15' AS date))", "2026-03-01"),
        ("ISDATE('2026-02-30')", "0"),
        ("ISDATE('20260228')", "1"),
    ]);
    assert_eq!(Server::new().fails("SELECT DATEFROMPARTS(2026, 2, 29)"), 289);
}

#[test]
fn the_clock_is_the_replays() {
    let mut server = Server::bare();
    assert_eq!(
        server.rows("SELECT CAST(GETDATE() AS date), CAST(SYSDATETIME() AS date), YEAR(CURRENT_TIMESTAMP)"),
        ["2026-03-15|2026-03-15|2026"]
    );
    let same = "SELECT CASE WHEN GETDATE() = GETUTCDATE() THEN 'same' END";
    assert_eq!(server.rows(same), ["same"]);
    assert_eq!(
        server.rows("DECLARE @a datetime = GETDATE(); DECLARE @b datetime = GETDATE(); SELECT DATEDIFF(ms, @a, @b)"),
        ["10"]
    );
    server.ok("WAITFOR DELAY '00:01:30'");
    assert_eq!(server.seen.delayed, 90_000);
    assert_eq!(server.value("DATEPART(minute, GETDATE())"), "1");
    server.ok("WAITFOR TIME '08:00'");
    assert_eq!(server.value("CONVERT(varchar(16), GETDATE(), 120)"), "2026-03-16 08:00");
}

#[test]
fn text_functions_work_as_documented() {
    values(&[
        ("LEN('abc  ')", "3"),
        ("DATALENGTH('abc  ')", "5"),
        ("DATALENGTH(N'abc')", "6"),
        ("LEFT('FRH0000291', 3) + RIGHT('FRH0000291', 4)", "FRH0291"),
        ("SUBSTRING('abcdef', 2, 3)", "bcd"),
        ("SUBSTRING('abcdef', 0, 3)", "ab"),
        ("UPPER('äb') + LOWER('CD')", "ÄBcd"),
        ("LTRIM('  a') + RTRIM('b  ') + TRIM('  c ') + '|'", "abc|"),
        ("REPLACE('aXbxc', 'x', '-')", "a-b-c"),
        ("REPLICATE('0', 3) + SPACE(2) + '|'", "000  |"),
        ("STUFF('abcdef', 2, 3, 'XY')", "aXYef"),
        ("CHARINDEX('B', 'abcb')", "2"),
        ("CHARINDEX('b', 'abcb', 3)", "4"),
        ("PATINDEX('%[0-9]%', 'FRH0000291')", "4"),
        ("REVERSE('abc')", "cba"),
        ("STR(123.456, 8, 2)", "  123.46"),
        ("STR(12345, 3)", "***"),
        ("CHAR(65) + NCHAR(228)", "Aä"),
        ("ASCII('A')", "65"),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("CONCAT('a', NULL, 1, CAST(2.50 AS decimal(5,2)))", "a12.50"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("TRANSLATE('2*[3+4]', '[]', '()')", "2*(3+4)"),
        ("RIGHT('00000000' + RIGHT('FRH0000291', 4), 8)", "00000291"),
        ("FORMAT(1234567.891, 'N2')", "1,234,567.89"),
        ("FORMAT(CAST('2026-03-05' AS date), 'dd/MM/yyyy')", "05/03/2026"),
        ("FORMAT(7, 'FRH0000000')", "FRH0000007"),
        ("LEN(NULL)", "NULL"),
    ]);
}

#[test]
fn number_functions_keep_exact_types() {
    values(&[
        ("ROUND(2.345, 2)", "2.350"),
        ("ROUND(-2.345, 2)", "-2.350"),
        ("ROUND(CAST(2.345 AS decimal(9,3)), 2, 1)", "2.340"),
        ("ROUND(1250, -2)", "1300"),
        ("ROUND(748.58, -1)", "750.00"),
        ("ABS(-1.5)", "1.5"),
        ("CEILING(1.2) + FLOOR(-1.2)", "0"),
        ("SIGN(-3)", "-1"),
        ("POWER(2, 10)", "1024"),
        ("POWER(1.01, 2)", "1.02"),
        ("SQRT(16)", "4"),
        ("10 % 3", "1"),
        ("ISNUMERIC('12.5') + ISNUMERIC('abc')", "1"),
    ]);
}

#[test]
fn random_values_repeat_from_run_to_run() {
    let pick = |sql: &str| Server::new().value(sql);
    assert_eq!(pick("NEWID()"), pick("NEWID()"));
    assert_eq!(pick("RAND(7)"), pick("RAND(7)"));
    let mut server = Server::new();
    assert_ne!(server.value("NEWID()"), server.value("NEWID()"));
    let small: i32 = server.value("ABS(CHECKSUM(NEWID())) % 10").parse().unwrap();
    assert!((0..10).contains(&small));
    assert_eq!(server.value("LEN(CONVERT(varchar(36), NEWID()))"), "36");
}

#[test]
fn conditional_functions_take_the_right_type() {
    values(&[
        ("IIF(1 = 1, 'yes', 'no')", "yes"),
        ("ISNULL(NULL, 'x')", "x"),
        ("COALESCE(NULL, NULL, 3)", "3"),
        ("NULLIF(5, 5)", "NULL"),
        ("NULLIF('a ', 'A')", "NULL"),
        ("CHOOSE(2, 'a', 'b')", "b"),
        ("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two"),
        ("CASE WHEN 1 = 2 THEN 1 ELSE 2.5 END / 2", "1.250000"),
        ("CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END / 2", "0.500000"),
        ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN 'a' LIKE '[a-c]' AND 'abc ' = 'ABC' THEN 1 END", "1"),
    ]);
}

#[test]
fn the_server_knows_itself() {
    let mut server = Server::new();
    server.ok("USE Test; CREATE TABLE dbo.Thing (id int IDENTITY(5,5) PRIMARY KEY, name varchar(20))");
    for (expression, expected) in [
        ("DB_NAME()", "Test"),
        ("CASE WHEN DB_ID('test') IS NOT NULL THEN 1 END", "1"),
        ("DB_ID('nothing')", "NULL"),
        ("OBJECT_NAME(OBJECT_ID('dbo.Thing'))", "Thing"),
        ("CASE WHEN OBJECT_ID(N'[dbo].[Thing]', N'U') IS NOT NULL THEN 1 END", "1"),
        ("OBJECT_ID('dbo.Thing', 'V')", "NULL"),
        ("COL_LENGTH('dbo.Thing', 'name')", "20"),
        ("COL_LENGTH('dbo.Thing', 'other')", "NULL"),
        ("SCHEMA_NAME(SCHEMA_ID('dbo'))", "dbo"),
        ("OBJECTPROPERTY(OBJECT_ID('Thing'), 'IsUserTable')", "1"),
        ("IDENT_CURRENT('Thing')", "5"),
        ("SUSER_SNAME()", "sa"),
        ("@@TRANCOUNT", "0"),
    ] {
        assert_eq!(server.value(expression), expected, "{expression}");
    }
    assert_eq!(server.rows("SELECT name FROM sys.tables"), ["Thing"]);
    assert_eq!(
        server.rows("SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'thing'"),
        ["id|int|NO", "name|varchar|YES"]
    );
    assert_eq!(
        server.rows(
            "SELECT COUNT(*) FROM sys.columns c JOIN sys.types ty ON ty.user_type_id = c.user_type_id WHERE ty.name = 'varchar'"
        ),
        ["1"]
    );
    assert_eq!(server.rows("SELECT is_primary_key FROM sys.indexes WHERE object_id = OBJECT_ID('Thing')"), ["1"]);
}
