-- The purpose and the account of an agreement are corrected; its balance and its flag stay.
-- Raised: nothing.

USE SentinelMock;
GO

UPDATE dbo.Agreement
SET AgreementPurpose = CASE AgreementPurpose WHEN 'Home improvement' THEN 'Extension' ELSE 'Home improvement' END,
    AgreementBankAccountName = 'MR A EXAMPLE-SMITH'
WHERE AgreementNumber = 'FRH0000106';
GO
