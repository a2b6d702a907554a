// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of rules and their verdicts.

use clap::ValueEnum as _;
use proptest::prelude::*;

use super::{rule::MOST_RULES, *};
use crate::{
    aggregate::sample::{established, no_port, rows, second_pass},
    event::{Connect, Event, Outcome},
    findings::{Code, Evidence},
    governor::CounterSnapshot,
    inventory::{
        Inventory,
        sample::{inventory, socket},
        socket::State,
    },
    model::{accounts::Counts, folded::Folded},
    probes::{table::Signal, tier::Tier},
    recording::sample::{at, known},
};

fn session() -> SessionInfo {
    SessionInfo { table_perturb_unknown: None, ..known() }
}

fn on(tier: Tier, limitations: &[&str]) -> SessionInfo {
    let mut session = session();
    let connect = session.signals.get_mut(&Signal::Connect).expect("it is traced");
    (connect.tier, connect.limitations) = (tier, limitations.iter().map(|words| (*words).into()).collect());
    session
}

/// The totals of these connects, each of which had no event of its own.
fn totals(connects: &[Connect], counts: Counts) -> CounterSnapshot {
    let mut folded = Folded { rows: rows(connects), ..Folded::default() };
    let value = |of: fn(&Connect) -> Option<u64>| connects.iter().filter_map(of).collect::<Vec<_>>();
    let values = [
        value(|connect| connect.port_search_ns),
        value(|connect| connect.handshake_ns),
        value(|connect| connect.total_ns),
        value(|connect| connect.ports_visited.map(u64::from)),
    ];
    for (phase, values) in folded.phases.iter_mut().zip(values) {
        phase.buckets = vec![0; tcp_trace_common::folded::BUCKETS];
        values.iter().for_each(|value| phase.buckets[tcp_trace_common::folded::bucket(*value)] += 1);
        phase.max = values.into_iter().max().unwrap_or(0);
    }
    let made = connects.len() as u64;
    let counts = Counts { made, summed: made, runs_missed: Some(0), ..counts };
    CounterSnapshot { counts, folded: Some(folded), ..CounterSnapshot::untraced() }
}

/// Checks one rule after these messages.
fn checked(rule: &str, session: &SessionInfo, messages: &[Message<'_>]) -> Checked {
    let rules = [Rule::parse(rule).unwrap_or_else(|wrong| panic!("{}", wrong.point(rule)))];
    let mut checker = Checker::new(&rules, Mode::Doctor, session, false);
    let end = [Message::Tick(at(1.0)), Message::End(at(1.5))];
    messages.iter().chain(&end).for_each(|message| checker.consume(*message).expect("it writes nothing"));
    checker.verdicts().expect("it ended").checked.remove(0)
}

fn verdict(rule: &str, connects: &[Connect]) -> Verdict {
    checked(rule, &session(), &[Message::Counters(&totals(connects, Counts::default()))]).verdict
}

/// The verdict where that was lost.
fn verdict_of_part(rule: &str, connects: &[Connect], counts: Counts) -> Verdict {
    let checked = checked(rule, &session(), &[Message::Counters(&totals(connects, counts))]);
    assert_eq!(checked.verdict == Verdict::Indeterminate, checked.evidence.iter().any(|e| e.unknown.is_some()));
    checked.verdict
}

#[test]
fn rules_and_what_they_are_about() {
    let parse = |text| Rule::parse(text).expect(text);
    let rule = parse(" warn: headroom > 20 % ");
    assert_eq!((&**rule.text(), rule.level()), ("headroom > 20 %", Level::Warn));
    let rule = parse("outcome != no_port and p99(total) < 1s");
    assert!(
        matches!(rule.condition(), Condition::All(parts) if matches!(parts[..], [Condition::Each(_), Condition::Run(_)]))
    );
    assert!(matches!(parse("outcome != refused or port != 80").condition(), Condition::Each(_)));
    assert!(matches!(parse("p50(total) < 1s or finding = range-full").condition(), Condition::Any(_)));
    let mode = |text| Rule::mode(&[parse("count(no_port) = 0"), parse(text)]);
    assert_eq!(
        ["max(total) < 1s", "headroom > 5", "p50(total) < 1s or headroom > 5", "finding != range-full"].map(mode),
        [Mode::ConnectLatency, Mode::Ports, Mode::Ports, Mode::Doctor]
    );
    let needs_events = |text| Rule::need_events(&[parse(text)]);
    assert_eq!(
        ["total < 1s", "outcome != refused or port != 80", "outcome != refused or total < 1ms", "total > 1us"]
            .map(needs_events),
        [false, false, true, true]
    );
}

#[test]
fn what_is_wrong_in_a_rule_is_pointed_at() {
    let wrong = |text: &str| Rule::parse(text).expect_err(text).point(text);
    assert!(wrong("warn: outcome = no_prt").ends_with("\n                  ^^^^^^"));
    assert!(wrong("outcome = no_port or p99(total) < 1s").starts_with("`or` combines"));
    let file = "# a comment\n\n  count(no_port) = 0\nwarn: headroom > 5 %\n";
    assert_eq!(Rule::parse_lines(file, "site").map(|rules| rules.len()), Ok(2));
    let wrong = Rule::parse_lines("count(no_port) = 0\n\x1bcount(\r\n", "site").expect_err("an escape");
    assert!(wrong.starts_with("site:2: ") && !wrong.contains('\x1b'), "{wrong}");
}

#[test]
fn presets_are_rules() {
    for preset in Preset::value_variants() {
        let rules = preset.rules().unwrap_or_else(|wrong| panic!("{preset:?}: {wrong}"));
        assert!((3..MOST_RULES).contains(&rules.len()), "{preset:?}");
        assert!(rules.iter().any(|rule| rule.level() == Level::Fail), "{preset:?}");
    }
}

#[test]
fn quantiles_counts_and_shares() {
    let calm = vec![established(); 100];
    let cliff: Vec<_> = (0..100).map(|n| if n < 90 { established() } else { second_pass() }).collect();
    for (rule, calmly, over_the_cliff) in [
        ("p99(port_search) < 1ms", Verdict::Pass, Verdict::Fail),
        ("p50(port_search) < 1ms", Verdict::Pass, Verdict::Pass),
        ("max(ports_visited) < 14000", Verdict::Pass, Verdict::Fail),
        ("warn: max(total) < 1ms", Verdict::Pass, Verdict::Warn),
        ("count(outcome = no_port) = 0", Verdict::Pass, Verdict::Pass),
        ("count(established) > 99", Verdict::Pass, Verdict::Pass),
        ("share(second_pass) < 5 %", Verdict::Pass, Verdict::Fail),
        ("count(second_pass) = 10", Verdict::Fail, Verdict::Pass),
        ("p99(port_search) < 1ms or count(refused) = 1", Verdict::Pass, Verdict::Fail),
        ("p99(port_search) < 1ms and count(refused) = 1", Verdict::Fail, Verdict::Fail),
    ] {
        assert_eq!((verdict(rule, &calm), verdict(rule, &cliff)), (calmly, over_the_cliff), "{rule}");
    }
    let failed = [established(), no_port()];
    assert_eq!(verdict("count(outcome = no_port) = 0", &failed), Verdict::Fail);
    assert_eq!(verdict("share(outcome != established) <= 50 %", &failed), Verdict::Pass);
    let evidence = checked("p99(total) < 1ms", &session(), &[Message::Counters(&totals(&cliff, Counts::default()))]);
    assert_eq!(evidence.evidence[0].unit, "ns");
    assert!(matches!(evidence.evidence[0].measured, Evidence::Number(2_600_000..2_800_000)), "{evidence:?}");
    assert!(evidence.evidence[0].words.ends_with(" of 100 connects"), "{evidence:?}");
}

#[test]
fn what_nobody_measured_does_not_pass() {
    for rule in ["p99(total) < 1s", "share(no_port) < 1 %", "total < 1s", "outcome = established"] {
        assert_eq!(verdict(rule, &[]), Verdict::Indeterminate, "{rule}");
    }
    assert_eq!(verdict("count(no_port) = 0", &[]), Verdict::Pass, "there was none");
    let unread = checked("count(no_port) = 0", &session(), &[]);
    assert_eq!(unread.verdict, Verdict::Indeterminate, "no counter was read");
    let untraced = SessionInfo { traced: false, ..session() };
    let counters = totals(&[established()], Counts::default());
    assert_eq!(
        checked("count(no_port) = 0", &untraced, &[Message::Counters(&counters)]).verdict,
        Verdict::Indeterminate
    );
}

#[test]
fn what_was_lost_may_break_a_rule_and_never_keeps_it() {
    let calm = vec![established(); 1_000];
    let losses = [
        Counts { not_followed: 3, ..Counts::default() },
        Counts { attempts_full: 3, ..Counts::default() },
        Counts { returns_missed: 3, ..Counts::default() },
    ];
    let rules = ["count(no_port) = 0", "p99(total) < 1s", "max(total) < 1s", "total < 1s", "share(no_port) < 99 %"];
    for (counts, rule) in losses.iter().flat_map(|counts| rules.map(|rule| (counts, rule))) {
        assert_eq!(verdict_of_part(rule, &calm, *counts), Verdict::Indeterminate, "{rule}");
    }
    // What is certainly broken stays broken.
    let lost = Counts { attempts_full: 3, ..Counts::default() };
    for rule in ["count(established) = 0", "count(established) < 1000", "p50(total) < 1us", "total > 1s"] {
        assert_eq!(verdict_of_part(rule, &calm, lost), Verdict::Fail, "{rule}");
    }
    // Three more could be the ones that meet it.
    for rule in ["count(established) > 1001", "max(total) > 1s", "share(no_port) > 0.1 %"] {
        assert_eq!(verdict_of_part(rule, &calm, lost), Verdict::Indeterminate, "{rule}");
    }
    // A value that one of many lacks can be the largest, and not the 990th.
    let lacks_one = [vec![Connect { total_ns: None, ..established() }], calm.clone()].concat();
    let of = |rule| verdict_of_part(rule, &lacks_one, Counts::default());
    assert_eq!(
        ["p99(total) < 1s", "max(total) < 1s", "total < 1s"].map(of),
        [Verdict::Pass, Verdict::Indeterminate, Verdict::Indeterminate]
    );
    // A tenth of the connects is known, and most of the others may be fast.
    let sampled = Counts { not_followed: 9_000, ..Counts::default() };
    assert_eq!(verdict_of_part("p50(total) < 1us", &calm, sampled), Verdict::Indeterminate);
    // Events that were shed are in the totals.
    let shed = Counts { shed: 1_000, ring_full: 10, ..Counts::default() };
    assert_eq!(verdict_of_part("count(no_port) = 0", &calm, shed), Verdict::Pass);
}

#[test]
fn a_truncated_recording_does_not_pass() {
    let rules = [Rule::parse("count(no_port) = 0").expect("a rule"), Rule::parse("p50(total) > 1s").expect("a rule")];
    let mut checker = Checker::new(&rules, Mode::Doctor, &session(), false);
    let counters = totals(&[established()], Counts::default());
    checker.consume(Message::Counters(&counters)).expect("it writes nothing");
    checker.truncated();
    checker.consume(Message::End(at(1.0))).expect("it writes nothing");
    let verdicts = checker.verdicts().expect("it ended");
    assert_eq!(
        verdicts.checked.iter().map(|checked| checked.verdict).collect::<Vec<_>>(),
        [Verdict::Indeterminate, Verdict::Fail]
    );
    assert_eq!((verdicts.exit_code(), verdicts.is_truncated), (3, true));
}

#[test]
fn what_the_tier_does_not_see_is_unknown() {
    let connects = vec![established(); 10];
    let counters = totals(&connects, Counts::default());
    let on = |rule, session: &SessionInfo| checked(rule, session, &[Message::Counters(&counters)]).verdict;
    let tracepoint = super::tests::on(Tier::Tracepoint, &["the port search is not seen"]);
    for rule in ["p99(port_search) < 1ms", "max(ports_visited) < 9", "port_search < 1s", "handshake < 1us"] {
        assert_eq!(on(rule, &tracepoint), Verdict::Indeterminate, "{rule}");
    }
    assert_eq!(on("count(no_port) = 0", &tracepoint), Verdict::Pass);
    assert_eq!(on("p99(total) < 1us", &tracepoint), Verdict::Fail);
    // It includes the search: below a bound with it is below without it.
    assert_eq!(on("p99(handshake) < 1ms", &tracepoint), Verdict::Pass);
    assert_eq!(on("p99(handshake) < 1us", &tracepoint), Verdict::Indeterminate);
    let blind = super::tests::on(Tier::Fentry, &["connects denied by a security module are not seen (no such hook)"]);
    assert_eq!(on("count(denied) = 0", &blind), Verdict::Indeterminate);
    assert_eq!(on("share(outcome != established) < 1 %", &blind), Verdict::Indeterminate);
    assert_eq!(on("outcome = established", &blind), Verdict::Indeterminate);
    assert_eq!(on("count(no_port) = 0", &blind), Verdict::Pass);
    let swapped = super::tests::on(Tier::Kprobe, &["interrupted connects are reported as abandoned (missing)"]);
    assert_eq!(on("count(abandoned) = 0", &swapped), Verdict::Indeterminate);
    assert_eq!(on("share(outcome != established) < 1 %", &swapped), Verdict::Pass);
}

#[test]
fn each_connect_by_totals_and_where_they_do_not_show_it_by_events() {
    let refused = Connect { outcome: Outcome::Refused, ..established() };
    let slow = Connect { total_ns: Some(7_000_000), ..established() };
    let both = [refused.clone(), slow.clone()];
    for (rule, expected) in [
        ("outcome != refused", Verdict::Fail),
        ("outcome != no_port", Verdict::Pass),
        ("total < 5ms", Verdict::Fail),
        ("total < 9ms", Verdict::Pass),
        ("port = 3306 and total < 9ms", Verdict::Pass),
        ("outcome != refused or port != 3306", Verdict::Fail),
        ("outcome != refused or port != 80", Verdict::Pass),
        // One is refused, one is slow: totals do not show whether it is the same one.
        ("outcome != refused or total < 5ms", Verdict::Indeterminate),
    ] {
        assert_eq!(verdict(rule, &both), expected, "{rule}");
    }
    let rule = "outcome != refused or total < 5ms";
    let mut counters = totals(&both, Counts::default());
    counters.counts.summed = 0;
    let events = both.clone().map(Event::Connect);
    let seen = [Message::Event(&events[0]), Message::Event(&events[1]), Message::Counters(&counters)];
    assert_eq!(checked(rule, &session(), &seen).verdict, Verdict::Pass, "each has an event");
    assert_eq!(checked(rule, &session(), &seen[1..]).verdict, Verdict::Indeterminate, "one was shed");
    let slow_and_refused = Event::Connect(Connect { total_ns: Some(7_000_000), ..refused });
    let exemplar = [Message::Event(&slow_and_refused), Message::Counters(&counters)];
    let broken = checked(rule, &session(), &exemplar);
    assert_eq!(broken.verdict, Verdict::Fail, "one event is enough");
    assert!(broken.evidence[0].words.contains("such as php-fpm (10) to 10.0.0.2:3306, refused"), "{broken:?}");
}

#[test]
fn an_attempt_in_progress_has_not_ended_in_another_way() {
    let pending = Event::Connect(Connect { outcome: Outcome::Pending, total_ns: Some(2_000_000_000), ..established() });
    let counters = totals(&[established()], Counts::default());
    let of = |rule| checked(rule, &session(), &[Message::Counters(&counters), Message::Event(&pending)]).verdict;
    assert_eq!(of("outcome = established"), Verdict::Indeterminate);
    assert_eq!(of("outcome != no_port"), Verdict::Pass);
    assert_eq!(of("total < 1s"), Verdict::Fail, "so far it took longer");
    assert_eq!(of("share(outcome != established) = 0 %"), Verdict::Pass);
    assert_eq!(of("count(pending) = 0"), Verdict::Fail);
}

#[test]
fn recordings_without_rows_are_checked_by_their_events() {
    let session = SessionInfo { has_rows: false, ..session() };
    let events = [established(), no_port()].map(Event::Connect);
    let counts = Counts { made: 2, runs_missed: Some(0), ..Counts::default() };
    let counters = CounterSnapshot { counts, ..CounterSnapshot::untraced() };
    let of = |rule, events: &[Event]| {
        let mut messages: Vec<_> = events.iter().map(Message::Event).collect();
        messages.push(Message::Counters(&counters));
        checked(rule, &session, &messages).verdict
    };
    assert_eq!(of("outcome != no_port", &events), Verdict::Fail);
    assert_eq!(of("outcome != refused or total < 1us", &events), Verdict::Pass);
    assert_eq!(of("count(no_port) = 1", &events), Verdict::Pass);
}

fn survey(taken: u16, marks: bool, warnings: &[&str]) -> Inventory {
    let sysctls = crate::kernel::rules::Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((40_000, 40_199)),
        ..Default::default()
    };
    let sockets = (0..taken).map(|port| socket(State::Established, 40_000 + 2 * port)).collect();
    let mut inventory = inventory(sysctls, sockets);
    inventory.spaces[0].marks = marks.then(Vec::new);
    inventory.warnings = warnings.iter().map(|words| (*words).into()).collect();
    inventory
}

#[test]
fn head_room_is_the_least_of_the_run() {
    let (much, little) = (survey(10, true, &[]), survey(90, true, &[]));
    let tick = Message::Tick(at(0.5));
    let of = |rule: &str, inventories: &[&Inventory]| {
        let messages: Vec<_> = inventories.iter().flat_map(|seen| [Message::Inventory(seen), tick]).collect();
        checked(rule, &session(), &messages)
    };
    assert_eq!(of("headroom > 20 %", &[&much]).verdict, Verdict::Pass);
    for order in [[&much, &little], [&little, &much]] {
        let broken = of("headroom > 20 %", &order);
        assert_eq!(broken.verdict, Verdict::Fail);
        assert_eq!(broken.evidence[0].measured, Evidence::Share(0.1));
        assert!(broken.evidence[0].words.starts_with("10 of 100 ports (10.0 %) left from 10.0.0.1"), "{broken:?}");
    }
    assert_eq!(
        [9, 10].map(|least| of(&format!("headroom > {least}"), &[&little]).verdict),
        [Verdict::Pass, Verdict::Fail]
    );
    assert_eq!(of("headroom > 5", &[&survey(0, true, &[])]).verdict, Verdict::Pass, "there is no connection");
    // Unread sockets and unknown marks can only make it less.
    for unsure in [survey(10, false, &[]), survey(10, true, &["a namespace could not be read"])] {
        assert_eq!(of("headroom > 20 %", &[&unsure]).verdict, Verdict::Indeterminate);
        assert_eq!(of("headroom > 95 %", &[&unsure]).verdict, Verdict::Fail);
        assert_eq!(of("headroom < 99 %", &[&unsure]).verdict, Verdict::Indeterminate);
    }
    assert_eq!(of("headroom > 20 %", &[]).verdict, Verdict::Indeterminate, "sockets were not read");
}

#[test]
fn findings_are_missing_only_where_they_would_have_been_found() {
    let cliff = vec![second_pass(); 50];
    let calm = vec![established(); 50];
    let seen = survey(10, true, &[]);
    let of = |rule, connects: &[Connect], session: &SessionInfo, counts| {
        let counters = totals(connects, counts);
        checked(rule, session, &[Message::Inventory(&seen), Message::Counters(&counters)]).verdict
    };
    let whole = Counts::default();
    assert_eq!(of("finding != parity-cliff", &cliff, &session(), whole), Verdict::Fail);
    assert_eq!(of("finding = parity-cliff", &cliff, &session(), whole), Verdict::Pass);
    assert_eq!(of("finding != parity-cliff", &calm, &session(), whole), Verdict::Pass);
    let lost = Counts { signals_ring_full: 1, ..whole };
    assert_eq!(of("finding != parity-cliff", &calm, &session(), lost), Verdict::Indeterminate);
    assert_eq!(of("finding != parity-cliff", &cliff, &session(), lost), Verdict::Fail);
    let mut no_states = session();
    no_states.signals.remove(&Signal::State);
    assert_eq!(of("finding != linger-reset", &calm, &no_states, whole), Verdict::Indeterminate);
    // Each code needs something, so none passes where nothing was seen.
    let nothing = SessionInfo { traced: false, ..session() };
    for code in Code::ALL {
        assert_eq!(checked(&format!("finding != {code}"), &nothing, &[]).verdict, Verdict::Indeterminate, "{code}");
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst_rule_and_warnings_have_none() {
    let code = |rules: &[&str]| {
        let rules: Vec<_> = rules.iter().map(|rule| Rule::parse(rule).expect("a rule")).collect();
        let mut checker = Checker::new(&rules, Mode::Doctor, &session(), false);
        let counters = totals(&[established()], Counts::default());
        checker.consume(Message::Counters(&counters)).expect("it writes nothing");
        checker.consume(Message::End(at(1.0))).expect("it writes nothing");
        checker.verdicts().expect("it ended").exit_code()
    };
    let (pass, fail, unknown) = ("count(no_port) = 0", "count(no_port) > 0", "headroom > 5");
    assert_eq!([code(&[pass]), code(&[pass, fail]), code(&[pass, unknown]), code(&[unknown, fail])], [0, 3, 4, 3]);
    assert_eq!(code(&[pass, "warn: count(no_port) > 0", "warn: headroom > 5"]), 0);
}

proptest! {
    /// More losses never turn a verdict into PASS, or FAIL into something else.
    #[test]
    fn losses_only_make_verdicts_unknown(
        slow in 0_usize..30, fast in 1_usize..30, lost in 1_u64..40, bound_us in 1_u64..4_000, rule in 0_usize..5,
    ) {
        let rule = [
            format!("p50(total) < {bound_us}us"),
            format!("p99(port_search) >= {bound_us}us"),
            format!("count(second_pass) <= {}", bound_us % 30),
            format!("share(second_pass) > {} %", bound_us % 100),
            format!("total < {bound_us}us"),
        ][rule].clone();
        let connects = [vec![established(); fast], vec![second_pass(); slow]].concat();
        let whole = verdict(&rule, &connects);
        let part = verdict_of_part(&rule, &connects, Counts { attempts_full: lost, ..Counts::default() });
        prop_assert!(part == Verdict::Indeterminate || (part == whole && whole == Verdict::Fail), "{}", rule);
        // A certain failure holds whatever the lost ones were.
        let (all_fast, all_slow) = (vec![established(); lost as usize], vec![second_pass(); lost as usize]);
        for others in [all_fast, all_slow] {
            let everything = verdict(&rule, &[connects.clone(), others].concat());
            prop_assert!(part != Verdict::Fail || everything == Verdict::Fail, "{} {:?}", rule, everything);
        }
    }
}
