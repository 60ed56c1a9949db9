-- The last card payment, then one UPDATE that sets the balance to 0 and the settled flag.
-- Raised: R3, with the final payment.

USE SentinelMock;
GO

-- As it was before, when this script is run again.
UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = 141.80, AgreementSettledFlag = 0, AgreementSettledDate = NULL,
    AgreementAutoStatus = 'LIVE (Primary)'
WHERE AgreementNumber = 'FRU0000202' AND AgreementSettledFlag = 1;
GO

DECLARE @agreement varchar(20) = 'FRU0000202', @left decimal(18,2);

SELECT @left = AgreementCurrentBalanceNET FROM dbo.Agreement WHERE AgreementNumber = @agreement;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference, TransCurrencyCode)
VALUES (@agreement, CAST(GETDATE() AS date), 1032, @left, @left, 'CARD FINAL', 'GBP');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - @left,
    AgreementSettledFlag = 1,
    AgreementSettledDate = GETDATE(),
    AgreementAutoStatus = 'SETTLED'
WHERE AgreementNumber = @agreement;
GO
