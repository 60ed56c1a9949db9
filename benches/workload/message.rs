//! Debezium's text of a change: as the corpus has it, with other values.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tidewaiter::event::{DecimalForm, Formats};

use super::genuine::schema;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    SchemalessString,
    SchemalessPrecise,
    /// Schema inside, amounts `precise`.
    SchemaInside,
}

impl Form {
    /// What a decoder has to be told to read it.
    pub(crate) fn formats(self) -> Formats {
        let decimals = match self {
            Self::SchemalessPrecise => DecimalForm::Precise { scale: Some(2) },
            Self::SchemalessString | Self::SchemaInside => DecimalForm::String,
        };
        Formats { decimals, ..Formats::default() }
    }
}

/// A row of dbo.Agreement; amounts in pence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    pub(crate) number: u32,
    pub(crate) balance: u64,
    pub(crate) settled: bool,
    /// Something that no rule looks at.
    pub(crate) due_day: u32,
}

impl Agreement {
    /// What is to be paid a month, in pence. It hangs on the number only, so that a loan book need not be kept.
    pub(crate) fn instalment_of(number: u32) -> u64 {
        10_000 + u64::from(number % 400) * 100 + 50
    }

    pub(crate) fn instalment(&self) -> u64 {
        Self::instalment_of(self.number)
    }
}

/// A row of dbo.Transaction; the amount in pence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    pub(crate) counter: u64,
    pub(crate) agreement: u32,
    pub(crate) type_id: u32,
    pub(crate) amount: u64,
}

/// Where and when a change was written: a commit of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) commit: u64,
    pub(crate) at_ms: u64,
}

/// Columns of dbo.Agreement that the engine knows about.
const KNOWN: usize = 21;

/// Writes values of one form.
#[derive(Debug)]
pub(crate) struct Messages {
    form: Form,
    /// Of Transaction and Agreement, as it stands before the payload.
    schemas: [String; 2],
    /// How many an agreement has.
    columns: usize,
    /// How many of the columns that no one asks for hold something else in every agreement, in a hundred.
    varied: usize,
}

impl Messages {
    /// `columns` is how many an agreement has: at least 21. Half of those that no one asks for hold something else in every
    /// agreement.
    pub(crate) fn new(form: Form, columns: usize) -> Self {
        Self::varied(form, columns, 50)
    }

    /// So many in a hundred do.
    pub(crate) fn varied(form: Form, columns: usize, varied: usize) -> Self {
        let schemas = match form {
            Form::SchemaInside => [schema("insert Transaction"), schema("update Agreement balance")],
            Form::SchemalessString | Form::SchemalessPrecise => Default::default(),
        };
        Self { form, schemas, columns, varied }
    }

    pub(crate) fn transaction(&self, row: &Transaction, place: Place) -> String {
        let Transaction { counter, agreement, type_id, amount } = *row;
        let mut out = self.schemas[0].clone();
        write!(
            out,
            r#"{{"before":null,"after":{{"TransCounter":{counter},"TransAgreementNumber":"FRH{agreement:07}","TransCreateDate":{},"TransDate":20465,"TransTypeID":{type_id}"#,
            place.at_ms
        )
        .unwrap();
        let interest = amount / 4;
        for (name, amount) in [("Payment", amount), ("Principal", amount - interest), ("Interest", interest)] {
            write!(out, r#","TransNet{name}":"#).unwrap();
            self.amount(&mut out, amount);
        }
        out += r#","TransFeesNet":"#;
        self.amount(&mut out, 0);
        out += r#","TransReference":"DD 12/01/26","TransBatchNumber":"B20260112","TransCurrencyCode":null,"TransBankID":1}"#;
        self.end(&mut out, "Transaction", "c", place);
        out
    }

    /// An insert has no `before`.
    pub(crate) fn agreement(&self, before: Option<&Agreement>, after: &Agreement, place: Place) -> String {
        let mut out = self.schemas[1].clone();
        out += r#"{"before":"#;
        match before {
            Some(row) => self.row(&mut out, row),
            None => out += "null",
        }
        out += r#","after":"#;
        self.row(&mut out, after);
        self.end(&mut out, "Agreement", if before.is_some() { "u" } else { "c" }, place);
        out
    }

    fn row(&self, out: &mut String, row: &Agreement) {
        let Agreement { number, balance, settled, due_day } = *row;
        let amount = |amount| {
            let mut text = String::new();
            self.amount(&mut text, amount);
            text
        };
        let (status, settled_date) = if settled { ("SETTLED", "20465") } else { ("LIVE (Primary)", "null") };
        let columns: [(&str, &dyn std::fmt::Display); KNOWN] = [
            ("Number", &format_args!("\"FRH{number:07}\"")),
            ("CustomerNumber", &format_args!("\"C{number:06}\"")),
            ("Borrowers", &format_args!("\"C{number:06} C{:06}\"", number + 1)),
            ("AgreementDate", &19_793),
            ("ContractEndDate", &23_445),
            ("NumPayments", &120),
            ("Principal", &amount(3_600_000)),
            ("OriginalPrincipal", &amount(3_600_000)),
            ("CurrentBalanceNET", &amount(balance)),
            ("InstalmentNET", &amount(row.instalment())),
            ("AutoStatus", &format_args!("\"{status}\"")),
            ("SettledFlag", &settled),
            ("SettledDate", &settled_date),
            ("PaymentMethod", &12),
            ("AgreementTypeID", &[113, 205][number as usize % 2]),
            ("Purpose", &"\"Home improvement\""),
            ("FirstPaymentDate", &19_824),
            ("DueDay", &due_day),
            ("BankSortCode", &"\"00-00-00\""),
            ("BankAccountNumber", &format_args!("\"{number:08}\"")),
            ("BankAccountName", &"\"MR A EXAMPLE\""),
        ];
        let mut separator = '{';
        for ((name, value), place) in columns.iter().zip(0..) {
            write!(out, "{separator}\"Agreement{name}\":{value}").unwrap();
            self.others(out, place, u64::from(number));
            separator = ',';
        }
        out.push('}');
    }

    /// Columns that no one asks for, behind a known one.
    fn others(&self, out: &mut String, place: usize, number: u64) {
        for n in (place..self.columns - KNOWN).step_by(KNOWN) {
            write!(out, ",\"AgreementUserDefined{n:03}\":").unwrap();
            // a prime to a hundred, so that the share is the same wherever one looks
            if n * 37 % 100 >= self.varied {
                *out += ["null", "0", "\"0.00\"", "false", "\"N/A\"", "null", "20465", "\"Branch 12\""][n % 8];
                continue;
            }
            let value = (number * 2_654_435_761 + n as u64 * 40_503) % 100_000;
            match n % 4 {
                0 => write!(out, "{value}"),
                1 => write!(out, "\"{}.{:02}\"", value / 100, value % 100),
                2 => write!(out, "\"Branch {value}\""),
                _ => write!(out, "{}", value < 50_000),
            }
            .unwrap();
        }
    }

    fn amount(&self, out: &mut String, pence: u64) {
        match self.form {
            Form::SchemalessString => write!(out, "\"{}.{:02}\"", pence / 100, pence % 100).unwrap(),
            Form::SchemalessPrecise | Form::SchemaInside => {
                let bytes = pence.to_be_bytes();
                // as few bytes as hold it, and its sign
                let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
                let sign: &[u8] = if bytes[first] >= 0x80 { &[0] } else { &[] };
                write!(out, "\"{}\"", BASE64_STANDARD.encode([sign, &bytes[first..]].concat())).unwrap();
            }
        }
    }

    fn end(&self, out: &mut String, table: &str, op: &str, place: Place) {
        let Place { commit, at_ms } = place;
        let block = format!("0000002d:{:08x}", commit >> 12);
        let slot = commit & 0xfff;
        write!(
            out,
            r#","source":{{"version":"3.6.3.Final","connector":"sqlserver","name":"sentinel","ts_ms":{at_ms},"snapshot":"false","db":"SentinelMock","sequence":null,"ts_us":{at_ms}000,"ts_ns":{at_ms}000000,"schema":"dbo","table":"{table}","change_lsn":"{block}:{slot:04x}","commit_lsn":"{block}:{slot:04x}","event_serial_no":1}},"transaction":null,"op":"{op}","ts_ms":{at_ms},"ts_us":{at_ms}252,"ts_ns":{at_ms}252885}}"#
        )
        .unwrap();
        if self.form == Form::SchemaInside {
            out.push('}');
        }
    }
}
