-- The last instalment is paid: the payment, the balance going to 0, and the settled flag are three commits.
-- Raised: R3, with the final payment. Not R1: the amount is what was due.

USE SentinelMock;
GO

-- As it was before, when this script is run again.
UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = 318.45, AgreementSettledFlag = 0, AgreementSettledDate = NULL,
    AgreementAutoStatus = 'LIVE (Primary)'
WHERE AgreementNumber = 'FRH0000103' AND AgreementSettledFlag = 1;
GO

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES
    ('FRH0000103', CAST(GETDATE() AS date), 12, 318.45, 301.20, 5.25, 12.00, 'FINAL DD');
GO

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = 0
WHERE AgreementNumber = 'FRH0000103';
GO

UPDATE dbo.Agreement
SET AgreementSettledFlag = 1,
    AgreementSettledDate = CAST(GETDATE() AS date),
    AgreementAutoStatus = 'SETTLED'
WHERE AgreementNumber = 'FRH0000103';
GO
