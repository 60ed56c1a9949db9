-- 5,000.00 by card on an agreement whose monthly payment is 230.00.
-- Raised: R1 (5,000.00 is far more than 150 % of 230.00) and R2 (it is above 3,000.00).

USE SentinelMock;
GO

DECLARE @agreement varchar(20) = 'FRM0000301';
DECLARE @amount decimal(18,2) = 5000.00;

-- Enough to pay off, also when this script is run again.
IF (SELECT AgreementCurrentBalanceNET FROM dbo.Agreement WHERE AgreementNumber = @agreement) < @amount
    UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = 10250.00 WHERE AgreementNumber = @agreement;

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference, TransCurrencyCode)
VALUES
    (@agreement, CAST(GETDATE() AS date), 1032, @amount, @amount, 'LUMP SUM', 'GBP');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - @amount
WHERE AgreementNumber = @agreement;
GO
