//! One loan book, on a server and in a profile file.

use std::path::PathBuf;
use std::time::Duration;

use tidewaiter::config::Secret;
use tidewaiter::config::daemon::{Login, SqlServer as Config, Trust};
use tidewaiter::domains::lending::expected::{Answer, Question};
use tidewaiter::domains::lending::profiles::Profiles;
use tidewaiter::domains::lending::sqlserver::ServerBook;
use tidewaiter::engine::lookup::{Lookup as _, LookupError};
use tidewaiter::event::KeyCase;
use tidewaiter::io::sqlserver::SqlServer;
use tidewaiter::time::Month;

use crate::server::{PASSWORD, Server, USER};

/// Rows as T-SQL literals; SQLite reads the same, but for the N of a text.
#[derive(Default)]
pub(crate) struct Book {
    /// Number, customer, borrowers, type, date.
    pub(crate) agreements: Vec<[String; 5]>,
    /// Number, amount, ongoing, deleted.
    pub(crate) custom_profiles: Vec<[String; 4]>,
    /// Number, date, amount, type, fallen due.
    pub(crate) payments: Vec<[String; 5]>,
}

/// A literal of a text.
pub(crate) fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// The server's tables, with amounts of this type.
pub(crate) fn schema(money: &str) -> String {
    format!(
        "CREATE TABLE dbo.Agreement (
            AgreementNumber varchar(20) NOT NULL PRIMARY KEY, AgreementCustomerNumber varchar(20) NULL,
            AgreementBorrowers varchar(100) NULL, AgreementAgreementTypeID int NULL, AgreementAgreementDate date NULL,
            AgreementBankAccountName varchar(100) NULL);
         CREATE TABLE dbo.CustomProfile (
            CPAgreement varchar(20) NOT NULL PRIMARY KEY, CPAmount {money} NULL, CPOnGoing bit NOT NULL, CPDeleted bit NOT NULL);
         CREATE TABLE dbo.PaymentProfile (
            PayProID int IDENTITY PRIMARY KEY, PayProAgreementNumber varchar(20) NOT NULL, PayProDate date NULL,
            PayProNetAmount {money} NULL, PayProType varchar(10) NULL, PayProFallenDue bit NULL);
         CREATE INDEX IX_PaymentProfile ON dbo.PaymentProfile (PayProAgreementNumber, PayProDate);\n"
    )
}

const AGREEMENT: &str =
    "Agreement (AgreementNumber, AgreementCustomerNumber, AgreementBorrowers, AgreementAgreementTypeID, AgreementAgreementDate)";
const CUSTOM_PROFILE: &str = "CustomProfile (CPAgreement, CPAmount, CPOnGoing, CPDeleted)";
const PAYMENT_PROFILE: &str = "PaymentProfile (PayProAgreementNumber, PayProDate, PayProNetAmount, PayProType, PayProFallenDue)";

impl Book {
    pub(crate) fn agreement(&mut self, number: &str, opened: &str) {
        let customer = quoted(&format!("C{}", self.agreements.len()));
        let borrowers = if number.len().is_multiple_of(2) { "NULL".to_owned() } else { quoted("C1 C2") };
        self.agreements.push([quoted(number), customer, borrowers, "113".to_owned(), opened.to_owned()]);
    }

    pub(crate) fn custom(&mut self, number: &str, amount: &str, on_going: u8, deleted: u8) {
        self.custom_profiles.push([quoted(number), amount.to_owned(), on_going.to_string(), deleted.to_string()]);
    }

    pub(crate) fn payment(&mut self, number: &str, date: &str, amount: &str, kind: &str, fallen_due: &str) {
        let date = if date == "NULL" { date.to_owned() } else { format!("'{date}'") };
        let kind = if kind == "NULL" { kind.to_owned() } else { quoted(kind) };
        self.payments.push([quoted(number), date, amount.to_owned(), kind, fallen_due.to_owned()]);
    }

    /// INSERTs of a thousand rows each, as many as SQL Server takes.
    pub(crate) fn inserts(&self) -> String {
        fn of<const N: usize>(table: &str, rows: &[[String; N]]) -> String {
            let inserts = rows.chunks(1_000).map(|rows| {
                let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
                format!("INSERT INTO {table} VALUES {};\n", rows.join(",\n"))
            });
            inserts.collect()
        }
        [of(AGREEMENT, &self.agreements), of(CUSTOM_PROFILE, &self.custom_profiles), of(PAYMENT_PROFILE, &self.payments)].concat()
    }

    pub(crate) fn server(&self, money: &str) -> Server {
        Server::start(&(schema(money) + &self.inserts()))
    }

    /// A profile file, with amounts of so many decimals.
    pub(crate) fn file(&self, decimals: usize) -> File {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.sqlite");
        let schema = "
            CREATE TABLE Agreement (AgreementNumber TEXT, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
                AgreementAgreementTypeID INTEGER, AgreementAgreementDate TEXT);
            CREATE TABLE CustomProfile (CPAgreement TEXT, CPAmount TEXT, CPOnGoing INTEGER, CPDeleted INTEGER);
            CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT, PayProDate TEXT,
                PayProNetAmount TEXT, PayProType TEXT, PayProFallenDue INTEGER);";
        let as_text = |amount: &String| match amount.as_str() {
            "NULL" => "NULL".to_owned(),
            amount => {
                let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
                format!("'{whole}.{fraction:0<decimals$}'")
            }
        };
        let book = Self {
            agreements: self.agreements.clone(),
            custom_profiles: self
                .custom_profiles
                .iter()
                .cloned()
                .map(|mut row| {
                    row[1] = as_text(&row[1]);
                    row
                })
                .collect(),
            payments: self
                .payments
                .iter()
                .cloned()
                .map(|mut row| {
                    row[2] = as_text(&row[2]);
                    row
                })
                .collect(),
        };
        let inserts = book.inserts().replace("(N'", "('").replace(", N'", ", '");
        rusqlite::Connection::open(&path).unwrap().execute_batch(&format!("{schema}BEGIN;{inserts}COMMIT;")).unwrap();
        File { _folder: Some(folder), path }
    }
}

pub(crate) struct File {
    _folder: Option<tempfile::TempDir>,
    pub(crate) path: PathBuf,
}

impl File {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { _folder: None, path }
    }

    pub(crate) fn answers(&self, case: KeyCase, questions: &[Question]) -> Vec<Answer> {
        futures::executor::block_on(Profiles::open(&self.path, case).unwrap().lookup(questions)).unwrap()
    }
}

pub(crate) fn question(agreement: &str, date: &str) -> Question {
    Question { agreement: agreement.into(), month: Month::of(date.parse().unwrap()) }
}

/// Somebody who asks, with a configuration of their own.
pub(crate) struct Client {
    pub(crate) config: Config,
    pub(crate) case: KeyCase,
    pub(crate) folder: tempfile::TempDir,
}

impl Client {
    /// Of a server, perhaps by way of a proxy at this port; with time-outs as short as tests want them.
    pub(crate) fn of(server: &Server, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (password, authority) = (folder.path().join("password"), folder.path().join("ca.pem"));
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        std::fs::write(&authority, &server.authority).unwrap();
        let mut config = Config::at("localhost", "Book", Login::Sql { user: USER.to_owned(), password: Secret::File(password) });
        config.port = port;
        config.tls.trust = Trust::Authorities(Some(authority));
        config.connect_timeout = Duration::from_secs(10);
        Self { config, case: KeyCase::Insensitive, folder }
    }

    pub(crate) fn to(server: &Server) -> Self {
        Self::of(server, server.address.port())
    }

    pub(crate) fn set_password(&self, password: &str) {
        std::fs::write(self.folder.path().join("password"), password).unwrap();
    }

    pub(crate) fn book(&self) -> ServerBook {
        ServerBook::new(SqlServer::new(self.config.clone()), self.case)
    }

    pub(crate) fn try_ask(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        let book = self.book();
        block_on(book.lookup(questions))
    }

    #[track_caller]
    pub(crate) fn ask(&self, questions: &[Question]) -> Vec<Answer> {
        match self.try_ask(questions) {
            Ok(answers) => answers,
            Err(error) => panic!("{error}"),
        }
    }
}

/// On a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
