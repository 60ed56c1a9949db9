//! Killed at any moment, with one, two and three members.

use std::thread;
use std::time::Duration;

use super::course::Course;
use super::{shape, times};
use crate::stage::Stage;

const PLACES: usize = 3;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn members_that_come_go_and_are_killed_at_any_moment_lose_nothing_and_tell_nothing_twice() {
    let kills = times(8, 200);
    let mut course = Course::new(Stage::new("kills"), shape(if kills >= 200 { 220_000 } else { kills * 1100 }));
    course.produce_all();
    let total = course.total();
    let mut wished = 2;
    for kill in 0..kills {
        // one that was killed comes back, others come, or go as they should
        if course.random.one_in(3) {
            wished = 1 + course.random.below(PLACES);
        }
        while course.members.len() > wished {
            let place = any(&mut course);
            course.stop(place);
        }
        while course.members.len() < wished {
            let free: Vec<usize> = (0..PLACES).filter(|place| !course.members.contains_key(place)).collect();
            let place = *course.random.pick(&free);
            course.start(place);
        }
        if !course.random.one_in(4) {
            let left = usize::try_from(total - course.progress()).unwrap();
            let step = course.random.below(2 * left / (kills - kill + 1) + 1);
            let to = course.progress() + i64::try_from(step).unwrap();
            course.wait_for_progress(to);
        }
        // no condition: any moment will do, also one in the middle of a start
        thread::sleep(Duration::from_millis(u64::try_from(course.random.below(60)).unwrap()));
        if course.random.one_in(8) {
            thread::sleep(Duration::from_millis(u64::try_from(course.random.below(2000)).unwrap()));
        }
        let place = any(&mut course);
        course.kill(place);
        course.look();
        eprintln!("kill {} of {kills}: {} members left, {} of {total}", kill + 1, course.members.len(), course.progress());
    }
    course.start(PLACES);
    course.finish();
}

fn any(course: &mut Course) -> usize {
    let places: Vec<usize> = course.members.keys().copied().collect();
    *course.random.pick(&places)
}
