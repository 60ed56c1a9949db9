//! Builds small histories record by record, runs them through the real binary, and tells the alerts in one line each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{Input, json_lines, run};

/// 2026-01-12T09:30:00Z
pub(crate) const START_MS: i64 = 1_768_210_200_000;
/// `window.max_wait` of [`RULES`].
pub(crate) const W: i64 = 30_000;
/// 2026-01-12, in days since 1970-01-01.
pub(crate) const TODAY: i64 = 20_465;

/// Every payment fires R2, so that the alerts tell how each was matched; R1 is out of the way.
pub(crate) const RULES: &str = "[rules.R1]\nenabled = false\n[rules.R2]\nmax_amount = 0\n";

pub(crate) const PAYMENT: i64 = 12;
pub(crate) const REFUND: i64 = 3;
pub(crate) const IGNORED: i64 = 60;

/// Records in the order in which they are written to the file.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: Vec<String>,
    offsets: BTreeMap<(String, i32), i64>,
    commit: u32,
    at: i64,
    change: u32,
    partition: i32,
    headers: Vec<&'static str>,
    no_position: bool,
}

/// A row of dbo.Agreement.
#[derive(Clone, Debug)]
pub(crate) struct Row(Value);

pub(crate) fn row(number: &str, balance: &str) -> Row {
    Row(json!({
        "AgreementNumber": number, "AgreementCustomerNumber": format!("C-{number}"), "AgreementCurrentBalanceNET": balance,
        "AgreementSettledFlag": false,
    }))
}

impl Row {
    pub(crate) fn settled(self) -> Self {
        self.with("AgreementSettledFlag", json!(true))
    }

    pub(crate) fn with(mut self, column: &str, value: Value) -> Self {
        self.0[column] = value;
        self
    }
}

impl History {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// What follows is the next commit, at this time in milliseconds after the start.
    pub(crate) fn at(mut self, ms: i64) -> Self {
        self.commit += 1;
        (self.at, self.change, self.partition) = (ms, 0, 0);
        self
    }

    /// What follows is the commit with this number.
    pub(crate) fn commit(mut self, commit: u32) -> Self {
        self.commit = commit;
        self
    }

    /// In which partition of its topic the rest of this commit lies.
    pub(crate) fn partition(mut self, partition: i32) -> Self {
        self.partition = partition;
        self
    }

    /// The next record only.
    pub(crate) fn with_old_key(mut self) -> Self {
        self.headers = vec!["__debezium.oldkey", "{}"];
        self
    }

    /// All that follows has neither change_lsn nor event_serial_no.
    pub(crate) fn without_positions(mut self) -> Self {
        self.no_position = true;
        self
    }

    /// The last record comes again.
    pub(crate) fn again(mut self) -> Self {
        let mut line: Value = serde_json::from_str(self.lines.last().unwrap()).unwrap();
        let topic = line["topic"].as_str().unwrap().to_owned();
        line["offset"] = self.offset(&topic, line["partition"].as_i64().unwrap().try_into().unwrap()).into();
        self.lines.push(line.to_string());
        self
    }

    pub(crate) fn insert(self, number: &str, counter: i64, kind: i64, amount: &str) -> Self {
        self.insert_on(TODAY, number, counter, kind, amount)
    }

    /// An INSERT with this TransDate.
    pub(crate) fn insert_on(self, date: i64, number: &str, counter: i64, kind: i64, amount: &str) -> Self {
        let after = transaction(date, number, counter, kind, amount);
        self.change("Transaction", "c", &Value::Null, &after)
    }

    pub(crate) fn delete_transaction(self, number: &str, counter: i64, amount: &str) -> Self {
        let before = transaction(TODAY, number, counter, PAYMENT, amount);
        self.change("Transaction", "d", &before, &Value::Null)
    }

    pub(crate) fn update_transaction(self, number: &str, counter: i64, amount: &str) -> Self {
        let image = transaction(TODAY, number, counter, PAYMENT, amount);
        self.change("Transaction", "u", &image, &image)
    }

    pub(crate) fn balance(self, number: &str, before: &str, after: &str) -> Self {
        self.update(&row(number, before), &row(number, after))
    }

    pub(crate) fn update(self, before: &Row, after: &Row) -> Self {
        self.change("Agreement", "u", &before.0, &after.0)
    }

    /// The flag goes 0→1, and perhaps the balance changes too.
    pub(crate) fn settle(self, number: &str, before: &str, after: &str) -> Self {
        self.update(&row(number, before), &row(number, after).settled())
    }

    pub(crate) fn delete(self, before: &Row) -> Self {
        self.change("Agreement", "d", &before.0, &Value::Null)
    }

    pub(crate) fn create(self, after: &Row) -> Self {
        self.change("Agreement", "c", &Value::Null, &after.0)
    }

    pub(crate) fn snapshot(self, after: &Row) -> Self {
        self.change("Agreement", "r", &Value::Null, &after.0)
    }

    fn change(mut self, table: &str, op: &str, before: &Value, after: &Value) -> Self {
        self.change += 1;
        let (commit, change, at) = (self.commit, self.change, START_MS + self.at);
        let mut source = json!({ "ts_ms": at, "commit_lsn": format!("0000002d:{commit:08x}:0001"), "change_lsn": null });
        if !self.no_position {
            source["change_lsn"] = json!(format!("0000002d:{commit:08x}:{change:04x}"));
            source["event_serial_no"] = json!(1);
        }
        let payload = json!({ "before": before, "after": after, "source": source, "op": op, "ts_ms": at + 500 }).to_string();
        let topic = format!("sentinel.SentinelMock.dbo.{table}");
        let offset = self.offset(&topic, self.partition);
        let headers = std::mem::take(&mut self.headers);
        let line = json!({ "topic": topic, "partition": self.partition, "offset": offset, "headers": headers, "key": null, "payload": payload });
        self.lines.push(line.to_string());
        self
    }

    fn offset(&mut self, topic: &str, partition: i32) -> i64 {
        let next = self.offsets.entry((topic.to_owned(), partition)).or_insert(0);
        *next += 1;
        *next
    }

    /// The alerts, one line each: rule, agreement, correlation, final or own amount, balances, what is related.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<String> {
        self.alerts_with(RULES, &[], &[])
    }

    #[track_caller]
    pub(crate) fn alerts_with(&self, rules: &str, profiles: &[&str], args: &[&str]) -> Vec<String> {
        self.raw(rules, profiles, args).iter().map(told).collect()
    }

    #[track_caller]
    pub(crate) fn raw(&self, rules: &str, profiles: &[&str], args: &[&str]) -> Vec<Value> {
        let (folder, input) = self.files(rules, profiles, args);
        let alerts = folder.path().join("alerts.jsonl");
        run(input.command().arg("--alerts").arg(&alerts), 0);
        json_lines(&alerts)
    }

    /// Runs what must end with status 2; gives what it said, and whether there is an alerts file.
    #[track_caller]
    pub(crate) fn refused(&self) -> (String, bool) {
        let (folder, input) = self.files(RULES, &[], &[]);
        let alerts: PathBuf = folder.path().join("alerts.jsonl");
        let output = run(input.command().arg("--alerts").arg(&alerts), 2);
        (String::from_utf8(output.stderr).unwrap(), alerts.exists())
    }

    fn files(&self, rules: &str, profiles: &[&str], args: &[&str]) -> (TempDir, Input) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("events.jsonl"), self.lines.join("\n") + "\n").unwrap();
        std::fs::write(file("rules.toml"), rules).unwrap();
        let database = rusqlite::Connection::open(file("profiles.sqlite")).unwrap();
        database.execute_batch(TABLES).unwrap();
        for statement in profiles {
            database.execute_batch(statement).unwrap();
        }
        let input = Input {
            events: vec![file("events.jsonl")],
            profiles: file("profiles.sqlite"),
            rules: file("rules.toml"),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
        };
        (folder, input)
    }
}

fn transaction(date: i64, number: &str, counter: i64, kind: i64, amount: &str) -> Value {
    json!({
        "TransCounter": counter, "TransAgreementNumber": number, "TransDate": date, "TransTypeID": kind, "TransNetPayment": amount,
    })
}

/// `R2 A matched 10.00 100.00>90.00 [u2]`: related changes by op and commit, in capitals those of Transaction.
fn told(alert: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let place = |change: &Value| {
        let (op, commit) = (change["op"].as_str().unwrap(), change["commit_lsn"].as_str().unwrap());
        let op = if change["table"] == "Transaction" { op.to_uppercase() } else { op.to_owned() };
        let commit = u32::from_str_radix(&commit[9..17], 16).unwrap();
        format!("{op}{commit}")
    };
    let mut told = ["rule", "agreement_number", "correlation"].map(|field| text(&alert[field])).to_vec();
    if alert["trigger"]["table"] == "Agreement" {
        told.push(place(&alert["trigger"]));
    }
    if let movement @ Value::Object(_) = &alert["movement"] {
        told.push(text(&movement["amount"]));
        if movement["balance_before"].is_string() {
            told.push(format!("{}>{}", text(&movement["balance_before"]), text(&movement["balance_after"])));
        }
    }
    let related: Vec<String> = alert["related"].as_array().unwrap().iter().map(place).collect();
    told.push(format!("[{}]", related.join(" ")));
    told.join(" ")
}

const TABLES: &str = "
    CREATE TABLE Agreement (AgreementNumber TEXT PRIMARY KEY, AgreementCustomerNumber TEXT, AgreementBorrowers TEXT,
        AgreementAgreementDate TEXT, AgreementContractEndDate TEXT, AgreementNumPayments INTEGER, AgreementPrincipal TEXT,
        AgreementOriginalPrincipal TEXT, AgreementCurrentBalanceNET TEXT, AgreementInstalmentNET TEXT, AgreementAutoStatus TEXT,
        AgreementSettledFlag INTEGER, AgreementSettledDate TEXT, AgreementPaymentMethod INTEGER, AgreementAgreementTypeID INTEGER,
        AgreementPurpose TEXT, AgreementFirstPaymentDate TEXT, AgreementDueDay INTEGER, AgreementBankSortCode TEXT,
        AgreementBankAccountNumber TEXT, AgreementBankAccountName TEXT);
    CREATE TABLE PaymentProfile (PayProID INTEGER PRIMARY KEY, PayProAgreementNumber TEXT, PayProDate TEXT, PayProNetAmount TEXT,
        PayProPrincipal TEXT, PayProInterest TEXT, PayProType TEXT, PayProFeeOrInsID INTEGER, PayProFallenDue INTEGER);
    CREATE TABLE CustomProfile (CPAgreement TEXT PRIMARY KEY, CPAmount TEXT, CPFrequencyType INTEGER, CPDayOfMonth INTEGER,
        CPStartDate TEXT, CPOnGoing INTEGER, CPDeleted INTEGER, CPRepaymentMethod INTEGER);
";
