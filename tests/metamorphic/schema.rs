//! The columns of the two tables, and the schema that Kafka Connect's JSON converter writes inside a message.

use super::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bit,
    Date,
    DateTime,
    Money,
}

pub(crate) fn kind(column: &str) -> Kind {
    match column {
        "TransCounter"
        | "TransTypeID"
        | "TransBankID"
        | "AgreementNumPayments"
        | "AgreementPaymentMethod"
        | "AgreementAgreementTypeID"
        | "AgreementDueDay" => Kind::Int,
        "AgreementSettledFlag" => Kind::Bit,
        "TransCreateDate" => Kind::DateTime,
        "TransNetPayment"
        | "TransNetPrincipal"
        | "TransNetInterest"
        | "TransFeesNet"
        | "AgreementPrincipal"
        | "AgreementOriginalPrincipal"
        | "AgreementCurrentBalanceNET"
        | "AgreementInstalmentNET" => Kind::Money,
        _ if column.ends_with("Date") => Kind::Date,
        _ => Kind::Text,
    }
}

/// How a schema declares money and dates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared {
    pub(crate) money: Money,
    pub(crate) dates: Dates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Money {
    /// `org.apache.kafka.connect.data.Decimal` of this scale.
    Decimal(usize),
    Text,
    Double,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dates {
    Debezium,
    Connect,
    Iso,
}

/// The schema of an envelope whose rows have these columns.
pub(crate) fn of_envelope(table: &str, columns: &[&str], declared: Declared) -> Json {
    let rows: Vec<Json> = columns.iter().map(|column| of_column(column, declared)).collect();
    let row = |image: &str| {
        Json::object([
            ("type", Json::text("struct")),
            ("fields", Json::List(rows.clone())),
            ("optional", Json::Bool(true)),
            ("name", Json::text(format!("sentinel.SentinelMock.dbo.{table}.Value"))),
            ("field", Json::text(image)),
        ])
    };
    let source = [
        ("version", "string"),
        ("ts_ms", "int64"),
        ("change_lsn", "string"),
        ("commit_lsn", "string"),
        ("event_serial_no", "int64"),
    ];
    let source = Json::object([
        ("type", Json::text("struct")),
        ("fields", Json::List(source.iter().map(|(field, of)| plain(of, field)).collect())),
        ("optional", Json::Bool(false)),
        ("name", Json::text("io.debezium.connector.sqlserver.Source")),
        ("version", Json::number(1)),
        ("field", Json::text("source")),
    ]);
    Json::object([
        ("type", Json::text("struct")),
        ("fields", Json::List(vec![row("before"), row("after"), source, plain("string", "op"), plain("int64", "ts_ms")])),
        ("optional", Json::Bool(false)),
        ("name", Json::text(format!("sentinel.SentinelMock.dbo.{table}.Envelope"))),
        ("version", Json::number(2)),
    ])
}

fn of_column(column: &str, declared: Declared) -> Json {
    let named = |of: &str, name: &str, parameters: Option<Json>| {
        let mut schema = plain(of, column);
        let fields = schema.fields_mut().unwrap();
        fields.insert(2, ("name".to_owned(), Json::text(name)));
        fields.insert(3, ("version".to_owned(), Json::number(1)));
        if let Some(parameters) = parameters {
            fields.insert(4, ("parameters".to_owned(), parameters));
        }
        schema
    };
    match (kind(column), declared.money, declared.dates) {
        (Kind::Text, ..) | (Kind::Money, Money::Text, _) => plain("string", column),
        (Kind::Int, ..) => plain("int32", column),
        (Kind::Bit, ..) => plain("boolean", column),
        (Kind::Date, _, Dates::Debezium) => named("int32", "io.debezium.time.Date", None),
        (Kind::Date, _, Dates::Connect) => named("int32", "org.apache.kafka.connect.data.Date", None),
        (Kind::Date, _, Dates::Iso) => named("string", "io.debezium.time.IsoDate", None),
        (Kind::DateTime, ..) => named("int64", "io.debezium.time.Timestamp", None),
        (Kind::Money, Money::Decimal(scale), _) => {
            let parameters =
                Json::object([("scale", Json::text(scale.to_string())), ("connect.decimal.precision", Json::text("19"))]);
            named("bytes", "org.apache.kafka.connect.data.Decimal", Some(parameters))
        }
        (Kind::Money, Money::Double, _) => plain("double", column),
    }
}

fn plain(of: &str, field: &str) -> Json {
    Json::object([("type", Json::text(of)), ("optional", Json::Bool(true)), ("field", Json::text(field))])
}
