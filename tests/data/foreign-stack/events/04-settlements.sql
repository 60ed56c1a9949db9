USE SentinelMock
GO
EXEC ops.Settle 'FRH0002005'
GO
EXEC ops.Settle @Agreement = 'FRP0002006', @Steps = 1
GO
