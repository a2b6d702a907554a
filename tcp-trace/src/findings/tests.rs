// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of findings about connects and ports, and of fixes that fit the kernel and its settings.

use super::*;
use crate::{
    aggregate::{
        connect::ConnectAggregate,
        sample::{established, no_port, second_pass},
    },
    event::{Connect, SourcePort},
    model::time_wait::{TimeWaitSnapshot, TimeWaitTotals},
};

fn found(
    connects: &[(u32, Connect)],
    time_wait: &TimeWaitSnapshot,
    rules: SearchRules,
    sysctls: &Sysctls,
) -> Vec<Finding> {
    let mut aggregate = ConnectAggregate::default();
    for (count, connect) in connects {
        (0..*count).for_each(|_| aggregate.observe(connect));
    }
    let observed = Observed { connect: aggregate.tick(), time_wait: time_wait.clone(), ..Observed::default() };
    findings(&observed, &rules, sysctls)
}

fn default_found(connects: &[(u32, Connect)]) -> Vec<Finding> {
    let sysctls = Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((32_768, 60_999)),
        tcp_tw_reuse: Some(2),
        tcp_timestamps: Some(1),
        ..Sysctls::default()
    };
    found(connects, &TimeWaitSnapshot::new(), SearchRules::default(), &sysctls)
}

fn commands(finding: &Finding) -> Vec<&str> {
    finding.fix.iter().map(String::as_str).filter(|line| !line.starts_with('#')).collect()
}

fn level(level: u64) -> TimeWaitSnapshot {
    [(1, TimeWaitTotals { level: Some(level), ..TimeWaitTotals::default() })].into()
}

#[test]
fn a_quiet_machine_has_none() {
    assert_eq!(default_found(&[]), []);
    assert_eq!(default_found(&[(500, established()), (2, second_pass())]), []);
}

#[test]
fn the_cliff_in_words() {
    let [finding] = &default_found(&[(14_000, established()), (60, second_pass())])[..] else { panic!() };
    assert_eq!((finding.code, finding.severity), (Code::ParityCliff, Severity::Critical));
    assert_eq!(
        finding.headline,
        "the even half of the local ports towards 10.0.0.2:3306 is full: \
         connect() walks 14,150 candidates before a free one"
    );
    assert_eq!(
        commands(finding),
        ["sysctl -w net.ipv4.tcp_tw_reuse=1", "sysctl -w net.ipv4.ip_local_port_range='10240 65535'"]
    );
    assert!(finding.fix.last().is_some_and(|line| line.contains("6.15")));
    assert!(!finding.fix.iter().any(|line| line.contains("IP_LOCAL_PORT_RANGE")));
}

#[test]
fn an_odd_low_end_fills_the_odd_half_first() {
    let odd = Connect { range: Some((1_025, 60_999)), ..second_pass() };
    let [finding] = &default_found(&[(5, odd)])[..] else { panic!() };
    assert!(finding.headline.contains("odd half"));
    assert!(!commands(finding).iter().any(|line| line.contains("ip_local_port_range")), "the range is wide already");
}

#[test]
fn the_cliff_without_visits() {
    let tracepoint = Connect { ports_visited: None, port_search_ns: None, ..second_pass() };
    let [finding] = &default_found(&[(5, tracepoint)])[..] else { panic!() };
    assert!(finding.headline.contains("all 14,116 of it"), "{}", finding.headline);
    assert!(finding.evidence.contains(&("ports_visited_mean", Evidence::Unknown)));
}

#[test]
fn a_full_range() {
    let all = default_found(&[(3, no_port())]);
    let [finding] = &all[..] else { panic!("{all:?}") };
    assert_eq!((finding.code, finding.severity), (Code::RangeFull, Severity::Critical));
    assert!(finding.headline.starts_with("all 28,232 local ports towards 10.0.0.2:3306 are taken: 3 connects"));
}

#[test]
fn a_bound_socket_is_no_full_range() {
    let bound = Connect { source_port: Some(SourcePort::Bound), second_pass: None, ports_visited: None, ..no_port() };
    assert_eq!(default_found(&[(50, bound)]), []);
}

#[test]
fn reuse_only_where_time_wait_may_hold_the_ports() {
    let reuse = |time_wait: &TimeWaitSnapshot| {
        let sysctls = Sysctls { netns: Some(1), tcp_timestamps: Some(0), ..Sysctls::default() };
        let all = found(&[(5, second_pass())], time_wait, SearchRules::default(), &sysctls);
        commands(&all[0])
            .iter()
            .map(|line| (*line).to_owned())
            .filter(|line| line.contains("tcp_t"))
            .collect::<Vec<_>>()
    };
    assert_eq!(reuse(&level(12)), [""; 0]);
    assert_eq!(reuse(&level(20_000)), ["sysctl -w net.ipv4.tcp_tw_reuse=1", "sysctl -w net.ipv4.tcp_timestamps=1"]);
}

#[test]
fn the_fix_knows_the_kernel() {
    let rules = SearchRules { socket_range_steps_by_one: true, rcu_lookup: true, ..SearchRules::default() };
    let all = found(&[(5, second_pass())], &TimeWaitSnapshot::new(), rules, &Sysctls::default());
    assert!(all[0].fix.iter().any(|line| line.contains("IP_LOCAL_PORT_RANGE")));
    assert!(!all[0].fix.iter().any(|line| line.contains("6.15")));
}

#[test]
fn settings_of_another_namespace_are_set_there() {
    let sysctls = Sysctls { netns: Some(99), tcp_tw_reuse: Some(1), ..Sysctls::default() };
    let all = found(&[(5, second_pass())], &TimeWaitSnapshot::new(), SearchRules::default(), &sysctls);
    assert!(commands(&all[0]).iter().all(|line| line.starts_with("nsenter -t 10 -n sysctl ")));
    assert!(commands(&all[0]).iter().any(|line| line.contains("tcp_tw_reuse")), "its own setting is not known");
}

#[test]
fn time_wait_overflows() {
    let totals =
        TimeWaitTotals { overflow: Some(120), max_buckets: Some(50_000), level: Some(50_000), ..Default::default() };
    let all =
        found(&[], &[(1, totals)].into(), SearchRules::default(), &Sysctls { netns: Some(1), ..Sysctls::default() });
    let [finding] = &all[..] else { panic!() };
    assert_eq!((finding.code, finding.severity), (Code::TimeWaitOverflow, Severity::Warning));
    assert_eq!(commands(finding), ["sysctl -w net.ipv4.tcp_max_tw_buckets=100000"]);
}

/// `taken` ports of the default range, those of the first half first.
fn sockets(taken: u16) -> Observed {
    use crate::{
        aggregate::ports::PortsAggregate,
        inventory::{
            sample::{inventory, socket},
            socket::State,
        },
    };
    let sysctls = Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((32_768, 60_999)),
        tcp_tw_reuse: Some(0),
        ..Sysctls::default()
    };
    let port = |at: u16| 32_768 + at % 14_116 * 2 + at / 14_116;
    let sockets = (0..taken).map(|at| socket(State::Established, port(at))).collect();
    let mut ports = PortsAggregate::default();
    ports.survey(&inventory(sysctls, sockets));
    Observed { ports: ports.latest(), ..Observed::default() }
}

fn ahead_of(taken: u16) -> Option<(Code, Severity, String)> {
    let own = Sysctls { netns: Some(1), ..Sysctls::default() };
    let all = findings(&sockets(taken), &SearchRules::default(), &own);
    assert!(all.len() <= 1, "{all:?}");
    all.into_iter().next().map(|finding| (finding.code, finding.severity, finding.headline))
}

#[test]
fn sockets_tell_before_connects_have_to() {
    assert_eq!(ahead_of(12_000), None);
    let (code, severity, headline) = ahead_of(13_000).expect("a finding");
    assert_eq!((code, severity), (Code::ParityCliff, Severity::Warning));
    assert!(headline.starts_with("1,116 ports of the even half are left towards 10.0.0.2:3306"), "{headline}");
    let (code, _, headline) = ahead_of(14_400).expect("a finding");
    assert_eq!(code, Code::ParityCliff);
    assert!(headline.ends_with("is full: each connect() walks all 14,116 of it"), "{headline}");
    let (code, severity, _) = ahead_of(27_000).expect("a finding");
    assert_eq!((code, severity), (Code::RangeFull, Severity::Warning));
    let (code, severity, _) = ahead_of(28_232).expect("a finding");
    assert_eq!((code, severity), (Code::RangeFull, Severity::Critical));
}

mod marked_ports {
    use tcp_trace_common::bind::RawBindCounts;

    use super::*;
    use crate::{
        aggregate::{
            bind::{BindSnapshot, Binder, SpaceMarks},
            marks::Marks,
            observed::Observed,
            tally::Process,
        },
        findings::{bind_before_connect, poisoned_buckets},
    };

    fn binder(connected: u64, in_use: u64, in_range: u64) -> Binder {
        let counts = RawBindCounts { calls: connected + in_use, connected, in_use, ..RawBindCounts::default() };
        Binder {
            process: Process { pid: 7, comm: "envoy".into() },
            netns: 1,
            uid: 0,
            cgroup: None,
            range: Some((32_768, 60_999)),
            any_port: counts,
            a_port: RawBindCounts::default(),
            in_range,
            sites: Vec::new(),
        }
    }

    fn observed(binder: Binder, marks: Option<Marks>) -> Observed {
        let marks = marks.map(|marks| vec![SpaceMarks { netns: 1, marks, ..SpaceMarks::default() }]);
        let bind = BindSnapshot { binders: vec![binder], marks, ..BindSnapshot::default() };
        Observed { bind, ..Observed::default() }
    }

    fn marks(poisoned: u64, first_half: u64, bound: u64) -> Marks {
        let mut marks = Marks::of(&[], (32_768, 60_999));
        (marks.poisoned, marks.poisoned_first_half, marks.bound) = (poisoned, first_half, bound);
        marks
    }

    fn bound_first(binder: Binder, marks: Option<Marks>) -> Option<Severity> {
        let found = bind_before_connect::find(&observed(binder, marks), &Sysctls::default());
        found.first().map(|finding| finding.severity)
    }

    #[test]
    fn ports_held_alone() {
        assert_eq!(bound_first(binder(19, 0, 0), Some(marks(0, 0, 19))), None, "a few");
        assert_eq!(bound_first(binder(500, 0, 0), Some(marks(0, 0, 5))), Some(Severity::Info));
        assert_eq!(bound_first(binder(0, 0, 0), Some(marks(0, 0, 3_000))), Some(Severity::Warning), "from before");
        assert_eq!(bound_first(binder(0, 0, 0), Some(marks(0, 0, 15_000))), Some(Severity::Critical));
        assert_eq!(bound_first(binder(30, 4, 0), None), Some(Severity::Critical), "bind() fails");
        assert_eq!(bound_first(binder(0, 4, 0), Some(marks(0, 0, 0))), None, "others hold the ports");
    }

    #[test]
    fn ports_that_are_skipped() {
        let severity = |marks, heals_buckets| {
            let rules = SearchRules { heals_buckets, ..SearchRules::default() };
            let found = poisoned_buckets::find(&observed(binder(0, 0, 40), Some(marks)), &rules, &Sysctls::default());
            found.into_iter().next().map(|finding| (finding.severity, finding.headline, finding.fix))
        };
        assert_eq!(severity(marks(49, 49, 0), false), None);
        let (worst, headline, fix) = severity(marks(14_116, 14_116, 0), false).expect("all of the first half");
        assert_eq!(worst, Severity::Critical);
        assert!(headline.contains("envoy (7)") && headline.contains("last connection"), "{headline}");
        assert!(fix.iter().any(|line| line.contains("6.18")), "{fix:?}");
        let (some, headline, _) = severity(marks(3_000, 1_500, 0), true).expect("a tenth");
        assert_eq!(some, Severity::Warning);
        assert!(headline.contains("until the sockets that bound them are closed"), "{headline}");
    }
}
