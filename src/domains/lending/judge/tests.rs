use super::*;
use crate::domains::lending::case::{Correlation as Matching, FinalPayment};
use crate::domains::lending::expected::{AgreementRow, Schedule, Source};
use crate::domains::lending::testing::{
    at, date, dec, expects, image, judged, matched, movement, opening, published, row, rules, settled, settlement, transaction,
    unmatched, verdict_line,
};
use crate::engine::verdict::Outcome;

fn raised(judgement: &Judgement) -> Vec<&'static str> {
    judgement.alerts.iter().map(|alert| alert.rule).collect()
}

/// The alerts one by one, for a snapshot.
fn pretty(judgement: &Judgement) -> String {
    let alerts: Vec<serde_json::Value> = published(judgement).iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    serde_json::to_string_pretty(&alerts).unwrap()
}

fn paid(amount: &str) -> Case {
    Case::Movement(matched(amount, 12, "9000.00", image("4000.00")))
}

/// Nothing is known of the agreement but its number, its balance and its flag.
fn silent(balance: &str) -> AgreementImage {
    AgreementImage { customer_number: None, borrowers: None, agreement_type: None, ..image(balance) }
}

fn last_payment() -> FinalPayment {
    FinalPayment { movement: movement("403.37", 12), balances: Some((dec("403.37"), dec("0.00"))) }
}

mod alerts {
    use super::*;

    #[test]
    fn a_payment_far_above_the_expected_one_is_an_overpayment_and_a_lump_sum() {
        insta::assert_snapshot!(pretty(&judged(paid("5000.00"), Some(&expects("230.00")), &rules())));
    }

    /// Of MONEY columns, whose amounts come with four decimals.
    #[test]
    fn a_sentence_shows_no_decimals_that_only_the_column_type_gives() {
        let explained = |amount: &str, expected: &str, before: &str, after: &str| {
            let case = Case::Movement(matched(amount, 12, before, image(after)));
            let judgement = judged(case, Some(&expects(expected)), &rules());
            let alerts: Vec<serde_json::Value> =
                published(&judgement).iter().map(|body| serde_json::from_str(body).unwrap()).collect();
            assert!(alerts.iter().all(|alert| alert["movement"]["amount"] == amount), "the alert's own amounts keep them");
            let sentences: Vec<_> = alerts.iter().map(|alert| alert["explanation"].as_str().unwrap()).collect();
            sentences.join("\n")
        };
        insta::assert_snapshot!(explained("5000.0000", "230.0000", "9000.0000", "4000.0000"));
        insta::assert_snapshot!(explained("345.6789", "230.4500", "1345.6789", "1000.0000"));
    }

    #[test]
    fn a_settlement_names_its_final_payment() {
        let case = Case::Settlement(settlement(Some(last_payment()), settled("0.00", Some("2026-01-12"))));
        insta::assert_snapshot!(pretty(&judged(case, None, &rules())));
    }

    #[test]
    fn a_settlement_without_a_payment_says_so() {
        let case = Case::Settlement(settlement(None, settled("403.37", None)));
        insta::assert_snapshot!(pretty(&judged(case, None, &rules())));
    }

    #[test]
    fn an_opening_tells_what_is_lent_and_expected() {
        insta::assert_snapshot!(pretty(&judged(Case::Opening(opening(image("15000.00"))), Some(&expects("413.37")), &rules())));
    }

    #[test]
    fn a_refund_tells_its_type_and_platform() {
        let case = Case::Movement(matched("25.00", 108, "4000.00", image("4025.00")));
        insta::assert_snapshot!(pretty(&judged(case, None, &rules())));
    }

    #[test]
    fn a_refund_of_zero_or_less_fires_too() {
        for amount in ["0.00", "-5.00"] {
            assert_eq!(raised(&judged(Case::Movement(unmatched(amount, 1206)), None, &rules())), ["R5"], "{amount}");
        }
    }

    #[test]
    fn an_ignored_type_raises_nothing_of_any_amount() {
        let judgement = judged(Case::Movement(unmatched("99999.00", 50)), None, &rules());
        assert_eq!(raised(&judgement), [""; 0]);
        assert!(judgement.verdicts.iter().all(|verdict| verdict.outcome == Outcome::NotApplicable));
    }

    #[test]
    fn a_payment_that_is_not_above_zero_raises_nothing() {
        for amount in ["0.00", "-5000.00"] {
            assert_eq!(raised(&judged(Case::Movement(unmatched(amount, 12)), Some(&expects("-9000.00")), &rules())), [""; 0]);
        }
    }

    #[test]
    fn without_an_expected_payment_a_lump_sum_still_fires_and_says_missing() {
        let judgement = judged(paid("5000.00"), Some(&Answer::default()), &rules());
        assert_eq!(judgement.verdicts[0].outcome, Outcome::Indeterminate);
        assert_eq!(raised(&judgement), ["R2"]);
        assert_eq!(judgement.alerts[0].expected, Some(ExpectedPayment::MISSING));
    }

    #[test]
    fn an_opening_without_a_profile_is_an_alert_that_says_missing() {
        let judgement = judged(Case::Opening(opening(image("15000.00"))), Some(&Answer::default()), &rules());
        assert_eq!(judgement.alerts[0].expected.unwrap().source, Source::Missing);
    }

    #[test]
    fn a_disabled_rule_raises_nothing() {
        let mut rules = rules();
        rules.r1.enabled = false;
        let judgement = judged(paid("5000.00"), Some(&expects("230.00")), &rules);
        assert_eq!(raised(&judgement), ["R2"]);
        assert_eq!(judgement.verdicts[0].outcome, Outcome::Disabled);
        rules.r5.enabled = false;
        assert_eq!(raised(&judged(Case::Movement(unmatched("25.00", 108)), None, &rules)), [""; 0]);
    }

    #[test]
    fn severity_is_as_configured() {
        let mut rules = rules();
        rules.r5.severity = crate::domains::lending::settings::Severity::High;
        let judgement = judged(Case::Movement(unmatched("25.00", 108)), None, &rules);
        assert!(published(&judgement)[0].contains(r#""severity":"high""#));
    }

    #[test]
    fn a_settlement_is_early_only_before_the_contracts_end() {
        let early = |on: Option<&str>, end: Option<&str>| {
            let after = AgreementImage { contract_end_date: end.map(date), ..settled("0.00", on) };
            let judgement = judged(Case::Settlement(settlement(None, after)), None, &rules());
            judgement.alerts[0].settlement.as_ref().unwrap().early
        };
        assert_eq!(early(Some("2029-06-01"), Some("2029-06-02")), Some(true));
        assert_eq!(early(Some("2029-06-02"), Some("2029-06-02")), Some(false));
        assert_eq!(early(None, Some("2029-06-02")), None);
        assert_eq!(early(Some("2029-06-02"), None), None);
    }

    #[test]
    fn amounts_of_any_size_and_scale_come_through_as_they_are() {
        for amount in ["9999999999999999999999999999", "0.0000000000000000000000000001", "1234567.890000000000000000000"] {
            for expected in ["9999999999999999999999999999", "0.0000000000000000000000000001", "-1.5", "0"] {
                let judgement = judged(paid(amount), Some(&expects(expected)), &rules());
                assert!(verdict_line(&judgement).contains(&format!(r#""amount":"{amount}""#)));
                assert!(verdict_line(&judgement).contains(&format!(r#""amount":"{expected}""#)));
            }
        }
    }
}

mod agreement_facts {
    use super::*;

    #[test]
    fn each_field_comes_from_the_image_and_else_from_the_row() {
        let after = AgreementImage { customer_number: None, ..image("4025.00") };
        let answer = Answer { agreement: Some(row("C-ROW", "C1 C2", 205)), ..Answer::default() };
        let judgement = judged(Case::Movement(matched("25.00", 108, "4000.00", after)), Some(&answer), &rules());
        let alert = &judgement.alerts[0];
        assert_eq!(alert.customer_number.as_deref(), Some("C-ROW"));
        assert_eq!(alert.borrowers, ["C635824", "C635825"]);
        assert_eq!(alert.agreement_type, Some(113));
    }

    #[test]
    fn an_unmatched_movement_has_only_the_row() {
        let answer = Answer { agreement: Some(row("C-ROW", " C1  C2 ", 205)), ..Answer::default() };
        let alert = judged(Case::Movement(unmatched("25.00", 108)), Some(&answer), &rules()).alerts.remove(0);
        assert_eq!(alert.customer_number.as_deref(), Some("C-ROW"));
        assert_eq!(alert.borrowers, ["C1", "C2"]);
        assert_eq!(alert.agreement_type, Some(205));
    }

    #[test]
    fn what_nobody_knows_is_null_or_empty() {
        for answer in [None, Some(Answer { agreement: Some(AgreementRow::default()), ..Answer::default() })] {
            let alert = judged(Case::Movement(unmatched("25.00", 108)), answer.as_ref(), &rules()).alerts.remove(0);
            assert_eq!((alert.customer_number, alert.borrowers, alert.agreement_type), (None, vec![], None));
        }
    }

    #[test]
    fn borrowers_that_are_blank_are_none_and_not_asked_for() {
        let after = AgreementImage { borrowers: Some("  ".into()), ..image("15000.00") };
        let answer = Answer { agreement: Some(row("C-ROW", "C1", 205)), ..Answer::default() };
        let judgement = judged(Case::Opening(opening(after)), Some(&answer), &rules());
        assert_eq!(judgement.alerts[0].borrowers, [""; 0]);
    }

    #[test]
    fn a_settlement_and_an_opening_take_their_own_image_first() {
        let answer = Answer { agreement: Some(row("C-ROW", "C1", 205)), ..Answer::default() };
        for case in
            [Case::Opening(opening(image("1.00"))), Case::Settlement(settlement(None, settled("0.00", Some("2026-01-12"))))]
        {
            let alert = judged(case, Some(&answer), &rules()).alerts.remove(0);
            assert_eq!(alert.customer_number.as_deref(), Some("C001544"));
            assert_eq!(alert.agreement_type, Some(113));
        }
    }

    #[test]
    fn the_segment_goes_by_the_matched_images_type_and_else_by_the_rows() {
        let answer = Answer { agreement: Some(row("C", "C", 301)), ..expects("400.00") };
        let segment_of_r2 = |case| judged(Case::Movement(case), Some(&answer), &rules()).verdicts[1].segment;
        assert_eq!(segment_of_r2(matched("501.00", 12, "9000.00", image("8499.00"))), None);
        assert_eq!(segment_of_r2(matched("501.00", 12, "9000.00", silent("8499.00"))), Some(0));
        assert_eq!(segment_of_r2(unmatched("501.00", 12)), Some(0));
        let raised = judged(Case::Movement(unmatched("501.00", 12)), Some(&answer), &rules());
        assert_eq!(raised.alerts[0].threshold, Some(alert::Threshold::LumpSum { max_amount: dec("500.00"), segment: Some(0) }));
    }
}

mod questions {
    use super::*;

    fn asked(case: &Case) -> Option<String> {
        question(case, &rules()).map(|question| format!("{} {}", question.agreement, question.month))
    }

    #[test]
    fn a_payment_asks_for_the_month_of_its_business_date() {
        let mut case = unmatched("10.00", 12);
        case.movement.date = date("2025-12-31");
        assert_eq!(asked(&Case::Movement(case)).unwrap(), "FRM0001544 2025-12");
        assert!(asked(&paid("10.00")).is_some(), "also if the image holds everything");
    }

    #[test]
    fn an_opening_asks_for_the_month_of_the_first_payment_and_else_of_the_event() {
        let mut case = opening(image("15000.00"));
        assert_eq!(asked(&Case::Opening(case.clone())).unwrap(), "FRM0001544 2026-02");
        case.after = AgreementImage { first_payment_date: None, ..image("15000.00") }.into();
        assert_eq!(asked(&Case::Opening(case.clone())).unwrap(), "FRM0001544 2026-01");
        case.occurred_at = at(20 * 86_400_000 - 1);
        assert_eq!(asked(&Case::Opening(case.clone())).unwrap(), "FRM0001544 2026-01", "the last millisecond of the month, UTC");
        case.occurred_at = at(20 * 86_400_000);
        assert_eq!(asked(&Case::Opening(case)).unwrap(), "FRM0001544 2026-02");
    }

    #[test]
    fn what_cannot_raise_an_alert_asks_nothing() {
        assert_eq!(asked(&Case::Movement(unmatched("99999.00", 50))), None);
        assert_eq!(asked(&Case::Movement(unmatched("0.00", 12))), None);
        assert_eq!(asked(&Case::Movement(unmatched("-1.00", 12))), None);
    }

    #[test]
    fn a_refund_and_a_settlement_ask_only_for_what_the_image_lacks() {
        assert_eq!(asked(&Case::Movement(matched("25.00", 108, "1.00", image("26.00")))), None);
        assert!(asked(&Case::Movement(unmatched("25.00", 108))).is_some());
        assert_eq!(asked(&Case::Settlement(settlement(None, settled("0.00", None)))), None);
        for lacking in [
            AgreementImage { customer_number: None, ..image("26.00") },
            AgreementImage { borrowers: None, ..image("26.00") },
            AgreementImage { agreement_type: None, ..image("26.00") },
        ] {
            assert!(asked(&Case::Settlement(settlement(None, lacking.clone()))).is_some());
            assert!(asked(&Case::Movement(matched("25.00", 108, "1.00", lacking))).is_some());
        }
    }

    #[test]
    fn nothing_is_asked_for_disabled_rules() {
        let mut rules = rules();
        rules.r1.enabled = false;
        assert!(question(&paid("10.00"), &rules).is_some(), "R2 quotes the expected payment");
        rules.r2.enabled = false;
        rules.r3.enabled = false;
        rules.r4.enabled = false;
        rules.r5.enabled = false;
        for case in [
            paid("10.00"),
            Case::Movement(unmatched("25.00", 108)),
            Case::Settlement(settlement(None, silent("0.00"))),
            Case::Opening(opening(image("15000.00"))),
        ] {
            assert_eq!(question(&case, &rules), None, "{case:?}");
            let judgement = judged(case, None, &rules);
            assert!(judgement.verdicts.iter().all(|verdict| verdict.outcome == Outcome::Disabled));
            assert_eq!(judgement.subject.expected, None);
        }
    }
}

mod verdict_lines {
    use super::*;

    #[test]
    fn a_line_holds_what_was_judged_and_every_verdict() {
        insta::assert_snapshot!(verdict_line(&judged(paid("5000.00"), Some(&expects("230.00")), &rules())));
    }

    #[test]
    fn a_line_of_a_silent_case_tells_how_far_from_firing_it_was() {
        insta::assert_snapshot!(verdict_line(&judged(paid("300.00"), Some(&expects("230.00")), &rules())));
    }

    #[test]
    fn lines_of_the_other_kinds_have_the_same_form() {
        let lines = [
            Case::Settlement(settlement(Some(last_payment()), settled("0.00", Some("2026-01-12")))),
            Case::Opening(opening(image("15000.00"))),
            Case::Movement(unmatched("0.00", 1206)),
            Case::Movement(unmatched("10.00", 50)),
        ]
        .map(|case| verdict_line(&judged(case, None, &rules())));
        insta::assert_snapshot!(lines.join("\n"));
    }
}

mod explanations {
    use super::*;

    fn told(case: Case, answer: &Answer) -> Vec<String> {
        judged(case, Some(answer), &rules()).alerts.into_iter().map(|alert| alert.explanation).collect()
    }

    fn first(case: Case, answer: &Answer) -> String {
        told(case, answer).remove(0)
    }

    #[test]
    fn an_overpayment_is_told_with_its_percentage_and_its_limit() {
        assert_eq!(
            first(paid("5000.00"), &expects("230.00")),
            "Payment of 5,000.00 on FRM0001544 is 2,173.9 % of the 230.00 expected for 2026-01 (payment profile); R1 allows 150 %, which is 345.00; the balance fell from 9,000.00 to 4,000.00."
        );
    }

    #[test]
    fn a_lump_sum_is_told_with_its_maximum_and_what_was_expected() {
        assert_eq!(
            told(paid("5000.00"), &expects("230.00"))[1],
            "Payment of 5,000.00 on FRM0001544 is above the 3,000.00 that R2 allows in one payment; 230.00 is expected for 2026-01 (payment profile); the balance fell from 9,000.00 to 4,000.00."
        );
        assert_eq!(
            first(paid("5000.00"), &Answer::default()),
            "Payment of 5,000.00 on FRM0001544 is above the 3,000.00 that R2 allows in one payment; no expected payment is known; the balance fell from 9,000.00 to 4,000.00."
        );
    }

    #[test]
    fn every_source_is_told_in_words() {
        let custom = Answer { custom: Some(dec("230.00")), ..Answer::default() };
        assert_eq!(
            first(paid("400.00"), &custom),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected (custom profile); R1 allows 150 %, which is 345.00; the balance fell from 9,000.00 to 4,000.00."
        );
        let of_month = expects("1").schedules[0].clone();
        let fallen = Schedule { current: None, fallen_due: Some(dec("230.00")), ..of_month.clone() };
        let late = Answer { schedules: [fallen].into(), ..Answer::default() };
        assert_eq!(
            first(paid("400.00"), &late),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected for 2026-01 (payment profile, already fallen due); R1 allows 150 %, which is 345.00; the balance fell from 9,000.00 to 4,000.00."
        );
        let next = Schedule { current: None, next_due: Some((date("2026-03-28"), dec("230.00"))), ..of_month };
        let late = Answer { schedules: [next].into(), ..Answer::default() };
        assert_eq!(
            first(paid("400.00"), &late),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected for 2026-03 (payment profile, next due); R1 allows 150 %, which is 345.00; the balance fell from 9,000.00 to 4,000.00."
        );
    }

    #[test]
    fn with_zero_or_less_expected_no_percentage_is_told() {
        assert_eq!(
            first(paid("50.00"), &expects("0.00")),
            "Payment of 50.00 on FRM0001544 stands against an expected 0.00 for 2026-01 (payment profile); R1 allows an excess of less than 0.01; the balance fell from 9,000.00 to 4,000.00."
        );
        assert_eq!(
            first(paid("50.00"), &expects("-20.00")),
            "Payment of 50.00 on FRM0001544 stands against an expected -20.00 for 2026-01 (payment profile); R1 allows an excess of less than 0.01; the balance fell from 9,000.00 to 4,000.00."
        );
    }

    #[test]
    fn a_segment_is_told_by_its_agreement_type() {
        let of_type = |kind| AgreementImage { agreement_type: Some(kind), ..image("8000.00") };
        assert_eq!(
            first(Case::Movement(matched("1000.00", 12, "9000.00", of_type(205))), &expects("230.00")),
            "Payment of 1,000.00 on FRM0001544 is 434.8 % of the 230.00 expected for 2026-01 (payment profile); R1 allows 200 % for agreement type 205, which is 460.00; the balance fell from 9,000.00 to 8,000.00."
        );
        assert_eq!(
            told(Case::Movement(matched("1000.00", 12, "9000.00", of_type(301))), &expects("900.00"))[0],
            "Payment of 1,000.00 on FRM0001544 is above the 500.00 that R2 allows in one payment for agreement type 301; 900.00 is expected for 2026-01 (payment profile); the balance fell from 9,000.00 to 8,000.00."
        );
    }

    #[test]
    fn what_became_of_the_balance_update_is_told() {
        let answer = expects("230.00");
        assert_eq!(
            first(Case::Movement(unmatched("400.00", 12)), &answer),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected for 2026-01 (payment profile); R1 allows 150 %, which is 345.00; no balance update matched it within 30 s."
        );
        let mut several = matched("400.00", 12, "9000.00", image("8500.00"));
        several.correlation = Matching::Aggregated;
        let mut movements = vec![transaction(6, 9_924_770, "0000002b:00000d70:0005"), several.movement.change];
        several.together = Some(movements.clone().into());
        assert_eq!(
            first(Case::Movement(several.clone()), &answer),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected for 2026-01 (payment profile); R1 allows 150 %, which is 345.00; one balance update covers it and 1 other movement; the balance fell from 9,000.00 to 8,500.00."
        );
        movements.insert(0, transaction(5, 9_924_769, "0000002b:00000d6f:0005"));
        several.together = Some(movements.into());
        assert!(first(Case::Movement(several), &answer).contains("it and 2 other movements"));
        let mut closing = matched("400.00", 12, "400.53", image("0.00"));
        closing.correlation = Matching::Closing;
        assert_eq!(
            first(Case::Movement(closing), &answer),
            "Payment of 400.00 on FRM0001544 is 173.9 % of the 230.00 expected for 2026-01 (payment profile); R1 allows 150 %, which is 345.00; the balance update that closed the account differs from it by 0.53; the balance fell from 400.53 to 0.00."
        );
    }

    #[test]
    fn a_settlement_is_told_early_or_not_with_its_last_payment_or_without() {
        let told = |last, balance, on| first(Case::Settlement(settlement(last, settled(balance, on))), &Answer::default());
        assert_eq!(
            told(Some(last_payment()), "0.00", Some("2026-01-12")),
            "Agreement FRM0001544 was settled on 2026-01-12, early: its contract runs until 2029-06-02; the final payment was 403.37 on 2026-01-12; the balance fell from 403.37 to 0.00."
        );
        assert_eq!(
            told(None, "403.37", Some("2029-06-02")),
            "Agreement FRM0001544 was settled on 2029-06-02, not before its contract's end on 2029-06-02; no payment was seen within 30 s; a balance of 403.37 remains."
        );
        assert_eq!(
            told(None, "0.00", None),
            "Agreement FRM0001544 was settled (no date given; its contract runs until 2029-06-02); no payment was seen within 30 s."
        );
        let after = AgreementImage { contract_end_date: None, ..settled("0.00", Some("2026-01-12")) };
        assert_eq!(
            first(Case::Settlement(settlement(None, after)), &Answer::default()),
            "Agreement FRM0001544 was settled on 2026-01-12 (the end of its contract is not known); no payment was seen within 30 s."
        );
    }

    #[test]
    fn an_opening_is_told_with_what_is_known() {
        assert_eq!(
            first(Case::Opening(opening(image("15000.00"))), &expects("413.37")),
            "Agreement FRM0001544 was opened for 15,000.00 over 48 months, the first payment on 2026-02-12; 413.37 is expected for 2026-02 (payment profile)."
        );
        let bare = AgreementImage { principal: None, num_payments: Some(1), first_payment_date: None, ..image("1.00") };
        assert_eq!(
            first(Case::Opening(opening(bare)), &Answer::default()),
            "Agreement FRM0001544 was opened over 1 month; no expected payment is known yet."
        );
    }

    #[test]
    fn a_refund_is_told_with_its_type() {
        assert_eq!(
            first(Case::Movement(matched("1025.00", 108, "4000.00", image("5025.00"))), &Answer::default()),
            "Refund of 1,025.00 on FRM0001544 was issued on 2026-01-12 as type 108 (Refund of Direct Debit, secured); the balance rose from 4,000.00 to 5,025.00."
        );
        assert_eq!(
            first(Case::Movement(unmatched("-5.00", 1206)), &Answer::default()),
            "Refund of -5.00 on FRM0001544 was issued on 2026-01-12 as type 1206 (Transfer Refund, unsecured); no balance update matched it within 30 s."
        );
    }

    #[test]
    fn no_explanation_holds_the_customer_or_the_borrowers() {
        let sentences = [
            told(paid("5000.00"), &expects("230.00")),
            told(Case::Settlement(settlement(Some(last_payment()), settled("0.00", None))), &Answer::default()),
            told(Case::Opening(opening(image("1.00"))), &Answer::default()),
            told(Case::Movement(unmatched("5.00", 1206)), &Answer::default()),
        ];
        for sentence in sentences.iter().flatten() {
            assert!(!sentence.contains("C001544") && !sentence.contains("C63582"), "{sentence}");
        }
    }

    #[test]
    fn figures_too_large_to_compute_with_are_left_out() {
        let large = "9999999999999999999999999999";
        let sentence = first(paid(large), &expects("0.0000000000000000000000000001"));
        assert_eq!(
            sentence,
            "Payment of 9,999,999,999,999,999,999,999,999,999.00 on FRM0001544 stands against an expected 0.0000000000000000000000000001 for 2026-01 (payment profile); R1 allows an excess of less than 0.01; the balance fell from 9,000.00 to 4,000.00."
        );
    }
}
