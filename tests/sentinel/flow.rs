use crate::support::Server;

#[track_caller]
fn prints(sql: &str, expected: &[&str]) {
    let mut s = Server::new();
    s.ok(sql);
    assert_eq!(s.seen.printed, expected);
}

#[test]
fn conditions_and_loops() {
    prints(
        "IF 1 = 1 PRINT 'a' ELSE PRINT 'b' IF NULL = 1 PRINT 'c' ELSE IF 2 > 1 BEGIN PRINT 'd' PRINT 'e' END",
        &["a", "d", "e"],
    );
    prints(
        "DECLARE @i int = 0 WHILE @i < 10 BEGIN SET @i = @i + 1 IF @i = 2 CONTINUE IF @i > 3 BREAK PRINT @i END PRINT 'end'",
        &["1", "3", "end"],
    );
    prints("DECLARE @i int = 3; WHILE @i > 0 SET @i -= 1; PRINT @i;", &["0"]);
    prints("PRINT 'x'; RETURN; PRINT 'y'", &["x"]);
    prints("PRINT 'a'\nGO 3\nPRINT 'b'", &["a", "a", "a", "b"]);
}

#[test]
fn variables_are_typed_and_live_for_a_batch() {
    prints(
        "DECLARE @a varchar(3) = 'abcdef', @b decimal(5,2) = 1.005, @c int; SET @c = 7; SET @c *= 2; SELECT @a = @a + 'x', @c = @c + 1; PRINT CONCAT(@a, @b, @c)",
        &["abc1.0115"],
    );
    prints(
        "DECLARE @s varchar(100) = ''; SELECT @s = @s + name + ';' FROM (VALUES (2, 'b'), (1, 'a')) v (n, name) ORDER BY n; PRINT @s",
        &["a;b;"],
    );
    prints(
        "DECLARE @none int = 5; SELECT @none = 1 WHERE 1 = 0; PRINT @none; SET @none = (SELECT 1 WHERE 1 = 0); PRINT ISNULL(@none, -1)",
        &["5", "-1"],
    );
    assert_eq!(Server::new().fails("DECLARE @a int = 1\nGO\nPRINT @a"), 137);
    assert_eq!(Server::new().fails("SET @undeclared = 1"), 137);
}

#[test]
fn errors_are_caught_and_thrown_again() {
    prints(
        "BEGIN TRY SELECT 1/0; PRINT 'no' END TRY BEGIN CATCH PRINT ERROR_MESSAGE(); PRINT ERROR_NUMBER() END CATCH; PRINT ISNULL(ERROR_MESSAGE(), 'none')",
        &["Divide by zero error encountered.", "8134", "none"],
    );
    prints(
        "BEGIN TRY THROW 50001, 'mine', 3 END TRY BEGIN CATCH PRINT CONCAT(ERROR_NUMBER(), ERROR_MESSAGE(), ERROR_STATE()) END CATCH",
        &["50001mine3"],
    );
    prints(
        "BEGIN TRY BEGIN TRY RAISERROR('deep %s %d', 16, 2, 'x', 5) END TRY BEGIN CATCH THROW; END CATCH END TRY BEGIN CATCH PRINT ERROR_MESSAGE() END CATCH",
        &["deep x 5"],
    );
    prints("RAISERROR('note %05d', 10, 1, 42) WITH NOWAIT", &["note 00042"]);
    let mut s = Server::new();
    let error = s.error("PRINT 1\nGO\n\nTHROW 51000, 'stop', 1;");
    assert_eq!((error.number, error.line, error.message.as_str()), (Some(51000), 4, "stop"));
}

#[test]
fn procedures_take_and_give_values() {
    let mut s = Server::new();
    s.ok("CREATE TABLE log (t varchar(20));
GO
CREATE PROCEDURE dbo.add_log @text varchar(20), @times int = 1, @made int OUTPUT AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @i int = 0;
    WHILE @i < @times BEGIN INSERT INTO dbo.log VALUES (@text); SET @i += 1; END
    SET @made = @times * 10;
    SELECT COUNT(*) FROM log;
    RETURN 7;
END
GO
DECLARE @m int, @r int;
EXEC @r = add_log 'a', 2, @m OUTPUT;
PRINT CONCAT(@m, ' ', @r);
EXECUTE dbo.add_log @made = @m OUT, @text = 'b';
PRINT @m;
");
    assert_eq!(s.seen.printed, ["20 7", "10"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM log"), ["3"]);
    assert_eq!(s.fails("EXEC add_log @times = 2"), 201);
    assert_eq!(s.fails("EXEC add_log 'a', 1, 2, 3, 4"), 8144);
    s.ok("CREATE OR ALTER PROC add_log AS PRINT 'new'\nGO\nadd_log");
    assert_eq!(s.seen.printed.last().unwrap(), "new");
    s.ok("CREATE PROCEDURE p AS EXEC p");
    assert_eq!(s.fails("EXEC p"), 217);
    s.ok("DROP PROCEDURE IF EXISTS p, add_log");
    let errors = s.sentinel.parse("x.sql", "PRINT 1\nEXEC p").unwrap_err();
    assert_eq!((errors.len(), errors[0].line), (1, 2));
}

#[test]
fn statements_in_text_are_run() {
    prints("EXEC('PRINT ''dynamic''')", &["dynamic"]);
    prints(
        "DECLARE @n int; EXEC sp_executesql N'SELECT @out = COUNT(*) + @in FROM sys.databases', N'@in int, @out int OUTPUT', @in = 5, @out = @n OUTPUT; PRINT @n",
        &["10"],
    );
    prints("DECLARE @sql nvarchar(max) = N'PRINT ' + QUOTENAME('x', ''''); EXEC sp_executesql @sql", &["x"]);
    let error = Server::new().error("EXEC('PRINT 1 SELEC 1')");
    assert!(error.message.contains("in the executed text"), "{error}");
}

#[test]
fn cursors_walk_over_rows() {
    prints(
        "DECLARE @n int, @s varchar(5);
        DECLARE c CURSOR LOCAL FAST_FORWARD FOR SELECT n, s FROM (VALUES (1, 'a'), (2, 'b')) v (n, s) ORDER BY n;
        OPEN c; FETCH NEXT FROM c INTO @n, @s;
        WHILE @@FETCH_STATUS = 0 BEGIN PRINT CONCAT(@n, @s); FETCH NEXT FROM c INTO @n, @s; END
        CLOSE c; DEALLOCATE c; PRINT @@FETCH_STATUS",
        &["1a", "2b", "-1"],
    );
    prints(
        "DECLARE @n int; DECLARE c SCROLL CURSOR FOR SELECT value FROM GENERATE_SERIES(1, 5); OPEN c; FETCH LAST FROM c INTO @n; PRINT @n; FETCH ABSOLUTE 2 FROM c INTO @n; PRINT @n; FETCH PRIOR FROM c INTO @n; PRINT @n",
        &["5", "2", "1"],
    );
    assert_eq!(Server::new().fails("OPEN nothing"), 16916);
}

#[test]
fn statements_need_no_separators() {
    prints("DECLARE @a int SET @a = 1 SELECT @a = @a + 1 IF @a = 2 PRINT 'two' UPDATE x SET y = 1 FROM (SELECT 1 z) q WHERE 1 = 0 PRINT 'not here'".split(" UPDATE").next().unwrap(), &["two"]);
    prints(
        "CREATE TABLE t (a int) INSERT t VALUES (1) INSERT INTO t SELECT 2 DELETE t WHERE a = 1 IF EXISTS (SELECT * FROM t WHERE a = 2) BEGIN PRINT 'ok' END DROP TABLE t",
        &["ok"],
    );
    prints(";;PRINT 'a';;;IF 1=1 PRINT 'b';", &["a", "b"]);
}

#[test]
fn an_endless_loop_ends() {
    let mut s = Server::new();
    s.ok("CREATE PROCEDURE dbo.deep @n int AS IF @n > 0 BEGIN DECLARE @m int = @n - 1 EXEC deep @m END ELSE PRINT 'bottom'\nGO\nEXEC deep 25");
    assert_eq!(s.seen.printed, ["bottom"]);
}

#[test]
fn blocks_in_procedures_in_blocks_end_with_an_error() {
    let mut s = Server::new();
    let (open, close) = ("IF 1 = 1 BEGIN ".repeat(20), " END".repeat(20));
    s.ok(&format!("CREATE PROCEDURE dbo.p @n int AS BEGIN TRY {open} IF (SELECT COUNT(*) FROM sys.tables WHERE 1 + ((((@n)))) > 0) >= 0 EXEC p @n {close} END TRY BEGIN CATCH THROW; END CATCH"));
    let error = s.error("EXEC p 1");
    assert!(error.message.contains("inside each other"), "{error}");
}

#[test]
fn jumps_go_to_labels_beside_and_around_them() {
    prints(
        "DECLARE @i int = 0
again:
SET @i += 1
IF @i < 3 GOTO again
BEGIN TRY
    IF @i = 3 GOTO Cleanup
    PRINT 'never'
END TRY
BEGIN CATCH
    PRINT 'never'
END CATCH
PRINT 'never'
CleanUp: PRINT @i
GOTO done
PRINT 'never'
done:",
        &["3"],
    );
    prints(
        "INSERT INTO nothing_here SELECT 1 a WHERE 1 = 0\nGO\nPRINT 'x'"
            .replace("INSERT INTO nothing_here SELECT 1 a WHERE 1 = 0\nGO\n", "")
            .as_str(),
        &["x"],
    );
    let mut s = Server::new().continuing();
    s.ok("CREATE TABLE t (id int PRIMARY KEY)\nGO
CREATE PROCEDURE p AS
INSERT INTO t VALUES (1)
IF @@ERROR <> 0 GOTO ErrorHandler
RETURN 0
ErrorHandler:
    PRINT 'handled'
    RETURN -1
GO
DECLARE @a int, @b int
EXEC @a = p
EXEC @b = p
PRINT CONCAT(@a, ' ', @b)");
    assert_eq!(s.seen.printed, ["handled", "0 -1"]);
    for (sql, line) in
        [("PRINT 1\nGOTO nowhere", 2), ("GOTO inside\nIF 1 = 1\nBEGIN\ninside: PRINT 1\nEND", 1), ("x:\nGO\nGOTO x", 3)]
    {
        let errors = s.sentinel.parse("x.sql", sql).unwrap_err();
        assert_eq!((errors.len(), errors[0].line), (1, line), "{sql}");
    }
}

#[test]
fn a_variable_is_declared_where_its_declare_stands() {
    prints("IF 1 = 0 BEGIN DECLARE @a int = 1 END ELSE SET @a = 2; PRINT @a", &["2"]);
    prints("WHILE 1 = 0 BEGIN DECLARE @a int = 1 END; PRINT ISNULL(@a, 7)", &["7"]);
    prints(
        "BEGIN TRY SELECT 1/0; DECLARE @a int END TRY BEGIN CATCH SET @a = 3; DECLARE @b int END CATCH SET @b = @a; PRINT @b",
        &["3"],
    );
    // in a loop it keeps its value, unless it is given one
    prints(
        "DECLARE @i int = 0; WHILE @i < 3 BEGIN DECLARE @seen varchar(9), @fresh varchar(9) = ''; DECLARE @t TABLE (i int);
         SET @seen = CONCAT(@seen, @i); SET @fresh = CONCAT(@fresh, @i); INSERT INTO @t VALUES (@i); SET @i += 1 END
         PRINT @seen PRINT @fresh SELECT @i = COUNT(*) FROM @t PRINT @i",
        &["012", "2", "3"],
    );
}

#[test]
fn a_procedure_s_name_may_be_in_a_variable() {
    prints(
        "EXEC ('CREATE PROCEDURE dbo.p @n int AS PRINT @n RETURN @n + 1'); DECLARE @p nvarchar(50) = N'[dbo].p', @r int; EXEC @r = @p 5; EXEC @p @r",
        &["5", "6"],
    );
    assert_eq!(Server::new().fails("DECLARE @p sysname = 'nothing'; EXEC @p"), 2812);
}

#[test]
fn a_guarded_call_of_a_missing_procedure_is_left_to_the_run() {
    prints("IF OBJECT_ID('dbo.reset_all') IS NOT NULL EXEC dbo.reset_all; PRINT 'on'", &["on"]);
}

#[test]
fn set_rowcount_limits_what_is_read_and_written_until_it_is_0() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3); SET ROWCOUNT 2; UPDATE t SET a = 9; DELETE FROM t WHERE a = 3; SELECT a FROM t");
    assert_eq!(s.seen.sets[0].rows.len(), 2);
    assert_eq!(s.rows("DECLARE @n int = 1; SET ROWCOUNT @n; DELETE FROM t; SET ROWCOUNT 0; SELECT a FROM t"), ["9"]);
}

#[test]
fn noexec_passes_over_statements() {
    prints("PRINT 1\nGO\nSET NOEXEC ON\nGO\nPRINT 2\nIF 1 = 1 PRINT 3\nGO\nSET NOEXEC OFF\nPRINT 4", &["1", "4"]);
}

#[test]
fn text_may_stand_in_double_quotes_where_it_is_no_column() {
    prints("PRINT \"hello\"; IF \"a\" IN (\"b\", \"A\") PRINT \"it's\"", &["hello", "it's"]);
    let mut s = Server::new();
    s.ok("CREATE TABLE \"t\" (\"name\" varchar(9)); INSERT INTO t (\"name\") VALUES (\"x\"), (\"name\")");
    assert_eq!(s.rows("SELECT \"name\" FROM \"dbo\".\"t\" WHERE \"name\" = \"x\""), ["x"]);
}

#[test]
fn what_has_no_meaning_here_is_accepted() {
    prints(
        "BEGIN TRANSACTION pay WITH MARK N'a payment'; COMMIT TRANSACTION pay WITH (DELAYED_DURABILITY = ON)
         BEGIN DISTRIBUTED TRAN; COMMIT WORK; EXECUTE AS USER = 'dbo'; REVERT; PRINT @@TRANCOUNT",
        &["0"],
    );
}
