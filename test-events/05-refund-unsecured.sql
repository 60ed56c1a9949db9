-- What happens:  a card payment of 20.00 on FRP0002904 is refunded.
-- Must be raised: R5 refund, FRP0002904.
-- Why:            type 1108 is a refund of a card payment on the unsecured platform; every refund is an alert, a small one too.

USE SentinelMock;
GO

SET NOCOUNT ON;

INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference)
VALUES ('FRP0002904', GETDATE(), CAST(GETDATE() AS date), 1108, 20.00, 20.00, 0, 0, 'REFUND CARD');
GO

UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET + 20.00 WHERE AgreementNumber = 'FRP0002904';
GO
