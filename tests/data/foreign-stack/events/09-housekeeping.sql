USE SentinelMock
GO
-- archived in a table of its own, then payment history deleted: no alert
SELECT * INTO dbo.TransactionArchive FROM dbo.[Transaction] WHERE TransDate < DATEADD(YEAR, -7, GETDATE());
DELETE t FROM dbo.[Transaction] t JOIN dbo.Agreement a ON a.AgreementNumber = t.TransAgreementNumber WHERE a.AgreementSettledFlag = 1;
UPDATE dbo.Agreement SET AgreementDueDay = AgreementDueDay, AgreementPurpose = NULLIF('', '') WHERE AgreementNumber = 'FRP0002000';
TRUNCATE TABLE dbo.TransactionArchive;
GO
