//! Expected payments: what is asked of the loan book, and which source counts.

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::engine::Key;
use crate::time::Month;

/// What the loan book is asked about an agreement for a business date's month.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub agreement: Key,
    pub month: Month,
}

/// What the loan book says. It holds for any rules: which types and fallbacks count is decided when judging, so a cached
/// answer survives a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The agreement's row, if there is one.
    pub agreement: Option<AgreementRow>,
    /// CPAmount of a custom profile that is ongoing and not deleted.
    pub custom: Option<Decimal>,
    /// The payment profile by PayProType.
    pub schedules: Vec<Schedule>,
}

/// What alerts take from dbo.Agreement where the message is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgreementRow {
    pub customer_number: Option<CompactString>,
    pub borrowers: Option<CompactString>,
    pub agreement_type: Option<i64>,
}

/// The rows of one PayProType, summed. `None` where no row matches: a sum of zero is an answer, no row is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub kind: CompactString,
    /// Rows of the month with PayProFallenDue = 0.
    pub current: Option<Decimal>,
    /// Rows of the month with PayProFallenDue = 1.
    pub fallen_due: Option<Decimal>,
    /// The earliest PayProDate after the month with PayProFallenDue = 0, and the sum of its rows.
    pub next_due: Option<(NaiveDate, Decimal)>,
}
