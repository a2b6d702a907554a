// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests from messages to forecasts and their text.

use std::net::IpAddr;

use super::{
    change::Change,
    forecast::Forecast,
    usage_model::{ForecastRequest, UsageModel},
};
use crate::{
    aggregate::sample::{rows, second_pass},
    cli::what_if::writer,
    clock::Moment,
    event::{Connect, Event},
    export::format::Format,
    governor::CounterSnapshot,
    inventory::{
        Inventory,
        sample::{inventory, socket},
        socket::State,
    },
    kernel::rules::{SearchRules, Sysctls},
    model::{accounts::Counts, folded::Folded},
    recording::sample::known,
    session_info::SessionInfo,
    stream::{Consumer as _, Message},
    view::screen::Layout,
};

const RULES: SearchRules = SearchRules {
    socket_range: true,
    socket_range_steps_by_one: true,
    perturb_table: true,
    rcu_lookup: false,
    step_width: false,
    heals_buckets: false,
};

/// An inventory with the even half of 40000-40999 taken, and `odd` odd ports.
fn beyond(odd: u16, second: u64) -> Inventory {
    let sysctls = Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((40_000, 40_999)),
        ip_local_reserved_ports: Some("".into()),
        tcp_tw_reuse: Some(2),
        tcp_timestamps: Some(1),
        ..Sysctls::default()
    };
    let even = (40_000..41_000).step_by(2).map(|port| socket(State::Established, port));
    let odd = (0..odd).map(|at| socket(State::TimeWait, 40_001 + 2 * at));
    Inventory { begin_ns: second * 1_000_000_000, ..inventory(sysctls, even.chain(odd).collect()) }
}

fn usage_model(changes: Vec<Change>) -> UsageModel {
    let begin = Moment { wall: "2026-01-02T03:04:05Z".parse().expect("a moment"), monotonic_ns: 0 };
    let known = SessionInfo { begin, rules: RULES, table_perturb_unknown: None, has_rows: false, ..known() };
    UsageModel::new(&known, ForecastRequest { changes, searches_per_second: None, top: 5 })
}

fn forecast(changes: Vec<Change>) -> Forecast {
    outlook_with(changes, Counts::default())
}

/// The forecast with losses as counted by the kernel side.
fn outlook_with(changes: Vec<Change>, lost: Counts) -> Forecast {
    let mut usage_model = usage_model(changes);
    let mut happens = |message: Message<'_>| usage_model.consume(message).expect("nothing is written");
    happens(Message::Inventory(&beyond(0, 1)));
    let connect = Connect { ports_visited: Some(501), port_search_ns: Some(100_200), ..second_pass() };
    for _ in 0..1000 {
        happens(Message::Event(&Event::Connect(connect.clone())));
    }
    happens(Message::Counters(&CounterSnapshot { counts: lost, ..CounterSnapshot::untraced() }));
    happens(Message::Inventory(&beyond(20, 9)));
    let wall = "2026-01-02T03:04:15Z".parse().expect("a moment");
    happens(Message::End(Moment { wall, monotonic_ns: 10_000_000_000 }));
    usage_model.forecast(|_, _| {})
}

#[test]
fn today_and_what_is_sensible() {
    let forecast = forecast(Vec::new());
    let [case] = &forecast.cases[..] else { panic!("{:?}", forecast.cases) };
    assert_eq!((case.route.dport, case.route.daddr), (3306, IpAddr::from([10, 0, 0, 2])));
    assert_eq!((case.known.searches_per_second, case.searched.mean()), (Some(100.0), Some(501.0)));
    let words: Vec<_> = case.scenarios.iter().map(|scenario| scenario.words()).collect();
    assert_eq!(
        words,
        [
            "",
            "--range 10240-65535",
            "--range 1024-65535",
            "--source-addresses 2",
            "--local-port-range 40000-40999",
            "--tw-reuse",
            "--requests-per-connection 10"
        ]
    );
    let today = case.today().expect("the first");
    let visits = today.current.expect("a rate is known");
    assert!(visits.second_pass == 1.0 && (501.0..502.0).contains(&visits.mean), "{visits:?}");
    assert!(today.at_once_ns.is_some_and(|ns| (100_000.0..101_000.0).contains(&ns)));
    assert_eq!((today.cliff_at, today.to_cliff, today.to_exhaustion), (Some(500), Some(0), 480));
    // 20 odd ports went into TIME_WAIT within 8 s.
    assert_eq!((today.ports_per_second, today.seconds_to_exhaustion()), (Some(2.5), Some(192.0)));
    let of = |words: &str| {
        let scenario = case.scenarios.iter().find(|scenario| scenario.words() == words);
        scenario.map(|scenario| scenario.prediction).expect("it was asked")
    };
    let wider = of("--range 10240-65535");
    assert_eq!((wider.cliff_at, wider.to_cliff), (Some(27_648), Some(27_148)));
    assert!(wider.current.is_some_and(|visits| visits.mean < 5.0), "{wider:?}");
    assert_eq!(wider.at_once_ns, None, "no short search was measured");
    let addresses = of("--source-addresses 2");
    assert_eq!((addresses.cliff_at, addresses.to_cliff), (Some(1000), Some(480)));
    let reuse = of("--tw-reuse");
    assert_eq!((reuse.to_exhaustion, reuse.ports_per_second), (500, Some(0.0)));
    assert_eq!(of("--requests-per-connection 10").ports_per_second, Some(0.25));
    let one_pass = of("--local-port-range 40000-40999");
    assert_eq!((one_pass.cliff_at, one_pass.to_cliff, one_pass.to_exhaustion), (None, None, 480));
    assert!(one_pass.current.is_some_and(|visits| visits.mean < 4.0), "{one_pass:?}");
    let advised = case.advised().map(|(change, _)| case.command(change));
    let command = "nsenter --net=/proc/4294967295/ns/net sysctl -w net.ipv4.ip_local_port_range='10240 65535'";
    assert_eq!(advised, Some(Some(command.into())));
}

#[test]
fn each_that_is_asked_for_and_all_together() {
    let forecast = forecast(vec![Change::Range(1024, 65_535), Change::SourceAddresses(2)]);
    let words: Vec<_> = forecast.cases[0].scenarios.iter().map(|scenario| scenario.words()).collect();
    assert_eq!(words, ["", "--range 1024-65535", "--source-addresses 2", "--range 1024-65535 --source-addresses 2"]);
}

#[test]
fn without_a_rate_nothing_is_said_of_searches() {
    let mut usage_model = usage_model(Vec::new());
    usage_model.consume(Message::Inventory(&beyond(0, 1))).expect("nothing is written");
    let forecast = usage_model.forecast(|_, _| {});
    let today = forecast.cases[0].today().expect("the first");
    assert_eq!((today.current, today.steady_state, today.ports_per_second), (None, None, None));
    assert_eq!((today.cliff_at, today.to_cliff), (Some(500), Some(0)));
    assert!(forecast.cases[0].advised().is_none());
    assert!(forecast.notes.iter().any(|note| note.ends_with("the run was too short")), "{:?}", forecast.notes);
}

/// Losses are relative to a thousand connects.
#[test]
fn little_that_is_lost_leaves_a_rate_and_much_does_not() {
    let missed = |runs| Counts { runs_missed: Some(runs), ..Counts::default() };
    let ring_full = |events| Counts { ring_full: events, ..Counts::default() };
    for (lost, rate, told) in [
        (missed(3), Some(100.0), "3 events or program runs were lost: rates are lower bounds"),
        (missed(1001), None, "1001 events or program runs were lost: rates are unknown"),
        (ring_full(50), Some(100.0), "50 events or program runs were lost: rates are lower bounds"),
        (ring_full(51), None, "51 events or program runs were lost: rates are unknown"),
    ] {
        let forecast = outlook_with(Vec::new(), lost);
        assert_eq!(forecast.cases[0].known.searches_per_second, rate, "{lost:?}");
        assert!(forecast.notes.iter().any(|note| note == told), "{:?}", forecast.notes);
    }
}

#[test]
fn rates_rest_on_rows_and_what_is_lost_in_the_ring_is_in_them() {
    let begin = Moment { wall: "2026-01-02T03:04:05Z".parse().expect("a moment"), monotonic_ns: 0 };
    let known = SessionInfo { begin, rules: RULES, ..known() };
    let mut usage_model =
        UsageModel::new(&known, ForecastRequest { changes: Vec::new(), searches_per_second: None, top: 5 });
    let mut happens = |message: Message<'_>| usage_model.consume(message).expect("nothing is written");
    let connects = vec![second_pass(); 500];
    // One of the attempts is also an exemplar.
    happens(Message::Event(&Event::Connect(second_pass())));
    for looks in 1..=2 {
        let folded = Folded { rows: rows(&connects), ..Folded::default() };
        // Each followed attempt represents two.
        let counts =
            Counts { made: looks * 500, not_followed: looks * 500, ring_full: looks * 490, ..Counts::default() };
        happens(Message::Counters(&CounterSnapshot { counts, folded: Some(folded), ..CounterSnapshot::untraced() }));
    }
    happens(Message::Inventory(&beyond(20, 9)));
    let wall = "2026-01-02T03:04:15Z".parse().expect("a moment");
    happens(Message::End(Moment { wall, monotonic_ns: 10_000_000_000 }));
    let forecast = usage_model.forecast(|_, _| {});
    let case = &forecast.cases[0];
    assert_eq!((case.known.searches_per_second, case.searched.searches), (Some(200.0), 1000));
}

#[test]
fn as_it_is_read() {
    let forecast = forecast(vec![Change::Range(10_240, 65_535)]);
    let layout = Layout { width: 80, top: 5, colours: false, unicode: false, verbose: true };
    let text = String::from_utf8(writer::forecast(&forecast, Format::Text, layout)).expect("text");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in
        ["520 ports taken, 100 searches/s", "measured: 501 ports visited, 100 us", "nothing changes ", "begin with:"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = String::from_utf8(writer::forecast(&forecast, Format::Json, layout)).expect("text");
    assert_eq!(json.lines().count(), 2);
    let last: serde_json::Value = serde_json::from_str(json.lines().last().expect("two")).expect("JSON");
    assert_eq!((&last["type"], &last["cliff_at_ports"]), (&"what_if".into(), &27_648.into()));
    assert_eq!((&last["change"], &last["advised"]), (&"--range 10240-65535".into(), &true.into()));
    assert!(last["port_search_current_ns"].is_null());
}
