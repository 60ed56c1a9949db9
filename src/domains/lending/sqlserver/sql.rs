//! What the loan book's server is asked, as T-SQL: all of it stands here.
//!
//! It reads three tables and writes none; the login needs CONNECT and
//!
//! ```sql
//! GRANT SELECT ON [dbo].[Agreement] (AgreementNumber, AgreementCustomerNumber, AgreementBorrowers,
//!     AgreementAgreementTypeID, AgreementAgreementDate) TO [tidewaiter];
//! GRANT SELECT ON [dbo].[CustomProfile] (CPAgreement, CPAmount, CPOnGoing, CPDeleted) TO [tidewaiter];
//! GRANT SELECT ON [dbo].[PaymentProfile] (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType,
//!     PayProFallenDue) TO [tidewaiter];
//! ```
//!
//! or SELECT on the whole tables. Every row is found by a seek in these indexes; the first two are the primary keys:
//!
//! ```sql
//! -- Agreement (AgreementNumber), CustomProfile (CPAgreement)
//! CREATE INDEX IX_PaymentProfile_Tidewaiter ON dbo.PaymentProfile (PayProAgreementNumber, PayProDate)
//!     INCLUDE (PayProType, PayProFallenDue, PayProNetAmount);
//! ```
//!
//! Keys are cast to the type and collation that the column itself has, so that it is the parameter that is converted and never
//! the column: a key of nvarchar against a column of varchar would turn each seek into a scan. Amounts come as they are,
//! decimals with their decimals; only MONEY is cast, since the driver knows it as a binary float. They are added up by the code
//! that adds up those of a profile file.
//!
//! No hint stands here. NOLOCK would be a guess (rows read twice, or not at all, or as a transaction left them that was rolled
//! back later). Each SELECT is a transaction of its own, reading what was committed: with READ_COMMITTED_SNAPSHOT on, as
//! Microsoft recommends and Azure has it, without a lock; without it with a lock on the one row that is being read.

use crate::config::daemon::Names;

/// How the questions get into `@asked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One parameter, whatever their number: from compatibility level 130 (SQL Server 2016) on.
    Json,
    /// Two parameters each.
    Values,
}

impl Form {
    pub(super) fn of(compatibility_level: Option<i64>) -> Self {
        if compatibility_level.is_some_and(|level| level >= 130) { Self::Json } else { Self::Values }
    }
}

/// What the server says about a key column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyType {
    /// `varchar`, `nvarchar`, `char` or `nchar`.
    pub(super) name: String,
    /// In characters.
    pub(super) length: usize,
    /// `None` where the server does not tell: its database's own is taken.
    pub(super) collation: Option<String>,
}

impl Default for KeyType {
    /// Sentinel's.
    fn default() -> Self {
        Self { name: "varchar".to_owned(), length: 20, collation: None }
    }
}

/// What decides how the tables must be asked.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// Of Agreement, CustomProfile, PaymentProfile.
    pub(super) keys: [KeyType; 3],
    /// Whether CPAmount and PayProNetAmount are MONEY.
    pub(super) money: [bool; 2],
}

impl Shape {
    /// A longer key is in no row.
    pub(super) fn longest_key(&self) -> usize {
        self.keys.iter().map(|key| key.length).max().unwrap_or_default()
    }
}

/// The tables with their names made safe.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    names: Names,
}

/// Any name as an identifier.
fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

impl Tables {
    pub(super) fn new(names: Names) -> Self {
        Self { names }
    }

    fn column(&self, sentinel: &str) -> String {
        quoted(self.names.column(sentinel))
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.names.schema), quoted(name))
    }

    fn agreement(&self) -> String {
        self.table(&self.names.agreement)
    }

    fn custom_profile(&self) -> String {
        self.table(&self.names.custom_profile)
    }

    fn payment_profile(&self) -> String {
        self.table(&self.names.payment_profile)
    }

    /// The parameters of [`Self::shape`]: each table and its key column.
    pub(super) fn keys(&self) -> [String; 6] {
        [
            self.agreement(),
            self.names.column("AgreementNumber").to_owned(),
            self.custom_profile(),
            self.names.column("CPAgreement").to_owned(),
            self.payment_profile(),
            self.names.column("PayProAgreementNumber").to_owned(),
        ]
    }

    /// Asked once in a while: the compatibility level, the key columns, and of each table an empty result that shows its
    /// columns' types. What may not be read, or is not there, is an error here.
    pub(super) fn shape(&self) -> String {
        let (agreement, custom_profile, payment_profile) = (self.agreement(), self.custom_profile(), self.payment_profile());
        let column = |name| self.column(name);
        format!(
            "/* tidewaiter: shape */
SELECT CAST(d.compatibility_level AS int) AS level
FROM sys.databases AS d
WHERE d.database_id = DB_ID();

SELECT k.place, CAST(TYPE_NAME(c.system_type_id) AS nvarchar(128)) AS type, CAST(c.max_length AS int) AS bytes,
    CAST(c.collation_name AS nvarchar(128)) AS collation
FROM (VALUES (0, @P1, @P2), (1, @P3, @P4), (2, @P5, @P6)) AS k (place, table_name, column_name)
INNER JOIN sys.columns AS c ON c.object_id = OBJECT_ID(k.table_name) AND c.name = k.column_name;

SELECT TOP (0) {number}, {customer}, {borrowers}, {kind}, {date} FROM {agreement};
SELECT TOP (0) {cp_number}, {cp_amount}, {on_going}, {deleted} FROM {custom_profile};
SELECT TOP (0) {pp_number}, {pp_amount}, {pp_date}, {pp_type}, {fallen_due} FROM {payment_profile};",
            number = column("AgreementNumber"),
            customer = column("AgreementCustomerNumber"),
            borrowers = column("AgreementBorrowers"),
            kind = column("AgreementAgreementTypeID"),
            date = column("AgreementAgreementDate"),
            cp_number = column("CPAgreement"),
            cp_amount = column("CPAmount"),
            on_going = column("CPOnGoing"),
            deleted = column("CPDeleted"),
            pp_number = column("PayProAgreementNumber"),
            pp_amount = column("PayProNetAmount"),
            pp_date = column("PayProDate"),
            pp_type = column("PayProType"),
            fallen_due = column("PayProFallenDue"),
        )
    }

    /// What is expected of so many agreements, each for a month. Four results: Agreement's rows, the custom profiles that
    /// count, the payment profiles' rows that do, and how many were asked about.
    ///
    /// The questions come as `[[place, number, month], …]` in `@P1`, or as `@P1`, `@P2` and so on, number and month in turn; a
    /// month is its first day or null, and a number that is null is not asked about.
    pub(super) fn expected(&self, shape: &Shape, questions: usize) -> String {
        let length = shape.longest_key();
        let asked = match shape.form {
            Form::Json => {
                format!("OPENJSON(@P1) WITH (place int '$[0]', number nvarchar({length}) '$[1]', month date '$[2]') AS q")
            }
            Form::Values => {
                let rows = (0..questions).map(|place| {
                    let (number, month) = (2 * place + 1, 2 * place + 2);
                    format!("({place}, CAST(@P{number} AS nvarchar({length})), CAST(@P{month} AS date))")
                });
                format!("(VALUES {}) AS q (place, number, month)", rows.collect::<Vec<_>>().join(",\n    "))
            }
        };
        format!(
            "/* tidewaiter: expected payments */
DECLARE @asked TABLE (place int NOT NULL PRIMARY KEY, number nvarchar({length}) NOT NULL, month date NULL);

INSERT INTO @asked (place, number, month)
SELECT q.place, q.number, q.month
FROM {asked}
WHERE q.number IS NOT NULL;

SELECT a.place, {agreement}
FROM @asked AS a
INNER JOIN {agreements} AS t ON t.{agreement_key} = {asked_agreement};

SELECT a.place, {custom_profile}
FROM @asked AS a
INNER JOIN {custom_profiles} AS t ON t.{custom_profile_key} = {asked_custom_profile}
WHERE t.{on_going} = 1 AND t.{deleted} = 0;

-- the rows of the month, and of each type those of its next date that have not fallen due
SELECT a.place, p.number, p.due, p.fallen, p.type, p.amount
FROM @asked AS a
CROSS APPLY (
    SELECT {payment_profile}
    FROM {payment_profiles} AS t
    WHERE t.{payment_profile_key} = {asked_payment_profile}
        AND t.{pp_date} >= a.month AND t.{pp_date} < {after_month}
    UNION ALL
    SELECT n.number, n.due, n.fallen, n.type, n.amount
    FROM (
        SELECT {payment_profile},
            RANK() OVER (PARTITION BY t.{pp_type} ORDER BY CAST(t.{pp_date} AS date)) AS nth
        FROM {payment_profiles} AS t
        WHERE t.{payment_profile_key} = {asked_payment_profile}
            AND t.{pp_date} >= {after_month} AND t.{fallen_due} = 0
    ) AS n
    WHERE n.nth = 1
) AS p;

SELECT COUNT(*) AS asked FROM @asked;",
            agreement = self.agreement_columns(),
            agreements = self.agreement(),
            agreement_key = self.column("AgreementNumber"),
            asked_agreement = asked_number(&shape.keys[0]),
            custom_profile = self.custom_profile_columns(shape),
            custom_profiles = self.custom_profile(),
            custom_profile_key = self.column("CPAgreement"),
            asked_custom_profile = asked_number(&shape.keys[1]),
            on_going = self.column("CPOnGoing"),
            deleted = self.column("CPDeleted"),
            payment_profile = self.payment_profile_columns(shape),
            payment_profiles = self.payment_profile(),
            payment_profile_key = self.column("PayProAgreementNumber"),
            asked_payment_profile = asked_number(&shape.keys[2]),
            pp_date = self.column("PayProDate"),
            pp_type = self.column("PayProType"),
            fallen_due = self.column("PayProFallenDue"),
            after_month = AFTER_MONTH,
        )
    }

    /// The same of the whole book for one month, `@P1`, in one pass of each table: the same results without a place, and an
    /// empty one at the end that says it was the end.
    pub(super) fn whole_month(&self, shape: &Shape) -> String {
        format!(
            "/* tidewaiter: the month of the whole book */
DECLARE @month date = CAST(@P1 AS date);
DECLARE @after date = DATEADD(month, 1, @month);

SELECT 0 AS place, {agreement} FROM {agreements} AS t;

SELECT 0 AS place, {custom_profile} FROM {custom_profiles} AS t WHERE t.{on_going} = 1 AND t.{deleted} = 0;

SELECT 0 AS place, p.number, p.due, p.fallen, p.type, p.amount
FROM (
    SELECT {payment_profile}
    FROM {payment_profiles} AS t
    WHERE t.{pp_date} >= @month AND t.{pp_date} < @after
    UNION ALL
    SELECT n.number, n.due, n.fallen, n.type, n.amount
    FROM (
        SELECT {payment_profile},
            RANK() OVER (PARTITION BY t.{pp_key}, t.{pp_type} ORDER BY CAST(t.{pp_date} AS date)) AS nth
        FROM {payment_profiles} AS t
        WHERE t.{pp_date} >= @after AND t.{fallen_due} = 0
    ) AS n
    WHERE n.nth = 1
) AS p;

SELECT 1 AS done;",
            agreement = self.agreement_columns(),
            agreements = self.agreement(),
            custom_profile = self.custom_profile_columns(shape),
            custom_profiles = self.custom_profile(),
            on_going = self.column("CPOnGoing"),
            deleted = self.column("CPDeleted"),
            payment_profile = self.payment_profile_columns(shape),
            payment_profiles = self.payment_profile(),
            pp_key = self.column("PayProAgreementNumber"),
            pp_date = self.column("PayProDate"),
            pp_type = self.column("PayProType"),
            fallen_due = self.column("PayProFallenDue"),
        )
    }

    /// Whether the database allows SNAPSHOT isolation: 1 if so.
    #[expect(clippy::unused_self, reason = "beside the others")]
    pub(super) fn snapshot_allowed(&self) -> &'static str {
        "/* tidewaiter: export */
SELECT CAST(d.snapshot_isolation_state AS int) AS state FROM sys.databases AS d WHERE d.database_id = DB_ID();"
    }

    /// From its first read on, the transaction sees the tables as they are then, and takes no lock. It changes nothing and is
    /// never committed: it ends with its connection.
    #[expect(clippy::unused_self, reason = "beside the others")]
    pub(super) fn begin_snapshot(&self) -> &'static str {
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT;
BEGIN TRANSACTION;"
    }

    /// How many rows [`Self::copy`] gives.
    pub(super) fn count(&self) -> String {
        format!(
            "/* tidewaiter: export */
SELECT (SELECT COUNT_BIG(*) FROM {}) + (SELECT COUNT_BIG(*) FROM {}) + (SELECT COUNT_BIG(*) FROM {}) AS total;",
            self.agreement(),
            self.custom_profile(),
            self.payment_profile(),
        )
    }

    /// All rows of the three tables, and a result at the end that says it was the end.
    pub(super) fn copy(&self, shape: &Shape) -> String {
        format!(
            "/* tidewaiter: export */
SELECT 0 AS place, {agreement} FROM {agreements} AS t;
SELECT 0 AS place, {custom_profile}, t.{on_going} AS on_going, t.{deleted} AS deleted FROM {custom_profiles} AS t;
SELECT 0 AS place, {payment_profile} FROM {payment_profiles} AS t;
SELECT 1 AS done;",
            agreement = self.agreement_columns(),
            agreements = self.agreement(),
            custom_profile = self.custom_profile_columns(shape),
            custom_profiles = self.custom_profile(),
            on_going = self.column("CPOnGoing"),
            deleted = self.column("CPDeleted"),
            payment_profile = self.payment_profile_columns(shape),
            payment_profiles = self.payment_profile(),
        )
    }

    /// The order of [`super::read`]'s places, after the place of the question.
    fn agreement_columns(&self) -> String {
        format!(
            "t.{} AS number, t.{} AS customer, t.{} AS borrowers, t.{} AS kind, CAST(t.{} AS date) AS opened",
            self.column("AgreementNumber"),
            self.column("AgreementCustomerNumber"),
            self.column("AgreementBorrowers"),
            self.column("AgreementAgreementTypeID"),
            self.column("AgreementAgreementDate"),
        )
    }

    fn custom_profile_columns(&self, shape: &Shape) -> String {
        let amount = exact(&self.column("CPAmount"), shape.money[0]);
        format!("t.{} AS number, {amount} AS amount", self.column("CPAgreement"))
    }

    fn payment_profile_columns(&self, shape: &Shape) -> String {
        format!(
            "t.{} AS number, CAST(t.{} AS date) AS due, t.{} AS fallen, t.{} AS type, {} AS amount",
            self.column("PayProAgreementNumber"),
            self.column("PayProDate"),
            self.column("PayProFallenDue"),
            self.column("PayProType"),
            exact(&self.column("PayProNetAmount"), shape.money[1]),
        )
    }
}

/// The calendar's last month has none after it, so it is never asked about.
const AFTER_MONTH: &str = "DATEADD(month, 1, a.month)";

/// The asked number as the column has its own.
fn asked_number(key: &KeyType) -> String {
    let KeyType { name, length, collation } = key;
    let collation = collation.as_ref().map_or(String::new(), |collation| format!(" COLLATE {collation}"));
    format!("CAST(a.number AS {name}({length})){collation}")
}

/// An amount in a type that the driver reads exactly.
fn exact(column: &str, is_money: bool) -> String {
    if is_money { format!("CAST(t.{column} AS decimal(19, 4))") } else { format!("t.{column}") }
}
