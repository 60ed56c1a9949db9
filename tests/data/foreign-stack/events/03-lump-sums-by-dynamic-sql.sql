USE SentinelMock
GO
EXEC('EXEC dbo.usp_PostPayment @Agreement = ''FRH0002002'', @Amount = 3000.01, @TypeID = 32');
EXEC sp_executesql N'EXEC dbo.usp_PostPayment @Agreement = @a, @Amount = @m, @TypeID = 32', N'@a varchar(20), @m decimal(18,2)', @a = 'FRM0002004', @m = 3000.00;
GO
