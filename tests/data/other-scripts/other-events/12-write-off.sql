-- 900.00 are written off (type 50): the balance falls, but no money came in.
-- Raised: nothing. Write-offs are no payments, whatever their amount.

USE SentinelMock;
GO

-- As it was before, when this script is run again.
UPDATE dbo.Agreement
SET AgreementCurrentBalanceNET = 1475.60
WHERE AgreementNumber = 'FRU0000204' AND AgreementCurrentBalanceNET < 900.00;
GO

BEGIN TRY
    BEGIN TRANSACTION;

    INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransReference)
    VALUES ('FRU0000204', CAST(GETDATE() AS date), 50, 900.00, 900.00, 'WRITE-OFF');

    UPDATE dbo.Agreement
    SET AgreementCurrentBalanceNET = AgreementCurrentBalanceNET - 900.00
    WHERE AgreementNumber = 'FRU0000204';

    COMMIT TRANSACTION;
END TRY
BEGIN CATCH
    IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
    THROW;
END CATCH;
GO
