USE SentinelMock
GO
-- 12000/24*1.1 = 550 + 3.50
DECLARE @tc int, @rc int;
EXEC @rc = dbo.usp_PostPayment 'FRP0002000', 553.50, @TransCounter = @tc OUTPUT;
PRINT 'rc ' + CAST(@rc AS varchar) + ' counter ' + CAST(@tc AS varchar(12));
GO
