USE SentinelMock
GO
BEGIN TRY
  EXEC dbo.usp_PostPayment 'NOPE', 1;
END TRY
BEGIN CATCH
  PRINT CONCAT('caught ', ERROR_NUMBER(), ': ', ERROR_MESSAGE());
END CATCH
BEGIN TRY
  -- more than the balance: CK_Bal refuses; nothing may be committed
  EXEC dbo.usp_PostPayment 'FRM0002007', 99999, @OneCommit = 1;
END TRY
BEGIN CATCH
  PRINT 'caught ' + ERROR_MESSAGE();
END CATCH
SELECT What FROM ops.AuditLog ORDER BY Id;
GO
