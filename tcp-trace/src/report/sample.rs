// SPDX-License-Identifier: MIT OR Apache-2.0
//! A sample run for tests: half a range fills up, falls over its cliff, and a listener's queue overflows.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use tcp_trace_common::listen::{RawListener, RawListenerKey, cause};

use super::Report;
use crate::{
    aggregate::stacks::StacksAggregate,
    clock::Moment,
    decode::sample::unseen,
    event::{Caller, Cgroup, Connect, Event, Frame, Frames, Outcome, SourcePort, Stack, Taken, UserEnd, level::Level},
    governor::CounterSnapshot,
    inventory::{
        Inventory, limits,
        sample::{inventory, socket},
        socket::{Socket, State},
    },
    kernel::rules::{SearchRules, Sysctls},
    model::{
        accounts::{Cost, Counts, Measured},
        time_wait::{TimeWaitSnapshot, TimeWaitTotals},
        totals::Totals,
    },
    probes::{table::Signal, tier::Tier},
    session_info::{ActiveSignal, SessionInfo},
    stream::{Consumer as _, Message},
};

/// Length in seconds.
pub const SECONDS: u64 = 40;
/// Taken ports of the first half at the start, and how many more each second.
const TAKEN: (u64, u64) = (9_000, 220);
const HALF: u64 = 14_116;
/// A hostile name, because a process chooses its own.
pub const HOSTILE: &str = "<b>&\"'</td>";

fn moment(second: u64) -> Moment {
    let begin: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a timestamp");
    let wall = begin.checked_add(SignedDuration::from_secs(second as i64)).expect("in range");
    Moment { wall, monotonic_ns: (1_000 + second) * 1_000_000_000 }
}

fn sysctls() -> Sysctls {
    Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((32_768, 60_999)),
        ip_local_reserved_ports: Some("".into()),
        tcp_tw_reuse: Some(2),
        tcp_timestamps: Some(1),
        somaxconn: Some(128),
        ..Sysctls::default()
    }
}

pub fn session_info() -> SessionInfo {
    let active = |limitations: &[&str]| ActiveSignal {
        tier: Tier::Fentry,
        limitations: limitations.iter().map(|lost| (*lost).into()).collect(),
    };
    SessionInfo {
        interval: std::time::Duration::from_secs(1),
        machine: crate::machine::Machine { facts: Vec::new(), verdicts: Vec::new(), may_trace: true },
        begin: moment(0),
        kernel: "6.12.1-test".into(),
        rules_known: true,
        streamed: vec![Signal::Stack],
        has_rows: false,
        surveyed: true,
        rules: SearchRules { perturb_table: true, socket_range_steps_by_one: true, ..SearchRules::default() },
        sysctls: sysctls(),
        traced: true,
        signals: [(Signal::Connect, active(&[])), (Signal::State, active(&["a close() that waits is not seen"]))]
            .into(),
        table_perturb_unknown: None,
        time_wait_start: Some(TimeWaitSnapshot::new()),
        time_wait_in_detail: true,
        scope: Default::default(),
        notes: vec!["<i>a note</i>".into()],
    }
}

/// A connect of this second; beyond the cliff it walks the whole half.
fn connect(second: u64, number: u64) -> Event {
    let fallen = taken(second) >= HALF;
    let jitter = (second * 7 + number * 13) % 10;
    let search_ns = if fallen { 2_400_000 + jitter * 90_000 } else { 4_000 + jitter * 900 };
    let failed = second > 30 && number == 0;
    Event::Connect(Connect {
        time: moment(second).wall,
        began_ns: Some(began_ns(second, number)),
        caller: Caller {
            pid: 4242,
            tid: 4242,
            comm: if number == 1 { HOSTILE.into() } else { "haproxy".into() },
            uid: 33,
            cgroup: Some(Cgroup { id: 77, path: Some("/system.slice/haproxy.service".into()) }),
        },
        netns: 1,
        saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        sport: Some(40_000),
        daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        dport: 3306,
        outcome: if failed { Outcome::Refused } else { Outcome::Established },
        errno: failed.then_some(111),
        source_port: Some(SourcePort::Ephemeral),
        port_search_ns: Some(search_ns),
        ports_visited: Some(if fallen { 14_120 + jitter as u32 } else { 1 + jitter as u32 / 4 }),
        second_pass: Some(fallen),
        range: Some((32_768, 60_999)),
        handshake_ns: Some(45_000 + jitter * 8_000),
        syn_retransmits: Some(0),
        total_ns: Some(54_000 + jitter * 8_000 + search_ns),
        mptcp: Some(false),
        ..unseen()
    })
}

fn began_ns(second: u64, number: u64) -> u64 {
    moment(second - 1).monotonic_ns + number * 1_000_000
}

/// The call stack of a connect.
fn stack(second: u64, number: u64) -> Event {
    let frame = |name: &str, module: Option<&str>| Frame { name: name.into(), module: module.map(Into::into) };
    let user = ["main", "run_poll_loop", "process_stream", "connect_server", HOSTILE];
    let kernel = ["__x64_sys_connect", "tcp_v4_connect", "inet_hash_connect", "__inet_hash_connect"];
    Event::Stack(Stack {
        time: moment(second).wall,
        pid: 4242,
        tid: 4242,
        began_ns: began_ns(second, number),
        taken: Taken::Search,
        frames: Arc::new(Frames {
            user: user.iter().map(|name| frame(name, Some("haproxy"))).collect(),
            user_end: if number == 2 { UserEnd::Lost } else { UserEnd::Whole },
            kernel: kernel.iter().map(|name| frame(name, None)).collect(),
            kernel_errno: None,
        }),
        captured: None,
    })
}

/// All stacks, joined with their connects.
pub fn stacks() -> StacksAggregate {
    let mut stacks = StacksAggregate::default();
    for (second, number) in (1..=SECONDS).flat_map(|second| (0..5).map(move |number| (second, number))) {
        stacks.observe(&stack(second, number));
        stacks.observe(&connect(second, number));
    }
    stacks
}

fn taken(second: u64) -> u64 {
    (TAKEN.0 + second * TAKEN.1).min(HALF + 300)
}

fn look(second: u64) -> Inventory {
    let even = |at: u64| 32_768 + 2 * at as u16;
    let first = (0..taken(second).min(HALF)).map(even);
    let second_half = (HALF..taken(second)).map(|at| 32_769 + 2 * (at - HALF) as u16);
    let mut sockets: Vec<_> = first
        .chain(second_half)
        .map(|port| socket(if port % 10 < 3 { State::TimeWait } else { State::Established }, port))
        .collect();
    let listener = Socket { saddr: Ipv6Addr::UNSPECIFIED.into(), ..socket(State::Listen, 80) };
    sockets.push(Socket { recv_queue: (second * 4).min(129) as u32, send_queue: 128, ..listener });
    let limits = limits::Limits { nr_open: Some(1_048_576), ..limits::Limits::default() };
    Inventory {
        begin_ns: moment(second).monotonic_ns,
        took_ns: 9_000_000,
        limits: Some(limits),
        ..inventory(sysctls(), sockets)
    }
}

fn totals(second: u64) -> Totals {
    let mut listener =
        RawListener { syns: second * 40, queued: second * 40, accepted: second * 36, ..RawListener::NEW };
    listener.drops[usize::from(cause::ACCEPT_QUEUE)] = second.saturating_sub(32) * 9;
    let key = RawListenerKey { netns: 1, port: 80, ..RawListenerKey::default() };
    Totals { listeners: Some(vec![(key, listener)]), read_ns: moment(second).monotonic_ns, ..Totals::default() }
}

fn counters(second: u64) -> CounterSnapshot {
    let made = second * 5;
    CounterSnapshot {
        counts: Counts { made, runs_missed: Some(0), ..Counts::default() },
        folded: None,
        cost: Cost {
            agent_ns: second * 8_000_000,
            programs: Measured { window_ns: second * 20_000_000, ns: second * 90_000, runs: made, connects: made / 50 },
            ..Cost::default()
        },
        calibration: None,
        level: Level::Full,
        budget: 0.05,
        cpus: 2,
        resident_bytes: Some(9 << 20),
        locked_bytes: Some(5 << 20),
    }
}

/// The report of the whole sample run.
pub fn run() -> Report {
    let mut report = Report::new(&session_info(), 10);
    let mut tell = |message: Message<'_>| report.consume(message).expect("followed");
    for second in 1..=SECONDS {
        for number in 0..5 {
            tell(Message::Event(&stack(second, number)));
            tell(Message::Event(&connect(second, number)));
        }
        tell(Message::Counters(&counters(second)));
        tell(Message::Totals(&totals(second)));
        let level = TimeWaitTotals { level: Some(second * 66), overflow: Some(0), ..TimeWaitTotals::default() };
        tell(Message::TimeWait(&[(1, level)].into()));
        tell(Message::Inventory(&look(second)));
        tell(Message::Tick(moment(second)));
    }
    tell(Message::End(moment(SECONDS)));
    report
}
