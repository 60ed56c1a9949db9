//! What change data capture shows in SQL: change tables, their functions, and instances that follow each other.

use crate::support::Server;

fn book() -> Server {
    let mut s = Server::captured();
    s.ok("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20); UPDATE t SET amount = 15 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'c', 30)");
    s
}

#[test]
fn change_tables_hold_rows_before_and_after() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT __$operation, id, amount FROM cdc.dbo_t_CT ORDER BY __$start_lsn, __$seqval, __$operation"),
        ["2|1|10.00", "2|2|20.00", "3|1|10.00", "4|1|15.00", "1|2|20.00", "2|3|30.00"]
    );
    assert_eq!(s.rows("SELECT COUNT(DISTINCT __$start_lsn), COUNT(DISTINCT __$seqval) FROM cdc.dbo_t_CT"), ["4|5"]);
    assert_eq!(s.rows("SELECT capture_instance, OBJECT_NAME(source_object_id) FROM cdc.change_tables"), ["dbo_t|t"]);
    assert_eq!(s.rows("SELECT column_name FROM cdc.captured_columns ORDER BY column_ordinal"), ["id", "name", "amount"]);
    assert_eq!(s.rows("SELECT COUNT(*) FROM cdc.lsn_time_mapping WHERE tran_end_time >= '2026-03-15T09:00'"), ["4"]);
}

#[test]
fn the_functions_give_what_was_changed_between_two_positions() {
    let mut s = book();
    let between = "DECLARE @from binary(10) = sys.fn_cdc_get_min_lsn('dbo_t'), @to binary(10) = sys.fn_cdc_get_max_lsn();";
    assert_eq!(
        s.rows(&format!("{between} SELECT __$operation, id, amount FROM cdc.fn_cdc_get_all_changes_dbo_t(@from, @to, N'all')")),
        ["2|1|10.00", "2|2|20.00", "4|1|15.00", "1|2|20.00", "2|3|30.00"]
    );
    assert_eq!(
        s.rows(&format!("{between} SELECT COUNT(*) FROM cdc.fn_cdc_get_all_changes_dbo_t(@from, @to, N'all update old')")),
        ["6"]
    );
    assert_eq!(
        s.rows(&format!(
            "{between} SELECT __$operation, id, amount FROM cdc.fn_cdc_get_net_changes_dbo_t(@from, @to, N'all') c ORDER BY c.id"
        )),
        ["2|1|15.00", "2|3|30.00"]
    );
    // from behind the inserts
    let later = "DECLARE @to binary(10) = sys.fn_cdc_get_max_lsn(), @from binary(10); SELECT TOP 1 @from = sys.fn_cdc_increment_lsn(start_lsn) FROM cdc.lsn_time_mapping ORDER BY start_lsn;";
    assert_eq!(
        s.rows(&format!("{later} SELECT __$operation, id FROM cdc.fn_cdc_get_net_changes_dbo_t(@from, @to, N'all') ORDER BY id")),
        ["4|1", "1|2", "2|3"]
    );
    assert_eq!(s.fails(&format!("{between} SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_t(0x01, @to, N'all')")), 313);
    assert_eq!(s.fails("SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_u(0x01, 0x02, N'all')"), 208);
}

#[test]
fn positions_have_times_and_masks_have_bits() {
    let mut s = book();
    assert_eq!(
        s.rows("SELECT CASE WHEN sys.fn_cdc_map_lsn_to_time(sys.fn_cdc_get_max_lsn()) = MAX(tran_end_time) THEN 1 END, CASE WHEN sys.fn_cdc_map_time_to_lsn('largest less than or equal', '2030-01-01') = MAX(start_lsn) THEN 1 END, CASE WHEN sys.fn_cdc_map_time_to_lsn('smallest greater than', '2000-01-01') = MIN(start_lsn) THEN 1 END FROM cdc.lsn_time_mapping"),
        ["1|1|1"]
    );
    assert_eq!(s.rows("SELECT __$update_mask, sys.fn_cdc_has_column_changed('dbo_t', 'amount', __$update_mask), sys.fn_cdc_is_bit_set(sys.fn_cdc_get_column_ordinal('dbo_t', 'name'), __$update_mask) FROM cdc.dbo_t_CT WHERE __$operation = 4"), ["[04]|1|0"]);
    assert_eq!(s.rows("SELECT DISTINCT __$update_mask FROM cdc.dbo_t_CT WHERE __$operation < 3"), ["[07]"]);
}

#[test]
fn a_second_instance_takes_over_with_the_new_columns() {
    let mut s = book();
    let enable = |instance: &str| {
        format!(
            "EXEC sys.sp_cdc_enable_table @source_schema = 'dbo', @source_name = 't', @role_name = NULL, @capture_instance = '{instance}'"
        )
    };
    s.ok("ALTER TABLE t ADD arrears money NULL; UPDATE t SET arrears = 1 WHERE id = 1");
    assert!(s.seen.commits.last().unwrap().changes[0].after.as_ref().unwrap().get("arrears").is_none());
    s.ok(&enable("dbo_t_v2")).ok("UPDATE t SET arrears = 2 WHERE id = 1");
    assert!(s.seen.commits.last().unwrap().changes[0].after.as_ref().unwrap().get("arrears").is_some());
    assert_eq!(s.rows("SELECT COUNT(*) FROM cdc.dbo_t_v2_CT"), ["2"]);
    assert_eq!(s.rows("SELECT capture_instance FROM cdc.change_tables"), ["dbo_t", "dbo_t_v2"]);
    assert_eq!(s.fails(&enable("dbo_t")), 22926);
    assert_eq!(s.fails(&enable("dbo_t_v3")), 22962);
    let disable = |instance: &str| format!("EXEC sys.sp_cdc_disable_table 'dbo', 't', '{instance}'");
    assert_eq!(s.fails(&disable("none")), 22960);
    s.ok(&disable("dbo_t")).ok("UPDATE t SET arrears = 3 WHERE id = 1");
    assert_eq!(s.rows("SELECT COUNT(*) FROM cdc.dbo_t_v2_CT"), ["4"]);
    s.ok(&disable("all"));
    assert_eq!(s.rows("SELECT is_tracked_by_cdc FROM sys.tables WHERE name = 't'"), ["0"]);
    let commits = s.seen.commits.len();
    s.ok("UPDATE t SET amount = 99");
    assert_eq!(s.seen.commits.len(), commits);
}

#[test]
fn what_was_captured_before_an_instance_is_not_in_it() {
    let mut s = book();
    s.ok("EXEC sys.sp_cdc_disable_table @source_schema = 'dbo', @source_name = 't', @capture_instance = 'dbo_t'; EXEC sys.sp_cdc_enable_table 'dbo', 't', NULL");
    assert_eq!(s.rows("SELECT COUNT(*) FROM cdc.dbo_t_CT"), ["0"]);
    s.ok("DELETE FROM t WHERE id = 1");
    assert_eq!(s.rows("SELECT __$operation FROM cdc.dbo_t_CT"), ["1"]);
}
