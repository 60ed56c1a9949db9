-- What happens:  FRH0000335 is collected twice by mistake, 263.50 each; one balance update follows for both.
-- Must be raised: nothing.
-- Why:            each payment is what is expected; R1 judges payments, not sums.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000335', GETDATE(), CAST(GETDATE() AS date), 12, 263.50, 263.50, 0, 0, 'DD COLLECTION');
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000335', GETDATE(), CAST(GETDATE() AS date), 12, 263.50, 263.50, 0, 0, 'DD COLLECTION');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 527.00 WHERE AgreementNumber = 'FRH0000335';
GO
