-- What happens:  this month's instalment of FRP0003055 has fallen due unpaid; it pays 112.00 late.
-- Must be raised: nothing.
-- Why:            no row of this month is left that has not fallen due, so what fell due is what was expected.

USE SentinelMock;
GO

SET NOCOUNT ON;

UPDATE dbo.PaymentProfile
SET PayProFallenDue = 1
WHERE PayProAgreementNumber = 'FRP0003055'
  AND PayProDate <= EOMONTH(GETDATE());
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRP0003055', GETDATE(), CAST(GETDATE() AS date), 1012, 112.00, 112.00, 0, 0, 'DD LATE');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 112.00 WHERE AgreementNumber = 'FRP0003055';
GO
