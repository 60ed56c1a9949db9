use serde_json::Value as Json;
use tidewaiter::io::sentinel::{CapturedChange, Debezium, Keying, Operation, Record};

use crate::support::{Server, show};

/// `c -|1,a,0.00` and the like.
fn line(change: &CapturedChange) -> String {
    let operation = match change.operation {
        Operation::Create => "c",
        Operation::Update => "u",
        Operation::Delete => "d",
    };
    let image = |row: &Option<tidewaiter::io::sentinel::CapturedRow>| {
        row.as_ref().map_or("-".to_owned(), |row| row.values.iter().map(show).collect::<Vec<_>>().join(","))
    };
    format!("{operation} {}|{}", image(&change.before), image(&change.after))
}

fn lines(server: &Server) -> Vec<Vec<String>> {
    server.seen.commits.iter().map(|commit| commit.changes.iter().map(line).collect()).collect()
}

#[test]
fn every_statement_outside_a_transaction_is_a_commit() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2); UPDATE t SET amount += 1; DELETE FROM t WHERE id = 2; SELECT * FROM t; UPDATE t SET name = 'x' WHERE id = 99");
    assert_eq!(
        lines(&s),
        [vec!["c -|1,a,1.00", "c -|2,b,2.00"], vec!["u 1,a,1.00|1,a,2.00", "u 2,b,2.00|2,b,3.00"], vec!["d 2,b,3.00|-"],]
    );
}

#[test]
fn a_transaction_is_one_commit_and_a_rollback_leaves_nothing() {
    let mut s = Server::captured();
    s.ok("BEGIN TRAN; INSERT INTO t VALUES (1, 'a', 1); UPDATE t SET name = 'b'; COMMIT;
          BEGIN TRANSACTION; INSERT INTO t VALUES (2, 'x', 1); ROLLBACK;
          BEGIN TRAN outer1; INSERT INTO t VALUES (3, 'c', 1); BEGIN TRAN; UPDATE t SET amount = 5 WHERE id = 3; COMMIT; COMMIT TRAN outer1;");
    assert_eq!(lines(&s), [vec!["c -|1,a,1.00", "u 1,a,1.00|1,b,1.00"], vec!["c -|3,c,1.00", "u 3,c,1.00|3,c,5.00"]]);
    assert_eq!(s.rows("SELECT id FROM t"), ["1", "3"]);
}

#[test]
fn an_update_that_changes_nothing_is_no_change() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)");
    s.ok("UPDATE t SET amount = amount, name = name; UPDATE t SET amount = 1.00");
    assert_eq!(s.seen.commits.len(), 2);
    assert_eq!(lines(&s)[1], ["u 2,b,2.00|2,b,1.00"]);
    s.ok("UPDATE t SET name = 'A' WHERE id = 1; UPDATE t SET name = NULL WHERE id = 1");
    assert_eq!(lines(&s)[2..], [vec!["u 1,a,1.00|1,A,1.00"], vec!["u 1,A,1.00|1,NULL,1.00"]]);
}

#[test]
fn a_key_change_is_a_delete_and_a_create() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)");
    s.ok("UPDATE t SET id = 7 WHERE id = 1");
    let change = &s.seen.commits[1].changes;
    assert_eq!(change.iter().map(line).collect::<Vec<_>>(), ["d 1,a,1.00|-", "c -|7,a,1.00"]);
    assert_eq!(change[0].change_lsn, change[1].change_lsn);
    assert_eq!([change[0].event_serial_no, change[1].event_serial_no], [1, 2]);
    // Over many rows each has its own LSN, and the keys may pass over each other.
    s.ok("UPDATE t SET id = 9 - id");
    let change = &s.seen.commits[2].changes;
    assert_eq!(change.iter().map(line).collect::<Vec<_>>(), ["d 7,a,1.00|-", "d 2,b,2.00|-", "c -|2,a,1.00", "c -|7,b,2.00"]);
    assert!(change.windows(2).all(|pair| pair[0].change_lsn < pair[1].change_lsn));
    assert_eq!(change[3].event_serial_no, 1);
}

#[test]
fn log_sequence_numbers_rise_and_commits_stand_behind_their_changes() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t SELECT value, 'x', value FROM GENERATE_SERIES(1, 1500); UPDATE t SET amount = 0; DELETE FROM t;");
    let commits = &s.seen.commits;
    assert_eq!(commits.len(), 3);
    let mut last = String::new();
    for commit in commits {
        assert_eq!(commit.changes.len(), 1500);
        for change in &commit.changes {
            assert_eq!(change.change_lsn.len(), 22);
            assert!(change.change_lsn > last);
            last.clone_from(&change.change_lsn);
        }
        assert!(commit.commit_lsn > last);
        last.clone_from(&commit.commit_lsn);
    }
    assert_eq!(commits[1].changes[0].event_serial_no, 2);
    assert_eq!(commits[2].changes[0].event_serial_no, 1);
}

#[test]
fn commit_times_are_datetimes_and_follow_the_clock() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 1); WAITFOR DELAY '00:00:05'; UPDATE t SET amount = 3;");
    let times: Vec<i64> = s.seen.commits.iter().map(|commit| commit.commit_time_ms).collect();
    assert!(times.iter().all(|time| matches!(time % 10, 0 | 3 | 7)));
    assert!((5000..5100).contains(&(times[1] - times[0])));
}

#[test]
fn only_enabled_tables_are_captured_and_only_from_then_on() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    assert_eq!(s.fails("EXEC sys.sp_cdc_enable_table N'dbo', N't', NULL"), 22901);
    s.ok("EXEC sys.sp_cdc_enable_db; INSERT INTO t VALUES (2)");
    assert!(s.seen.commits.is_empty());
    s.ok("INSERT INTO t VALUES (3); EXEC sys.sp_cdc_enable_table @source_schema = 'dbo', @source_name = 't', @role_name = NULL, @supports_net_changes = 1; INSERT INTO t VALUES (4)");
    assert_eq!(lines(&s), [vec!["c -|4"]]);
    assert_eq!(s.rows("SELECT is_cdc_enabled FROM sys.databases WHERE name = 'Test'"), ["1"]);
    assert_eq!(s.rows("SELECT name FROM sys.tables WHERE is_tracked_by_cdc = 1"), ["t"]);
    assert_eq!(s.rows("SELECT capture_instance FROM cdc.change_tables"), ["dbo_t"]);
    assert_eq!(s.fails("EXEC sys.sp_cdc_enable_table N'dbo', N't', NULL"), 22926);
    assert_eq!(s.fails("TRUNCATE TABLE t"), 4711);
    s.ok("EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N't', @capture_instance = N'all'; INSERT INTO t VALUES (5)");
    assert_eq!(s.seen.commits.len(), 1);
}

#[test]
fn a_capture_instance_keeps_the_columns_that_it_began_with() {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 1); ALTER TABLE t ADD note varchar(20) NOT NULL DEFAULT 'n';");
    s.ok("UPDATE t SET note = 'changed'; UPDATE t SET amount = 2, note = 'again'; INSERT INTO t (id, amount) VALUES (2, 3)");
    assert_eq!(lines(&s), [vec!["c -|1,a,1.00"], vec!["u 1,a,1.00|1,a,2.00"], vec!["c -|2,NULL,3.00"]]);
    assert_eq!(s.rows("SELECT id, note FROM t"), ["1|again", "2|n"]);
}

#[test]
fn several_tables_keep_the_order_of_the_statements() {
    let mut s = Server::captured();
    s.ok("CREATE TABLE u (k varchar(5) PRIMARY KEY, v int); EXEC sys.sp_cdc_enable_table N'dbo', N'u', NULL;");
    s.ok("BEGIN TRAN INSERT INTO u VALUES ('x', 1) INSERT INTO t VALUES (1, 'a', 1) UPDATE u SET v = 2 COMMIT");
    let tables: Vec<&str> = s.seen.commits[0].changes.iter().map(|change| change.table.as_str()).collect();
    assert_eq!(tables, ["u", "t", "u"]);
}

fn sentinel_mock() -> Server {
    let mut s = Server::bare();
    let schema = std::fs::read_to_string("deploy/sql/schema.sql").unwrap();
    s.ok(&schema);
    s.ok("USE SentinelMock; ALTER TABLE dbo.[Transaction] DROP CONSTRAINT FK_Transaction_Agreement;");
    s
}

fn parts(record: &Record) -> (String, Json) {
    let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
    let value = record.value.as_ref().map_or(Json::Null, |value| serde_json::from_slice(value).unwrap());
    (key, value)
}

/// The order of all field names, depth first.
fn names(json: &Json) -> Vec<String> {
    match json {
        Json::Object(fields) => {
            fields.iter().flat_map(|(name, value)| std::iter::once(name.clone()).chain(names(value))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn records_have_the_shape_of_the_genuine_ones() {
    let genuine = r#"{"before":null,"after":{"TransCounter":880101,"TransAgreementNumber":"FRH0000291","TransCreateDate":1768206667350,"TransDate":20465,"TransTypeID":12,"TransNetPayment":"403.37","TransNetPrincipal":"288.41","TransNetInterest":"114.96","TransFeesNet":"0.00","TransReference":"DD 12/01/26","TransBatchNumber":"B20260112","TransCurrencyCode":null,"TransBankID":1},"source":{"version":"3.6.3.Final","connector":"sqlserver","name":"sentinel","ts_ms":1768206667353,"snapshot":"false","db":"SentinelMock","sequence":null,"ts_us":1768206667353000,"ts_ns":1768206667353000000,"schema":"dbo","table":"Transaction","change_lsn":"0000002d:00000a50:0003","commit_lsn":"0000002d:00000a50:0007","event_serial_no":1},"transaction":null,"op":"c","ts_ms":1768206669676,"ts_us":1768206669676252,"ts_ns":1768206669676252885}"#;
    let genuine: Json = serde_json::from_str(genuine).unwrap();
    let mut s = sentinel_mock();
    s.ok("INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransCreateDate, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest, TransFeesNet, TransReference, TransBatchNumber, TransCurrencyCode, TransBankID)
          VALUES ('FRH0000291', '2026-01-12T08:31:07.350', '2026-01-12', 12, 403.37, 288.41, 114.96, 0, 'DD 12/01/26', 'B20260112', NULL, 1)");
    let commit = s.seen.commits.last().unwrap();
    let records = Debezium::new("sentinel", Keying::PrimaryKey).records(commit);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].topic, "sentinel.SentinelMock.dbo.Transaction");
    let (key, value) = parts(&records[0]);
    assert_eq!(key, "{\"TransCounter\":880101}");
    assert_eq!(names(&value), names(&genuine));
    assert_eq!(value["after"], genuine["after"]);
    assert_eq!(value["op"], "c");
    assert_eq!(value["transaction"], Json::Null);
    assert_eq!(value["source"]["event_serial_no"], 1);
    assert_eq!(value["source"]["ts_ms"], commit.commit_time_ms);
    assert_eq!(value["source"]["commit_lsn"], commit.commit_lsn);
    let headers: Vec<&str> = records[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        headers,
        [
            "__debezium.context.connectorLogicalName",
            "__debezium.context.taskId",
            "__debezium.context.connectorName",
            "__debezium.context.runId"
        ]
    );
}

#[test]
fn agreement_updates_have_both_images_and_the_number_as_key() {
    let mut s = sentinel_mock();
    s.ok("INSERT INTO dbo.Agreement (AgreementNumber, AgreementCustomerNumber, AgreementAgreementDate, AgreementPrincipal, AgreementCurrentBalanceNET, AgreementAgreementTypeID)
          VALUES ('FRH0000291', 'C1', '2024-03-11', 36000, 38375.88, 113);
          UPDATE dbo.Agreement SET AgreementCurrentBalanceNET -= 403.37, AgreementPurpose = N'Bank ' + NCHAR(233);");
    let commit = s.seen.commits.last().unwrap();
    let records = Debezium::new("sentinel", Keying::AgreementNumber).records(commit);
    let (key, value) = parts(&records[0]);
    assert_eq!(key, "FRH0000291");
    assert_eq!(value["before"]["AgreementCurrentBalanceNET"], "38375.88");
    assert_eq!(value["after"]["AgreementCurrentBalanceNET"], "37972.51");
    assert_eq!(value["after"]["AgreementSettledFlag"], false);
    assert_eq!(value["after"]["AgreementAgreementDate"], 19793);
    assert_eq!(value["after"]["AgreementPurpose"], "Bank é");
    assert_eq!(value["after"]["AgreementSettledDate"], Json::Null);
    assert_eq!(value["source"]["event_serial_no"], 2);
    assert_eq!(value["op"], "u");
}

#[test]
fn deletes_have_tombstones_only_under_their_own_key() {
    let mut s = sentinel_mock();
    s.ok("INSERT INTO dbo.Agreement (AgreementNumber, AgreementCustomerNumber, AgreementAgreementDate, AgreementPrincipal, AgreementCurrentBalanceNET, AgreementAgreementTypeID)
          VALUES ('FRM0000077', 'C1', '2024-03-11', 1, 1, 113); DELETE FROM dbo.Agreement;");
    let commit = s.seen.commits.last().unwrap();
    let own = Debezium::new("sentinel", Keying::PrimaryKey).records(commit);
    assert_eq!(own.len(), 2);
    assert_eq!(parts(&own[0]).1["after"], Json::Null);
    assert_eq!(own[1].value, None);
    assert_eq!(parts(&own[1]).0, "{\"AgreementNumber\":\"FRM0000077\"}");
    assert_eq!(Debezium::new("sentinel", Keying::AgreementNumber).records(commit).len(), 1);
}

#[test]
fn a_transaction_moved_to_another_agreement_is_a_key_change_when_re_keyed() {
    let mut s = sentinel_mock();
    s.ok("INSERT INTO dbo.[Transaction] (TransAgreementNumber, TransDate, TransTypeID, TransNetPayment, TransNetPrincipal, TransNetInterest) VALUES ('A', '2026-03-15', 12, 1, 1, 0);
          UPDATE dbo.[Transaction] SET TransAgreementNumber = 'B';");
    let commit = s.seen.commits.last().unwrap();
    assert_eq!(Debezium::new("sentinel", Keying::PrimaryKey).records(commit).len(), 1);
    let moved = Debezium::new("sentinel", Keying::AgreementNumber).records(commit);
    assert_eq!(moved.iter().map(|record| parts(record).0).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(moved.iter().map(|record| parts(record).1["op"].clone()).collect::<Vec<_>>(), ["d", "c"]);
    assert_eq!(moved[0].headers[0], ("__debezium.newkey".to_owned(), b"{\"TransAgreementNumber\":\"B\"}".to_vec()));
    assert_eq!(moved[1].headers[0], ("__debezium.oldkey".to_owned(), b"{\"TransAgreementNumber\":\"A\"}".to_vec()));
}

#[test]
fn every_type_is_encoded_as_debezium_does() {
    let mut s = Server::new();
    s.ok("EXEC sys.sp_cdc_enable_db;
          CREATE TABLE x (id int PRIMARY KEY, m money, b bigint, f float, t time(3), t7 time, d2 datetime2(6), d7 datetime2, sd smalldatetime,
            o datetimeoffset, g uniqueidentifier, v varbinary(4), c char(4), n int NULL DEFAULT ((7)), z bit);
          EXEC sys.sp_cdc_enable_table N'dbo', N'x', NULL;
          INSERT INTO x VALUES (1, 55.5, 9007199254740993, 0.5, '10:00:00.123', '00:00:00.0000001', '2026-03-15T00:00:00.000001', '2026-03-15', '2026-03-15T10:00:29',
            '2026-03-15T10:00:00+01:00', '6F9619FF-8B86-D011-B42D-00C04FC964FF', 0xFF01, 'ab', NULL, 1);");
    let record = &Debezium::new("p", Keying::PrimaryKey).records(&s.seen.commits[0])[0];
    let after = parts(record).1["after"].clone();
    let expected = serde_json::json!({
        "id": 1, "m": "55.5000", "b": 9_007_199_254_740_993_i64, "f": 0.5, "t": 36_000_123, "t7": 100, "d2": 1_773_532_800_000_001_i64,
        "d7": 1_773_532_800_000_000_000_i64, "sd": 1_773_568_800_000_i64, "o": "2026-03-15T10:00:00+01:00",
        "g": "6F9619FF-8B86-D011-B42D-00C04FC964FF", "v": "/wE=", "c": "ab  ", "n": 7, "z": true,
    });
    assert_eq!(after, expected);
}
