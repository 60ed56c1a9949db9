-- A loan is paid out. Its schedule follows at once; its custom profile only five seconds later.
-- Raised: R4. The profiles are not captured, so the alert may come before they can be read.

USE SentinelMock;
GO

SET NOCOUNT ON;

DELETE FROM dbo.CustomProfile WHERE CPAgreement = 'FRU0000250';
DELETE FROM dbo.PaymentProfile WHERE PayProAgreementNumber = 'FRU0000250';
DELETE FROM dbo.Agreement WHERE AgreementNumber = 'FRU0000250';
GO

DECLARE @today date = CAST(GETDATE() AS date);
-- The first payment is due on the 15th of the month after next, whatever day today is.
DECLARE @first date = DATEADD(DAY, 14, DATEADD(MONTH, 2, DATEFROMPARTS(YEAR(@today), MONTH(@today), 1)));

INSERT INTO dbo.Agreement
    (AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementDate, AgreementContractEndDate,
     AgreementNumPayments, AgreementPrincipal, AgreementOriginalPrincipal, AgreementCurrentBalanceNET,
     AgreementInstalmentNET, AgreementAutoStatus, AgreementSettledFlag, AgreementPaymentMethod, AgreementAgreementTypeID,
     AgreementPurpose, AgreementFirstPaymentDate, AgreementDueDay, AgreementBankSortCode, AgreementBankAccountNumber,
     AgreementBankAccountName)
VALUES
    ('FRU0000250', 'C710250', 'C710250 C710251', @today, DATEADD(MONTH, 35, @first), 36, 6000.00, 6000.00, 7380.00,
     199.00, 'LIVE (Primary)', 0, 12, 205, 'Home improvement', @first, 15, '00-00-00', '00000250', 'MS B EXAMPLE');

DECLARE @month int = 0;
WHILE @month < 36
BEGIN
    INSERT INTO dbo.PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType, PayProFeeOrInsID)
    VALUES ('FRU0000250', DATEADD(MONTH, @month, @first), 199.00, 'Pay', 0),
           ('FRU0000250', DATEADD(MONTH, @month, @first),   4.00, 'Fee', 1),
           ('FRU0000250', DATEADD(MONTH, @month, @first),   2.00, 'Fee', 2);
    SET @month += 1;
END;

WAITFOR DELAY '00:00:05';

INSERT INTO dbo.CustomProfile (CPAgreement, CPAmount, CPFrequencyType, CPDayOfMonth, CPStartDate, CPOnGoing, CPDeleted)
VALUES ('FRU0000250', 205.00, 3, 15, @first, 1, 0);
GO
