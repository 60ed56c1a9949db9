-- What happens:  FRH0000348 gets another due day, another payment method and a corrected bank account name.
-- Must be raised: nothing.
-- Why:            no money moves.

USE SentinelMock;
GO

SET NOCOUNT ON;

UPDATE dbo.Agreement
SET AgreementDueDay = 21, AgreementPaymentMethod = 8, AgreementBankAccountName = 'MX B EXAMPLE-SMITH'
WHERE AgreementNumber = 'FRH0000348';
GO
