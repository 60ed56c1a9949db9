//! Typed decoding alone: what derive and a JSON parser make of the columns that the engine reads, borrowed, as text and
//! integers. Nothing is interpreted: no amount, no date, no position. So it is less than what the engine's decoder does.

use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its being read is measured")]
struct Source<'a> {
    ts_ms: i64,
    commit_lsn: Option<&'a str>,
    change_lsn: Option<&'a str>,
    event_serial_no: Option<i64>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its being read is measured")]
struct Transactions<'a> {
    #[serde(borrow)]
    before: Option<Transaction<'a>>,
    #[serde(borrow)]
    after: Option<Transaction<'a>>,
    #[serde(borrow)]
    source: Source<'a>,
    op: &'a str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its being read is measured")]
struct Agreements<'a> {
    #[serde(borrow)]
    before: Option<Agreement<'a>>,
    #[serde(borrow)]
    after: Option<Agreement<'a>>,
    #[serde(borrow)]
    source: Source<'a>,
    op: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only its being read is measured")]
#[expect(clippy::struct_field_names, reason = "as the columns are called")]
struct Transaction<'a> {
    trans_counter: i64,
    trans_agreement_number: &'a str,
    trans_date: i32,
    #[serde(rename = "TransTypeID")]
    trans_type_id: i64,
    trans_net_payment: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only its being read is measured")]
#[expect(clippy::struct_field_names, reason = "as the columns are called")]
struct Agreement<'a> {
    agreement_number: &'a str,
    agreement_customer_number: Option<&'a str>,
    agreement_borrowers: Option<&'a str>,
    #[serde(rename = "AgreementAgreementTypeID")]
    agreement_type: Option<i64>,
    #[serde(rename = "AgreementCurrentBalanceNET")]
    balance: &'a str,
    agreement_settled_flag: bool,
    agreement_settled_date: Option<i32>,
    agreement_auto_status: Option<&'a str>,
    agreement_agreement_date: Option<i32>,
    agreement_contract_end_date: Option<i32>,
    agreement_num_payments: Option<i64>,
    agreement_principal: Option<&'a str>,
    agreement_first_payment_date: Option<i32>,
    agreement_due_day: Option<i64>,
    agreement_payment_method: Option<i64>,
    agreement_purpose: Option<&'a str>,
}

/// A parser from crates.io.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parser {
    SerdeJson,
    SonicRs,
    /// Parses in place, so it is given a copy: a record is also needed as it was, for the dead-letter topic.
    SimdJson,
}

pub(crate) const PARSERS: [(&str, Parser); 3] =
    [("serde_json", Parser::SerdeJson), ("sonic_rs", Parser::SonicRs), ("simd_json", Parser::SimdJson)];

/// What a parser needs again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    copy: Vec<u8>,
    buffers: simd_json::Buffers,
}

/// Reads a value as `$row`, borrowed from it.
macro_rules! read {
    ($parser:expr, $row:ty, $value:expr, $scratch:expr) => {
        match $parser {
            Parser::SerdeJson => serde_json::from_slice::<$row>($value).is_ok(),
            Parser::SonicRs => sonic_rs::from_slice::<$row>($value).is_ok(),
            Parser::SimdJson => {
                let Scratch { copy, buffers } = $scratch;
                copy.clear();
                copy.extend_from_slice($value);
                simd_json::serde::from_slice_with_buffers::<$row>(copy, buffers).is_ok()
            }
        }
    };
}

impl Parser {
    /// Reads a schemaless value of dbo.Transaction or dbo.Agreement. Gives whether it could be read.
    pub(crate) fn read(self, table: &str, value: &[u8], scratch: &mut Scratch) -> bool {
        match table {
            "Transaction" => read!(self, Transactions<'_>, value, scratch),
            _ => read!(self, Agreements<'_>, value, scratch),
        }
    }
}
