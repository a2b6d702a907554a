// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outputs compared with the files in tests/golden.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use support::golden::check;
use tcp_trace::{
    aggregate::{connect::ConnectAggregate, ledger::Ledger, observed::Observed, time_wait::TimeWaitAggregate},
    clock::Anchor,
    decode::Decoder,
    event::{
        Bind, Caller, Candidates, Cgroup, Connect, Detail, DropCause, End, Event, LeaveReason, ListenDrop, Lost,
        Outcome, Passage, Side, SourcePort, State, TimeWait, level::Level,
    },
    export::{calendar::Calendar, csv, json},
    findings::findings,
    kernel::rules::{SearchRules, Sysctls},
    mode::Mode,
    model::{
        accounts::{Calibration, Cost, Counts, Measured},
        time_wait::TimeWaitTotals,
    },
    probes::tier::Tier,
    summarize::summary::Summary,
    view::{
        events as event_lines, line,
        screen::{Layout, screen},
    },
};
use tcp_trace_common::{RawHeader, connect::RawConnect, family, kind, tcp_state};
use zerocopy::IntoBytes as _;

const NETNS: u32 = 4_026_531_840;

fn time() -> Timestamp {
    "2026-01-02T03:04:05.678901234Z".parse().expect("a timestamp")
}

/// An attempt of which the kernel side saw nothing but that it was made.
fn unseen() -> Connect {
    let header = RawHeader { kind: kind::CONNECT, ..RawHeader::default() };
    let raw = RawConnect { header, family: family::INET, ..RawConnect::default() };
    let walk = SearchRules::default().walk();
    match Decoder::new(walk, Anchor::at(0, time())).decode(raw.as_bytes()) {
        Some(Event::Connect(connect)) => connect,
        other => panic!("{other:?}"),
    }
}

fn established() -> Connect {
    Connect {
        time: time(),
        caller: Caller {
            pid: 4242,
            tid: 4243,
            comm: "php-fpm".into(),
            uid: 33,
            cgroup: Some(Cgroup { id: 77, path: Some("/system.slice/php-fpm.service".into()) }),
        },
        netns: NETNS,
        saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        sport: Some(40_000),
        daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        dport: 3306,
        outcome: Outcome::Established,
        source_port: Some(SourcePort::Ephemeral),
        port_search_ns: Some(5_120),
        ports_visited: Some(2),
        second_pass: Some(false),
        range: Some((32_768, 60_999)),
        handshake_ns: Some(52_000),
        syn_retransmits: Some(0),
        total_ns: Some(60_500),
        mptcp: Some(false),
        ..unseen()
    }
}

/// One of every kind, the unknown and the awkward among them.
fn events() -> Vec<Event> {
    let cliff = Connect {
        sport: Some(40_001),
        port_search_ns: Some(2_673_000),
        ports_visited: Some(14_150),
        second_pass: Some(true),
        total_ns: Some(2_730_000),
        candidates: Some(Candidates { in_use: 14_100, time_wait: 40, time_wait_reused: 0, skipped: Some(9) }),
        ..established()
    };
    let no_port = Connect {
        sport: None,
        outcome: Outcome::NoPort,
        errno: Some(99),
        port_search_ns: Some(5_300_000),
        ports_visited: Some(28_232),
        second_pass: Some(true),
        handshake_ns: None,
        syn_retransmits: None,
        total_ns: Some(5_310_000),
        ..established()
    };
    let denied = Connect {
        caller: Caller { pid: 7, tid: 7, comm: "a\"b,c\u{1b}[2J".into(), uid: 0, cgroup: None },
        saddr: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        sport: None,
        daddr: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        dport: 443,
        outcome: Outcome::Denied,
        errno: Some(1),
        source_port: None,
        port_search_ns: None,
        ports_visited: None,
        second_pass: None,
        range: None,
        handshake_ns: None,
        syn_retransmits: None,
        total_ns: None,
        mptcp: None,
        ..established()
    };
    let tracepoint = Connect {
        outcome: Outcome::TimedOut,
        errno: Some(110),
        port_search_ns: None,
        ports_visited: None,
        handshake_ns: Some(127_000_000_000),
        syn_retransmits: Some(6),
        total_ns: None,
        dport: 80,
        mptcp: None,
        ..established()
    };
    let minisocket = |passage, owner: bool| {
        Event::TimeWait(TimeWait {
            time: time(),
            passage,
            netns: NETNS,
            saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            sport: 40_000,
            daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
            dport: 3306,
            owner_pid: owner.then_some(4242),
            owner_comm: owner.then(|| "php-fpm".into()),
            lived_ns: matches!(passage, Passage::Leave(_)).then_some(60_000_000_000),
            level: Some(12),
        })
    };
    let dropped = |cause, client: Option<&str>| {
        Event::ListenDrop(ListenDrop {
            time: time(),
            netns: NETNS,
            saddr: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            sport: 8080,
            client: client.map(|client| client.parse().expect("an address")),
            cause,
            accept_queue: 129,
            syn_queue: 0,
            limit: 128,
        })
    };
    let change = |from, to, end, owner: bool| {
        Event::State(State {
            time: time(),
            from,
            to,
            in_state_ns: owner.then_some(8_100_000),
            end,
            netns: NETNS,
            side: if owner { Side::Opened } else { Side::Accepted },
            saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            sport: Some(40_000),
            daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
            dport: 3306,
            pid: owner.then_some(4242),
            comm: owner.then(|| "php-fpm".into()),
            cgroup: None,
        })
    };
    let mut events: Vec<Event> = [established(), cliff, no_port, denied, tracepoint].map(Event::Connect).into();
    events.extend([
        change(tcp_state::ESTABLISHED, tcp_state::CLOSE, Some(End::LingerReset), true),
        change(tcp_state::CLOSE_WAIT, tcp_state::LAST_ACK, None, false),
        minisocket(Passage::Enter { fin_wait2: true }, true),
        minisocket(Passage::FinReceived, false),
        minisocket(Passage::Leave(LeaveReason::Expired), true),
        minisocket(Passage::Leave(LeaveReason::Reused), true),
        minisocket(Passage::Overflow, false),
        dropped(DropCause::AcceptQueue, Some("10.0.0.7:40001")),
        dropped(DropCause::SynQueue, None),
        Event::Bind(Bind {
            time: time(),
            caller: established().caller,
            netns: NETNS,
            saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port_asked: None,
            port: Some(41_001),
            errno: None,
            took_ns: 6_620_000,
            reuse_addr: false,
            reuse_port: false,
            range: Some((32_768, 60_999)),
            frames: [0x7f1c_5a22_8010, 0, 0, 0],
            call_site: Some("libc.so.6+0x28010".into()),
        }),
        Event::Bind(Bind {
            time: time(),
            caller: established().caller,
            netns: NETNS,
            saddr: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            port_asked: Some(443),
            port: None,
            errno: Some(98),
            took_ns: 1_200,
            reuse_addr: true,
            reuse_port: false,
            range: None,
            frames: [0; 4],
            call_site: None,
        }),
        Event::Lost(Lost { ring_buffer: 3, map_full: 0, missed: 1 }),
        Event::Detail(Detail {
            time: time(),
            before: Level::NoEvents,
            after: Level::OneIn(2),
            programs_share: Some(0.0234567),
            agent_share: 0.004,
            budget: 0.01,
        }),
    ]);
    events
}

/// A run in which the cliff came and then the range was full.
fn incident() -> Summary {
    let mut aggregate = ConnectAggregate::default();
    for round in 0..40_u32 {
        for event in events() {
            let Event::Connect(mut connect) = event else { continue };
            let slower = u64::from(round * round) * 300;
            connect.port_search_ns = connect.port_search_ns.map(|ns| ns + slower);
            if connect.outcome == Outcome::Established || round == 0 {
                aggregate.observe(&connect);
            }
        }
        aggregate.tick();
    }
    let mut time_wait = TimeWaitAggregate::default();
    time_wait.observe(
        NETNS,
        TimeWaitTotals {
            level: Some(12_345),
            max_buckets: Some(131_072),
            entered: Some(20_000),
            entered_fin_wait2: Some(15_000),
            expired: Some(7_000),
            reused: Some(0),
            by_syn: Some(1),
            reset: Some(2),
            other: Some(0),
            overflow: Some(40),
        },
    );
    let rules = SearchRules { perturb_table: true, ..SearchRules::default() };
    let sysctls = Sysctls {
        netns: Some(NETNS),
        ip_local_port_range: Some((32_768, 60_999)),
        tcp_tw_reuse: Some(2),
        tcp_timestamps: Some(1),
        ..Sysctls::default()
    };
    // Detail was shed in the end.
    aggregate.observe_unknown(1_000, 1_000);
    let observed =
        Observed { seconds: 40.0004, connect: aggregate.total(), time_wait: time_wait.total(), ..Observed::default() };
    Summary {
        mode: Mode::ConnectLatency,
        time: time(),
        is_final: true,
        findings: findings(&observed, &rules, &sysctls),
        observed,
        lost: Lost { ring_buffer: 3, map_full: 0, missed: 1 },
        traced: true,
        tier: Some(Tier::Fentry),
        kernel: "6.1.0-40-amd64".into(),
        ledger: Ledger {
            counts: Some(Counts {
                made: 130,
                shed: 40,
                ring_full: 3,
                not_followed: 1_000,
                returns_missed: 1,
                signals_made: 5,
                runs_missed: Some(0),
                ..Counts::default()
            }),
            delivered: 87,
            signals_delivered: 5,
            pending: Some(2),
            cost: Cost {
                agent_ns: 120_000_000,
                programs: Measured { window_ns: 800_000_000, ns: 1_600_000, runs: 4_000, connects: 400 },
                in_bursts: Measured { window_ns: 80_000_000, ns: 8_000_000, runs: 90_000, connects: 5 },
                bursts_ns: 412_000_000,
                bursts: Some(4),
            },
            calibration: Some(Calibration { connects: 64, ns: 4_200, instructions: Some(9_876) }),
            level: Level::OneIn(8),
            cpus: 4,
            budget: 0.01,
            resident_bytes: Some(9 << 20),
            locked_bytes: Some(5_300_000),
        },
        notes: Vec::new(),
    }
}

/// Nothing but what the tracepoint tier can know, and not even a connect of it.
fn quiet() -> Summary {
    Summary {
        mode: Mode::ConnectLatency,
        time: time(),
        is_final: false,
        observed: Observed {
            seconds: 1.0,
            connect: ConnectAggregate::default().tick(),
            time_wait: [(NETNS, TimeWaitTotals { level: Some(3), reused: Some(0), ..TimeWaitTotals::default() })]
                .into(),
            ..Observed::default()
        },
        lost: Lost::default(),
        traced: true,
        tier: Some(Tier::Tracepoint),
        kernel: "6.18.44".into(),
        ledger: Ledger {
            counts: Some(Counts::default()),
            cost: Cost { agent_ns: 1_000_000, ..Cost::default() },
            budget: 0.01,
            ..Ledger::default()
        },
        findings: Vec::new(),
        notes: vec![
            "the port search can't be seen on the tracepoint tier: its time and the ports visited are ?".into(),
        ],
    }
}

fn text(lines: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    lines(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn screens() {
    let plain = Layout { width: 80, top: 10, colours: false, unicode: true, verbose: true };
    check("incident.txt", &screen(&incident(), plain));
    check(
        "incident-wide-colours.txt",
        &screen(&incident(), Layout { width: 120, top: 1, colours: true, unicode: true, verbose: true }),
    );
    check("quiet.txt", &screen(&quiet(), plain));
    check("incident-short.txt", &screen(&incident(), Layout { verbose: false, ..plain }));
    check("quiet-short.txt", &screen(&quiet(), Layout { verbose: false, ..plain }));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    let text = screen(&incident(), Layout { width: 80, top: 10, colours: false, unicode: true, verbose: true });
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80 && !line.contains("sysctl")).collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn event_lines_as_text() {
    let lines = events().into_iter().map(|event| match event {
        Event::Connect(connect) => event_lines::connect(&connect),
        Event::TimeWait(time_wait) => event_lines::time_wait(&time_wait),
        Event::ListenDrop(dropped) => event_lines::listen_drop(&dropped),
        Event::Bind(bind) => event_lines::bind(&bind),
        Event::State(state) => event_lines::state(&state),
        Event::Detail(detail) => event_lines::detail(&detail),
        Event::Stack(_) | Event::Lost(_) => String::new(),
    });
    check("events.txt", &(event_lines::header() + &lines.collect::<String>()));
}

#[test]
fn lines() {
    check("lines.txt", &[line::header(), line::line(&incident()), line::line(&quiet())].concat());
}

#[test]
fn json_lines() {
    let all = text(|out| {
        let mut calendar = Calendar::default();
        events().iter().for_each(|event| json::event(out, &mut calendar, event));
        for summary in [incident(), quiet()] {
            summary.findings.iter().for_each(|finding| json::finding(out, finding));
            json::summary(out, &summary, 10);
        }
    });
    for line in all.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        assert_eq!(value["v"], 2);
        assert!(value["type"].is_string());
    }
    check("events.jsonl", &all);
}

#[test]
fn csv_lines() {
    let all = text(|out| {
        csv::header(out);
        let mut calendar = Calendar::default();
        for event in events() {
            if let Event::Connect(connect) = event {
                csv::connect(out, &mut calendar, &connect);
            }
        }
    });
    check("connects.csv", &all);
}
