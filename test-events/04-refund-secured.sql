-- What happens:  a direct debit of 415.50 on FRH0000310 is refunded; the balance rises by it.
-- Must be raised: R5 refund, FRH0000310.
-- Why:            type 108 is a refund of a direct debit on the secured platform; every refund is an alert.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000310', GETDATE(), CAST(GETDATE() AS date), 108, 415.50, 415.50, 0, 0, 'REFUND DD');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET + 415.50 WHERE AgreementNumber = 'FRH0000310';
GO
