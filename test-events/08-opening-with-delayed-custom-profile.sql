-- What happens:  FRH0000400 is opened, with its schedule; its custom profile follows some seconds later.
-- Must be raised: R4 account opened, FRH0000400.
-- Why:            every opening is an alert. It is judged at once, so it names the schedule's 413.50 and not the custom profile's
--                 300.00; a payment of 413.50 a minute later is measured by the custom profile, and is within 50 % of it.

USE SentinelMock;
GO

SET NOCOUNT ON;

-- where the script ran before: take the agreement away again
DELETE FROM dbo.CustomProfile WHERE CPAgreement = 'FRH0000400';
DELETE FROM dbo.PaymentProfile WHERE PayProAgreementNumber = 'FRH0000400';
DELETE FROM dbo.[Transaction] WHERE TransAgreementNumber = 'FRH0000400';
DELETE FROM dbo.Agreement WHERE AgreementNumber = 'FRH0000400';
GO

DECLARE @today date = CAST(GETDATE() AS date);
DECLARE @first date = DATEADD(month, 1, DATEFROMPARTS(YEAR(@today), MONTH(@today), 12));

INSERT INTO dbo.Agreement (
    AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementDate, AgreementContractEndDate, AgreementNumPayments,
    AgreementPrincipal, AgreementOriginalPrincipal, AgreementCurrentBalanceNET, AgreementInstalmentNET, AgreementPaymentMethod,
    AgreementAgreementTypeID, AgreementPurpose, AgreementFirstPaymentDate, AgreementDueDay)
VALUES (
    'FRH0000400', 'C640112', 'C640112 C640113', @today, DATEADD(month, 60, @today), 60,
    15000.00, 15000.00, 19500.00, 410.00, 12,
    113, 'Home improvement', @first, 12);

DECLARE @n int = 0;
WHILE @n < 60
BEGIN
    INSERT INTO dbo.PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType, PayProFeeOrInsID, PayProFallenDue) VALUES
        ('FRH0000400', DATEADD(month, @n, @first), 410.00, 'Pay', 0, 0),
        ('FRH0000400', DATEADD(month, @n, @first), 2.50, 'Fee', 1, 0),
        ('FRH0000400', DATEADD(month, @n, @first), 1.00, 'Fee', 2, 0);
    SET @n = @n + 1;
END
GO

WAITFOR DELAY '00:00:05';
GO

INSERT INTO dbo.CustomProfile (CPAgreement, CPAmount, CPFrequencyType, CPDayOfMonth, CPStartDate, CPOnGoing, CPDeleted)
VALUES ('FRH0000400', 300.00, 3, 12, CAST(GETDATE() AS date), 1, 0);
GO

WAITFOR DELAY '00:01:00';
GO

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRH0000400', GETDATE(), CAST(GETDATE() AS date), 32, 413.50, 413.50, 0, 0, 'CARD 1220');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 413.50 WHERE AgreementNumber = 'FRH0000400';
GO
