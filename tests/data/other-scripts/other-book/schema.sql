-- The mock of Sentinel: the tables that Tidewaiter reads, with the columns that it uses.
-- Runs on SQL Server (sqlcmd -i schema.sql) and on the embedded Sentinel; running it again changes nothing.
-- Change data capture is on for Agreement and Transaction only: the profiles can be read, not listened to.

IF DB_ID(N'SentinelMock') IS NULL
    CREATE DATABASE SentinelMock;
GO

USE SentinelMock;
GO

IF OBJECT_ID(N'dbo.TransactionType', N'U') IS NULL
    CREATE TABLE dbo.TransactionType (
        TransactionTypeID int          NOT NULL CONSTRAINT PK_TransactionType PRIMARY KEY,
        FKPlatformID      int          NOT NULL CONSTRAINT CK_TransactionType_Platform CHECK (FKPlatformID IN (1, 2)),
        Description       varchar(100) NOT NULL
    );
GO

IF OBJECT_ID(N'dbo.Agreement', N'U') IS NULL
    CREATE TABLE dbo.Agreement (
        AgreementNumber             varchar(20)   NOT NULL CONSTRAINT PK_Agreement PRIMARY KEY,
        AgreementCustomerNumber     varchar(20)   NOT NULL,
        AgreementBorrowers          varchar(100)  NULL,
        AgreementAgreementDate      date          NOT NULL,
        AgreementContractEndDate    date          NULL,
        AgreementNumPayments        int           NULL,
        AgreementPrincipal          decimal(18,2) NOT NULL,
        AgreementOriginalPrincipal  decimal(18,2) NOT NULL,
        AgreementCurrentBalanceNET  decimal(18,2) NOT NULL,
        AgreementInstalmentNET      decimal(18,2) NULL,
        AgreementAutoStatus         varchar(50)   NOT NULL CONSTRAINT DF_Agreement_Status DEFAULT ('LIVE (Primary)'),
        AgreementSettledFlag        bit           NOT NULL CONSTRAINT DF_Agreement_Settled DEFAULT (0),
        AgreementSettledDate        date          NULL,
        AgreementPaymentMethod      int           NOT NULL,
        AgreementAgreementTypeID    int           NOT NULL,
        AgreementPurpose            varchar(100)  NULL,
        AgreementFirstPaymentDate   date          NULL,
        AgreementDueDay             int           NULL,
        AgreementBankSortCode       varchar(10)   NULL,
        AgreementBankAccountNumber  varchar(20)   NULL,
        AgreementBankAccountName    varchar(100)  NULL
    );
GO

IF OBJECT_ID(N'dbo.[Transaction]', N'U') IS NULL
    CREATE TABLE dbo.[Transaction] (
        TransCounter         int IDENTITY(880001,1) NOT NULL CONSTRAINT PK_Transaction PRIMARY KEY,
        TransAgreementNumber varchar(20)   NOT NULL,
        TransCreateDate      datetime      NOT NULL CONSTRAINT DF_Transaction_Created DEFAULT (GETDATE()),
        TransDate            date          NOT NULL,
        TransTypeID          int           NOT NULL,
        TransNetPayment      decimal(18,2) NOT NULL,
        TransNetPrincipal    decimal(18,2) NOT NULL CONSTRAINT DF_Transaction_Principal DEFAULT (0),
        TransNetInterest     decimal(18,2) NOT NULL CONSTRAINT DF_Transaction_Interest DEFAULT (0),
        TransFeesNet         decimal(18,2) NOT NULL CONSTRAINT DF_Transaction_Fees DEFAULT (0),
        TransReference       varchar(50)   NULL,
        TransBatchNumber     varchar(20)   NULL,
        TransCurrencyCode    varchar(3)    NULL,
        TransBankID          int           NULL CONSTRAINT DF_Transaction_Bank DEFAULT (0)
    );
GO

IF OBJECT_ID(N'dbo.PaymentProfile', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.PaymentProfile (
        PayProID              int IDENTITY(1,1) NOT NULL CONSTRAINT PK_PaymentProfile PRIMARY KEY,
        PayProAgreementNumber varchar(20)   NOT NULL,
        PayProDate            date          NOT NULL,
        PayProNetAmount       decimal(18,2) NOT NULL,
        PayProPrincipal       decimal(18,2) NULL,
        PayProInterest        decimal(18,2) NULL,
        PayProType            varchar(10)   NOT NULL CONSTRAINT CK_PaymentProfile_Type CHECK (PayProType IN ('Pay', 'Fee')),
        PayProFeeOrInsID      int           NOT NULL,
        PayProFallenDue       bit           NOT NULL CONSTRAINT DF_PaymentProfile_FallenDue DEFAULT (0)
    );
    CREATE INDEX IX_PaymentProfile_Agreement
        ON dbo.PaymentProfile (PayProAgreementNumber, PayProDate)
        INCLUDE (PayProNetAmount, PayProType, PayProFallenDue);
END;
GO

IF OBJECT_ID(N'dbo.CustomProfile', N'U') IS NULL
    CREATE TABLE dbo.CustomProfile (
        CPAgreement       varchar(20)   NOT NULL CONSTRAINT PK_CustomProfile PRIMARY KEY,
        CPAmount          decimal(18,2) NOT NULL,
        CPFrequencyType   int           NOT NULL CONSTRAINT DF_CustomProfile_Frequency DEFAULT (3),
        CPDayOfMonth      int           NULL,
        CPStartDate       date          NULL,
        CPOnGoing         bit           NOT NULL CONSTRAINT DF_CustomProfile_OnGoing DEFAULT (1),
        CPDeleted         bit           NOT NULL CONSTRAINT DF_CustomProfile_Deleted DEFAULT (0),
        CPRepaymentMethod int           NULL
    );
GO

IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE name = DB_NAME() AND is_cdc_enabled = 1)
    EXEC sys.sp_cdc_enable_db;
GO

IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE object_id = OBJECT_ID(N'dbo.Agreement') AND is_tracked_by_cdc = 1)
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo', @source_name = N'Agreement', @role_name = NULL, @supports_net_changes = 0;

IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE object_id = OBJECT_ID(N'dbo.[Transaction]') AND is_tracked_by_cdc = 1)
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo', @source_name = N'Transaction', @role_name = NULL, @supports_net_changes = 0;
GO
