//! Three brokers, each of which may be away: those that lead partitions, and those that coordinate the group and its
//! transactions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use xtask::kafka::Cluster;

use super::course::Course;
use super::{shape, times};
use crate::stage::Stage;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn brokers_that_are_stopped_and_killed_in_turn_lose_nothing_and_tell_nothing_twice() {
    let rounds = times(3, 20);
    let cluster = Arc::new(Cluster::start(3, "faults-three").unwrap());
    let mut course = Course::new(Stage::on(Arc::clone(&cluster), "bounces"), shape(2 * rounds * 1_500 + 3_000));
    course.properties.insert("transaction.timeout.ms", "20000".to_owned());
    // it is produced meanwhile, so that there is something to do at each of them
    course.max_idle = "5s";
    let piece = course.yardstick.written.len() / (2 * rounds + 2);
    course.produce(piece);
    course.start(0);
    course.start(1);
    advance(&mut course, 200);
    let mut leaders = Leaders::new(&course);
    for round in 0..2 * rounds {
        cluster.wait_until_in_sync().unwrap();
        leaders.look();
        let broker = 1 + round / 2 % 3;
        let hard = round % 2 == 0;
        course.produce(piece * (round + 2));
        if hard { cluster.kill_broker(broker) } else { cluster.stop_broker(broker) }.unwrap();
        advance(&mut course, 300);
        leaders.look();
        cluster.restart_broker(broker).unwrap();
        advance(&mut course, 100);
        leaders.look();
        let how = if hard { "killed" } else { "stopped" };
        eprintln!("broker {broker} {how}, {} of {}, {} of {}", round + 1, 2 * rounds, course.progress(), course.total());
    }
    eprintln!("partitions changed their leader {} times, coordinators {} times", leaders.moves, leaders.coordinators);
    assert!(leaders.moves >= rounds && leaders.coordinators >= rounds);
    course.produce_all();
    course.finish();
}

fn advance(course: &mut Course, by: i64) {
    let to = course.progress() + by;
    course.wait_for_progress(to);
}

/// Counts who leads what.
struct Leaders {
    client: BaseConsumer,
    known: BTreeMap<(String, i32), i32>,
    /// Of the topics of this test.
    moves: usize,
    /// Of those that make a broker a coordinator.
    coordinators: usize,
}

impl Leaders {
    fn new(course: &Course) -> Self {
        let client = course.stage.config().create().unwrap();
        Self { client, known: BTreeMap::new(), moves: 0, coordinators: 0 }
    }

    fn look(&mut self) {
        let Ok(metadata) = self.client.fetch_metadata(None, Duration::from_secs(10)) else { return };
        for topic in metadata.topics() {
            for partition in topic.partitions().iter().filter(|partition| partition.leader() >= 0) {
                let before = self.known.insert((topic.name().to_owned(), partition.id()), partition.leader());
                if before.is_some_and(|before| before != partition.leader()) {
                    match topic.name() {
                        "__consumer_offsets" | "__transaction_state" => self.coordinators += 1,
                        _ => self.moves += 1,
                    }
                }
            }
        }
    }
}
