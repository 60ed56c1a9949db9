use crate::support::Server;
use tidewaiter::io::sentinel::ScriptError;

fn refused(sql: &str) -> Vec<ScriptError> {
    Server::new().sentinel.parse("event.sql", sql).expect_err(sql)
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let errors = refused(
        "PRINT 'fine'\nGO\nSELECT FROM t\nPRINT 'fine'\nCREATE TRIGGER x ON t INSTEAD OF INSERT AS PRINT 1\nGO\nSELECT GETDATES()\nIF 1 = 1\nBEGIN\n  SELECT JSON_MODIFY('{}', '$.a', 1)\n  PRINT 'x'\n  SELECT * FROM a TABLESAMPLE (5 ROWS)\nEND\n",
    );
    let lines: Vec<u32> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 5, 7, 10, 12], "{errors:#?}");
    assert_eq!(errors[2].hint.as_deref(), Some("did you mean GETDATE?"));
    assert!(errors[1].message.contains("INSTEAD OF trigger"), "{}", errors[1]);
    assert!(errors.iter().all(|error| error.file == "event.sql" && !error.statement.is_empty()));
}

#[test]
fn an_error_prints_file_line_statement_and_hint() {
    let error = &refused("\nSELECT DATEADD(fortnight, 1, GETDATE())")[0];
    let text = error.to_string();
    assert!(text.starts_with("event.sql:2: 'fortnight' is not a part of a date"), "{text}");
    assert!(text.contains("\n  statement: SELECT DATEADD(fortnight"), "{text}");
    assert!(text.contains("\n  hint: year, quarter"), "{text}");
    let mut s = Server::new();
    let text = s.error("CREATE TABLE t (id int)\n\nINSERT INTO t\n  VALUES ('x')").to_string();
    assert_eq!(
        text,
        "test.sql:3: Conversion failed when converting the varchar value 'x' to data type int. (error 245)\n  statement: INSERT INTO t VALUES ('x')\n  hint: column id of dbo.t is int"
    );
}

#[test]
fn what_is_not_supported_says_what_helps() {
    for sql in [
        "GOTO done",
        "SET SHOWPLAN_ALL ON",
        "!! dir",
        "CREATE TRIGGER x ON t INSTEAD OF INSERT AS PRINT 1",
        "CREATE TRIGGER x ON DATABASE FOR DROP_TABLE AS PRINT 1",
        "SELECT dbo.f(1)",
        "SELECT 1 FOR XML AUTO",
        "SELECT * FROM OPENROWSET(BULK 'x', SINGLE_CLOB) t",
        "SELECT a FROM t GROUP BY ROLLUP (a)",
        "EXEC sp_who_knows",
        "RESTORE DATABASE x FROM DISK = 'y'",
        "SET IMPLICIT_TRANSACTIONS ON",
        "SELECT * FROM srv.db.dbo.t",
        ":r other.sql",
        "SELECT $(missing)",
        "BULK INSERT t FROM 'x'",
        "UPDATE t SET a = 1 WHERE CURRENT OF c",
    ] {
        let errors = refused(sql);
        assert!(errors[0].hint.is_some(), "{sql}: {}", errors[0]);
    }
}

#[test]
fn nothing_of_a_script_that_is_refused_has_run() {
    let mut s = Server::new();
    assert!(s.sentinel.parse("x.sql", "CREATE TABLE t (id int)\nGO\nSELEC 1").is_err());
    assert_eq!(s.fails("SELECT * FROM t"), 208);
}

#[test]
fn an_object_of_another_database_is_found_for_the_hint() {
    let mut s = Server::new();
    s.ok("CREATE DATABASE Other; CREATE TABLE Other.dbo.thing (id int)");
    let error = s.error("USE Test; SELECT * FROM thing");
    assert!(error.hint.unwrap().contains("USE Other"));
}

#[test]
fn no_text_panics_the_parser() {
    let pieces = [
        "SELECT",
        "'",
        "\"",
        "[",
        "]",
        "(",
        ")",
        "/*",
        "*/",
        "--",
        "\n",
        "GO\n",
        "@",
        "@@",
        "#",
        "0x",
        "0xZ",
        "1e",
        ".",
        "..",
        ",",
        ";",
        "N'",
        "é🏦",
        "CASE",
        "WHEN",
        "BEGIN",
        "END",
        "IF",
        "INSERT INTO t VALUES",
        "CREATE TABLE t (a int",
        "$(",
        "$",
        ":",
        ":setvar a",
        "=",
        "<",
        ">",
        "!",
        "1",
        "FROM",
        "WITH",
        "TRY",
        "EXEC",
        "DECLARE @a",
        "TOP",
        "OVER (",
        "IN (",
        "LIKE",
        "BETWEEN",
        "99999999999999999999999999999999999999999999",
        "CAST(1 AS",
        "decimal(99,99)",
    ];
    let server = Server::new();
    let mut state = 7u64;
    let mut next = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % most
    };
    for _ in 0..3000 {
        let text: Vec<&str> = (0..next(14)).map(|_| pieces[next(pieces.len())]).collect();
        let separator = [" ", "", "\n"][next(3)];
        let _ = server.sentinel.parse("fuzz.sql", &text.join(separator));
    }
}

#[test]
fn no_statement_panics_the_server() {
    let pieces = [
        "SELECT",
        "1",
        "NULL",
        "'x'",
        "a",
        "t",
        "t.a",
        "FROM t",
        "WHERE",
        "=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "(",
        ")",
        ",",
        "CASE WHEN",
        "THEN",
        "END",
        "SUM(",
        "COUNT(*)",
        "GETDATE()",
        "CAST('x' AS int)",
        "2.5",
        "INSERT INTO t VALUES (",
        "UPDATE t SET a =",
        "DELETE FROM t",
        "ORDER BY",
        "GROUP BY",
        "HAVING",
        "TOP 1",
        "UNION ALL",
        "JOIN t u ON",
        "EXISTS (SELECT 1)",
        "IN (SELECT a FROM t)",
        "LEFT('abc', -1)",
        "DATEADD(day, 99999999, GETDATE())",
        "REPLICATE('x', 9)",
        "SUBSTRING('abc', -5, 99)",
        "ROW_NUMBER() OVER (ORDER BY a)",
        "-2147483648",
        "0x00",
        "DECLARE @v int =",
        "@v",
        "PRINT",
        "IS NULL",
        "LIKE '%['",
    ];
    let mut server = Server::new();
    server.ok("CREATE TABLE t (a int, b varchar(5), c decimal(5,2)); INSERT INTO t VALUES (1, 'x', 1.5), (NULL, NULL, NULL)");
    let mut state = 11u64;
    let mut next = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % most
    };
    let mut understood = 0;
    for _ in 0..20_000 {
        let text: Vec<&str> = (0..=next(9)).map(|_| pieces[next(pieces.len())]).collect();
        if let Ok(script) = server.sentinel.parse("fuzz.sql", &text.join(" ")) {
            understood += 1;
            let _ = server.sentinel.run(&script, &mut server.seen);
        }
    }
    assert!(understood > 100, "{understood}");
}

#[test]
fn deep_nesting_is_refused_and_long_chains_are_not() {
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(refused(&deep)[0].message.contains("levels of nesting"));
    let blocks = format!("{} PRINT 1 {}", "BEGIN ".repeat(500), "END ".repeat(500));
    assert!(refused(&blocks)[0].message.contains("levels of nesting"));
    let many = vec!["1 = 2"; 3000].join(" OR ");
    Server::new().ok(&format!("IF {many} PRINT 'x'"));
    let sum = vec!["1"; 100].join(" + ");
    assert_eq!(Server::new().value(&sum), "100");
    let mut nested = "1".to_owned();
    for _ in 0..45 {
        nested = format!("({nested} {})", "+ 0 ".repeat(100));
    }
    assert_eq!(Server::new().value(&nested), "1");
    assert!(refused(&format!("SELECT {}", vec!["1"; 5000].join("+")))[0].message.contains("in a row"));
}
