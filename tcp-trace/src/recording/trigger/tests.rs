// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of triggers: parsing, and when they fire.

use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::sample,
    event::{Comm, Connect, Event},
    governor::CounterSnapshot,
    model::folded::{Folded, FoldedCounts},
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
fn counts_shares_and_head_room() {
    let no_port = Counted::Ends(Outcome::NoPort, true);
    for text in ["count(no_port) = 0", "count(outcome = no_port)=0"] {
        assert_eq!(Trigger::parse(text), Ok(Trigger::Count(no_port, Order::Equal, 0)), "{text}");
    }
    let failed = Counted::Ends(Outcome::Established, false);
    for text in ["share(outcome != established) <= 0.5%", "share(outcome != established) <= 0.5 %"] {
        assert_eq!(Trigger::parse(text), Ok(Trigger::Share(failed, Order::AtMost, 0.005)), "{text}");
    }
    assert_eq!(Trigger::parse("count(second_pass) != 3"), Ok(Trigger::Count(Counted::SecondPass, Order::Other, 3)));
    assert_eq!(Trigger::parse("headroom < 20 %"), Ok(Trigger::HeadRoom(Order::Less, Room::Share(0.2))));
    assert_eq!(Trigger::parse("headroom > 500"), Ok(Trigger::HeadRoom(Order::More, Room::Connects(500))));
    assert!(wrong("share(no_port) < 5").starts_with("expected a share: 20 %, 0.1 %\n"));
    for text in ["headroom > -5 %", "headroom > inf%", "headroom > 1.2.3 %", "headroom > % 5", "share(port) > 1 %"] {
        wrong(text);
    }
}

#[test]
fn a_condition_and_its_opposite_never_agree() {
    for text in [
        "outcome = no_port or port = 3306 and total < 1ms",
        "(outcome = refused or pid != 4243) and ports_visited = 2",
        "comm != \"it's\" or handshake >= 52us",
        "ports_visited != 2 and port_search <= 5us",
    ] {
        let trigger = Trigger::parse(text).expect("a trigger");
        let opposite = trigger.negated();
        assert_eq!(opposite.negated(), trigger, "{text}");
        for number in 0..40 {
            let connect = connect(number, 0.1);
            if connect.ports_visited.is_some() {
                assert_ne!(trigger.is_met(Some(&connect), None), opposite.is_met(Some(&connect), None), "{text}");
            }
        }
    }
}

#[test]
fn what_sums_do_not_show_is_unsure_and_never_none() {
    let connects: Vec<_> = (0..40).map(|number| connect(number, 0.1)).collect();
    for text in ["ports_visited = 2", "ports_visited != 2", "port_search < 6us", "total >= 1ms", "outcome = no_port"] {
        let trigger = Trigger::parse(text).expect("a trigger");
        for some in connects.chunks(7) {
            let mut counts = FoldedCounts::default();
            some.iter().for_each(|connect| counts.add(connect));
            let met = trigger.met_by(&Attempts { row: None, counts: &counts }, None);
            let count = some.iter().filter(|connect| trigger.is_met(Some(connect), None)).count();
            let fits = match met {
                Met::None => count == 0,
                Met::Unsure => true,
                Met::Some => count > 0,
                Met::All => count == some.len(),
            };
            assert!(fits, "{text}: {met:?}, {count} of {}", some.len());
        }
    }
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
    fn a_condition_as_text_is_the_same_condition(
        number in 0_u64..1 << 50, percent in 0_u32..1_000_000, name in "[a-z '0-9]{0,15}", which in 0_usize..9,
    ) {
        let share = f64::from(percent) / 1e6;
        let trigger = match which {
            0 => Trigger::Quantile(Rank::P90, Phase::Total, Order::AtMost, number),
            1 => Trigger::Takes(Phase::PortsVisited, Order::Equal, number),
            2 => Trigger::Count(Counted::Ends(Outcome::Refused, false), Order::Other, number),
            3 => Trigger::Share(Counted::SecondPass, Order::Less, share),
            4 => Trigger::HeadRoom(Order::More, Room::Share(share)),
            5 => Trigger::HeadRoom(Order::AtLeast, Room::Connects(number)),
            6 => Trigger::Comm(Comm::from(name.as_str()), false),
            7 => Trigger::All(vec![Trigger::Pid(7, true), Trigger::Any(vec![Trigger::Port(80, false), Trigger::Pid(9, true)])]),
            _ => Trigger::Any(vec![Trigger::Finds(Code::RangeFull, true), Trigger::Ends(Outcome::Reset, true)]),
        };
        let text = trigger.to_string();
        let again = Trigger::parse(&text).unwrap_or_else(|wrong| panic!("{}", wrong.point(&text)));
        match (&trigger, &again) {
            (Trigger::Share(.., one), Trigger::Share(.., other))
            | (Trigger::HeadRoom(_, Room::Share(one)), Trigger::HeadRoom(_, Room::Share(other))) => {
                prop_assert!((one - other).abs() < 1e-9, "{}", text);
            }
            _ => prop_assert_eq!(&again, &trigger, "{}", text),
        }
        prop_assert_eq!(again.to_string(), text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", more in "[p9(_)=<>!'a-z0-9 ]{0,40}") {
        for text in [text, more] {
            if let Err(wrong) = Trigger::parse(&text) {
                wrong.point(&text);
            }
        }
    }
}
