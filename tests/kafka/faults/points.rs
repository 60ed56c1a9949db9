//! Killed at every step of a batch, a rebalance and a restore.

use super::course::Course;
use super::{shape, times};
use crate::stage::Stage;

/// Steps of every batch.
const OF_BATCHES: [&str; 8] = [
    "begin.before",
    "begin.after",
    "produce.after",
    "changelog.after",
    "offsets.after",
    "commit.before",
    "commit.sent",
    "commit.acknowledged",
];
/// Steps of every start.
const OF_STARTS: [&str; 4] = ["assign.before", "assign.after", "restore.amid", "restore.after"];
/// Steps of giving partitions to another member.
const OF_LEAVING: [&str; 2] = ["revoke.before", "revoke.after"];

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_member_that_is_killed_at_any_step_loses_nothing_and_tells_nothing_twice() {
    assert!(are_compiled_in(), "fail points are not compiled in: cargo xtask test does it");
    let rounds = times(1, 20);
    let points = OF_BATCHES.len() + OF_STARTS.len() + OF_LEAVING.len();
    let mut course = Course::new(Stage::new("points"), shape(rounds * points * 600));
    course.produce_all();
    for round in 0..rounds {
        // one that keeps its name, one that is new each time
        let place = round % 2;
        for point in OF_BATCHES {
            let time = 1 + course.random.below(6);
            die_at(&mut course, place, point, time);
        }
        for point in OF_STARTS {
            die_at(&mut course, place, point, if point == "restore.amid" { 1 + round * 7 } else { 1 });
        }
        for point in OF_LEAVING {
            course.start_with(place, Some(&format!("{point}#1")));
            let some = course.progress() + 200;
            // on a slow machine its session may end by itself, and it dies then
            course.works_or_ends(place, some);
            // what it has is shared with another
            course.start(place + 1);
            assert!(course.ends(place).code().is_none(), "it was killed");
            let some = course.progress() + 50;
            course.wait_for_progress(some);
            course.kill(place + 1);
        }
        eprintln!("round {} of {rounds}, {} of {} records", round + 1, course.progress(), course.total());
    }
    course.start(0);
    course.finish();
}

fn are_compiled_in() -> bool {
    cfg!(feature = "failpoints")
}

fn die_at(course: &mut Course, place: usize, point: &str, time: usize) {
    course.start_with(place, Some(&format!("{point}#{time}")));
    let status = course.ends(place);
    assert!(status.code().is_none(), "at {point}: {status}");
}
