-- A returned direct debit on a secured agreement, and a refund on an unsecured one: the balances rise.
-- Raised: R5 for each. Refunds are always raised, whatever the amount.

USE SentinelMock;
GO

-- Secured: type 108, Refund of Direct Debit.
INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference)
VALUES ('FRH0000102', CAST(GETDATE() AS date), 108, 262.60, 262.60, 'INDEMNITY CLAIM');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET + 262.60
WHERE AgreementNumber = 'FRH0000102';
GO

-- Unsecured: type 1003, Refund.
INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference)
VALUES ('FRU0000201', CAST(GETDATE() AS date), 1003, 45.00, 45.00, 'REFUND OVERPAYMENT');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET + 45.00
WHERE AgreementNumber = 'FRU0000201';
GO
