-- The balance falls two seconds before its payment is booked.
-- Raised: nothing. The change waits for its payment, and the payment is what was due.

USE SentinelMock;
GO

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 384.20
WHERE AgreementNumber = 'FRH0000104';

WAITFOR DELAY '00:00:02';

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES
    ('FRH0000104', CAST(GETDATE() AS date), 12, 384.20, 250.00, 121.20, 13.00, 'DD');
GO
