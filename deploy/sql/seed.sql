-- A small book of invented agreements, with schedules from six months ago to two years ahead of today. Can be run again.

USE SentinelMock;
GO

SET NOCOUNT ON;

DELETE FROM dbo.[Transaction];
DELETE FROM dbo.CustomProfile;
DELETE FROM dbo.PaymentProfile;
DELETE FROM dbo.Agreement;
DELETE FROM dbo.TransactionType;
GO

INSERT INTO dbo.TransactionType (TransactionTypeID, FKPlatformID, Description) VALUES
    (3, 1, 'Refund'), (7, 1, 'Direct Debit (manual)'), (12, 1, 'Direct Debit'), (32, 1, 'Card Payment'), (50, 1, 'Write-off'), (60, 1, 'Goodwill'),
    (70, 1, 'Adjustment'), (107, 1, 'Refund of Card Payment'), (108, 1, 'Refund of Direct Debit'), (112, 1, 'Refund of OTP'),
    (1003, 2, 'Refund'), (1012, 2, 'Direct Debit'), (1032, 2, 'Card Payment'), (1100, 2, 'Refund DM'), (1108, 2, 'Refund of Card Payment'),
    (1109, 2, 'Refund of Direct Debit'), (1205, 2, 'Chequebase Live Refund'), (1206, 2, 'Transfer Refund'), (1207, 2, 'Cheque Refund'),
    (1208, 2, 'Cash Refund'), (1210, 2, 'Terminal Refund'), (1308, 2, 'Refund');
GO

-- Monthly figures first; dates are counted from today, so that the book is never out of date.
CREATE TABLE #Book (
    Number varchar(20), Customer varchar(20), Borrowers varchar(100), MonthsAgo int, Term int, Principal decimal(18,2), Balance decimal(18,2),
    Instalment decimal(18,2), Fee1 decimal(18,2), Fee2 decimal(18,2), TypeID int, Purpose varchar(100), DueDay int, Method int
);

INSERT INTO #Book VALUES
    ('FRH0000291', 'C635824', 'C635824 C635825', 38, 120, 45000.00, 38375.50, 400.00, 2.50, 1.00, 113, 'Home improvement', 12, 12),
    ('FRP0002871', 'C710033', 'C710033', 10, 36, 5000.00, 3780.00, 155.00, 0.00, 0.00, 205, 'Car', 5, 8),
    ('FRM0001544', 'C688120', 'C688120', 14, 60, 12500.00, 10250.00, 225.00, 3.00, 2.00, 206, 'Debt consolidation', 15, 8),
    ('FRH0000310', 'C635990', 'C635990 C635991', 30, 84, 30000.00, 21740.25, 412.00, 2.50, 1.00, 117, 'Home improvement', 20, 12),
    ('FRP0002904', 'C711207', 'C711207', 6, 24, 3000.00, 2415.75, 142.50, 1.25, 0.75, 205, 'Holiday', 8, 12),
    ('FRH0000150', 'C634001', 'C634001', 118, 120, 40000.00, 403.50, 400.00, 2.50, 1.00, 113, 'Home improvement', 12, 12),
    ('FRM0000777', 'C680777', 'C680777', 20, 36, 8000.00, 310.40, 305.40, 3.00, 2.00, 206, 'Wedding', 10, 12),
    ('FRP0003010', 'C712310', 'C712310', 9, 48, 6500.00, 5320.00, 155.00, 0.00, 0.00, 205, 'Car', 3, 12),
    ('FRM0001620', 'C689404', 'C689404 C689405', 16, 60, 9000.00, 7310.60, 180.00, 3.00, 2.00, 206, 'Debt consolidation', 25, 12),
    ('FRH0000322', 'C636100', 'C636100', 26, 96, 26000.00, 20115.00, 330.00, 2.50, 1.00, 120, 'Extension', 18, 12),
    ('FRH0000335', 'C636213', 'C636213', 22, 84, 18000.00, 14280.00, 260.00, 2.50, 1.00, 113, 'Roof', 7, 12),
    ('FRM0001702', 'C690115', 'C690115', 12, 36, 7500.00, 5900.00, 240.00, 3.00, 2.00, 206, NULL, 28, 12),
    ('FRP0003055', 'C712870', 'C712870', 8, 24, 2400.00, 1750.00, 110.00, 1.25, 0.75, 205, 'Furniture', 1, 12),
    ('FRH0000348', 'C636377', 'C636377 C636378', 41, 120, 52000.00, 43120.80, 455.00, 2.50, 1.00, 117, 'Debt consolidation', 14, 12),
    ('FRH0000500', 'C700000', 'C700000 C700001', 13, 84, 12936.00, 11642.00, 220.00, 2.50, 1.00, 113, 'Car', 27, 12),
    ('FRM0002107', 'C700113', 'C700113', 3, 36, 10634.00, 5317.00, 422.00, 3.00, 2.00, 206, 'Car', 12, 12),
    ('FRP0003214', 'C700226', 'C700226', 19, 36, 7156.00, 3291.00, 284.00, 1.25, 0.75, 205, 'Home improvement', 1, 8),
    ('FRH0000521', 'C700339', 'C700339', 10, 36, 7509.00, 3829.00, 298.00, 2.50, 1.00, 113, NULL, 6, 12),
    ('FRM0002128', 'C700452', 'C700452 C700453', 16, 36, 10231.00, 4910.00, 406.00, 3.00, 2.00, 206, 'Home improvement', 1, 12),
    ('FRP0003235', 'C700565', 'C700565', 7, 36, 5040.00, 2520.00, 200.00, 1.25, 0.75, 205, 'Holiday', 11, 12),
    ('FRH0000542', 'C700678', 'C700678', 8, 84, 25695.00, 13104.00, 437.00, 2.50, 1.00, 113, 'Home improvement', 13, 12),
    ('FRM0002149', 'C700791', 'C700791', 15, 24, 4603.00, 2301.00, 274.00, 3.00, 2.00, 301, 'Home improvement', 9, 12),
    ('FRP0003256', 'C700904', 'C700904 C700905', 2, 48, 8198.00, 6394.00, 244.00, 1.25, 0.75, 205, 'Holiday', 3, 12),
    ('FRH0000563', 'C701017', 'C701017', 17, 48, 8265.00, 6942.00, 246.00, 2.50, 1.00, 113, 'Holiday', 6, 12),
    ('FRM0002170', 'C701130', 'C701130', 7, 60, 18900.00, 8127.00, 450.00, 3.00, 2.00, 206, 'Holiday', 1, 8),
    ('FRP0003277', 'C701243', 'C701243', 2, 48, 9945.00, 7458.00, 296.00, 1.25, 0.75, 205, NULL, 12, 12),
    ('FRH0000584', 'C701356', 'C701356 C701357', 16, 84, 5527.00, 2321.00, 94.00, 2.50, 1.00, 113, 'Home improvement', 20, 12),
    ('FRM0002191', 'C701469', 'C701469', 9, 24, 7996.00, 7356.00, 476.00, 3.00, 2.00, 206, NULL, 12, 8),
    ('FRP0003298', 'C701582', 'C701582', 10, 48, 12028.00, 10704.00, 358.00, 1.25, 0.75, 205, NULL, 4, 8),
    ('FRH0000605', 'C701695', 'C701695', 3, 48, 8097.00, 5424.00, 241.00, 2.50, 1.00, 113, 'Car', 7, 12);

DECLARE @today date = CAST(GETDATE() AS date);
DECLARE @thisMonth date = DATEFROMPARTS(YEAR(@today), MONTH(@today), 1);

INSERT INTO dbo.Agreement (
    AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementDate, AgreementContractEndDate, AgreementNumPayments,
    AgreementPrincipal, AgreementOriginalPrincipal, AgreementCurrentBalanceNET, AgreementInstalmentNET, AgreementPaymentMethod,
    AgreementAgreementTypeID, AgreementPurpose, AgreementFirstPaymentDate, AgreementDueDay,
    AgreementBankSortCode, AgreementBankAccountNumber, AgreementBankAccountName)
SELECT
    b.Number, b.Customer, b.Borrowers, DATEADD(month, -b.MonthsAgo, @today), DATEADD(month, b.Term - b.MonthsAgo, @today), b.Term,
    b.Principal, b.Principal, b.Balance, b.Instalment, b.Method,
    b.TypeID, b.Purpose, DATEADD(day, b.DueDay - 1, DATEADD(month, 1 - b.MonthsAgo, @thisMonth)), b.DueDay,
    '00-00-00', RIGHT('00000000' + RIGHT(b.Customer, 6), 8), 'MX A EXAMPLE'
FROM #Book AS b;

-- Three rows a month: the instalment and two fees.
DECLARE @month int = -6;
WHILE @month <= 24
BEGIN
    DECLARE @first date = DATEADD(month, @month, @thisMonth);

    INSERT INTO dbo.PaymentProfile (
        PayProAgreementNumber, PayProDate, PayProNetAmount, PayProPrincipal, PayProInterest, PayProType, PayProFeeOrInsID, PayProFallenDue)
    SELECT b.Number, DATEADD(day, b.DueDay - 1, @first), b.Instalment, b.Instalment - b.Instalment * 0.3, b.Instalment * 0.3, 'Pay', 0,
        CASE WHEN DATEADD(day, b.DueDay - 1, @first) < @today THEN 1 ELSE 0 END
    FROM #Book AS b
    UNION ALL
    SELECT b.Number, DATEADD(day, b.DueDay - 1, @first), f.Amount, NULL, NULL, 'Fee', f.ID,
        CASE WHEN DATEADD(day, b.DueDay - 1, @first) < @today THEN 1 ELSE 0 END
    FROM #Book AS b
    CROSS APPLY (VALUES (1, b.Fee1), (2, b.Fee2)) AS f (ID, Amount);

    SET @month += 1;
END

INSERT INTO dbo.CustomProfile (CPAgreement, CPAmount, CPDayOfMonth, CPStartDate, CPOnGoing, CPDeleted) VALUES
    ('FRP0003010', 50.00, 3, DATEADD(month, -1, @today), 1, 0),   -- a reduced arrangement
    ('FRM0001620', 0.00, 25, DATEADD(month, -1, @today), 1, 0),   -- a payment holiday
    ('FRH0000291', 90.00, 12, DATEADD(month, -9, @today), 0, 0),  -- over
    ('FRM0001544', 120.00, 15, DATEADD(month, -5, @today), 1, 1); -- deleted

DROP TABLE #Book;

PRINT CONCAT('book of ', (SELECT COUNT(*) FROM dbo.Agreement), ' agreements, ', (SELECT COUNT(*) FROM dbo.PaymentProfile), ' profile rows');
GO
