-- What happens:  FRP0003010 pays 155.00, its old instalment, although an arrangement of 50.00 a month runs.
-- Must be raised: R1 overpayment, FRP0003010.
-- Why:            the custom profile goes before the schedule: 155.00 is 310 % of the 50.00 expected. R1 allows type 205 to pay 100 %
--                 over, that is 100.00.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRP0003010', GETDATE(), CAST(GETDATE() AS date), 1012, 155.00, 155.00, 0, 0, 'DD OLD AMOUNT');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 155.00 WHERE AgreementNumber = 'FRP0003010';
GO
