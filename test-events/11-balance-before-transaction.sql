-- What happens:  the balance of FRH0000322 falls by 3,100.00 before the payment of that amount is written.
-- Must be raised: R1 overpayment and R2 lump sum, FRH0000322.
-- Why:            a balance update may come first; the two still belong together, so the alerts show the balances.

USE SentinelMock;
GO

SET NOCOUNT ON;

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 3100.00 WHERE AgreementNumber = 'FRH0000322';
GO

WAITFOR DELAY '00:00:02';
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000322', GETDATE(), CAST(GETDATE() AS date), 32, 3100.00, 3100.00, 0, 0, 'CARD 3345');
GO
