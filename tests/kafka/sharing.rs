//! Several members of one group, the real binary.

use crate::daemon::Openings;
use crate::stage::Stage;

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn a_second_member_on_topics_keyed_otherwise_stops_with_the_connectors_configuration_and_the_first_goes_on() {
    let openings = Openings::on(Stage::new("refused"));
    openings.open(0..20);
    let first = openings.daemon();
    openings.were_told_once(20);
    let mut second = openings.daemon();
    openings.open(20..40);
    assert_eq!(second.ended(), Some(2));
    // both write to one log, the first perhaps a moment later
    for part in [
        "does not carry the plain agreement number as its key",
        "message.key.columns=(.*).dbo.Transaction:TransAgreementNumber",
        "ExtractField$Key",
        "StringConverter",
        "tombstones.on.delete=false",
        "reading nothing until this member is alone again",
    ] {
        first.says(part);
    }
    openings.open(40..60);
    openings.were_told_once(60);
    first.stop();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn two_members_share_topics_that_are_keyed_by_the_agreement_number() {
    let openings = Openings::on(Stage::new("shared"));
    openings.open_keyed(0..20);
    let (first, second) = (openings.daemon(), openings.daemon());
    openings.were_told_once(20);
    for round in 1..6 {
        openings.open_keyed(round * 20..(round + 1) * 20);
        openings.were_told_once((round + 1) * 20);
    }
    first.stop();
    openings.open_keyed(120..140);
    openings.were_told_once(140);
    second.stop();
}

#[test]
#[ignore = "needs Java and Maven: cargo xtask test"]
fn topics_with_unequal_partition_counts_are_for_one_member() {
    let mut openings = Openings::on(Stage::new("unequal"));
    let (two, three) = (openings.stage.name("db.dbo.Transaction"), openings.stage.topic("other.dbo.Transaction", 3));
    openings.config = openings.config.replace(&two, &three);
    openings.open_keyed(0..20);
    let first = openings.daemon();
    openings.were_told_once(20);
    let mut second = openings.daemon();
    assert_eq!(second.ended(), Some(2));
    first.says("differ in their partition counts");
    first.says("unequal.other.dbo.Transaction has 3");
    openings.open_keyed(20..40);
    openings.were_told_once(40);
    first.stop();
}
