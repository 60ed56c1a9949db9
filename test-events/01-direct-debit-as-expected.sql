-- What happens:  the monthly direct debit of FRH0000291 comes in: 403.50, and the balance falls by it.
-- Must be raised: nothing.
-- Why:            the payment is what the schedule says for this month: 400.00 and two fees, 2.50 and 1.00. The custom profile
--                 of this agreement is over, so it does not count.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000291', GETDATE(), CAST(GETDATE() AS date), 12, 403.50, 403.50, 0, 0, 'DD COLLECTION');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 403.50 WHERE AgreementNumber = 'FRH0000291';
GO
