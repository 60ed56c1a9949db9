-- The stack's two logins and their users. The passwords are sqlcmd's variables TIDEWAITER_DB_PASSWORD and DEBEZIUM_DB_PASSWORD,
-- which it takes from the environment; they must not contain a quote. Run again, it sets the passwords anew.

USE master;
GO
IF SUSER_ID(N'tidewaiter') IS NULL
    CREATE LOGIN tidewaiter WITH PASSWORD = N'$(TIDEWAITER_DB_PASSWORD)', DEFAULT_DATABASE = SentinelMock;
GO
ALTER LOGIN tidewaiter WITH PASSWORD = N'$(TIDEWAITER_DB_PASSWORD)';
GO
IF SUSER_ID(N'debezium') IS NULL
    CREATE LOGIN debezium WITH PASSWORD = N'$(DEBEZIUM_DB_PASSWORD)', DEFAULT_DATABASE = SentinelMock;
GO
ALTER LOGIN debezium WITH PASSWORD = N'$(DEBEZIUM_DB_PASSWORD)';
GO
-- The connector asks whether SQL Server's agent runs (sys.dm_server_services).
GRANT VIEW SERVER STATE TO debezium;
GO

USE SentinelMock;
GO
IF DATABASE_PRINCIPAL_ID(N'tidewaiter') IS NULL
    CREATE USER tidewaiter FOR LOGIN tidewaiter;
IF DATABASE_PRINCIPAL_ID(N'debezium') IS NULL
    CREATE USER debezium FOR LOGIN debezium;
GO
ALTER ROLE tidewaiter_reader ADD MEMBER tidewaiter;
ALTER ROLE debezium_reader ADD MEMBER debezium;
GO
