-- Three months of arrears are paid at once and booked to the last day of last month, whose rows have fallen due.
-- Raised: R1. One month's 299.25 was expected for that month (source fallen_due), 897.75 came. Not R2: below 3,000.00.

USE SentinelMock;
GO

DECLARE @agreement varchar(20) = 'FRH0000105';
DECLARE @amount decimal(18,2) = 3 * 299.25;

INSERT INTO dbo.[Transaction]
    (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES
    (@agreement, EOMONTH(GETDATE(), -1), 12, @amount, 640.00, 226.25, 31.50, 'ARREARS');

UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - @amount
WHERE AgreementNumber = @agreement;
GO
