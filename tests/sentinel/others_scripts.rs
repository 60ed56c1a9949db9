//! Scripts in the many styles in which people write T-SQL.

use crate::support::Server;

const SSMS: &str = r"USE [master]
GO
/****** Object:  Database [SentinelMock]    Script Date: 15/03/2026 09:00:00 ******/
IF NOT EXISTS (SELECT name FROM master.dbo.sysdatabases WHERE name = N'SentinelMock')
CREATE DATABASE [SentinelMock]
 CONTAINMENT = NONE
 ON  PRIMARY
( NAME = N'SentinelMock', FILENAME = N'/var/opt/mssql/data/SentinelMock.mdf' , SIZE = 8192KB , MAXSIZE = UNLIMITED, FILEGROWTH = 65536KB )
 LOG ON
( NAME = N'SentinelMock_log', FILENAME = N'/var/opt/mssql/data/SentinelMock_log.ldf' , SIZE = 8192KB , MAXSIZE = 2048GB , FILEGROWTH = 65536KB )
GO
ALTER DATABASE [SentinelMock] SET COMPATIBILITY_LEVEL = 150
GO
IF (1 = FULLTEXTSERVICEPROPERTY('IsFullTextInstalled'))
begin
EXEC [SentinelMock].[dbo].[sp_fulltext_database] @action = 'enable'
end
GO
ALTER DATABASE [SentinelMock] SET ANSI_NULL_DEFAULT OFF
GO
EXEC sys.sp_db_vardecimal_storage_format N'SentinelMock', N'ON'
GO
USE [SentinelMock]
GO
/****** Object:  Table [dbo].[Agreement]    Script Date: 15/03/2026 09:00:00 ******/
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[Agreement](
	[AgreementNumber] [varchar](20) NOT NULL,
	[AgreementCurrentBalanceNET] [money] NOT NULL,
	[AgreementSettledFlag] [bit] NOT NULL,
	[AgreementSettledDate] [date] NULL,
	[AgreementNotes] [nvarchar](max) NULL,
 CONSTRAINT [PK_Agreement] PRIMARY KEY CLUSTERED 
(
	[AgreementNumber] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON, OPTIMIZE_FOR_SEQUENTIAL_KEY = OFF) ON [PRIMARY]
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO
CREATE TABLE [dbo].[Transaction](
	[TransCounter] [int] IDENTITY(1,1) NOT FOR REPLICATION NOT NULL,
	[TransAgreementNumber] [varchar](20) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL,
	[TransCreateDate] [datetime] NOT NULL,
	[TransNetPayment] [decimal](18, 2) NOT NULL,
PRIMARY KEY CLUSTERED ([TransCounter] ASC) WITH (FILLFACTOR = 90) ON [PRIMARY]
) ON [PRIMARY]
GO
ALTER TABLE [dbo].[Agreement] ADD  CONSTRAINT [DF_Agreement_Flag]  DEFAULT ((0)) FOR [AgreementSettledFlag]
GO
ALTER TABLE [dbo].[Transaction] ADD  DEFAULT (getdate()) FOR [TransCreateDate]
GO
ALTER TABLE [dbo].[Transaction]  WITH CHECK ADD  CONSTRAINT [FK_T_A] FOREIGN KEY([TransAgreementNumber])
REFERENCES [dbo].[Agreement] ([AgreementNumber])
GO
ALTER TABLE [dbo].[Transaction] CHECK CONSTRAINT [FK_T_A]
GO
SET ANSI_PADDING ON
GO
/****** Object:  Index [IX_T]    Script Date: 15/03/2026 09:00:00 ******/
CREATE NONCLUSTERED INDEX [IX_T] ON [dbo].[Transaction]
(
	[TransAgreementNumber] ASC,
	[TransCreateDate] DESC
)
INCLUDE([TransNetPayment]) WITH (PAD_INDEX = OFF, SORT_IN_TEMPDB = OFF, DROP_EXISTING = OFF, ONLINE = OFF) ON [PRIMARY]
GO
EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'Balance' , @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',@level1name=N'Agreement'
GO
INSERT [dbo].[Agreement] ([AgreementNumber], [AgreementCurrentBalanceNET], [AgreementSettledDate]) VALUES (N'FRH0000001', 1234.5600, CAST(N'2026-01-31' AS Date))
INSERT [dbo].[Agreement] ([AgreementNumber], [AgreementCurrentBalanceNET], [AgreementSettledDate]) VALUES (N'FRH0000002', CAST(10.0000 AS Money), NULL)
GO
SET IDENTITY_INSERT [dbo].[Transaction] ON 
GO
INSERT [dbo].[Transaction] ([TransCounter], [TransAgreementNumber], [TransCreateDate], [TransNetPayment]) VALUES (7, N'FRH0000001', CAST(N'2026-03-15T09:00:00.123' AS DateTime), CAST(12.50 AS Decimal(18, 2)))
GO
SET IDENTITY_INSERT [dbo].[Transaction] OFF
GO
USE [master]
GO
ALTER DATABASE [SentinelMock] SET  READ_WRITE 
GO
";

#[test]
fn management_studio_s_own_scripts() {
    let mut s = Server::bare();
    s.ok(SSMS);
    assert_eq!(
        s.rows("SELECT AgreementNumber, AgreementCurrentBalanceNET, AgreementSettledFlag FROM SentinelMock.dbo.Agreement"),
        ["FRH0000001|1234.5600|0", "FRH0000002|10.0000|0"]
    );
    assert_eq!(s.rows("SELECT TransCounter, TransCreateDate FROM SentinelMock.dbo.[Transaction]"), ["7|2026-03-15 09:00:00.123"]);
    assert_eq!(s.fails("INSERT INTO [Transaction] (TransAgreementNumber, TransNetPayment) VALUES ('none', 1)"), 547);
}

#[test]
fn a_guarded_set_up_of_change_data_capture() {
    let mut s = Server::bare();
    let script = "
IF NOT EXISTS (SELECT * FROM sys.databases WHERE [name] = 'Loans')
BEGIN
    PRINT 'creating';
    EXEC('CREATE DATABASE Loans');
END
go
use Loans;
go   -- next
declare @service nvarchar(100);
select @service = status_desc from sys.dm_server_services where servicename like 'SQL Server Agent%';
if @service <> 'Running' raiserror('Agent is not running', 16, 1);
IF (SELECT is_cdc_enabled FROM sys.databases WHERE database_id = DB_ID()) = 0
    EXECUTE sys.sp_cdc_enable_db
GO
IF OBJECT_ID('dbo.Accounts') IS NULL
BEGIN
  CREATE TABLE Accounts (AccountId uniqueidentifier DEFAULT NEWID() NOT NULL PRIMARY KEY NONCLUSTERED, Number nvarchar(20) NOT NULL UNIQUE, Opened datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Balance decimal(19,4) NOT NULL DEFAULT ((0.0)), CHECK (Balance >= (0)));
END
GO
IF NOT EXISTS (SELECT 1 FROM cdc.change_tables ct INNER JOIN sys.tables t ON t.object_id = ct.source_object_id WHERE t.name = 'Accounts')
BEGIN
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo',
        @source_name   = N'Accounts',
        @role_name     = N'cdc_reader',
        @filegroup_name = N'PRIMARY',
        @supports_net_changes = 0;
END
EXEC sys.sp_cdc_change_job @job_type = N'capture', @pollinginterval = 1;
IF NOT EXISTS (SELECT * FROM sys.server_principals WHERE name = N'debezium')
    CREATE LOGIN debezium WITH PASSWORD = 'Str0ng!Passw0rd', CHECK_POLICY = OFF;
IF NOT EXISTS (SELECT * FROM sys.database_principals WHERE name = N'debezium')
    CREATE USER debezium FOR LOGIN debezium;
ALTER ROLE db_datareader ADD MEMBER debezium;
GRANT SELECT ON SCHEMA::cdc TO debezium;
GO 2
INSERT INTO Accounts (Number) SELECT TOP (3) CONCAT(N'AC', RIGHT('000' + CAST(ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) AS varchar(3)), 3)) FROM sys.objects a CROSS JOIN sys.objects b CROSS JOIN sys.databases;
";
    s.ok(script);
    s.ok(script.rsplit_once("GO 2").unwrap().0);
    assert_eq!(s.seen.commits.len(), 1);
    assert_eq!(
        s.rows("SELECT Number, Balance FROM Loans.dbo.Accounts ORDER BY Number"),
        ["AC001|0.0000", "AC002|0.0000", "AC003|0.0000"]
    );
}

#[test]
fn a_seed_in_loops_with_variables() {
    let mut s = Server::new();
    s.ok("
set nocount on
set xact_abort on
if object_id('tempdb..#names') is not null drop table #names
create table #names (id int identity(1,1), name varchar(30))
insert #names values ('Ann'), ('Bob'), ('Cy')
create table dbo.Schedule (ScheduleId bigint identity primary key, Agreement char(10) not null, DueDate smalldatetime not null, Amount money not null, Paid bit not null default 0)
go
declare @start datetime, @end datetime, @n int, @agreement char(10), @amount money
select @start = dateadd(mm, datediff(mm, 0, getdate()) - 2, 0), @end = dateadd(mm, datediff(mm, 0, getdate()) + 2, 0), @amount = $99.95
declare agreements cursor for select 'AG' + right('00000000' + convert(varchar, id), 8) from #names
open agreements
fetch next from agreements into @agreement
while (@@fetch_status = 0)
begin
    declare @due datetime
    set @due = @start
    while @due < @end
    begin
        insert into Schedule (Agreement, DueDate, Amount, Paid)
        values (@agreement, @due, @amount, case when @due < getdate() then 1 else 0 end)
        set @due = dateadd(month, 1, @due)
    end
    fetch next from agreements into @agreement
end
close agreements
deallocate agreements
go
");
    assert_eq!(
        s.rows("SELECT COUNT(*), SUM(Amount), SUM(CAST(Paid AS int)), MIN(DueDate), MAX(DueDate) FROM Schedule"),
        ["12|1199.4000|9|2026-01-01 00:00:00|2026-04-01 00:00:00"]
    );
    assert_eq!(s.rows("SELECT DISTINCT Agreement FROM Schedule ORDER BY 1 DESC"), ["AG00000003", "AG00000002", "AG00000001"]);
}

#[test]
fn a_tally_table_from_cross_joins() {
    let mut s = Server::new();
    s.ok("
;WITH E1(N) AS (SELECT 1 FROM (VALUES (1),(1),(1),(1),(1),(1),(1),(1),(1),(1)) AS x(n)),
      E2(N) AS (SELECT 1 FROM E1 a CROSS JOIN E1 b),
      Tally(N) AS (SELECT ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) FROM E2)
SELECT N, DATEADD(DAY, N - 1, CAST('20260101' AS date)) AS D INTO dbo.Days FROM Tally WHERE N <= 31;
");
    assert_eq!(
        s.rows("SELECT COUNT(*), MAX(D) FROM Days WHERE DATENAME(weekday, D) NOT IN ('Saturday', 'Sunday')"),
        ["22|2026-01-30"]
    );
}

#[test]
fn an_event_in_a_procedure_with_error_handling() {
    let mut s = Server::captured();
    s.ok("
CREATE OR ALTER PROCEDURE dbo.usp_Pay
    @Id INT,
    @Amount DECIMAL(18, 2),
    @Reference NVARCHAR(50) = NULL
AS
BEGIN
    SET NOCOUNT ON;
    BEGIN TRY
        BEGIN TRANSACTION;
        IF NOT EXISTS (SELECT 1 FROM dbo.t WITH (UPDLOCK, HOLDLOCK) WHERE id = @Id)
            INSERT INTO dbo.t (id, name, amount) VALUES (@Id, LEFT(ISNULL(@Reference, N'none'), 10), 0);
        UPDATE dbo.t SET amount = amount + @Amount WHERE id = @Id;
        IF @@ROWCOUNT <> 1
            THROW 50010, 'not one row', 1;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0
            ROLLBACK TRANSACTION;
        DECLARE @msg NVARCHAR(2048) = ERROR_MESSAGE();
        RAISERROR(@msg, 16, 1);
        RETURN -1;
    END CATCH
END
GO
EXEC dbo.usp_Pay @Id = 1, @Amount = 12.345;
EXEC dbo.usp_Pay 1, 10, N'again';
GO
BEGIN TRY
    EXEC dbo.usp_Pay 1, 99999999.00;
END TRY
BEGIN CATCH
    PRINT ERROR_MESSAGE();
END CATCH
");
    assert_eq!(s.seen.commits.len(), 2);
    assert_eq!(s.seen.commits[0].changes.len(), 2);
    assert_eq!(s.rows("SELECT name, amount FROM t"), ["none|22.35"]);
    assert!(s.seen.printed[0].starts_with("Arithmetic overflow error converting"), "{:?}", s.seen.printed);
}

#[test]
fn the_other_book_and_its_events_run_on_any_day() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let mut events: Vec<_> =
        std::fs::read_dir("tests/data/other-scripts/other-events").unwrap().map(|e| e.unwrap().path()).collect();
    events.sort();
    for day in ["2026-01-01T00:00:00", "2026-02-28T23:59:50", "2024-02-29T12:00:00", "2026-03-31T09:00:00", "2026-12-31T23:00:00"]
    {
        let mut s = Server::bare();
        s.sentinel.set_clock(crate::support::at(day));
        s.ok(&read("tests/data/other-scripts/other-book/schema.sql")).ok(&read("tests/data/other-scripts/other-book/seed.sql"));
        assert_eq!(s.rows("SELECT COUNT(*), COUNT(DISTINCT PayProAgreementNumber), MIN(PayProInterest + PayProPrincipal - PayProNetAmount) FROM dbo.PaymentProfile"), ["2790|30|0.00"]);
        let seeded = s.seen.commits.len();
        for event in &events {
            s.ok(&read(event.to_str().unwrap()));
        }
        assert!(s.seen.commits.len() > seeded + events.len(), "{day}");
    }
}

#[test]
fn the_repository_s_book_and_events_run_twice() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let mut events: Vec<_> = std::fs::read_dir("test-events")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .collect();
    events.sort();
    let mut s = Server::bare();
    s.ok(&read("deploy/sql/schema.sql")).ok(&read("deploy/sql/seed.sql")).ok(&read("deploy/sql/schema.sql"));
    for event in events.iter().chain(&events) {
        s.ok(&read(event.to_str().unwrap()));
    }
    s.ok(&read("deploy/sql/seed.sql"));
}

#[test]
fn numbers_from_the_server_s_own_views() {
    let mut s = Server::new();
    for (source, count) in [
        (
            "SELECT TOP (5000) ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) AS n FROM sys.all_objects a CROSS JOIN sys.all_objects b",
            "5000",
        ),
        (
            "SELECT TOP 100000 n = ROW_NUMBER() OVER (ORDER BY a.object_id) FROM sys.all_columns AS a, sys.all_columns AS b",
            "100000",
        ),
        ("SELECT TOP 2000 ROW_NUMBER() OVER (ORDER BY name) AS n FROM master.sys.all_objects", "2000"),
        ("SELECT number + 1 AS n FROM master..spt_values WHERE type = 'P' AND number < 365", "365"),
    ] {
        assert_eq!(
            s.rows(&format!("SELECT COUNT(*), MIN(n), MAX(n) FROM ({source}) AS x")),
            [format!("{count}|1|{count}")],
            "{source}"
        );
    }
    let error = s.error("SELECT COUNT(*) FROM sys.all_columns a CROSS JOIN sys.all_columns b");
    assert!(error.hint.unwrap().contains("TOP"));
}

#[test]
fn top_without_an_order_still_numbers_by_its_window() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (3), (1), (2)");
    assert_eq!(s.rows("SELECT TOP 2 a, ROW_NUMBER() OVER (ORDER BY a) r FROM t ORDER BY r"), ["1|1", "2|2"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM (SELECT TOP 2 a FROM t) x"), ["2"]);
}

#[test]
fn an_index_on_a_changing_column_does_not_split_updates() {
    let mut s = Server::captured();
    s.ok("CREATE INDEX IX_amount ON t (amount); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2); UPDATE t SET amount = amount + 1");
    assert_eq!(s.seen.commits[1].changes.len(), 2);
    assert_eq!(s.rows("SELECT CASE WHEN CAST(1 AS bit) = 1.0 THEN 'equal' END"), ["equal"]);
}
