-- What Tidewaiter and Debezium may do in the database, and no more: two roles. Runs on SQL Server 2017 or later as a member of
-- db_owner, after change data capture was enabled (schema.sql, or your own); for production, change the name after USE.
-- Who is in the roles is said elsewhere: logins.sql for the stack, or your directory's groups:
--     ALTER ROLE tidewaiter_reader ADD MEMBER [DOMAIN\svc-tidewaiter];
-- Can be run again.

USE SentinelMock;
GO

-- Tidewaiter: three tables, by SELECT. It has no CDC rights (it reads Kafka) and writes nothing.
IF DATABASE_PRINCIPAL_ID(N'tidewaiter_reader') IS NULL
    CREATE ROLE tidewaiter_reader AUTHORIZATION dbo;
GO
GRANT SELECT ON OBJECT::dbo.Agreement TO tidewaiter_reader;
GRANT SELECT ON OBJECT::dbo.PaymentProfile TO tidewaiter_reader;
GRANT SELECT ON OBJECT::dbo.CustomProfile TO tidewaiter_reader;
-- Bank details are of no use to it: a mistake in a query, or a stolen password, must not show them.
DENY SELECT (AgreementBankSortCode, AgreementBankAccountNumber, AgreementBankAccountName) ON OBJECT::dbo.Agreement TO tidewaiter_reader;
GO

-- Debezium: the two captured tables and their change tables. The role cdc_reader is what sp_cdc_enable_table was given.
IF DATABASE_PRINCIPAL_ID(N'debezium_reader') IS NULL
    CREATE ROLE debezium_reader AUTHORIZATION dbo;
GO
GRANT SELECT ON OBJECT::dbo.[Transaction] TO debezium_reader;
GRANT SELECT ON OBJECT::dbo.Agreement TO debezium_reader;
GRANT SELECT, EXECUTE ON SCHEMA::cdc TO debezium_reader;
ALTER ROLE cdc_reader ADD MEMBER debezium_reader;
GO
