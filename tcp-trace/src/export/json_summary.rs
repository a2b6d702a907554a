// SPDX-License-Identifier: MIT OR Apache-2.0
//! The summary's line.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::json::{LostCounts, VERSION, family, rounded};
use super::json_ledger::LedgerObject;
use crate::aggregate::connect::{ConnectSnapshot, OUTCOMES};
use crate::aggregate::distribution::Distribution;
use crate::aggregate::summary::Summary;
use crate::aggregate::tally::Tally;
use crate::aggregate::time_wait::TimeWaitTotals;

#[derive(Serialize)]
pub(super) struct SummaryLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    #[serde(rename = "final")]
    is_final: bool,
    seconds: f64,
    connects: u64,
    by_outcome: ByOutcome<'a>,
    outcome_unknown: u64,
    told: u64,
    second_pass: Option<u64>,
    second_pass_known: u64,
    phases: Phases,
    ports_visited: Visited,
    syn_retransmits: u64,
    mptcp: u64,
    candidates: Option<Candidates>,
    time_wait: Vec<TimeWait>,
    processes: Vec<Process<'a>>,
    destinations: Vec<Destination>,
    tier: Option<String>,
    kernel: &'a str,
    lost: LostCounts,
    overhead: Option<f64>,
    agent_cpu_ns: u64,
    port_probe_bursts: Option<u64>,
    ledger: LedgerObject,
    notes: &'a [String],
}

impl<'a> SummaryLine<'a> {
    pub(super) fn new(summary: &'a Summary, top: usize) -> Self {
        let connect = &summary.observed.connect;
        let cost = &summary.ledger.cost;
        // Nothing known of any attempt is not the same as none that needed it.
        let known = connect.second_pass_known > 0 || connect.connects == 0;
        Self {
            v: VERSION,
            kind: "summary",
            time: summary.time.to_string(),
            is_final: summary.is_final,
            seconds: rounded(summary.observed.seconds, 3),
            connects: connect.connects,
            by_outcome: ByOutcome(connect),
            outcome_unknown: connect.outcome_unknown,
            told: connect.told,
            second_pass: known.then_some(connect.second_pass),
            second_pass_known: connect.second_pass_known,
            phases: Phases {
                port_search: (&connect.port_search).into(),
                handshake: (&connect.handshake).into(),
                total: (&connect.total).into(),
            },
            ports_visited: (&connect.ports_visited).into(),
            syn_retransmits: connect.syn_retransmits,
            mptcp: connect.mptcp,
            candidates: (connect.candidates.searches > 0).then_some(Candidates {
                sampled_searches: connect.candidates.searches,
                in_use: connect.candidates.in_use,
                time_wait: connect.candidates.time_wait,
                time_wait_reused: connect.candidates.time_wait_reused,
                skipped: connect.candidates.skipped,
            }),
            time_wait: summary.observed.time_wait.iter().map(|(netns, totals)| TimeWait::new(*netns, totals)).collect(),
            processes: connect
                .processes
                .iter()
                .take(top)
                .map(|row| Process {
                    pid: row.key.pid,
                    comm: &row.key.comm,
                    at_least: row.at_least,
                    counts: (&row.value).into(),
                })
                .collect(),
            destinations: connect
                .destinations
                .iter()
                .take(top)
                .map(|row| Destination {
                    netns: row.key.netns,
                    family: family(row.key.daddr),
                    daddr: row.key.daddr,
                    dport: row.key.dport,
                    at_least: row.at_least,
                    counts: (&row.value).into(),
                })
                .collect(),
            tier: summary.tier.map(|tier| tier.to_string()),
            kernel: &summary.kernel,
            lost: summary.lost.into(),
            overhead: cost.share(summary.observed.seconds).map(|share| rounded(share, 6)),
            agent_cpu_ns: cost.agent_ns,
            port_probe_bursts: cost.bursts,
            ledger: LedgerObject::new(&summary.ledger, summary.observed.seconds),
            notes: &summary.notes,
        }
    }
}

struct ByOutcome<'a>(&'a ConnectSnapshot);

impl Serialize for ByOutcome<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(OUTCOMES.into_iter().map(|outcome| (outcome.name(), self.0.ended(outcome))))
    }
}

#[derive(Serialize)]
struct Phases {
    port_search: Phase,
    handshake: Phase,
    total: Phase,
}

#[derive(Serialize)]
struct Phase {
    count: u64,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
    /// Power-of-two buckets: low end -> count.
    buckets_ns: BTreeMap<u64, u64>,
}

impl From<&Distribution> for Phase {
    fn from(of: &Distribution) -> Self {
        Self {
            count: of.count,
            p50_ns: of.p50,
            p90_ns: of.p90,
            p99_ns: of.p99,
            max_ns: of.max,
            buckets_ns: buckets(of),
        }
    }
}

#[derive(Serialize)]
struct Visited {
    count: u64,
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
    max: Option<u64>,
    buckets: BTreeMap<u64, u64>,
}

impl From<&Distribution> for Visited {
    fn from(of: &Distribution) -> Self {
        Self { count: of.count, p50: of.p50, p90: of.p90, p99: of.p99, max: of.max, buckets: buckets(of) }
    }
}

fn buckets(of: &Distribution) -> BTreeMap<u64, u64> {
    of.buckets.iter().filter(|bucket| bucket.count > 0).map(|bucket| (bucket.low, bucket.count)).collect()
}

#[derive(Serialize)]
struct Candidates {
    sampled_searches: u64,
    in_use: u64,
    time_wait: u64,
    time_wait_reused: u64,
    skipped: u64,
}

#[derive(Serialize)]
struct TimeWait {
    netns: u32,
    level: Option<u64>,
    max_buckets: Option<u64>,
    entered: Option<u64>,
    entered_fin_wait2: Option<u64>,
    expired: Option<u64>,
    reused: Option<u64>,
    by_syn: Option<u64>,
    reset: Option<u64>,
    other: Option<u64>,
    overflow: Option<u64>,
}

impl TimeWait {
    fn new(netns: u32, totals: &TimeWaitTotals) -> Self {
        Self {
            netns,
            level: totals.level,
            max_buckets: totals.max_buckets,
            entered: totals.entered,
            entered_fin_wait2: totals.entered_fin_wait2,
            expired: totals.expired,
            reused: totals.reused,
            by_syn: totals.by_syn,
            reset: totals.reset,
            other: totals.other,
            overflow: totals.overflow,
        }
    }
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    comm: &'a str,
    at_least: bool,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
struct Destination {
    netns: u32,
    family: &'static str,
    daddr: IpAddr,
    dport: u16,
    at_least: bool,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
struct Counts {
    connects: u64,
    failures: u64,
    no_port: u64,
    second_pass: Option<u64>,
    ports_visited_mean: Option<u64>,
    ports_visited_max: Option<u64>,
    port_search_sum_ns: Option<u64>,
    port_search_max_ns: Option<u64>,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        let searched = tally.search_ns.known > 0;
        Self {
            connects: tally.connects,
            failures: tally.failures,
            no_port: tally.no_port,
            second_pass: (tally.second_pass_known > 0).then_some(tally.second_pass),
            ports_visited_mean: tally.visited.mean(),
            ports_visited_max: (tally.visited.known > 0).then_some(tally.visited.max),
            port_search_sum_ns: searched.then_some(tally.search_ns.sum),
            port_search_max_ns: searched.then_some(tally.search_ns.max),
        }
    }
}
