-- What happens:  FRM0001620 has a payment holiday, a custom profile of 0.00, and pays 20.00 all the same.
-- Must be raised: R1 overpayment, FRM0001620.
-- Why:            nothing is expected, so anything is over it.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRM0001620', GETDATE(), CAST(GETDATE() AS date), 1032, 20.00, 20.00, 0, 0, 'CARD 7781');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 20.00 WHERE AgreementNumber = 'FRM0001620';
GO
