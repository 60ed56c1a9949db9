-- The tables of Sentinel that matter to Tidewaiter, with change data capture on the two that Debezium reads.
-- Runs on SQL Server 2017 or later (sqlcmd) and on the embedded Sentinel of `tidewaiter replay`. Can be run again.

IF DB_ID(N'SentinelMock') IS NULL
    CREATE DATABASE SentinelMock;
GO

USE SentinelMock;
GO

IF OBJECT_ID(N'dbo.TransactionType', N'U') IS NULL
CREATE TABLE dbo.TransactionType (
    TransactionTypeID int          NOT NULL CONSTRAINT PK_TransactionType PRIMARY KEY,
    FKPlatformID      int          NOT NULL, -- 1 secured, 2 unsecured
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
    AgreementOriginalPrincipal  decimal(18,2) NULL,
    AgreementCurrentBalanceNET  decimal(18,2) NOT NULL,
    AgreementInstalmentNET      decimal(18,2) NULL,
    AgreementAutoStatus         varchar(50)   NOT NULL CONSTRAINT DF_Agreement_AutoStatus DEFAULT ('LIVE (Primary)'),
    AgreementSettledFlag        bit           NOT NULL CONSTRAINT DF_Agreement_SettledFlag DEFAULT (0),
    AgreementSettledDate        date          NULL,
    AgreementPaymentMethod      int           NOT NULL CONSTRAINT DF_Agreement_PaymentMethod DEFAULT (12), -- 12 direct debit, 8 card
    AgreementAgreementTypeID    int           NOT NULL,
    AgreementPurpose            varchar(100)  NULL,
    AgreementFirstPaymentDate   date          NULL,
    AgreementDueDay             int           NULL,
    AgreementBankSortCode       varchar(10)   NULL,
    AgreementBankAccountNumber  varchar(20)   NULL,
    AgreementBankAccountName    varchar(100)  NULL
);
GO

IF OBJECT_ID(N'dbo.Transaction', N'U') IS NULL
CREATE TABLE dbo.[Transaction] (
    TransCounter         int IDENTITY(880101, 1) NOT NULL CONSTRAINT PK_Transaction PRIMARY KEY,
    TransAgreementNumber varchar(20)   NOT NULL CONSTRAINT FK_Transaction_Agreement REFERENCES dbo.Agreement (AgreementNumber),
    TransCreateDate      datetime      NOT NULL CONSTRAINT DF_Transaction_CreateDate DEFAULT (GETDATE()),
    TransDate            date          NOT NULL,
    TransTypeID          int           NOT NULL,
    TransNetPayment      decimal(18,2) NOT NULL, -- principal, interest and fees, summed
    TransNetPrincipal    decimal(18,2) NOT NULL,
    TransNetInterest     decimal(18,2) NOT NULL,
    TransFeesNet         decimal(18,2) NOT NULL CONSTRAINT DF_Transaction_FeesNet DEFAULT (0),
    TransReference       varchar(50)   NULL,
    TransBatchNumber     varchar(20)   NULL,
    TransCurrencyCode    varchar(3)    NULL,
    TransBankID          int           NULL
);
GO

IF OBJECT_ID(N'dbo.PaymentProfile', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.PaymentProfile (
        PayProID              int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_PaymentProfile PRIMARY KEY,
        PayProAgreementNumber varchar(20)   NOT NULL,
        PayProDate            date          NOT NULL,
        PayProNetAmount       decimal(18,2) NOT NULL,
        PayProPrincipal       decimal(18,2) NULL,
        PayProInterest        decimal(18,2) NULL,
        PayProType            varchar(10)   NOT NULL, -- Pay, Fee
        PayProFeeOrInsID      int           NOT NULL, -- 0 for Pay, 1 and 2 for the fees
        PayProFallenDue       bit           NOT NULL CONSTRAINT DF_PaymentProfile_FallenDue DEFAULT (0)
    );
    CREATE INDEX IX_PaymentProfile_Agreement ON dbo.PaymentProfile (PayProAgreementNumber, PayProDate)
        INCLUDE (PayProNetAmount, PayProType, PayProFallenDue);
END
GO

IF OBJECT_ID(N'dbo.CustomProfile', N'U') IS NULL
CREATE TABLE dbo.CustomProfile (
    CPAgreement       varchar(20)   NOT NULL CONSTRAINT PK_CustomProfile PRIMARY KEY,
    CPAmount          decimal(18,2) NOT NULL, -- in all, fees included
    CPFrequencyType   int           NOT NULL CONSTRAINT DF_CustomProfile_Frequency DEFAULT (3), -- 3 monthly
    CPDayOfMonth      int           NULL,
    CPStartDate       date          NULL,
    CPOnGoing         bit           NOT NULL CONSTRAINT DF_CustomProfile_OnGoing DEFAULT (1),
    CPDeleted         bit           NOT NULL CONSTRAINT DF_CustomProfile_Deleted DEFAULT (0),
    CPRepaymentMethod int           NULL
);
GO

-- Change data capture: the database, then the two tables that Debezium reads.
IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE name = N'SentinelMock' AND is_cdc_enabled = 1)
    EXEC sys.sp_cdc_enable_db;
GO

IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE name = N'Agreement' AND is_tracked_by_cdc = 1)
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo',
        @source_name   = N'Agreement',
        @role_name     = N'cdc_reader', -- who may read the changes; made if it is not there
        @supports_net_changes = 0;
GO

IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE name = N'Transaction' AND is_tracked_by_cdc = 1)
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo',
        @source_name   = N'Transaction',
        @role_name     = N'cdc_reader', -- who may read the changes; made if it is not there
        @supports_net_changes = 0;
GO
