-- A direct debit of exactly what is due: 390.37 and the fees 8.00 and 5.00.
-- Raised: nothing. The payment meets its expected amount, and it is far below the lump sum threshold.

USE SentinelMock;
GO

DECLARE @agreement varchar(20) = 'FRH0000101';
DECLARE @amount decimal(18,2) = 403.37;

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest,
     TransFeesNet, TransReference, TransBatchNumber, TransBankID)
VALUES
    (@agreement, GETDATE(), CAST(GETDATE() AS date), 12, @amount, 275.41, 114.96, 13.00,
     'DD ' + CONVERT(varchar(10), GETDATE(), 3), 'B' + CONVERT(varchar(8), GETDATE(), 112), 1);

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - @amount
WHERE AgreementNumber = @agreement;
GO
