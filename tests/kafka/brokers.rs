//! The daemon while brokers go and come back.

use std::sync::Arc;

use xtask::kafka::Cluster;

use crate::daemon::Openings;
use crate::stage::Stage;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn the_only_broker_may_be_killed_and_come_back() {
    let cluster = Arc::new(Cluster::start(1, "tests-bounce").unwrap());
    let openings = Openings::on(Stage::on(Arc::clone(&cluster), "bounce"));
    let daemon = openings.daemon();
    for round in 0..3 {
        openings.open(round * 20..(round + 1) * 20);
        openings.were_told_once((round + 1) * 20);
        let gone = if round == 1 { cluster.stop_broker(1) } else { cluster.kill_broker(1) };
        gone.unwrap();
        cluster.restart_broker(1).unwrap();
    }
    openings.open(60..80);
    openings.were_told_once(80);
    daemon.stop();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn of_three_brokers_each_may_be_away_in_turn() {
    let cluster = Arc::new(Cluster::start(3, "tests-three").unwrap());
    let openings = Openings::on(Stage::on(Arc::clone(&cluster), "three"));
    let daemon = openings.daemon();
    openings.open(0..20);
    openings.were_told_once(20);
    for (round, broker) in [(1, 1), (2, 2), (3, 3)] {
        cluster.wait_until_in_sync().unwrap();
        let gone = if broker == 2 { cluster.stop_broker(broker) } else { cluster.kill_broker(broker) };
        gone.unwrap();
        openings.open(round * 20..(round + 1) * 20);
        openings.were_told_once((round + 1) * 20);
        cluster.restart_broker(broker).unwrap();
    }
    daemon.stop();
}
