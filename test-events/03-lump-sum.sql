-- What happens:  5,000.00 by card on FRM0001544, where 230.00 a month is due.
-- Must be raised: R1 overpayment and R2 lump sum, FRM0001544.
-- Why:            the excess over the 230.00 expected is far above 50 %, and the amount is above 3,000.00. The custom profile
--                 of this agreement is deleted, so it does not count.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRM0001544', GETDATE(), CAST(GETDATE() AS date), 1032, 5000.00, 5000.00, 0, 0, 'CARD 9034');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 5000.00 WHERE AgreementNumber = 'FRM0001544';
GO
