USE SentinelMock
GO
CREATE TABLE #pay (Agr varchar(20) PRIMARY KEY, Amt decimal(18,2), Late AS (CASE WHEN Amt > 100 THEN 1 ELSE 0 END));
INSERT INTO #pay (Agr, Amt) SELECT TOP 2 PayProAgreementNumber, SUM(PayProNetAmount) FROM dbo.PaymentProfile WHERE PayProDate BETWEEN DATEADD(DAY, 1, EOMONTH(GETDATE(), -1)) AND EOMONTH(GETDATE()) AND PayProAgreementNumber IN ('FRH0002008', 'FRP0002009') GROUP BY PayProAgreementNumber HAVING COUNT(*) = 3 ORDER BY 1;
DECLARE @out TABLE (tc int, agr varchar(20), amt decimal(18,2));
INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet)
OUTPUT inserted.TransCounter, inserted.TransAgreementNumber, inserted.TransNetPayment INTO @out (tc, agr, amt)
SELECT Agr, GETDATE(), GETDATE(), 12, Amt, Amt, 0, 0 FROM #pay;
UPDATE a SET a.AgreementCurrentBalanceNET -= o.amt FROM dbo.Agreement AS a INNER JOIN @out AS o ON a.AgreementNumber = o.agr;
DROP TABLE #pay;
GO
