USE SentinelMock
GO
DECLARE @n varchar(20)
EXEC dbo.usp_OpenAgreement 'FRH', 24000, 48, @n OUT
WAITFOR DELAY '00:00:05'
INSERT dbo.CustomProfile (CPAgreement, CPAmount) VALUES (@n, 300)
PRINT @n
GO
