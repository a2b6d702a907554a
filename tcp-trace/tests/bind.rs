// SPDX-License-Identifier: MIT OR Apache-2.0
//! The answer of `bind`, as a screen and as rows: where everything is known, and where nothing was seen.

mod support;

use jiff::Timestamp;
use support::golden::check;
use tcp_trace::{
    aggregate::{
        bind::{BindAggregate, SpaceMarks},
        ledger::Ledger,
        marks::Marks,
        observed::Observed,
        tally::Process,
    },
    event::Lost,
    export::{json, rows},
    findings::findings,
    kernel::rules::{SearchRules, Sysctls},
    mode::Mode,
    model::{
        accounts::Counts,
        folded::FoldedPhase,
        totals::{BindSite, BindTotals},
    },
    probes::tier::Tier,
    summarize::summary::Summary,
    view::screen::{Layout, screen},
};
use tcp_trace_common::{
    bind::{RawBindCounts, RawBindTotals, RawBinder, RawMark, userlock},
    folded::{BUCKETS, bucket},
    tcp_state,
};

const RANGE: (u16, u16) = (32_768, 60_999);

fn times(values: &[u64]) -> FoldedPhase {
    let mut buckets = vec![0; BUCKETS];
    values.iter().for_each(|value| buckets[bucket(*value)] += 1);
    FoldedPhase { buckets, max: values.iter().copied().max().unwrap_or(0) }
}

fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

/// A proxy that binds first, and a checker that binds what others share.
fn totals() -> BindTotals {
    let range = RawBindTotals { range_low: RANGE.0, range_high: RANGE.1, uid: 33, ..RawBindTotals::default() };
    let any_port = RawBindCounts { calls: 1_200, in_use: 3, connected: 1_190, shared: 0, took_ns: 12_000_000_000 };
    let a_port = RawBindCounts { calls: 85, in_use: 1, shared: 85, took_ns: 5_000_000, ..RawBindCounts::default() };
    let site = |name: Option<&str>, calls| BindSite { pid: 148, any_port: true, name: name.map(Into::into), calls };
    BindTotals {
        binders: vec![
            (
                RawBinder { tgid: 203, netns: 7, ..RawBinder::default() },
                RawBindTotals { a_port, in_range: 84, comm: comm("port-checker"), ..range },
            ),
            (
                RawBinder { tgid: 148, netns: 7, ..RawBinder::default() },
                RawBindTotals { any_port, comm: comm("envoy"), ..range },
            ),
        ],
        sites: vec![site(None, 10), site(Some("libc.so.6+0x11b2c7 < envoy+0x3f2a10"), 1_190)],
        any_port: times(&[20_000, 9_000_000, 161_000_000]),
        a_port: times(&[43_500; 85]),
    }
}

/// All of the half that is searched first is poisoned, a part of the other is held by the proxy.
fn marks() -> SpaceMarks {
    let poisoned = (RANGE.0..=RANGE.1).step_by(2).map(|port| RawMark { port, fastreuse: 0xff, ..connected() });
    let bound = (RANGE.0 + 1..=40_000).step_by(2);
    let bound = bound.map(|port| RawMark { port, userlocks: userlock::BIND_ADDRESS, ..connected() });
    let sockets: Vec<_> = poisoned.chain(bound).collect();
    SpaceMarks {
        netns: 7,
        name: Some("docker/3f2a1b0c9d8e".into()),
        marks: Marks::of(&sockets, RANGE),
        holders: vec![(Process { pid: 148, comm: "envoy".into() }, 3_617)],
    }
}

fn connected() -> RawMark {
    RawMark { state: tcp_state::ESTABLISHED, ..RawMark::default() }
}

fn summary(observed: Observed) -> Summary {
    Summary {
        mode: Mode::Bind,
        time: Timestamp::UNIX_EPOCH,
        is_final: true,
        findings: findings(&observed, &SearchRules::default(), &Sysctls::default()),
        observed,
        lost: Lost::default(),
        traced: true,
        tier: Some(Tier::Fentry),
        kernel: "6.12.107".into(),
        ledger: Ledger { counts: Some(Counts::default()), ..Ledger::default() },
        notes: Vec::new(),
    }
}

#[test]
fn screens_and_rows() {
    let mut aggregate = BindAggregate::default();
    aggregate.enter(&totals(), &[]);
    let mut bind = aggregate.total();
    bind.marks = Some(vec![marks()]);
    let all = summary(Observed { seconds: 60.0, bind, ..Observed::default() });
    let nothing = Summary { tier: None, ..summary(Observed { seconds: 1.0, ..Observed::default() }) };
    let layout = Layout { width: 80, top: 10, colours: false, unicode: true, verbose: true };
    check("bind.txt", &(screen(&all, layout) + "\n" + &screen(&nothing, layout)));
    let mut lines = Vec::new();
    for row in [&all, &nothing].into_iter().flat_map(|summary| rows::of(summary, 10)) {
        json::row(&mut lines, Timestamp::UNIX_EPOCH, &row);
    }
    check("bind.jsonl", &String::from_utf8(lines).expect("UTF-8"));
}
