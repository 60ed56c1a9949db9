-- What happens:  5,900.00 of FRM0001702 are written off.
-- Must be raised: nothing.
-- Why:            type 50 is no payment: nobody paid anything, however large the amount is.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRM0001702', GETDATE(), CAST(GETDATE() AS date), 50, 5900.00, 5900.00, 0, 0, 'WRITE-OFF');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 5900.00 WHERE AgreementNumber = 'FRM0001702';
GO
