//! The columns that the engine reads of dbo.Transaction and dbo.Agreement.

use std::borrow::Cow;

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;

use super::event::{AgreementImage, TransactionInsert};
use crate::engine::Key;
use crate::event::bad::BadMessage;
use crate::event::cell::Column;
use crate::event::formats::{Formats, KeyCase};
use crate::event::money::AmountForm;
use crate::event::object::{Object, Shape, columns};
use crate::event::schema::RowSchema;
use crate::event::table::Table;
use crate::event::temporal::DateForm;

columns! {
    pub(crate) struct TransactionRow {
        counter = "TransCounter",
        agreement = "TransAgreementNumber",
        date = "TransDate",
        type_id = "TransTypeID",
        amount = "TransNetPayment",
    }
}

columns! {
    pub(crate) struct AgreementRow {
        number = "AgreementNumber",
        customer_number = "AgreementCustomerNumber",
        borrowers = "AgreementBorrowers",
        agreement_type = "AgreementAgreementTypeID",
        balance = "AgreementCurrentBalanceNET",
        settled = "AgreementSettledFlag",
        settled_date = "AgreementSettledDate",
        status = "AgreementAutoStatus",
        agreement_date = "AgreementAgreementDate",
        contract_end_date = "AgreementContractEndDate",
        num_payments = "AgreementNumPayments",
        principal = "AgreementPrincipal",
        first_payment_date = "AgreementFirstPaymentDate",
        due_day = "AgreementDueDay",
        payment_method = "AgreementPaymentMethod",
        purpose = "AgreementPurpose",
    }
}

#[derive(Debug)]
pub(crate) struct TransactionTable;

#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionForms {
    date: DateForm,
    amount: AmountForm,
}

impl Table for TransactionTable {
    type Row<'a> = TransactionRow<'a>;
    type Forms = TransactionForms;

    fn configured(formats: &Formats) -> TransactionForms {
        TransactionForms { date: DateForm::ByType, amount: AmountForm::configured(formats.decimals) }
    }

    fn stated(schema: &RowSchema) -> TransactionForms {
        TransactionForms { date: schema.date("TransDate"), amount: schema.amount("TransNetPayment") }
    }
}

#[derive(Debug)]
pub(crate) struct AgreementTable;

#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreementForms {
    balance: AmountForm,
    principal: AmountForm,
    settled_date: DateForm,
    agreement_date: DateForm,
    contract_end_date: DateForm,
    first_payment_date: DateForm,
}

impl Table for AgreementTable {
    type Row<'a> = AgreementRow<'a>;
    type Forms = AgreementForms;

    fn configured(formats: &Formats) -> AgreementForms {
        let (amount, date) = (AmountForm::configured(formats.decimals), DateForm::ByType);
        AgreementForms {
            balance: amount,
            principal: amount,
            settled_date: date,
            agreement_date: date,
            contract_end_date: date,
            first_payment_date: date,
        }
    }

    fn stated(schema: &RowSchema) -> AgreementForms {
        AgreementForms {
            balance: schema.amount("AgreementCurrentBalanceNET"),
            principal: schema.amount("AgreementPrincipal"),
            settled_date: schema.date("AgreementSettledDate"),
            agreement_date: schema.date("AgreementAgreementDate"),
            contract_end_date: schema.date("AgreementContractEndDate"),
            first_payment_date: schema.date("AgreementFirstPaymentDate"),
        }
    }
}

/// The image of an insert, but for what its record's headers say.
pub(crate) fn transaction(
    image: &Object<TransactionRow<'_>>,
    of: &'static str,
    forms: &TransactionForms,
    case: KeyCase,
) -> Result<TransactionInsert, BadMessage> {
    let counter = counter(image, of)?;
    let row = &image.row;
    let (date, type_id, amount) = (row.date(of), row.type_id(of), row.amount(of));
    Ok(TransactionInsert {
        counter,
        agreement: agreement_number(row.agreement(of), case)?,
        date: date.needed(date.date(forms.date)?)?,
        type_id: type_id.needed(type_id.integer()?)?,
        amount: amount.needed(amount.amount(forms.amount)?)?,
        key_changed: false,
    })
}

/// The primary key of dbo.Transaction.
pub(crate) fn counter(image: &Object<TransactionRow<'_>>, of: &'static str) -> Result<i64, BadMessage> {
    if image.shape == Shape::Absent {
        return Err(BadMessage::missing_part(of));
    }
    let counter = image.row.counter(of);
    counter.needed(counter.integer()?)
}

/// What the engine reads of an image of dbo.Agreement, not yet kept.
pub(crate) struct BorrowedImage<'a> {
    pub number: Key,
    pub customer_number: Option<Cow<'a, str>>,
    borrowers: Option<Cow<'a, str>>,
    agreement_type: Option<i64>,
    pub balance: Decimal,
    pub settled: bool,
    settled_date: Option<NaiveDate>,
    status: Option<Cow<'a, str>>,
    agreement_date: Option<NaiveDate>,
    contract_end_date: Option<NaiveDate>,
    num_payments: Option<i64>,
    principal: Option<Decimal>,
    first_payment_date: Option<NaiveDate>,
    due_day: Option<i64>,
    payment_method: Option<i64>,
    purpose: Option<Cow<'a, str>>,
}

/// `None` if there is no such image.
pub(crate) fn agreement<'a>(
    image: &Object<AgreementRow<'a>>,
    of: &'static str,
    forms: &AgreementForms,
    case: KeyCase,
) -> Result<Option<BorrowedImage<'a>>, BadMessage> {
    if image.shape == Shape::Absent {
        return Ok(None);
    }
    let row = &image.row;
    let (balance, settled) = (row.balance(of), row.settled(of));
    Ok(Some(BorrowedImage {
        number: agreement_number(row.number(of), case)?,
        customer_number: row.customer_number(of).text()?,
        borrowers: row.borrowers(of).text()?,
        agreement_type: row.agreement_type(of).integer()?,
        balance: balance.needed(balance.amount(forms.balance)?)?,
        settled: settled.needed(settled.bit()?)?,
        settled_date: row.settled_date(of).date(forms.settled_date)?,
        status: row.status(of).text()?,
        agreement_date: row.agreement_date(of).date(forms.agreement_date)?,
        contract_end_date: row.contract_end_date(of).date(forms.contract_end_date)?,
        num_payments: row.num_payments(of).integer()?,
        principal: row.principal(of).amount(forms.principal)?,
        first_payment_date: row.first_payment_date(of).date(forms.first_payment_date)?,
        due_day: row.due_day(of).integer()?,
        payment_method: row.payment_method(of).integer()?,
        purpose: row.purpose(of).text()?,
    }))
}

impl BorrowedImage<'_> {
    pub(crate) fn keep(self) -> Box<AgreementImage> {
        Box::new(AgreementImage {
            number: self.number,
            customer_number: self.customer_number.map(CompactString::from),
            borrowers: self.borrowers.map(CompactString::from),
            agreement_type: self.agreement_type,
            balance: self.balance,
            settled: self.settled,
            settled_date: self.settled_date,
            status: self.status.map(CompactString::from),
            agreement_date: self.agreement_date,
            contract_end_date: self.contract_end_date,
            num_payments: self.num_payments,
            principal: self.principal,
            first_payment_date: self.first_payment_date,
            due_day: self.due_day,
            payment_method: self.payment_method,
            purpose: self.purpose.map(CompactString::from),
        })
    }
}

/// As SQL Server compares it: without trailing blanks and, unless keys are case-sensitive, in ASCII upper case. A number of
/// blanks alone names no agreement and counts as missing.
fn agreement_number(column: Column<'_>, case: KeyCase) -> Result<Key, BadMessage> {
    let text = column.text()?;
    let number = text.as_deref().map(|text| text.trim_end_matches(' ')).filter(|number| !number.is_empty());
    Ok(normal_number(column.needed(number)?, case))
}

/// An agreement number as the engine spells it.
pub(crate) fn normal_number(number: &str, case: KeyCase) -> Key {
    let mut number = Key::from(number.trim_end_matches(' '));
    if case == KeyCase::Insensitive {
        number.as_mut_str().make_ascii_uppercase();
    }
    number
}
