// SPDX-License-Identifier: MIT OR Apache-2.0
//! A short sample run for tests, with every kind of message, including unknown and unusual values.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tcp_trace_common::{
    Address,
    bind::{RawBindTotals, RawBinder, RawMark},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::message::OwnedMessage;
use crate::{
    aggregate::sample::rows,
    clock::Moment,
    decode::sample::unseen,
    event::{
        Bind, Caller, Candidates, Cgroup, Comm, Connect, Detail, DropCause, End, Event, Frame, Frames, ListenDrop,
        Outcome, Passage, Side, SourcePort, Stack, State, Taken, TimeWait, UserEnd, level::Level,
    },
    governor::CounterSnapshot,
    inventory::{
        Inventory,
        limits::Limits,
        owners::{Owner, Owners},
        sample, socket,
    },
    kernel::rules::{SearchRules, Sysctls},
    machine::Machine,
    model::{
        accounts::{Cost, Counts},
        folded::{Folded, FoldedCounts, FoldedPhase},
        totals::{BindSite, BindTotals, Merged, NamedCgroup, Totals},
    },
    probes::{table::Signal, tier::Tier},
    session_info::{ActiveSignal, SessionInfo},
};

pub const BEGIN_NS: u64 = 5_000_000_000;

pub fn at(seconds: f64) -> Moment {
    let begin: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().expect("a timestamp");
    let since = SignedDuration::from_secs_f64(seconds);
    Moment { wall: begin + since, monotonic_ns: BEGIN_NS + since.as_nanos() as u64 }
}

pub fn known() -> SessionInfo {
    let signals = [Signal::Connect, Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State, Signal::Stack];
    let active =
        |signal| (signal, ActiveSignal { tier: Tier::Fentry, limitations: vec![format!("nothing of {signal}")] });
    SessionInfo {
        begin: at(0.0),
        interval: Duration::from_secs(1),
        kernel: "6.12.0".into(),
        rules: SearchRules { perturb_table: true, ..SearchRules::default() },
        rules_known: true,
        machine: Machine { facts: Vec::new(), verdicts: Vec::new(), may_trace: true },
        sysctls: Sysctls { netns: Some(1), ip_local_port_range: Some((32_768, 60_999)), ..Sysctls::default() },
        traced: true,
        signals: signals.map(active).into(),
        streamed: signals[1..].to_vec(),
        has_rows: true,
        surveyed: true,
        table_perturb_unknown: Some("no symbols".into()),
        time_wait_start: None,
        time_wait_in_detail: true,
        scope: Default::default(),
        notes: vec!["a note".into()],
    }
}

fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

pub fn connect(number: u32, seconds: f64) -> Connect {
    let cliff = number.is_multiple_of(3);
    Connect {
        time: at(seconds).wall,
        began_ns: number.is_multiple_of(2).then_some(BEGIN_NS + u64::from(number)),
        caller: Caller {
            pid: 4242 + number % 2,
            tid: 4243,
            comm: Comm::from_kernel(b"php\xff\xfe-fpm\0\0\0\0\0\0\0"),
            uid: 33,
            cgroup: (!number.is_multiple_of(4))
                .then(|| Cgroup { id: 77, path: Some("/system.slice/php-fpm.service".into()) }),
        },
        netns: 1,
        saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        sport: (!number.is_multiple_of(5)).then_some(40_000 + number as u16),
        daddr: if number.is_multiple_of(7) { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::new(10, 0, 0, 2).into() },
        dport: 3306,
        outcome: if number.is_multiple_of(5) { Outcome::NoPort } else { Outcome::Established },
        errno: number.is_multiple_of(5).then_some(99),
        source_port: Some(SourcePort::Ephemeral),
        port_search_ns: Some(if cliff { 2_673_000 } else { 5_120 + u64::from(number) }),
        ports_visited: (number != 1).then_some(if cliff { 14_150 } else { 2 }),
        second_pass: Some(cliff),
        range: Some((32_768, 60_999)),
        handshake_ns: Some(52_000),
        syn_retransmits: Some(0),
        total_ns: Some(60_500),
        candidates: cliff.then_some(Candidates { in_use: 14_100, time_wait: 40, time_wait_reused: 0, skipped: None }),
        ..unseen()
    }
}

fn others(seconds: f64) -> Vec<Event> {
    let (saddr, daddr) = (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into());
    let time = at(seconds).wall;
    vec![
        Event::TimeWait(TimeWait {
            time,
            passage: Passage::Enter { fin_wait2: true },
            netns: 1,
            saddr,
            sport: 40_000,
            daddr,
            dport: 3306,
            owner_pid: Some(4242),
            owner_comm: Some("php-fpm".into()),
            lived_ns: None,
            level: Some(12),
        }),
        Event::ListenDrop(ListenDrop {
            time,
            netns: 1,
            saddr: Ipv6Addr::UNSPECIFIED.into(),
            sport: 8080,
            client: Some("10.0.0.7:40001".parse().expect("an address")),
            cause: DropCause::AcceptQueue,
            accept_queue: 129,
            syn_queue: 0,
            limit: 128,
        }),
        Event::Bind(Bind {
            time,
            caller: connect(1, seconds).caller,
            netns: 1,
            saddr,
            port_asked: None,
            port: Some(41_001),
            errno: Some(98),
            took_ns: 6_620_000,
            reuse_addr: true,
            reuse_port: false,
            range: None,
            frames: [0x7fff_1234_5678, 2, 0, 0],
            call_site: Some("libc.so.6+0x11b2c7".into()),
        }),
        Event::State(State {
            time,
            from: 1,
            to: 7,
            in_state_ns: Some(8_100_000),
            end: Some(End::LingerReset),
            netns: 1,
            side: Side::Opened,
            saddr,
            sport: None,
            daddr,
            dport: 3306,
            pid: None,
            comm: None,
            cgroup: None,
        }),
        Event::Stack(Stack {
            time,
            pid: 4242,
            tid: 4243,
            began_ns: BEGIN_NS,
            taken: Taken::Search,
            frames: Arc::new(Frames {
                user: vec![Frame { name: "main".into(), module: Some("nginx".into()) }],
                user_end: UserEnd::Cut,
                kernel: vec![Frame { name: "__inet_hash_connect".into(), module: None }],
                kernel_errno: Some(14),
            }),
            captured: None,
        }),
        Event::Detail(Detail {
            time,
            before: Level::NoEvents,
            after: Level::OneIn(4),
            programs_share: None,
            agent_share: 0.0125,
            budget: 0.01,
        }),
    ]
}

fn counters(made: u64, connects: &[Connect]) -> CounterSnapshot {
    let mut buckets = vec![0; 1152];
    buckets[40] = made;
    let phase = FoldedPhase { buckets, max: 77 };
    CounterSnapshot {
        counts: Counts {
            made: made * 2,
            ring_full: made,
            signals_made: 5,
            runs_missed: Some(made),
            ..Counts::default()
        },
        folded: Some(Folded {
            phases: std::array::from_fn(|_| phase.clone()),
            second_pass: 1,
            rows: rows(connects),
            other: connects.first().map(FoldedCounts::of).unwrap_or_default(),
            ..Folded::default()
        }),
        cost: Cost { agent_ns: made * 1_000, bursts: Some(1), ..Cost::default() },
        calibration: None,
        level: Level::OneIn(4),
        budget: 0.05,
        cpus: 2,
        resident_bytes: Some(1 << 20),
        locked_bytes: None,
    }
}

fn totals(so_far: u64) -> Totals {
    let address = Address::new(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets());
    let peer = RawPeer {
        process_start_ns: 9_000_000,
        netns: 1,
        tgid: 4242,
        address,
        port: 3306,
        family: 2,
        side: 1,
        pad: [0; 3],
    };
    let mut states =
        RawStateTotals { opened: so_far, closed: so_far, cgroup_id: 7, comm: comm("php-fpm"), ..Default::default() };
    (states.states[1].left, states.states[1].ns, states.lives[3]) = (so_far, so_far * 1_000_000, so_far);
    let time_wait =
        RawTimeWaitTotals { events: [so_far; 9], level: 9, max_buckets: 65_536, ..RawTimeWaitTotals::default() };
    let any_port = tcp_trace_common::bind::RawBindCounts { calls: so_far, connected: so_far, ..Default::default() };
    let binder = RawBindTotals { any_port, comm: comm("envoy"), ..RawBindTotals::default() };
    let listener =
        RawListenerKey { sk: 0xffff_8880_0000_0000, netns: 1, port: 8080, family: 10, ..RawListenerKey::default() };
    let other = RawPeer { tgid: 4241, ..peer };
    Totals {
        time_wait: vec![(1, time_wait)],
        listeners: Some(vec![(
            listener,
            RawListener { syns: so_far, drops: [so_far; 8], limit: 128, owner_comm: comm("nginx"), ..RawListener::NEW },
        )]),
        binds: BindTotals {
            binders: vec![(RawBinder { process_start_ns: 8, tgid: 9, netns: 1 }, binder)],
            sites: vec![BindSite { pid: 9, any_port: true, name: Some("envoy+0x3f".into()), calls: so_far }],
            any_port: FoldedPhase { buckets: vec![so_far; 1152], max: 12 },
            a_port: FoldedPhase::default(),
        },
        time_wait_owners: vec![(
            peer,
            RawTimeWaitOwner { events: [so_far; 9], comm: comm("php-fpm"), ..RawTimeWaitOwner::default() },
        )],
        states: vec![(peer, states)],
        cgroups: vec![NamedCgroup { id: 7, path: "/system.slice/php-fpm.service".into() }],
        merged: Merged {
            time_wait: vec![(2, 0)],
            listeners: vec![(RawListenerKey { sk: 0xffff_8880_0000_1000, ..listener }, listener)],
            binders: vec![(
                RawBinder { process_start_ns: 0, tgid: 8, netns: 1 },
                RawBinder { process_start_ns: 8, tgid: 9, netns: 1 },
            )],
            time_wait_owners: vec![(other, peer)],
            states: vec![(other, peer)],
        },
        read_ns: BEGIN_NS + so_far,
    }
}

fn inventory(seconds: f64) -> Inventory {
    let mut sockets: Vec<_> =
        (0..500).map(|sport| sample::socket(socket::State::TimeWait, 32_768 + 2 * sport)).collect();
    let held =
        socket::Socket { inode: std::num::NonZeroU32::new(9), ..sample::socket(socket::State::Established, 40_000) };
    sockets.push(held);
    sockets.push(sample::socket(socket::State::Listen, 8080));
    let mut inventory = sample::inventory(known().sysctls, sockets);
    let owner = Owner { pid: 4242, comm: "php-fpm".into(), cgroup: Some(Cgroup { id: 3, path: None }) };
    inventory.owners = Owners::new(vec![Arc::new(owner)], [(held.inode.expect("it has one"), 0)]);
    inventory.limits = Some(Limits::default());
    inventory.begin_ns = at(seconds).monotonic_ns;
    inventory.warnings = vec!["something".into()];
    inventory.spaces[0].marks = Some(vec![RawMark { port: 8080, state: 10, ..RawMark::default() }]);
    inventory
}

/// The messages of three intervals and the end.
pub fn run() -> Vec<OwnedMessage> {
    let mut run = Vec::new();
    for interval in 0..3_u32 {
        let begin = f64::from(interval);
        let connects: Vec<_> = (0..40_u32).map(|number| connect(number, begin + f64::from(number) / 50.0)).collect();
        for (number, connect) in connects.iter().enumerate() {
            run.push(OwnedMessage::Event(Event::Connect(connect.clone())));
            if number == 20 {
                run.extend(others(begin + 0.5).into_iter().map(OwnedMessage::Event));
            }
        }
        let so_far = u64::from(interval + 1) * 100;
        run.push(OwnedMessage::Counters(Box::new(counters(so_far, &connects))));
        run.push(OwnedMessage::Totals(Box::new(totals(so_far))));
        run.push(OwnedMessage::TimeWait(BTreeMap::from([(1, Default::default())])));
        run.push(OwnedMessage::Inventory(Box::new(inventory(begin))));
        run.push(OwnedMessage::Tick(at(begin + 1.0)));
    }
    run.push(OwnedMessage::Event(Event::Connect(Connect { outcome: Outcome::Pending, ..connect(2, 3.0) })));
    run.push(OwnedMessage::Counters(Box::new(counters(301, &[]))));
    run.push(OwnedMessage::Totals(Box::new(totals(301))));
    run.push(OwnedMessage::End(at(3.2)));
    run
}
