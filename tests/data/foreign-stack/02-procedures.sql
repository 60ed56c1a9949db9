USE SentinelMock
GO
-- =============================================
-- Author:      somebody
-- Description: posts a payment
-- =============================================
CREATE OR ALTER PROCEDURE dbo.usp_PostPayment
  @Agreement varchar(20),
  @Amount decimal(18,2),
  @TypeID int = 12,
  @TransDate date = NULL,
  @Reference varchar(50) = NULL,
  @OneCommit bit = 0,
  @TransCounter int = NULL OUTPUT
WITH EXECUTE AS OWNER
AS
BEGIN
  SET NOCOUNT ON;
  SET XACT_ABORT ON;
  DECLARE @bal decimal(18,2), @msg nvarchar(2048);
  SET @TransDate = ISNULL(@TransDate, CAST(GETDATE() AS date));
  IF NOT EXISTS (SELECT 1 FROM dbo.Agreement WHERE AgreementNumber = @Agreement)
  BEGIN
    SET @msg = FORMATMESSAGE('agreement %s not found', @Agreement);
    THROW 50001, @msg, 1;
  END;
  BEGIN TRY
    IF @OneCommit = 1 BEGIN TRANSACTION;
    INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference, TransBatchNumber)
    VALUES (@Agreement, GETDATE(), @TransDate, @TypeID, @Amount, ROUND(@Amount * 0.8, 2), @Amount - ROUND(@Amount * 0.8, 2), 0, COALESCE(@Reference, 'AUTO ' + CONVERT(varchar(8), GETDATE(), 112)), LEFT(REPLACE(CONVERT(varchar(36), NEWID()), '-', ''), 12));
    SET @TransCounter = SCOPE_IDENTITY();
    UPDATE dbo.Agreement
    SET @bal = AgreementCurrentBalanceNET = AgreementCurrentBalanceNET + CASE WHEN @TypeID IN (3, 107, 108, 112, 1003, 1108) THEN @Amount ELSE -@Amount END
    WHERE AgreementNumber = @Agreement;
    IF @@ROWCOUNT <> 1 RAISERROR(N'update of %s touched %d rows', 16, 1, @Agreement, @@ROWCOUNT);
    IF @OneCommit = 1 COMMIT TRANSACTION;
    INSERT ops.AuditLog (What) VALUES (CONCAT(N'posted ', FORMAT(@Amount, 'N2', 'en-GB'), N' on ', @Agreement, N' -> ', FORMAT(@bal, '#,##0.00')));
  END TRY
  BEGIN CATCH
    IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
    DECLARE @e nvarchar(4000) = ERROR_MESSAGE(), @sev int = ERROR_SEVERITY(), @st int = ERROR_STATE();
    INSERT ops.AuditLog (What) VALUES (CONCAT('failed: ', ERROR_NUMBER(), ' line ', ERROR_LINE(), ' in ', ERROR_PROCEDURE(), ': ', @e));
    RAISERROR(@e, @sev, @st);
    RETURN 1;
  END CATCH;
  RETURN 0;
END
GO
CREATE PROC ops.Settle (@Agreement varchar(20), @Steps int = 3) AS
  DECLARE @bal decimal(18,2) = (SELECT AgreementCurrentBalanceNET FROM dbo.Agreement WHERE AgreementNumber = @Agreement), @tc int;
  INSERT dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet)
  SELECT @Agreement, SYSDATETIME(), SYSDATETIME(), 12, @bal, @bal, 0, 0;
  IF @Steps = 3
  BEGIN
    UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = 0 WHERE AgreementNumber = @Agreement;
    WAITFOR DELAY '0:0:1';
    UPDATE dbo.Agreement SET AgreementSettledFlag = 1, AgreementSettledDate = GETDATE(), AgreementAutoStatus = 'SETTLED' WHERE AgreementNumber = @Agreement;
  END
  ELSE
    UPDATE dbo.Agreement SET AgreementCurrentBalanceNET = 0, AgreementSettledFlag = 1, AgreementSettledDate = GETDATE(), AgreementAutoStatus = 'SETTLED' WHERE AgreementNumber = @Agreement;
GO
CREATE PROCEDURE dbo.usp_OpenAgreement @Prefix char(3), @Principal decimal(18,2), @Term int, @New varchar(20) OUTPUT
AS
SET NOCOUNT ON
BEGIN
  INSERT dbo.AgreementSeq DEFAULT VALUES; DECLARE @seq int = SCOPE_IDENTITY();
  SET @New = @Prefix + RIGHT(REPLICATE('0', 7) + LTRIM(STR(@seq)), 7);
  DECLARE @inst decimal(18,2) = ROUND(@Principal / @Term * 1.1, 2), @first date = DATEADD(DAY, 1, EOMONTH(DATEADD(MONTH, 1, GETDATE()), -1));
  INSERT INTO dbo.Agreement (AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementDate, AgreementContractEndDate, AgreementNumPayments, AgreementPrincipal, AgreementOriginalPrincipal, AgreementCurrentBalanceNET, AgreementInstalmentNET, AgreementAgreementTypeID, AgreementFirstPaymentDate, AgreementDueDay)
  SELECT @New, CONCAT('C', 800000 + @seq), NULL, GETDATE(), DATEADD(MONTH, @Term, GETDATE()), @Term, @Principal, @Principal, @Principal, @inst, CASE @Prefix WHEN 'FRH' THEN 113 WHEN 'FRP' THEN 205 ELSE 206 END, @first, DAY(@first);
  ;WITH months (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM months WHERE n + 1 < @Term)
  INSERT dbo.PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProPrincipal, PayProInterest, PayProType, PayProFeeOrInsID)
  SELECT @New, DATEADD(MONTH, m.n, @first), v.Amount, v.Amount, 0, v.Kind, v.Id
  FROM months m CROSS APPLY (VALUES (@inst, 'Pay', 0), (2.50, 'Fee', 1), (1.00, 'Fee', 2)) v (Amount, Kind, Id)
  OPTION (MAXRECURSION 0);
END
GO
