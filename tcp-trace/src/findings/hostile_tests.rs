// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every finding, of processes and namespaces that are called what would do something: nothing of it leaves its line, its
//! comment or its quotes.

use std::{fs, net::Ipv4Addr, process::Command, sync::Arc};

use proptest::prelude::*;
use tcp_trace_common::{bind::RawBindCounts, tcp_state};

use super::{Code, Evidence, Finding, findings};
use crate::{
    aggregate::{
        bind::{BindSnapshot, Binder, SpaceMarks},
        connect::ConnectAggregate,
        limits::LimitsSnapshot,
        listen::{Endpoint, ListenCounts, ListenSnapshot, Listener, Now, SlowHandshakes},
        marks::Marks,
        observed::{Observed, SpaceFacts},
        ports::PortsAggregate,
        sample::{established, no_port, second_pass},
        state::{self, StateRow, Traced},
        tally::Process,
        time_wait_owners::OwnerRow,
    },
    event::{Caller, Cgroup, Connect, DropCause, Outcome, Side},
    export::json,
    inventory::{
        limits::{Conntrack, Descriptors, Limits, Processes, Taken},
        sample::{inventory, socket},
        socket::State,
    },
    kernel::rules::{SearchRules, Sysctls},
    model::{
        peer::{Peer, Who},
        time_wait::TimeWaitTotals,
    },
    outside,
};

/// The name of a thread has 15 bytes, of which each of these uses what it needs. A shell that reads one of them as more than
/// a word makes a file.
const HOSTILE: [&str; 18] = [
    "a\n>pwned;#",
    "a\r\n>pwned #",
    "a;>pwned",
    "$(>pwned)",
    "`>pwned`",
    "'>pwned'",
    "'\n>pwned\n'",
    "\">pwned\"",
    "\\\n>pwned",
    "&>pwned&",
    "|>pwned|",
    "\x1b]0;>pwned\x07",
    "\u{9b}31m>pwned",
    "\u{202e}>pwned",
    "\u{2028}>pwned",
    "=>pwned",
    "+-@>pwned",
    "<script>",
];
/// The namespace that all of it happens in; the shell is in another one.
const NETNS: u32 = 1;
const SECOND: u64 = 1_000_000_000;

fn process(name: &str) -> Process {
    Process { pid: 7, comm: name.into() }
}

fn sysctls(name: &str) -> Sysctls {
    Sysctls {
        netns: Some(NETNS),
        ip_local_port_range: Some((32_768, 60_999)),
        ip_local_reserved_ports: Some(name.into()),
        tcp_tw_reuse: Some(0),
        tcp_timestamps: Some(1),
        somaxconn: Some(128),
        tcp_syncookies: Some(2),
        tcp_max_syn_backlog: Some(256),
        ..Sysctls::default()
    }
}

fn connects(name: &str, count: u32, connect: Connect) -> Observed {
    let cgroup = Some(Cgroup { id: 1, path: Some(name.into()) });
    let connect = Connect { caller: Caller { comm: name.into(), cgroup, ..connect.caller.clone() }, ..connect };
    let mut aggregate = ConnectAggregate::default();
    (0..count).for_each(|_| aggregate.observe(&connect));
    Observed { connect: aggregate.tick(), ..Observed::default() }
}

fn failed(outcome: Outcome, errno: i32) -> Connect {
    Connect { outcome, errno: Some(errno), ..established() }
}

fn bound(name: &str, poisoned: u64, bound: u64) -> Observed {
    let counts = RawBindCounts { calls: 500, connected: 500, ..RawBindCounts::default() };
    let mut marks = Marks::of(&[], (32_768, 60_999));
    (marks.poisoned, marks.poisoned_first_half, marks.bound) = (poisoned, poisoned, bound);
    let binder = Binder {
        process: process(name),
        netns: NETNS,
        uid: 0,
        cgroup: Some(Cgroup { id: 1, path: Some(name.into()) }),
        range: Some((32_768, 60_999)),
        any_port: counts,
        a_port: RawBindCounts::default(),
        in_range: 40,
        sites: Vec::new(),
    };
    let marks = Some(vec![SpaceMarks { netns: NETNS, marks, ..SpaceMarks::default() }]);
    Observed { bind: BindSnapshot { binders: vec![binder], marks, ..BindSnapshot::default() }, ..Observed::default() }
}

fn listening(name: &str, chain: u64, counts: ListenCounts) -> Observed {
    let endpoint = Endpoint { netns: NETNS, saddr: Ipv4Addr::LOCALHOST.into(), sport: 80 };
    let owner = Some(process(name));
    let now = Now { members: 1, chain, accept_queue: 9, fullest: 9, limit: 8, syn_queue: 0, owner };
    let listener = Listener {
        endpoint,
        now: Some(now),
        counts: Some(counts),
        accept_high: Some(9),
        syn_high: Some(3),
        asked: None,
        skew: None,
        owner,
    };
    let slow = SlowHandshakes {
        listener: endpoint,
        cause: DropCause::AcceptQueue,
        connects: 3,
        retransmits: 4,
        max_ns: Some(3 * SECOND),
        caller: process(name),
    };
    let listen =
        ListenSnapshot { listeners: vec![listener], slow: vec![slow], traced: true, ..ListenSnapshot::default() };
    Observed { listen, ..Observed::default() }
}

fn peer() -> Peer {
    Peer { netns: NETNS, pid: Some(42), side: Side::Opened, address: Ipv4Addr::new(10, 0, 0, 2).into(), port: 3306 }
}

fn who(name: &str) -> Who {
    Who { comm: Some(name.into()), cgroup: None }
}

fn in_states(name: &str, traced: Traced, now: Option<state::Now>) -> Observed {
    let mut observed = Observed::default();
    observed.states.rows = vec![StateRow { peer: peer(), who: who(name), traced: Some(traced), now }];
    observed
}

fn piled_up(name: &str) -> Observed {
    let sysctls = Sysctls { ip_local_port_range: Some((40_000, 40_399)), ..sysctls(name) };
    let mut ports = PortsAggregate::default();
    ports.survey(&inventory(sysctls, (40_000..40_120).map(|port| socket(State::TimeWait, port)).collect()));
    let owner = OwnerRow {
        peer: peer(),
        who: who(name),
        level: Some(120),
        entered: 120,
        entered_fin_wait2: 0,
        entered_without_timestamps: 0,
        expired: 0,
        reused: 0,
        by_syn: 0,
        reset: 0,
        other: 0,
        overflow: 0,
    };
    Observed { ports: ports.latest(), time_wait_owners: vec![owner], ..Observed::default() }
}

fn limited(now: Limits, settings: Vec<Sysctls>) -> Observed {
    let limits = LimitsSnapshot { before: Some(now.clone()), now: Some(now), settings };
    Observed { limits, ..Observed::default() }
}

/// Observations that cause a finding, with this name wherever another user chooses one. A new code needs a case here,
/// or it does not compile.
fn what_has(code: Code, name: &str) -> Observed {
    let drops = |drops| ListenCounts { syns: 1_000, drops, queued: 900, ..ListenCounts::default() };
    let full = Taken { used: Some(99), limit: Some(100) };
    match code {
        Code::PoisonedBuckets => bound(name, 14_116, 0),
        Code::BindBeforeConnect => bound(name, 0, 15_000),
        Code::RangeFull => connects(name, 3, no_port()),
        Code::ParityCliff => connects(name, 60, second_pass()),
        Code::AcceptQueueOverflow => listening(name, 1, drops([60, 4, 0, 0, 0])),
        Code::SynQueueOverflow => listening(name, 1, drops([0, 0, 80, 20, 0])),
        Code::ListenerChain => {
            let timed = ListenCounts { lookups: 500, lookup_ns: 500 * 30_000, ..drops([0; 5]) };
            listening(name, 2_000, timed)
        }
        Code::SlowHandshake => listening(name, 1, drops([5, 0, 0, 0, 0])),
        Code::CloseWaitLeak => {
            let mut now = state::Now { stuck: 40, stuck_max_ns: 9 * SECOND, ..state::Now::default() };
            now.states[usize::from(tcp_state::CLOSE_WAIT)] = 50;
            in_states(name, Traced::default(), Some(now))
        }
        Code::LingerReset => in_states(name, Traced { linger_resets: 300, closed: 310, ..Traced::default() }, None),
        Code::ShortConnections => {
            let mut traced = Traced { opened: 41_000, closed: 41_000, closed_first: 41_000, ..Traced::default() };
            traced.states[usize::from(tcp_state::ESTABLISHED)].mean_ns = Some(8_000_000);
            in_states(name, traced, None)
        }
        Code::TimeWaitPileup => piled_up(name),
        Code::TimeWaitOverflow => {
            let totals = TimeWaitTotals {
                overflow: Some(120),
                max_buckets: Some(50_000),
                level: Some(50_000),
                ..TimeWaitTotals::default()
            };
            Observed { time_wait: [(NETNS, totals)].into(), ..Observed::default() }
        }
        Code::ConntrackFull => {
            let table = Conntrack {
                netns: NETNS,
                taken: full,
                buckets: Some(8),
                dropped: Some(5),
                early_dropped: None,
                time_wait_s: Some(120),
                established_s: None,
            };
            limited(Limits { conntrack: vec![table], ..Limits::default() }, Vec::new())
        }
        Code::LimitNear => {
            let nearest = vec![Descriptors { pid: 7, comm: name.into(), taken: full, hard: None }];
            let processes = Processes { nearest, hidden: 0 };
            limited(Limits { processes, ..Limits::default() }, Vec::new())
        }
        Code::UnsafeSysctl => limited(Limits::default(), vec![sysctls(name)]),
        Code::ConnectRefused => connects(name, 500, failed(Outcome::Refused, 111)),
        Code::ConnectUnanswered => connects(name, 500, failed(Outcome::TimedOut, 110)),
    }
}

fn found(code: Code, name: &str) -> Vec<Finding> {
    let space = SpaceFacts {
        name: Some(name.into()),
        entrance: Some(format!("/run/netns/{name}").into()),
        sysctls: sysctls(name),
    };
    let spaces = Arc::new([(NETNS, space)].into());
    let observed = Observed { seconds: 10.0, spaces, ..what_has(code, name) };
    let own = Sysctls { netns: Some(99), ..Sysctls::default() };
    let found = findings(&observed, &SearchRules::default(), &own);
    assert!(found.iter().any(|finding| finding.code == code), "no {code} of {name:?}: {found:?}");
    found
}

fn is_one_line(text: &str) -> bool {
    outside::one_line(text) == text
}

fn stays_in_its_line(name: &str) {
    for code in Code::ALL {
        for finding in found(code, name) {
            let words = [Some(&finding.headline), finding.gain.as_ref(), finding.risk.as_ref()];
            let evidence = finding.evidence.iter().filter_map(|(_, value)| match value {
                Evidence::Text(text) => Some(text),
                _ => None,
            });
            for text in words.into_iter().flatten().chain(&finding.fix).chain(evidence) {
                assert!(is_one_line(text), "{code}: {text:?}");
            }
            let mut line = Vec::new();
            json::finding(&mut line, &finding);
            let text = String::from_utf8(line).expect("UTF-8");
            let (line, end) = text.split_at(text.len() - 1);
            assert!(is_one_line(line) && end == "\n", "{code}: {text:?}");
            let back: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(back["headline"], finding.headline.as_str());
        }
    }
}

#[test]
fn nothing_leaves_its_line_in_any_finding() {
    HOSTILE.iter().for_each(|name| stays_in_its_line(name));
}

/// Pieces of names: what terminals, shells, tables and pages take for more than text.
const PIECES: [&str; 26] = [
    ">pwned", "|", "\n", "\r", "\t", "\0", "\x1b", "\x1b]0;", "\u{7}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{2028}",
    "\u{feff}", "'", "\"", "\\", "$(", ")", "`", ";", "#", "=", "<script>", "&", "a",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_made_of_such_pieces_leaves_its_line(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 1..12)) {
        let name = pieces.concat();
        stays_in_its_line(&name);
        let lines: Vec<_> = Code::ALL.into_iter().flat_map(|code| found(code, &name)).flat_map(|finding| finding.fix).collect();
        does_nothing_else(&lines);
    }
}

/// Pastes lines into a shell.
fn does_nothing_else(lines: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing can be executed there, so all that could be done is what the shell does by itself.
    let mut shell = Command::new("/bin/sh");
    shell.current_dir(folder.path()).env_clear().env("PATH", "/nonexistent").arg("-c").arg(lines.join("\n"));
    let said = shell.output().expect("a shell");
    let made = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(made, 0, "{lines:#?}, {said:?}");
    let broken = String::from_utf8_lossy(&said.stderr).to_lowercase();
    assert!(!broken.contains("syntax error") && !broken.contains("unterminated"), "{lines:#?}: {broken}");
}

#[test]
fn whatever_is_pasted_does_what_it_says_and_no_more() {
    for code in Code::ALL {
        for name in HOSTILE {
            let lines: Vec<_> = found(code, name).into_iter().flat_map(|finding| finding.fix).collect();
            does_nothing_else(&lines);
        }
    }
}

#[test]
fn a_shell_that_was_broken_out_of_is_seen() {
    for line in ["nsenter --net=/run/netns/a;>pwned x", "# a\n>pwned"] {
        let pasted = std::panic::catch_unwind(|| does_nothing_else(&[line.to_owned()]));
        assert!(pasted.is_err(), "{line}");
    }
}
