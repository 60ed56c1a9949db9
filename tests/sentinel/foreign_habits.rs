//! What other people's scripts hold besides what is in the long list: found by writing books in other habits.

use crate::support::{Server, values};

#[test]
fn management_studio_writes_moments_as_binary() {
    values(&[
        ("CAST(0xEA320B00 AS Date)", "2010-06-08"),
        ("CAST(0x0000B0C600A7F5D4 AS DateTime)", "2023-11-26 10:11:31.480"),
        ("CAST(0x00000000 AS SmallDateTime)", "1900-01-01 00:00:00"),
        ("CAST(0x07000000000007470B AS DateTime2)", "2024-07-13 00:00:00"),
    ]);
}

#[test]
fn a_row_version_may_be_called_timestamp_in_brackets() {
    let mut s = Server::new();
    s.ok("CREATE TABLE t (id int, [v] [timestamp] NOT NULL); INSERT INTO t (id) VALUES (1), (2)");
    assert_eq!(s.rows("SELECT COUNT(DISTINCT v) FROM t"), ["2"]);
}

#[test]
fn messages_are_formatted_as_raiserror_formats_them() {
    values(&[("FORMATMESSAGE('agreement %s has %d payments', 'FRH0000291', 3)", "agreement FRH0000291 has 3 payments")]);
}

#[test]
fn odbc_moments_are_read() {
    values(&[
        ("{d '2026-03-15'}", "2026-03-15 00:00:00"),
        ("DATEADD(day, 1, {ts '2026-03-15 09:00:00.120'})", "2026-03-16 09:00:00.120"),
    ]);
}
