USE SentinelMock
GO
DECLARE @j int = 1, @agr varchar(20), @pfx char(3);
WHILE 1 = 1
BEGIN
  IF @j > 12 BREAK;
  SELECT @pfx = CASE @j % 3 WHEN 0 THEN 'FRH' WHEN 1 THEN 'FRP' ELSE 'FRM' END;
  EXEC dbo.usp_OpenAgreement @Prefix = @pfx, @Principal = 12000, @Term = 24, @New = @agr OUTPUT;
  SET @j += 1;
END
-- live for three months already
UPDATE dbo.PaymentProfile SET PayProDate = DATEADD(MONTH, -3, PayProDate);
UPDATE dbo.PaymentProfile SET PayProFallenDue = CASE WHEN PayProDate < DATEADD(DAY, 1, EOMONTH(GETDATE(), -1)) THEN 1 ELSE 0 END;
MERGE dbo.CustomProfile AS tgt
USING (VALUES ('FRM2001', 60.00), ('FRP0002003', 0.00)) AS src (Agr, Amt) ON tgt.CPAgreement = src.Agr
WHEN MATCHED THEN UPDATE SET CPAmount = src.Amt
WHEN NOT MATCHED BY TARGET THEN INSERT (CPAgreement, CPAmount) VALUES (src.Agr, src.Amt);
MERGE INTO dbo.CustomProfile WITH (HOLDLOCK) AS t USING (SELECT 'FRM0002001' AS a, CAST(60 AS decimal(18,2)) AS b) AS s ON t.CPAgreement = s.a
WHEN NOT MATCHED THEN INSERT (CPAgreement, CPAmount, CPDayOfMonth) VALUES (s.a, s.b, DAY(GETDATE()))
OUTPUT $action, inserted.CPAgreement;
DELETE FROM dbo.CustomProfile WHERE CPAgreement = 'FRM2001';
SELECT AgreementNumber, SUM(PayProNetAmount) OVER (PARTITION BY PayProAgreementNumber ORDER BY PayProDate ROWS UNBOUNDED PRECEDING) FROM dbo.Agreement a LEFT JOIN dbo.PaymentProfile p ON p.PayProAgreementNumber = a.AgreementNumber WHERE a.AgreementNumber = 'FRP0002000';
GO
