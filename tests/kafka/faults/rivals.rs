//! Two processes that are given one name.

use super::course::Course;
use super::shape;
use crate::stage::Stage;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn of_two_members_with_one_name_one_ends_and_says_why_and_the_other_goes_on() {
    let mut course = Course::new(Stage::new("rivals"), shape(6_000));
    course.names.insert(2, "place-0");
    course.produce_all();
    course.start(0);
    course.wait_for_progress(300);
    course.start(2);
    let loser = course.first_to_end();
    let (status, told) = course.ends_saying(loser);
    let last = told.lines().rev().take(2).collect::<Vec<_>>().join("\n");
    assert!(status.code() == Some(2) && last.contains("hint: ") && last.contains("kafka.instance_id"), "{status}\n{told}");
    // it was not the first time that it was thrown out, and once is no reason to end
    assert!(told.contains("joining the group anew"), "{told}");
    course.finish();
}
