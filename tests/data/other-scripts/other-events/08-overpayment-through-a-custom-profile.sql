-- An arrangement lowers the expected payment from 220.00 to 100.00; the borrower pays 220.00 all the same.
-- Raised: R1. The custom profile counts, not the schedule: 220.00 is 120 % over 100.00.

USE SentinelMock;
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference)
VALUES ('FRU0000203', CAST(GETDATE() AS date), 1012, 220.00, 220.00, 'DD');

UPDATE a
SET a.AgreementCurrentBalanceNET = a.AgreementCurrentBalanceNET - t.TransNetPayment
FROM dbo.Agreement AS a
INNER JOIN dbo.[Transaction] AS t ON t.TransAgreementNumber = a.AgreementNumber
WHERE t.TransCounter = SCOPE_IDENTITY();
GO
