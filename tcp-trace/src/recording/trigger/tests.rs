// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of triggers: parsing, and when they fire.

use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::sample,
    event::{Connect, Event},
    governor::CounterSnapshot,
    model::folded::Folded,
    recording::sample::{at, connect, known},
    session_info::SessionInfo,
    stream::Message,
};

fn wrong(text: &str) -> String {
    Trigger::parse(text).expect_err(text).point(text)
}

#[test]
fn or_binds_less_than_and() {
    let slow = Trigger::Quantile(Rank::P99, Phase::PortSearch, Order::More, 1_000_000);
    let ends = Trigger::Ends(Outcome::NoPort, true);
    let nginx = Trigger::Comm("nginx".into(), true);
    let all = Trigger::All(vec![ends.clone(), nginx.clone()]);
    assert_eq!(
        Trigger::parse("p99(port_search) > 1ms or outcome = no_port"),
        Ok(Trigger::Any(vec![slow.clone(), ends.clone()]))
    );
    assert_eq!(
        Trigger::parse("p99(port_search)>1ms or outcome=no_port and comm='nginx'"),
        Ok(Trigger::Any(vec![slow.clone(), all]))
    );
    assert_eq!(
        Trigger::parse("(p99(port_search) > 1000us or outcome = no_port) and comm = nginx"),
        Ok(Trigger::All(vec![Trigger::Any(vec![slow, ends]), nginx]))
    );
    assert_eq!(
        Trigger::parse("ports_visited >= 14000"),
        Ok(Trigger::Takes(Phase::PortsVisited, Order::AtLeast, 14_000))
    );
    assert_eq!(Trigger::parse("finding = parity-cliff"), Ok(Trigger::Finds(Code::ParityCliff, true)));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    assert_eq!(
        wrong("p99(port_serch) > 1ms"),
        "no such phase: expected port_search, handshake, total or ports_visited\n  p99(port_serch) > 1ms\n      ^^^^^^^^^^"
    );
    assert!(wrong("outcome = no_prt").ends_with("\n            ^^^^^^"));
    assert!(wrong("port_search > 1").starts_with("expected a time: 800us, 1ms, 2.5s\n"));
    assert!(wrong("outcome =").ends_with("\n           ^"));
    for text in [
        "",
        "(",
        "p99",
        "p99()",
        "comm = 'a",
        "pid = x",
        "outcome = no_port outcome = reset",
        "finding = x",
        "and",
        "total ! 1ms",
    ] {
        wrong(text);
    }
    assert!(wrong(&"(".repeat(40)).contains("32 nested parentheses"));
}

#[test]
fn conditions_of_a_connect_are_about_the_same_one() {
    let trigger = Trigger::parse("outcome = no_port and port_search > 1ms").expect("a trigger");
    let mut evaluator = TriggerEvaluator::new(trigger, &known());
    let mut matches = |outcome, port_search_ns| {
        let event = Event::Connect(Connect { outcome, port_search_ns, ..connect(1, 0.1) });
        evaluator.matches(Message::Event(&event))
    };
    assert!(!matches(Outcome::NoPort, Some(900_000)));
    assert!(!matches(Outcome::Established, Some(2_000_000)));
    assert!(!matches(Outcome::NoPort, None), "what is not known is not more than anything");
    assert!(matches(Outcome::NoPort, Some(2_000_000)));
}

#[test]
fn conditions_of_an_interval_are_asked_when_it_ends() {
    let trigger = Trigger::parse("p99(port_search) > 1ms or count(refused) > 2").expect("a trigger");
    let before_rows = SessionInfo { has_rows: false, ..known() };
    let mut evaluator = TriggerEvaluator::new(trigger, &before_rows);
    let mut interval = |outcome, port_search_ns, end| {
        for _ in 0..3 {
            let event =
                Event::Connect(Connect { outcome, port_search_ns: Some(port_search_ns), ..connect(1, end - 0.5) });
            assert!(!evaluator.matches(Message::Event(&event)));
        }
        evaluator.matches(Message::Tick(at(end)))
    };
    assert!(!interval(Outcome::Established, 5_000, 1.0));
    assert!(interval(Outcome::Established, 2_000_000, 2.0));
}

/// The connects as the kernel side adds them up, without events.
fn folded(connects: &[&Connect]) -> CounterSnapshot {
    let rows = sample::rows(connects.iter().copied());
    CounterSnapshot { folded: Some(Folded { rows, ..Folded::default() }), ..CounterSnapshot::untraced() }
}

#[test]
fn conditions_of_a_connect_are_met_by_rows_at_any_rate() {
    let refused = Connect { outcome: Outcome::Refused, ..connect(1, 0.1) };
    let slow = Connect { total_ns: Some(7_000_000), ..connect(1, 0.1) };
    let elsewhere = Connect { dport: 80, total_ns: Some(60_500), ..refused.clone() };
    let matches = |trigger: &str, connects: &[&Connect]| {
        let mut evaluator = TriggerEvaluator::new(Trigger::parse(trigger).expect("a trigger"), &known());
        evaluator.matches(Message::Counters(&folded(connects)))
    };
    assert!(matches("outcome = refused", &[&slow, &refused]));
    assert!(!matches("outcome = refused", &[&slow]));
    assert!(matches("outcome != established", &[&slow, &refused]));
    assert!(matches("total > 5ms", &[&slow, &refused]) && !matches("total > 9ms", &[&slow]));
    assert!(matches("total < 1ms", &[&slow, &refused]) && !matches("total < 1us", &[&refused]));
    assert!(matches("outcome = refused and port = 80", &[&slow, &elsewhere]));
    assert!(!matches("outcome = refused and port = 3306", &[&slow, &elsewhere]));
    assert!(matches("outcome = refused and pid = 4243", &[&refused]));
    // Sums cannot show whether it was the same connect; its event can.
    assert!(!matches("outcome = refused and total > 5ms", &[&slow, &refused]));
    // Where all of a row are one of both it is.
    assert!(matches("outcome = established and total > 5ms", &[&slow]));
}

#[test]
fn attempts_that_found_no_room_in_a_row_meet_them_too() {
    let mut counters = folded(&[&connect(1, 0.1)]);
    let other = Connect { outcome: Outcome::Refused, ..connect(1, 0.1) };
    counters.folded.as_mut().expect("rows").other.add(&other);
    let matches = |trigger: &str| {
        let mut evaluator = TriggerEvaluator::new(Trigger::parse(trigger).expect("a trigger"), &known());
        evaluator.matches(Message::Counters(&counters))
    };
    assert!(matches("outcome = refused"));
    assert!(!matches("outcome = refused and port = 3306"), "their destination is unknown");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", more in "[p9(_)=<>!'a-z0-9 ]{0,40}") {
        for text in [text, more] {
            if let Err(wrong) = Trigger::parse(&text) {
                wrong.point(&text);
            }
        }
    }
}
