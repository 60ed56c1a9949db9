//! PIVOT and UNPIVOT, JSON, XML, and values in the forms of other countries and zones.

use crate::support::{Server, values};

fn book() -> Server {
    let mut s = Server::new();
    s.ok("CREATE TABLE p (number varchar(20), kind varchar(5), amount decimal(18,2), note varchar(20));
          INSERT INTO p VALUES ('A', 'Pay', 10, 'x'), ('A', 'Pay', 5, 'x'), ('A', 'Fee', 1.50, 'x'), ('B', 'Pay', 7, NULL), ('B', 'Other', 9, NULL)");
    s
}

#[test]
fn rows_become_columns() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT number, [Pay], [Fee], ISNULL([Pay], 0) + ISNULL([Fee], 0) AS total FROM (SELECT number, kind, amount FROM p) src PIVOT (SUM(amount) FOR kind IN ([Pay], [Fee])) AS pvt ORDER BY number"),
        ["A|15.00|1.50|16.50", "B|7.00|NULL|7.00"]
    );
    assert_eq!(
        s.rows("SELECT * FROM (SELECT number, kind FROM p) AS x PIVOT (COUNT(number) FOR x.kind IN (Pay, Fee, Other)) AS y"),
        ["3|1|1"]
    );
    // every other column is grouped by
    assert_eq!(s.rows("SELECT COUNT(*) FROM p PIVOT (MAX(amount) FOR kind IN ([Pay])) AS y WHERE y.[Pay] = 10"), ["1"]);
    assert_eq!(s.fails("SELECT * FROM p PIVOT (MAX(amount) FOR nothing IN ([Pay])) AS y"), 207);
}

#[test]
fn columns_become_rows() {
    let mut s = book();
    s.ok("CREATE TABLE a (number varchar(9), principal money, fees money); INSERT INTO a VALUES ('A', 10, 1), ('B', 20, NULL)");
    assert_eq!(
        s.rows("SELECT number, what, amount FROM a UNPIVOT (amount FOR what IN (principal, fees)) AS u ORDER BY 1, 2"),
        ["A|fees|1.0000", "A|principal|10.0000", "B|principal|20.0000"]
    );
    assert_eq!(
        s.rows("SELECT * FROM (SELECT number, fees FROM a) x UNPIVOT (amount FOR what IN (fees)) AS u"),
        ["A|1.0000|fees"]
    );
}

#[test]
fn json_is_read_with_all_its_digits() {
    let mut s = Server::new();
    let events = r#"[{"agreement":"FRM1","amount":403.3701,"type":32,"ok":true,"who":{"by":"QA"}},{"agreement":"FRM2","amount":100,"tags":["a","b"]}]"#;
    s.ok(&format!("CREATE TABLE e (j nvarchar(max)); INSERT INTO e VALUES (N'{events}')"));
    assert_eq!(
        s.rows("SELECT j.agreement, j.amount, j.type, j.ok, j.[by], j.who, j.tags FROM e CROSS APPLY OPENJSON(e.j) WITH (agreement varchar(20), amount decimal(18,4), type int '$.type', ok bit, [by] varchar(5) '$.who.by', who nvarchar(max) AS JSON, tags nvarchar(max) '$.tags' AS JSON) j WHERE j.type IS NOT NULL"),
        [r#"FRM1|403.3701|32|1|QA|{"by":"QA"}|NULL"#]
    );
    assert_eq!(
        s.rows("SELECT [key], value, [type] FROM OPENJSON((SELECT j FROM e), '$[1]')"),
        ["agreement|FRM2|1", "amount|100|2", r#"tags|["a","b"]|4"#]
    );
    assert_eq!(s.rows("SELECT value FROM OPENJSON(N'[1, null, \"x\"]')"), ["1", "NULL", "x"]);
    assert_eq!(s.rows("DECLARE @n nvarchar(9); SELECT COUNT(*) FROM OPENJSON(@n)"), ["0"]);
    values(&[
        (r#"JSON_VALUE('{"a":{"b":[1,2.50]}}', '$.a.b[1]')"#, "2.50"),
        (r#"JSON_VALUE('{"a":{}}', '$.a')"#, "NULL"),
        (r#"JSON_QUERY('{"a":{"b": 1}}', '$.a')"#, r#"{"b": 1}"#),
        ("ISJSON('{}') + ISJSON('[1]')", "2"),
        ("ISJSON('5') + ISJSON('{a}')", "0"),
        ("ISJSON(NULL)", "NULL"),
    ]);
    assert_eq!(s.fails("SELECT JSON_VALUE('{a}', '$')"), 13609);
    s.ok("CREATE TABLE c (j nvarchar(max) CHECK (ISJSON(j) = 1)); INSERT INTO c VALUES ('[]')");
    assert_eq!(s.fails("INSERT INTO c VALUES ('[')"), 547);
}

#[test]
fn rows_become_json_and_xml() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT number, amount AS 'pay.amount', kind AS [pay.kind], note FROM p WHERE number = 'B' ORDER BY kind DESC FOR JSON PATH"),
        [r#"[{"number":"B","pay":{"amount":7.00,"kind":"Pay"}},{"number":"B","pay":{"amount":9.00,"kind":"Other"}}]"#]
    );
    assert_eq!(
        s.rows("SELECT TOP 1 CAST(1 AS bit) b, 'a/\"' t, CAST('2026-03-15T09:00' AS datetime) d, NULL n, (SELECT 1 x FOR JSON PATH) i FROM p FOR JSON PATH, WITHOUT_ARRAY_WRAPPER, INCLUDE_NULL_VALUES, ROOT('r')"),
        [r#"{"r":{"b":true,"t":"a\/\"","d":"2026-03-15T09:00:00","n":null,"i":[{"x":1}]}}"#]
    );
    assert_eq!(
        s.rows("SELECT STUFF((SELECT ', ' + number FROM p WHERE kind = 'Pay' ORDER BY number FOR XML PATH('')), 1, 2, '')"),
        ["A, A, B"]
    );
    assert_eq!(
        s.rows("SELECT (SELECT '<' + kind FROM p WHERE number = 'B' ORDER BY kind FOR XML PATH('')), (SELECT '<' + kind FROM p WHERE number = 'B' ORDER BY kind FOR XML PATH(''), TYPE).value('.', 'NVARCHAR(MAX)')"),
        ["&lt;Other&lt;Pay|<Other<Pay"]
    );
    assert_eq!(
        s.rows("SELECT number AS n, kind FROM p WHERE kind = 'Fee' FOR XML PATH('row'), ROOT('rows')"),
        ["<rows><row><n>A</n><kind>Fee</kind></row></rows>"]
    );
    assert_eq!(s.rows("SELECT (SELECT number FROM p WHERE 1 = 0 FOR XML PATH(''))"), ["NULL"]);
}

#[test]
fn values_in_a_country_s_form_are_parsed() {
    values(&[
        ("PARSE('15/03/2026' AS date USING 'en-GB')", "2026-03-15"),
        ("PARSE('03/15/2026' AS date)", "2026-03-15"),
        ("PARSE('Sunday, 15 March 2026' AS date USING 'en-GB')", "2026-03-15"),
        ("PARSE('£1,234.50' AS money USING 'en-GB')", "1234.5000"),
        ("PARSE('1.234,50' AS decimal(9,2) USING 'de-DE')", "1234.50"),
        ("TRY_PARSE('15/03/2026' AS date USING 'en-US')", "NULL"),
        ("TRY_PARSE('x' AS int)", "NULL"),
    ]);
    assert_eq!(Server::new().fails("SELECT PARSE('1' AS int USING 'xx-XX')"), 9818);
    assert_eq!(Server::new().fails("SELECT PARSE('soon' AS date)"), 9819);
}

#[test]
fn moments_are_taken_to_other_zones() {
    values(&[
        (
            "CAST('2026-07-01T12:00' AS datetime2(0)) AT TIME ZONE 'UTC' AT TIME ZONE 'GMT Standard Time'",
            "2026-07-01 13:00:00 60",
        ),
        ("CAST('2026-01-01T12:00' AS datetime) AT TIME ZONE 'GMT Standard Time'", "2026-01-01 12:00:00 0"),
        ("CAST(CAST('2026-07-01T23:30:00+00:00' AS datetimeoffset) AT TIME ZONE 'GMT Standard Time' AS date)", "2026-07-02"),
        ("SWITCHOFFSET(CAST('2026-07-01T12:00:00+01:00' AS datetimeoffset(0)), '-05:00')", "2026-07-01 06:00:00 -300"),
        ("TODATETIMEOFFSET(CAST('2026-07-01T12:00' AS datetime2(0)), 60)", "2026-07-01 12:00:00 60"),
    ]);
    let error = &Server::new().sentinel.parse("x.sql", "SELECT GETDATE() AT TIME ZONE 'Mars'").unwrap_err()[0];
    assert!(error.message.contains("the time zone Mars"), "{error}");
}

#[test]
fn functions_that_came_with_later_versions() {
    values(&[
        ("TRIM('0' FROM '00120')", "12"),
        ("TRIM(LEADING 'x' FROM 'xxax')", "ax"),
        ("RTRIM('a..', '.')", "a"),
        ("GREATEST(1, 2.5, NULL)", "2.5"),
        ("LEAST('b', 'A', 'c')", "A"),
        ("CASE WHEN NULL IS DISTINCT FROM NULL THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN 1 IS DISTINCT FROM NULL THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 1 IS NOT DISTINCT FROM 1 THEN 1 ELSE 0 END", "1"),
        (
            "CONVERT(varchar(64), HASHBYTES('SHA2_256', 'abc'), 2)",
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        ),
    ]);
    assert_eq!(Server::new().rows("SELECT ordinal, value FROM STRING_SPLIT('a,b', ',', 1) WHERE ordinal > 1"), ["2|b"]);
}
