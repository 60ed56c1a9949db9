-- A card payment of what is due, payment and balance in one database transaction.
-- Raised: nothing.

USE SentinelMock;
GO

SET XACT_ABORT ON;

DECLARE @agreement varchar(20) = 'FRP0000401';
DECLARE @amount decimal(18,2) = 155.00;

BEGIN TRANSACTION;

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet,
     TransReference, TransCurrencyCode)
VALUES
    (@agreement, GETDATE(), 1032, @amount, 134.10, 15.90, 5.00, 'CARD 5512', 'GBP');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET -= @amount
WHERE AgreementNumber = @agreement;

COMMIT TRANSACTION;
GO
