-- What happens:  the last direct debit of FRH0000150 comes in, the balance goes to zero, then the flag, the date and the
--                 status are set: three database transactions, as Sentinel writes them.
-- Must be raised: R3 account settled, FRH0000150, with its final payment.
-- Why:            every settlement is an alert. The payment itself is the 403.50 that was due: neither R1 nor R2.

USE SentinelMock;
GO

SET NOCOUNT ON;

-- where the script ran before: open the agreement again
UPDATE dbo.Agreement
SET AgreementSettledFlag = 0, AgreementSettledDate = NULL, AgreementAutoStatus = 'LIVE (Primary)', AgreementCurrentBalanceNET = 403.50
WHERE AgreementNumber = 'FRH0000150' AND AgreementSettledFlag = 1;
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000150', GETDATE(), CAST(GETDATE() AS date), 12, 403.50, 403.50, 0, 0, 'DD FINAL');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = 0 WHERE AgreementNumber = 'FRH0000150';
GO

UPDATE dbo.Agreement
SET AgreementSettledFlag = 1, AgreementSettledDate = CAST(GETDATE() AS date), AgreementAutoStatus = 'SETTLED'
WHERE AgreementNumber = 'FRH0000150';
GO
