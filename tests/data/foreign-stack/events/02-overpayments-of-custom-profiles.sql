USE SentinelMock
GO
EXEC usp_PostPayment @Agreement = 'FRM0002001', @Amount = 553.50, @TypeID = 1032, @OneCommit = 1
EXEC usp_PostPayment @Agreement = N'FRP0002003', @Amount = 0.01
GO
