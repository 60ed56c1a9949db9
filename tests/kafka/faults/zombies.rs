//! Stopped for longer than the session, a poll and a transaction may take, and then let go on.

use std::time::{Duration, Instant};

use super::course::Course;
use super::{shape, times};
use crate::stage::Stage;

/// Longer than the session's time-out, the transaction's and that between two polls.
const LONG: Duration = Duration::from_secs(9);

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_member_that_stood_still_beyond_every_time_out_is_fenced_and_comes_back() {
    let rounds = times(1, 20);
    let mut course = Course::new(Stage::new("zombies"), shape(rounds * 6_000));
    course.properties.insert("max.poll.interval.ms", "6000".to_owned());
    // it is produced piece by piece, so that there is something to do for each of them however fast the other was
    course.max_idle = "5s";
    let piece = course.yardstick.written.len() / (6 * rounds);
    for round in 0..rounds {
        // one that keeps its name, one that is new each time
        let (zombie, other) = (round % 2, 1 - round % 2);
        course.produce(piece * (6 * round + 4));
        course.start(zombie);
        // in the middle of its work
        advance(&mut course, 300);
        course.signal(zombie, "-STOP");
        let stopped = Instant::now();
        course.start(other);
        // all of this is the other's
        let at = course.progress();
        course.wait_until("taken over by the other", |course| stopped.elapsed() > LONG && course.progress() > at + 300);
        course.signal(zombie, "-CONT");
        course.produce(piece * (6 * round + 5));
        advance(&mut course, 300);
        // and this the zombie's, if it came back
        course.signal(other, "-STOP");
        let at = course.progress();
        course.produce(piece * (6 * round + 6));
        course.wait_until("taken over by the zombie", |course| course.progress() > at + 300);
        course.signal(other, "-CONT");
        course.stop(other);
        course.stop(zombie);
        eprintln!("round {} of {rounds}, {} of {} records", round + 1, course.progress(), course.total());
    }
    course.produce_all();
    course.start(0);
    course.finish();
}

fn advance(course: &mut Course, by: i64) {
    let to = course.progress() + by;
    course.wait_for_progress(to);
}
