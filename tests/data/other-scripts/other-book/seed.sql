-- A book of thirty invented agreements on both platforms. Names, numbers and amounts are made up.
-- FRH: secured (types 113, 117, 120). FRU, FRM, FRP: unsecured (types 205, 206, 301).
-- Every agreement has Pay, Fee 1 and Fee 2 each month, from six months ago to two years ahead of GETDATE().
-- Running it again changes nothing.

USE SentinelMock;
GO

SET NOCOUNT ON;

IF NOT EXISTS (SELECT 1 FROM dbo.TransactionType)
    INSERT INTO dbo.TransactionType (TransactionTypeID, FKPlatformID, Description)
    VALUES
        (3, 1, 'Refund'),                      (7, 1, 'Bank Transfer'),
        (12, 1, 'Direct Debit'),               (32, 1, 'Card Payment'),
        (50, 1, 'Write-off'),                  (60, 1, 'Goodwill'),
        (70, 1, 'Adjustment'),                 (107, 1, 'Refund of Card Payment'),
        (108, 1, 'Refund of Direct Debit'),    (112, 1, 'Refund of OTP'),
        (1003, 2, 'Refund'),                   (1012, 2, 'Direct Debit'),
        (1032, 2, 'Card Payment'),             (1100, 2, 'Refund DM'),
        (1108, 2, 'Refund of Card Payment'),   (1109, 2, 'Refund of Direct Debit'),
        (1205, 2, 'Chequebase Live Refund'),   (1206, 2, 'Transfer Refund'),
        (1207, 2, 'Cheque Refund'),            (1208, 2, 'Cash Refund'),
        (1210, 2, 'Terminal Refund'),          (1308, 2, 'Refund');
GO

SET NOCOUNT ON;

DECLARE @today      date = CAST(GETDATE() AS date);
DECLARE @this_month date = DATEFROMPARTS(YEAR(@today), MONTH(@today), 1);

-- Age is the number of months since the loan was paid out.
DECLARE @book TABLE (
    Number     varchar(20)   NOT NULL PRIMARY KEY,
    TypeID     int           NOT NULL,
    Borrowers  varchar(100)  NOT NULL,
    Age        int           NOT NULL,
    Term       int           NOT NULL,
    Principal  decimal(18,2) NOT NULL,
    Balance    decimal(18,2) NOT NULL,
    Instalment decimal(18,2) NOT NULL,
    Fee1       decimal(18,2) NOT NULL,
    Fee2       decimal(18,2) NOT NULL,
    DueDay     int           NOT NULL,
    Method     int           NOT NULL,
    Purpose    varchar(100)  NOT NULL
);

INSERT INTO @book
    (Number, TypeID, Borrowers, Age, Term, Principal, Balance, Instalment, Fee1, Fee2, DueDay, Method, Purpose)
VALUES
    ('FRH0000101', 113, 'C700101',         14, 120, 36000.00, 38375.88, 390.37,  8.00,  5.00, 11, 12, 'Home improvement'),
    ('FRH0000102', 117, 'C700102 C700103', 22,  96, 18500.00, 14820.40, 252.10,  6.50,  4.00,  1, 12, 'Debt consolidation'),
    ('FRH0000103', 120, 'C700104',         58,  60, 12000.00,   318.45, 306.45,  8.00,  4.00, 28, 12, 'Vehicle'),
    ('FRH0000104', 113, 'C700105',          9, 180, 42000.00, 44910.25, 371.20,  8.00,  5.00, 15, 12, 'Home improvement'),
    ('FRH0000105', 117, 'C700106',         31, 120, 25000.00, 19875.30, 288.75,  6.50,  4.00,  5, 12, 'Extension'),
    ('FRH0000106', 113, 'C700107 C700108', 17, 144, 30000.00, 29118.66, 301.15,  8.00,  5.00, 20, 12, 'Home improvement'),
    ('FRH0000107', 120, 'C700109',          4,  84, 15000.00, 16240.00, 231.60,  8.00,  4.00,  8, 12, 'Wedding'),
    ('FRH0000108', 113, 'C700110',         40, 120, 22000.00, 15002.18, 248.33,  8.00,  5.00, 25, 12, 'Debt consolidation'),
    ('FRH0000109', 117, 'C700111',         12, 240, 65000.00, 71450.90, 512.44, 10.00,  6.00, 14, 12, 'Extension'),
    ('FRH0000110', 113, 'C700112',         27,  60,  9000.00,  5480.75, 186.20,  6.50,  4.00,  3,  8, 'Home improvement'),
    ('FRH0000111', 120, 'C700113 C700114',  7, 120, 28000.00, 30125.50, 305.00,  8.00,  5.00, 22, 12, 'Vehicle'),
    ('FRH0000112', 117, 'C700115',         50, 180, 54000.00, 41330.07, 468.90, 10.00,  6.00, 17, 12, 'Debt consolidation'),
    ('FRU0000201', 205, 'C710201',         11,  36,  5000.00,  3890.15, 168.40,  4.00,  2.00,  6, 12, 'Holiday'),
    ('FRU0000202', 205, 'C710202',         35,  36,  4000.00,   141.80, 135.80,  4.00,  2.00, 12,  8, 'Furniture'),
    ('FRU0000203', 205, 'C710203',         18,  48,  8000.00,  6120.00, 214.00,  4.00,  2.00, 19, 12, 'Debt consolidation'),
    ('FRU0000204', 301, 'C710204',         29,  36,  3000.00,  1475.60, 101.25,  3.00,  1.50, 27,  8, 'Repairs'),
    ('FRU0000205', 206, 'C710205 C710206',  5,  60, 10000.00, 10420.33, 219.90,  4.00,  2.00,  2, 12, 'Home improvement'),
    ('FRU0000206', 205, 'C710207',         20,  24,  2500.00,   905.12, 121.35,  4.00,  2.00,  9,  8, 'Holiday'),
    ('FRU0000207', 301, 'C710208',          2,  36,  3500.00,  3610.00, 117.10,  3.00,  1.50, 16, 12, 'Vehicle'),
    ('FRU0000208', 206, 'C710209',         16,  48,  7500.00,  5744.81, 199.85,  4.00,  2.00, 23, 12, 'Debt consolidation'),
    ('FRM0000301', 206, 'C720301 C720302', 13,  60, 12500.00, 10250.00, 220.50,  6.00,  3.50,  1,  8, 'Home improvement'),
    ('FRM0000302', 205, 'C720303',         24,  48,  6000.00,  3925.74, 160.20,  4.00,  2.00, 10,  8, 'Repairs'),
    ('FRM0000303', 206, 'C720304',          8,  36,  4800.00,  4010.05, 158.75,  4.00,  2.00, 13, 12, 'Furniture'),
    ('FRM0000304', 301, 'C720305',         33,  60,  9200.00,  5210.90, 189.30,  4.00,  2.00, 21,  8, 'Wedding'),
    ('FRM0000305', 205, 'C720306',          3,  24,  2000.00,  2045.60,  98.40,  3.00,  1.50, 28, 12, 'Holiday'),
    ('FRP0000401', 301, 'C730401',         10,  24,  3100.00,  2480.00, 150.00,  3.50,  1.50, 20,  8, 'Home improvement'),
    ('FRP0000402', 205, 'C730402',         15,  36,  4200.00,  3017.25, 144.00,  4.00,  2.00,  7,  8, 'Vehicle'),
    ('FRP0000403', 206, 'C730403',         21,  48,  6800.00,  4777.77, 181.05,  4.00,  2.00, 18, 12, 'Debt consolidation'),
    ('FRP0000404', 301, 'C730404 C730405',  6,  36,  3900.00,  3702.49, 130.60,  3.50,  1.50, 24,  8, 'Repairs'),
    ('FRP0000405', 205, 'C730406',         26,  36,  5100.00,  2130.08, 172.20,  4.00,  2.00,  4, 12, 'Holiday');

INSERT INTO dbo.Agreement (
    AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementDate, AgreementContractEndDate,
    AgreementNumPayments, AgreementPrincipal, AgreementOriginalPrincipal, AgreementCurrentBalanceNET,
    AgreementInstalmentNET, AgreementPaymentMethod, AgreementAgreementTypeID, AgreementPurpose,
    AgreementFirstPaymentDate, AgreementDueDay, AgreementBankSortCode, AgreementBankAccountNumber, AgreementBankAccountName)
SELECT
    b.Number,
    LEFT(b.Borrowers, 7),
    b.Borrowers,
    DATEADD(DAY, b.DueDay - 1, DATEADD(MONTH, -b.Age, @this_month)),
    DATEADD(DAY, b.DueDay - 1, DATEADD(MONTH, b.Term - b.Age, @this_month)),
    b.Term,
    b.Principal,
    b.Principal,
    b.Balance,
    b.Instalment,
    b.Method,
    b.TypeID,
    b.Purpose,
    DATEADD(DAY, b.DueDay - 1, DATEADD(MONTH, 1 - b.Age, @this_month)),
    b.DueDay,
    '00-00-00',
    RIGHT('00000000' + RIGHT(b.Number, 4), 8),
    'MR A EXAMPLE'
FROM @book AS b
WHERE NOT EXISTS (SELECT 1 FROM dbo.Agreement AS a WHERE a.AgreementNumber = b.Number);

-- Due days go up to 28, so every month has them.
WITH Months AS (
    SELECT -6 AS N
    UNION ALL
    SELECT N + 1 FROM Months WHERE N < 24
)
INSERT INTO dbo.PaymentProfile (
    PayProAgreementNumber, PayProDate, PayProNetAmount, PayProPrincipal, PayProInterest, PayProType, PayProFeeOrInsID,
    PayProFallenDue)
SELECT
    b.Number,
    d.DueDate,
    p.Amount,
    CASE WHEN p.PayProType = 'Pay' THEN ROUND(p.Amount * 0.7, 2) END,
    CASE WHEN p.PayProType = 'Pay' THEN p.Amount - ROUND(p.Amount * 0.7, 2) END,
    p.PayProType,
    p.FeeID,
    CASE WHEN d.DueDate < @today THEN 1 ELSE 0 END
FROM @book AS b
CROSS JOIN Months AS m
CROSS APPLY (VALUES (DATEADD(DAY, b.DueDay - 1, DATEADD(MONTH, m.N, @this_month)))) AS d (DueDate)
CROSS APPLY (VALUES ('Pay', 0, b.Instalment), ('Fee', 1, b.Fee1), ('Fee', 2, b.Fee2)) AS p (PayProType, FeeID, Amount)
WHERE NOT EXISTS (SELECT 1 FROM dbo.PaymentProfile AS x WHERE x.PayProAgreementNumber = b.Number)
ORDER BY b.Number, d.DueDate, p.FeeID;

-- Arrangements: two in force, one a payment holiday, one ended, one deleted.
INSERT INTO dbo.CustomProfile (CPAgreement, CPAmount, CPDayOfMonth, CPStartDate, CPOnGoing, CPDeleted, CPRepaymentMethod)
SELECT v.Number, v.Amount, b.DueDay, DATEADD(MONTH, -2, @this_month), v.OnGoing, v.Deleted, b.Method
FROM (VALUES
    ('FRU0000203', 100.00, 1, 0),
    ('FRH0000108', 180.00, 1, 0),
    ('FRM0000302',   0.00, 1, 0),
    ('FRU0000206',  60.00, 0, 0),
    ('FRP0000403',  90.00, 1, 1)
) AS v (Number, Amount, OnGoing, Deleted)
INNER JOIN @book AS b ON b.Number = v.Number
WHERE NOT EXISTS (SELECT 1 FROM dbo.CustomProfile AS c WHERE c.CPAgreement = v.Number);
GO
