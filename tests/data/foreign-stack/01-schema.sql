USE master;
GO
IF NOT EXISTS (SELECT name FROM master.dbo.sysdatabases WHERE name = 'SentinelMock') BEGIN CREATE DATABASE SentinelMock COLLATE SQL_Latin1_General_CP1_CI_AS; END;
GO
USE SentinelMock;
GO
EXECUTE sys.sp_cdc_enable_db;
GO
IF EXISTS (SELECT * FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'dbo' AND TABLE_NAME = 'Transaction') DROP TABLE dbo.[Transaction];
IF OBJECT_ID('dbo.usp_PostPayment', 'P') IS NOT NULL DROP PROCEDURE dbo.usp_PostPayment;
GO
CREATE SCHEMA ops AUTHORIZATION dbo;
GO
CREATE TABLE dbo.AgreementSeq (n int IDENTITY(2000,1));
GO
CREATE TABLE dbo.Agreement (
  AgreementNumber varchar(20) NOT NULL,
  AgreementCustomerNumber varchar(20) NOT NULL, AgreementBorrowers varchar(100) NULL,
  AgreementAgreementDate date NOT NULL, AgreementContractEndDate date NULL, AgreementNumPayments int NULL,
  AgreementPrincipal decimal(18,2) NOT NULL, AgreementOriginalPrincipal decimal(18,2) NOT NULL,
  AgreementCurrentBalanceNET decimal(18,2) NOT NULL CONSTRAINT CK_Bal CHECK (AgreementCurrentBalanceNET >= 0),
  AgreementInstalmentNET decimal(18,2) NULL, AgreementAutoStatus varchar(50) NOT NULL DEFAULT ('LIVE (Primary)'),
  AgreementSettledFlag bit NOT NULL DEFAULT ((0)), AgreementSettledDate date NULL, AgreementPaymentMethod int NOT NULL DEFAULT 12,
  AgreementAgreementTypeID int NOT NULL, AgreementPurpose varchar(100) NULL, AgreementFirstPaymentDate date NULL, AgreementDueDay int NULL,
  AgreementBankSortCode varchar(10) NULL, AgreementBankAccountNumber varchar(20) NULL, AgreementBankAccountName varchar(100) NULL,
  CONSTRAINT PK_Agreement PRIMARY KEY (AgreementNumber)
);
CREATE TABLE dbo.[Transaction] (
  TransCounter int IDENTITY(1000001, 1) NOT NULL CONSTRAINT PK_T PRIMARY KEY, TransAgreementNumber varchar(20) NOT NULL, TransCreateDate datetime NOT NULL,
  TransDate date NOT NULL, TransTypeID int NOT NULL, TransNetPayment decimal(18,2) NOT NULL, TransNetPrincipal decimal(18,2) NOT NULL,
  TransNetInterest decimal(18,2) NOT NULL, TransFeesNet decimal(18,2) NOT NULL, TransReference varchar(50) NULL, TransBatchNumber varchar(20) NULL,
  TransCurrencyCode varchar(3) NULL, TransBankID int NULL,
  CONSTRAINT FK_T_A FOREIGN KEY (TransAgreementNumber) REFERENCES dbo.Agreement (AgreementNumber) ON UPDATE NO ACTION ON DELETE NO ACTION
);
CREATE TABLE dbo.PaymentProfile (PayProID int IDENTITY(1,1) PRIMARY KEY, PayProAgreementNumber varchar(20) NOT NULL, PayProDate date NOT NULL, PayProNetAmount decimal(18,2) NOT NULL,
  PayProPrincipal decimal(18,2) NULL, PayProInterest decimal(18,2) NULL, PayProType varchar(10) NOT NULL, PayProFeeOrInsID int NOT NULL, PayProFallenDue bit NOT NULL DEFAULT 0);
CREATE TABLE dbo.CustomProfile (CPAgreement varchar(20) PRIMARY KEY, CPAmount decimal(18,2) NOT NULL, CPFrequencyType int NOT NULL DEFAULT 3, CPDayOfMonth int, CPStartDate date, CPOnGoing bit NOT NULL DEFAULT 1, CPDeleted bit NOT NULL DEFAULT 0, CPRepaymentMethod int);
CREATE TABLE dbo.TransactionType (TransactionTypeID int PRIMARY KEY, FKPlatformID int NOT NULL, Description varchar(100) NOT NULL);
CREATE TABLE ops.AuditLog (Id bigint IDENTITY PRIMARY KEY, At datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Who sysname NOT NULL DEFAULT SUSER_SNAME(), What nvarchar(4000) NOT NULL);
GO
DECLARE @tbl sysname;
DECLARE tables_cur CURSOR FOR SELECT name FROM sys.tables WHERE name IN ('Agreement', 'Transaction') AND is_tracked_by_cdc = 0;
OPEN tables_cur;
FETCH NEXT FROM tables_cur INTO @tbl;
WHILE (@@FETCH_STATUS = 0)
BEGIN
  EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = @tbl, @role_name = NULL;
  FETCH NEXT FROM tables_cur INTO @tbl;
END
CLOSE tables_cur;
DEALLOCATE tables_cur;
GO
