-- Two equal card payments, then one balance update for both.
-- Raised: nothing. Together they explain the change, and each by itself is what was due.

USE SentinelMock;
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference, TransCurrencyCode)
VALUES ('FRP0000402', CAST(GETDATE() AS date), 1032, 150.00, 150.00, 'CARD 1 OF 2', 'GBP');

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference, TransCurrencyCode)
VALUES ('FRP0000402', CAST(GETDATE() AS date), 1032, 150.00, 150.00, 'CARD 2 OF 2', 'GBP');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 2 * 150.00
WHERE AgreementNumber = 'FRP0000402';
GO
