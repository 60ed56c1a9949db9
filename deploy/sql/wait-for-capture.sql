-- Succeeds when the capture job has reached the end of the log once; fails after two minutes, which means that SQL Server's agent does
-- not run (MSSQL_AGENT_ENABLED).

USE SentinelMock;
GO
DECLARE @tries int = 0;
WHILE sys.fn_cdc_get_max_lsn() IS NULL AND @tries < 60
BEGIN
    WAITFOR DELAY '00:00:02';
    SET @tries += 1;
END;
IF sys.fn_cdc_get_max_lsn() IS NULL
    THROW 50000, N'change data capture has captured nothing for two minutes: is SQL Server''s agent running?', 1;
GO
