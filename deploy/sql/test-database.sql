-- Marks the database as one in which `tidewaiter replay --target stack` may run scripts. Never run this in production.

USE SentinelMock;
GO
IF NOT EXISTS (SELECT 1 FROM sys.extended_properties WHERE class = 0 AND name = N'tidewaiter.test_database')
    EXEC sys.sp_addextendedproperty @name = N'tidewaiter.test_database', @value = N'yes';
GO
-- Readers see committed rows and hold no locks that a writer would wait for. Set while nobody else is connected.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'SentinelMock' AND is_read_committed_snapshot_on = 0)
    ALTER DATABASE SentinelMock SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
GO
