-- What happens:  FRP0002871 pays its instalment of 155.00 by card; both changes are one database transaction.
-- Must be raised: nothing.
-- Why:            155.00 is expected.

USE SentinelMock;
GO

SET NOCOUNT ON;

BEGIN TRANSACTION;
INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRP0002871', GETDATE(), CAST(GETDATE() AS date), 1032, 155.00, 155.00, 0, 0, 'CARD 4471');

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 155.00 WHERE AgreementNumber = 'FRP0002871';
COMMIT TRANSACTION;
GO
