//! Between the members and the broker: late, cut, lost.

use std::sync::Arc;
use std::time::Duration;

use xtask::kafka::Cluster;

use super::course::Course;
use super::{shape, times};
use crate::proxy::{END_TXN, Loss};
use crate::stage::Stage;

/// What the members ask for while they work: its answer gets lost, or the question.
const REQUESTS: [(&str, i16); 8] = [
    ("Produce", 0),
    ("Fetch", 1),
    ("OffsetFetch", 9),
    ("Heartbeat", 12),
    ("AddPartitionsToTxn", 24),
    ("AddOffsetsToTxn", 25),
    ("EndTxn", END_TXN),
    ("TxnOffsetCommit", 28),
];

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn late_frames_cut_connections_and_lost_answers_lose_nothing_and_tell_nothing_twice() {
    let rounds = times(1, 20);
    let cluster = Arc::new(Cluster::start(1, "faults-wire").unwrap());
    let mut course = Course::new(Stage::on(cluster, "wire"), shape(rounds * 5_000 + 3_000));
    let proxy = course.stage.proxy();
    course.bootstrap = proxy.bootstrap();
    // what is not answered is asked again soon
    course.properties.insert("socket.timeout.ms", "3000".to_owned());
    course.properties.insert("max.poll.interval.ms", "10000".to_owned());
    course.produce_all();
    course.start(0);
    course.start(1);
    advance(&mut course, 200);
    for round in 0..rounds {
        let delay = 5 + course.random.below(60);
        proxy.delay(Duration::from_millis(u64::try_from(delay).unwrap()));
        advance(&mut course, 300);
        proxy.delay(Duration::ZERO);
        for _ in 0..3 {
            proxy.cut();
            advance(&mut course, 100);
        }
        for (name, kind) in REQUESTS {
            // in the small form each of them once, the one or the other way; a commit both ways
            let answers = if kind == END_TXN || rounds > 1 { &[true, false][..] } else { &[course.random.one_in(2)][..] };
            for answer in answers {
                if name == "OffsetFetch" {
                    // it is asked at an assignment
                    let place = usize::from(*answer);
                    course.stop(place);
                    course.start(place);
                }
                proxy.lose(if *answer { Loss::Answer(kind) } else { Loss::Request(kind) });
                course.wait_until(&format!("without a {name}"), |course| {
                    course.progress();
                    proxy.has_lost()
                });
                advance(&mut course, 100);
            }
        }
        eprintln!("round {} of {rounds}, {} of {} records", round + 1, course.progress(), course.total());
    }
    course.finish();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_member_that_is_killed_between_a_commit_and_its_answer_loses_nothing_and_tells_nothing_twice() {
    let rounds = times(1, 20);
    let cluster = Arc::new(Cluster::start(1, "faults-endtxn").unwrap());
    let mut course = Course::new(Stage::on(cluster, "endtxn"), shape(rounds * 2_000 + 1_000));
    let proxy = course.stage.proxy();
    course.bootstrap = proxy.bootstrap();
    course.produce_all();
    for round in 0..rounds {
        for loss in [Loss::Request(END_TXN), Loss::Answer(END_TXN)] {
            let place = round % 2;
            course.start(place);
            let some = 100 + i64::try_from(course.random.below(400)).unwrap();
            advance(&mut course, some);
            proxy.lose(loss);
            course.wait_until("before its answer", |_| proxy.has_lost());
            course.kill(place);
        }
        eprintln!("round {} of {rounds}, {} of {} records", round + 1, course.progress(), course.total());
    }
    course.start(0);
    course.finish();
}

fn advance(course: &mut Course, by: i64) {
    let to = course.progress() + by;
    course.wait_for_progress(to);
}
