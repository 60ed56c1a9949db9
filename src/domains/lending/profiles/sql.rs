//! What is asked of the profile file, as SQL.
//!
//! Numbers are compared byte by byte, spelling by spelling, because only that finds its rows by the index on the plain column.

use crate::event::KeyCase;
use crate::io::sqlite;

/// A table of the profile file, as far as it is read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The column with the agreement number.
    pub(super) number: &'static str,
    /// Read after the row's id, in this order.
    pub(super) columns: &'static [&'static str],
    /// Whether one row is picked among several, so that their order counts.
    ordered: bool,
}

pub(super) const AGREEMENT: Table = Table {
    name: "Agreement",
    number: "AgreementNumber",
    columns: &["AgreementCustomerNumber", "AgreementBorrowers", "AgreementAgreementTypeID"],
    ordered: true,
};

/// Tells how old an agreement is; a hand-made file may lack it.
pub(super) const AGREEMENT_DATE: &str = "AgreementAgreementDate";

pub(super) const CUSTOM_PROFILE: Table =
    Table { name: "CustomProfile", number: "CPAgreement", columns: &["CPOnGoing", "CPDeleted", "CPAmount"], ordered: true };

pub(super) const PAYMENT_PROFILE: Table = Table {
    name: "PaymentProfile",
    number: "PayProAgreementNumber",
    columns: &["PayProDate", "PayProFallenDue", "PayProType", "PayProNetAmount"],
    ordered: false,
};

impl Table {
    /// Every number, equal ones together: a walk over the index.
    pub(super) fn numbers(&self) -> String {
        let Self { name, number, .. } = self;
        format!("SELECT {number} FROM main.{name} ORDER BY {number} COLLATE BINARY")
    }

    /// The rows of one spelling of a number.
    pub(super) fn seek(&self, has: sqlite::Table, last: &str) -> String {
        let Self { name, number, .. } = self;
        let (id, columns) = (id(has), self.columns.join(", "));
        let order = if self.ordered && has.has_rowid { "ORDER BY rowid" } else { "" };
        format!("SELECT {id}, {columns}, {last} FROM main.{name} WHERE {number} COLLATE BINARY = ?1 {order}")
    }

    /// A copy of the table by numbers in normal form, for a table that cannot be sought in. A number stored as a number
    /// becomes text.
    pub(super) fn copy(&self, has: sqlite::Table, last: &str, case: KeyCase) -> String {
        let Self { name, number, .. } = self;
        let (id, columns) = (id(has), self.columns.join(", "));
        let normal = match case {
            KeyCase::Insensitive => format!("upper(rtrim(CAST({number} AS TEXT)))"),
            KeyCase::Sensitive => format!("rtrim(CAST({number} AS TEXT))"),
        };
        format!(
            "DROP TABLE IF EXISTS temp.{name}Copy;
             CREATE TEMP TABLE {name}Copy AS
             SELECT {normal} AS number, CAST({number} AS TEXT) <> {normal} COLLATE BINARY AS odd, {id} AS id, {columns}, {last} AS last
             FROM main.{name}
             WHERE {number} IS NOT NULL;
             CREATE INDEX temp.{name}CopyByNumber ON {name}Copy (number, odd, id);"
        )
    }

    /// The rows of a number in the copy: of the exact spelling first, then by row id.
    pub(super) fn seek_copy(&self) -> String {
        let Self { name, .. } = self;
        let columns = self.columns.join(", ");
        format!("SELECT id, {columns}, last FROM temp.{name}Copy WHERE number = ?1 ORDER BY odd, id")
    }
}

fn id(has: sqlite::Table) -> &'static str {
    if has.has_rowid { "rowid" } else { "NULL" }
}
