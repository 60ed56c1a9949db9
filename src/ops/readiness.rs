//! Whether the pipeline does its work, and why not.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Partition;
use crate::engine::pipeline::Condition;
use crate::engine::ports::Standing;

/// Records of a partition that are not done, as far as is known: neither a transaction's marks nor what was compacted away
/// are records, so the distance of two offsets alone says nothing.
pub(super) fn has_records(standing: &Standing, committed: Option<i64>) -> bool {
    let unread = standing.end.is_some() && !standing.all_read;
    let undone = standing.next.is_some_and(|next| committed.or(standing.from).is_none_or(|done| done < next));
    unread || undone
}

/// How many offsets a partition is behind; `None` where its end is not known yet.
pub(super) fn lag(standing: &Standing, committed: Option<i64>) -> Option<i64> {
    if !has_records(standing, committed) && standing.all_read {
        return Some(0);
    }
    let done = committed.or(standing.from).unwrap_or(0);
    standing.end.map(|end| (end - done).max(0))
}

/// All that stands against being ready; empty if nothing does.
pub(super) fn objections(
    condition: &Condition,
    waiting: Option<Duration>,
    stalled_after: Duration,
    standings: &[Standing],
    committed: &BTreeMap<Partition, i64>,
) -> Vec<String> {
    let mut objections: Vec<String> = why(condition).into_iter().collect();
    if let Some(waiting) = waiting.filter(|waiting| *waiting >= stalled_after) {
        let seconds = waiting.as_secs();
        for standing in standings {
            let done = committed.get(&standing.partition).copied();
            if has_records(standing, done) {
                objections.push(format!("nothing was committed for {seconds} s though {}", told(standing, done)));
            }
        }
    }
    objections
}

fn why(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Running => None,
        Condition::Unassigned => {
            Some("no partition is assigned: starting, rebalancing, or more members than partitions".to_owned())
        }
        Condition::Restoring { read, total } => {
            Some(format!("restoring what was open: read {read} of {total} offsets of the changelog"))
        }
        Condition::SourceUnavailable(why) => Some(format!("the brokers do not answer, nothing is read until they do: {why}")),
        Condition::RegistryUnavailable(why) => Some(format!("the schema registry is unavailable, decoding waits: {why}")),
        Condition::LookupUnavailable(why) => Some(format!("the lookup is unavailable, judging waits: {why}")),
        Condition::SinkUnavailable(why) => Some(format!("batches are not committed and are repeated: {why}")),
        Condition::Scattered(why) => Some(format!("reading nothing until this member is alone again: {why}")),
        Condition::RebuiltSource(why) => Some(format!("stopped before a rebuilt source: {why}")),
    }
}

fn told(standing: &Standing, committed: Option<i64>) -> String {
    let known = |offset: Option<i64>| offset.map_or_else(|| "unknown".to_owned(), |offset| offset.to_string());
    let Standing { partition, from, next, end, all_read } = standing;
    let reading = if *all_read { "" } else { ", and not read to its end: its broker may be out of reach" };
    format!(
        "{partition} has records: committed {}, read to {}, end {}{reading}",
        known(committed.or(*from)),
        known(*next),
        known(*end)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Topic;

    const LIMIT: Duration = Duration::from_mins(1);

    fn standing(from: Option<i64>, next: Option<i64>, end: Option<i64>, all_read: bool) -> Standing {
        Standing { partition: Partition { topic: Topic::intern("ready.t"), partition: 0 }, from, next, end, all_read }
    }

    #[test]
    fn the_marks_of_transactions_at_the_end_are_no_records() {
        let marks_only = standing(Some(5), Some(8), Some(12), true);
        assert!(!has_records(&marks_only, Some(8)) && has_records(&marks_only, Some(7)));
        assert_eq!((lag(&marks_only, Some(8)), lag(&marks_only, Some(7))), (Some(0), Some(5)));
    }

    #[test]
    fn what_is_not_read_to_its_end_has_records_and_an_unknown_end_has_no_lag() {
        assert!(has_records(&standing(None, None, Some(3), false), None));
        assert!(!has_records(&standing(None, None, None, false), None), "nothing is known of it yet");
        assert_eq!(lag(&standing(None, None, Some(3), false), None), Some(3));
        assert_eq!(lag(&standing(Some(2), Some(2), None, false), None), None);
        assert_eq!(lag(&standing(Some(2), Some(2), Some(2), true), None), Some(0), "the group had committed it");
    }

    #[test]
    fn a_partition_is_stalled_from_the_limit_on_and_only_if_it_has_records() {
        let told = |waiting: Duration, committed: i64| {
            let committed = BTreeMap::from([(standing(None, None, None, true).partition, committed)]);
            let standings = [standing(None, Some(8), Some(8), true)];
            objections(&Condition::Running, Some(waiting), LIMIT, &standings, &committed)
        };
        assert_eq!(
            told(LIMIT, 7),
            ["nothing was committed for 60 s though ready.t/0 has records: committed 7, read to 8, end 8"]
        );
        assert!(told(Duration::from_millis(59_999), 7).is_empty());
        assert!(told(LIMIT, 8).is_empty());
    }

    #[test]
    fn every_condition_but_running_is_an_objection_that_says_why() {
        let of = |condition: Condition| objections(&condition, None, LIMIT, &[], &BTreeMap::new());
        assert!(of(Condition::Running).is_empty());
        assert!(of(Condition::Unassigned)[0].starts_with("no partition is assigned"));
        for condition in [
            Condition::SourceUnavailable("because".to_owned()),
            Condition::RegistryUnavailable("because".to_owned()),
            Condition::LookupUnavailable("because".to_owned()),
            Condition::SinkUnavailable("because".to_owned()),
            Condition::RebuiltSource("because".to_owned()),
            Condition::Scattered("because".to_owned()),
        ] {
            assert!(of(condition.clone())[0].ends_with(": because"), "{condition:?}");
        }
    }
}
