// SPDX-License-Identifier: MIT OR Apache-2.0
//! The summary's line.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Serialize, Serializer};

use super::{LostCounts, ledger::LedgerObject, rounded};
use crate::{
    aggregate::{
        connect::{self, ConnectSnapshot},
        distribution::Distribution,
        tally::{self, ProcessKey, ProgramKey, Tally},
        top::Row,
    },
    event::{AddressExt as _, OUTCOMES},
    model::{JSON_VERSION, folded::FoldedSpread, time_wait::TimeWaitTotals},
    summarize::summary::Summary,
};

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
    reported: u64,
    estimated: bool,
    estimate_factor: Option<f64>,
    estimate_error: Option<f64>,
    second_pass: Option<u64>,
    second_pass_known: u64,
    phases: Phases,
    ports_visited: Visited,
    syn_retransmits: u64,
    mptcp: u64,
    candidates: Option<Candidates>,
    time_wait: Vec<TimeWait>,
    programs: Vec<Program<'a>>,
    processes: Vec<Process<'a>>,
    destinations: Vec<Destination>,
    other: Others,
    tier: Option<String>,
    kernel: &'a str,
    lost: Option<LostCounts>,
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
        let estimate = connect.estimate();
        Self {
            v: JSON_VERSION,
            kind: "summary",
            time: summary.time.to_string(),
            is_final: summary.is_final,
            seconds: rounded(summary.observed.seconds, 3),
            connects: connect.connects,
            by_outcome: ByOutcome(connect),
            outcome_unknown: connect.outcome_unknown,
            reported: connect.told,
            estimated: estimate.is_some(),
            estimate_factor: estimate.map(|estimate| rounded(estimate.factor, 3)),
            estimate_error: estimate.map(|estimate| rounded(estimate.error, 6)),
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
            programs: connect.programs.iter().take(top).map(Program::of).collect(),
            processes: connect.processes.iter().take(top).map(Process::of).collect(),
            destinations: connect.destinations.iter().take(top).map(Destination::of).collect(),
            other: Others {
                programs: Other::beyond(&connect.programs, &connect.other.programs, top),
                processes: Other::beyond(&connect.processes, &connect.other.processes, top),
                destinations: Other::beyond(&connect.destinations, &connect.other.destinations, top),
            },
            tier: summary.tier.map(|tier| tier.to_string()),
            kernel: &summary.kernel,
            lost: summary.ledger.counts.map(|_| summary.lost.into()),
            overhead: summary.ledger.share(summary.observed.seconds).map(|share| rounded(share, 6)),
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
struct Program<'a> {
    comm: &'a str,
    uid: u32,
    cgroup: Option<String>,
    processes: u64,
    processes_at_least: bool,
    at_least: bool,
    #[serde(flatten)]
    counts: Counts,
}

impl<'a> Program<'a> {
    fn of(row: &'a Row<ProgramKey, Tally>) -> Self {
        let ProgramKey { program, processes, processes_at_least } = &row.key;
        Self {
            comm: &program.comm,
            uid: program.uid,
            cgroup: program.cgroup.as_ref().map(ToString::to_string),
            processes: *processes,
            processes_at_least: *processes_at_least,
            at_least: row.at_least,
            counts: (&row.value).into(),
        }
    }
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    started_ns: Option<u64>,
    comm: &'a str,
    uid: u32,
    cgroup: Option<String>,
    at_least: bool,
    #[serde(flatten)]
    counts: Counts,
}

impl<'a> Process<'a> {
    fn of(row: &'a Row<ProcessKey, Tally>) -> Self {
        let ProcessKey { pid, started_ns, program } = &row.key;
        Self {
            pid: *pid,
            started_ns: *started_ns,
            comm: &program.comm,
            uid: program.uid,
            cgroup: program.cgroup.as_ref().map(ToString::to_string),
            at_least: row.at_least,
            counts: (&row.value).into(),
        }
    }
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

impl Destination {
    fn of(row: &Row<tally::Destination, Tally>) -> Self {
        Self {
            netns: row.key.netns,
            family: row.key.daddr.family(),
            daddr: row.key.daddr,
            dport: row.key.dport,
            at_least: row.at_least,
            counts: (&row.value).into(),
        }
    }
}

/// With these each list is all attempts whose outcome is known.
#[derive(Serialize)]
struct Others {
    programs: Other,
    processes: Other,
    destinations: Other,
}

#[derive(Serialize)]
struct Other {
    /// Rows that the list has no room for.
    rows: u64,
    /// Attempts that found no room in a row.
    without_row: u64,
    #[serde(flatten)]
    counts: Counts,
}

impl Other {
    fn beyond<K>(rows: &[Row<K, Tally>], other: &Tally, top: usize) -> Self {
        let (rows, tally) = connect::beyond(rows, other, top);
        Self { rows, without_row: other.connects, counts: (&tally).into() }
    }
}

/// 99 in a hundred are not above the `p99`s: ends of powers of two, finer ones are known of the run alone.
#[derive(Serialize)]
struct Counts {
    connects: u64,
    failures: u64,
    refused: u64,
    unanswered: u64,
    no_port: u64,
    second_pass: Option<u64>,
    syn_retransmits: Option<u64>,
    ports_visited_mean: Option<u64>,
    ports_visited_max: Option<u64>,
    port_search_sum_ns: Option<u64>,
    port_search_p99_ns: Option<u64>,
    port_search_max_ns: Option<u64>,
    handshake_sum_ns: Option<u64>,
    handshake_p99_ns: Option<u64>,
    handshake_max_ns: Option<u64>,
    total_sum_ns: Option<u64>,
    total_p99_ns: Option<u64>,
    total_max_ns: Option<u64>,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        let sum = |of: &FoldedSpread| (of.known > 0).then_some(of.sum);
        let max = |of: &FoldedSpread| (of.known > 0).then_some(of.max);
        Self {
            connects: tally.connects,
            failures: tally.failures,
            refused: tally.refused,
            unanswered: tally.unanswered,
            no_port: tally.no_port,
            second_pass: (tally.second_pass_known > 0).then_some(tally.second_pass),
            // Only a SYN that went out can be sent again.
            syn_retransmits: (tally.handshake_ns.known > 0).then_some(tally.syn_retransmits),
            ports_visited_mean: tally.visited.mean(),
            ports_visited_max: max(&tally.visited),
            port_search_sum_ns: sum(&tally.search_ns),
            port_search_p99_ns: tally.search_ns.within(0.99),
            port_search_max_ns: max(&tally.search_ns),
            handshake_sum_ns: sum(&tally.handshake_ns),
            handshake_p99_ns: tally.handshake_ns.within(0.99),
            handshake_max_ns: max(&tally.handshake_ns),
            total_sum_ns: sum(&tally.total_ns),
            total_p99_ns: tally.total_ns.within(0.99),
            total_max_ns: max(&tally.total_ns),
        }
    }
}
