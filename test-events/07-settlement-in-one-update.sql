-- What happens:  the last payment of FRM0000777 comes in by card, and one UPDATE sets balance, flag, date and status.
-- Must be raised: R3 account settled, FRM0000777, with its final payment.
-- Why:            every settlement is an alert, however many messages it takes. 310.40 was due, so the payment is no overpayment.

USE SentinelMock;
GO

SET NOCOUNT ON;

-- where the script ran before: open the agreement again
UPDATE dbo.Agreement
SET AgreementSettledFlag = 0, AgreementSettledDate = NULL, AgreementAutoStatus = 'LIVE (Primary)', AgreementCurrentBalanceNET = 310.40
WHERE AgreementNumber = 'FRM0000777' AND AgreementSettledFlag = 1;
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRM0000777', GETDATE(), CAST(GETDATE() AS date), 1032, 310.40, 310.40, 0, 0, 'CARD FINAL');
GO

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = 0, AgreementSettledFlag = 1, AgreementSettledDate = CAST(GETDATE() AS date), AgreementAutoStatus = 'SETTLED'
WHERE AgreementNumber = 'FRM0000777';
GO
