-- A payment holiday: the custom profile is 0.00, so nothing is expected. The borrower pays 50.00.
-- Raised: R1. With nothing expected, any payment is over it.

USE SentinelMock;
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference)
VALUES ('FRM0000302', CAST(GETDATE() AS date), 1032, 50.00, 50.00, 'CARD 0917');
GO

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 50.00
WHERE AgreementNumber = 'FRM0000302';
GO
