//! Members that come and go, partitions that become more, topics that are gone.

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use super::course::{Course, Place};
use super::workload::{Shape, TABLES};
use super::{shape, times};
use crate::stage::Stage;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn members_that_become_three_two_four_and_one_lose_nothing_and_tell_nothing_twice() {
    let rounds = times(1, 20);
    let mut course = Course::new(Stage::new("storms"), shape(rounds * 5_000 + 2_000));
    // it is produced meanwhile
    course.max_idle = "5s";
    let steps = rounds * 4;
    let pieces = course.yardstick.written.len() / (steps + 2);
    course.produce(2 * pieces);
    course.start(0);
    for step in 0..steps {
        let wished = [3, 2, 4, 1][step % 4];
        while course.members.len() > wished {
            let places: Vec<Place> = course.members.keys().copied().collect();
            let place = *course.random.pick(&places);
            // one of them goes without a word
            if course.random.one_in(3) { course.kill(place) } else { course.stop(place) }
        }
        while course.members.len() < wished {
            let place = (0..4).find(|place| !course.members.contains_key(place)).unwrap();
            course.start(place);
        }
        let to = course.total() - i64::try_from(pieces).unwrap();
        course.produce(pieces * (step + 3));
        // now and then the next comes before this one is over
        if !course.random.one_in(3) {
            course.wait_for_progress(to);
        }
        eprintln!("step {} of {steps}: {wished} members, {} of {}", step + 1, course.progress(), course.total());
    }
    course.produce_all();
    course.finish();
}

fn admin(course: &Course) -> AdminClient<DefaultClientContext> {
    course.stage.config().create().unwrap()
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn partitions_may_be_added_while_windows_are_open() {
    let mut course = Course::new(Stage::new("growing"), Shape { grown: Some(6), ..shape(6_000) });
    course.properties.insert("topic.metadata.refresh.interval.ms", "1000".to_owned());
    course.produce(course.yardstick.grown_at);
    course.start(0);
    let total = course.total();
    course.wait_for_progress(total);
    for table in TABLES {
        course.stage.grow(course.topic(table).name(), 6);
    }
    // before something is written to them: until a consumer knows of a partition, it cannot wait for it
    let restored = |course: &Course, n: i32| {
        course.log(0).lines().any(|line| line.contains("state restored") && line.contains(&format!("\"partitions\":{n},")))
    };
    course.wait_until("aware of the new partitions", |course| restored(course, 12));
    course.produce_all();
    let some = total + 500;
    course.wait_for_progress(some);
    course.kill(0);
    course.start(0);
    course.finish();
}

/// Deletes a topic while a member works, and has it end with an error that names it.
fn without(stage: &'static str, topic: &str) -> (Course, String) {
    let mut course = Course::new(Stage::new(stage), shape(3_000));
    course.properties.insert("topic.metadata.refresh.interval.ms", "1000".to_owned());
    let half = course.yardstick.written.len() / 2;
    course.produce(half);
    course.start(0);
    let total = course.total();
    course.wait_for_progress(total);
    let name = course.stage.name(topic);
    block_on(admin(&course).delete_topics(&[&name], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    if TABLES.iter().all(|table| !topic.ends_with(table)) {
        // it shows when something is written
        course.produce_all();
    }
    let (status, told) = course.ends_saying(0);
    let last = told.lines().rev().take(3).collect::<Vec<_>>().join("\n");
    assert!(status.code() == Some(2) && last.contains(&name) && last.contains("hint: "), "{status}\n{told}");
    (course, name)
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn an_input_topic_that_is_deleted_stops_the_member_and_so_does_one_that_was_made_anew() {
    let (mut course, name) = without("input-gone", "db.dbo.Agreement");
    std::thread::sleep(Duration::from_secs(1));
    course.stage.topic("db.dbo.Agreement", 4);
    course.start(0);
    let (status, told) = course.ends_saying(0);
    let last = told.lines().rev().take(3).collect::<Vec<_>>().join("\n");
    assert!(status.code() == Some(2) && last.contains(&name) && last.contains("hint: "), "{status}\n{told}");
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn an_alerts_topic_that_is_deleted_stops_the_member() {
    without("alerts-gone", "alerts");
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_changelog_that_is_deleted_stops_the_member_and_is_not_taken_for_an_empty_one() {
    let (mut course, name) = without("changelog-gone", "group.changelog");
    course.start(0);
    let (status, told) = course.ends_saying(0);
    assert!(status.code() == Some(2) && told.contains("the changelog knows nothing of it"), "{name}: {status}\n{told}");
}
