//! What a stack's replay asks the database besides its scripts: whether it is for tests, what time it is, when a commit was.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;

use super::told;
use crate::commands::advise;
use crate::config::daemon;
use crate::io::sqlserver::SqlServer;

/// Longer than a tick of the server's clock, which is a three-hundredth of a second: what comes after it is later.
const TICK: Duration = Duration::from_millis(20);

/// Sorts as text, as the times that it is compared with.
const NOW: &str = "/* tidewaiter: now */ SELECT CONVERT(varchar(23), GETDATE(), 121);";

pub(super) struct Database {
    server: SqlServer,
}

impl Database {
    pub(super) fn new(config: daemon::SqlServer) -> Self {
        Self { server: SqlServer::new(config) }
    }

    /// Refuses databases that are not marked, unless any will do.
    pub(super) async fn must_be_for_tests(&self, used: &BTreeSet<&str>, any: bool) -> anyhow::Result<()> {
        if any {
            return Ok(());
        }
        for name in used {
            let view = format!("[{}].sys.extended_properties", name.replace(']', "]]"));
            let sql = format!(
                "/* tidewaiter: test database */ SELECT CONVERT(varchar(10), COUNT(*)) FROM {view} \
                 WHERE class = 0 AND name = N'tidewaiter.test_database' AND CAST(value AS nvarchar(10)) = N'yes';"
            );
            let marked = self.text(&sql).await.with_context(|| format!("cannot ask whether {name} is a test database"))?;
            if marked.is_none_or(|marked| marked == "0") {
                let hint = "mark it, as deploy/sql/test-database.sql does, if nobody minds what the scripts write; or say --any-database";
                return Err(advise(anyhow::anyhow!("the database {name} is not marked as one for tests"), hint));
            }
        }
        Ok(())
    }

    /// By the server's clock.
    pub(super) async fn now(&self) -> anyhow::Result<String> {
        let now = self.text(NOW).await?.context("the SQL Server does not tell its time")?;
        tokio::time::sleep(TICK).await;
        Ok(now)
    }

    /// When a transaction was committed, by the server's clock; nothing if the log of its changes does not know it.
    pub(super) async fn committed_at(&self, commit_lsn: &str) -> anyhow::Result<Option<String>> {
        let Some(lsn) = binary(commit_lsn) else { return Ok(None) };
        let sql = format!("/* tidewaiter: commit */ SELECT CONVERT(varchar(23), sys.fn_cdc_map_lsn_to_time({lsn}), 121);");
        self.text(&sql).await
    }

    /// The text in the first row's only column.
    async fn text(&self, sql: &str) -> anyhow::Result<Option<String>> {
        let sets = self.server.ask(sql, &[]).await.map_err(told)?;
        let Some(row) = sets.first().and_then(|set| set.rows.first()) else { return Ok(None) };
        let text = row.text(0).map_err(|unreadable| anyhow::anyhow!("what the SQL Server answers {}", unreadable.problem))?;
        Ok(text.map(str::to_owned))
    }
}

/// `0000002b:00000d58:0003` as T-SQL has ten bytes: nothing but hexadecimal digits gets into the statement.
fn binary(lsn: &str) -> Option<String> {
    let parts: Vec<&str> = lsn.split(':').collect();
    let of = |part: &str, width: usize| part.len() == width && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let [file, block, slot] = parts[..] else { return None };
    (of(file, 8) && of(block, 8) && of(slot, 4)).then(|| format!("0x{file}{block}{slot}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_ten_bytes_and_nothing_else_gets_into_a_statement() {
        assert_eq!(binary("0000002b:00000d58:0003").as_deref(), Some("0x0000002b00000d580003"));
        for wrong in ["", "0000002b:00000d58", "0000002b:00000d58:003", "0000002b:00000d58:0003:", "0000002b:0);DROP:0003"] {
            assert_eq!(binary(wrong), None, "{wrong}");
        }
    }
}
